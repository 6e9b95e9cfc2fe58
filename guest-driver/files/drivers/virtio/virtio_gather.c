// SPDX-License-Identifier: GPL-2.0
/*
 * Lists of buffers of devices that have a restricted DMA pool.
 *
 * A read of 64 KiB for a process is a list of up to sixteen pages. The device
 * sees copies of them, and these may stand side by side:
 *
 *   the driver's lists       header | page | page | ... | page | status
 *   what goes to the ring    header |        one buffer        | status
 *
 * This takes one search of the pool instead of sixteen, and the device has one
 * descriptor to look at. A driver asks for it with virtqueue_set_gather(), as the
 * device may limit the length of a buffer.
 *
 * The longest list of a request is replaced, unless all its buffers are small:
 * virtio_bounce.c has room for these. It becomes a few runs, each of which
 * has as many of its buffers as may be in one, and the ring takes these for
 * buffers that were mapped before. If there is no room for a run, which needs free
 * memory in a row, nothing is replaced.
 *
 * Lifetime: from adding a request to taking it from the queue. The state of the
 * chain in the queue points here.
 *
 * Trust: nothing here is visible to the device.
 *
 * Locking: that of the queue.
 *
 * Cost: one allocation for each request of this kind. If it fails, nothing is
 * replaced.
 */

#include <linux/dma-mapping.h>
#include <linux/dma-restricted-gather.h>
#include <linux/export.h>
#include <linux/memremap.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include "virtio_bounce.h"
#include "virtio_gather.h"

#define MAX_RUNS	4

/**
 * struct virtio_gather - a list that was replaced
 * @dev:	The device that does the DMA.
 * @original:	The list.
 * @list:	Which one of the request.
 * @dir:	What the device does with it.
 * @written_only: As in the request.
 * @written:	How much the device has written of the runs that were unmapped.
 * @nr_runs:	How many of @runs there are.
 * @runs:	What replaces the list. Only addresses and lengths are set.
 * @nr_pieces:	How many of @pieces each run has.
 * @pieces:	The buffers.
 */
struct virtio_gather {
	struct device *dev;
	struct scatterlist *original;
	unsigned int list;
	enum dma_data_direction dir;
	bool written_only;
	size_t written;
	unsigned int nr_runs;
	struct scatterlist runs[MAX_RUNS];
	unsigned int nr_pieces[MAX_RUNS];
	struct dma_restricted_piece pieces[];
};

/* Which list has the most entries? There are @entries in all of them. */
static unsigned int longest_list(const struct virtio_gather_request *request,
				 unsigned int *length)
{
	unsigned int left = request->entries, list = 0;

	*length = 0;
	for (unsigned int i = 0; i < request->total && left > *length; i++) {
		unsigned int n = 0;

		for (struct scatterlist *sg = request->sgs[i]; sg;
		     sg = sg_next(sg))
			n++;
		if (n > *length) {
			*length = n;
			list = i;
		}
		left -= min(left, n);
	}
	return list;
}

/* Divide the list into runs, and return whether this is possible. */
static bool divide(struct virtio_gather *gather, u32 max_len)
{
	struct dma_restricted_piece *piece = gather->pieces;
	struct scatterlist *run = NULL;
	bool small = true;

	sg_init_table(gather->runs, MAX_RUNS);
	for (struct scatterlist *sg = gather->original; sg; sg = sg_next(sg)) {
		/* The memory of another device is not copied */
		if (sg->length > max_len || is_pci_p2pdma_page(sg_page(sg)))
			return false;
		small = small && sg->length <= VIRTIO_BOUNCE_MAX;
		if (!run || sg->length > max_len - run->length) {
			if (gather->nr_runs == MAX_RUNS)
				return false;
			run = &gather->runs[gather->nr_runs];
			gather->nr_pieces[gather->nr_runs++] = 0;
			run->length = 0;
		}
		run->length += sg->length;
		gather->nr_pieces[gather->nr_runs - 1]++;
		*piece++ = (struct dma_restricted_piece) {
			.addr = sg_phys(sg),
			.len = sg->length,
		};
	}
	sg_mark_end(run);
	return !small;
}

/* Undo the first @nr_runs, whose buffers get the first bytes. */
static void unmap_runs(struct virtio_gather *gather, unsigned int nr_runs,
		       size_t written)
{
	struct dma_restricted_piece *piece = gather->pieces;

	for (unsigned int i = 0; i < nr_runs; i++) {
		size_t len = gather->runs[i].length;

		dma_restricted_scatter(gather->dev,
				       sg_dma_address(&gather->runs[i]), piece,
				       gather->nr_pieces[i], gather->dir,
				       written);
		written -= min(written, len);
		piece += gather->nr_pieces[i];
	}
}

/* Map all runs or none, and return whether they are mapped. */
static bool map_runs(struct virtio_gather *gather)
{
	unsigned long attrs = gather->written_only ? DMA_ATTR_WRITTEN_ONLY : 0;
	struct dma_restricted_piece *piece = gather->pieces;
	dma_addr_t addr;

	for (unsigned int i = 0; i < gather->nr_runs; i++) {
		addr = dma_restricted_gather(gather->dev, piece,
					     gather->nr_pieces[i], gather->dir,
					     attrs);
		if (addr == DMA_MAPPING_ERROR) {
			unmap_runs(gather, i, 0);
			return false;
		}
		sg_dma_address(&gather->runs[i]) = addr;
		piece += gather->nr_pieces[i];
	}
	return true;
}

/**
 * virtio_gather_map() - replace the longest list of a request
 * @request:	The request. If a list is replaced, its lists and the number of
 *		entries change.
 * @gfp:	How to allocate memory.
 *
 * Context: As @gfp says. The caller has the lock of the queue.
 * Return: What to pass to virtio_gather_added() when the request is in the queue,
 * or NULL if nothing was replaced.
 */
struct virtio_gather *virtio_gather_map(struct virtio_gather_request *request,
					gfp_t gfp)
{
	struct virtio_gather *gather;
	unsigned int list, length;

	/* It is not worth the last memory there is */
	gfp &= ~__GFP_HIGH;
	gfp |= __GFP_NOMEMALLOC | __GFP_NORETRY | __GFP_NOWARN;

	list = longest_list(request, &length);
	if (length < 2)
		return NULL;
	gather = kmalloc(struct_size(gather, pieces, length), gfp);
	if (!gather)
		return NULL;

	gather->dev = request->dev;
	gather->original = request->sgs[list];
	gather->list = list;
	gather->dir = list < request->out ? DMA_TO_DEVICE : DMA_FROM_DEVICE;
	gather->written_only = request->written_only;
	gather->written = 0;
	gather->nr_runs = 0;
	if (!divide(gather, request->max_len) ||
	    request->entries - length + gather->nr_runs > request->room ||
	    !map_runs(gather)) {
		kfree(gather);
		return NULL;
	}
	request->sgs[list] = gather->runs;
	request->entries -= length - gather->nr_runs;
	return gather;
}
EXPORT_SYMBOL_GPL(virtio_gather_map);

/**
 * virtio_gather_added() - restore the lists of a request
 * @gather:	What virtio_gather_map() returned, or NULL.
 * @sgs:	The lists.
 * @added:	Whether the request is in the queue. If not, @gather ends here.
 *
 * Context: Any. The caller has the lock of the queue.
 */
void virtio_gather_added(struct virtio_gather *gather,
			 struct scatterlist *sgs[], bool added)
{
	if (!gather)
		return;
	sgs[gather->list] = gather->original;
	if (added)
		return;
	unmap_runs(gather, gather->nr_runs, 0);
	kfree(gather);
}
EXPORT_SYMBOL_GPL(virtio_gather_added);

/**
 * virtio_gather_addr() - is an entry of a list mapped already?
 * @gather:	What virtio_gather_map() returned, or NULL.
 * @sg:		The entry.
 * @addr:	Set to its address for the device.
 *
 * Context: Any.
 * Return: true if it is, and there is nothing to map.
 */
bool virtio_gather_addr(const struct virtio_gather *gather,
			const struct scatterlist *sg, dma_addr_t *addr)
{
	if (!gather || sg < gather->runs ||
	    sg >= gather->runs + gather->nr_runs)
		return false;
	*addr = sg_dma_address(sg);
	return true;
}
EXPORT_SYMBOL_GPL(virtio_gather_addr);

/**
 * virtio_gather_unmap() - note how much the device has written
 * @gather:	What the state of the chain has, or NULL.
 * @addr:	Address of a buffer, as the driver remembers it.
 * @written:	How many bytes of it the device has written.
 *
 * Context: Any. The caller has the lock of the queue.
 * Return: true if the buffer is one of @gather, and there is nothing to unmap.
 */
bool virtio_gather_unmap(struct virtio_gather *gather, dma_addr_t addr,
			 u32 written)
{
	if (!gather)
		return false;
	for (unsigned int i = 0; i < gather->nr_runs; i++) {
		if (sg_dma_address(&gather->runs[i]) == addr) {
			gather->written += written;
			return true;
		}
	}
	return false;
}
EXPORT_SYMBOL_GPL(virtio_gather_unmap);

/**
 * virtio_gather_end() - copy what the device has written, and unmap the runs
 * @gather:	What the state of the chain had, or NULL.
 *
 * Context: Any. The caller has the lock of the queue.
 */
void virtio_gather_end(struct virtio_gather *gather)
{
	if (!gather)
		return;
	unmap_runs(gather, gather->nr_runs,
		   gather->written_only ? gather->written : SIZE_MAX);
	kfree(gather);
}
EXPORT_SYMBOL_GPL(virtio_gather_end);

MODULE_DESCRIPTION("Lists of buffers of virtio devices with restricted DMA");
MODULE_LICENSE("GPL");
