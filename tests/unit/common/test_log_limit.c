/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line a minute and source, sixty in all. */
#include "common/log_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define START_US (5 * US_PER_S)

static struct addr source_of(uint32_t number)
{
	struct addr source = { .family = AF_INET };

	memcpy(source.bytes, &number, sizeof(number));
	return source;
}

static void log_limit_is_due_once_a_minute_and_source(void **state)
{
	struct log_limit limit = { 0 };
	struct addr source = source_of(1);
	uint64_t silenced;
	bool many;

	assert_true(log_limit_is_due(&limit, &source, START_US, &silenced, &many));
	for (int n = 0; n < 5; n++)
		assert_false(log_limit_is_due(&limit, &source, START_US + 1, &silenced, &many));
	assert_true(log_limit_is_due(&limit, &source, START_US + LOG_LIMIT_US, &silenced, &many));
	assert_int_equal(silenced, 5);
	assert_false(many);
}

static void log_limit_is_sixty_lines_a_minute_for_20000_sources(void **state)
{
	struct log_limit limit = { 0 };
	uint64_t silenced;
	bool many;

	for (uint64_t minute = 0; minute < 3; minute++) {
		unsigned int n_lines = 0;

		for (uint32_t number = 0; number < 20000; number++) {
			struct addr source = source_of(number);

			n_lines += log_limit_is_due(&limit, &source,
				START_US + minute * LOG_LIMIT_US + number, &silenced, &many);
		}
		assert_int_equal(n_lines, LOG_LIMIT_LINES_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(log_limit_is_due_once_a_minute_and_source),
		cmocka_unit_test(log_limit_is_sixty_lines_a_minute_for_20000_sources),
	};

	return cmocka_run_group_tests_name("common/log_limit", tests, NULL, NULL);
}
