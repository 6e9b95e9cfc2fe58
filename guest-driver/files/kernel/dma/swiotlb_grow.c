// SPDX-License-Identifier: GPL-2.0
/*
 * Bounce buffer pools that grow.
 *
 * A pool is address space first. Its memory is prepared block by block, from the
 * beginning to the end: shared with devices if memory is encrypted, and given a
 * description of its slots. The default pool is cleared, too; the devices of a
 * restricted pool may see all of it, so whoever makes one clears it before. Only
 * the first blocks are prepared when the pool is made. A worker prepares another
 * one whenever less than the watermark is free:
 *
 *   start                                                          end
 *   +----------------------+------------------+-----------------------+
 *   | in use, or was once  | at least the     | address space         |
 *   |                      | watermark        |                       |
 *   +----------------------+------------------+-----------------------+
 *                           never touched but    ^ the worker goes on
 *                           to clear it            here
 *
 * Mappings never wait for the worker, and use all that is prepared: if it does
 * not get to run, a pool is as large as it is at that time. One that finds no room
 * wakes the worker up too. What is prepared stays so.
 *
 * The watermark is 64 MiB: a worker that starts 16 ms late is in time for
 * 4 GiB/s. A smaller pool is prepared as a whole. On the kernel command line it is
 * swiotlb_grow.watermark=SIZE, in a running system the parameter of that name in
 * /sys/module/swiotlb_grow. If it is raised, the worker runs.
 *
 * Locking: growth_mutex is held while a block is prepared, so that each is once.
 * It also protects the list of growing pools. The map path takes no lock.
 *
 * Cost: the map path reads a flag that seldom changes. A block has 4 MiB and 107
 * KiB of description.
 */

#define pr_fmt(fmt) "software IO TLB: " fmt

#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/pfn.h>
#include <linux/sched/mm.h>
#include <linux/set_memory.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/swiotlb.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include "swiotlb_describe.h"
#include "swiotlb_grow.h"
#include "swiotlb_slots.h"

static DEFINE_MUTEX(growth_mutex);

static LIST_HEAD(growing);

static unsigned long watermark = SZ_64M;

/**
 * swiotlb_prepared() - how much of a pool can be used?
 * @pool:	The pool.
 *
 * Context: Any.
 * Return: Bytes, from the beginning on.
 */
size_t swiotlb_prepared(const struct io_tlb_pool *pool)
{
	return swiotlb_slots_described(pool->slots);
}

/**
 * swiotlb_all_prepared() - can all of a pool be used?
 * @pool:	The pool.
 *
 * Context: Any.
 * Return: true if nothing is left to prepare.
 */
bool swiotlb_all_prepared(const struct io_tlb_pool *pool)
{
	return swiotlb_prepared(pool) == pool->end - pool->start;
}

static int prepare_block_noio(struct swiotlb_growth *growth)
{
	struct io_tlb_pool *pool = growth->pool;
	size_t offset, size, bytes;
	void *memory;
	int err;

	lockdep_assert_held(&growth_mutex);
	bytes = swiotlb_slots_next_block(pool->slots, &offset, &size);
	if (!bytes)
		return 0;
	if (growth->failed)
		return -EIO;
	memory = swiotlb_alloc_description(bytes, GFP_KERNEL, growth->nid);
	if (!memory)
		return -ENOMEM;

	/* Devices must not read it before it is cleared */
	if (growth->clear)
		memset(pool->vaddr + offset, 0, size);
	err = set_memory_decrypted((unsigned long)pool->vaddr + offset,
				   PFN_UP(size));
	if (err) {
		/* Nobody knows what state it is in, so nobody touches it again */
		WRITE_ONCE(growth->failed, true);
		kvfree(memory);
		return err;
	}
	swiotlb_slots_describe(pool->slots, memory);
	return 0;
}

/*
 * Prepare the next block. Return 0, also if there is none, or an error. Whoever
 * waits for the mutex may be what I/O waits for, so this must not wait for I/O.
 */
static int prepare_block(struct swiotlb_growth *growth)
{
	unsigned int noio = memalloc_noio_save();
	int err = prepare_block_noio(growth);

	memalloc_noio_restore(noio);
	return err;
}

static void update_low(struct swiotlb_growth *growth)
{
	struct io_tlb_pool *pool = growth->pool;

	swiotlb_slots_set_low(pool->slots,
			      swiotlb_all_prepared(pool) ? growth->low : watermark);
}

/* Prepare more until enough is free, but at least one block. */
static void grow_work(struct work_struct *work)
{
	struct swiotlb_growth *growth =
		container_of(work, struct swiotlb_growth, work);
	struct io_tlb_pool *pool = growth->pool;
	int err;

	do {
		guard(mutex)(&growth_mutex);
		err = prepare_block(growth);
		update_low(growth);
	} while (!err && !swiotlb_all_prepared(pool) &&
		 swiotlb_slots_scarce(pool->slots));
	if (err)
		pr_warn_ratelimited("a pool stays at %zu of %zu MiB: cannot prepare more, error %d\n",
				    swiotlb_prepared(pool) >> 20,
				    (size_t)(pool->end - pool->start) >> 20,
				    err);
	/* The next request that finds no room tries again */
	if (err)
		swiotlb_slots_set_low(pool->slots, 0);
}

static void add_growing(struct swiotlb_growth *growth)
{
	INIT_WORK(&growth->work, grow_work);
	list_add(&growth->node, &growing);
	growth->pool->growth = growth;
	update_low(growth);
}

/**
 * swiotlb_growth_start() - prepare the beginning of a pool, and let it grow
 * @growth:	Stays as long as the pool. Its first members are set.
 *
 * Context: Process context, may sleep. Nobody uses the pool yet.
 * Return: 0, -ENOMEM, or the error of set_memory_decrypted(). Then the memory of
 * the pool may be in any state, and swiotlb_prepared() says how much of it is
 * shared.
 */
int swiotlb_growth_start(struct swiotlb_growth *growth)
{
	struct io_tlb_pool *pool = growth->pool;
	int err;

	guard(mutex)(&growth_mutex);
	while (swiotlb_prepared(pool) < watermark && !swiotlb_all_prepared(pool)) {
		err = prepare_block(growth);
		if (err)
			return err;
	}
	add_growing(growth);
	return 0;
}

/**
 * swiotlb_growth_start_early() - the same while the system boots
 * @growth:	See there. The memory is not shared with devices here, because
 *		that is possible only later, see swiotlb_update_mem_attributes().
 *
 * If memory is short, less is prepared.
 *
 * Context: Before the slab allocator is there.
 */
void __init swiotlb_growth_start_early(struct swiotlb_growth *growth)
{
	struct io_tlb_pool *pool = growth->pool;

	swiotlb_describe_early(pool, watermark);
	memset(pool->vaddr, 0, swiotlb_prepared(pool));
	add_growing(growth);
}

/**
 * swiotlb_growth_stop() - let a pool stay as it is
 * @pool:	The pool. It may be one that does not grow.
 *
 * Context: Process context, may sleep.
 */
void swiotlb_growth_stop(struct io_tlb_pool *pool)
{
	struct swiotlb_growth *growth = pool->growth;

	if (!growth)
		return;
	scoped_guard(mutex, &growth_mutex) {
		list_del(&growth->node);
		pool->growth = NULL;
	}
	cancel_work_sync(&growth->work);
}

/**
 * swiotlb_grow() - ask for more of a pool to be prepared
 * @pool:	The pool. It is scarce, or something found no room there.
 *
 * Context: Any.
 */
void swiotlb_grow(struct io_tlb_pool *pool)
{
	struct swiotlb_growth *growth = pool->growth;

	if (!growth || swiotlb_all_prepared(pool) || READ_ONCE(growth->failed))
		return;
	/* A parameter may be set before there are workqueues */
	if (unlikely(!system_unbound_wq))
		return;
	/*
	 * Many CPUs may come here before the worker does. If it has begun
	 * already, it has not missed what they have done before.
	 */
	smp_mb();
	if (!work_pending(&growth->work))
		queue_work(system_unbound_wq, &growth->work);
}

/**
 * swiotlb_grow_now() - prepare more of a pool at once
 * @pool:	The pool. Something found no room there.
 * @before:	What swiotlb_prepared() said before that.
 *
 * Context: Process context, may sleep.
 * Return: true if more is prepared than before, by this or by the worker.
 */
bool swiotlb_grow_now(struct io_tlb_pool *pool, size_t before)
{
	if (!pool->growth)
		return false;
	guard(mutex)(&growth_mutex);
	if (swiotlb_prepared(pool) == before) {
		prepare_block(pool->growth);
		update_low(pool->growth);
	}
	return swiotlb_prepared(pool) > before;
}

/**
 * swiotlb_set_watermark() - say how much of each pool is kept free and prepared
 * @size:	In bytes, SWIOTLB_BLOCK_SIZE at least.
 *
 * Context: Process context, may sleep.
 * Return: What it was before.
 */
unsigned long swiotlb_set_watermark(unsigned long size)
{
	struct swiotlb_growth *growth;
	unsigned long before;

	guard(mutex)(&growth_mutex);
	before = watermark;
	watermark = size;
	list_for_each_entry(growth, &growing, node) {
		update_low(growth);
		if (swiotlb_slots_scarce(growth->pool->slots))
			swiotlb_grow(growth->pool);
	}
	return before;
}

static int watermark_set(const char *val, const struct kernel_param *kp)
{
	unsigned long long size;
	char *end;

	size = memparse(val, &end);
	if ((*end && *end != '\n') || size < SWIOTLB_BLOCK_SIZE ||
	    size > ULONG_MAX) {
		pr_err("swiotlb_grow.watermark must be a size of 4M or more, such as 64M\n");
		return -EINVAL;
	}
	swiotlb_set_watermark(size);
	return 0;
}

static const struct kernel_param_ops watermark_ops = {
	.set = watermark_set,
	.get = param_get_ulong,
};
module_param_cb(watermark, &watermark_ops, &watermark, 0644);
