/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The story says what was asked, what decided, and what would change it. */
#include "lb/control/explain_story.h"
#include "lb/registry/backend/backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct config_port port80 = { 80, 80 };
static struct config_virtual_server web = {
	.name = (char *)"web",
	.ports = { .items = &port80, .len = 1 },
	.hash = CONFIG_SOURCE_IP_PORT,
	.tcp_timeout_us = 900 * US_PER_S,
	.udp_timeout_us = 60 * US_PER_S,
};
static const struct service service = { .id = 3, .virtual_server = &web };
static const struct backend web1 = { .id = 1, .name = "web1", .state = BACKEND_UP };
static const struct backend web2 = {
	.id = 2, .name = "web2", .state = BACKEND_DRAIN, .reason = "by hand"
};

static struct explain_question question;
static struct explain_answer answer;

/* A SYN that is forwarded to web1 by a settled row. */
static struct explain_facts usual(void)
{
	char why[EXPLAIN_WHY_BYTES];

	assert_int_equal(
		explain_parse("192.0.2.7:1000", "198.51.100.10:80", "tcp", &question, why), 0);
	answer = (struct explain_answer){
		.result = { .service = 3, .backend = 1, .slot = 17, .how = FWD_HOW_HASH },
		.verdict = "forward",
		.reason = "forwarded",
		.text = "sent to a backend",
		.how = "hash",
		.has_slot = true,
		.owner = 1,
		.base = 1,
	};
	return (struct explain_facts){
		.question = &question,
		.answer = &answer,
		.interface = "eth0",
		.backend_interface = "eth1",
		.inactive_reason = "",
		.vip_is_known = true,
		.service = &service,
		.backend = &web1,
		.owner = &web1,
		.base = &web1,
	};
}

/* All steps in one line each. */
static const char *story_of(const struct explain_facts *facts)
{
	static char text[4096];
	json_t *story = explain_story(facts), *step;
	size_t idx;

	assert_non_null(story);
	text[0] = '\0';
	json_array_foreach (story, idx, step) {
		strcat(text, json_string_value(step));
		strcat(text, "\n");
	}
	json_decref(story);
	return text;
}

static void assert_has(const char *story, const char *words)
{
	if (!strstr(story, words))
		fail_msg("no \"%s\" in:\n%s", words, story);
}

static void story_goes_from_the_packet_to_what_would_change_it(void **state)
{
	static const char *const steps[] = {
		"Packet: a TCP SYN from 192.0.2.7:1000 to 198.51.100.10:80",
		"\nVIP: ", "\nBinding: virtual server web", "\nLimits: none", "\nRow: 17 of 65537",
		"\nRecord: none", "\nBackend: web1", "\nMAC: ", "\nInterface: out of eth1",
		"\nVerdict: forward, reason forwarded", "\nChange: a drain of web1"
	};
	struct explain_facts facts = usual();
	const char *at = story_of(&facts);

	ARRAY_FOREACH (step, steps, ARRAY_LEN(steps)) {
		assert_has(at, *step);
		at = strstr(at, *step);
	}
}

static void story_says_who_else_has_the_vip(void **state)
{
	const struct mac holder = { { 2, 0, 0, 0, 0, 0x66 } };
	struct explain_facts facts = usual();
	const char *story;

	facts.holder = &holder;
	story = story_of(&facts);
	assert_has(story,
		"\nVIP: 198.51.100.10 is one; but it is not announced, as 02:00:00:00:00:66 has it: clients reach that host.");
	/* What would be done with the packet is told all the same. */
	assert_has(story, "\nBackend: web1");
}

static void story_tells_of_clients_where_there_are_lists(void **state)
{
	struct config_client client = { .denied = true };
	struct explain_facts facts = usual();
	const char *story;

	assert_null(strstr(story_of(&facts), "Clients:"));
	web.clients = (struct ini_list){ &client, 1 };
	assert_has(story_of(&facts), "Clients: allow-clients and deny-clients take this client.");
	answer.result = (struct fwd_result){ .service = 3, .reason = FWD_REASON_CLIENT_DENIED };
	facts.backend = NULL;
	story = story_of(&facts);
	assert_has(story, "\nClients: allow-clients and deny-clients do not take this client.");
	assert_null(strstr(story, "Limits"));
	assert_null(strstr(story, "Row"));
	assert_has(story, "Change: allow-clients or deny-clients");
	web.clients = (struct ini_list){ 0 };
}

static void story_meters_associations_too(void **state)
{
	struct explain_facts facts = usual();
	const char *story;

	web.syn_rate = 100;
	question.proto = FWD_PROTO_SCTP;
	story = story_of(&facts);
	assert_has(story, "Packet: an SCTP INIT from 192.0.2.7:1000");
	assert_has(story, "Limits: syn-rate 100 ");
	question.proto = FWD_PROTO_UDP;
	assert_has(story_of(&facts), "Limits: none.");
	web.syn_rate = 0;
}

static void story_ends_where_the_packet_does(void **state)
{
	struct explain_facts facts = usual();
	const char *story;

	facts.vip_is_known = false;
	facts.service = NULL;
	facts.backend = NULL;
	answer.result.reason = FWD_REASON_NOT_VIP;
	story = story_of(&facts);
	assert_has(story, "VIP: 198.51.100.10 is none");
	assert_null(strstr(story, "Binding"));
	assert_has(story, "Change: a virtual server whose vips");
	facts.vip_is_known = true;
	answer.result.reason = FWD_REASON_NO_SERVICE;
	story = story_of(&facts);
	assert_has(story, "Binding: none for tcp port 80");
	assert_null(strstr(story, "Row"));
}

static void story_tells_a_limit_that_is_reached(void **state)
{
	struct explain_facts facts = usual();
	const char *story;

	web.syn_rate = 100;
	answer.result.reason = FWD_REASON_SYN_RATE;
	story = story_of(&facts);
	web.syn_rate = 0;
	assert_has(story, "syn-rate 100");
	assert_has(story, "has had its share");
	assert_null(strstr(story, "Row"));
}

static void story_tells_of_a_moving_row(void **state)
{
	struct explain_facts facts = usual();
	const char *story;

	answer.moving = true;
	answer.base = 2;
	answer.base_idle_s = 12;
	facts.base = &web2;
	story = story_of(&facts);
	assert_has(story,
		"Base: web2. The row is moving until nothing has come for its base for 15min; the last "
		"came 12s ago");
	assert_has(story, "Second chance: none, as the base's agent passes nothing on");
}

static void story_tells_of_a_second_chance(void **state)
{
	struct explain_facts facts = usual();
	struct backend passes_on = web2;
	const char *story;

	passes_on.status.second_chance = true;
	facts.base = &passes_on;
	story = story_of(&facts);
	assert_null(strstr(story, "Second chance"));
	answer.moving = true;
	answer.base = 2;
	story = story_of(&facts);
	assert_has(story, "Second chance: segments without a record name the owner");
	/* The owner has come back. */
	facts.base = &web1;
	story = story_of(&facts);
	assert_null(strstr(story, "Second chance"));
}

static void story_tells_of_a_recorded_flow(void **state)
{
	struct explain_facts facts = usual();
	const char *story;

	answer.result.how = FWD_HOW_FLOW;
	answer.result.backend = 2;
	facts.backend = &web2;
	story = story_of(&facts);
	assert_has(story, "Record: this flow has one, at web2");
	assert_has(story, "drain: by hand");
	assert_has(
		story, "a drain of web2, another weight or a new backend would not move this flow");
}

static void story_tells_of_sessionless_and_turns(void **state)
{
	struct explain_facts facts = usual();

	web.sessionless = true;
	assert_has(story_of(&facts), "moves this flow with it");
	web.sessionless = false;
	answer.result.how = FWD_HOW_NONE;
	assert_has(story_of(&facts), "the next in turn");
	answer.result.how = FWD_HOW_PERSISTENCE;
	assert_has(story_of(&facts), "of persistence, says web1");
	facts.inactive_reason = "by hand";
	assert_has(story_of(&facts), "not active and does not announce it: by hand");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(story_goes_from_the_packet_to_what_would_change_it),
		cmocka_unit_test(story_says_who_else_has_the_vip),
		cmocka_unit_test(story_tells_of_clients_where_there_are_lists),
		cmocka_unit_test(story_meters_associations_too),
		cmocka_unit_test(story_ends_where_the_packet_does),
		cmocka_unit_test(story_tells_a_limit_that_is_reached),
		cmocka_unit_test(story_tells_of_a_moving_row),
		cmocka_unit_test(story_tells_of_a_second_chance),
		cmocka_unit_test(story_tells_of_a_recorded_flow),
		cmocka_unit_test(story_tells_of_sessionless_and_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
