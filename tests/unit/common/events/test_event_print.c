/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events as lines: what each format says of what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/events/event.h"
#include "common/events/event_print.h"

#define AT UINT64_C(1796083200123456)

static char services[2][EVENT_SERVICE_BYTES] = { "[198.51.100.10]:tcp:80",
	"[2001:db8::10]:udp:53-54" };

static const struct event death = {
	.message = EVENT_BACKEND_STATE,
	.backend = "web1",
	.address = "192.0.2.11",
	.old = "up",
	.now = "down",
	.reason = "no answer to 3 heartbeats",
	.services = services,
	.n_services = 2,
};

static void assert_prints(const struct event *event, const char *words, enum event_format format,
	const char *expected)
{
	_cleanup_free_ char *line = event_json(event, 1, AT, words);
	json_t *json = json_loads(line, 0, NULL);
	_cleanup_free_ char *text = event_print(json, format);

	assert_string_equal(text, expected);
	json_decref(json);
}

static void text_is_time_and_words(void **state)
{
	assert_prints(&death, "backend web1: up -> down: no answer to 3 heartbeats",
		EVENT_FORMAT_TEXT,
		"2026-12-01T00:00:00.123Z backend web1: up -> down: no answer to 3 heartbeats\n");
}

static void keepalived_has_a_line_for_each_service(void **state)
{
	struct event event = death;

	assert_prints(&event, "", EVENT_FORMAT_KEEPALIVED,
		"RS [192.0.2.11]:tcp:80 [198.51.100.10]:tcp:80 DOWN\n"
		"RS [192.0.2.11]:udp:53-54 [2001:db8::10]:udp:53-54 DOWN\n");
	event.old = "pending";
	event.now = "up";
	event.n_services = 1;
	assert_prints(&event, "", EVENT_FORMAT_KEEPALIVED,
		"RS [192.0.2.11]:tcp:80 [198.51.100.10]:tcp:80 UP\n");
}

static void keepalived_knows_up_and_down_alone(void **state)
{
	static const struct {
		const char *old, *now, *expected;
	} cases[] = {
		{ "up", "drain", "RS [192.0.2.11]:tcp:80 [198.51.100.10]:tcp:80 DOWN\n" },
		{ "drain", "down", "" },
		{ "down", "pending", "" },
		{ "up", "up", "" },
		{ "maint", "up", "RS [192.0.2.11]:tcp:80 [198.51.100.10]:tcp:80 UP\n" },
	};
	struct event event = death;

	event.n_services = 1;
	ARRAY_FOREACH (each, cases, ARRAY_LEN(cases)) {
		event.old = each->old;
		event.now = each->now;
		assert_prints(&event, "", EVENT_FORMAT_KEEPALIVED, each->expected);
	}
}

static void keepalived_has_virtual_servers(void **state)
{
	struct event event = {
		.message = EVENT_VIRTUAL_SERVER,
		.virtual_server = "web",
		.old = "not ready",
		.now = "ready",
		.services = services,
		.n_services = 1,
	};

	assert_prints(&event, "", EVENT_FORMAT_KEEPALIVED, "VS [198.51.100.10]:tcp:80 UP\n");
	event.old = "ready";
	event.now = "not ready";
	assert_prints(&event, "", EVENT_FORMAT_KEEPALIVED, "VS [198.51.100.10]:tcp:80 DOWN\n");
}

/* A MAC that was "up" is no state. */
static void keepalived_has_no_line_of_others(void **state)
{
	struct event event = death;

	for (int i = 0; i < EVENT_MESSAGE_N_; i++) {
		event.message = (enum event_message)i;
		if (i != EVENT_BACKEND_STATE && i != EVENT_BACKEND_LEFT)
			assert_prints(&event, "", EVENT_FORMAT_KEEPALIVED, "");
	}
}

static void what_is_no_event_prints_as_nothing_much(void **state)
{
	json_t *json = json_loads("{\"services\":[7,\"x\"],\"old\":\"up\"}", 0, NULL);
	_cleanup_free_ char *keepalived = event_print(json, EVENT_FORMAT_KEEPALIVED);
	_cleanup_free_ char *text = event_print(json, EVENT_FORMAT_TEXT);

	assert_string_equal(keepalived, "");
	assert_string_equal(text, " \n");
	json_decref(json);
}

static void formats_have_names(void **state)
{
	enum event_format format = EVENT_FORMAT_N_;

	assert_true(event_format_parse("keepalived", &format));
	assert_int_equal(format, EVENT_FORMAT_KEEPALIVED);
	assert_true(event_format_parse("text", &format));
	assert_int_equal(format, EVENT_FORMAT_TEXT);
	assert_false(event_format_parse("xml", &format));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_time_and_words),
		cmocka_unit_test(keepalived_has_a_line_for_each_service),
		cmocka_unit_test(keepalived_knows_up_and_down_alone),
		cmocka_unit_test(keepalived_has_virtual_servers),
		cmocka_unit_test(keepalived_has_no_line_of_others),
		cmocka_unit_test(what_is_no_event_prints_as_nothing_much),
		cmocka_unit_test(formats_have_names),
	};

	return cmocka_run_group_tests_name("event_print", tests, NULL, NULL);
}
