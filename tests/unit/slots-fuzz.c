/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slots-fuzz: a libFuzzer target. The first bytes are the shape of a pool, each
 * ten after them a piece to take or to give back, or a block to describe.
 * slots-model.h says what ends it.
 */
#include "slots-model.h"

static u64 number(const u8 **data, const u8 *end, unsigned int bytes)
{
	u64 n = 0;

	while (bytes-- && *data < end)
		n = n << 8 | *(*data)++;
	return n;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const u8 *end = data + size;
	phys_addr_t base = number(&data, end, 2) << SWIOTLB_SLOT_SHIFT;
	size_t slots = 1 + number(&data, end, 2) % 32768;
	unsigned int nareas = 1 + number(&data, end, 1) % 16;
	struct model m;

	model_init(&m, base + SZ_1G, slots << SWIOTLB_SLOT_SHIFT, nareas);
	model_grow(&m);
	while (data < end) {
		unsigned int kind = number(&data, end, 1);
		u64 a = number(&data, end, 3), b = number(&data, end, 3);
		u64 c = number(&data, end, 3);
		struct swiotlb_request want = {
			.orig_addr = b << 9,
			.size = a % (SWIOTLB_SLOTS_MAX + 2),
			.align = 1UL << c % 22,
			.min_align = 1UL << (c >> 5) % 22,
			.boundary = kind & 2 ? 512ULL << (c >> 10) % 24 : 0,
			.bus_offset = kind & 4 ? b << 12 : 0,
			.padding = kind & 8 ? c % 1024 : 0,
		};

		if (kind == 0xff)
			model_grow(&m);
		else if (kind & 1 && m.npieces)
			model_give(&m, a % m.npieces, b);
		else
			model_take(&m, kind >> 4, &want);
	}
	model_end(&m);
	return 0;
}
