/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What swiotlb.c needs of the kernel, for a program, beyond tests/unit/shim.h.
 *
 * Physical addresses are those of the program. Data is not copied, so that only
 * the search for slots is measured. There is one device, without a restricted
 * pool.
 */
#ifndef SLOTS_SHIM_H
#define SLOTS_SHIM_H

#include <ctype.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include "shim.h"

typedef u64 dma_addr_t;
typedef unsigned int gfp_t;
struct dentry;
struct page;
struct list_head {
	struct list_head *next, *prev;
};
struct work_struct {
	int unused;
};
enum dma_data_direction {
	DMA_BIDIRECTIONAL, DMA_TO_DEVICE, DMA_FROM_DEVICE, DMA_NONE,
};
struct io_tlb_mem;
struct device {
	struct io_tlb_mem *dma_io_tlb_mem;
	u64 *dma_mask;
	u64 bus_dma_limit;
};

#define CONFIG_SWIOTLB		1
#define __init
#define EXPORT_SYMBOL_GPL(name)
/* The program sets what the kernel's command line does */
#define early_param(name, function) int (*swiotlb_parameter)(char *) = function

#define PAGE_SHIFT		12
#define PAGE_MASK		(~(PAGE_SIZE - 1))
#define MAX_PAGE_ORDER		10
#define PFN_DOWN(addr)		((addr) >> PAGE_SHIFT)
#define DMA_MAPPING_ERROR	(~(dma_addr_t)0)
#define DMA_ATTR_SKIP_CPU_SYNC	(1UL << 5)
#define DMA_ATTR_NO_WARN	(1UL << 8)
#define DMA_ATTR_WRITTEN_ONLY	(1UL << 9)
#define IS_ENABLED(option)	0
#define GFP_KERNEL		1U
#define __GFP_ZERO		2U
#define __GFP_NOWARN		4U
#define __GFP_DMA		8U
#define __GFP_DMA32		16U
#define likely(x)		(x)
#define unlikely(x)		(x)
#define BUG_ON(x)		do { if (x) abort(); } while (0)

#define pr_info(...)		do { } while (0)
#define pr_warn(...)		fprintf(stderr, __VA_ARGS__)
#define pr_warn_once		pr_warn
#define dev_warn_ratelimited(dev, ...) do { } while (0)
#define dev_WARN_ONCE(dev, what, ...) ({				\
	bool warn = what;						\
									\
	if (warn)							\
		fprintf(stderr, __VA_ARGS__);				\
	warn;								\
})

#define is_power_of_2(n)	((n) && !((n) & ((n) - 1)))
#define ilog2(n)		(63 - __builtin_clzll(n))
#define order_base_2(n)		((n) > 1 ? ilog2((n) - 1) + 1 : 0)
#define roundup_pow_of_two(n)	(1UL << order_base_2(n))
#define roundup(n, to)		ALIGN(n, to)
#define clamp(n, low, high)	min(max(n, low), high)
#define min_not_zero(a, b)	(!(a) ? (b) : !(b) ? (a) : min(a, b))
#define array_size(a, b)	((a) * (b))
#define get_order(n)		order_base_2(PAGE_ALIGN(n) / PAGE_SIZE)
#define simple_strtoul		strtoul
#define num_possible_cpus()	16U

/* The thread says which CPU it is */
extern __thread int this_cpu;
#define raw_smp_processor_id()	this_cpu

/* Aligned to 256 KiB, so that each run has the same pool */
static inline void *memblock_alloc(size_t size, size_t align)
{
	size_t segment = 256 * 1024;
	void *memory = aligned_alloc(segment, ALIGN(size, segment));

	(void)align;
	return memory ? memset(memory, 0, size) : NULL;
}

#define memblock_alloc_low	memblock_alloc
#define memblock_alloc_try_nid_raw(size, align, from, to, nid) \
	memblock_alloc(size, align)
#define MEMBLOCK_LOW_LIMIT	0
#define MEMBLOCK_ALLOC_ACCESSIBLE 0
#define ARCH_LOW_ADDRESS_LIMIT	0
#define NUMA_NO_NODE		(-1)
#define SZ_4K			0x1000UL
#define memblock_free(memory, size)	free(memory)
#define memblock_free_late(addr, size)	do { } while (0)
#define __get_free_pages(gfp, order)	0UL
#define free_pages(addr, order)	do { } while (0)
#define kvzalloc(size, gfp)	memblock_alloc(size, PAGE_SIZE)
#define kvfree			free
#define set_memory_decrypted(addr, n)	0
#define set_memory_encrypted(addr, n)	0

#define phys_to_virt(addr)	((void *)(uintptr_t)(addr))
#define virt_to_phys(addr)	((phys_addr_t)(uintptr_t)(addr))
#define __pa			virt_to_phys
#define phys_to_dma(dev, addr)	(addr)
#define phys_to_dma_unencrypted(dev, addr) (addr)
#define pfn_to_page(pfn)	NULL
#define PageHighMem(page)	0
#define high_memory		NULL
#define memcpy_from_page(...)	do { } while (0)
#define memcpy_to_page(...)	do { } while (0)
#define kmsan_unpoison_memory(...) do { } while (0)
#define local_irq_save(flags)	((flags) = 0)
#define local_irq_restore(flags) ((void)(flags))
#define cc_platform_has(what)	0
#define trace_swiotlb_bounced(...) do { } while (0)
#define dma_reset_need_sync(dev) do { } while (0)
#define dma_capable(...)	1
#define dev_is_dma_coherent(dev) 1
#define arch_sync_dma_for_device(...) do { } while (0)
#define dma_get_min_align_mask(dev) ((void)(dev), 0U)
#define dma_get_seg_boundary(dev) ((void)(dev), UINT_MAX)
#define arch_sync_dma_for_cpu(...) do { } while (0)
#define postcore_initcall(function)
#define late_initcall(function)

static inline bool iommu_is_span_boundary(unsigned int index, unsigned int n,
					  unsigned long shift,
					  unsigned long boundary)
{
	shift = (shift + index) & (boundary - 1);
	return shift + n > boundary;
}

#define memcpy(to, from, size)	do { } while (0)

#endif /* SLOTS_SHIM_H */
