// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the ranges that ACPI may give a restricted DMA pool.
 */

#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/acpi.h>
#include <linux/bits.h>
#include <linux/device.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include "restricted.h"

/* An address far above everything in the machines that run this */
#define HOLE	BIT_ULL(44)

struct range_case {
	const char *name;
	u64 start;
	u64 size;
	int wanted;
};

static const struct range_case ranges[] = {
	{ "2 MiB", HOLE, SZ_2M, 0 },
	{ "64 GiB", HOLE, 32ULL * SZ_2G, 0 },
	{ "odd number of 2 MiB", HOLE + SZ_2M, 3 * SZ_2M, 0 },
	{ "start at 1 MiB", HOLE + SZ_1M, SZ_2M, -EINVAL },
	{ "start at a page", HOLE + SZ_4K, SZ_2M, -EINVAL },
	{ "end at a page", HOLE, SZ_2M + SZ_4K, -EINVAL },
	{ "end at 1 MiB", HOLE, SZ_2M + SZ_1M, -EINVAL },
	{ "one byte", HOLE, 1, -EINVAL },
	{ "one byte too many", HOLE, SZ_2M + 1, -EINVAL },
	{ "one byte too few", HOLE, SZ_2M - 1, -EINVAL },
};

static void range_to_desc(const struct range_case *range, char *desc)
{
	strscpy(desc, range->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(range, ranges, range_to_desc);

static int check(struct kunit *test, u64 start, u64 size)
{
	struct device *dev = kunit_device_register(test, "restricted-acpi");
	struct resource res = DEFINE_RES_MEM(start, size);
	int err;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	err = restricted_acpi_check(dev, &res);
	kunit_device_unregister(test, dev);
	return err;
}

static void alignment(struct kunit *test)
{
	const struct range_case *range = test->param_value;

	KUNIT_EXPECT_EQ(test, check(test, range->start, range->size),
			range->wanted);
}

static void system_ram(struct kunit *test)
{
	void *page = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	u64 ram;

	KUNIT_ASSERT_NOT_NULL(test, page);
	ram = ALIGN_DOWN(virt_to_phys(page), SZ_2M);
	KUNIT_EXPECT_EQ(test, check(test, ram, SZ_2M), -EINVAL);
	/* From RAM into a hole */
	KUNIT_EXPECT_EQ(test, check(test, ram, HOLE - ram), -EINVAL);
	/* From below RAM to beyond it */
	KUNIT_EXPECT_EQ(test, check(test, 0, HOLE), -EINVAL);
}

/* What ACPI frees, a new device may have the address of. */
static void node_is_held(struct kunit *test)
{
	struct restricted_dma_desc desc = { .name = "kunit-refused" };
	struct acpi_device *adev;
	unsigned int before;

	/* It stays, because the pool does. The system may not have ACPI. */
	adev = kzalloc(sizeof(*adev), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, adev);
	fwnode_init(&adev->fwnode, &acpi_device_fwnode_ops);
	device_initialize(&adev->dev);

	before = kref_read(&adev->dev.kobj.kref);
	desc.fwnode = &adev->fwnode;
	restricted_dma_pool_refuse(&desc);
	KUNIT_EXPECT_EQ(test, kref_read(&adev->dev.kobj.kref), before + 1);
}

static struct kunit_case restricted_acpi_test_cases[] = {
	KUNIT_CASE_PARAM(alignment, range_gen_params),
	KUNIT_CASE(system_ram),
	KUNIT_CASE(node_is_held),
	{}
};

static struct kunit_suite restricted_acpi_test_suite = {
	.name = "restricted_dma_acpi",
	.test_cases = restricted_acpi_test_cases,
};

kunit_test_suite(restricted_acpi_test_suite);

MODULE_DESCRIPTION("KUnit tests of restricted DMA pools in ACPI");
MODULE_LICENSE("GPL");
