/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames of `top` at 80 columns and fewer, rates, orders; and the line that says whether all is well. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lb/client/top_frame.h"
#include "lb/client/verdict.h"

/* Counters at the numbers given; web2 is down when asked for. */
static json_t *document(int uptime_s, int packets1, int packets2, bool down)
{
	return json_pack(
		"{s:s, s:s, s:s, s:b, s:i, s:i, s:{s:i, s:i, s:i, s:i}, s:{s:i, s:i}, s:[{s:s, s:b, s:s, s:i, s:i, "
		"s:[{s:s, s:s, s:s, s:i, s:i, s:i, s:i}, {s:s, s:s, s:s, s:i, s:i, s:i, s:i}]}]}",
		"version", "1", "mode", "xdp", "interface", "eth0", "active", 1, "uptime_s",
		uptime_s, "health", (int)down, "packets", "received", packets1 + packets2,
		"forwarded", packets1 + packets2, "passed", 0, "dropped", 0, "flow_table",
		"entries", 12, "capacity", 1000000, "virtual_servers", "name", "web", "ready", 1,
		"ready_reason", "", "packets", packets1 + packets2, "syns",
		(packets1 + packets2) / 10, "backends", "name", "web1", "state", "up", "reason", "",
		"packets", packets1, "syns", packets1 / 10, "established", 5, "effective_weight", 1,
		"name", "web2", "state", down ? "down" : "up", "reason",
		down ? "no answer to 3 heartbeats, and a reason that is longer than a line of eighty "
		       "columns can hold"
		     : "",
		"packets", packets2, "syns", packets2 / 10, "established", 7, "effective_weight",
		down ? 0 : 3);
}

static void assert_frame(const json_t *before, const json_t *now, enum top_sort sort,
	size_t columns, const char *expected)
{
	const struct top_view view = { .sort = sort, .columns = columns };
	_cleanup_free_ char *text = NULL;
	struct top_frame frame;
	size_t text_bytes = 0;
	FILE *out = open_memstream(&text, &text_bytes);

	top_frame_make(before, now, 2, &view, &frame);
	ARRAY_FOREACH (line, frame.lines, frame.len) {
		assert_true(strlen(line->text) <= columns);
		(void)fprintf(out, "%s\n", line->text);
	}
	assert_int_equal(fclose(out), 0);
	if (expected)
		assert_string_equal(text, expected);
	top_frame_clear(&frame);
}

static void a_frame_has_rates_and_shares_against_weights(void **state)
{
	json_t *before = document(10, 1000, 1000, false), *now = document(12, 3000, 7000, false);

	assert_frame(before, now, TOP_SORT_NAME, 80,
		"dsr-lb 1, mode xdp on eth0, active\n"
		"All is well: 1 of 1 virtual servers ready, 2 of 2 backends up.\n"
		"packets/s: 4000 received, 4000 forwarded, 0 passed, 0 dropped\n"
		"flows: 12 of 1.0M recorded\n"
		"\n"
		"NAME                         STATE      PKTS/S  SYNS/S   ESTAB   SHARE  WEIGHT\n"
		"web                          ready        4000     400       -       -       -\n"
		"  web1                       up           1000     100       5   25.0%   25.0%\n"
		"  web2                       up           3000     300       7   75.0%   75.0%\n");
	json_decref(before);
	json_decref(now);
}

static void a_reason_is_wrapped_not_cut(void **state)
{
	json_t *now = document(12, 3000, 7000, true);

	/* Without an earlier sample rates are not known. */
	assert_frame(NULL, now, TOP_SORT_STATE, 80,
		"dsr-lb 1, mode xdp on eth0, active\n"
		"Degraded: 1 of 2 backends are not up; web2 is down (no answer to 3 heartbeats,\n"
		"and a reason that is longer than a line of eighty columns can hold). `dsr-lb\n"
		"doctor` says what mends it.\n"
		"packets/s: - received, - forwarded, - passed, - dropped\n"
		"flows: 12 of 1.0M recorded\n"
		"\n"
		"NAME                         STATE      PKTS/S  SYNS/S   ESTAB   SHARE  WEIGHT\n"
		"web                          ready           -       -       -       -       -\n"
		"  web2                       down            -       -       7       -    0.0%\n"
		"      no answer to 3 heartbeats, and a reason that is longer than a line of\n"
		"      eighty columns can hold\n"
		"  web1                       up              -       -       5       -  100.0%\n");
	json_decref(now);
}

static void every_width_holds(void **state)
{
	json_t *before = document(10, 1000, 1000, true), *now = document(12, 3000, 7000, true);

	for (size_t columns = TOP_COLUMNS_MIN; columns < 300; columns++)
		assert_frame(before, now, TOP_SORT_SHARE, columns, NULL);
	json_decref(before);
	json_decref(now);
}

/* A daemon that started anew counts from 0: that is no rate. */
static void another_run_has_no_rates(void **state)
{
	json_t *before = document(100, 9000, 9000, false), *now = document(1, 10, 10, false);
	const struct top_view view = { .columns = 80 };
	struct top_frame frame;

	top_frame_make(before, now, 1, &view, &frame);
	assert_string_equal(
		frame.lines[2].text, "packets/s: - received, - forwarded, - passed, - dropped");
	top_frame_clear(&frame);
	json_decref(before);
	json_decref(now);
}

static void keys_sort(void **state)
{
	char text[128];

	assert_int_equal(top_frame_sort('p'), TOP_SORT_PACKETS);
	assert_int_equal(top_frame_sort('x'), TOP_SORT_N_);
	assert_string_equal(top_frame_keys(TOP_SORT_SYNS, text, sizeof(text)),
		"q quit, sort: n name t state p packets [s SYNs] e established w share-weight");
	assert_true(strlen(text) <= 80);
}

static void what_is_no_document_shows_nothing_much(void **state)
{
	json_t *empty = json_object();
	const struct top_view view = { .columns = 1 };
	struct top_frame frame;

	top_frame_make(NULL, empty, 0, &view, &frame);
	assert_string_equal(frame.lines[frame.len - 1].text, "no virtual server is configured");
	top_frame_clear(&frame);
	json_decref(empty);
}

static void the_verdict_names_what_to_do(void **state)
{
	static const struct {
		const char *document, *expected;
	} cases[] = {
		{ "{\"health\":0,\"inactive_reason\":\"on standby\"}",
			"All is well, but this balancer is not active: on standby." },
		{ "{\"health\":2,\"config_file\":\"/etc/x\"}",
			"No service: no virtual server is configured. Write one into /etc/x and `dsr-lb reload`." },
		{ "{\"health\":2,\"virtual_servers\":[{\"name\":\"web\",\"ready\":false,\"ready_reason\":\"why\"}]}",
			"No service for virtual server web: why. `dsr-lb doctor` says what mends it." },
		{ "{\"health\":1,\"virtual_servers\":[{\"name\":\"web\",\"ready\":true,\"backends\":["
		  "{\"name\":\"w\",\"state\":\"drain\",\"reason\":\"r\"}]}]}",
			"Degraded: 1 of 1 backends are not up; w is drain (r). `dsr-lb enable w` ends that." },
		{ "{\"health\":1,\"virtual_servers\":[{\"ready\":true}],\"claims\":[{\"vip\":\"v\",\"mac\":\"m\"}]}",
			"Degraded: v is claimed by m too. `dsr-lb doctor` says what mends it." },
		/* It could be served, so it is ready; and it comes before what is claimed. */
		{ "{\"health\":1,\"virtual_servers\":[{\"ready\":true},"
		  "{\"ready\":true,\"ready_reason\":\"v is not announced: m has it\"}],"
		  "\"claims\":[{\"vip\":\"v\",\"mac\":\"m\"}]}",
			"Degraded: v is not announced: m has it. `dsr-lb doctor` says what mends it." },
		{ "{\"health\":1,\"virtual_servers\":[{\"ready\":true}],\"control\":{\"listening_reason\":\"l\"}}",
			"Degraded: agents are not heard: l. `dsr-lb doctor` says what mends it." },
	};
	char words[VERDICT_BYTES];

	ARRAY_FOREACH (each, cases, ARRAY_LEN(cases)) {
		json_t *json = json_loads(each->document, 0, NULL);

		(void)verdict_words(json, words, sizeof(words));
		assert_string_equal(words, each->expected);
		json_decref(json);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_has_rates_and_shares_against_weights),
		cmocka_unit_test(a_reason_is_wrapped_not_cut),
		cmocka_unit_test(every_width_holds),
		cmocka_unit_test(another_run_has_no_rates),
		cmocka_unit_test(keys_sort),
		cmocka_unit_test(what_is_no_document_shows_nothing_much),
		cmocka_unit_test(the_verdict_names_what_to_do),
	};

	return cmocka_run_group_tests_name("top_frame", tests, NULL, NULL);
}
