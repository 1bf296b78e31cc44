/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values of `unit` and `check`: what each means, and why another is refused. */
#include "agent/config/check_spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct check_spec *parse(const char *text)
{
	struct check_spec *spec = NULL;
	struct why why = { 0 };

	if (check_spec_parse(text, &spec, &why) < 0)
		fail_msg("%s: %s", text, why.text);
	assert_string_equal(spec->text, text);
	return spec;
}

static void check_spec_takes_ports(void **state)
{
	struct check_spec *spec = parse("tcp:65535");

	assert_int_equal(spec->kind, CHECK_SPEC_TCP);
	assert_int_equal(spec->port, 65535);
	assert_true(check_spec_is_of_vip(spec));
	check_spec_free(spec);
}

static void check_spec_takes_urls_with_options(void **state)
{
	struct check_spec *spec = parse(
		"http://www.example.org:8080/a/b?c=(d)&e=;f status=200,301-303 body='it works'");

	assert_int_equal(spec->kind, CHECK_SPEC_HTTP);
	assert_string_equal(spec->subject, "http://www.example.org:8080/a/b?c=(d)&e=;f");
	assert_int_equal(spec->port, 8080);
	assert_int_equal(spec->n_statuses, 2);
	assert_int_equal(spec->statuses[1].first, 301);
	assert_int_equal(spec->statuses[1].last, 303);
	assert_string_equal(spec->body, "it works");
	check_spec_free(spec);

	spec = parse("http://[2001:db8::1]/");
	assert_int_equal(spec->port, 80);
	assert_int_equal(spec->n_statuses, 1);
	assert_int_equal(spec->statuses[0].first, 200);
	assert_int_equal(spec->statuses[0].last, 399);
	assert_null(spec->body);
	check_spec_free(spec);
}

static void check_spec_splits_commands_as_systemd_does(void **state)
{
	static const char *const words[] = { "/bin/sh", "-c", "a | b", "c d", "e\"f", "", "g h",
		NULL };
	struct check_spec *spec = parse("exec:/bin/sh  -c 'a | b' \"c d\" e\\\"f '' g\\ h");

	assert_int_equal(spec->kind, CHECK_SPEC_EXEC);
	for (size_t idx = 0; words[idx]; idx++)
		assert_string_equal(spec->argv[idx], words[idx]);
	assert_null(spec->argv[ARRAY_LEN(words) - 1]);
	assert_false(check_spec_is_of_vip(spec));
	check_spec_free(spec);
}

static void check_spec_takes_files_with_blanks(void **state)
{
	struct check_spec *spec = parse("file:/run/my service");

	assert_int_equal(spec->kind, CHECK_SPEC_FILE);
	assert_string_equal(spec->subject, "/run/my service");
	check_spec_free(spec);
}

static void check_spec_refuses_with_the_mend(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "tcp:", "has no port; write tcp:80" },
		{ "tcp:0", "has no port; write tcp:80" },
		{ "tcp:65536", "has no port; write tcp:80" },
		{ "tcp:4294967376", "has no port; write tcp:80" },
		{ "tcp:80 ", "has no port; write tcp:80" },
		{ "udp:53", "is no check; write tcp:PORT" },
		{ "", "is no check; write tcp:PORT" },
		{ "https://www/", "https is not spoken here" },
		{ "http://", "names no host; write http://HOST" },
		{ "http:///a", "names no host; write http://HOST" },
		{ "http://a b/", "has no path" },
		{ "http://a", "has no path; write http://HOST" },
		{ "http://a:0/", "has no good port" },
		{ "http://a:99999/", "has no good port" },
		{ "http://a:/", "has no good port" },
		{ "http://user@a/", "names no host" },
		{ "http://[::1/", "names no host" },
		{ "http://a/#b", "is no URL" },
		{ "http://a/ status=99", "is no list of statuses" },
		{ "http://a/ status=300-200", "is no list of statuses" },
		{ "http://a/ status=200,", "is no list of statuses" },
		{ "http://a/ state=200", "is not known here" },
		{ "http://a/ body=", "names no text" },
		{ "http://a/ body=a body=b", "is given twice" },
		{ "http://a/ body='a", "a quote (') is not closed" },
		{ "exec:", "does not begin with the absolute path" },
		{ "exec:check_disk", "does not begin with the absolute path" },
		{ "exec:/nonexistent/check", "cannot run /nonexistent/check: No such file" },
		{ "exec:/etc/passwd", "it is no program" },
		{ "exec:/etc", "it is no program" },
		{ "exec:/bin/sh -c true | false", "'|' means nothing without a shell" },
		{ "exec:/bin/sh $HOME", "'$' means nothing without a shell" },
		{ "file:here", "is no absolute path" },
	};

	ARRAY_FOREACH (item, cases, ARRAY_LEN(cases)) {
		struct check_spec *spec = NULL;
		struct why why = { 0 };

		assert_int_equal(check_spec_parse(item->text, &spec, &why), -EINVAL);
		assert_null(spec);
		if (!strstr(why.text, item->why))
			fail_msg("%s gave: %s", item->text, why.text);
	}
}

static void check_spec_has_limits(void **state)
{
	char text[CHECK_SPEC_TEXT_MAX + 2] = "file:/";
	struct check_spec *spec = NULL;
	struct why why = { 0 };

	memset(text + 6, 'x', CHECK_SPEC_TEXT_MAX - 6);
	spec = parse(text);
	check_spec_free(spec);
	text[CHECK_SPEC_TEXT_MAX] = 'x';
	spec = NULL;
	assert_int_equal(check_spec_parse(text, &spec, &why), -EINVAL);
	assert_non_null(strstr(why.text, "longer than 512 bytes"));
	memcpy(text, "exec:/bin/sh", 12);
	for (size_t idx = 12; idx < CHECK_SPEC_TEXT_MAX; idx++)
		text[idx] = idx % 2 ? 'x' : ' ';
	text[12 + 2 * 63] = '\0';
	check_spec_free(parse(text));
	memcpy(&text[12 + 2 * 63], " x", 3);
	spec = NULL;
	assert_int_equal(check_spec_parse(text, &spec, &why), -EINVAL);
	assert_non_null(strstr(why.text, "more than 64 words"));
}

static void check_spec_completes_names_of_units(void **state)
{
	static const char *const bad[] = { "", "a/b.service", ".service", "nginx.conf",
		"a@.service", "a b", "@x.service" };
	struct check_spec *spec = NULL;
	struct why why = { 0 };

	assert_int_equal(check_spec_parse_unit("nginx", &spec, &why), 0);
	assert_string_equal(spec->subject, "nginx.service");
	assert_string_equal(spec->text, "unit:nginx.service");
	spec = check_spec_free(spec);
	assert_int_equal(check_spec_parse_unit("a@b\\x2d1.socket", &spec, &why), 0);
	assert_string_equal(spec->subject, "a@b\\x2d1.socket");
	spec = check_spec_free(spec);
	ARRAY_FOREACH (name, bad, ARRAY_LEN(bad)) {
		assert_int_equal(check_spec_parse_unit(*name, &spec, &why), -EINVAL);
		assert_non_null(strstr(why.text, "is no name of a systemd unit"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_spec_takes_ports),
		cmocka_unit_test(check_spec_takes_urls_with_options),
		cmocka_unit_test(check_spec_splits_commands_as_systemd_does),
		cmocka_unit_test(check_spec_takes_files_with_blanks),
		cmocka_unit_test(check_spec_refuses_with_the_mend),
		cmocka_unit_test(check_spec_has_limits),
		cmocka_unit_test(check_spec_completes_names_of_units),
	};

	return cmocka_run_group_tests_name("agent/check_spec", tests, NULL, NULL);
}
