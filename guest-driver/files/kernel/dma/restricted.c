// SPDX-License-Identifier: GPL-2.0
/*
 * Restricted DMA pools.
 *
 * A restricted pool is a range of memory that the platform sets aside as the
 * only memory that some devices may access. A device that is attached to a pool
 * gets its coherent memory from the pool, and all its streaming DMA bounces
 * through the pool. Several devices may share one.
 *
 * This file knows which pools exist, which of them is the default, and which
 * devices use each of them. The others build on it:
 *
 *   restricted_of.c       takes pools from a device tree
 *   restricted_acpi.c     takes pools from ACPI
 *   restricted_device.c   decides which pool a device gets, and attaches it
 *
 * swiotlb.c hands out the memory: each pool has an allocator of its own.
 *
 * Lifetime: a pool stays until the system goes down, as does the memory that
 * the platform has set aside. So a pointer to a pool is always valid, and
 * nobody takes a reference. A pool holds one to its firmware node, for ever.
 *
 * Failure: a pool that is described but unusable is known all the same. Its
 * allocator is empty, so a device that depends on it can do no DMA at all. The
 * alternative would be to let the device loose on all memory.
 *
 * Crash: the kernel that writes the dump finds the same pools, and there devices
 * that nobody has reset. They may go on writing to where the crashed kernel has
 * told them to, so that memory cannot be used for other devices. If memory is
 * reserved for such a kernel, each pool has a part for it, too, at its end. That
 * does not apply to pools in a device tree: they are memory that such a kernel
 * does not have.
 *
 * Locking: restricted_dma_mutex protects the lists and the default pool. It is
 * taken when a driver is bound or unbound and by readers of debugfs, never while
 * a device does I/O.
 *
 * Cost: there are few pools, and they are looked up only when a device is set
 * up. A list is enough.
 */

#define pr_fmt(fmt) "restricted DMA: " fmt

#include <linux/acpi.h>
#include <linux/crash_dump.h>
#include <linux/crash_reserve.h>
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/of.h>
#include <linux/property.h>
#include <linux/range.h>
#include <linux/rculist.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/swiotlb.h>
#include "restricted.h"

/**
 * struct restricted_dma_user - a device that uses a pool
 * @node:	Member of the users of @pool.
 * @pool:	The pool.
 * @dev:	The device. It is bound to a driver, so it needs no reference.
 */
struct restricted_dma_user {
	struct list_head node;
	struct restricted_dma_pool *pool;
	struct device *dev;
};

static DEFINE_MUTEX(restricted_dma_mutex);

LIST_HEAD(restricted_dma_pools);

struct restricted_dma_pool *restricted_dma_default;

/* The firmware has been asked for its pools: no more are expected */
static bool restricted_dma_scanned;

/* For the few bytes of each pool, an error path would not be worth it */
#define RESTRICTED_DMA_GFP	(GFP_KERNEL | __GFP_NOFAIL)

/*
 * Let @fwnode exist for ever. Otherwise a new node at the same address would be
 * taken for it.
 */
static struct fwnode_handle *
restricted_dma_hold_node(struct fwnode_handle *fwnode)
{
#ifdef CONFIG_ACPI
	/* fwnode_handle_get() does nothing for these */
	acpi_dev_get(to_acpi_device_node(fwnode));
#endif
	return fwnode_handle_get(fwnode);
}

/* Make a pool known, with @mem as its allocator. */
static struct restricted_dma_pool *
restricted_dma_pool_add(const struct restricted_dma_desc *desc,
			struct io_tlb_mem *mem)
{
	struct restricted_dma_pool *pool;

	lockdep_assert_held(&restricted_dma_mutex);
	pool = kzalloc(sizeof(*pool), RESTRICTED_DMA_GFP);
	pool->name = kstrdup(desc->name, RESTRICTED_DMA_GFP);
	pool->base = desc->base;
	pool->size = desc->size;
	pool->fwnode = restricted_dma_hold_node(desc->fwnode);
	pool->mem = mem;
	INIT_LIST_HEAD(&pool->users);
	list_add_tail(&pool->node, &restricted_dma_pools);
	return pool;
}

/**
 * restricted_dma_part() - which part of a pool does a kernel use?
 * @desc:	What the firmware says about the pool.
 * @crashed:	Is it the kernel that boots after a crash?
 *
 * That kernel has an eighth, but not more than 8 MiB. If an eighth is less than
 * 256 KiB, it has nothing. This must never change: each of the two kernels relies
 * on what the other does.
 *
 * Context: Any.
 * Return: The physical addresses. Those of the two kernels do not overlap.
 */
struct range restricted_dma_part(const struct restricted_dma_desc *desc,
				 bool crashed)
{
	phys_addr_t reserved = min_t(phys_addr_t, SZ_8M,
				     ALIGN_DOWN(desc->size / 8, SZ_256K));
	phys_addr_t first = desc->base + desc->size - reserved;

	if (crashed)
		return (struct range) { first, first + reserved - 1 };
	return (struct range) { desc->base, first - 1 };
}

/* The part of a pool that this kernel uses, nearly always the whole pool */
static struct range restricted_dma_own_part(const struct restricted_dma_desc *desc)
{
	if (is_kdump_kernel())
		return restricted_dma_part(desc, true);
	if (IS_ENABLED(CONFIG_CRASH_RESERVE) && crashk_res.end &&
	    !is_of_node(desc->fwnode))
		return restricted_dma_part(desc, false);
	return (struct range) { desc->base, desc->base + desc->size - 1 };
}

/* Does the described range overlap a pool that has memory? */
static bool restricted_dma_overlaps(const struct restricted_dma_desc *desc)
{
	struct restricted_dma_pool *pool;

	lockdep_assert_held(&restricted_dma_mutex);
	list_for_each_entry(pool, &restricted_dma_pools, node) {
		if (restricted_dma_pool_usable(pool) &&
		    desc->base < pool->base + pool->size &&
		    pool->base < desc->base + desc->size)
			return true;
	}
	return false;
}

static int restricted_dma_devices_show(struct seq_file *m, void *unused)
{
	struct restricted_dma_pool *pool = m->private;
	struct restricted_dma_user *user;

	guard(mutex)(&restricted_dma_mutex);
	list_for_each_entry(user, &pool->users, node)
		seq_printf(m, "%s %s\n", dev_driver_string(user->dev),
			   dev_name(user->dev));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(restricted_dma_devices);

/**
 * restricted_dma_pool_create() - create a pool and make it known
 * @desc:	What the firmware says about the pool.
 *
 * The memory must start at a page, must have a struct page for every page, must
 * be in the linear mapping, and must be used by nobody else.
 * swiotlb_create_restricted() says what happens to it.
 *
 * Context: Process context, may sleep. Takes restricted_dma_mutex.
 * Return: The new pool, or an ERR_PTR(): -EINVAL if the range is smaller than a
 * slot or goes past the end of the address space, -EEXIST if it overlaps
 * another pool, -ENOMEM if there is not enough memory, or the error
 * of set_memory_decrypted().
 */
struct restricted_dma_pool *
restricted_dma_pool_create(const struct restricted_dma_desc *desc)
{
	struct restricted_dma_pool *pool;
	struct io_tlb_mem *mem;
	struct range part;

	if (!desc->size || desc->base + desc->size < desc->base)
		return ERR_PTR(-EINVAL);

	guard(mutex)(&restricted_dma_mutex);
	if (restricted_dma_overlaps(desc))
		return ERR_PTR(-EEXIST);
	part = restricted_dma_own_part(desc);
	mem = swiotlb_create_restricted(desc->name, part.start,
					range_len(&part), desc->nid);
	if (IS_ERR(mem))
		return ERR_CAST(mem);
	if (range_len(&part) != desc->size)
		pr_info("%s: this kernel uses %llu KiB, the rest is for the one %s the crash\n",
			desc->name, range_len(&part) / SZ_1K,
			is_kdump_kernel() ? "before" : "after");

	pool = restricted_dma_pool_add(desc, mem);
	debugfs_create_file("devices", 0400, mem->debugfs, pool,
			    &restricted_dma_devices_fops);
	return pool;
}

/**
 * restricted_dma_pool_refuse() - make an unusable pool known
 * @desc:	What the firmware says about the pool. Any range will do.
 *
 * Devices that name this pool will not be probed. If it is the default pool, no
 * device that would use it can do DMA. The caller logs the reason.
 *
 * Context: Process context, may sleep. Takes restricted_dma_mutex.
 * Return: The pool.
 */
struct restricted_dma_pool *
restricted_dma_pool_refuse(const struct restricted_dma_desc *desc)
{
	guard(mutex)(&restricted_dma_mutex);
	return restricted_dma_pool_add(desc, swiotlb_new_restricted(RESTRICTED_DMA_GFP));
}

/**
 * restricted_dma_no_pool() - the pool of devices that must not do DMA
 *
 * Context: Process context, may sleep. Takes restricted_dma_mutex.
 * Return: A pool without memory. It is always the same.
 */
struct restricted_dma_pool *restricted_dma_no_pool(void)
{
	static const struct restricted_dma_desc desc = { .name = "(none)" };
	static struct restricted_dma_pool *pool;

	guard(mutex)(&restricted_dma_mutex);
	if (!pool)
		pool = restricted_dma_pool_add(&desc, swiotlb_new_restricted(RESTRICTED_DMA_GFP));
	return pool;
}

/**
 * restricted_dma_pool_renew() - give a pool that exists a new firmware node
 * @desc:	What the firmware says about the pool.
 *
 * Pools outlive their firmware nodes. If a node is removed and another one
 * describes the same range later, the pool must not be created again.
 *
 * Context: Process context, may sleep. Takes restricted_dma_mutex.
 * Return: The pool with this range, NULL if the range is free, or
 * ERR_PTR(-EEXIST) if it overlaps a pool with another range.
 */
struct restricted_dma_pool *
restricted_dma_pool_renew(const struct restricted_dma_desc *desc)
{
	struct restricted_dma_pool *pool;

	guard(mutex)(&restricted_dma_mutex);
	list_for_each_entry(pool, &restricted_dma_pools, node) {
		if (restricted_dma_pool_usable(pool) &&
		    pool->base == desc->base && pool->size == desc->size) {
			pool->fwnode = restricted_dma_hold_node(desc->fwnode);
			return pool;
		}
	}
	return restricted_dma_overlaps(desc) ? ERR_PTR(-EEXIST) : NULL;
}

/**
 * restricted_dma_pool_find() - find a pool by its range
 * @base:	Physical address of the pool.
 * @size:	Size of the pool in bytes.
 *
 * Both have to match: a device that names a part of a pool, or more than the
 * pool, disagrees with the platform about what it may access. The values may
 * come from a device and need not be valid. A pool that was refused is found only
 * if no usable one has this range.
 *
 * Context: Process context, may sleep. Takes restricted_dma_mutex.
 * Return: The pool, NULL if no pool has this range, or ERR_PTR(-EPROBE_DEFER)
 * as long as the firmware may still describe one.
 */
struct restricted_dma_pool *restricted_dma_pool_find(u64 base, u64 size)
{
	struct restricted_dma_pool *pool, *refused = NULL;

	guard(mutex)(&restricted_dma_mutex);
	list_for_each_entry(pool, &restricted_dma_pools, node) {
		if (!size || pool->base != base || pool->size != size)
			continue;
		if (restricted_dma_pool_usable(pool))
			return pool;
		refused = pool;
	}
	if (refused)
		return refused;
	return restricted_dma_scanned ? NULL : ERR_PTR(-EPROBE_DEFER);
}
EXPORT_SYMBOL_GPL(restricted_dma_pool_find);

/**
 * restricted_dma_pool_find_fwnode() - find a pool by its firmware node
 * @fwnode:	The node, or NULL.
 *
 * Context: Process context, may sleep. Takes restricted_dma_mutex.
 * Return: The first pool that this node describes, or NULL.
 */
struct restricted_dma_pool *
restricted_dma_pool_find_fwnode(const struct fwnode_handle *fwnode)
{
	struct restricted_dma_pool *pool;

	guard(mutex)(&restricted_dma_mutex);
	list_for_each_entry(pool, &restricted_dma_pools, node) {
		if (fwnode && pool->fwnode == fwnode)
			return pool;
	}
	return NULL;
}

/**
 * restricted_dma_pool_find_dev() - find the pool that a device is attached to
 * @dev:	The device.
 *
 * Context: Process context, may sleep. Takes restricted_dma_mutex.
 * Return: The pool, or NULL.
 */
struct restricted_dma_pool *restricted_dma_pool_find_dev(struct device *dev)
{
	struct restricted_dma_pool *pool;

	guard(mutex)(&restricted_dma_mutex);
	list_for_each_entry(pool, &restricted_dma_pools, node) {
		if (pool->mem == dev->dma_io_tlb_mem)
			return pool;
	}
	return NULL;
}

/**
 * restricted_dma_set_default() - make a pool the default pool
 * @pool:	The pool. If it is unusable, no device that would use it can do
 *		DMA.
 *
 * All devices that no IOMMU translates and that name no other pool use it.
 * There can be only one, and it must exist before the drivers of these devices
 * do. Otherwise the pool still serves the devices that name it, and a message
 * says so.
 *
 * Context: Process context, may sleep. Takes restricted_dma_mutex.
 */
void restricted_dma_set_default(struct restricted_dma_pool *pool)
{
	guard(mutex)(&restricted_dma_mutex);
	if (restricted_dma_default == pool)
		return;
	if (restricted_dma_default) {
		pr_err("%s cannot be the default pool too: the firmware must put linux,dma-default in one pool only, and %s has it\n",
		       pool->name, restricted_dma_default->name);
		return;
	}
	if (system_state > SYSTEM_SCHEDULING) {
		pr_err("%s cannot become the default pool of a running system: the firmware must describe it at boot\n",
		       pool->name);
		return;
	}
	WRITE_ONCE(restricted_dma_default, pool);
	if (restricted_dma_pool_usable(pool))
		pr_info("%s is the default pool of all devices without IOMMU translation\n",
			pool->name);
	else
		pr_err("the default pool %s is unusable: no device without IOMMU translation can do DMA\n",
		       pool->name);
}

static struct restricted_dma_user *restricted_dma_find_user(struct device *dev)
{
	struct restricted_dma_pool *pool;
	struct restricted_dma_user *user;

	lockdep_assert_held(&restricted_dma_mutex);
	list_for_each_entry(pool, &restricted_dma_pools, node) {
		list_for_each_entry(user, &pool->users, node) {
			if (user->dev == dev)
				return user;
		}
	}
	return NULL;
}

/**
 * restricted_dma_pool_add_user() - list a device among the users of a pool
 * @pool:	The pool.
 * @dev:	The device. If another pool lists it, it moves. If this pool does,
 *		it stays in its place.
 *
 * The list is what the file "devices" in debugfs shows. A device that is bound
 * to no driver is not listed; this does nothing for it.
 *
 * Context: Process context, may sleep. Takes restricted_dma_mutex.
 * Return: 0 or -ENOMEM.
 */
int restricted_dma_pool_add_user(struct restricted_dma_pool *pool,
				 struct device *dev)
{
	struct restricted_dma_user *user;

	if (!dev->driver)
		return 0;

	guard(mutex)(&restricted_dma_mutex);
	user = restricted_dma_find_user(dev);
	if (!user) {
		user = kzalloc(sizeof(*user), GFP_KERNEL);
		if (!user)
			return -ENOMEM;
		user->dev = dev;
		INIT_LIST_HEAD(&user->node);
	}
	if (user->pool != pool) {
		user->pool = pool;
		list_move_tail(&user->node, &pool->users);
	}
	return 0;
}

/**
 * restricted_dma_remove_user() - take a device off the list of users
 * @dev:	The device. It may be on no list.
 *
 * Context: Process context, may sleep. Takes restricted_dma_mutex.
 */
void restricted_dma_remove_user(struct device *dev)
{
	struct restricted_dma_user *user;

	guard(mutex)(&restricted_dma_mutex);
	user = restricted_dma_find_user(dev);
	if (user) {
		list_del(&user->node);
		kfree(user);
	}
}

static int __init restricted_dma_scan_done(void)
{
	guard(mutex)(&restricted_dma_mutex);
	restricted_dma_scanned = true;
	return 0;
}

/* ACPI devices, and the pools among them, appear in a subsys_initcall. */
subsys_initcall_sync(restricted_dma_scan_done);
