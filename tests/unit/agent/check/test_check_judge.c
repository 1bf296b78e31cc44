/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fall, rise, the first proof, and what several checks say together. */
#include "agent/check/check_judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct check_rules rules = { .fall = 3, .rise = 2 };

static struct check_health begin(bool excused)
{
	struct check_health health;

	check_judge_begin(&health, "tcp:80 on 198.51.100.10", excused, 5);
	return health;
}

static bool feed(struct check_health *health, enum check_outcome outcome, const char *text)
{
	return check_judge_result(health, &rules, outcome, text, 7);
}

static void judge_one_success_is_the_first_proof(void **state)
{
	struct check_health health = begin(false);

	assert_int_equal(health.state, CHECK_STATE_PENDING);
	assert_string_equal(health.reason, "check tcp:80 on 198.51.100.10: not yet proven");
	assert_true(feed(&health, CHECK_WELL, ""));
	assert_int_equal(health.state, CHECK_STATE_UP);
	assert_int_equal(health.since_us, 7);
	assert_string_equal(health.reason, "");
	assert_false(feed(&health, CHECK_WELL, ""));
}

static void judge_a_failure_before_the_proof_says_why(void **state)
{
	struct check_health health = begin(false);

	assert_true(feed(&health, CHECK_FAILED, "nothing accepts"));
	assert_int_equal(health.state, CHECK_STATE_PENDING);
	assert_string_equal(health.reason, "nothing accepts");
	assert_false(feed(&health, CHECK_FAILED, "nothing accepts"));
	assert_true(feed(&health, CHECK_FAILED, "nothing accepts"));
	assert_int_equal(health.state, CHECK_STATE_DOWN);
	/* Still the first of all. */
	assert_true(feed(&health, CHECK_WELL, ""));
	assert_int_equal(health.state, CHECK_STATE_UP);
}

static void judge_falls_and_rises_by_count(void **state)
{
	struct check_health health = begin(false);

	feed(&health, CHECK_WELL, "");
	assert_false(feed(&health, CHECK_FAILED, "no"));
	assert_false(feed(&health, CHECK_FAILED, "no"));
	assert_false(feed(&health, CHECK_WELL, ""));
	assert_false(feed(&health, CHECK_FAILED, "no"));
	assert_false(feed(&health, CHECK_FAILED, "no"));
	assert_true(feed(&health, CHECK_FAILED, "no"));
	assert_int_equal(health.state, CHECK_STATE_DOWN);
	assert_string_equal(health.reason, "no");
	assert_false(feed(&health, CHECK_WELL, ""));
	assert_false(feed(&health, CHECK_FAILED, "no"));
	assert_false(feed(&health, CHECK_WELL, ""));
	assert_int_equal(health.state, CHECK_STATE_DOWN);
	assert_true(feed(&health, CHECK_WELL, ""));
	assert_int_equal(health.state, CHECK_STATE_UP);
}

static void judge_is_down_or_drains_at_once(void **state)
{
	struct check_health health = begin(false);

	feed(&health, CHECK_WELL, "");
	assert_true(feed(&health, CHECK_DEAD, "unit x is failed"));
	assert_int_equal(health.state, CHECK_STATE_DOWN);
	assert_true(feed(&health, CHECK_GONE, "file x is not there"));
	assert_int_equal(health.state, CHECK_STATE_DRAIN);
	assert_true(feed(&health, CHECK_WELL, ""));
	assert_int_equal(health.state, CHECK_STATE_UP);
}

static void judge_a_warning_is_up_and_shown(void **state)
{
	struct check_health health = begin(false);

	assert_true(feed(&health, CHECK_WARNS, "DISK \x1b[31mWARNING\xc3\xa4"));
	assert_int_equal(health.state, CHECK_STATE_UP);
	assert_true(health.warns);
	assert_string_equal(health.reason, "DISK ?[31mWARNING??");
	assert_false(feed(&health, CHECK_WARNS, "DISK \x1b[31mWARNING\xc3\xa4"));
	assert_true(feed(&health, CHECK_WELL, ""));
	assert_false(health.warns);
	assert_string_equal(health.reason, "");
}

static struct check_verdict together(const struct check_health *healths, size_t n)
{
	struct check_verdict verdict = { 0 };
	size_t n_unwell = 0;

	ARRAY_FOREACH (health, healths, n)
		check_judge_add(&verdict, health, &n_unwell);
	check_judge_end(&verdict, n_unwell);
	return verdict;
}

static void judge_the_worst_goes_first(void **state)
{
	struct check_health healths[4];
	struct check_verdict verdict;

	for (size_t idx = 0; idx < ARRAY_LEN(healths); idx++) {
		healths[idx] = begin(false);
		feed(&healths[idx], CHECK_WELL, "");
	}
	verdict = together(healths, ARRAY_LEN(healths));
	assert_int_equal(verdict.state, CHECK_STATE_UP);
	assert_string_equal(verdict.reason.text, "");
	feed(&healths[0], CHECK_GONE, "gone");
	verdict = together(healths, ARRAY_LEN(healths));
	assert_int_equal(verdict.state, CHECK_STATE_DRAIN);
	assert_string_equal(verdict.reason.text, "gone");
	feed(&healths[1], CHECK_DEAD, "first");
	feed(&healths[3], CHECK_DEAD, "second");
	verdict = together(healths, ARRAY_LEN(healths));
	assert_int_equal(verdict.state, CHECK_STATE_DOWN);
	assert_string_equal(verdict.reason.text, "first and 2 more");
}

static void judge_waits_for_what_has_not_run(void **state)
{
	struct check_health healths[2] = { begin(false), begin(false) };
	struct check_verdict verdict = together(healths, 2);

	assert_true(verdict.undecided);
	assert_int_equal(verdict.state, CHECK_STATE_PENDING);
	assert_string_equal(
		verdict.reason.text, "check tcp:80 on 198.51.100.10: not yet proven and 1 more");
	feed(&healths[0], CHECK_WELL, "");
	assert_true(together(healths, 2).undecided);
	feed(&healths[1], CHECK_FAILED, "no");
	assert_false(together(healths, 2).undecided);
	healths[0] = begin(false);
	assert_false(together(healths, 2).undecided);
}

static void judge_excuses_what_is_new_on_a_host_that_serves(void **state)
{
	struct check_health health = begin(true);

	assert_int_equal(together(&health, 1).state, CHECK_STATE_UP);
	feed(&health, CHECK_FAILED, "no");
	assert_int_equal(together(&health, 1).state, CHECK_STATE_UP);
	feed(&health, CHECK_FAILED, "no");
	feed(&health, CHECK_FAILED, "no");
	assert_int_equal(together(&health, 1).state, CHECK_STATE_DOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judge_one_success_is_the_first_proof),
		cmocka_unit_test(judge_a_failure_before_the_proof_says_why),
		cmocka_unit_test(judge_falls_and_rises_by_count),
		cmocka_unit_test(judge_is_down_or_drains_at_once),
		cmocka_unit_test(judge_a_warning_is_up_and_shown),
		cmocka_unit_test(judge_the_worst_goes_first),
		cmocka_unit_test(judge_waits_for_what_has_not_run),
		cmocka_unit_test(judge_excuses_what_is_new_on_a_host_that_serves),
	};

	return cmocka_run_group_tests_name("agent/check_judge", tests, NULL, NULL);
}
