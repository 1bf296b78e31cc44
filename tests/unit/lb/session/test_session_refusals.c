/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of who was refused: how long it remembers whom, and whom a flood cannot push out. */
#include "lb/session/session_refusals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define START_US (1000 * US_PER_S)

static struct session_refusals_message refused_by(uint32_t number, enum session_refusal refusal)
{
	struct session_refusals_message message = { .source = { .family = AF_INET },
		.refusal = refusal };

	number = htobe32(number);
	memcpy(message.source.bytes, &number, sizeof(number));
	return message;
}

static void add(struct session_refusals *refusals, uint32_t number, enum session_refusal refusal,
	uint64_t now_us)
{
	const struct session_refusals_message message = refused_by(number, refusal);

	session_refusals_add(refusals, &message, "words", now_us);
}

static bool has(const struct session_refusals *refusals, uint32_t number)
{
	const struct session_refusals_message message = refused_by(number, SESSION_KEY);

	ARRAY_FOREACH (item, refusals->items, refusals->len)
		if (addr_equal(&item->source, &message.source))
			return true;
	return false;
}

static void a_flood_pushes_out_no_authentic_refusal(void **state)
{
	struct session_refusals refusals = { 0 };
	uint64_t now_us = START_US;

	add(&refusals, 1, SESSION_POLICY_0 + PROTO_REJECT_CLONE, now_us);
	add(&refusals, 2, SESSION_TAG, now_us);
	for (uint32_t number = 100; number < 100000; number++, now_us += US_PER_MS)
		add(&refusals, number, SESSION_KEY, now_us);
	assert_int_equal(refusals.len, SESSION_REFUSALS_MAX);
	assert_true(has(&refusals, 1));
	assert_true(has(&refusals, 2));
	/* Nor does a flood of forged sources keep a signed REGISTER, or an answered challenge, out. */
	add(&refusals, 3, SESSION_POLICY_0 + PROTO_REJECT_NO_VIP, now_us);
	add(&refusals, 4, SESSION_TAG, now_us);
	assert_int_equal(refusals.len, SESSION_REFUSALS_MAX);
	assert_true(has(&refusals, 3));
	assert_true(has(&refusals, 4));
}

static void who_goes_on_stays(void **state)
{
	struct session_refusals refusals = { 0 };
	uint64_t now_us = START_US;

	for (uint32_t number = 1; number <= SESSION_REFUSALS_MAX; number++)
		add(&refusals, number, SESSION_KEY, now_us);
	add(&refusals, 100, SESSION_KEY, now_us);
	assert_false(has(&refusals, 100));
	now_us += SESSION_REFUSALS_QUIET_US;
	for (uint32_t number = 1; number < SESSION_REFUSALS_MAX; number++)
		add(&refusals, number, SESSION_KEY, now_us);
	add(&refusals, 100, SESSION_KEY, now_us);
	assert_true(has(&refusals, 100));
	assert_false(has(&refusals, SESSION_REFUSALS_MAX));
	assert_true(has(&refusals, 1));
}

static void what_is_over_is_forgotten(void **state)
{
	struct session_refusals refusals = { 0 };
	struct session_refusals_message message = refused_by(1, SESSION_KEY);

	add(&refusals, 1, SESSION_KEY, START_US);
	add(&refusals, 1, SESSION_TAG, START_US);
	add(&refusals, 2, SESSION_TAG, START_US);
	session_refusals_forget(&refusals, &message.source);
	assert_int_equal(refusals.len, 1);
	session_refusals_expire(&refusals, START_US + SESSION_REFUSALS_KEEP_US - 1);
	assert_int_equal(refusals.len, 1);
	session_refusals_expire(&refusals, START_US + SESSION_REFUSALS_KEEP_US);
	assert_int_equal(refusals.len, 0);
}

static void every_policy_has_words(void **state)
{
	for (unsigned int code = 0; code < PROTO_REJECT_N_; code++) {
		struct session_refusals_message message = refused_by(1, SESSION_POLICY_0 + code);
		struct why words;

		message.name = "web1";
		message.because = "it may not";
		session_refusals_words(&message, &words);
		assert_memory_equal(words.text, "agent web1: it may not", 22);
		/* One that says its mend itself is told as it is. */
		assert_true(code == PROTO_REJECT_NOT_ALLOWED || code == PROTO_REJECT_MAC ||
			strlen(words.text) > 24);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flood_pushes_out_no_authentic_refusal),
		cmocka_unit_test(who_goes_on_stays),
		cmocka_unit_test(what_is_over_is_forgotten),
		cmocka_unit_test(every_policy_has_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
