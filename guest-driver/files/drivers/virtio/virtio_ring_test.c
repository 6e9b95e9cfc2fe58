// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of virtio rings in small restricted DMA pools, whose buffers cannot
 * be mapped because the pool is full.
 *
 * The test plays the device: it takes what the ring says is available, and gives
 * it back as used. A request that failed must leave nothing there.
 */

#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/dma-mapping.h>
#include <linux/dma-restricted.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/numa.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#define POOL_SIZE	SZ_256K
#define ENTRIES		8
/* What a device offers, and what is used of it in the smallest pools */
#define LARGE		1024
#define SMALLEST	32
/* More than the pool holds, but some of them fit */
#define BUFS		6
#define BUF_SIZE	SZ_64K

struct fixture {
	struct virtio_device vdev;
	struct virtqueue *vq;
	bool packed;
	u8 *buf;
	/* Where the device goes on, and its wrap counter of a packed ring */
	u16 next;
	bool wrap;
};

static struct restricted_dma_pool *new_pool(struct kunit *test)
{
	/* Never freed, as pools stay */
	void *vaddr = alloc_pages_exact(POOL_SIZE, GFP_KERNEL | __GFP_ZERO);
	struct restricted_dma_desc desc = {
		.name = "kunit-ring",
		.size = POOL_SIZE,
		.nid = NUMA_NO_NODE,
	};
	struct restricted_dma_pool *pool;

	KUNIT_ASSERT_NOT_NULL(test, vaddr);
	desc.base = virt_to_phys(vaddr);
	pool = restricted_dma_pool_create(&desc);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pool);
	return pool;
}

static int ring_test_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	struct device *dev = kunit_device_register(test, "ring-kunit");

	KUNIT_ASSERT_NOT_NULL(test, f);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	f->buf = kunit_kzalloc(test, BUF_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f->buf);
	KUNIT_ASSERT_EQ(test, 0,
			dma_coerce_mask_and_coherent(dev, DMA_BIT_MASK(64)));
	KUNIT_ASSERT_EQ(test, 0,
			restricted_dma_pool_attach(new_pool(test), dev));

	f->vdev.dev.parent = dev;
	INIT_LIST_HEAD(&f->vdev.vqs);
	spin_lock_init(&f->vdev.vqs_list_lock);
	test->priv = f;
	return 0;
}

static void ring_test_exit(struct kunit *test)
{
	struct fixture *f = test->priv;

	if (f && f->vq)
		vring_del_virtqueue(f->vq);
}

static bool notify_nobody(struct virtqueue *vq)
{
	return true;
}

static void choose_features(struct fixture *f, bool packed, bool indirect)
{
	__virtio_set_bit(&f->vdev, VIRTIO_F_VERSION_1);
	__virtio_set_bit(&f->vdev, VIRTIO_F_ACCESS_PLATFORM);
	if (packed)
		__virtio_set_bit(&f->vdev, VIRTIO_F_RING_PACKED);
	if (indirect)
		__virtio_set_bit(&f->vdev, VIRTIO_RING_F_INDIRECT_DESC);
	f->packed = packed;
	f->wrap = true;
}

static void make_ring(struct kunit *test, bool packed, bool indirect)
{
	struct fixture *f = test->priv;

	choose_features(f, packed, indirect);
	f->vq = vring_create_virtqueue(0, ENTRIES, PAGE_SIZE, &f->vdev, true,
				       false, false, notify_nobody, NULL,
				       "kunit");
	KUNIT_ASSERT_NOT_NULL(test, f->vq);
	__virtqueue_unbreak(f->vq);
}

static int take_split(struct fixture *f)
{
	struct vring_avail *avail =
		phys_to_virt(virtqueue_get_avail_addr(f->vq));
	struct vring_used *used = phys_to_virt(virtqueue_get_used_addr(f->vq));
	int count = 0;

	for (; f->next != le16_to_cpu(avail->idx); f->next++, count++) {
		u16 id = le16_to_cpu(avail->ring[f->next % ENTRIES]);

		used->ring[f->next % ENTRIES].id = cpu_to_le32(id);
		used->ring[f->next % ENTRIES].len = 0;
		used->idx = cpu_to_le16(f->next + 1);
	}
	return count;
}

static int take_packed(struct fixture *f)
{
	struct vring_packed_desc *desc =
		phys_to_virt(virtqueue_get_desc_addr(f->vq));
	const u16 both = BIT(VRING_PACKED_DESC_F_AVAIL) |
			 BIT(VRING_PACKED_DESC_F_USED);
	int count = 0;

	for (; count <= ENTRIES; count++) {
		u16 wanted = f->wrap ? BIT(VRING_PACKED_DESC_F_AVAIL) :
				       BIT(VRING_PACKED_DESC_F_USED);

		if ((le16_to_cpu(desc[f->next].flags) & both) != wanted)
			break;
		desc[f->next].len = 0;
		desc[f->next].flags = cpu_to_le16(f->wrap ? both : 0);
		if (++f->next == ENTRIES) {
			f->next = 0;
			f->wrap = !f->wrap;
		}
	}
	return count;
}

/* Use all that is available. Return the number of descriptors or chains. */
static int take(struct fixture *f)
{
	return f->packed ? take_packed(f) : take_split(f);
}

static int add(struct fixture *f, unsigned int bufs, size_t size)
{
	struct scatterlist sg[BUFS];

	sg_init_table(sg, bufs);
	for (int i = 0; i < bufs; i++)
		sg_set_buf(&sg[i], f->buf, size);
	return virtqueue_add_outbuf(f->vq, sg, bufs, f, GFP_KERNEL);
}

/* At each place of the ring, with either value of the wrap counter */
static void fail_everywhere(struct kunit *test)
{
	struct fixture *f = test->priv;
	unsigned int len;

	for (int i = 0; i < 2 * ENTRIES; i++) {
		KUNIT_EXPECT_EQ_MSG(test, add(f, BUFS, BUF_SIZE), -ENOMEM,
				    "place %d", i);
		KUNIT_EXPECT_EQ_MSG(test, take(f), 0, "place %d", i);
		KUNIT_ASSERT_EQ_MSG(test, add(f, 1, SZ_1K), 0, "place %d", i);
		KUNIT_ASSERT_EQ_MSG(test, take(f), 1, "place %d", i);
		KUNIT_ASSERT_PTR_EQ(test, virtqueue_get_buf(f->vq, &len), f);
		KUNIT_ASSERT_EQ(test, f->vq->num_free, ENTRIES);
	}
}

/* The transport lets the driver choose fewer entries than the device has. */
static void keep_small(struct kunit *test, bool packed)
{
	struct fixture *f = test->priv;

	choose_features(f, packed, true);
	f->vq = vring_create_virtqueue(0, LARGE, PAGE_SIZE, &f->vdev, true,
				       true, false, notify_nobody, NULL,
				       "kunit");
	KUNIT_ASSERT_NOT_NULL(test, f->vq);
	KUNIT_EXPECT_EQ(test, SMALLEST, virtqueue_get_vring_size(f->vq));
}

static void split_small_pool(struct kunit *test)
{
	keep_small(test, false);
}

static void packed_small_pool(struct kunit *test)
{
	keep_small(test, true);
}

static void split_direct(struct kunit *test)
{
	make_ring(test, false, false);
	fail_everywhere(test);
}

static void split_indirect(struct kunit *test)
{
	make_ring(test, false, true);
	fail_everywhere(test);
}

static void packed_direct(struct kunit *test)
{
	make_ring(test, true, false);
	fail_everywhere(test);
}

static void packed_indirect(struct kunit *test)
{
	make_ring(test, true, true);
	fail_everywhere(test);
}

static struct kunit_case ring_test_cases[] = {
	KUNIT_CASE(split_direct),
	KUNIT_CASE(split_indirect),
	KUNIT_CASE(packed_direct),
	KUNIT_CASE(packed_indirect),
	KUNIT_CASE(split_small_pool),
	KUNIT_CASE(packed_small_pool),
	{}
};

static struct kunit_suite ring_test_suite = {
	.name = "restricted_dma_ring",
	.init = ring_test_init,
	.exit = ring_test_exit,
	.test_cases = ring_test_cases,
};

kunit_test_suite(ring_test_suite);

MODULE_DESCRIPTION("KUnit tests of virtio rings in a restricted DMA pool");
MODULE_LICENSE("GPL");
