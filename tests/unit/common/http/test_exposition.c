/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "common/http/exposition.h"

enum { PACKETS, RATIO, UNUSED, FAMILIES };

static const struct exposition_family families[FAMILIES] = {
	[PACKETS] = { "x_packets_total", "Packets.", EXPOSITION_COUNTER },
	[RATIO] = { "x_ratio", "A share.", EXPOSITION_GAUGE },
	[UNUSED] = { "x_unused", "Nothing.", EXPOSITION_GAUGE },
};

static void assert_text(struct exposition *exposition, const char *expected)
{
	size_t size_bytes;
	char *text = exposition_take(exposition, &size_bytes);

	assert_non_null(text);
	assert_int_equal(size_bytes, strlen(expected));
	assert_memory_equal(text, expected, size_bytes);
	free(text);
	exposition_free(exposition);
}

static void exposition_keeps_families_together(void **state)
{
	struct exposition *exposition = exposition_new(families, FAMILIES);
	const struct exposition_label a[] = { { "backend", "a" }, { NULL, NULL } };
	const struct exposition_label b[] = { { "server", "s" }, { "backend", "b" },
		{ NULL, NULL } };

	exposition_count(exposition, PACKETS, a, UINT64_MAX);
	exposition_measure(exposition, RATIO, NULL, 0.25);
	exposition_count(exposition, PACKETS, b, 0);
	assert_text(exposition,
		"# HELP x_packets_total Packets.\n"
		"# TYPE x_packets_total counter\n"
		"x_packets_total{backend=\"a\"} 18446744073709551615\n"
		"x_packets_total{server=\"s\",backend=\"b\"} 0\n"
		"# HELP x_ratio A share.\n"
		"# TYPE x_ratio gauge\n"
		"x_ratio 0.25\n");
}

static void exposition_escapes_values(void **state)
{
	static const struct {
		const char *value, *expected;
	} cases[] = {
		{ "a\\b\"c\nd", "a\\\\b\\\"c\\nd" },
		{ "ü€𝄞", "ü€𝄞" },
		{ "\xff\x80", "??" },
		{ "\xc0\xaf", "??" },           /* not the shortest form */
		{ "\xed\xa0\x80", "???" },      /* a surrogate */
		{ "\xf4\x90\x80\x80", "????" }, /* beyond the last */
		{ "a\xe2\x82", "a??" },         /* cut */
		{ "", "" },
	};

	ARRAY_FOREACH (test, cases, ARRAY_LEN(cases)) {
		struct exposition *exposition = exposition_new(families, FAMILIES);
		const struct exposition_label labels[] = { { "v", test->value }, { NULL, NULL } };
		char expected[256];

		exposition_count(exposition, PACKETS, labels, 1);
		snprintf(expected, sizeof(expected),
			"# HELP x_packets_total Packets.\n# TYPE x_packets_total counter\n"
			"x_packets_total{v=\"%s\"} 1\n",
			test->expected);
		assert_text(exposition, expected);
	}
}

static void exposition_writes_all_numbers(void **state)
{
	struct exposition *exposition = exposition_new(families, FAMILIES);

	exposition_measure(exposition, RATIO, NULL, NAN);
	exposition_measure(exposition, RATIO, NULL, INFINITY);
	exposition_measure(exposition, RATIO, NULL, -INFINITY);
	exposition_measure(exposition, RATIO, NULL, 1795949263.125);
	exposition_measure(exposition, RATIO, NULL, 0);
	assert_text(exposition,
		"# HELP x_ratio A share.\n# TYPE x_ratio gauge\n"
		"x_ratio NaN\nx_ratio +Inf\nx_ratio -Inf\nx_ratio 1795949263.125\nx_ratio 0\n");
}

static void exposition_of_nothing_is_empty(void **state)
{
	assert_text(exposition_new(families, FAMILIES), "");
}

static void exposition_grows(void **state)
{
	struct exposition *exposition = exposition_new(families, FAMILIES);
	size_t size_bytes, lines = 0;
	char *text;

	for (uint64_t i = 0; i < 10000; i++)
		exposition_count(exposition, PACKETS, NULL, i);
	text = exposition_take(exposition, &size_bytes);
	for (size_t i = 0; i < size_bytes; i++)
		lines += text[i] == '\n';
	assert_int_equal(lines, 10002);
	free(text);
	exposition_free(exposition);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exposition_keeps_families_together),
		cmocka_unit_test(exposition_escapes_values),
		cmocka_unit_test(exposition_writes_all_numbers),
		cmocka_unit_test(exposition_of_nothing_is_empty),
		cmocka_unit_test(exposition_grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
