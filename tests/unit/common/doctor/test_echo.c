/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Echo requests of two sizes, to this host itself and to nobody. In a network namespace of its own. */
#include "common/doctor/echo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/os/clock.h"
#include "tests/unit/tools/namespace.h"

static struct echo_target target(const char *text, uint32_t mtu_bytes)
{
	struct echo_target made = { .mtu_bytes = mtu_bytes };

	assert_int_equal(addr_parse(text, &made.addr), 0);
	return made;
}

static void who_is_there_answers_both(void **state)
{
	struct echo_target targets[] = { target("127.0.0.1", 1500), target("::1", 1500),
		target("127.0.0.2", UINT32_MAX) };

	if (!namespace_make())
		skip();
	assert_int_equal(system("ip link set lo up"), 0);
	assert_int_equal(echo_probe(targets, ARRAY_LEN(targets)), 0);
	ARRAY_FOREACH (each, targets, ARRAY_LEN(targets)) {
		assert_true(each->answers);
		assert_true(each->answers_full);
	}
}

static void a_link_that_is_too_small_takes_small_ones_alone(void **state)
{
	struct echo_target targets[] = { target("127.0.0.1", 9000), target("192.0.2.1", 1500) };
	uint64_t begin_us = clock_now_us();

	if (!namespace_make())
		skip();
	assert_int_equal(system("ip link set lo up mtu 1500"), 0);
	assert_int_equal(echo_probe(targets, ARRAY_LEN(targets)), 0);
	assert_true(targets[0].answers);
	assert_false(targets[0].answers_full);
	assert_false(targets[1].answers);
	/* Nobody is waited for any longer; twice as long is a busy machine's. */
	assert_true(clock_now_us() - begin_us < 10 * ECHO_WAIT_US);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_there_answers_both),
		cmocka_unit_test(a_link_that_is_too_small_takes_small_ones_alone),
	};

	return cmocka_run_group_tests_name("echo", tests, NULL, NULL);
}
