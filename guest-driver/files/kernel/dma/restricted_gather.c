// SPDX-License-Identifier: GPL-2.0
/*
 * Several buffers of a device with a restricted pool, mapped as one.
 *
 * Whatever the device accesses is copied. So buffers that are scattered in memory
 * may as well be side by side in the pool:
 *
 *   memory   | A |     | C |       | B |
 *
 *   pool         | A | B | C |
 *
 * The device gets one address, and the pool is searched once. There is nothing
 * between the buffers. The first one begins at a page, if all of them have one
 * together.
 *
 * A mapping of this kind has no buffer of its own. The caller keeps the list of
 * the pieces, in memory that the device does not see, and gives it back with the
 * address. The DMA API does not know the mapping: it cannot be synced, and
 * CONFIG_DMA_API_DEBUG does not follow it.
 *
 * Locking: none beside that of the pool.
 *
 * Cost: one search for slots, and copying the bytes. No memory is allocated.
 */

#include <linux/bug.h>
#include <linux/device.h>
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-restricted-gather.h>
#include <linux/export.h>
#include <linux/kmsan.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/swiotlb.h>
#include <trace/events/swiotlb.h>
#include "swiotlb_buffer.h"

static size_t total_size(const struct dma_restricted_piece *pieces,
			 unsigned int nr)
{
	size_t size = 0;

	while (nr--)
		size += pieces[nr].len;
	return size;
}

/* Copy the first @size bytes, to the pool or from it. */
static void copy_pieces(u8 *vaddr, const struct dma_restricted_piece *pieces,
			size_t size, enum dma_data_direction dir)
{
	for (; size; pieces++) {
		size_t len = min(size, pieces->len);

		swiotlb_copy(vaddr, pieces->addr, len, dir);
		vaddr += len;
		size -= len;
	}
}

/**
 * dma_restricted_gather() - map several buffers as one
 * @dev:	Device with a restricted pool.
 * @pieces:	The buffers, in the order in which the device sees them. Together
 *		they have at least a byte, and no more than
 *		dma_max_mapping_size().
 * @nr:		How many there are.
 * @dir:	DMA_TO_DEVICE, DMA_FROM_DEVICE or DMA_BIDIRECTIONAL.
 * @attrs:	DMA_ATTR_WRITTEN_ONLY: what is only written need not be cleared
 *		before, as no more than that is taken from it.
 *
 * Context: Any.
 * Return: Address for the device, or DMA_MAPPING_ERROR. The caller then maps each
 * buffer by itself: there may be room for the pieces, but not in a row.
 */
dma_addr_t dma_restricted_gather(struct device *dev,
				 const struct dma_restricted_piece *pieces,
				 unsigned int nr, enum dma_data_direction dir,
				 unsigned long attrs)
{
	size_t size = total_size(pieces, nr);
	phys_addr_t phys;
	dma_addr_t addr;
	u8 *vaddr;

	/* Where a piece begins decides what the next one is aligned to */
	if (dma_get_min_align_mask(dev))
		return DMA_MAPPING_ERROR;
	vaddr = swiotlb_take_buffer(dev, size, dir, &phys);
	if (!vaddr)
		return DMA_MAPPING_ERROR;
	addr = phys_to_dma_unencrypted(dev, phys);
	if (unlikely(!dma_capable(dev, addr, size, true))) {
		dma_restricted_scatter(dev, addr, pieces, nr, dir, 0);
		return DMA_MAPPING_ERROR;
	}
	trace_swiotlb_bounced(dev, phys_to_dma(dev, pieces->addr), size);
	for (unsigned int i = 0; i < nr; i++)
		kmsan_handle_dma(pfn_to_page(PHYS_PFN(pieces[i].addr)),
				 offset_in_page(pieces[i].addr), pieces[i].len,
				 dir);

	if (dir != DMA_FROM_DEVICE)
		copy_pieces(vaddr, pieces, size, DMA_TO_DEVICE);
	else if (!(attrs & DMA_ATTR_WRITTEN_ONLY))
		memset(vaddr, 0, size);
	if (!dev_is_dma_coherent(dev))
		arch_sync_dma_for_device(phys, size, dir);
	return addr;
}
EXPORT_SYMBOL_GPL(dma_restricted_gather);

/**
 * dma_restricted_scatter() - undo dma_restricted_gather()
 * @dev:	As in dma_restricted_gather().
 * @addr:	What that returned.
 * @pieces:	As in dma_restricted_gather().
 * @nr:		As in dma_restricted_gather().
 * @dir:	As in dma_restricted_gather().
 * @written:	How many bytes from the first one on the buffers get, if the device
 *		may have written any. More than there are means all.
 *
 * Context: Any.
 */
void dma_restricted_scatter(struct device *dev, dma_addr_t addr,
			    const struct dma_restricted_piece *pieces,
			    unsigned int nr, enum dma_data_direction dir,
			    size_t written)
{
	phys_addr_t phys = dma_to_phys(dev, addr);
	struct io_tlb_pool *pool = swiotlb_find_pool(dev, phys);

	if (dev_WARN_ONCE(dev, !pool, "%pad is in no pool\n", &addr))
		return;
	written = min(written, total_size(pieces, nr));
	if (dir != DMA_TO_DEVICE && written) {
		if (!dev_is_dma_coherent(dev)) {
			arch_sync_dma_for_cpu(phys, written, dir);
			arch_sync_dma_for_cpu_all();
		}
		copy_pieces(pool->vaddr + (phys - pool->start), pieces, written,
			    DMA_FROM_DEVICE);
	}
	swiotlb_give_buffer(dev, phys);
}
EXPORT_SYMBOL_GPL(dma_restricted_scatter);
