/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/http/http_host.h"

static void http_host_tells_whom_a_browser_was_sent_to(void **state)
{
	static const struct {
		const char *host;
		bool ours;
	} cases[] = {
		{ NULL, true },
		{ "localhost", true },
		{ "LOCALHOST:9377", true },
		{ "127.0.0.1", true },
		{ "192.0.2.1:9377", true },
		{ "[2001:db8::1]", true },
		{ "[::1]:9377", true },
		{ "lb1", true },
		{ "lb1:9377", true },
		{ "lb1.example.net", true },
		{ "Lb1.Example.Net:80", true },
		{ "lb1.example", false },
		{ "lb", false },
		{ "rebound.example.com", false },
		{ "rebound.example.com:9377", false },
		{ "127.0.0.1.example.com", false },
		{ "localhost.example.com", false },
		{ "", false },
		{ ":80", false },
		{ "[::1", false },
		{ "[::1]x", false },
		{ "[localhost]", false },
	};

	ARRAY_FOREACH (test, cases, ARRAY_LEN(cases))
		if (http_host_is_ours(test->host, "lb1.example.net") != test->ours)
			fail_msg("%s", test->host ? test->host : "none");
}

static void http_host_without_a_name_has_addresses(void **state)
{
	char long_host[1000];

	assert_false(http_host_is_ours("a", ""));
	assert_true(http_host_is_ours("192.0.2.1", ""));
	memset(long_host, 'a', sizeof(long_host) - 1);
	long_host[sizeof(long_host) - 1] = '\0';
	assert_false(http_host_is_ours(long_host, long_host));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(http_host_tells_whom_a_browser_was_sent_to),
		cmocka_unit_test(http_host_without_a_name_has_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
