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

/* Slots of a pool that has no memory, for the program's lifetime or free() */
static inline struct swiotlb_slots *new_slots(phys_addr_t base, size_t size,
					      unsigned int nareas)
{
	size_t bytes = swiotlb_slots_bytes(base, size, nareas);
	void *memory = aligned_alloc(SMP_CACHE_BYTES, bytes);

	if (!memory) {
		fprintf(stderr, "no memory for a pool of %zu bytes\n", size);
		exit(1);
	}
	memset(memory, 0, bytes);
	return swiotlb_slots_init(memory, base, size, nareas);
}

#endif /* SLOTS_H */
