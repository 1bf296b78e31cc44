/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arrays that grow by one element: their room is the next power of two, so that no capacity need be
 * kept beside the length. Header only.
 */
#pragma once

#include "common/util.h"

/* The array with room for one more behind `len` elements; NULL: no memory, and the array stands. */
static inline void *grow_by_one(void *array, size_t len, size_t element_bytes)
{
	if (len > 0 && (len & (len - 1)) != 0)
		return array;
	return reallocarray(array, len ? 2 * len : 1, element_bytes);
}

/*
 * GROW(array, len): 0, with room for array[len]; or -ENOMEM, and nothing has changed. The array was made
 * by this alone, from NULL and 0 on, and never shrunk by realloc().
 */
#define GROW(array, len) \
	({ \
		void *grown_ = grow_by_one((array), (len), sizeof(__typeof__(*(array)))); \
		if (grown_) \
			(array) = grown_; \
		grown_ ? 0 : -ENOMEM; \
	})
