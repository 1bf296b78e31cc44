/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The other balancers that agents name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/util.h"
#include "lb/session/session_others.h"

static struct proto_other balancer(uint8_t number, const char *name)
{
	struct proto_other other = { .address = {
					     .family = AF_INET, .bytes = { 192, 0, 2, number } } };

	snprintf(other.name, sizeof(other.name), "%s", name);
	return other;
}

static void others_are_those_that_were_named_lately(void **state)
{
	struct session_others others = { 0 };
	struct proto_other nobody = { 0 }, first = balancer(3, "lb3"), second = balancer(2, "");

	session_others_take(&others, &nobody, 1);
	assert_int_equal(others.len, 0);
	session_others_take(&others, &first, US_PER_S);
	session_others_take(&others, &second, US_PER_S);
	assert_int_equal(others.len, 2);
	assert_true(addr_equal(&others.items[0].balancer.address, &second.address));
	/* It has told its name since. */
	second = balancer(2, "lb2");
	session_others_take(&others, &second, 2 * US_PER_S);
	assert_int_equal(others.len, 2);
	assert_string_equal(others.items[0].balancer.name, "lb2");
	session_others_expire(&others, US_PER_S + SESSION_OTHERS_KEEP_US);
	assert_int_equal(others.len, 1);
	assert_string_equal(others.items[0].balancer.name, "lb2");
}

static void others_have_room_for_the_newest(void **state)
{
	struct session_others others = { 0 };

	for (uint8_t i = 0; i <= SESSION_OTHERS_MAX; i++) {
		struct proto_other other = balancer((uint8_t)(100 - i), "");

		session_others_take(&others, &other, i + 1);
	}
	assert_int_equal(others.len, SESSION_OTHERS_MAX);
	/* The first is gone, and all stand by address. */
	assert_int_equal(others.items[SESSION_OTHERS_MAX - 1].balancer.address.bytes[3], 99);
	for (size_t i = 1; i < others.len; i++)
		assert_true(addr_compare(&others.items[i - 1].balancer.address,
				    &others.items[i].balancer.address) < 0);
}

static void others_tables_differ_when_it_was_heard_twice(void **state)
{
	struct session_others others = { 0 };
	struct proto_other first = balancer(3, "lb3");
	const struct addr stranger = { .family = AF_INET, .bytes = { 192, 0, 2, 9 } };
	const struct addr *address = &first.address;

	session_others_take(&others, &first, 1);
	/* Who is not known says nothing; what is on its way says nothing yet. */
	assert_false(
		session_others_compare(&others, &stranger, "web", SESSION_DIFFERS_MEMBERS, 300, 1));
	assert_false(session_others_compare(
		&others, address, "web", SESSION_DIFFERS_MEMBERS, 300, 1000));
	assert_false(session_others_compare(
		&others, address, "web", SESSION_DIFFERS_MEMBERS, 300, 1299));
	assert_false(session_others_differ(&others));
	/* But whoever has just come heeds it. */
	assert_true(addr_equal(session_others_find_other(&others, "web"), address));
	assert_null(session_others_find_other(&others, "dns"));
	assert_true(session_others_compare(
		&others, address, "web", SESSION_DIFFERS_WEIGHTS, 300, 1300));
	assert_true(session_others_differ(&others));
	assert_int_equal(others.items[0].tables[0].difference, SESSION_DIFFERS_WEIGHTS);
	/* It is to be said until it was, and only what was said is taken back. */
	assert_true(session_others_compare(
		&others, address, "web", SESSION_DIFFERS_WEIGHTS, 300, 1400));
	session_others_said(&others, address, "web");
	assert_false(
		session_others_compare(&others, address, "web", SESSION_DIFFERS_SEED, 300, 2000));
	/* A name anew is no reason to forget it. */
	session_others_take(&others, &first, 2000);
	assert_true(session_others_differ(&others));
	assert_false(session_others_compare(&others, address, "dns", SESSION_SAME, 300, 2000));
	assert_true(session_others_compare(&others, address, "web", SESSION_SAME, 300, 2001));
	assert_false(session_others_differ(&others));
	assert_null(session_others_find_other(&others, "web"));
	/* One word, and then agreement, was a change on its way. */
	assert_false(
		session_others_compare(&others, address, "web", SESSION_DIFFERS_SEED, 300, 3000));
	assert_false(session_others_compare(&others, address, "web", SESSION_SAME, 300, 3100));
	assert_false(
		session_others_compare(&others, address, "web", SESSION_DIFFERS_SEED, 300, 4000));
	assert_true(
		session_others_compare(&others, address, "web", SESSION_DIFFERS_SEED, 300, 4300));
	assert_false(session_others_compare(&others, address, "web", SESSION_SAME, 300, 4400));
}

static void others_forget_tables_that_nobody_tells_any_more(void **state)
{
	struct session_others others = { 0 };
	struct proto_other first = balancer(3, "lb3");
	char name[PROTO_NAME_MAX + 1];

	session_others_take(&others, &first, 1);
	for (unsigned int i = 0; i <= SESSION_OTHERS_TABLES_MAX; i++) {
		snprintf(name, sizeof(name), "web%u", i);
		session_others_compare(
			&others, &first.address, name, SESSION_DIFFERS_MISSING, 0, 1);
	}
	assert_int_equal(others.items[0].n_tables, SESSION_OTHERS_TABLES_MAX);
	session_others_take(&others, &first, SESSION_OTHERS_KEEP_US);
	session_others_expire(&others, 1 + SESSION_OTHERS_KEEP_US);
	assert_int_equal(others.len, 1);
	assert_int_equal(others.items[0].n_tables, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(others_are_those_that_were_named_lately),
		cmocka_unit_test(others_have_room_for_the_newest),
		cmocka_unit_test(others_tables_differ_when_it_was_heard_twice),
		cmocka_unit_test(others_forget_tables_that_nobody_tells_any_more),
	};

	return cmocka_run_group_tests_name("session_others", tests, NULL, NULL);
}
