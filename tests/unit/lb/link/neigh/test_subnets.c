/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts about who is on the link. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lb/link/neigh/subnets.h"

/* Bytes behind the members differ: nobody may compare them. */
static struct addr_prefix prefix(const char *text, int padding)
{
	struct addr_prefix parsed, made;

	assert_int_equal(addr_prefix_parse(text, &parsed), 0);
	memset(&made, padding, sizeof(made));
	made.addr = parsed.addr;
	made.len = parsed.len;
	return made;
}

static bool has(const struct subnets_set *set, const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	for (size_t i = 0; i < set->len; i++)
		if (addr_in_prefix(&addr, &set->items[i]))
			return true;
	return false;
}

static void without_addresses_everybody_may_be_on_the_link(void **state)
{
	struct subnets subnets = { 0 };
	const struct addr_prefix lan = prefix("192.0.2.0/24", 0);
	const struct subnets_set *next;

	assert_true(subnets_look(&subnets, NULL, 0, 1, &next));
	subnets_take(&subnets);
	assert_true(has(subnets_in_force(&subnets), "203.0.113.7"));
	assert_true(has(subnets_in_force(&subnets), "2001:db8::7"));
	assert_false(subnets_look(&subnets, NULL, 0, 2, &next));
	assert_true(subnets_look(&subnets, &lan, 1, 3, &next));
	subnets_take(&subnets);
	assert_false(has(subnets_in_force(&subnets), "203.0.113.7"));
	assert_true(has(subnets_in_force(&subnets), "192.0.2.7"));
}

static void what_was_not_taken_is_told_of_again(void **state)
{
	struct subnets subnets = { 0 };
	const struct addr_prefix lan = prefix("192.0.2.0/24", 0);
	const struct subnets_set *next;

	for (uint64_t now_us = 1; now_us < 4; now_us++)
		assert_true(subnets_look(&subnets, &lan, 1, now_us, &next));
	subnets_take(&subnets);
	assert_false(subnets_look(&subnets, &lan, 1, 4, &next));
}

static void order_repetition_and_padding_are_no_change(void **state)
{
	struct subnets subnets = { 0 };
	const struct addr_prefix before[] = { prefix("192.0.2.0/24", 0),
		prefix("2001:db8::/64", 0) };
	const struct addr_prefix after[] = { prefix("2001:db8::/64", 0xff),
		prefix("192.0.2.0/24", 0xff), prefix("192.0.2.0/24", 0x55) };
	const struct subnets_set *next;

	assert_true(subnets_look(&subnets, before, 2, 1, &next));
	subnets_take(&subnets);
	assert_false(subnets_look(&subnets, after, 3, 2, &next));
}

static void one_whose_address_is_away_stays_for_a_while(void **state)
{
	struct subnets subnets = { 0 };
	const struct addr_prefix both[] = { prefix("192.0.2.0/24", 0), prefix("fe80::/64", 0) };
	const struct subnets_set *next;
	uint64_t away_us = 5 * US_PER_S;

	assert_true(subnets_look(&subnets, both, 2, 1, &next));
	subnets_take(&subnets);
	assert_false(subnets_look(&subnets, both, 2, away_us, &next));
	/* Away for a moment: nothing has happened. */
	assert_false(subnets_look(&subnets, &both[1], 1, away_us + 200 * US_PER_MS, &next));
	assert_false(subnets_look(&subnets, both, 2, away_us + 400 * US_PER_MS, &next));
	away_us += 400 * US_PER_MS;
	assert_false(subnets_look(&subnets, &both[1], 1, away_us + SUBNETS_GRACE_US - 1, &next));
	/* For good. */
	assert_true(subnets_look(&subnets, &both[1], 1, away_us + SUBNETS_GRACE_US, &next));
	assert_int_equal(next->len, 1);
	subnets_take(&subnets);
	assert_false(has(subnets_in_force(&subnets), "192.0.2.7"));
	/* The last one, too: then nobody can say. */
	assert_false(subnets_look(&subnets, NULL, 0, away_us + SUBNETS_GRACE_US + 1, &next));
	assert_true(subnets_look(&subnets, NULL, 0, away_us + 3 * SUBNETS_GRACE_US, &next));
	assert_true(next->is_anywhere);
}

static void what_other_interfaces_had_does_not_stay(void **state)
{
	struct subnets subnets = { 0 };
	const struct addr_prefix links[] = { prefix("192.0.2.0/24", 0), prefix("10.9.1.0/24", 0) };
	const struct subnets_set *next;

	assert_true(subnets_look(&subnets, links, 2, SUBNETS_GRACE_US * 9, &next));
	subnets_take(&subnets);
	assert_false(subnets_look(&subnets, links, 1, SUBNETS_GRACE_US * 9 + 1, &next));
	subnets_expire(&subnets);
	assert_true(subnets_look(&subnets, links, 1, SUBNETS_GRACE_US * 9 + 2, &next));
	assert_true(has(next, "192.0.2.7"));
	assert_false(has(next, "10.9.1.7"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_addresses_everybody_may_be_on_the_link),
		cmocka_unit_test(what_was_not_taken_is_told_of_again),
		cmocka_unit_test(order_repetition_and_padding_are_no_change),
		cmocka_unit_test(one_whose_address_is_away_stays_for_a_while),
		cmocka_unit_test(what_other_interfaces_had_does_not_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
