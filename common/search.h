/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Binary search in sorted arrays; where a key is, or where it would be inserted. Header only. */
#pragma once

#include "common/util.h"

/* As for bsearch(): negative, 0 or positive, as `key` is less, equal or greater. */
typedef int search_compare_fn(const void *key, const void *element);

/* The first position whose element is not less than `key`: 0 to `len`. */
static inline size_t search_position(const void *key, const void *array, size_t len,
	size_t element_bytes, search_compare_fn *compare)
{
	size_t low = 0, high = len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(key, (const char *)array + middle * element_bytes) > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* True with `*ret_position` of an equal element (the first), else false with where it belongs. */
static inline bool search_find(const void *key, const void *array, size_t len, size_t element_bytes,
	search_compare_fn *compare, size_t *ret_position)
{
	size_t position = search_position(key, array, len, element_bytes, compare);

	*ret_position = position;
	return position < len && compare(key, (const char *)array + position * element_bytes) == 0;
}
