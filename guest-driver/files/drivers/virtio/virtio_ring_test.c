// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of virtio rings in small restricted DMA pools: of requests that
 * cannot be mapped because the pool is full, and of lists of buffers that are
 * mapped as one.
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
/* Large enough for coherent memory of queues */
#define LARGE_POOL	SZ_4M
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

static struct restricted_dma_pool *new_pool(struct kunit *test, size_t size)
{
	/* Never freed, as pools stay */
	void *vaddr = alloc_pages_exact(size, GFP_KERNEL | __GFP_ZERO);
	struct restricted_dma_desc desc = {
		.name = "kunit-ring",
		.size = size,
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
			restricted_dma_pool_attach(new_pool(test, POOL_SIZE),
						   dev));

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

/* What the device sees of a request: buffers in their order */
struct view {
	unsigned int nr;
	struct {
		u8 *at;
		u32 len;
		bool write;
	} buf[BUFS];
};

static void see(struct view *view, u64 addr, u32 len, u16 flags)
{
	if (view->nr == BUFS)
		return;
	view->buf[view->nr].at = phys_to_virt(addr);
	view->buf[view->nr].len = len;
	view->buf[view->nr++].write = flags & VRING_DESC_F_WRITE;
}

static void look_split(struct fixture *f, struct view *view)
{
	struct vring_avail *avail =
		phys_to_virt(virtqueue_get_avail_addr(f->vq));
	struct vring_desc *desc = phys_to_virt(virtqueue_get_desc_addr(f->vq));
	u16 i = le16_to_cpu(avail->ring[f->next % ENTRIES]);

	if (le16_to_cpu(desc[i].flags) & VRING_DESC_F_INDIRECT) {
		desc = phys_to_virt(le64_to_cpu(desc[i].addr));
		i = 0;
	}
	for (;; i = le16_to_cpu(desc[i].next)) {
		see(view, le64_to_cpu(desc[i].addr), le32_to_cpu(desc[i].len),
		    le16_to_cpu(desc[i].flags));
		if (!(le16_to_cpu(desc[i].flags) & VRING_DESC_F_NEXT))
			return;
	}
}

static void look_packed(struct fixture *f, struct view *view)
{
	struct vring_packed_desc *desc =
		phys_to_virt(virtqueue_get_desc_addr(f->vq));
	u16 i = f->next, n = 0;

	if (le16_to_cpu(desc[i].flags) & VRING_DESC_F_INDIRECT) {
		n = le32_to_cpu(desc[i].len) / sizeof(*desc);
		desc = phys_to_virt(le64_to_cpu(desc[i].addr));
		i = 0;
	}
	for (;; i = (i + 1) % ENTRIES) {
		see(view, le64_to_cpu(desc[i].addr), le32_to_cpu(desc[i].len),
		    le16_to_cpu(desc[i].flags));
		if (n ? !--n :
		    !(le16_to_cpu(desc[i].flags) & VRING_DESC_F_NEXT))
			return;
	}
}

static struct view look(struct fixture *f)
{
	struct view view = {};

	if (f->packed)
		look_packed(f, &view);
	else
		look_split(f, &view);
	return view;
}

/* The device has used all of what is available, or one chain of a split ring. */
static void use(struct fixture *f, const struct view *view, u32 len)
{
	struct vring_packed_desc *desc =
		phys_to_virt(virtqueue_get_desc_addr(f->vq));
	struct vring_used *used = phys_to_virt(virtqueue_get_used_addr(f->vq));
	u16 first = f->next;

	take(f);
	if (f->packed)
		desc[first].len = cpu_to_le32(len);
	else
		used->ring[first % ENTRIES].len = cpu_to_le32(len);
}

#define PIECE		1000
#define STRIDE		SZ_2K
#define PIECES		4

static void list_of_pieces(struct fixture *f, struct scatterlist *sg)
{
	sg_init_table(sg, PIECES);
	for (int i = 0; i < PIECES; i++)
		sg_set_buf(&sg[i], f->buf + (PIECES - 1 - i) * STRIDE, PIECE);
}

static void expect_piece(struct kunit *test, int i, u8 value, size_t written)
{
	struct fixture *f = test->priv;
	u8 *piece = f->buf + (PIECES - 1 - i) * STRIDE;

	KUNIT_EXPECT_NULL(test, memchr_inv(piece, value, written));
	KUNIT_EXPECT_NULL(test, memchr_inv(piece + written, 9,
					   STRIDE - written));
}

/* A header, data that the device reads or writes, and a status */
static void gather_request(struct kunit *test, bool packed, bool indirect)
{
	struct fixture *f = test->priv;
	struct scatterlist header, data[PIECES], status;
	struct scatterlist *sgs[] = { &header, data, &status };
	u8 *head = f->buf + SZ_32K;
	struct view view;
	unsigned int len;

	make_ring(test, packed, indirect);
	KUNIT_ASSERT_TRUE(test, virtqueue_set_written_only(f->vq));
	virtqueue_set_gather(f->vq, U32_MAX);
	sg_init_one(&header, head, 16);
	sg_init_one(&status, head + 16, 1);
	for (int i = 0; i < 3 * ENTRIES; i++) {
		u32 written = i % 2 ? 2 * PIECE + 500 : PIECES * PIECE + 1;

		memset(f->buf, 9, SZ_32K);
		memset(head, 1, 16);
		list_of_pieces(f, data);
		KUNIT_ASSERT_EQ(test, 0,
				virtqueue_add_sgs(f->vq, sgs, 1, 2, f,
						  GFP_KERNEL));
		/* The lists are the driver's again */
		KUNIT_EXPECT_PTR_EQ(test, sgs[1], &data[0]);
		view = look(f);
		KUNIT_ASSERT_EQ(test, view.nr, 3);
		KUNIT_EXPECT_EQ(test, view.buf[1].len, PIECES * PIECE);
		KUNIT_EXPECT_TRUE(test, view.buf[1].write);
		for (int j = 0; j < PIECES; j++)
			memset(view.buf[1].at + j * PIECE, 20 + j, PIECE);
		*view.buf[2].at = 7;
		use(f, &view, written);
		KUNIT_ASSERT_PTR_EQ(test, virtqueue_get_buf(f->vq, &len), f);
		KUNIT_EXPECT_EQ(test, len, written);
		for (int j = 0; j < PIECES; j++)
			expect_piece(test, j, 20 + j,
				     clamp_t(int, written - j * PIECE, 0,
					     PIECE));
		KUNIT_EXPECT_EQ(test, head[16], 7);
		KUNIT_ASSERT_EQ(test, f->vq->num_free, ENTRIES);
	}
}

/* No more in a buffer than the device takes, and nothing stays mapped. */
static void gather_runs(struct kunit *test, bool packed, bool indirect)
{
	struct fixture *f = test->priv;
	struct scatterlist data[PIECES];
	struct view view;
	unsigned int len;

	make_ring(test, packed, indirect);
	virtqueue_set_gather(f->vq, 3 * PIECE);
	for (int i = 0; i < 3 * ENTRIES; i++) {
		for (int j = 0; j < PIECES; j++)
			memset(f->buf + (PIECES - 1 - j) * STRIDE, j, STRIDE);
		list_of_pieces(f, data);
		KUNIT_ASSERT_EQ(test, 0,
				virtqueue_add_outbuf(f->vq, data, PIECES, f,
						     GFP_KERNEL));
		view = look(f);
		KUNIT_ASSERT_EQ(test, view.nr, 2);
		KUNIT_EXPECT_EQ(test, view.buf[0].len, 3 * PIECE);
		KUNIT_EXPECT_EQ(test, view.buf[1].len, PIECE);
		for (int j = 0; j < PIECES; j++)
			KUNIT_EXPECT_NULL(test, memchr_inv(view.buf[j / 3].at +
							   j % 3 * PIECE,
							   j, PIECE));
		if (i % 2) {
			use(f, &view, 0);
			KUNIT_ASSERT_PTR_EQ(test,
					    virtqueue_get_buf(f->vq, &len), f);
		} else {
			/* The device is reset instead */
			KUNIT_ASSERT_PTR_EQ(test,
					    virtqueue_detach_unused_buf(f->vq),
					    f);
			vring_del_virtqueue(f->vq);
			f->next = 0;
			make_ring(test, packed, indirect);
			virtqueue_set_gather(f->vq, 3 * PIECE);
		}
		KUNIT_ASSERT_EQ(test, f->vq->num_free, ENTRIES);
	}
}

/* What the device has written goes to the first bytes of all runs together. */
static void gather_written(struct kunit *test)
{
	const u32 written = 3 * PIECE + 200;
	struct fixture *f = test->priv;
	struct scatterlist data[PIECES];
	struct view view;
	unsigned int len;

	make_ring(test, false, true);
	KUNIT_ASSERT_TRUE(test, virtqueue_set_written_only(f->vq));
	virtqueue_set_gather(f->vq, 2 * PIECE);
	memset(f->buf, 9, SZ_32K);
	list_of_pieces(f, data);
	KUNIT_ASSERT_EQ(test, 0, virtqueue_add_inbuf(f->vq, data, PIECES, f,
						     GFP_KERNEL));
	view = look(f);
	KUNIT_ASSERT_EQ(test, view.nr, 2);
	for (int i = 0; i < 2; i++)
		memset(view.buf[i].at, 20 + i, 2 * PIECE);
	use(f, &view, written);
	KUNIT_ASSERT_PTR_EQ(test, virtqueue_get_buf(f->vq, &len), f);
	for (int i = 0; i < PIECES; i++)
		expect_piece(test, i, 20 + i / 2,
			     min(written - i * PIECE, (u32)PIECE));
}

/* One list is mapped as one buffer, but there is no room for the other. */
static void gather_for_nothing(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct device *dev = f->vdev.dev.parent;
	struct scatterlist data[PIECES], huge;
	struct scatterlist *sgs[] = { data, &huge };
	unsigned long used;

	make_ring(test, false, true);
	virtqueue_set_gather(f->vq, U32_MAX);
	list_of_pieces(f, data);
	sg_init_one(&huge, f->buf, 2 * POOL_SIZE);
	used = swiotlb_restricted_used(dev->dma_io_tlb_mem);
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			virtqueue_add_sgs(f->vq, sgs, 2, 0, f, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, used,
			swiotlb_restricted_used(dev->dma_io_tlb_mem));
}

/* A buffer that is longer than the device takes is left to the driver. */
static void gather_too_long(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct scatterlist data[PIECES];

	make_ring(test, false, true);
	virtqueue_set_gather(f->vq, PIECE - 1);
	list_of_pieces(f, data);
	KUNIT_ASSERT_EQ(test, 0,
			virtqueue_add_outbuf(f->vq, data, PIECES, f,
					     GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, look(f).nr, PIECES);
	KUNIT_ASSERT_PTR_EQ(test, virtqueue_detach_unused_buf(f->vq), f);
}

/* What virtio_bounce.c takes is left to it. */
static void gather_small(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct scatterlist data[2];

	make_ring(test, false, true);
	virtqueue_set_gather(f->vq, U32_MAX);
	sg_init_table(data, 2);
	sg_set_buf(&data[0], f->buf, 66);
	sg_set_buf(&data[1], f->buf + PIECE, 128);
	KUNIT_ASSERT_EQ(test, 0, virtqueue_add_outbuf(f->vq, data, 2, f,
						      GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, look(f).nr, 2);
	KUNIT_ASSERT_PTR_EQ(test, virtqueue_detach_unused_buf(f->vq), f);
}

static void split_direct_gather(struct kunit *test)
{
	gather_request(test, false, false);
}

static void split_indirect_gather(struct kunit *test)
{
	gather_request(test, false, true);
}

static void packed_direct_gather(struct kunit *test)
{
	gather_request(test, true, false);
}

static void packed_indirect_gather(struct kunit *test)
{
	gather_request(test, true, true);
}

static void split_direct_runs(struct kunit *test)
{
	gather_runs(test, false, false);
}

static void split_indirect_runs(struct kunit *test)
{
	gather_runs(test, false, true);
}

static void packed_direct_runs(struct kunit *test)
{
	gather_runs(test, true, false);
}

static void packed_indirect_runs(struct kunit *test)
{
	gather_runs(test, true, true);
}

/*
 * Header, status and table of a request are in coherent memory. So it takes as
 * much of the pool as its data, which is in one piece.
 */
static void expect_one_mapping(struct kunit *test, bool packed,
			       struct scatterlist *data)
{
	struct fixture *f = test->priv;
	struct device *dev = f->vdev.dev.parent;
	struct scatterlist header, status;
	struct scatterlist *sgs[] = { &header, data, &status };
	unsigned long used;
	size_t size = 0;

	for (struct scatterlist *sg = data; sg; sg = sg_next(sg))
		size += sg->length;
	sg_init_one(&header, f->buf, 16);
	sg_init_one(&status, f->buf + 16, 1);
	make_ring(test, packed, true);
	virtqueue_set_gather(f->vq, U32_MAX);
	used = swiotlb_restricted_used(dev->dma_io_tlb_mem);
	KUNIT_ASSERT_EQ(test, 0, virtqueue_add_sgs(f->vq, sgs, 1, 2, f,
						   GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, swiotlb_restricted_used(dev->dma_io_tlb_mem),
			used + (size >> IO_TLB_SHIFT));
	KUNIT_EXPECT_PTR_EQ(test, virtqueue_detach_unused_buf(f->vq), f);
	KUNIT_EXPECT_EQ(test, swiotlb_restricted_used(dev->dma_io_tlb_mem),
			used);
	vring_del_virtqueue(f->vq);
	f->vq = NULL;
}

static void request_takes_one_mapping(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct scatterlist page, pages[PIECES];

	KUNIT_ASSERT_EQ(test, 0,
			restricted_dma_pool_attach(new_pool(test, LARGE_POOL),
						   f->vdev.dev.parent));
	sg_init_one(&page, f->buf + SZ_4K, SZ_4K);
	sg_init_table(pages, PIECES);
	for (int i = 0; i < PIECES; i++)
		sg_set_buf(&pages[i], f->buf + (PIECES - i) * SZ_4K, SZ_4K);
	expect_one_mapping(test, false, &page);
	expect_one_mapping(test, true, &page);
	expect_one_mapping(test, false, pages);
	expect_one_mapping(test, true, pages);
}

#define RINGS		3

/* Add lists of 12 KiB until the pool is full, and return how many there are. */
static unsigned int fill_pool(struct fixture *f, struct virtqueue *vqs[])
{
	struct scatterlist data[BUFS];
	unsigned int count = 0;

	sg_init_table(data, BUFS);
	for (int i = 0; i < BUFS; i++)
		sg_set_buf(&data[i], f->buf + i * SZ_4K, SZ_2K);
	for (int i = 0; i < RINGS * ENTRIES; i++)
		count += !virtqueue_add_outbuf(vqs[i / ENTRIES], data, BUFS, f,
					       GFP_KERNEL);
	return count;
}

/* There are more lists than fit. What is refused leaves nothing behind. */
static void gather_in_full_pool(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct virtqueue *vqs[RINGS];
	unsigned int count = 0;

	for (int i = 0; i < RINGS; i++) {
		make_ring(test, false, true);
		virtqueue_set_gather(f->vq, U32_MAX);
		vqs[i] = f->vq;
		f->vq = NULL;
	}
	for (int i = 0; i < 3; i++) {
		unsigned int before = count;

		count = fill_pool(f, vqs);
		KUNIT_EXPECT_GT(test, count, ENTRIES);
		KUNIT_EXPECT_LT(test, count, RINGS * ENTRIES);
		if (i)
			KUNIT_EXPECT_EQ(test, count, before);
		for (int j = 0; j < RINGS; j++)
			while (virtqueue_detach_unused_buf(vqs[j]))
				;
	}
	for (int i = 0; i < RINGS; i++)
		vring_del_virtqueue(vqs[i]);
}

/* The device can write to the table, but that has no effect on the driver. */
static void device_links_chains(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct vring_desc *desc;
	unsigned int len;

	make_ring(test, false, false);
	desc = phys_to_virt(virtqueue_get_desc_addr(f->vq));
	KUNIT_ASSERT_EQ(test, 0, add(f, 2, SZ_1K));
	KUNIT_ASSERT_EQ(test, 0, add(f, 2, SZ_1K));
	desc[1].flags |= cpu_to_le16(VRING_DESC_F_NEXT);
	desc[3].flags |= cpu_to_le16(VRING_DESC_F_NEXT);
	KUNIT_ASSERT_EQ(test, take(f), 2);
	KUNIT_ASSERT_PTR_EQ(test, virtqueue_get_buf(f->vq, &len), f);
	KUNIT_EXPECT_EQ(test, f->vq->num_free, ENTRIES - 2);
	KUNIT_ASSERT_PTR_EQ(test, virtqueue_get_buf(f->vq, &len), f);
	KUNIT_EXPECT_EQ(test, f->vq->num_free, ENTRIES);
}

static struct kunit_case ring_test_cases[] = {
	KUNIT_CASE(split_direct),
	KUNIT_CASE(split_indirect),
	KUNIT_CASE(packed_direct),
	KUNIT_CASE(packed_indirect),
	KUNIT_CASE(split_small_pool),
	KUNIT_CASE(packed_small_pool),
	KUNIT_CASE(split_direct_gather),
	KUNIT_CASE(split_indirect_gather),
	KUNIT_CASE(packed_direct_gather),
	KUNIT_CASE(packed_indirect_gather),
	KUNIT_CASE(split_direct_runs),
	KUNIT_CASE(split_indirect_runs),
	KUNIT_CASE(packed_direct_runs),
	KUNIT_CASE(packed_indirect_runs),
	KUNIT_CASE(gather_written),
	KUNIT_CASE(gather_for_nothing),
	KUNIT_CASE(gather_too_long),
	KUNIT_CASE(gather_small),
	KUNIT_CASE(device_links_chains),
	KUNIT_CASE(gather_in_full_pool),
	KUNIT_CASE(request_takes_one_mapping),
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
