/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Times and sizes as they are written in configuration files. */
#include "common/ini/ini.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void ini_parses_durations(void **state)
{
	static const struct {
		const char *text;
		int result;
		uint64_t us;
	} cases[] = {
		{ "0", 0, 0 },
		{ "7", 0, 7000000 },
		{ "300ms", 0, 300000 },
		{ "300 ms", 0, 300000 },
		{ "15us", 0, 15 },
		{ "2s", 0, 2000000 },
		{ "5min", 0, 300000000 },
		{ "24h", 0, 86400000000 },
		{ "", -EINVAL, 0 },
		{ "s", -EINVAL, 0 },
		{ "-1s", -EINVAL, 0 },
		{ "1.5s", -EINVAL, 0 },
		{ "5 minutes", -EINVAL, 0 },
		{ "5m", -EINVAL, 0 },
		{ "5S", -EINVAL, 0 },
		{ "1s2", -EINVAL, 0 },
		{ "18446744073709551615us", 0, UINT64_MAX },
		{ "18446744073709551616us", -ERANGE, 0 },
		{ "18446744073709551615", -ERANGE, 0 },
	};

	ARRAY_FOREACH (item, cases, ARRAY_LEN(cases)) {
		uint64_t us = 0;

		assert_int_equal(ini_duration_parse(item->text, &us), item->result);
		assert_int_equal(us, item->us);
	}
}

static void ini_parses_sizes(void **state)
{
	static const struct {
		const char *text;
		int result;
		uint64_t size_bytes;
	} cases[] = {
		{ "0", 0, 0 },
		{ "1000", 0, 1000 },
		{ "64k", 0, 65536 },
		{ "64K", 0, 65536 },
		{ "1M", 0, 1048576 },
		{ "2G", 0, UINT64_C(2147483648) },
		{ "1T", -EINVAL, 0 },
		{ "1kB", -EINVAL, 0 },
		{ "k", -EINVAL, 0 },
		{ "18446744073709551615k", -ERANGE, 0 },
	};

	ARRAY_FOREACH (item, cases, ARRAY_LEN(cases)) {
		uint64_t size = 0;

		assert_int_equal(ini_size_parse(item->text, &size), item->result);
		assert_int_equal(size, item->size_bytes);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(ini_parses_durations),
		cmocka_unit_test(ini_parses_sizes),
	};

	return cmocka_run_group_tests_name("ini_value", tests, NULL, NULL);
}
