/* SPDX-License-Identifier: GPL-2.0-or-later */
/* URLs of HTTP checks in their parts; what is none is said. */
#include "common/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void url_has_parts(void **state)
{
	static const struct {
		const char *text, *authority, *target;
		uint16_t port;
	} cases[] = {
		{ "http://www.example.org/", "www.example.org", "/", 0 },
		{ "HTTP://a:1/b?c=%20", "a:1", "/b?c=%20", 1 },
		{ "http://[2001:db8::1]:65535/x", "[2001:db8::1]:65535", "/x", 65535 },
		{ "http://[::1]/", "[::1]", "/", 0 },
		{ "http://192.0.2.1//", "192.0.2.1", "//", 0 },
	};

	ARRAY_FOREACH (one, cases, ARRAY_LEN(cases)) {
		struct why why = { 0 };
		struct url url;

		assert_int_equal(url_parse(one->text, &url, &why), 0);
		assert_int_equal(url.authority_bytes, strlen(one->authority));
		assert_memory_equal(url.authority, one->authority, url.authority_bytes);
		assert_string_equal(url.target, one->target);
		assert_int_equal(url.port, one->port);
	}
}

static void url_says_what_is_wrong(void **state)
{
	static const char *const cases[][2] = {
		{ "https://a/", "names no host" },
		{ "a/", "names no host" },
		{ "", "names no host" },
		{ "http://", "names no host" },
		{ "http:///a", "names no host" },
		{ "http://u@a/", "names no host" },
		{ "http://[::1/", "names no host" },
		{ "http://[]/", "names no host" },
		{ "http://a\r\n/", "names no host" },
		{ "http://a:/", "has no good port" },
		{ "http://a:0/", "has no good port" },
		{ "http://a:65536/", "has no good port" },
		{ "http://a:99999999999999999999/", "has no good port" },
		{ "http://a", "has no path" },
		{ "http://a:80x/", "has no path" },
		{ "http://[::1]x/", "has no path" },
		{ "http://a/b c", "is no URL" },
		{ "http://a/b\r\nHost: c", "is no URL" },
		{ "http://a/\xc3\xa4", "is no URL" },
		{ "http://a/#b", "is no URL" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct why why = { 0 };
		struct url url;

		assert_int_equal(url_parse(cases[i][0], &url, &why), -EINVAL);
		if (!strstr(why.text, cases[i][1]))
			fail_msg("'%s' is not in '%s'", cases[i][1], why.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(url_has_parts),
		cmocka_unit_test(url_says_what_is_wrong) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
