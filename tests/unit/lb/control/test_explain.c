/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Explain says what the core would do, and does nothing. */
#include "lb/control/explain.h"
#include "lb/fwd/rate.h"
#include "lb/engine/port_user.h"
#include "lb/table/table.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct fwd_table table;
static struct flow4_bucket flow4[16];
static struct flow6_bucket flow6[16];
static __u64 service_rates[FWD_ID_MAX + 1], source_rates[FWD_SOURCE_RATES];

static struct snapshot *make(struct fwd_slot row)
{
	const struct flows_table flows = { flow4, flow6, 16, 16, NULL, 0 };
	struct fwd_settings settings = { .mtu_bytes = 1500, .own_mac = { 2, 0, 0, 0, 0, 1 } };
	struct fwd_service service = { .id = 3,
		.tcp_timeout_s = 900,
		.udp_timeout_s = 60,
		.syn_rate = { 1, 1 },
		.syn_rate_source = { 1, 1 } };
	struct addr vip = { .family = AF_INET }, vip6 = { .family = AF_INET6 };
	struct snapshot *snapshot = NULL;

	for (size_t i = 0; i < FWD_ROWS; i++)
		table.rows[i] = row;
	table_list_settled(&table);
	assert_int_equal(snapshot_new(&settings, &flows, &snapshot), 0);
	assert_int_equal(snapshot_add_table(snapshot, &table, -1, NULL, NULL, &service.table), 0);
	assert_int_equal(snapshot_add_service(snapshot, &service), 0);
	for (uint8_t id = 1; id <= 2; id++) {
		struct fwd_backend backend = { { 2, 0, 0, 0, 1, id }, FWD_BACKEND_FLOWS, 0 };

		assert_int_equal(snapshot_add_backend(snapshot, id, &backend), 0);
	}
	assert_int_equal(inet_pton(AF_INET, "198.51.100.10", &vip.ip4), 1);
	assert_int_equal(inet_pton(AF_INET6, "2001:db8::10", &vip6.ip6), 1);
	assert_int_equal(snapshot_add_binding(snapshot, &vip, FWD_PROTO_TCP, 80, 80, 3), 0);
	assert_int_equal(snapshot_add_binding(snapshot, &vip6, FWD_PROTO_UDP, 53, 53, 3), 0);
	return snapshot;
}

static struct explain_answer ask(
	const struct snapshot *snapshot, const char *client, const char *vip, const char *protocol)
{
	char why[EXPLAIN_WHY_BYTES] = "";
	struct explain_question question;
	struct explain_answer answer;

	assert_int_equal(explain_parse(client, vip, protocol, &question, why), 0);
	explain_run(snapshot, (struct rates){ service_rates, source_rates }, &question,
		1000 * US_PER_S, &answer);
	return answer;
}

static void explain_tells_backend_and_slot(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = make((struct fwd_slot){ 1, 1, 0 });
	struct explain_answer answer = ask(snapshot, "192.0.2.7:1000", "198.51.100.10:80", "tcp");

	assert_string_equal(answer.verdict, "forward");
	assert_string_equal(answer.reason, "forwarded");
	assert_string_equal(answer.how, "hash");
	assert_int_equal(answer.result.service, 3);
	assert_int_equal(answer.result.backend, 1);
	assert_int_equal(answer.mac.bytes[5], 1);
	assert_true(answer.has_slot);
	assert_false(answer.moving);
	answer = ask(snapshot, "[2001:db8::7]:1000", "[2001:db8::10]:53", "udp");
	assert_string_equal(answer.verdict, "forward");
}

static void explain_says_that_a_row_is_moving(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = make((struct fwd_slot){ 2, 1, 999 });
	struct explain_answer answer = ask(snapshot, "192.0.2.7:1000", "198.51.100.10:80", "tcp");

	assert_int_equal(answer.result.backend, 2);
	assert_true(answer.moving);
	assert_int_equal(answer.owner, 2);
	assert_int_equal(answer.base, 1);
}

static void explain_leaves_no_trace(void **state)
{
	static const struct flow4_bucket nothing4[16];
	static const struct flow6_bucket nothing6[16];
	_cleanup_(snapshot_freep) struct snapshot *snapshot = make((struct fwd_slot){ 2, 1, 999 });

	ask(snapshot, "192.0.2.7:1000", "198.51.100.10:80", "tcp");
	ask(snapshot, "[2001:db8::7]:1000", "[2001:db8::10]:53", "udp");
	assert_memory_equal(flow4, nothing4, sizeof(flow4));
	assert_memory_equal(flow6, nothing6, sizeof(flow6));
	for (size_t i = 0; i < FWD_SOURCE_RATES; i++)
		assert_true(service_rates[i] == 0 && source_rates[i] == 0);
	for (size_t i = 0; i < FWD_ROWS; i++)
		assert_int_equal(table.rows[i].seen_s, 999);
}

/* A bucket that says "empty until the second after this one", under the rate of make(). */
static void empty(__u64 *bucket)
{
	*bucket = ((1000 * UINT64_C(1000000000) >> RATE_TICK_BITS) + RATE_EPOCH) + RATE_PACKET;
}

static void explain_says_what_a_rate_would_do_now(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = make((struct fwd_slot){ 1, 1, 0 });
	struct explain_answer answer = ask(snapshot, "192.0.2.7:1000", "198.51.100.10:80", "tcp");

	assert_string_equal(answer.reason, "forwarded");
	empty(&service_rates[3]);
	answer = ask(snapshot, "192.0.2.7:1000", "198.51.100.10:80", "tcp");
	assert_string_equal(answer.verdict, "drop");
	assert_string_equal(answer.reason, "syn-rate");
	ARRAY_FOREACH (bucket, source_rates, FWD_SOURCE_RATES)
		empty(bucket);
	answer = ask(snapshot, "192.0.2.7:1000", "198.51.100.10:80", "tcp");
	assert_string_equal(answer.reason, "syn-rate-source");
	memset(service_rates, 0, sizeof(service_rates));
	memset(source_rates, 0, sizeof(source_rates));
}

static void explain_knows_every_protocol(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = make((struct fwd_slot){ 1, 1, 0 });
	struct fwd_service service = { .id = 4, .tcp_timeout_s = 900 };
	struct addr vip = { .family = AF_INET };
	struct explain_answer answer;

	assert_int_equal(inet_pton(AF_INET, "198.51.100.11", &vip.ip4), 1);
	assert_int_equal(snapshot_add_service(snapshot, &service), 0);
	assert_int_equal(snapshot_add_binding(snapshot, &vip, FWD_PROTO_TCP, 0, 65535, 4), 0);
	assert_int_equal(snapshot_add_binding(snapshot, &vip, FWD_PROTO_SCTP, 80, 80, 4), 0);
	assert_int_equal(snapshot_add_others(snapshot, &vip, 4), 0);
	answer = ask(snapshot, "192.0.2.7", "198.51.100.11", "esp");
	assert_string_equal(answer.verdict, "forward");
	assert_string_equal(answer.how, "hash");
	answer = ask(snapshot, "192.0.2.7", "198.51.100.11", "253");
	assert_string_equal(answer.verdict, "forward");
	answer = ask(snapshot, "192.0.2.7", "198.51.100.11:80", "sctp");
	assert_string_equal(answer.verdict, "forward");
	answer = ask(snapshot, "192.0.2.7", "198.51.100.11:81", "sctp");
	assert_string_equal(answer.reason, "no-service");
	answer = ask(snapshot, "192.0.2.7", "198.51.100.10", "esp");
	assert_string_equal(answer.reason, "no-service");
}

static void explain_says_which_clients_are_denied(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = make((struct fwd_slot){ 1, 1, 0 });
	struct fwd_service service = { .id = 4, .tcp_timeout_s = 900 };
	struct client_prefix prefix = { .denied = true };
	struct addr vip = { .family = AF_INET };
	struct explain_answer answer;

	assert_int_equal(addr_prefix_parse("192.0.2.0/29", &prefix.prefix), 0);
	assert_int_equal(inet_pton(AF_INET, "198.51.100.11", &vip.ip4), 1);
	assert_int_equal(snapshot_add_clients(snapshot, &prefix, 1, &service.clients), 0);
	assert_int_equal(snapshot_add_service(snapshot, &service), 0);
	assert_int_equal(snapshot_add_binding(snapshot, &vip, FWD_PROTO_TCP, 80, 80, 4), 0);
	answer = ask(snapshot, "192.0.2.7:1000", "198.51.100.11:80", "tcp");
	assert_string_equal(answer.verdict, "drop");
	assert_string_equal(answer.reason, "client-denied");
	assert_int_equal(answer.result.service, 4);
	assert_false(answer.has_slot);
	answer = ask(snapshot, "192.0.2.8:1000", "198.51.100.11:80", "tcp");
	assert_string_equal(answer.verdict, "forward");
	answer = ask(snapshot, "192.0.2.7:1000", "198.51.100.10:80", "tcp");
	assert_string_equal(answer.verdict, "forward");
}

static void explain_knows_what_is_not_forwarded(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = make((struct fwd_slot){ 0, 0, 0 });
	struct explain_answer answer = ask(snapshot, "192.0.2.7:1000", "198.51.100.10:80", "tcp");

	assert_string_equal(answer.verdict, "drop");
	assert_string_equal(answer.reason, "no-backend");
	assert_string_equal(answer.how, "none");
	assert_true(mac_is_zero(&answer.mac));
	answer = ask(snapshot, "192.0.2.7:1000", "198.51.100.10:81", "tcp");
	assert_string_equal(answer.verdict, "pass");
	assert_string_equal(answer.reason, "no-service");
	assert_false(answer.has_slot);
	answer = ask(snapshot, "192.0.2.7:1000", "198.51.100.11:80", "tcp");
	assert_string_equal(answer.reason, "not-vip");
	answer = ask(snapshot, "198.51.100.10:80", "198.51.100.10:80", "tcp");
	assert_string_equal(answer.reason, "land");
}

static void explain_takes_ports_and_protocols_as_they_come(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = make((struct fwd_slot){ 1, 1, 0 });
	char why[EXPLAIN_WHY_BYTES] = "", name[EXPLAIN_PROTO_BYTES];
	struct explain_question question;

	assert_string_equal(ask(snapshot, "192.0.2.7", "198.51.100.10:80", "6").verdict, "forward");
	assert_int_equal(explain_parse("192.0.2.7", "198.51.100.10", "tcp", &question, why), 0);
	assert_true(question.client_port_assumed);
	assert_int_equal(question.client.port, EXPLAIN_CLIENT_PORT);
	assert_int_equal(question.vip.port, 0);
	assert_string_equal(
		ask(snapshot, "192.0.2.7:1", "198.51.100.10:80", "sctp").reason, "no-service");
	assert_string_equal(
		ask(snapshot, "192.0.2.7", "198.51.100.10", "icmp").reason, "forwarded");
	assert_string_equal(
		ask(snapshot, "2001:db8::7", "2001:db8::10", "icmp").reason, "forwarded");
	assert_string_equal(ask(snapshot, "192.0.2.7", "198.51.100.10", "255").verdict, "pass");
	assert_string_equal(explain_proto_name(132, name), "sctp");
	assert_string_equal(explain_proto_name(58, name), "icmpv6");
	assert_string_equal(explain_proto_name(200, name), "200");
}

static void explain_names_the_other_owner_of_a_moving_row(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *moving = make((struct fwd_slot){ 2, 1, 999 });
	struct explain_answer answer = ask(moving, "192.0.2.7:1000", "198.51.100.10:80", "tcp");

	assert_int_equal(explain_alternative(&answer), 1);
	assert_int_equal(answer.base_idle_s, 1);
	answer.result.backend = 1;
	assert_int_equal(explain_alternative(&answer), 2);
	answer.base = 2;
	assert_int_equal(explain_alternative(&answer), 0);
	answer = (struct explain_answer){ .owner = 2, .base = 1 };
	assert_int_equal(explain_alternative(&answer), 0);
}

static void explain_refuses_questions_without_sense(void **state)
{
	static const char *const questions[][3] = {
		{ "192.0.2.7:1", "web", "tcp" },
		{ "192.0.2.7:1", "[2001:db8::10]:80", "tcp" },
		{ "192.0.2.7:1", "198.51.100.10:80", "nothing" },
		{ "192.0.2.7:1", "198.51.100.10:80", "256" },
		{ "192.0.2.7:1", "198.51.100.10:80", "6x" },
		{ "192.0.2.7:1", "198.51.100.10:80", "icmp" },
		{ "192.0.2.7:0", "198.51.100.10:80", "tcp" },
	};
	struct explain_question question;

	ARRAY_FOREACH (words, questions, ARRAY_LEN(questions)) {
		char why[EXPLAIN_WHY_BYTES] = "";

		assert_int_equal(
			explain_parse((*words)[0], (*words)[1], (*words)[2], &question, why),
			-EINVAL);
		assert_int_not_equal(why[0], '\0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(explain_tells_backend_and_slot),
		cmocka_unit_test(explain_says_that_a_row_is_moving),
		cmocka_unit_test(explain_leaves_no_trace),
		cmocka_unit_test(explain_says_what_a_rate_would_do_now),
		cmocka_unit_test(explain_knows_every_protocol),
		cmocka_unit_test(explain_says_which_clients_are_denied),
		cmocka_unit_test(explain_knows_what_is_not_forwarded),
		cmocka_unit_test(explain_takes_ports_and_protocols_as_they_come),
		cmocka_unit_test(explain_names_the_other_owner_of_a_moving_row),
		cmocka_unit_test(explain_refuses_questions_without_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
