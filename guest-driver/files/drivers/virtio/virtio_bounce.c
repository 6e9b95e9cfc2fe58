// SPDX-License-Identifier: GPL-2.0
/*
 * Small buffers of devices that have a restricted DMA pool.
 *
 * All that such a device accesses is a bounce buffer of its pool. A read of
 * 4 KiB has four of them: the data, a header of 16 bytes, a status of one, and
 * the indirect table. Each costs a search for slots of the pool, and a slot of
 * 2 KiB.
 *
 * So each queue has some coherent memory of the pool: one entry for each chain
 * that can be in the queue, or for some of them. The small buffers of a chain
 * and its table are copied to its entry. What is too large for it, or finds it
 * full, is mapped, and so is all of a chain that has none. Queues hand out the
 * heads that were freed last, so most chains have one.
 *
 * An entry:
 *
 *   0                    used                                ENTRY_SIZE
 *   | out | in | out ... | free                        ... | table |
 *
 * Lifetime: the memory is allocated and freed with the ring.
 *
 * Trust: the device can change an entry at any time. Each byte of it is copied
 * once, to where the driver wanted it. Nothing else in it is ever looked at.
 *
 * Locking: that of the queue.
 *
 * Cost: copying the bytes. No memory is allocated.
 */

#include <linux/align.h>
#include <linux/dma-mapping.h>
#include <linux/dma-restricted.h>
#include <linux/export.h>
#include <linux/highmem.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "virtio_bounce.h"

/* The header and the answer of a SCSI request, 51 and 108 bytes, fit */
#define ENTRY_SIZE	256U
#define ENTRY_ALIGN	16U
#define MAX_IN		2U

/*
 * A queue takes no more of its pool than one of so many parts, in whole pages:
 * a console has 66 queues, most of which are never used.
 */
#define POOL_PARTS	1024
#define MAX_ENTRIES	64U

/**
 * struct virtio_bounce_in - a buffer that the device writes to
 * @buf:	The driver's buffer.
 * @offset:	Of its copy in the entry.
 * @len:	In bytes.
 */
struct virtio_bounce_in {
	void *buf;
	u16 offset;
	u16 len;
};

/**
 * struct virtio_bounce_entry - how the entry of a chain is used
 * @used:	Bytes taken by buffers.
 * @nr_in:	How many of @in are valid.
 * @in:		The buffers to copy back.
 */
struct virtio_bounce_entry {
	u16 used;
	u16 nr_in;
	struct virtio_bounce_in in[MAX_IN];
};

/**
 * struct virtio_bounce - the small buffers of a queue
 * @dev:	The device that does the DMA.
 * @num:	Number of entries. That of a chain is chosen by its head.
 * @vaddr:	The memory that the device accesses.
 * @addr:	Its address for the device.
 * @entries:	What nobody but the driver accesses.
 */
struct virtio_bounce {
	struct device *dev;
	unsigned int num;
	void *vaddr;
	dma_addr_t addr;
	struct virtio_bounce_entry entries[];
};

/**
 * virtio_bounce_create() - allocate the small buffers of a queue
 * @dev:	The device that does the DMA.
 * @num:	Number of descriptors of the queue.
 *
 * Context: Process context, may sleep.
 * Return: The buffers, or NULL if the device has no restricted pool, or too
 * little is free in it. All functions take NULL, and map nothing then.
 */
struct virtio_bounce *virtio_bounce_create(struct device *dev, unsigned int num)
{
	struct virtio_bounce *bounce;

	if (!dma_is_restricted(dev))
		return NULL;

	num = min_t(size_t, min(num, MAX_ENTRIES),
		    ALIGN_DOWN(dma_restricted_size(dev) / POOL_PARTS,
			       PAGE_SIZE) / ENTRY_SIZE);
	if (!num)
		return NULL;

	bounce = kzalloc(struct_size(bounce, entries, num), GFP_KERNEL);
	if (!bounce)
		return NULL;

	bounce->dev = dev;
	bounce->num = num;
	bounce->vaddr = dma_alloc_coherent(dev, num * ENTRY_SIZE, &bounce->addr,
					   GFP_KERNEL | __GFP_NOWARN);
	if (!bounce->vaddr) {
		kfree(bounce);
		return NULL;
	}
	return bounce;
}
EXPORT_SYMBOL_GPL(virtio_bounce_create);

/**
 * virtio_bounce_destroy() - free the small buffers of a queue
 * @bounce:	The buffers. The device does not use any.
 *
 * Context: Process context, may sleep.
 */
void virtio_bounce_destroy(struct virtio_bounce *bounce)
{
	if (!bounce)
		return;
	dma_free_coherent(bounce->dev, bounce->num * ENTRY_SIZE, bounce->vaddr,
			  bounce->addr);
	kfree(bounce);
}
EXPORT_SYMBOL_GPL(virtio_bounce_destroy);

/**
 * virtio_bounce_owns() - is this the address of a small buffer?
 * @bounce:	The buffers of the queue.
 * @addr:	What is in a descriptor, as the driver remembers it.
 *
 * Context: Any.
 * Return: true if it is, and there is nothing to unmap.
 */
bool virtio_bounce_owns(const struct virtio_bounce *bounce, dma_addr_t addr)
{
	return bounce && addr >= bounce->addr &&
	       addr - bounce->addr < bounce->num * ENTRY_SIZE;
}
EXPORT_SYMBOL_GPL(virtio_bounce_owns);

static void *virtio_bounce_at(const struct virtio_bounce *bounce,
			      unsigned int head, unsigned int offset,
			      dma_addr_t *addr)
{
	size_t at = (size_t)head * ENTRY_SIZE + offset;

	*addr = bounce->addr + at;
	return bounce->vaddr + at;
}

/**
 * virtio_bounce_map() - copy a buffer to the entry of its chain
 * @bounce:	The buffers of the queue.
 * @head:	Index of the chain's state, less than the size of the queue.
 * @sg:		The buffer.
 * @direction:	DMA_TO_DEVICE or DMA_FROM_DEVICE.
 * @addr:	Set to the address for the device.
 *
 * Context: Any. The caller has the lock of the queue.
 * Return: true, or false if the buffer is to be mapped instead.
 */
bool virtio_bounce_map(struct virtio_bounce *bounce, unsigned int head,
		       struct scatterlist *sg,
		       enum dma_data_direction direction, dma_addr_t *addr)
{
	struct virtio_bounce_entry *entry;
	unsigned int offset;
	void *copy;

	if (!bounce || head >= bounce->num || sg->length > VIRTIO_BOUNCE_MAX ||
	    PageHighMem(sg_page(sg)))
		return false;

	entry = &bounce->entries[head];
	offset = entry->used;
	if (sg->length > ENTRY_SIZE - offset ||
	    (direction == DMA_FROM_DEVICE && entry->nr_in == MAX_IN))
		return false;

	copy = virtio_bounce_at(bounce, head, offset, addr);
	if (direction == DMA_FROM_DEVICE) {
		entry->in[entry->nr_in++] = (struct virtio_bounce_in) {
			.buf = sg_virt(sg),
			.offset = offset,
			.len = sg->length,
		};
		memset(copy, 0, sg->length);
	} else {
		memcpy(copy, sg_virt(sg), sg->length);
	}
	entry->used = ALIGN(offset + sg->length, ENTRY_ALIGN);
	return true;
}
EXPORT_SYMBOL_GPL(virtio_bounce_map);

/**
 * virtio_bounce_map_table() - copy an indirect table to the entry of its chain
 * @bounce:	The buffers of the queue.
 * @head:	Index of the chain's state, less than the size of the queue.
 * @table:	The table. The driver keeps it, and trusts this one only.
 * @size:	In bytes.
 * @addr:	Set to the address for the device.
 *
 * Call this after the buffers of the chain were mapped.
 *
 * Context: Any. The caller has the lock of the queue.
 * Return: true, or false if the table is to be mapped instead.
 */
bool virtio_bounce_map_table(struct virtio_bounce *bounce, unsigned int head,
			     const void *table, size_t size, dma_addr_t *addr)
{
	if (!bounce || head >= bounce->num ||
	    size > ENTRY_SIZE - bounce->entries[head].used)
		return false;

	memcpy(virtio_bounce_at(bounce, head,
				ALIGN_DOWN(ENTRY_SIZE - size, ENTRY_ALIGN),
				addr),
	       table, size);
	return true;
}
EXPORT_SYMBOL_GPL(virtio_bounce_map_table);

/**
 * virtio_bounce_end() - give the entry of a chain back
 * @bounce:	The buffers of the queue.
 * @head:	Index of the chain's state, less than the size of the queue.
 * @used:	Whether the device has used the chain. If so, what it wrote is
 *		copied to the driver's buffers.
 *
 * Context: Any. The caller has the lock of the queue.
 */
void virtio_bounce_end(struct virtio_bounce *bounce, unsigned int head,
		       bool used)
{
	struct virtio_bounce_entry *entry;
	unsigned int i;
	dma_addr_t addr;

	if (!bounce || head >= bounce->num)
		return;

	entry = &bounce->entries[head];
	for (i = 0; used && i < entry->nr_in; i++)
		memcpy(entry->in[i].buf,
		       virtio_bounce_at(bounce, head, entry->in[i].offset,
					&addr),
		       entry->in[i].len);
	entry->used = 0;
	entry->nr_in = 0;
}
EXPORT_SYMBOL_GPL(virtio_bounce_end);

MODULE_DESCRIPTION("Small buffers of virtio devices with restricted DMA");
MODULE_LICENSE("GPL");
