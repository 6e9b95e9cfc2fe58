/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slots beside a model of them that is too simple to be wrong: a byte for each
 * slot says whether it is taken, and a list has the pieces. Whatever does not
 * agree ends the program.
 */
#ifndef SLOTS_MODEL_H
#define SLOTS_MODEL_H

#include "slots.h"

struct piece {
	size_t offset;
	struct swiotlb_request request;
};

struct model {
	phys_addr_t base;
	size_t size;
	size_t described;
	struct swiotlb_slots *slots;
	u8 *taken;
	struct piece *pieces;
	size_t npieces;
	size_t used;
	size_t takes, misses;
};

#define CHECK(what) do {						\
	if (!(what)) {							\
		fprintf(stderr, "%s:%d: not true: %s\n", __FILE__,	\
			__LINE__, #what);				\
		abort();						\
	}								\
} while (0)

static inline size_t slots_in(size_t size)
{
	return DIV_ROUND_UP(size, SWIOTLB_SLOT_SIZE);
}

static inline void model_init(struct model *m, phys_addr_t base, size_t size,
			      unsigned int nareas)
{
	*m = (struct model) { .base = base, .size = size };
	m->slots = new_head(base, size, nareas);
	m->taken = calloc(slots_in(size), 1);
	m->pieces = calloc(slots_in(size), sizeof(*m->pieces));
	CHECK(m->taken && m->pieces);
}

/* Describe one block more, if there is one. It comes behind the others. */
static inline bool model_grow(struct model *m)
{
	size_t offset, size;

	if (!swiotlb_slots_next_block(m->slots, &offset, &size)) {
		CHECK(m->described == m->size);
		return false;
	}
	CHECK(offset == m->described && size && size <= SWIOTLB_BLOCK_SIZE);
	CHECK(describe(m->slots) == size);
	m->described += size;
	CHECK(m->described == m->size ||
	      !((m->base + m->described) % SWIOTLB_SEGMENT_SIZE));
	return true;
}

/* The piece is where it was wanted, and nobody else has a part of it. */
static inline void check_place(struct model *m, size_t offset,
			       const struct swiotlb_request *want)
{
	size_t first = offset >> SWIOTLB_SLOT_SHIFT, n = slots_in(want->size);
	u64 addr = m->base + offset + want->bus_offset;
	u64 low = max_t(u64, want->align, SWIOTLB_SLOT_SIZE) - 1;
	u64 high = (want->min_align - 1) & ~low;

	CHECK(!(offset % SWIOTLB_SLOT_SIZE));
	CHECK(first + n <= slots_in(m->described));
	CHECK(!(addr & low));
	CHECK((addr & high) == (want->orig_addr & high));
	CHECK(!want->boundary ||
	      addr / want->boundary ==
	      (addr + n * SWIOTLB_SLOT_SIZE - 1) / want->boundary);
	for (size_t i = first; i < first + n; i++)
		CHECK(!m->taken[i]);
}

/*
 * Is there a run of whole chunks that would do? Small mappings may miss one, and
 * those of more than a segment, or aligned to that, or with a boundary that is
 * within segments because of an odd bus offset.
 */
static inline bool model_has_room(struct model *m,
				  const struct swiotlb_request *want)
{
	u64 chunk = 8 * SWIOTLB_SLOT_SIZE, at, addr, end, i;
	u64 low = max_t(u64, want->align, SWIOTLB_SLOT_SIZE) - 1;
	u64 high = (want->min_align - 1) & ~low;
	u64 pool_end = m->base + m->described;

	for (at = ALIGN(m->base, chunk); at < pool_end; at += chunk) {
		for (addr = at; addr < at + chunk; addr += SWIOTLB_SLOT_SIZE) {
			u64 bus = addr + want->bus_offset;

			if ((bus & low) ||
			    (bus & high) != (want->orig_addr & high))
				continue;
			end = addr + slots_in(want->size) * SWIOTLB_SLOT_SIZE;
			if (ALIGN(end, chunk) > pool_end ||
			    at / SWIOTLB_SEGMENT_SIZE !=
			    (end - 1) / SWIOTLB_SEGMENT_SIZE)
				continue;
			if (want->boundary && bus / want->boundary !=
			    (bus + (end - addr) - 1) / want->boundary)
				continue;
			for (i = at; i < ALIGN(end, chunk); i += SWIOTLB_SLOT_SIZE)
				if (m->taken[(i - m->base) >> SWIOTLB_SLOT_SHIFT])
					break;
			if (i >= ALIGN(end, chunk))
				return true;
		}
	}
	return false;
}

/*
 * Whether a piece is taken or not. One that crosses the end of a segment has the
 * beginning of its first one to itself, which nobody can use.
 */
static inline void model_mark(struct model *m, size_t offset, size_t n,
			      bool taken)
{
	size_t skip = (m->base + offset) % SWIOTLB_SEGMENT_SIZE;

	if (skip + n * SWIOTLB_SLOT_SIZE > SWIOTLB_SEGMENT_SIZE) {
		offset -= skip;
		n += skip / SWIOTLB_SLOT_SIZE;
	}
	memset(m->taken + offset / SWIOTLB_SLOT_SIZE, taken, n);
}

static inline bool model_take(struct model *m, unsigned int cpu,
			      const struct swiotlb_request *want)
{
	ssize_t offset = swiotlb_slots_take(m->slots, cpu, want);

	m->takes++;
	if (offset < 0) {
		m->misses++;
		/* For one in sixteen, because it takes long */
		if (!(m->misses % 16) && want->size > SZ_4K &&
		    max(want->size, max(want->align, want->min_align)) <=
		    SWIOTLB_SEGMENT_SIZE && want->padding < 1024 &&
		    !(want->boundary &&
		      want->bus_offset % SWIOTLB_SEGMENT_SIZE))
			CHECK(!model_has_room(m, want));
		return false;
	}
	check_place(m, offset, want);
	model_mark(m, offset, slots_in(want->size), true);
	m->used += slots_in(want->size) << SWIOTLB_SLOT_SHIFT;
	m->pieces[m->npieces++] = (struct piece) { offset, *want };
	return true;
}

/* Give piece number @which back; @byte is any within it. */
static inline void model_give(struct model *m, size_t which, size_t byte)
{
	struct piece piece = m->pieces[which];
	size_t size = slots_in(piece.request.size) << SWIOTLB_SLOT_SHIFT;
	struct swiotlb_mapping found;

	byte = piece.offset + byte % size;
	CHECK(swiotlb_slots_find(m->slots, byte, &found));
	CHECK(found.start == piece.offset);
	CHECK(found.size == piece.request.size);
	CHECK(found.orig_addr == piece.request.orig_addr);
	CHECK(found.padding == piece.request.padding);
	CHECK(swiotlb_slots_give(m->slots, byte) == size);
	CHECK(!swiotlb_slots_give(m->slots, byte));
	CHECK(!swiotlb_slots_find(m->slots, byte, &found));
	model_mark(m, piece.offset, size >> SWIOTLB_SLOT_SHIFT, false);
	m->used -= size;
	m->pieces[which] = m->pieces[--m->npieces];
}

/*
 * Give all back. Then nothing is lost: each segment of the pool is whole, and
 * all of the rest can be taken slot by slot.
 */
static inline void model_end(struct model *m)
{
	struct swiotlb_request want = {
		.size = SWIOTLB_SEGMENT_SIZE, .align = 1, .min_align = 1,
	};
	u64 first = ALIGN(m->base, SWIOTLB_SEGMENT_SIZE);
	u64 end = m->base + m->size;
	size_t whole = end > first ? (end - first) / SWIOTLB_SEGMENT_SIZE : 0;
	size_t n = slots_in(m->size + 1) - 1;

	while (m->npieces)
		model_give(m, 0, 0);
	while (model_grow(m))
		;
	CHECK(!swiotlb_slots_used(m->slots));
	for (; whole; whole--, n -= slots_in(want.size))
		CHECK(swiotlb_slots_take(m->slots, 0, &want) >= 0);
	CHECK(swiotlb_slots_take(m->slots, 0, &want) < 0);
	for (want.size = 1; n; n--)
		CHECK(swiotlb_slots_take(m->slots, 1, &want) >= 0);
	CHECK(swiotlb_slots_take(m->slots, 2, &want) < 0);
	free_slots(m->slots);
	free(m->taken);
	free(m->pieces);
}

#endif /* SLOTS_MODEL_H */
