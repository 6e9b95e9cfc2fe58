// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of restricted DMA pools: which ranges can be a pool, how a pool
 * is found, which one a device gets, and that all DMA of the device stays there.
 *
 * Pools stay until the system goes down, so each test leaves some memory
 * behind.
 */

#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/device.h>
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/pci.h>
#include <linux/property.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "restricted.h"

#define POOL_SIZE	SZ_1M
#define THREADS		4
#define ROUNDS		2000

/*
 * A pool, the memory around it, and a device that is not attached to it.
 * While a test runs, the system has no default pool.
 */
struct fixture {
	struct restricted_dma_pool *pool;
	phys_addr_t base;
	struct device *dev;
	struct restricted_dma_pool *default_pool;
};

static struct device *new_device(struct kunit *test, const char *name)
{
	struct device *dev = kunit_device_register(test, name);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	KUNIT_ASSERT_EQ(test, 0,
			dma_coerce_mask_and_coherent(dev, DMA_BIT_MASK(64)));
	return dev;
}

/* Memory for a pool, with as much before and after it; never freed. */
static phys_addr_t new_range(struct kunit *test)
{
	void *vaddr = alloc_pages_exact(3 * POOL_SIZE, GFP_KERNEL | __GFP_ZERO);

	KUNIT_ASSERT_NOT_NULL(test, vaddr);
	return virt_to_phys(vaddr) + POOL_SIZE;
}

static struct restricted_dma_pool *
create(phys_addr_t base, phys_addr_t size, struct fwnode_handle *fwnode)
{
	struct restricted_dma_desc desc = {
		.name = "kunit",
		.base = base,
		.size = size,
		.nid = NUMA_NO_NODE,
		.fwnode = fwnode,
	};

	return restricted_dma_pool_create(&desc);
}

static struct restricted_dma_pool *new_pool(struct kunit *test,
					    phys_addr_t base, size_t size)
{
	struct restricted_dma_pool *pool = create(base, size, NULL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pool);
	return pool;
}

/* A pool that the firmware describes wrongly */
static struct restricted_dma_pool *refused_pool(phys_addr_t base)
{
	struct restricted_dma_desc desc = {
		.name = "kunit-refused",
		.base = base,
		.size = POOL_SIZE,
	};

	return restricted_dma_pool_refuse(&desc);
}

static int restricted_test_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	f->default_pool = restricted_dma_default;
	restricted_dma_default = NULL;
	test->priv = f;
	f->base = new_range(test);
	f->pool = new_pool(test, f->base, POOL_SIZE);
	f->dev = new_device(test, "restricted-kunit");
	return 0;
}

static void restricted_test_exit(struct kunit *test)
{
	struct fixture *f = test->priv;

	if (f)
		restricted_dma_default = f->default_pool;
}

static bool inside(phys_addr_t base, dma_addr_t addr, size_t size)
{
	return addr >= base && size <= POOL_SIZE &&
	       addr - base <= POOL_SIZE - size;
}

static void expect_mapped_in(struct kunit *test, struct device *dev,
			     phys_addr_t base)
{
	void *buf = kunit_kzalloc(test, SZ_4K, GFP_KERNEL);
	dma_addr_t addr;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	addr = dma_map_single(dev, buf, SZ_4K, DMA_TO_DEVICE);
	KUNIT_ASSERT_EQ(test, 0, dma_mapping_error(dev, addr));
	KUNIT_EXPECT_TRUE(test, inside(base, addr, SZ_4K));
	dma_unmap_single(dev, addr, SZ_4K, DMA_TO_DEVICE);
}

static void create_refuses_no_range(struct kunit *test)
{
	phys_addr_t last = PAGE_ALIGN_DOWN(PHYS_ADDR_MAX);

	KUNIT_EXPECT_PTR_EQ(test, create(SZ_1M, 0, NULL), ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, create(last, SZ_1M, NULL), ERR_PTR(-EINVAL));
}

static void create_refuses_overlap(struct kunit *test)
{
	struct fixture *f = test->priv;
	static const struct {
		s64 offset;
		u64 size;
	} ranges[] = {
		{ 0, POOL_SIZE },
		{ PAGE_SIZE, PAGE_SIZE },
		{ POOL_SIZE - PAGE_SIZE, 2 * PAGE_SIZE },
		{ -(s64)PAGE_SIZE, 2 * PAGE_SIZE },
		{ -(s64)PAGE_SIZE, POOL_SIZE + 2 * PAGE_SIZE },
	};

	for (int i = 0; i < ARRAY_SIZE(ranges); i++) {
		KUNIT_EXPECT_PTR_EQ_MSG(test,
					create(f->base + ranges[i].offset,
					       ranges[i].size, NULL),
					ERR_PTR(-EEXIST), "range %d", i);
	}
}

static void create_allows_neighbours(struct kunit *test)
{
	struct fixture *f = test->priv;

	new_pool(test, f->base - POOL_SIZE, POOL_SIZE);
	new_pool(test, f->base + POOL_SIZE, POOL_SIZE);
}

/* After a crash, devices may still write to the part of the first kernel. */
static void crash_kernel_has_its_own_part(struct kunit *test)
{
	static const struct {
		u64 size;
		u64 reserved;
	} pools[] = {
		{ SZ_4K, 0 },
		{ SZ_2M - SZ_4K, 0 },
		{ SZ_2M, SZ_256K },
		{ SZ_2M + SZ_4K, SZ_256K },
		{ SZ_64M - SZ_2M, SZ_8M - SZ_256K },
		{ SZ_64M, SZ_8M },
		{ SZ_1G, SZ_8M },
	};

	for (int i = 0; i < ARRAY_SIZE(pools); i++) {
		struct restricted_dma_desc desc = {
			.base = SZ_1G,
			.size = pools[i].size,
		};
		struct range first = restricted_dma_part(&desc, false);
		struct range crash = restricted_dma_part(&desc, true);

		KUNIT_EXPECT_EQ(test, first.start, SZ_1G);
		KUNIT_EXPECT_EQ(test, first.end + 1, crash.start);
		KUNIT_EXPECT_EQ(test, crash.end, SZ_1G + desc.size - 1);
		KUNIT_EXPECT_EQ(test, range_len(&crash), pools[i].reserved);
	}
}

static void find_wants_the_exact_range(struct kunit *test)
{
	struct fixture *f = test->priv;
	phys_addr_t end = f->base + POOL_SIZE;
	struct restricted_dma_pool *next = new_pool(test, end, POOL_SIZE);
	static const struct {
		s64 offset;
		u64 size;
	} others[] = {
		{ 0, POOL_SIZE / 2 },
		{ 0, 2 * POOL_SIZE },
		{ 0, 0 },
		{ PAGE_SIZE, POOL_SIZE },
		{ -(s64)PAGE_SIZE, POOL_SIZE },
	};

	KUNIT_EXPECT_PTR_EQ(test, f->pool,
			    restricted_dma_pool_find(f->base, POOL_SIZE));
	KUNIT_EXPECT_PTR_EQ(test, next,
			    restricted_dma_pool_find(end, POOL_SIZE));
	for (int i = 0; i < ARRAY_SIZE(others); i++) {
		KUNIT_EXPECT_NULL_MSG(test,
				      restricted_dma_pool_find(f->base + others[i].offset,
							       others[i].size),
				      "range %d", i);
	}
	KUNIT_EXPECT_NULL(test, restricted_dma_pool_find(0, 0));
	KUNIT_EXPECT_NULL(test, restricted_dma_pool_find(U64_MAX, U64_MAX));
}

static void find_by_node(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct fwnode_handle *node = fwnode_create_software_node(NULL, NULL);
	struct fwnode_handle *other = fwnode_create_software_node(NULL, NULL);
	struct restricted_dma_pool *pool;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, node);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);
	pool = create(f->base + POOL_SIZE, POOL_SIZE, node);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pool);

	KUNIT_EXPECT_PTR_EQ(test, restricted_dma_pool_find_fwnode(node), pool);
	KUNIT_EXPECT_NULL(test, restricted_dma_pool_find_fwnode(other));
	KUNIT_EXPECT_NULL(test, restricted_dma_pool_find_fwnode(NULL));
	fwnode_remove_software_node(other);
	fwnode_remove_software_node(node);
	/* KASAN would see if the pool did not keep it */
	KUNIT_EXPECT_FALSE(test, fwnode_property_present(pool->fwnode, "none"));
}

static void renewed_pool_has_the_new_node(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct fwnode_handle *node = fwnode_create_software_node(NULL, NULL);
	struct restricted_dma_desc desc = {
		.name = "kunit",
		.base = f->base,
		.size = POOL_SIZE,
		.fwnode = node,
	};

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, node);
	KUNIT_EXPECT_PTR_EQ(test, restricted_dma_pool_renew(&desc), f->pool);
	KUNIT_EXPECT_PTR_EQ(test, restricted_dma_pool_find_fwnode(node),
			    f->pool);
	desc.size /= 2;
	KUNIT_EXPECT_PTR_EQ(test, restricted_dma_pool_renew(&desc),
			    ERR_PTR(-EEXIST));
	desc.base += POOL_SIZE;
	KUNIT_EXPECT_NULL(test, restricted_dma_pool_renew(&desc));
	fwnode_remove_software_node(node);
}

static void refused_pool_is_known(struct kunit *test)
{
	struct fixture *f = test->priv;
	phys_addr_t base = f->base + POOL_SIZE;
	struct restricted_dma_pool *pool = refused_pool(base);

	KUNIT_EXPECT_PTR_EQ(test, pool,
			    restricted_dma_pool_find(base, POOL_SIZE));
	KUNIT_EXPECT_EQ(test, -ENXIO, restricted_dma_pool_attach(pool, f->dev));
	/* It has no other memory, whatever the caller makes of that */
	KUNIT_EXPECT_TRUE(test, dma_is_restricted(f->dev));
	/* It has no memory, so another pool may use the range and is found */
	pool = new_pool(test, base, POOL_SIZE);
	KUNIT_EXPECT_PTR_EQ(test, pool,
			    restricted_dma_pool_find(base, POOL_SIZE));
}

static void attach_redirects_all_dma(struct kunit *test)
{
	struct fixture *f = test->priv;
	dma_addr_t addr;
	void *vaddr;

	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, f->dev));
	expect_mapped_in(test, f->dev, f->base);

	vaddr = dma_alloc_coherent(f->dev, SZ_16K, &addr, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vaddr);
	KUNIT_EXPECT_TRUE(test, inside(f->base, addr, SZ_16K));
	dma_free_coherent(f->dev, SZ_16K, vaddr, addr);
}

/* What is not in the pool cannot be bounced either. */
static void peers_are_out_of_reach(struct kunit *test)
{
	struct fixture *f = test->priv;
	phys_addr_t peer = f->base + 2 * POOL_SIZE;
	dma_addr_t addr;

	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, f->dev));
	addr = dma_map_resource(f->dev, peer, SZ_4K, DMA_BIDIRECTIONAL, 0);
	KUNIT_EXPECT_NE(test, 0, dma_mapping_error(f->dev, addr));
	KUNIT_EXPECT_FALSE(test, dma_pci_p2pdma_supported(f->dev));

	restricted_dma_pool_detach(f->dev);
	addr = dma_map_resource(f->dev, peer, SZ_4K, DMA_BIDIRECTIONAL, 0);
	KUNIT_EXPECT_EQ(test, addr, peer);
	KUNIT_EXPECT_TRUE(test, dma_pci_p2pdma_supported(f->dev));
}

/* A "shared-dma-pool" is other memory, too. */
static void own_coherent_memory_is_not_used(struct kunit *test)
{
#ifdef CONFIG_DMA_DECLARE_COHERENT
	struct fixture *f = test->priv;
	dma_addr_t addr;
	void *vaddr;

	/* All zeros is memory of which nothing is free */
	f->dev->dma_mem = kunit_kzalloc(test, SZ_4K, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f->dev->dma_mem);
	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, f->dev));
	vaddr = dma_alloc_coherent(f->dev, SZ_4K, &addr, GFP_KERNEL);
	KUNIT_EXPECT_NOT_NULL(test, vaddr);
	if (vaddr) {
		KUNIT_EXPECT_TRUE(test, inside(f->base, addr, SZ_4K));
		dma_free_coherent(f->dev, SZ_4K, vaddr, addr);
	}
	f->dev->dma_mem = NULL;
#else
	kunit_skip(test, "no device has coherent memory of its own");
#endif
}

static void detach_gives_memory_back(struct kunit *test)
{
	struct fixture *f = test->priv;
	void *buf = kunit_kzalloc(test, SZ_4K, GFP_KERNEL);
	dma_addr_t addr;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, f->dev));
	restricted_dma_pool_detach(f->dev);

	addr = dma_map_single(f->dev, buf, SZ_4K, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, addr, virt_to_phys(buf));
	dma_unmap_single(f->dev, addr, SZ_4K, DMA_TO_DEVICE);
}

static void attach_again_moves(struct kunit *test)
{
	struct fixture *f = test->priv;
	phys_addr_t end = f->base + POOL_SIZE;
	struct restricted_dma_pool *next = new_pool(test, end, POOL_SIZE);

	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, f->dev));
	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, f->dev));
	expect_mapped_in(test, f->dev, f->base);
	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(next, f->dev));
	expect_mapped_in(test, f->dev, end);
}

/* Pretend that an IOMMU does or does not translate the addresses of @dev. */
static void set_translated(struct kunit *test, struct device *dev, bool on)
{
#ifdef CONFIG_IOMMU_DMA
	dev->dma_iommu = on;
#else
	kunit_skip(test, "no IOMMU translates in this kernel");
#endif
}

static void attach_refuses_translation(struct kunit *test)
{
	struct fixture *f = test->priv;
	int err;

	set_translated(test, f->dev, true);
	err = restricted_dma_pool_attach(f->pool, f->dev);
	set_translated(test, f->dev, false);
	KUNIT_EXPECT_EQ(test, err, -EOPNOTSUPP);
	KUNIT_EXPECT_FALSE(test, dma_is_restricted(f->dev));
}

static void default_pool_is_for_the_others(struct kunit *test)
{
	struct fixture *f = test->priv;
	phys_addr_t end = f->base + POOL_SIZE;
	struct restricted_dma_pool *named = new_pool(test, end, POOL_SIZE);
	struct device *other = new_device(test, "restricted-kunit-other");

	KUNIT_EXPECT_EQ(test, 0, restricted_dma_configure(f->dev));
	KUNIT_EXPECT_FALSE(test, dma_is_restricted(f->dev));

	restricted_dma_default = f->pool;
	KUNIT_EXPECT_EQ(test, 0, restricted_dma_configure(f->dev));
	expect_mapped_in(test, f->dev, f->base);

	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(named, other));
	KUNIT_EXPECT_EQ(test, 0, restricted_dma_configure(other));
	expect_mapped_in(test, other, end);
}

/* A cell of a multi-function device */
static void part_has_the_pool_of_the_whole(struct kunit *test)
{
	struct fixture *f = test->priv;
	phys_addr_t end = f->base + POOL_SIZE;
	struct device *part = new_device(test, "restricted-kunit-part");
	struct device *parent = part->parent;

	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, f->dev));
	restricted_dma_default = new_pool(test, end, POOL_SIZE);
	part->parent = f->dev;
	part->dma_mask = f->dev->dma_mask;
	KUNIT_EXPECT_EQ(test, 0, restricted_dma_configure(part));
	part->parent = parent;
	expect_mapped_in(test, part, f->base);
}

static void default_pool_is_not_for_translation(struct kunit *test)
{
	struct fixture *f = test->priv;

	restricted_dma_default = f->pool;
	set_translated(test, f->dev, true);
	KUNIT_EXPECT_EQ(test, 0, restricted_dma_configure(f->dev));
	set_translated(test, f->dev, false);
	KUNIT_EXPECT_FALSE(test, dma_is_restricted(f->dev));
}

/* Between two binds, the domain of the device becomes another. */
static void pool_follows_the_domain(struct kunit *test)
{
	struct fixture *f = test->priv;

	restricted_dma_default = f->pool;
	for (int round = 0; round < 2; round++) {
		set_translated(test, f->dev, true);
		KUNIT_EXPECT_EQ(test, 0, restricted_dma_configure(f->dev));
		KUNIT_EXPECT_FALSE(test, dma_is_restricted(f->dev));
		KUNIT_EXPECT_TRUE(test, list_empty(&f->pool->users));
		set_translated(test, f->dev, false);
		KUNIT_EXPECT_EQ(test, 0, restricted_dma_configure(f->dev));
		expect_mapped_in(test, f->dev, f->base);
	}
}

/* An IOMMU that does not translate confines the device to nothing. */
static void passthrough_needs_a_pool(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct device *other = new_device(test, "restricted-kunit-other");

	/* Only compared with NULL, never followed */
	f->dev->iommu_group = (struct iommu_group *)f;
	other->iommu_group = (struct iommu_group *)f;
	restricted_dma_default = f->pool;
	KUNIT_EXPECT_EQ(test, 0, restricted_dma_configure(f->dev));
	KUNIT_EXPECT_EQ(test, 0, restricted_dma_pool_attach(f->pool, other));
	f->dev->iommu_group = NULL;
	other->iommu_group = NULL;
	KUNIT_EXPECT_TRUE(test, dma_is_restricted(f->dev));
	KUNIT_EXPECT_TRUE(test, dma_is_restricted(other));
}

static void default_pool_is_set_once(struct kunit *test)
{
	struct fixture *f = test->priv;
	phys_addr_t end = f->base + POOL_SIZE;

	if (system_state > SYSTEM_SCHEDULING)
		kunit_skip(test, "the default pool can be set at boot only");
	restricted_dma_set_default(f->pool);
	KUNIT_EXPECT_PTR_EQ(test, restricted_dma_default, f->pool);
	restricted_dma_set_default(new_pool(test, end, POOL_SIZE));
	KUNIT_EXPECT_PTR_EQ(test, restricted_dma_default, f->pool);
}

static void unusable_default_pool_stops_dma(struct kunit *test)
{
	struct fixture *f = test->priv;
	void *buf = kunit_kzalloc(test, SZ_4K, GFP_KERNEL);
	dma_addr_t addr;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	restricted_dma_default = refused_pool(f->base + POOL_SIZE);
	KUNIT_EXPECT_EQ(test, 0, restricted_dma_configure(f->dev));
	KUNIT_EXPECT_NE(test, 0, dma_set_mask_and_coherent(f->dev,
							   DMA_BIT_MASK(64)));
	addr = dma_map_single(f->dev, buf, SZ_4K, DMA_TO_DEVICE);
	KUNIT_EXPECT_NE(test, 0, dma_mapping_error(f->dev, addr));
	KUNIT_EXPECT_NULL(test, dma_alloc_coherent(f->dev, SZ_4K, &addr,
						   GFP_KERNEL));
}

static void remove_node(void *node)
{
	fwnode_remove_software_node(node);
}

static struct fwnode_handle *new_node(struct kunit *test,
				      const struct property_entry *properties)
{
	struct fwnode_handle *node = fwnode_create_software_node(properties,
								 NULL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, node);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, remove_node, node));
	return node;
}

/*
 * Let the firmware describe @base as a pool. Return a node that refers to it, as
 * a _DSD does.
 */
static struct fwnode_handle *describe(struct kunit *test, phys_addr_t base)
{
	struct fwnode_handle *node = new_node(test, NULL);
	const struct property_entry properties[] = {
		PROPERTY_ENTRY_REF("memory-region", to_software_node(node)),
		{}
	};

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, create(base, POOL_SIZE, node));
	return new_node(test, properties);
}

static void firmware_names_the_pool(struct kunit *test)
{
	struct fixture *f = test->priv;
	phys_addr_t end = f->base + POOL_SIZE;

	restricted_dma_default = f->pool;
	set_primary_fwnode(f->dev, describe(test, end));
	/* The driver may be the first to know about DMA */
	f->dev->dma_mask = NULL;
	KUNIT_EXPECT_EQ(test, 0, restricted_dma_configure(f->dev));
	set_primary_fwnode(f->dev, NULL);
	KUNIT_ASSERT_EQ(test, 0, dma_coerce_mask_and_coherent(f->dev,
							      DMA_BIT_MASK(64)));
	expect_mapped_in(test, f->dev, end);
}

#ifdef CONFIG_PCI
static void no_release(struct device *dev)
{
}

static void put_pci_device(void *data)
{
	struct pci_dev *pdev = data;

	put_device(&pdev->dev);
}

/* A PCI function that is on no list, below two buses */
static struct pci_dev *new_pci_device(struct kunit *test,
				      struct fwnode_handle *bridge_node)
{
	struct pci_host_bridge *bridge = kunit_kzalloc(test, sizeof(*bridge),
						       GFP_KERNEL);
	struct pci_bus *bus = kunit_kcalloc(test, 2, sizeof(*bus), GFP_KERNEL);
	struct pci_dev *pdev = kunit_kzalloc(test, sizeof(*pdev), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, bridge);
	KUNIT_ASSERT_NOT_NULL(test, bus);
	KUNIT_ASSERT_NOT_NULL(test, pdev);
	bridge->dev.fwnode = bridge_node;
	bus[0].bridge = &bridge->dev;
	bus[1].parent = &bus[0];
	pdev->bus = &bus[1];
	device_initialize(&pdev->dev);
	pdev->dev.bus = &pci_bus_type;
	pdev->dev.release = no_release;
	KUNIT_ASSERT_EQ(test, 0, dev_set_name(&pdev->dev, "restricted-pci"));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, put_pci_device,
							   pdev));
	KUNIT_ASSERT_EQ(test, 0, dma_coerce_mask_and_coherent(&pdev->dev,
							      DMA_BIT_MASK(64)));
	return pdev;
}
#endif

static void host_bridge_names_the_pool(struct kunit *test)
{
#ifdef CONFIG_PCI
	struct fixture *f = test->priv;
	phys_addr_t end = f->base + POOL_SIZE;
	struct pci_dev *pdev = new_pci_device(test, describe(test, end));

	restricted_dma_default = f->pool;
	KUNIT_EXPECT_EQ(test, 0, restricted_dma_configure(&pdev->dev));
	expect_mapped_in(test, &pdev->dev, end);
#else
	kunit_skip(test, "no PCI");
#endif
}

static bool can_do_dma(struct kunit *test, struct device *dev)
{
	void *buf = kunit_kzalloc(test, SZ_4K, GFP_KERNEL);
	dma_addr_t addr;
	void *vaddr;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	addr = dma_map_single(dev, buf, SZ_4K, DMA_TO_DEVICE);
	if (!dma_mapping_error(dev, addr)) {
		dma_unmap_single(dev, addr, SZ_4K, DMA_TO_DEVICE);
		return true;
	}
	vaddr = dma_alloc_coherent(dev, SZ_4K, &addr, GFP_KERNEL);
	if (!vaddr)
		return false;
	dma_free_coherent(dev, SZ_4K, vaddr, addr);
	return true;
}

/* Its pool is not there yet, and somebody ignores the error. */
static void forbidden_device_does_no_dma(struct kunit *test)
{
	struct fixture *f = test->priv;

	restricted_dma_forbid(f->dev);
	KUNIT_EXPECT_FALSE(test, can_do_dma(test, f->dev));
	KUNIT_EXPECT_EQ(test, -ENXIO, restricted_dma_configure(f->dev));
	/* The default pool is not the one that it needs */
	restricted_dma_default = f->pool;
	KUNIT_EXPECT_EQ(test, -ENXIO, restricted_dma_configure(f->dev));
	KUNIT_EXPECT_FALSE(test, can_do_dma(test, f->dev));

	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, f->dev));
	expect_mapped_in(test, f->dev, f->base);
	restricted_dma_forbid(f->dev);
	expect_mapped_in(test, f->dev, f->base);
}

static void forbidden_device_may_be_translated(struct kunit *test)
{
	struct fixture *f = test->priv;

	restricted_dma_forbid(f->dev);
	set_translated(test, f->dev, true);
	KUNIT_EXPECT_EQ(test, 0, restricted_dma_configure(f->dev));
	set_translated(test, f->dev, false);
	KUNIT_EXPECT_FALSE(test, dma_is_restricted(f->dev));
}

static void unbound_device_keeps_its_pool(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, f->dev));
	restricted_dma_cleanup(f->dev);
	expect_mapped_in(test, f->dev, f->base);
}

static void users_are_listed_while_bound(struct kunit *test)
{
	struct fixture *f = test->priv;
	phys_addr_t end = f->base + POOL_SIZE;
	struct restricted_dma_pool *next = new_pool(test, end, POOL_SIZE);

	KUNIT_EXPECT_TRUE(test, list_empty(&f->pool->users));
	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, f->dev));
	KUNIT_EXPECT_TRUE(test, list_is_singular(&f->pool->users));
	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, f->dev));
	KUNIT_EXPECT_TRUE(test, list_is_singular(&f->pool->users));
	KUNIT_EXPECT_TRUE(test, list_empty(&next->users));

	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(next, f->dev));
	KUNIT_EXPECT_TRUE(test, list_empty(&f->pool->users));
	KUNIT_EXPECT_TRUE(test, list_is_singular(&next->users));
	restricted_dma_cleanup(f->dev);
	KUNIT_EXPECT_TRUE(test, list_empty(&f->pool->users));
	KUNIT_EXPECT_TRUE(test, list_empty(&next->users));

	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(next, f->dev));
	restricted_dma_pool_detach(f->dev);
	KUNIT_EXPECT_TRUE(test, list_empty(&next->users));
}

static void attach_again_keeps_the_order(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct device *other = new_device(test, "restricted-kunit-other");
	struct list_head *first;

	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, f->dev));
	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, other));
	first = f->pool->users.next;
	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, f->dev));
	KUNIT_EXPECT_PTR_EQ(test, first, f->pool->users.next);
}

static void mask_has_to_reach_the_whole_pool(struct kunit *test)
{
	struct fixture *f = test->priv;
	u64 last = f->base + POOL_SIZE - 1;

	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, f->dev));
	KUNIT_EXPECT_EQ(test, 0, dma_set_mask(f->dev, last));
	KUNIT_EXPECT_EQ(test, -EIO, dma_set_mask(f->dev, last - 1));
	KUNIT_EXPECT_EQ(test, -EIO,
			dma_set_mask(f->dev, f->base + POOL_SIZE / 2));
	KUNIT_EXPECT_EQ(test, -EIO, dma_set_mask(f->dev, f->base - 1));
	KUNIT_EXPECT_EQ(test, 0, dma_set_coherent_mask(f->dev, last));
	KUNIT_EXPECT_EQ(test, -EIO, dma_set_coherent_mask(f->dev, last - 1));
	KUNIT_EXPECT_EQ(test, 0, dma_set_mask(f->dev, DMA_BIT_MASK(64)));
	KUNIT_EXPECT_EQ(test, dma_get_required_mask(f->dev),
			DMA_BIT_MASK(fls64(last)));
}

static void bus_has_to_reach_the_whole_pool(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct bus_dma_region half[] = {
		{ .cpu_start = f->base, .dma_start = f->base,
		  .size = POOL_SIZE / 2 },
		{}
	};

	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, f->dev));
	f->dev->dma_range_map = half;
	KUNIT_EXPECT_EQ(test, -EIO, dma_set_mask(f->dev, DMA_BIT_MASK(64)));
	half[0].size = POOL_SIZE;
	KUNIT_EXPECT_EQ(test, 0, dma_set_mask(f->dev, DMA_BIT_MASK(64)));
	f->dev->dma_range_map = NULL;
}

static void data_is_copied_both_ways(struct kunit *test)
{
	struct fixture *f = test->priv;
	u8 *buf = kunit_kzalloc(test, SZ_4K, GFP_KERNEL);
	dma_addr_t addr;
	u8 *seen;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, f->dev));
	memset(buf, 0x5a, SZ_4K);
	addr = dma_map_single(f->dev, buf, SZ_4K, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_EQ(test, 0, dma_mapping_error(f->dev, addr));

	seen = phys_to_virt(addr);
	KUNIT_EXPECT_MEMEQ(test, seen, buf, SZ_4K);
	memset(seen, 0xa5, SZ_4K);
	KUNIT_EXPECT_EQ(test, buf[0], 0x5a);
	dma_sync_single_for_cpu(f->dev, addr, SZ_4K, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_EQ(test, buf[SZ_4K - 1], 0xa5);

	buf[0] = 1;
	dma_sync_single_for_device(f->dev, addr, SZ_4K, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_EQ(test, seen[0], 1);
	seen[1] = 2;
	dma_unmap_single(f->dev, addr, SZ_4K, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_EQ(test, buf[1], 2);
}

/* What page_pool, AF_XDP and premapped virtqueues rely on. */
static void kept_mapping_is_synced_in_parts(struct kunit *test)
{
	struct fixture *f = test->priv;
	u8 *buf = kunit_kzalloc(test, SZ_4K, GFP_KERNEL);
	dma_addr_t addr;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, f->dev));
	KUNIT_ASSERT_EQ(test, 0, dma_set_mask(f->dev, DMA_BIT_MASK(64)));
	addr = dma_map_single_attrs(f->dev, buf, SZ_4K, DMA_FROM_DEVICE,
				    DMA_ATTR_SKIP_CPU_SYNC);
	KUNIT_ASSERT_EQ(test, 0, dma_mapping_error(f->dev, addr));
	KUNIT_EXPECT_TRUE(test, dma_need_sync(f->dev, addr));

	memset(phys_to_virt(addr), 0xa5, SZ_4K);
	dma_sync_single_range_for_cpu(f->dev, addr, SZ_1K, SZ_1K,
				      DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, buf[SZ_1K - 1], 0);
	KUNIT_EXPECT_EQ(test, buf[SZ_1K], 0xa5);
	KUNIT_EXPECT_EQ(test, buf[SZ_2K - 1], 0xa5);
	KUNIT_EXPECT_EQ(test, buf[SZ_2K], 0);
	dma_unmap_single_attrs(f->dev, addr, SZ_4K, DMA_FROM_DEVICE,
			       DMA_ATTR_SKIP_CPU_SYNC);
	KUNIT_EXPECT_EQ(test, buf[0], 0);
}

/*
 * Map @size bytes in one direction until nothing is left. Return how often they
 * fit.
 */
static int fill(struct fixture *f, void *buf, size_t size,
		enum dma_data_direction dir, dma_addr_t *addrs, int max)
{
	int count = 0;

	while (count < max) {
		addrs[count] = dma_map_single(f->dev, buf, size, dir);
		if (dma_mapping_error(f->dev, addrs[count]))
			break;
		count++;
	}
	return count;
}

static void full_pool_is_an_error(struct kunit *test)
{
	struct fixture *f = test->priv;
	int max = POOL_SIZE / SZ_4K + 1, first = 0;
	void *buf = kunit_kzalloc(test, SZ_4K, GFP_KERNEL);
	dma_addr_t *addrs = kunit_kcalloc(test, max, sizeof(*addrs),
					  GFP_KERNEL);
	dma_addr_t addr;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_ASSERT_NOT_NULL(test, addrs);
	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, f->dev));
	for (int round = 0; round < 2; round++) {
		int count = fill(f, buf, SZ_4K, DMA_TO_DEVICE, addrs, max);

		KUNIT_EXPECT_GT(test, count, max / 2);
		KUNIT_EXPECT_LT(test, count, max);
		KUNIT_EXPECT_NULL(test, dma_alloc_coherent(f->dev, SZ_4K, &addr,
							   GFP_KERNEL |
							   __GFP_NOWARN));
		for (int i = 0; i < count; i++) {
			KUNIT_EXPECT_TRUE(test,
					  inside(f->base, addrs[i], SZ_4K));
			dma_unmap_single(f->dev, addrs[i], SZ_4K,
					 DMA_TO_DEVICE);
		}
		/* What was given back can be used again, all of it */
		if (!round)
			first = count;
		KUNIT_EXPECT_EQ(test, count, first);
	}
}

/* Use each slot of a pool that ends within a segment, then all of them again. */
static void expect_end_is_kept(struct kunit *test, phys_addr_t base,
			       size_t size)
{
	struct fixture *f = test->priv;
	struct restricted_dma_pool *pool = new_pool(test, base, size);
	int slots = size / IO_TLB_SIZE;
	dma_addr_t *addrs = kunit_kcalloc(test, slots + 1, sizeof(*addrs),
					  GFP_KERNEL);
	void *buf = kunit_kzalloc(test, IO_TLB_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, addrs);
	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(pool, f->dev));
	for (int round = 0; round < 2; round++) {
		/* Each direction has slots of its own */
		int out = fill(f, buf, IO_TLB_SIZE, DMA_TO_DEVICE, addrs,
			       slots + 1);
		int count = out + fill(f, buf, IO_TLB_SIZE, DMA_FROM_DEVICE,
				       addrs + out, slots + 1 - out);

		KUNIT_EXPECT_EQ(test, count, slots);
		while (count--) {
			KUNIT_EXPECT_GE(test, addrs[count], base);
			KUNIT_EXPECT_LT(test, addrs[count], base + size);
			dma_unmap_single(f->dev, addrs[count], IO_TLB_SIZE,
					 count < out ? DMA_TO_DEVICE :
						       DMA_FROM_DEVICE);
		}
	}
}

static void odd_pools_keep_their_end(struct kunit *test)
{
	struct fixture *f = test->priv;
	phys_addr_t base = f->base + POOL_SIZE;
	static const size_t sizes[] = {
		PAGE_SIZE, 3 * PAGE_SIZE, SZ_64K, SZ_256K + 2 * PAGE_SIZE,
	};

	for (int i = 0; i < ARRAY_SIZE(sizes); i++) {
		expect_end_is_kept(test, base, sizes[i]);
		base += sizes[i];
	}
}

static void expect_honest_maximum(struct kunit *test, struct device *dev,
				  phys_addr_t base, size_t size)
{
	size_t max = dma_max_mapping_size(dev);
	dma_addr_t addr;
	void *buf;

	KUNIT_ASSERT_GE(test, max, IO_TLB_SIZE);
	KUNIT_ASSERT_LE(test, max, size);
	buf = kunit_kzalloc(test, 2 * max, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buf);

	addr = dma_map_single(dev, buf, max, DMA_TO_DEVICE);
	KUNIT_ASSERT_EQ(test, 0, dma_mapping_error(dev, addr));
	KUNIT_EXPECT_TRUE(test, inside(base, addr, max));
	dma_unmap_single(dev, addr, max, DMA_TO_DEVICE);
}

/*
 * Allocate coherent memory while mappings come and go, until there is no more.
 * Return the number of pages.
 */
static int scatter(struct fixture *f, void *buf, void **pages,
		   dma_addr_t *addrs, int max)
{
	int count = 0;

	while (count < max) {
		dma_addr_t addr = dma_map_single(f->dev, buf, SZ_16K,
						 DMA_TO_DEVICE);

		pages[count] = dma_alloc_coherent(f->dev, PAGE_SIZE,
						  &addrs[count], GFP_KERNEL);
		if (!dma_mapping_error(f->dev, addr))
			dma_unmap_single(f->dev, addr, SZ_16K, DMA_TO_DEVICE);
		if (!pages[count])
			break;
		count++;
	}
	return count;
}

static void largest_mapping_is_honest(struct kunit *test)
{
	struct fixture *f = test->priv;
	phys_addr_t end = f->base + POOL_SIZE;

	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, f->dev));
	expect_honest_maximum(test, f->dev, f->base, POOL_SIZE);

	for (size_t size = PAGE_SIZE; size < POOL_SIZE; size *= 4) {
		struct restricted_dma_pool *pool = new_pool(test, end, size);

		KUNIT_ASSERT_EQ(test, 0,
				restricted_dma_pool_attach(pool, f->dev));
		expect_honest_maximum(test, f->dev, end, size);
		end += size;
	}
}

/* Coherent memory stays, so mappings have to do with what it leaves. */
static void coherent_memory_leaves_room(struct kunit *test)
{
	struct fixture *f = test->priv;
	int max = POOL_SIZE / PAGE_SIZE, count;
	void *buf = kunit_kzalloc(test, SZ_16K, GFP_KERNEL);
	void **pages = kunit_kcalloc(test, max, sizeof(*pages), GFP_KERNEL);
	dma_addr_t *addrs = kunit_kcalloc(test, max, sizeof(*addrs),
					  GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_ASSERT_NOT_NULL(test, pages);
	KUNIT_ASSERT_NOT_NULL(test, addrs);
	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, f->dev));
	count = scatter(f, buf, pages, addrs, max);
	KUNIT_EXPECT_GT(test, count, max / 2);
	KUNIT_EXPECT_LT(test, count, max);
	expect_honest_maximum(test, f->dev, f->base, POOL_SIZE);
	while (count--)
		dma_free_coherent(f->dev, PAGE_SIZE, pages[count],
				  addrs[count]);
}

struct worker {
	struct task_struct *task;
	struct completion done;
	struct device *dev;
	phys_addr_t base;
	u8 id;
	int faults;
};

/* Map buffers of many sizes; nobody else may write where they are mapped. */
static int map_and_look(void *data)
{
	struct worker *w = data;
	u8 *buf = kmalloc(SZ_64K, GFP_KERNEL);

	if (!buf) {
		w->faults++;
		goto out;
	}
	for (int i = 0; i < ROUNDS; i++) {
		size_t size = 1 + (i * 7919 + w->id * 104729) % SZ_64K;
		dma_addr_t addr;

		memset(buf, w->id, size);
		addr = dma_map_single(w->dev, buf, size, DMA_BIDIRECTIONAL);
		if (dma_mapping_error(w->dev, addr) ||
		    !inside(w->base, addr, size)) {
			w->faults++;
			break;
		}
		cond_resched();
		if (memchr_inv(phys_to_virt(addr), w->id, size))
			w->faults++;
		dma_unmap_single(w->dev, addr, size, DMA_BIDIRECTIONAL);
		if (memchr_inv(buf, w->id, size))
			w->faults++;
	}
	kfree(buf);
out:
	complete(&w->done);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

/* Two devices share a pool that is busy on several CPUs. */
static void neighbours_leave_each_other_alone(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct device *other = new_device(test, "restricted-kunit-other");
	struct worker *w = kunit_kcalloc(test, THREADS, sizeof(*w), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, w);
	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, f->dev));
	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, other));
	for (int i = 0; i < THREADS; i++) {
		w[i].dev = i % 2 ? other : f->dev;
		w[i].base = f->base;
		w[i].id = 1 + i;
		init_completion(&w[i].done);
		w[i].task = kthread_run(map_and_look, &w[i], "restricted/%d", i);
	}
	for (int i = 0; i < THREADS; i++) {
		if (IS_ERR(w[i].task)) {
			KUNIT_FAIL(test, "no thread %d", i);
			continue;
		}
		/* A thread that is stopped before it starts has no faults */
		wait_for_completion(&w[i].done);
		KUNIT_EXPECT_EQ(test, kthread_stop(w[i].task), 0);
		KUNIT_EXPECT_EQ(test, w[i].faults, 0);
	}
}

static struct kunit_case restricted_test_cases[] = {
	KUNIT_CASE(create_refuses_no_range),
	KUNIT_CASE(create_refuses_overlap),
	KUNIT_CASE(create_allows_neighbours),
	KUNIT_CASE(crash_kernel_has_its_own_part),
	KUNIT_CASE(find_wants_the_exact_range),
	KUNIT_CASE(find_by_node),
	KUNIT_CASE(renewed_pool_has_the_new_node),
	KUNIT_CASE(refused_pool_is_known),
	KUNIT_CASE(attach_redirects_all_dma),
	KUNIT_CASE(attach_again_moves),
	KUNIT_CASE(attach_refuses_translation),
	KUNIT_CASE(default_pool_is_for_the_others),
	KUNIT_CASE(part_has_the_pool_of_the_whole),
	KUNIT_CASE(default_pool_is_not_for_translation),
	KUNIT_CASE(pool_follows_the_domain),
	KUNIT_CASE(passthrough_needs_a_pool),
	KUNIT_CASE(default_pool_is_set_once),
	KUNIT_CASE(unusable_default_pool_stops_dma),
	KUNIT_CASE(firmware_names_the_pool),
	KUNIT_CASE(host_bridge_names_the_pool),
	KUNIT_CASE(forbidden_device_does_no_dma),
	KUNIT_CASE(forbidden_device_may_be_translated),
	KUNIT_CASE(unbound_device_keeps_its_pool),
	KUNIT_CASE(users_are_listed_while_bound),
	KUNIT_CASE(attach_again_keeps_the_order),
	KUNIT_CASE(mask_has_to_reach_the_whole_pool),
	KUNIT_CASE(bus_has_to_reach_the_whole_pool),
	KUNIT_CASE(peers_are_out_of_reach),
	KUNIT_CASE(own_coherent_memory_is_not_used),
	KUNIT_CASE(detach_gives_memory_back),
	KUNIT_CASE(data_is_copied_both_ways),
	KUNIT_CASE(kept_mapping_is_synced_in_parts),
	KUNIT_CASE(full_pool_is_an_error),
	KUNIT_CASE(odd_pools_keep_their_end),
	KUNIT_CASE(largest_mapping_is_honest),
	KUNIT_CASE(coherent_memory_leaves_room),
	KUNIT_CASE(neighbours_leave_each_other_alone),
	{}
};

static struct kunit_suite restricted_test_suite = {
	.name = "restricted_dma",
	.init = restricted_test_init,
	.exit = restricted_test_exit,
	.test_cases = restricted_test_cases,
};

kunit_test_suite(restricted_test_suite);

MODULE_DESCRIPTION("KUnit tests of restricted DMA pools");
MODULE_LICENSE("GPL");
