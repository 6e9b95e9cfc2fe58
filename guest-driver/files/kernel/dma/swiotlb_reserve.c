// SPDX-License-Identifier: GPL-2.0
/*
 * What each device of a restricted pool has for itself.
 *
 * The devices of a pool share it, and drivers keep a part of it for as long as
 * they are bound: rings, buffers for what may arrive. What is left may be in use
 * by other devices, or be nothing at all. A request that finds no room is tried
 * again when another one of its device has ended. If there is none, it waits for
 * ever.
 *
 * So a device gets a reserve when it is attached to a pool of its own. The default
 * pool is also that of devices that do no DMA. There, a device gets its reserve
 * when its driver sets a DMA mask, as each driver does that uses DMA, and before it
 * maps anything. The reserve is used when the rest of the pool has no room:
 *
 *   +-----------------------+--------+--------+-----+--------+--------+-----+
 *   | shared                | to A   | from A | ... | to B   | from B | ... |
 *   +-----------------------+--------+--------+-----+--------+--------+-----+
 *                            reserve of A            reserve of B
 *
 * One half is for what the device reads, the other for what it only writes, so
 * that buffers for what may arrive do not stop what is to be sent. Coherent memory
 * is never in it. A device that has nothing mapped in one direction can always
 * map a request of half of that half, beside a header and a status. It may be in
 * as many pieces as it has pages, less one: each piece may waste nearly a page.
 * Drivers limit their requests to this, see swiotlb_max_request(), and a single
 * mapping to dma_max_mapping_size().
 *
 * Size: a half has a sixteenth of the pool, but not more than 256 KiB, or a 64th
 * of the pool and 1 MiB in larger pools; and all reserves together have no more
 * than half of the pool. A device gets at most an eighth of what is left of that,
 * but at least four pages. So those that come late get less. If nothing is left,
 * the device is refused, because it could wait for ever. Pools of less than eight
 * pages have no reserves.
 *
 * A half is a small pool: it has slots of its own, in memory that is taken from
 * the large pool as one piece.
 *
 * Locking: a reserve is made under a mutex, and published when it is complete. It
 * stays until the device moves to another pool, when nothing may be mapped for it,
 * or ceases to exist. A driver that is unbound may leave mappings to be undone
 * later, as page_pool does. The lock of the allocator protects the list of
 * reserves, which is there for the statistics.
 *
 * Cost: none while the pool has room. A reserve has 16 KiB of metadata if its
 * halves are not larger than 256 KiB.
 */

#include <linux/device.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/swiotlb.h>
#include "swiotlb_describe.h"
#include "swiotlb_grow.h"
#include "swiotlb_reserve.h"
#include "swiotlb_slots.h"

/* Taken while a device gets its reserve, so that it gets one, and a fair one */
static DEFINE_MUTEX(reserve_mutex);

/* Block drivers need requests of a page, which is half of this */
#define MIN_HALF	(2 * PAGE_SIZE)

/**
 * struct swiotlb_reserve - what a device has for itself
 * @node:	Member of the reserves of its allocator.
 * @halves:	For what the device reads, and for what it only writes.
 */
struct swiotlb_reserve {
	struct list_head node;
	struct io_tlb_pool halves[2];
};

static size_t half_size(const struct io_tlb_pool *half)
{
	return half->end - half->start;
}

static size_t reserve_used(const struct swiotlb_reserve *reserve)
{
	return swiotlb_slots_used(reserve->halves[0].slots) +
	       swiotlb_slots_used(reserve->halves[1].slots);
}

static size_t pool_size(const struct io_tlb_mem *mem)
{
	return mem->defpool.end - mem->defpool.start;
}

/* How large a half may be, a power of two; 0 if too much is reserved */
static size_t choose_size(const struct io_tlb_mem *mem)
{
	size_t pool = pool_size(mem), reserved = READ_ONCE(mem->reserved);
	size_t want = max(min(pool / 16, (size_t)SZ_256K),
			  min(pool / 64, (size_t)SZ_1M));
	size_t left = pool / 2 > reserved ? pool / 2 - reserved : 0;

	if (left < 2 * MIN_HALF)
		return 0;
	return rounddown_pow_of_two(max(min(want, left / 16), MIN_HALF));
}

static int init_half(struct io_tlb_pool *half, const struct io_tlb_pool *pool,
		     size_t offset, size_t size)
{
	phys_addr_t start = pool->start + offset;
	void *slots = kvzalloc(swiotlb_slots_bytes(start, size, 1), GFP_KERNEL);

	if (!slots)
		return -ENOMEM;
	half->start = start;
	half->end = start + size;
	half->vaddr = pool->vaddr + offset;
	half->nslabs = size >> IO_TLB_SHIFT;
	half->nareas = 1;
	half->slots = swiotlb_slots_init(slots, start, size, 1);
	return swiotlb_describe(half, GFP_KERNEL);
}

static void free_reserve(struct swiotlb_reserve *reserve)
{
	for (int i = 0; i < ARRAY_SIZE(reserve->halves); i++) {
		if (reserve->halves[i].slots)
			swiotlb_free_slots(&reserve->halves[i]);
	}
	kfree(reserve);
}

/* Make the halves of a reserve in a piece of a pool. */
static struct swiotlb_reserve *new_reserve(const struct io_tlb_pool *pool,
					   size_t offset, size_t size)
{
	struct swiotlb_reserve *reserve = kzalloc(sizeof(*reserve), GFP_KERNEL);

	if (!reserve)
		return NULL;
	if (init_half(&reserve->halves[0], pool, offset, size) ||
	    init_half(&reserve->halves[1], pool, offset + size, size)) {
		free_reserve(reserve);
		return NULL;
	}
	return reserve;
}

/* Take a piece of a pool for two halves of @size. Return its offset or -1. */
static ssize_t take_piece(struct io_tlb_pool *pool, size_t size)
{
	struct swiotlb_request request = {
		.orig_addr = ~(phys_addr_t)0,
		.size = 2 * size,
		.align = min(2 * size, SWIOTLB_SEGMENT_SIZE),
		.min_align = 1,
	};
	size_t prepared;
	ssize_t offset;

	do {
		prepared = swiotlb_prepared(pool);
		offset = swiotlb_slots_take(pool->slots, 0, &request);
	} while (offset < 0 && swiotlb_grow_now(pool, prepared));
	return offset;
}

/**
 * swiotlb_reserve_create() - give a device a reserve of its pool
 * @dev:	Any device.
 *
 * If the pool has no room for one of the usual size, the device gets a smaller
 * one. A message says so if there is no room for any.
 *
 * Context: Process context, may sleep. Nobody attaches or detaches @dev at the
 * same time, but it may be doing DMA.
 * Return: 0 if it has one now, has no restricted pool, or has one that is
 * unusable or too small for any reserve; otherwise -ENOMEM.
 */
int swiotlb_reserve_create(struct device *dev)
{
	struct io_tlb_mem *mem = dev->dma_io_tlb_mem;
	struct swiotlb_reserve *reserve = NULL;
	ssize_t offset = -1;
	size_t size;

	if (!is_swiotlb_for_alloc(dev) || pool_size(mem) < 4 * MIN_HALF)
		return 0;
	guard(mutex)(&reserve_mutex);
	if (dev->dma_io_tlb_reserve)
		return 0;
	for (size = choose_size(mem); size >= MIN_HALF; size /= 2) {
		offset = take_piece(&mem->defpool, size);
		if (offset >= 0)
			break;
	}
	if (offset >= 0) {
		reserve = new_reserve(&mem->defpool, offset, size);
		if (!reserve)
			swiotlb_slots_give(mem->defpool.slots, offset);
	}
	if (!reserve) {
		dev_notice(dev, "no room for its own mappings in a restricted DMA pool of %lu KiB: make the pool larger\n",
			   mem->nslabs << IO_TLB_SHIFT >> 10);
		return -ENOMEM;
	}

	spin_lock_irq(&mem->reserve_lock);
	list_add(&reserve->node, &mem->reserves);
	WRITE_ONCE(mem->reserved, mem->reserved + 2 * size);
	spin_unlock_irq(&mem->reserve_lock);
	/* Whoever sees the reserve sees what is in it */
	smp_store_release(&dev->dma_io_tlb_reserve, reserve);
	return 0;
}

/**
 * swiotlb_reserve_destroy() - take the reserve of a device back
 * @dev:	The device. It may have none.
 *
 * If something is mapped there still, the reserve is lost, because the device
 * may write to it.
 *
 * Context: Process context. Nobody uses the DMA API for @dev.
 */
void swiotlb_reserve_destroy(struct device *dev)
{
	struct swiotlb_reserve *reserve = dev->dma_io_tlb_reserve;
	struct io_tlb_mem *mem = dev->dma_io_tlb_mem;
	struct io_tlb_pool *pool = &mem->defpool;
	unsigned long flags;

	if (!reserve)
		return;
	dev->dma_io_tlb_reserve = NULL;
	if (dev_WARN_ONCE(dev, reserve_used(reserve),
			  "%zu bytes of a restricted DMA pool are lost\n",
			  half_size(&reserve->halves[0]) * 2))
		return;

	spin_lock_irqsave(&mem->reserve_lock, flags);
	list_del(&reserve->node);
	WRITE_ONCE(mem->reserved,
		   mem->reserved - 2 * half_size(&reserve->halves[0]));
	spin_unlock_irqrestore(&mem->reserve_lock, flags);
	swiotlb_slots_give(pool->slots,
			   reserve->halves[0].start - pool->start);
	free_reserve(reserve);
}

static size_t half_idle(const struct io_tlb_pool *half,
			size_t (*count)(struct swiotlb_slots *slots))
{
	/* The sum of the maxima of areas may be more than there is */
	return half_size(half) - min(half_size(half), count(half->slots));
}

/**
 * swiotlb_reserve_idle() - how much of all reserves is not taken?
 * @mem:	The allocator.
 * @count:	What counts as taken, such as swiotlb_slots_used().
 *
 * Context: Any.
 * Return: Bytes.
 */
size_t swiotlb_reserve_idle(struct io_tlb_mem *mem,
			    size_t (*count)(struct swiotlb_slots *slots))
{
	struct swiotlb_reserve *reserve;
	unsigned long flags;
	size_t idle = 0;

	spin_lock_irqsave(&mem->reserve_lock, flags);
	list_for_each_entry(reserve, &mem->reserves, node)
		idle += half_idle(&reserve->halves[0], count) +
			half_idle(&reserve->halves[1], count);
	spin_unlock_irqrestore(&mem->reserve_lock, flags);
	return idle;
}

/**
 * swiotlb_reserve_for() - the part of the reserve for one direction
 * @dev:	The device.
 * @dir:	The direction of a mapping, or DMA_NONE for coherent memory.
 *
 * Context: Any.
 * Return: The half, or NULL if there is none.
 */
struct io_tlb_pool *swiotlb_reserve_for(struct device *dev,
					enum dma_data_direction dir)
{
	struct swiotlb_reserve *reserve = READ_ONCE(dev->dma_io_tlb_reserve);

	if (!reserve || dir == DMA_NONE)
		return NULL;
	return &reserve->halves[dir == DMA_FROM_DEVICE];
}

/**
 * swiotlb_find_reserve() - look a half up by an address
 * @dev:	The device.
 * @paddr:	Any physical address.
 *
 * Context: Any.
 * Return: The half of the reserve of @dev with this address, or NULL.
 */
struct io_tlb_pool *swiotlb_find_reserve(struct device *dev, phys_addr_t paddr)
{
	struct swiotlb_reserve *reserve = READ_ONCE(dev->dma_io_tlb_reserve);
	phys_addr_t offset;

	if (!reserve)
		return NULL;
	offset = paddr - reserve->halves[0].start;
	if (offset >= 2 * half_size(&reserve->halves[0]))
		return NULL;
	return &reserve->halves[offset >= half_size(&reserve->halves[0])];
}

/**
 * swiotlb_max_request() - how much can a device map at once, whatever others do?
 * @dev:	The device.
 * @pieces:	Set to how many mappings it may be split into, besides a header,
 *		a status, and a table of the pieces.
 *
 * No piece may be larger than dma_max_mapping_size(). Two requests at a time may
 * have to wait for each other, but none of them waits for another device.
 *
 * Context: Any.
 * Return: Bytes, at least a page; SIZE_MAX if @dev is attached to no restricted
 * pool. If it has no reserve, a page, but nobody keeps that for it.
 */
size_t swiotlb_max_request(struct device *dev, unsigned int *pieces)
{
	struct swiotlb_reserve *reserve = READ_ONCE(dev->dma_io_tlb_reserve);
	/* Chunks of 4 KiB may split large pages */
	size_t page = PAGE_SIZE > SZ_4K ? 2 * PAGE_SIZE : PAGE_SIZE;
	size_t size;

	*pieces = UINT_MAX;
	if (!is_swiotlb_for_alloc(dev))
		return SIZE_MAX;
	size = reserve ? half_size(&reserve->halves[0]) / 2 : PAGE_SIZE;
	*pieces = max(size / page, 2UL) - 1;
	return size;
}
EXPORT_SYMBOL_GPL(swiotlb_max_request);
