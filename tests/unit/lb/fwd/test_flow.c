/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flow record itself: its states and timeouts, who gets a place in a full group of buckets, what
 * a half-written or dead entry is worth, and CPUs that meet in one group.
 */
#include "lb/fwd/core.h"
#include "lb/engine/port_user.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tests/vectors/world.h"

#define SYN WIRE_TCP_SYN
#define ACK WIRE_TCP_ACK
#define FIN (WIRE_TCP_FIN | WIRE_TCP_ACK)
#define RST WIRE_TCP_RST

/* One group for each family, so that everything meets; 198.51.100.14 has moving rows, 1 to 2. */
struct bench {
	struct vector_world *world;
	struct snapshot *snapshot;
	uint32_t now_s;
};

static struct bench bench;

static void open_bench(uint16_t service_flags, uint16_t dead_backend)
{
	const struct flows_table flows = { bench.world->flow4, bench.world->flow6,
		FLOW_GROUP_BUCKETS, FLOW_GROUP_BUCKETS, bench.world->seen, VECTOR_SEEN_WORDS };
	struct fwd_settings settings = { .mtu_bytes = VECTOR_MTU_BYTES };
	struct fwd_service service = { .id = 1,
		.flags = service_flags,
		.tcp_timeout_s = 900,
		.fin_timeout_s = 120,
		.udp_timeout_s = 300 };

	memcpy(settings.own_mac, vector_mac_bytes(VECTOR_MAC_OWN), FWD_MAC_BYTES);
	snapshot_free(bench.snapshot);
	assert_int_equal(snapshot_new(&settings, &flows, &bench.snapshot), 0);
	snapshot_add_table(
		bench.snapshot, &bench.world->moving_rows, -1, NULL, NULL, &service.table);
	assert_int_equal(snapshot_add_service(bench.snapshot, &service), 0);
	for (uint16_t id = 1; id <= 3; id++) {
		struct fwd_backend backend = { .flags =
						       id == dead_backend ? 0 : FWD_BACKEND_FLOWS };

		memcpy(backend.mac, vector_mac_bytes(VECTOR_MAC_BACKEND1 + id - 1), FWD_MAC_BYTES);
		assert_int_equal(snapshot_add_backend(bench.snapshot, id, &backend), 0);
	}
	vector_world_bind(bench.snapshot, "198.51.100.10", 6, 80, 80, 1);
	vector_world_bind(bench.snapshot, "198.51.100.10", 17, 53, 53, 1);
	vector_world_bind(bench.snapshot, "2001:db8::10", 6, 80, 80, 1);
}

static int setup(void **state)
{
	bench.world = aligned_alloc(64, sizeof(*bench.world));
	if (!bench.world)
		return -1;
	vector_world_reset(bench.world);
	bench.now_s = VECTOR_NOW_S;
	open_bench(0, 0);
	return 0;
}

static int teardown(void **state)
{
	bench.snapshot = snapshot_free(bench.snapshot);
	free(bench.world);
	return 0;
}

static struct fwd_result run(const struct vector_packet *packet)
{
	struct fwd_port port = { .snapshot = bench.snapshot, .now_s = bench.now_s };
	uint8_t bytes[256];
	struct fwd_frame frame = { .length_bytes = (uint32_t)vector_build(packet, bytes) };
	struct fwd_result result;

	fwd_run(&port, bytes, bytes + frame.length_bytes, &frame, &result);
	return result;
}

static struct fwd_result tcp(uint16_t client_port, uint8_t flags)
{
	return run(&(struct vector_packet){ .client_port = client_port, .tcp_flags = flags });
}

static struct fwd_result udp(uint16_t client_port)
{
	return run(&(struct vector_packet){ .client_port = client_port, .proto = 17 });
}

/* The record of a client port, or NULL. */
static struct flow4 *record(uint16_t client_port)
{
	ARRAY_FOREACH (bucket, bench.world->flow4, FLOW_GROUP_BUCKETS)
		ARRAY_FOREACH (flow, bucket->entries, FLOW4_PER_BUCKET)
			if (flow_meta_state(flow->meta) != FLOW_FREE &&
				flow->client_port == htons(client_port))
				return flow;
	return NULL;
}

static int state_of(uint16_t client_port)
{
	const struct flow4 *flow = record(client_port);

	return flow ? flow_meta_state(flow->meta) : FLOW_FREE;
}

/* Proven flows of other ports, so that the group has four entries left. */
static void crowd(void)
{
	for (uint32_t port = 1001; port <= 1000 + 3 * FLOW4_PER_BUCKET; port++) {
		assert_int_equal(tcp(port, SYN).recorded, 1);
		tcp(port, ACK);
	}
}

static void set_rows(uint16_t owner, uint16_t base, uint32_t seen_s)
{
	for (size_t i = 0; i < FWD_ROWS; i++)
		bench.world->moving_rows.rows[i] = (struct fwd_slot){ owner, base, seen_s };
	table_list_settled(&bench.world->moving_rows);
}

static void flow_states_follow_the_client(void **state)
{
	static const struct {
		uint8_t flags;
		enum flow_state state;
	} steps[] = {
		{ SYN, FLOW_TCP_SYN }, { SYN, FLOW_TCP_SYN }, /* sent again */
		{ ACK, FLOW_TCP_ESTABLISHED }, { RST, FLOW_TCP_RESET },
		{ ACK, FLOW_TCP_ESTABLISHED }, /* so the reset was not the client's */
		{ FIN, FLOW_TCP_FIN }, { ACK, FLOW_TCP_FIN }, { RST, FLOW_TCP_RESET },
		{ FIN, FLOW_TCP_FIN }, { SYN, FLOW_TCP_SYN }, /* another connection */
	};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		assert_int_equal(tcp(1, steps[i].flags).backend, 2);
		assert_int_equal(state_of(1), steps[i].state);
	}
}

static void flow_on_the_same_ports_opens_anew_only_after_its_end(void **state)
{
	tcp(1, SYN);
	tcp(1, ACK);
	set_rows(3, 1, bench.now_s);
	/* Not ended: the server answers for its half-open connection. */
	assert_int_equal(tcp(1, SYN).backend, 2);
	assert_int_equal(state_of(1), FLOW_TCP_ESTABLISHED);
	tcp(1, FIN);
	assert_int_equal(tcp(1, ACK).backend, 2);
	assert_int_equal(tcp(1, SYN).backend, 3);
	assert_int_equal(tcp(1, ACK).backend, 3);
}

/* A backend that says the MAC of a router draws its own share, and has nobody else's dropped. */
static void flow_back_to_where_it_came_from_is_a_loop(void **state)
{
	struct vector_packet packet = { .client_port = 1, .tcp_flags = SYN };
	unsigned int chosen = run(&packet).backend;

	for (unsigned int id = 1; id <= 3; id++) {
		packet.from = (enum vector_mac)(VECTOR_MAC_BACKEND1 + id - 1);
		assert_int_equal(
			run(&packet).reason, id == chosen ? FWD_REASON_LOOP : FWD_REASON_FORWARDED);
	}
}

/* Anybody can forge a FIN or RST and a SYN of a living connection, without its sequence numbers. */
static void flow_is_moved_by_no_forged_end(void **state)
{
	struct fwd_image *image = (struct fwd_image *)snapshot_image(bench.snapshot);
	static const uint8_t ends[] = { FIN, RST };

	ARRAY_FOREACH (end, ends, ARRAY_LEN(ends)) {
		uint16_t port = (uint16_t)(1 + (end - ends));

		set_rows(2, 1, bench.now_s);
		tcp(port, SYN);
		tcp(port, ACK);
		set_rows(3, 1, bench.now_s);
		image->backends[2].flags |= FWD_BACKEND_NEW;
		tcp(port, *end);
		assert_int_equal(tcp(port, SYN).backend, 2);
		assert_int_equal(tcp(port, ACK).backend, 2);
		assert_int_equal(state_of(port), FLOW_TCP_ESTABLISHED);
		/* Where it must not stay it does not. */
		image->backends[2].flags &= (uint16_t)~FWD_BACKEND_NEW;
		tcp(port, *end);
		assert_int_equal(tcp(port, SYN).backend, 3);
	}
}

/* Not of a client that persists at another backend either: a record of its own connections. */
static void flow_of_one_that_persists_is_moved_by_no_forged_end(void **state)
{
	struct fwd_image *image;

	open_bench(FWD_SERVICE_RECORD_ALL, 0);
	image = (struct fwd_image *)snapshot_image(bench.snapshot);
	image->services[1].persistence_s = 600;
	image->backends[3].flags |= FWD_BACKEND_NEW;
	image->backends[2].flags |= FWD_BACKEND_NEW;
	set_rows(2, 2, bench.now_s);
	tcp(1, SYN);
	tcp(1, ACK);
	/* Drained for a while: the client is at another backend now, its first connection goes on. */
	image->backends[2].flags &= (uint16_t)~FWD_BACKEND_NEW;
	set_rows(3, 2, bench.now_s);
	assert_int_equal(tcp(2, SYN).backend, 3);
	tcp(2, ACK);
	image->backends[2].flags |= FWD_BACKEND_NEW;
	tcp(1, RST);
	assert_int_equal(tcp(1, SYN).backend, 2);
	assert_int_equal(tcp(1, ACK).backend, 2);
	assert_int_equal(tcp(3, SYN).backend, 3);
}

static void flow_lives_as_long_as_its_timeout(void **state)
{
	static const struct {
		uint8_t flags;
		uint32_t timeout_s;
	} cases[] = { { SYN, FLOW_SYN_TIMEOUT_S }, { ACK, 900 }, { FIN, 120 }, { RST, 120 } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		tcp((uint16_t)(100 + i), SYN);
		tcp((uint16_t)(100 + i), cases[i].flags);
		bench.now_s += cases[i].timeout_s;
		assert_int_equal(tcp((uint16_t)(100 + i), cases[i].flags).backend, 2);
		bench.now_s += cases[i].timeout_s + 1;
		assert_int_equal(
			tcp((uint16_t)(100 + i), cases[i].flags == SYN ? ACK : cases[i].flags)
				.backend,
			1);
	}
}

static void flow_in_a_settled_row_leaves_nothing_behind(void **state)
{
	set_rows(3, 3, 0);
	assert_int_equal(tcp(1, SYN).backend, 3);
	assert_int_equal(tcp(1, ACK).backend, 3);
	assert_int_equal(state_of(1), FLOW_FREE);
	assert_int_equal(bench.world->moving_rows.rows[0].seen_s, 0);
}

static void flow_whose_owner_is_the_base_needs_no_record(void **state)
{
	struct fwd_result result;

	set_rows(1, 1, bench.now_s - 50);
	result = tcp(1, SYN);
	assert_int_equal(result.backend, 1);
	assert_int_equal(result.recorded, 0);
	assert_int_equal(state_of(1), FLOW_FREE);
	assert_int_equal(bench.world->moving_rows.rows[result.slot].seen_s, bench.now_s);
}

static void flow_keeps_the_row_of_its_base_moving(void **state)
{
	struct fwd_result result = tcp(1, ACK);

	assert_int_equal(result.backend, 1);
	assert_int_equal(result.moving, 1);
	assert_int_equal(bench.world->moving_rows.rows[result.slot].seen_s, bench.now_s);
	/* A recorded flow is none of the base's. */
	bench.now_s += 7;
	tcp(2, SYN);
	result = tcp(2, ACK);
	assert_int_equal(result.how, FWD_HOW_FLOW);
	assert_int_not_equal(bench.world->moving_rows.rows[result.slot].seen_s, bench.now_s);
	/* In the first second since boot a moving row stays moving. */
	bench.now_s = 0;
	result = tcp(3, ACK);
	assert_int_equal(bench.world->moving_rows.rows[result.slot].seen_s, 1);
}

static void flow_takes_the_place_of_the_oldest_unproven(void **state)
{
	crowd();
	tcp(1, SYN);
	tcp(1, ACK);
	bench.now_s++;
	tcp(2, SYN);
	bench.now_s++;
	tcp(3, SYN);
	tcp(4, SYN);
	assert_int_equal(tcp(5, SYN).evicted, 1);
	assert_int_equal(state_of(2), FLOW_FREE);
	assert_int_equal(state_of(1), FLOW_TCP_ESTABLISHED);
	assert_int_equal(state_of(3), FLOW_TCP_SYN);
	assert_int_equal(tcp(5, ACK).backend, 2);
}

static void flow_without_a_place_goes_to_the_base(void **state)
{
	struct fwd_result result;

	crowd();
	for (uint16_t port = 1; port <= 4; port++) {
		tcp(port, SYN);
		tcp(port, ACK);
	}
	result = tcp(5, SYN);
	assert_int_equal(result.backend, 1);
	assert_int_equal(result.unrecorded, 1);
	assert_int_equal(result.evicted, 0);
	assert_int_equal(tcp(5, ACK).backend, 1);
	for (uint16_t port = 1; port <= 4; port++)
		assert_int_equal(tcp(port, ACK).backend, 2);
	result = udp(6);
	assert_int_equal(result.backend, 1);
	assert_int_equal(result.unrecorded, 1);
	/* There it stays when there is room again. */
	record(1)->meta = 0;
	assert_int_equal(udp(6).backend, 1);
	assert_int_equal(udp(7).backend, 2);
	/* Where every flow is recorded there is no base: by hash. */
	tcp(1, SYN);
	tcp(1, ACK);
	open_bench(FWD_SERVICE_RECORD_ALL, 0);
	result = udp(8);
	assert_int_equal(result.backend, 2);
}

static void flow_takes_places_of_dead_records_first(void **state)
{
	crowd();
	for (uint16_t port = 1; port <= 4; port++)
		tcp(port, SYN);
	record(3)->meta = flow_meta(9, 2, FLOW_TCP_ESTABLISHED, bench.now_s); /* no such service */
	assert_int_equal(tcp(5, SYN).evicted, 0);
	assert_non_null(record(1));
	assert_null(record(3));
	record(2)->meta = flow_meta(1, 9, FLOW_TCP_ESTABLISHED, bench.now_s); /* no such backend */
	assert_int_equal(tcp(6, SYN).evicted, 0);
	record(1)->meta = flow_meta(1, 2, FLOW_TCP_ESTABLISHED, bench.now_s - 901);
	assert_int_equal(tcp(7, SYN).evicted, 0);
	assert_null(record(1));
}

static void flow_claims_of_dead_writers_are_void(void **state)
{
	crowd();
	for (uint16_t port = 1; port <= 4; port++) {
		tcp(port, SYN);
		tcp(port, ACK);
	}
	record(2)->meta = flow_meta(1, 0, FLOW_BUSY, bench.now_s - FLOW_BUSY_TIMEOUT_S);
	assert_int_equal(tcp(5, SYN).unrecorded, 1);
	bench.now_s++;
	assert_int_equal(tcp(5, SYN).recorded, 1);
}

static void flow_of_a_dead_backend_moves_to_the_owner_and_stays(void **state)
{
	tcp(1, SYN);
	tcp(1, ACK);
	open_bench(0, 2);
	set_rows(3, 1, bench.now_s);
	assert_int_equal(tcp(1, ACK).backend, 3);
	assert_int_equal(flow_meta_backend(record(1)->meta), 3);
	set_rows(1, 1, bench.now_s);
	assert_int_equal(tcp(1, ACK).backend, 3);
	/* And where no owner is, to nobody, without a change. */
	open_bench(0, 3);
	set_rows(0, 1, bench.now_s);
	assert_int_equal(tcp(1, ACK).reason, FWD_REASON_NO_BACKEND);
	assert_int_equal(flow_meta_backend(record(1)->meta), 3);
}

static void flow_without_a_living_base_goes_to_the_owner(void **state)
{
	open_bench(0, 1);
	assert_int_equal(tcp(1, ACK).backend, 2);
	assert_int_equal(tcp(2, SYN).backend, 2);
	assert_int_equal(state_of(2), FLOW_FREE);
}

static void flow_of_the_last_backend_survives_its_drain(void **state)
{
	set_rows(0, 1, bench.now_s);
	assert_int_equal(tcp(1, ACK).backend, 1);
	assert_int_equal(tcp(2, SYN).reason, FWD_REASON_NO_BACKEND);
	assert_int_equal(state_of(2), FLOW_FREE);
}

static void flow_of_sessionless_service_knows_neither_base_nor_record(void **state)
{
	open_bench(FWD_SERVICE_SESSIONLESS, 0);
	assert_int_equal(tcp(1, SYN).backend, 2);
	assert_int_equal(tcp(2, ACK).backend, 2);
	assert_int_equal(udp(3).backend, 2);
	assert_null(record(1));
	assert_null(record(3));
}

static void flow_of_recording_service_is_recorded_in_settled_rows_too(void **state)
{
	open_bench(FWD_SERVICE_RECORD_ALL, 0);
	set_rows(3, 3, 0);
	assert_int_equal(tcp(1, SYN).recorded, 1);
	assert_int_equal(tcp(2, ACK).recorded, 1); /* begun before the record was lost */
	tcp(1, ACK);
	tcp(2, ACK);
	set_rows(2, 2, 0);
	assert_int_equal(tcp(1, ACK).backend, 3);
	assert_int_equal(tcp(2, ACK).backend, 3);
	assert_int_equal(tcp(3, SYN).backend, 2);
}

static void flow_of_udp_is_recorded_and_proven_by_its_second_packet(void **state)
{
	assert_int_equal(udp(1).recorded, 1);
	assert_int_equal(state_of(1), FLOW_UDP_NEW);
	set_rows(3, 1, bench.now_s);
	assert_int_equal(udp(1).backend, 2);
	assert_int_equal(state_of(1), FLOW_UDP_ESTABLISHED);
	bench.now_s += 301;
	assert_int_equal(udp(1).backend, 3);
}

static void flow_of_udp_leaves_a_mark_in_a_settled_row(void **state)
{
	set_rows(1, 1, 0);
	assert_int_equal(udp(1).backend, 1);
	assert_int_equal(state_of(1), FLOW_FREE);
	/* The row moves: who spoke before stays, and keeps it moving; who did not is recorded at the new owner. */
	set_rows(2, 1, bench.now_s - 100);
	assert_int_equal(udp(1).backend, 1);
	assert_int_equal(bench.world->moving_rows.rows[udp(1).slot].seen_s, bench.now_s);
	assert_int_equal(state_of(1), FLOW_FREE);
	assert_int_equal(udp(2).backend, 2);
	assert_int_equal(bench.world->moving_rows.rows[udp(2).slot].seen_s, bench.now_s - 100);
	assert_int_equal(state_of(2), FLOW_UDP_ESTABLISHED);
}

static void flow_of_udp_is_known_for_two_generations(void **state)
{
	set_rows(1, 1, 0);
	udp(1);
	bench.world->seen[SEEN_GENERATION]++;
	set_rows(2, 1, bench.now_s);
	assert_int_equal(udp(1).backend, 1);
	/* That marked it again. */
	memset(bench.world->seen + SEEN_CONTROL_WORDS, 0, VECTOR_SEEN_WORDS * sizeof(__u64));
	bench.world->seen[SEEN_GENERATION]++;
	assert_int_equal(udp(1).backend, 1);
	memset(bench.world->seen + SEEN_CONTROL_WORDS, 0, 2 * VECTOR_SEEN_WORDS * sizeof(__u64));
	assert_int_equal(udp(1).backend, 2);
}

/* So a flood costs no flow its server: who lost its record is new again, and goes where it was. */
static void flow_of_udp_with_a_record_leaves_no_mark(void **state)
{
	assert_int_equal(udp(1).backend, 2);
	record(1)->meta = 0;
	assert_int_equal(udp(1).backend, 2);
	assert_int_equal(udp(1).backend, 2);
	for (size_t i = SEEN_CONTROL_WORDS; i < ARRAY_LEN(bench.world->seen); i++)
		assert_int_equal(bench.world->seen[i], 0);
}

static void flow_of_udp_puts_out_none(void **state)
{
	crowd();
	for (uint16_t port = 1; port <= 4; port++)
		assert_int_equal(udp(port).backend, 2);
	assert_int_equal(udp(5).backend, 1);
	assert_int_equal(udp(5).evicted, 0);
	for (uint16_t port = 1; port <= 4; port++)
		assert_int_equal(udp(port).how, FWD_HOW_FLOW);
}

/* Nobody's datagram, and what only asks. */
static void flow_of_udp_is_marked_by_its_own_datagrams_alone(void **state)
{
	static const struct vector_packet quote = { .source = "198.51.100.10",
		.destination = "192.0.2.7",
		.proto = 17,
		.client_port = 53,
		.port = 1 };

	run(&(struct vector_packet){ .icmp_type = 3, .icmp_code = 3, .quote = &quote });
	set_rows(0, 1, bench.now_s);
	assert_int_equal(udp(1).reason, FWD_REASON_NO_BACKEND);
	set_rows(2, 1, bench.now_s);
	assert_int_equal(udp(1).backend, 2);
	assert_int_equal(state_of(1), FLOW_UDP_NEW);
}

static void flow_of_udp_counts_as_seen_without_a_filter(void **state)
{
	const struct flows_table *flows = snapshot_flows(bench.snapshot);

	flow_seen_start(flows);
	assert_int_equal(udp(1).backend, 1);
	assert_int_equal(state_of(1), FLOW_FREE);
	/* One whose base is dead goes to the owner, as ever. */
	open_bench(0, 1);
	assert_int_equal(udp(1).backend, 2);
	assert_int_equal(state_of(1), FLOW_FREE);
}

static void flow_of_tcp_is_not_that_of_udp(void **state)
{
	struct vector_packet packet = { .client_port = 1, .proto = 17, .port = 80 };

	vector_world_bind(bench.snapshot, "198.51.100.10", 17, 80, 80, 1);
	tcp(1, SYN);
	tcp(1, ACK);
	set_rows(3, 1, bench.now_s);
	assert_int_equal(run(&packet).backend, 3);
	assert_int_equal(tcp(1, ACK).backend, 2);
	assert_int_equal(run(&packet).backend, 3);
}

static void flow_records_are_exact_in_ip6(void **state)
{
	struct vector_packet packet = { .ip6 = true, .tcp_flags = SYN };

	assert_int_equal(run(&packet).backend, 2);
	packet.tcp_flags = ACK;
	assert_int_equal(run(&packet).how, FWD_HOW_FLOW);
	packet.source = "2001:db8:8::7";
	assert_int_equal(run(&packet).how, FWD_HOW_HASH);
	packet.source = NULL;
	packet.client_port = 40001;
	assert_int_equal(run(&packet).how, FWD_HOW_HASH);
}

static void flow_is_written_only_when_something_changed(void **state)
{
	__u64 meta;

	tcp(1, SYN);
	tcp(1, ACK);
	meta = record(1)->meta;
	tcp(1, ACK);
	assert_int_equal(record(1)->meta, meta);
	bench.now_s++;
	tcp(1, ACK);
	assert_int_equal(record(1)->meta, meta + 1);
}

static void flow_time_wraps(void **state)
{
	bench.now_s = FLOW_TIME_MASK - 1;
	tcp(1, SYN);
	tcp(1, ACK);
	bench.now_s += 5;
	assert_int_equal(tcp(1, ACK).how, FWD_HOW_FLOW);
	assert_int_equal(flow_meta_age_s(record(1)->meta, bench.now_s + 9), 9);
	assert_int_equal(flow_meta_age_s(record(1)->meta, bench.now_s - 9), 0);
}

/* Two CPUs, ten flows of each, one group of sixteen. */
static void *hammer(void *context)
{
	uint16_t first = *(uint16_t *)context;

	for (uint32_t i = 0; i < 30000; i++) {
		struct fwd_result result = tcp((uint16_t)(first + i % 10), i % 3 ? ACK : SYN);

		/* Recorded at the owner, or nowhere and so at the base: nobody else's record. */
		if (result.reason != FWD_REASON_FORWARDED ||
			(result.backend != 1 && result.backend != 2) ||
			(result.how == FWD_HOW_FLOW && result.backend != 2))
			return context;
	}
	return NULL;
}

static void flow_group_is_shared_by_cpus_without_a_lock(void **state)
{
	static uint16_t firsts[2] = { 100, 200 };
	pthread_t threads[2];

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, &firsts[i]), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		void *failed;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	ARRAY_FOREACH (bucket, bench.world->flow4, FLOW_GROUP_BUCKETS)
		ARRAY_FOREACH (flow, bucket->entries, FLOW4_PER_BUCKET) {
			assert_int_not_equal(flow_meta_state(flow->meta), FLOW_BUSY);
			assert_int_equal(flow_meta_backend(flow->meta), 2);
		}
}

#define FLOW_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FLOW_TEST(flow_states_follow_the_client),
		FLOW_TEST(flow_on_the_same_ports_opens_anew_only_after_its_end),
		FLOW_TEST(flow_back_to_where_it_came_from_is_a_loop),
		FLOW_TEST(flow_is_moved_by_no_forged_end),
		FLOW_TEST(flow_of_one_that_persists_is_moved_by_no_forged_end),
		FLOW_TEST(flow_lives_as_long_as_its_timeout),
		FLOW_TEST(flow_in_a_settled_row_leaves_nothing_behind),
		FLOW_TEST(flow_whose_owner_is_the_base_needs_no_record),
		FLOW_TEST(flow_keeps_the_row_of_its_base_moving),
		FLOW_TEST(flow_takes_the_place_of_the_oldest_unproven),
		FLOW_TEST(flow_without_a_place_goes_to_the_base),
		FLOW_TEST(flow_takes_places_of_dead_records_first),
		FLOW_TEST(flow_claims_of_dead_writers_are_void),
		FLOW_TEST(flow_of_a_dead_backend_moves_to_the_owner_and_stays),
		FLOW_TEST(flow_without_a_living_base_goes_to_the_owner),
		FLOW_TEST(flow_of_the_last_backend_survives_its_drain),
		FLOW_TEST(flow_of_sessionless_service_knows_neither_base_nor_record),
		FLOW_TEST(flow_of_recording_service_is_recorded_in_settled_rows_too),
		FLOW_TEST(flow_of_udp_is_recorded_and_proven_by_its_second_packet),
		FLOW_TEST(flow_of_udp_leaves_a_mark_in_a_settled_row),
		FLOW_TEST(flow_of_udp_is_known_for_two_generations),
		FLOW_TEST(flow_of_udp_with_a_record_leaves_no_mark),
		FLOW_TEST(flow_of_udp_puts_out_none),
		FLOW_TEST(flow_of_udp_is_marked_by_its_own_datagrams_alone),
		FLOW_TEST(flow_of_udp_counts_as_seen_without_a_filter),
		FLOW_TEST(flow_of_tcp_is_not_that_of_udp),
		FLOW_TEST(flow_records_are_exact_in_ip6),
		FLOW_TEST(flow_is_written_only_when_something_changed),
		FLOW_TEST(flow_time_wraps),
		FLOW_TEST(flow_group_is_shared_by_cpus_without_a_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
