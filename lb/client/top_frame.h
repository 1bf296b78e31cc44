/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One frame of `top`: from two status documents to lines that fit a width. Talks to nobody. */
#pragma once

#include <jansson.h>

#include "common/util.h"

#define TOP_LINE_BYTES  512u
#define TOP_COLUMNS_MIN 40u

enum top_sort {
	TOP_SORT_NAME,
	TOP_SORT_STATE, /* what is not up first */
	TOP_SORT_PACKETS,
	TOP_SORT_SYNS,
	TOP_SORT_ESTABLISHED,
	TOP_SORT_SHARE, /* whose share is furthest from its weight's first */
	TOP_SORT_N_
};

enum top_style { TOP_PLAIN, TOP_HEAD, TOP_GOOD, TOP_WARN, TOP_BAD, TOP_STYLE_N_ };

struct top_line {
	enum top_style style;
	char text[TOP_LINE_BYTES];
};

struct top_frame {
	struct top_line *lines;
	size_t len;
};

struct top_view {
	enum top_sort sort; /* of the backends in each virtual server */
	size_t columns;     /* at least TOP_COLUMNS_MIN are used */
};

/*
 * `before` NULL, or of another run of the daemon: rates are not known yet, and are "-"; `seconds` lie between the two.
 * Without memory lines are missing.
 */
void top_frame_make(const json_t *before, const json_t *now, double seconds,
	const struct top_view *view, struct top_frame *ret_frame);
void top_frame_clear(struct top_frame *frame);
/* The keys, for the last line of the screen: those that sort, with the one in force in brackets. */
const char *top_frame_keys(enum top_sort sort, char *buffer, size_t size_bytes);
/* The order that a key asks for; TOP_SORT_N_: none. */
enum top_sort top_frame_sort(int key);
