/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small tools that every file may use: cleanup attributes, ownership transfer, array and
 * arithmetic helpers. Header only; knows nothing of the product.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
/* An array that is NULL is empty: even adding 0 to it would be undefined. */
#define ARRAY_FOREACH(item, array, len) \
	for (__typeof__((array)[0]) *item = (array); item && item < (array) + (len); item++)

#define MIN(a, b) \
	({ \
		__typeof__(a) min_a_ = (a); \
		__typeof__(b) min_b_ = (b); \
		min_a_ < min_b_ ? min_a_ : min_b_; \
	})
#define MAX(a, b) \
	({ \
		__typeof__(a) max_a_ = (a); \
		__typeof__(b) max_b_ = (b); \
		max_a_ > max_b_ ? max_a_ : max_b_; \
	})

#define US_PER_MS UINT64_C(1000)
#define US_PER_S  UINT64_C(1000000)
#define NS_PER_US UINT64_C(1000)

/* Cleanup attributes: `_cleanup_(fn)` runs fn(&variable) when the variable leaves its scope. */
#define _cleanup_(fn)       __attribute__((__cleanup__(fn)))
#define _printf_(fmt, args) __attribute__((__format__(__printf__, fmt, args)))
#define _unused_            __attribute__((__unused__))
#define _must_check_        __attribute__((__warn_unused_result__))

/* DEFINE_CLEANUP(struct foo *, foo_free) makes `_cleanup_(foo_freep)` usable. */
#define DEFINE_CLEANUP(type, fn) \
	static inline void fn##p(type *pointer) \
	{ \
		if (*pointer) \
			fn(*pointer); \
	}

static inline void util_freep(void *pointer)
{
	free(*(void **)pointer);
}
#define _cleanup_free_ _cleanup_(util_freep)

/* Closes a descriptor (negative: nothing) without touching errno; returns -1 for the owner to keep. */
static inline int util_close(int fd)
{
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
	return -1;
}
static inline void util_closep(int *fd)
{
	*fd = util_close(*fd);
}
#define _cleanup_close_ _cleanup_(util_closep)

DEFINE_CLEANUP(FILE *, fclose)
#define _cleanup_fclose_ _cleanup_(fclosep)

/* Hands the value to a new owner; the old variable is left empty. */
#define TAKE_PTR(pointer) \
	({ \
		__typeof__(pointer) taken_ = (pointer); \
		(pointer) = NULL; \
		taken_; \
	})
#define TAKE_FD(fd) \
	({ \
		int taken_ = (fd); \
		(fd) = -1; \
		taken_; \
	})

static inline bool streq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* errno as a negative number; -EIO where a function failed without setting it. */
static inline int util_negative_errno(void)
{
	int error = -errno;

	return error < 0 ? error : -EIO;
}

/*
 * FNV-1a (draft-eastlake-fnv): tells apart what nobody makes up to look alike; who may be made a fool of takes a keyed
 * hash. Goes on from `hash`, at first the basis.
 */
#define UTIL_FNV_32_BASIS UINT32_C(2166136261)
#define UTIL_FNV_64_BASIS UINT64_C(14695981039346656037)

static inline uint32_t util_fnv_32(uint32_t hash, const void *data, size_t size_bytes)
{
	for (size_t i = 0; i < size_bytes; i++)
		hash = (hash ^ ((const uint8_t *)data)[i]) * UINT32_C(16777619);
	return hash;
}

static inline uint64_t util_fnv_64(uint64_t hash, const void *data, size_t size_bytes)
{
	for (size_t i = 0; i < size_bytes; i++)
		hash = (hash ^ ((const uint8_t *)data)[i]) * UINT64_C(1099511628211);
	return hash;
}
