/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the programs that test the slots of the swiotlb share. */
#ifndef SLOTS_H
#define SLOTS_H

#include "shim.h"
#include "swiotlb_slots.h"

#define SZ_4K		0x1000UL
#define SZ_64K		0x10000UL
#define SZ_256K		0x40000UL
#define SZ_1M		0x100000UL
#define SZ_1G		0x40000000UL

/* A number that does not depend on where the test runs */
static inline u64 next_random(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static inline u64 pick(u64 *state, u64 n)
{
	return next_random(state) % n;
}

static inline void *zeroed(size_t bytes)
{
	void *memory = aligned_alloc(SMP_CACHE_BYTES,
				     ALIGN(bytes, SMP_CACHE_BYTES));

	if (!memory) {
		fprintf(stderr, "no memory for the slots of a pool\n");
		exit(1);
	}
	return memset(memory, 0, bytes);
}

/* Slots of a pool that has no memory. Nothing is described yet. */
static inline struct swiotlb_slots *new_head(phys_addr_t base, size_t size,
					     unsigned int nareas)
{
	void *memory = zeroed(swiotlb_slots_bytes(base, size, nareas));

	return swiotlb_slots_init(memory, base, size, nareas);
}

/* Describe the next block. Return its size in bytes, or 0 if none is left. */
static inline size_t describe(struct swiotlb_slots *slots)
{
	size_t offset, size, bytes;

	bytes = swiotlb_slots_next_block(slots, &offset, &size);
	if (bytes)
		swiotlb_slots_describe(slots, zeroed(bytes));
	return size;
}

/* The same pool with all of it described */
static inline struct swiotlb_slots *new_slots(phys_addr_t base, size_t size,
					      unsigned int nareas)
{
	struct swiotlb_slots *slots = new_head(base, size, nareas);

	while (describe(slots))
		;
	return slots;
}

static inline void free_slots(struct swiotlb_slots *slots)
{
	void *block;
	size_t bytes;

	for (unsigned int n = 0; (block = swiotlb_slots_block(slots, n, &bytes)); n++)
		free(block);
	free(slots);
}

#endif /* SLOTS_H */
