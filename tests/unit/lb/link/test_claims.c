/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of claims: counting, telling, its limit. */
#include "lb/link/claims.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define START_US (1000 * US_PER_S)

static const struct addr vip = { .family = AF_INET, .bytes = { 198, 51, 100, 10 } };
static const struct addr vip6 = { .family = AF_INET6, .bytes = { 0x20, 1, [15] = 0x10 } };

static struct mac mac_number(unsigned int number)
{
	return (struct mac){ { 2, 0, 0, 0, (uint8_t)(number >> 8), (uint8_t)number } };
}

static bool add(
	struct claims *claims, const struct addr *address, unsigned int number, uint64_t now_us)
{
	const struct claimant stranger = { .mac = mac_number(number) };

	return claims_add(claims, address, &stranger, now_us);
}

static bool is_known(const struct mac *mac, void *context)
{
	return context;
}

static bool add_known(struct claims *claims, unsigned int number, uint64_t now_us)
{
	const struct claimant known = { mac_number(number), is_known, claims };

	return claims_add(claims, &vip, &known, now_us);
}

/* The number of the n-th. */
static unsigned int number_at(const struct claims *claims, size_t idx)
{
	return claims->items[idx].mac.bytes[4] * 256u + claims->items[idx].mac.bytes[5];
}

static void claims_counts_and_tells_once_a_minute(void **state)
{
	struct claims claims = { 0 };

	assert_true(add(&claims, &vip, 1, START_US));
	assert_false(add(&claims, &vip, 1, START_US + 1));
	assert_false(add(&claims, &vip, 1, START_US + CLAIMS_SAY_US - 1));
	assert_true(add(&claims, &vip, 1, START_US + CLAIMS_SAY_US));
	assert_int_equal(claims.len, 1);
	assert_int_equal(claims.items[0].count, 4);
	assert_int_equal(claims.items[0].last_us, START_US + CLAIMS_SAY_US);
	/* The same MAC for another VIP, and another MAC, are claims of their own. */
	assert_true(add(&claims, &vip6, 1, START_US));
	assert_true(add(&claims, &vip, 2, START_US));
	assert_int_equal(claims.len, 3);
}

static void claims_refuses_one_more_than_its_limit(void **state)
{
	struct claims claims = { 0 };

	for (unsigned int i = 0; i < CLAIMS_MAX; i++)
		assert_true(add(&claims, &vip, i, START_US + i));
	assert_false(add(&claims, &vip, CLAIMS_MAX, START_US + CLAIMS_MAX));
	assert_int_equal(claims.len, CLAIMS_MAX);
	assert_int_equal(claims.seen, CLAIMS_MAX + 1);
	/* One that goes on stays; the one that was silent the longest makes room. */
	assert_true(add(&claims, &vip, 0, START_US + CLAIMS_SAY_US));
	assert_false(add(&claims, &vip, CLAIMS_MAX, START_US + CLAIMS_SAY_US));
	assert_true(add(&claims, &vip, CLAIMS_MAX, START_US + CLAIMS_SAY_US + 1));
	assert_int_equal(claims.len, CLAIMS_MAX);
	assert_int_equal(claims.items[0].count, 2);
	assert_int_equal(claims.items[1].mac.bytes[5], CLAIMS_MAX);
	assert_int_equal(claims.items[1].count, 1);
}

static void claims_of_the_known_always_have_room_among_strangers(void **state)
{
	const unsigned int known = 1000;
	struct claims claims = { 0 };

	assert_true(add_known(&claims, known, START_US));
	for (unsigned int i = 1; i < CLAIMS_MAX; i++)
		assert_true(add(&claims, &vip, i, START_US + i));
	/* The oldest stranger goes, not one that is known and older. */
	assert_true(add_known(&claims, known + 1, START_US + CLAIMS_MAX));
	assert_int_equal(claims.len, CLAIMS_MAX);
	assert_int_equal(number_at(&claims, 0), known);
	assert_int_equal(number_at(&claims, 1), known + 1);
	/* Nobody tells of one and the same without end by sending both in turn. */
	assert_false(add(&claims, &vip, 1, START_US + CLAIMS_MAX));
	assert_false(add_known(&claims, known + 1, START_US + CLAIMS_MAX));
	/* A stranger's place is a stranger's, though somebody known is silent for longer. */
	assert_true(add(&claims, &vip, 1, START_US + 2 + CLAIMS_SAY_US));
	assert_int_equal(number_at(&claims, 0), known);
	assert_int_equal(number_at(&claims, 2), 1);
}

static void claims_of_the_known_alone_go_by_age(void **state)
{
	struct claims claims = { 0 };

	for (unsigned int i = 0; i < CLAIMS_MAX; i++)
		assert_true(add_known(&claims, i, START_US + i));
	assert_false(add_known(&claims, CLAIMS_MAX, START_US + CLAIMS_SAY_US - 1));
	assert_false(add(&claims, &vip, CLAIMS_MAX, START_US + CLAIMS_SAY_US - 1));
	assert_true(add(&claims, &vip, CLAIMS_MAX, START_US + CLAIMS_SAY_US));
	assert_true(add_known(&claims, CLAIMS_MAX + 1, START_US + CLAIMS_SAY_US));
	/* The stranger gave way. */
	assert_int_equal(number_at(&claims, 0), CLAIMS_MAX + 1);
	assert_int_equal(number_at(&claims, 1), 1);
}

/* How often it was asked, and who is known. */
struct asked {
	unsigned int n;
	struct mac known;
};

static bool is_asked(const struct mac *mac, void *context)
{
	struct asked *asked = context;

	asked->n++;
	return mac_equal(mac, &asked->known);
}

static void claims_by_invented_macs_ask_little(void **state)
{
	struct asked asked = { .known = mac_number(60000) };
	struct claims claims = { 0 };
	struct claimant claimant = { .is_known = is_asked, .context = &asked };

	for (unsigned int i = 0; i < 10000; i++) {
		claimant.mac = mac_number(i);
		assert_int_equal(
			claims_add(&claims, &vip, &claimant, START_US + i), i < CLAIMS_MAX);
	}
	assert_int_equal(asked.n, CLAIMS_ASK_MAX);
	assert_int_equal(claims.seen, 10000);
	/* Who is known passes for a stranger then, and finds room a moment later. */
	claimant.mac = asked.known;
	assert_false(claims_add(&claims, &vip, &claimant, START_US + CLAIMS_ASK_US - 1));
	assert_true(claims_add(&claims, &vip, &claimant, START_US + CLAIMS_ASK_US));
	assert_int_equal(asked.n, CLAIMS_ASK_MAX + 1);
}

static void claims_ask_nothing_where_no_answer_helps(void **state)
{
	struct asked asked = { .known = mac_number(CLAIMS_MAX) };
	struct claims claims = { 0 };
	const struct claimant claimant = { asked.known, is_asked, &asked };

	for (unsigned int i = 0; i < CLAIMS_MAX; i++)
		assert_true(add_known(&claims, i, START_US));
	assert_false(claims_add(&claims, &vip, &claimant, START_US + CLAIMS_SAY_US - 1));
	assert_int_equal(asked.n, 0);
	assert_true(claims_add(&claims, &vip, &claimant, START_US + CLAIMS_SAY_US));
	assert_int_equal(asked.n, 1);
}

static void claims_forgets_what_has_ended(void **state)
{
	struct claims claims = { 0 };

	assert_false(claims_live(&claims, START_US));
	assert_true(add(&claims, &vip, 1, START_US));
	assert_true(add(&claims, &vip, 2, START_US + US_PER_S));
	assert_true(claims_live(&claims, START_US + CLAIMS_LIVE_US));
	assert_false(claims_live(&claims, START_US + US_PER_S + CLAIMS_LIVE_US));
	claims_expire(&claims, START_US + CLAIMS_KEEP_US - 1);
	assert_int_equal(claims.len, 2);
	claims_expire(&claims, START_US + CLAIMS_KEEP_US);
	assert_int_equal(claims.len, 1);
	assert_int_equal(claims.items[0].mac.bytes[5], 2);
	assert_int_equal(claims.seen, 2);
}

static bool is_vip6(const struct addr *address, const void *context)
{
	return addr_equal(address, context);
}

static void claims_keeps_those_of_vips_that_stay(void **state)
{
	struct claims claims = { 0 };

	assert_true(add(&claims, &vip, 1, START_US));
	assert_true(add(&claims, &vip6, 1, START_US));
	assert_true(add(&claims, &vip, 2, START_US));
	claims_keep(&claims, is_vip6, &vip6);
	assert_int_equal(claims.len, 1);
	assert_true(addr_equal(&claims.items[0].vip, &vip6));
	assert_int_equal(claims.seen, 3);
	/* One that comes back is told of anew. */
	assert_true(add(&claims, &vip, 1, START_US + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(claims_counts_and_tells_once_a_minute),
		cmocka_unit_test(claims_refuses_one_more_than_its_limit),
		cmocka_unit_test(claims_of_the_known_always_have_room_among_strangers),
		cmocka_unit_test(claims_of_the_known_alone_go_by_age),
		cmocka_unit_test(claims_by_invented_macs_ask_little),
		cmocka_unit_test(claims_ask_nothing_where_no_answer_helps),
		cmocka_unit_test(claims_forgets_what_has_ended),
		cmocka_unit_test(claims_keeps_those_of_vips_that_stay),
	};

	return cmocka_run_group_tests_name("claims", tests, NULL, NULL);
}
