/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rr and lc: the order of turns, and the core on a service of each kind, against a model that
 * knows every flow.
 */
#include "lb/fwd/core.h"
#include "lb/engine/port_user.h"
#include "lb/table/scheduler.h"
#include "lb/table/table_fill.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tests/vectors/vectors.h"

#define SERVICE  7u
#define MEMBERS  40u
#define BUCKETS  4096u
#define PORT_MIN 1024u

struct bench {
	struct table_member members[MEMBERS];
	struct fwd_table *table;
	struct flow4_bucket *flow4;
	struct scheduler_loads *loads;
	struct scheduler *schedule;
	struct snapshot *snapshot;
	uint32_t now_s;
	bool only_looks;
};

static struct bench bench;

/* Members 1 … n of these weights (NULL: 1 each); `dead` takes no flows and no turn. */
static void publish(uint16_t flags, uint16_t n, const uint32_t *weights, uint16_t dead)
{
	const struct flows_table flows = { .flow4 = bench.flow4, .n_flow4 = BUCKETS };
	struct fwd_settings settings = { .slot_seed = { 1, 2 }, .mtu_bytes = 1500 };
	struct fwd_service service = { .id = SERVICE,
		.flags = flags | FWD_SERVICE_RECORD_ALL,
		.tcp_timeout_s = 900,
		.fin_timeout_s = 120,
		.udp_timeout_s = 300 };
	struct addr vip = { .family = AF_INET, .bytes = { 198, 51, 100, 10 } };
	size_t n_members = 0;
	_cleanup_free_ uint16_t *turns = NULL;
	uint32_t n_turns = 0;

	memcpy(settings.own_mac, vector_mac_bytes(VECTOR_MAC_OWN), FWD_MAC_BYTES);
	bench.snapshot = snapshot_free(bench.snapshot);
	assert_int_equal(snapshot_new(&settings, &flows, &bench.snapshot), 0);
	snapshot_add_table(bench.snapshot, bench.table, -1, NULL, NULL, &service.table);
	assert_int_equal(snapshot_add_service(bench.snapshot, &service), 0);
	for (uint16_t id = 1; id <= n; id++) {
		struct fwd_backend backend = { .mac = { 2, (uint8_t)id },
			.flags = id == dead ? 0 : FWD_BACKEND_FLOWS };

		assert_int_equal(snapshot_add_backend(bench.snapshot, id, &backend), 0);
		if (id == dead)
			continue;
		bench.members[n_members++] = (struct table_member){
			.address = { .family = AF_INET, .bytes = { 10, 0, 0, (uint8_t)id } },
			.id = id,
			.weight = weights ? weights[id - 1] : 1
		};
		if (!(flags & FWD_SERVICE_LEAST_LOADED))
			continue;
		assert_int_equal(scheduler_add_load(bench.schedule, id), 0);
		scheduler_load(bench.schedule, id)->weight = bench.members[n_members - 1].weight;
	}
	assert_int_equal(
		table_fill(bench.members, n_members, (const uint8_t[16]){ 1 }, bench.table->rows),
		0);
	if (flags & FWD_SERVICE_LEAST_LOADED) {
		turns = calloc(n_members, sizeof(*turns));
		for (; n_turns < n_members; n_turns++)
			turns[n_turns] = bench.members[n_turns].id;
	} else {
		assert_int_equal(scheduler_order(bench.members, n_members, &turns, &n_turns), 0);
	}
	assert_int_equal(
		snapshot_add_schedule(bench.snapshot, SERVICE, turns, n_turns, bench.schedule), 0);
	assert_int_equal(snapshot_add_binding(bench.snapshot, &vip, 6, 80, 80, SERVICE), 0);
	assert_int_equal(snapshot_add_binding(bench.snapshot, &vip, 17, 80, 80, SERVICE), 0);
}

static int setup(void **state)
{
	bench.table = calloc(1, sizeof(*bench.table));
	bench.flow4 = aligned_alloc(64, BUCKETS * sizeof(*bench.flow4));
	bench.loads = scheduler_loads_new(NULL);
	bench.schedule = scheduler_new(bench.loads, true);
	if (!bench.table || !bench.flow4 || !bench.schedule)
		return -1;
	memset(bench.flow4, 0, BUCKETS * sizeof(*bench.flow4));
	bench.now_s = 5000;
	bench.only_looks = false;
	return 0;
}

static int teardown(void **state)
{
	bench.snapshot = snapshot_free(bench.snapshot);
	bench.schedule = scheduler_unref(bench.schedule);
	bench.loads = scheduler_loads_free(bench.loads);
	free(bench.table);
	free(bench.flow4);
	return 0;
}

static struct fwd_result run(uint16_t client, uint8_t proto, uint8_t tcp_flags)
{
	struct fwd_port port = {
		.snapshot = bench.snapshot, .now_s = bench.now_s, .only_looks = bench.only_looks
	};
	struct vector_packet packet = { .proto = proto,
		.tcp_flags = tcp_flags,
		.client_port = (uint16_t)(PORT_MIN + client),
		.port = 80 };
	uint8_t bytes[256];
	struct fwd_frame frame = { .length_bytes = (uint32_t)vector_build(&packet, bytes) };
	struct fwd_result result;

	fwd_run(&port, bytes, bytes + frame.length_bytes, &frame, &result);
	assert_int_equal(result.reason, FWD_REASON_FORWARDED);
	return result;
}

static struct fwd_result syn(uint16_t client)
{
	return run(client, FWD_PROTO_TCP, WIRE_TCP_SYN);
}

static struct fwd_result ack(uint16_t client)
{
	return run(client, FWD_PROTO_TCP, WIRE_TCP_ACK);
}

/* Turns. */

static void schedule_interleaves_turns_by_weight(void **state)
{
	struct table_member members[] = { { .id = 1, .weight = 500 }, { .id = 2, .weight = 100 },
		{ .id = 3, .weight = 100 } };
	uint16_t *turns = NULL;
	uint32_t n_turns = 0;
	uint32_t taken[4] = { 0 };

	assert_int_equal(scheduler_order(members, 3, &turns, &n_turns), 0);
	assert_int_equal(n_turns, 7);
	for (uint32_t i = 0; i < n_turns; i++) {
		taken[turns[i]]++;
		/* Never more than a turn away from its share. */
		for (uint32_t k = 0; k < 3; k++) {
			double due = (double)(i + 1) * members[k].weight / 700;

			assert_true(due - taken[members[k].id] < 1.01);
			assert_true(taken[members[k].id] - due < 1.01);
		}
	}
	assert_int_equal(taken[1], 5);
	assert_int_equal(taken[2], 1);
	assert_int_equal(taken[3], 1);
	free(turns);
}

static void schedule_bounds_the_number_of_turns(void **state)
{
	struct table_member members[] = { { .id = 1, .weight = TABLE_WEIGHT_MAX },
		{ .id = 2, .weight = TABLE_WEIGHT_MAX - 1 } };
	uint16_t *turns = NULL;
	uint32_t n_turns = 0, ones = 0;

	assert_int_equal(scheduler_order(members, 2, &turns, &n_turns), 0);
	assert_int_equal(n_turns, SCHEDULER_ORDER_MAX);
	for (uint32_t i = 0; i < n_turns; i++)
		ones += turns[i] == 1;
	assert_in_range(ones, SCHEDULER_ORDER_MAX / 2, SCHEDULER_ORDER_MAX / 2 + 1);
	free(turns);
	assert_int_equal(scheduler_order(NULL, 0, &turns, &n_turns), 0);
	assert_int_equal(n_turns, 0);
	free(turns);
}

/* rr. */

static void rr_gives_new_flows_their_turns_and_keeps_them(void **state)
{
	static const uint32_t weights[] = { 3, 1, 2 };
	uint16_t server[600];
	uint32_t flows[4] = { 0 };

	publish(FWD_SERVICE_ROUND_ROBIN, 3, weights, 0);
	for (uint16_t i = 0; i < 600; i++) {
		struct fwd_result result = syn(i);

		assert_int_equal(result.recorded, 1);
		assert_int_equal(result.how, FWD_HOW_NONE);
		server[i] = result.backend;
		flows[server[i]]++;
		/* Packets of other flows take no turn. */
		assert_int_equal(ack((uint16_t)(i / 2)).backend, server[i / 2]);
	}
	assert_int_equal(flows[1], 300);
	assert_int_equal(flows[2], 100);
	assert_int_equal(flows[3], 200);
	/* A new snapshot goes on, and flows stay where they are. */
	publish(FWD_SERVICE_ROUND_ROBIN, 4, (const uint32_t[]){ 1, 1, 1, 9 }, 0);
	for (uint16_t i = 0; i < 600; i++) {
		struct fwd_result result = ack(i);

		assert_int_equal(result.backend, server[i]);
		assert_int_equal(result.how, FWD_HOW_FLOW);
	}
}

static void rr_moves_flows_of_the_dead_by_turns(void **state)
{
	uint32_t flows[4] = { 0 };

	publish(FWD_SERVICE_ROUND_ROBIN, 3, NULL, 0);
	for (uint16_t i = 0; i < 90; i++)
		(void)syn(i);
	for (uint16_t i = 0; i < 90; i++)
		(void)ack(i);
	publish(FWD_SERVICE_ROUND_ROBIN, 3, NULL, 2);
	for (uint16_t i = 0; i < 90; i++) {
		uint16_t backend = ack(i).backend;

		flows[backend]++;
		assert_int_equal(ack(i).backend, backend);
	}
	assert_int_equal(flows[1], 45);
	assert_int_equal(flows[2], 0);
	assert_int_equal(flows[3], 45);
}

static void rr_sends_what_has_no_record_by_hash(void **state)
{
	publish(FWD_SERVICE_ROUND_ROBIN, 3, NULL, 0);
	for (uint16_t i = 0; i < 100; i++) {
		struct fwd_result result = ack(i);

		assert_int_equal(result.backend, bench.table->rows[result.slot].owner);
		assert_int_equal(result.how, FWD_HOW_HASH);
		assert_int_equal(ack(i).backend, result.backend);
	}
	assert_int_equal(*scheduler_position(bench.schedule), 0);
}

static void rr_turns_udp_too(void **state)
{
	uint16_t first;

	publish(FWD_SERVICE_ROUND_ROBIN, 2, NULL, 0);
	first = run(1, FWD_PROTO_UDP, 0).backend;
	assert_int_equal(run(2, FWD_PROTO_UDP, 0).backend, 3 - first);
	assert_int_equal(run(1, FWD_PROTO_UDP, 0).backend, first);
	assert_int_equal(run(2, FWD_PROTO_UDP, 0).backend, 3 - first);
}

static void rr_and_lc_leave_no_trace_where_they_only_look(void **state)
{
	const struct fwd_load *load;
	uint16_t would;

	publish(FWD_SERVICE_LEAST_LOADED, 3, NULL, 0);
	(void)syn(0);
	bench.only_looks = true;
	would = syn(1).backend;
	assert_int_equal(syn(1).backend, would);
	load = scheduler_load(bench.schedule, would);
	assert_int_equal(load->sent, 0);
	assert_int_equal(*scheduler_position(bench.schedule), 1);
	bench.only_looks = false;
	assert_int_equal(syn(1).backend, would);
	assert_int_equal(load->sent, 1);
}

static void rr_goes_by_hash_where_nothing_can_be_recorded(void **state)
{
	publish(FWD_SERVICE_ROUND_ROBIN, 3, NULL, 0);
	/* Every place is held by a proven flow of somebody else. */
	for (size_t i = 0; i < BUCKETS; i++)
		ARRAY_FOREACH (flow, bench.flow4[i].entries, FLOW4_PER_BUCKET)
			*flow = (struct flow4){ .client = 1,
				.meta = flow_meta(SERVICE, 1, FLOW_TCP_ESTABLISHED, bench.now_s) };
	for (uint16_t i = 0; i < 50; i++) {
		struct fwd_result result = syn(i);

		assert_int_equal(result.unrecorded, 1);
		assert_int_equal(result.backend, bench.table->rows[result.slot].owner);
		assert_int_equal(result.how, FWD_HOW_HASH);
		assert_int_equal(ack(i).backend, result.backend);
		result = run(i, FWD_PROTO_UDP, 0);
		assert_int_equal(result.backend, bench.table->rows[result.slot].owner);
	}
}

/* lc. */

static void lc_prefers_the_least_loaded_for_its_weight(void **state)
{
	publish(FWD_SERVICE_LEAST_LOADED, 3, (const uint32_t[]){ 1, 1, 4 }, 0);
	scheduler_report(bench.schedule, 1, 10);
	scheduler_report(bench.schedule, 2, 9);
	scheduler_report(bench.schedule, 3, 100);
	assert_int_equal(syn(0).backend, 2);
	scheduler_report(bench.schedule, 3, 30);
	for (uint16_t i = 1; i < 10; i++)
		assert_int_equal(syn(i).backend, 3);
}

/* Between reports the model's truth is what was sent: the spread stays within one flow a weight. */
static void lc_does_not_stampede_between_reports(void **state)
{
	static const uint32_t weights[] = { 1, 1, 2, 1, 3 };
	uint32_t open[6] = { 0, 40, 7, 0, 7, 21 };

	publish(FWD_SERVICE_LEAST_LOADED, 5, weights, 0);
	for (uint16_t id = 1; id <= 5; id++)
		scheduler_report(bench.schedule, id, open[id]);
	for (uint16_t i = 0; i < 400; i++) {
		uint16_t backend = syn(i).backend;

		for (uint16_t id = 1; id <= 5; id++)
			assert_true((open[backend] + 1) * weights[id - 1] <=
				(open[id] + 1) * weights[backend - 1]);
		open[backend]++;
	}
	/* A report takes over what was counted, and nothing is counted twice. */
	for (uint16_t id = 1; id <= 5; id++) {
		const struct fwd_load *load = scheduler_load(bench.schedule, id);

		assert_int_equal(load->established + load->sent, open[id]);
		scheduler_report(bench.schedule, id, open[id]);
		assert_int_equal(load->established + load->sent, open[id]);
	}
}

/* By the client's FIN or RST, once each; what the next report says is what counts then. */
static void lc_forgets_what_clients_end(void **state)
{
	struct fwd_load *load;
	uint16_t first;

	publish(FWD_SERVICE_LEAST_LOADED, 2, NULL, 0);
	first = syn(0).backend;
	load = scheduler_load(bench.schedule, first);
	(void)ack(0);
	assert_int_equal(load->sent, 1);
	for (unsigned int i = 0; i < 3; i++) {
		(void)run(0, FWD_PROTO_TCP, WIRE_TCP_FIN | WIRE_TCP_ACK);
		assert_int_equal(load->sent, 0);
	}
	(void)run(0, FWD_PROTO_TCP, WIRE_TCP_RST);
	assert_int_equal(load->sent, 0);
	/* One that a report has: the backend has room at once. */
	assert_int_equal(syn(1).backend, 3 - first);
	assert_int_equal(syn(2).backend, first);
	(void)ack(2);
	scheduler_report(bench.schedule, first, 9);
	scheduler_report(bench.schedule, (uint16_t)(3 - first), 9);
	(void)run(2, FWD_PROTO_TCP, WIRE_TCP_FIN | WIRE_TCP_ACK);
	assert_int_equal((int32_t)load->sent, -1);
	assert_int_equal(syn(3).backend, first);
	assert_int_equal(load->sent, 0);
	/* The report knew of its end before the client's FIN came: less than none is none. */
	(void)ack(3);
	scheduler_report(bench.schedule, first, 0);
	(void)run(3, FWD_PROTO_TCP, WIRE_TCP_FIN | WIRE_TCP_ACK);
	assert_int_equal((int32_t)load->sent, -1);
	assert_int_equal(syn(4).backend, first);
}

/* A reset that the client's next segment belies has ended nothing, however often anybody forges one. */
static void lc_is_led_by_no_forged_resets(void **state)
{
	const struct fwd_load *load;

	publish(FWD_SERVICE_LEAST_LOADED, 2, NULL, 0);
	load = scheduler_load(bench.schedule, syn(0).backend);
	(void)ack(0);
	for (unsigned int i = 0; i < 3; i++) {
		(void)run(0, FWD_PROTO_TCP, WIRE_TCP_RST);
		assert_int_equal(load->sent, 0);
		(void)ack(0);
		assert_int_equal(load->sent, 1);
	}
}

static void lc_spreads_over_more_members_than_it_compares(void **state)
{
	uint32_t flows[MEMBERS + 1] = { 0 };

	_Static_assert(MEMBERS > CHOOSE_LEAST_MAX, "more than one look sees");
	publish(FWD_SERVICE_LEAST_LOADED, MEMBERS, NULL, 0);
	for (uint16_t i = 0; i < 20 * MEMBERS; i++)
		flows[syn(i).backend]++;
	for (uint16_t id = 1; id <= MEMBERS; id++)
		assert_in_range(flows[id], 18, 22);
}

static void lc_counts_in_the_table_whom_nobody_reports(void **state)
{
	publish(FWD_SERVICE_LEAST_LOADED, 2, NULL, 0);
	scheduler_set_counted(bench.schedule, 1, true);
	for (int i = 0; i < 3; i++)
		scheduler_count(bench.schedule, 1);
	scheduler_count(bench.schedule, 2);
	scheduler_report_count(bench.schedule, 1);
	scheduler_report_count(bench.schedule, 2);
	assert_int_equal(scheduler_load(bench.schedule, 1)->established, 3);
	assert_int_equal(scheduler_load(bench.schedule, 2)->established, 0);
	scheduler_report_count(bench.schedule, 1);
	assert_int_equal(scheduler_load(bench.schedule, 1)->established, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(schedule_interleaves_turns_by_weight),
		TEST(schedule_bounds_the_number_of_turns),
		TEST(rr_gives_new_flows_their_turns_and_keeps_them),
		TEST(rr_moves_flows_of_the_dead_by_turns),
		TEST(rr_sends_what_has_no_record_by_hash),
		TEST(rr_turns_udp_too),
		TEST(rr_and_lc_leave_no_trace_where_they_only_look),
		TEST(rr_goes_by_hash_where_nothing_can_be_recorded),
		TEST(lc_prefers_the_least_loaded_for_its_weight),
		TEST(lc_does_not_stampede_between_reports),
		TEST(lc_forgets_what_clients_end),
		TEST(lc_is_led_by_no_forged_resets),
		TEST(lc_spreads_over_more_members_than_it_compares),
		TEST(lc_counts_in_the_table_whom_nobody_reports),
	};

	return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
