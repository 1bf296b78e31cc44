/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a report knows of the keys of a configuration that was refused. */
#include "common/ini/ini.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct host {
	uint32_t port, weight;
	struct ini_list words;
};

static void *host_open(void *context, const char *name, struct why *ret_why)
{
	return context;
}

static const struct ini_key host_keys[] = {
	{ "port", ini_parse_u32, offsetof(struct host, port), .max = 9, .default_value = "7" },
	{ "weight", ini_parse_u32, offsetof(struct host, weight), .max = 9 },
	{ "word", ini_parse_string_list, offsetof(struct host, words), .flags = INI_LIST },
};
static const struct ini_section sections[] = {
	{ "host", false, host_keys, ARRAY_LEN(host_keys), host_open },
	{ "guest", true, host_keys, ARRAY_LEN(host_keys), host_open },
};

static struct ini_report *load(const char *text, struct host *host)
{
	struct ini_report *report = NULL;

	(void)ini_load_text("t", text, strlen(text), sections, ARRAY_LEN(sections), host, &report);
	assert_non_null(report);
	return report;
}

static void report_knows_values_in_force(void **state)
{
	struct host host = { 0 };
	_cleanup_(ini_report_freep) struct ini_report *report =
		load("[host]\nweight = 3\nword = a\nword = b, c\n", &host);

	assert_string_equal(ini_report_value(report, "host", NULL, "weight"), "3");
	assert_string_equal(ini_report_value(report, "host", NULL, "port"), "7");
	assert_string_equal(ini_report_value(report, "host", NULL, "word"), "a, b, c");
	assert_null(ini_report_value(report, "guest", "absent", "port"));
	assert_null(ini_report_value(report, "host", NULL, "absent"));
	ini_list_clear_strings(&host.words);
}

/* `port` has its default, `weight` and `word` are set: well in every case but where that is said. */
static void report_does_not_know_what_was_refused(void **state)
{
	static const struct {
		const char *line;
		bool port, weight, word; /* unknown */
	} cases[] = {
		{ "", false, false, false },
		{ "port = 10", true, false, false },
		{ "port =", true, false, false },
		{ "weight = 4", false, true, false }, /* a second one */
		{ "word = d,", false, false, true },
		{ "prot = 3", true, false, false },
		{ " port = 3", true, false, false },
		{ "port 3", true, false, false },
		{ "[guest g]\nprot = 3", false, false, false },
		{ "[guest g]\nport = 10", false, false, false },
		{ "[hots]\nport = 3", true, false, false },
		{ "[guest]\nport = 3", false, false, false },
	};

	ARRAY_FOREACH (each, cases, ARRAY_LEN(cases)) {
		struct host host = { 0 };
		_cleanup_(ini_report_freep) struct ini_report *report = NULL;
		char text[256];

		snprintf(text, sizeof(text), "[host]\nweight = 3\nword = a\n%s\nword = e\n",
			each->line[0] == '[' ? "" : each->line);
		if (each->line[0] == '[')
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s\n",
				each->line);
		report = load(text, &host);
		if (ini_report_is_unknown(report, "host", NULL, "port") != each->port ||
			ini_report_is_unknown(report, "host", NULL, "weight") != each->weight ||
			ini_report_is_unknown(report, "host", NULL, "word") != each->word)
			fail_msg("after \"%s\"", each->line);
		if (each->port)
			assert_null(ini_report_value(report, "host", NULL, "port"));
		ini_list_clear_strings(&host.words);
	}
}

static void report_knows_nothing_of_a_file_that_is_not_there(void **state)
{
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	struct host host = { 0 };

	assert_int_equal(
		ini_load("/nonexistent/t", sections, ARRAY_LEN(sections), &host, &report), -EINVAL);
	assert_true(ini_report_is_unknown(report, "host", NULL, "port"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(report_knows_values_in_force),
		cmocka_unit_test(report_does_not_know_what_was_refused),
		cmocka_unit_test(report_knows_nothing_of_a_file_that_is_not_there),
	};

	return cmocka_run_group_tests_name("ini_report", tests, NULL, NULL);
}
