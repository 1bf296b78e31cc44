/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A timer wheel: thousands of times, each set and taken away in a few instructions. A time is met at the end of
 * the tick that it is in, so never early. Pure.
 */
#pragma once

#include "common/util.h"

#define PATH_WHEEL_TICK_US (10 * US_PER_MS)
#define PATH_WHEEL_SLOTS   1024u /* a turn is ten seconds; what is later goes round */

/* To be embedded; zeroed: it is in no wheel. */
struct path_wheel_item {
	struct path_wheel_item *next, **link;
	uint64_t tick;
};

struct path_wheel {
	struct path_wheel_item *slots[PATH_WHEEL_SLOTS];
	uint64_t filled[PATH_WHEEL_SLOTS / 64]; /* one bit a slot */
	uint64_t tick;                          /* everything up to here has been met */
};

/* The item is due at this time, which is not before now, and no more at another. */
void path_wheel_set(struct path_wheel *wheel, struct path_wheel_item *item, uint64_t when_us);
/* Does nothing to one that is not set. */
void path_wheel_unset(struct path_wheel *wheel, struct path_wheel_item *item);
/* Takes out an item that is due by now; NULL: none is. */
struct path_wheel_item *path_wheel_next(struct path_wheel *wheel, uint64_t now_us);
/* When to look again, at the latest; UINT64_MAX: nothing is set. */
uint64_t path_wheel_due_us(const struct path_wheel *wheel);
