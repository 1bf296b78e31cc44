/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The timer wheel against a list that is searched through. */
#include "lb/link/path/path_wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define ITEMS 300u

struct timed {
	struct path_wheel_item item; /* first */
	uint64_t when_us;            /* UINT64_MAX: not set */
};

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* What comes out is due, and nothing that is due for a tick stays in. */
static void take_due(struct path_wheel *wheel, struct timed *items, uint64_t now_us)
{
	struct path_wheel_item *item;

	while ((item = path_wheel_next(wheel, now_us))) {
		struct timed *timed = (struct timed *)item;

		assert_true(timed->when_us < now_us || timed->when_us == now_us);
		timed->when_us = UINT64_MAX;
	}
	for (size_t i = 0; i < ITEMS; i++)
		if (items[i].when_us != UINT64_MAX)
			assert_true(items[i].when_us + 2 * PATH_WHEEL_TICK_US > now_us);
}

static void wheel_meets_each_time_once_and_never_early(void **state)
{
	struct path_wheel *wheel = calloc(1, sizeof(*wheel));
	struct timed *items = calloc(ITEMS, sizeof(*items));
	uint64_t now_us = 7 * UINT64_C(3600) * US_PER_S, seed = 5;

	for (size_t i = 0; i < ITEMS; i++)
		items[i].when_us = UINT64_MAX;
	for (unsigned int round = 0; round < 20000; round++) {
		struct timed *timed = &items[next_random(&seed) % ITEMS];
		uint64_t least_us = UINT64_MAX;

		if (round % 7 == 0) {
			path_wheel_unset(wheel, &timed->item);
			timed->when_us = UINT64_MAX;
		} else {
			timed->when_us = now_us + next_random(&seed) % (25 * US_PER_S);
			path_wheel_set(wheel, &timed->item, timed->when_us);
		}
		now_us += next_random(&seed) % (round % 1000 == 0 ? 60 * US_PER_S : 30 * US_PER_MS);
		take_due(wheel, items, now_us);
		for (size_t i = 0; i < ITEMS; i++)
			least_us = MIN(least_us, items[i].when_us);
		if (least_us == UINT64_MAX)
			assert_int_equal(path_wheel_due_us(wheel), UINT64_MAX);
		else
			assert_true(path_wheel_due_us(wheel) <= least_us + PATH_WHEEL_TICK_US);
	}
	free(items);
	free(wheel);
}

static void wheel_sleeps_while_nothing_is_due(void **state)
{
	struct path_wheel *wheel = calloc(1, sizeof(*wheel));
	struct timed one = { 0 };
	uint64_t now_us = 100 * US_PER_S;

	assert_int_equal(path_wheel_due_us(wheel), UINT64_MAX);
	assert_null(path_wheel_next(wheel, now_us));
	path_wheel_set(wheel, &one.item, now_us + 2 * US_PER_S);
	assert_true(path_wheel_due_us(wheel) >= now_us + 2 * US_PER_S);
	assert_null(path_wheel_next(wheel, now_us + 2 * US_PER_S - 1));
	assert_ptr_equal(path_wheel_next(wheel, path_wheel_due_us(wheel)), &one.item);
	assert_int_equal(path_wheel_due_us(wheel), UINT64_MAX);
	free(wheel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wheel_meets_each_time_once_and_never_early),
		cmocka_unit_test(wheel_sleeps_while_nothing_is_due),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
