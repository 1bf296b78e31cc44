/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What answers prove, and what they do not. */
#include "lb/link/leak_judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define START_US (1000 * US_PER_S)

static const struct addr vip = { .family = AF_INET, .bytes = { 198, 51, 100, 10 } };
static const struct addr other = { .family = AF_INET, .bytes = { 198, 51, 100, 11 } };

/* Three answers, a second apart; the time of the last. */
static uint64_t find(struct leak_judge *judge, uint64_t now_us)
{
	for (uint32_t n = 1; n < LEAK_JUDGE_ANSWERS; n++, now_us += US_PER_S)
		assert_int_equal(leak_judge_answered(judge, &vip, now_us), LEAK_ASK_AGAIN);
	assert_int_equal(leak_judge_answered(judge, &vip, now_us), LEAK_FOUND);
	return now_us;
}

static void leak_needs_answers_in_a_row(void **state)
{
	struct leak_judge judge = { 0 };
	uint64_t now_us = START_US;

	assert_int_equal(leak_judge_answered(&judge, &vip, now_us), LEAK_ASK_AGAIN);
	assert_int_equal(leak_judge_answered(&judge, &vip, now_us), LEAK_ASK_AGAIN);
	/* Of another VIP it tells nothing that it is silent there. */
	assert_int_equal(leak_judge_silent(&judge, &other, now_us), LEAK_NOTHING);
	assert_int_equal(leak_judge_silent(&judge, &vip, now_us), LEAK_NOTHING);
	assert_int_equal(leak_judge_answered(&judge, &vip, now_us), LEAK_ASK_AGAIN);
	assert_int_equal(leak_judge_answered(&judge, &vip, now_us), LEAK_ASK_AGAIN);
	assert_int_equal(leak_judge_answered(&judge, &other, now_us), LEAK_ASK_AGAIN);
	find(&judge, now_us);
	/* Once is enough. */
	assert_int_equal(leak_judge_answered(&judge, &vip, now_us), LEAK_NOTHING);
	assert_int_equal(leak_judge_answered(&judge, &other, now_us), LEAK_NOTHING);
}

static void leak_is_over_after_silence(void **state)
{
	struct leak_judge judge = { 0 };
	uint64_t now_us = find(&judge, START_US);

	/* Frames are lost, and a host that mends itself must stay mended for a while. */
	for (int n = 0; n < 5; n++)
		assert_int_equal(leak_judge_silent(&judge, &vip, now_us + US_PER_S), LEAK_NOTHING);
	assert_int_equal(leak_judge_answered(&judge, &vip, now_us + 2 * US_PER_S), LEAK_NOTHING);
	now_us += 2 * US_PER_S + LEAK_JUDGE_HOLD_US;
	assert_int_equal(leak_judge_silent(&judge, &vip, now_us), LEAK_NOTHING);
	assert_int_equal(leak_judge_silent(&judge, &other, now_us), LEAK_NOTHING);
	assert_int_equal(leak_judge_silent(&judge, &vip, now_us), LEAK_OVER);
	assert_int_equal(leak_judge_silent(&judge, &vip, now_us), LEAK_NOTHING);
	find(&judge, now_us);
}

/* A neighbour that does not see the questions sends answers all the time. */
static void leak_is_not_believed_of_who_answers_unasked(void **state)
{
	struct leak_judge judge = { 0 };
	uint64_t now_us = START_US;

	assert_int_equal(leak_judge_answered(&judge, &vip, now_us), LEAK_ASK_AGAIN);
	assert_int_equal(leak_judge_answered(&judge, &vip, now_us), LEAK_ASK_AGAIN);
	leak_judge_noise(&judge, now_us);
	for (; now_us < START_US + LEAK_JUDGE_NOISE_US; now_us += US_PER_S)
		assert_int_equal(leak_judge_answered(&judge, &vip, now_us), LEAK_NOTHING);
	now_us = find(&judge, now_us);
	/* Nor does it keep one down by that. */
	leak_judge_noise(&judge, now_us);
	now_us += LEAK_JUDGE_HOLD_US;
	assert_int_equal(leak_judge_silent(&judge, &vip, now_us), LEAK_NOTHING);
	assert_int_equal(leak_judge_answered(&judge, &vip, now_us), LEAK_NOTHING);
	assert_int_equal(leak_judge_silent(&judge, &vip, now_us), LEAK_OVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leak_needs_answers_in_a_row),
		cmocka_unit_test(leak_is_over_after_silence),
		cmocka_unit_test(leak_is_not_believed_of_who_answers_unasked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
