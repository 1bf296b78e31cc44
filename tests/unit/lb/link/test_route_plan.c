/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts about which routes are to be made and taken away. */
#include "lb/link/route_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NOW (1000 * US_PER_S)

static struct addr vips[4];

static int make_vips(void **state)
{
	static const char *const texts[] = { "198.51.100.9", "198.51.100.10", "2001:db8:f::9",
		"2001:db8:f::10" };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(addr_parse(texts[i], &vips[i]), 0);
	return 0;
}

static enum route_plan_action action(const struct route_plan *plan, size_t vip, uint64_t now_us)
{
	const struct route_plan_entry *entry = route_plan_find(plan, &vips[vip]);

	return entry ? route_plan_next(entry, now_us) : ROUTE_PLAN_NOTHING;
}

static void plan_adds_what_is_wanted_and_removes_what_is_not(void **state)
{
	struct route_plan plan = { 0 };

	assert_int_equal(route_plan_due_us(&plan), ROUTE_PLAN_NEVER_US);
	/* The last but one is left from a previous run, the last stays. */
	assert_int_equal(route_plan_stands(&plan, &vips[3]), 0);
	assert_int_equal(route_plan_stands(&plan, &vips[1]), 0);
	assert_int_equal(route_plan_want(&plan, (struct addr[]){ vips[0], vips[1] }, 2), 0);
	assert_int_equal(action(&plan, 0, NOW), ROUTE_PLAN_ADD);
	assert_int_equal(action(&plan, 1, NOW), ROUTE_PLAN_NOTHING);
	assert_int_equal(action(&plan, 3, NOW), ROUTE_PLAN_REMOVE);
	assert_int_equal(route_plan_due_us(&plan), 0);
	route_plan_added(route_plan_find(&plan, &vips[0]), true, NOW);
	route_plan_removed(route_plan_find(&plan, &vips[3]));
	route_plan_tidy(&plan, NOW);
	assert_null(route_plan_find(&plan, &vips[3]));
	assert_int_equal(route_plan_due_us(&plan), ROUTE_PLAN_NEVER_US);
	route_plan_clear(&plan);
}

static void plan_withdraws_at_once_and_adds_once_a_second(void **state)
{
	struct route_plan plan = { 0 };

	assert_int_equal(route_plan_want(&plan, &vips[0], 1), 0);
	route_plan_added(route_plan_find(&plan, &vips[0]), true, NOW);
	assert_int_equal(route_plan_want(&plan, NULL, 0), 0);
	assert_int_equal(action(&plan, 0, NOW), ROUTE_PLAN_REMOVE);
	route_plan_removed(route_plan_find(&plan, &vips[0]));
	/* Forgotten it would come back at once. */
	route_plan_tidy(&plan, NOW + 1);
	assert_int_equal(route_plan_want(&plan, &vips[0], 1), 0);
	assert_int_equal(action(&plan, 0, NOW + ROUTE_PLAN_PACE_US - 1), ROUTE_PLAN_NOTHING);
	assert_int_equal(route_plan_due_us(&plan), NOW + ROUTE_PLAN_PACE_US);
	assert_int_equal(action(&plan, 0, NOW + ROUTE_PLAN_PACE_US), ROUTE_PLAN_ADD);
	route_plan_clear(&plan);
}

static void plan_tries_again_what_is_refused(void **state)
{
	struct route_plan plan = { 0 };

	assert_int_equal(route_plan_want(&plan, &vips[2], 1), 0);
	route_plan_added(route_plan_find(&plan, &vips[2]), false, NOW);
	assert_true(route_plan_find(&plan, &vips[2])->blocked);
	assert_int_equal(action(&plan, 2, NOW), ROUTE_PLAN_NOTHING);
	assert_int_equal(action(&plan, 2, NOW + ROUTE_PLAN_PACE_US), ROUTE_PLAN_ADD);
	route_plan_clear(&plan);
}

static void plan_puts_back_what_somebody_took(void **state)
{
	struct route_plan plan = { 0 };

	assert_int_equal(route_plan_want(&plan, vips, 4), 0);
	ARRAY_FOREACH (entry, plan.items, plan.len)
		route_plan_added(entry, true, NOW);
	/* Read anew, one is missing. */
	route_plan_begin(&plan);
	for (size_t i = 1; i < 4; i++)
		assert_int_equal(route_plan_stands(&plan, &vips[i]), 0);
	assert_int_equal(action(&plan, 0, NOW + ROUTE_PLAN_PACE_US), ROUTE_PLAN_ADD);
	for (size_t i = 1; i < 4; i++)
		assert_int_equal(action(&plan, i, NOW + ROUTE_PLAN_PACE_US), ROUTE_PLAN_NOTHING);
	route_plan_clear(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plan_adds_what_is_wanted_and_removes_what_is_not),
		cmocka_unit_test(plan_withdraws_at_once_and_adds_once_a_second),
		cmocka_unit_test(plan_tries_again_what_is_refused),
		cmocka_unit_test(plan_puts_back_what_somebody_took),
	};

	return cmocka_run_group_tests(tests, make_vips, NULL);
}
