/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the slots of the swiotlb need of the kernel, for a program.
 *
 * The files of the kernel are compiled as they are. Each header of the kernel
 * that they include is this one (scripts/check/test-unit). Locks spin, so that
 * ThreadSanitizer sees who holds them.
 */
#ifndef SHIM_H
#define SHIM_H

#include <asm/errno.h>
#include <limits.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef u64 phys_addr_t;

#define BITS_PER_LONG		64
#define SMP_CACHE_BYTES		64
#define PAGE_SIZE		4096UL
#define __packed		__attribute__((packed))
#define __aligned(n)		__attribute__((aligned(n)))
#define ____cacheline_aligned_in_smp __attribute__((aligned(SMP_CACHE_BYTES)))

#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define smp_store_release(p, value) __atomic_store_n(p, value, __ATOMIC_RELEASE)
#define WRITE_ONCE(x, value)	__atomic_store_n(&(x), value, __ATOMIC_RELAXED)

#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define ALIGN(n, a)		(DIV_ROUND_UP(n, a) * (a))
#define PAGE_ALIGN(n)		ALIGN(n, PAGE_SIZE)
#define BITS_TO_LONGS(n)	DIV_ROUND_UP(n, BITS_PER_LONG)
#define min(a, b)		((a) < (b) ? (a) : (b))
#define max(a, b)		((a) > (b) ? (a) : (b))
#define min_t(type, a, b)	min((type)(a), (type)(b))
#define max_t(type, a, b)	max((type)(a), (type)(b))

#define __ffs(x)		((unsigned int)__builtin_ctzl(x))
#define __ffs64(x)		((unsigned int)__builtin_ctzll(x))
#define hweight64(x)		((unsigned int)__builtin_popcountll(x))
#define fls64(x)		((x) ? 64 - __builtin_clzll(x) : 0)

/* Locks */

typedef struct {
	atomic_bool locked;
} spinlock_t;

static inline void spin_lock_init(spinlock_t *lock)
{
	atomic_init(&lock->locked, false);
}

static inline void spin_lock(spinlock_t *lock)
{
	while (atomic_exchange_explicit(&lock->locked, true,
					memory_order_acquire))
		sched_yield();
}

static inline void spin_unlock(spinlock_t *lock)
{
	atomic_store_explicit(&lock->locked, false, memory_order_release);
}

#define spin_lock_irqsave(lock, flags) ((void)((flags) = 0), spin_lock(lock))
#define spin_unlock_irqrestore(lock, flags) ((void)(flags), spin_unlock(lock))

/* Bitmaps */

static inline void bitmap_fill(unsigned long *map, unsigned int n)
{
	memset(map, 0xff, BITS_TO_LONGS(n) * sizeof(long));
}

static inline void __set_bit(unsigned int n, unsigned long *map)
{
	map[n / BITS_PER_LONG] |= 1UL << n % BITS_PER_LONG;
}

static inline void __clear_bit(unsigned int n, unsigned long *map)
{
	map[n / BITS_PER_LONG] &= ~(1UL << n % BITS_PER_LONG);
}

static inline bool test_bit(unsigned int n, const unsigned long *map)
{
	return map[n / BITS_PER_LONG] >> n % BITS_PER_LONG & 1;
}

static inline unsigned long
bitmap_find_next_zero_area(const unsigned long *map, unsigned long size,
			   unsigned long start, unsigned int n,
			   unsigned long align_mask)
{
	unsigned int run = 0;

	(void)align_mask;
	for (; start < size; start++) {
		run = test_bit(start, map) ? 0 : run + 1;
		if (run == n)
			return start + 1 - n;
	}
	return size + 1;
}

#endif /* SHIM_H */
