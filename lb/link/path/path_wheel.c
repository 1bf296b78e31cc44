/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See path_wheel.h. Called by path_probe.c. */
#include "lb/link/path/path_wheel.h"

static void wheel_mark(struct path_wheel *wheel, uint64_t slot)
{
	uint64_t bit = UINT64_C(1) << slot % 64;

	if (wheel->slots[slot])
		wheel->filled[slot / 64] |= bit;
	else
		wheel->filled[slot / 64] &= ~bit;
}

void path_wheel_unset(struct path_wheel *wheel, struct path_wheel_item *item)
{
	if (!item->link)
		return;
	*item->link = item->next;
	if (item->next)
		item->next->link = item->link;
	item->link = NULL;
	wheel_mark(wheel, item->tick % PATH_WHEEL_SLOTS);
}

void path_wheel_set(struct path_wheel *wheel, struct path_wheel_item *item, uint64_t when_us)
{
	uint64_t tick = when_us / PATH_WHEEL_TICK_US + 1;
	struct path_wheel_item **slot;

	path_wheel_unset(wheel, item);
	item->tick = MAX(tick, wheel->tick + 1);
	slot = &wheel->slots[item->tick % PATH_WHEEL_SLOTS];
	item->next = *slot;
	item->link = slot;
	if (item->next)
		item->next->link = &item->next;
	*slot = item;
	wheel_mark(wheel, item->tick % PATH_WHEEL_SLOTS);
}

/* The first slot with something in it, of `len` from `first` on; `len`: there is none. In slots from there. */
static uint64_t wheel_find(const struct path_wheel *wheel, uint64_t first, uint64_t len)
{
	uint64_t at = 0;

	while (at < len) {
		uint64_t slot = (first + at) % PATH_WHEEL_SLOTS;
		uint64_t bits = wheel->filled[slot / 64] >> slot % 64;

		if (bits)
			return MIN(at + (uint64_t)__builtin_ctzll(bits), len);
		at += 64 - slot % 64;
	}
	return len;
}

struct path_wheel_item *path_wheel_next(struct path_wheel *wheel, uint64_t now_us)
{
	uint64_t end = now_us / PATH_WHEEL_TICK_US;

	/* After a long sleep every slot is looked at once. */
	if (end > wheel->tick + PATH_WHEEL_SLOTS)
		wheel->tick = end - PATH_WHEEL_SLOTS;
	while (wheel->tick < end) {
		uint64_t tick = wheel->tick + 1;
		struct path_wheel_item *item = wheel->slots[tick % PATH_WHEEL_SLOTS];

		while (item && item->tick > end)
			item = item->next;
		if (item) {
			path_wheel_unset(wheel, item);
			return item;
		}
		wheel->tick = tick + wheel_find(wheel, tick + 1, end - tick);
	}
	return NULL;
}

uint64_t path_wheel_due_us(const struct path_wheel *wheel)
{
	uint64_t ahead = wheel_find(wheel, wheel->tick + 1, PATH_WHEEL_SLOTS);

	return ahead == PATH_WHEEL_SLOTS ? UINT64_MAX
					 : (wheel->tick + 1 + ahead) * PATH_WHEEL_TICK_US;
}
