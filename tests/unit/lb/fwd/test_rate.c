/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rates of SYNs: how many a bucket lets through over simulated time, to the packet; what it makes of
 * other clocks and other rates; who shares one; and that a SYN which is refused was never there.
 */
#include "lb/fwd/core.h"
#include "lb/engine/port_user.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tests/vectors/world.h"

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define NOW_NS    (VECTOR_NOW_S * NS_PER_S)
#define DAY_S     UINT64_C(86400)
#define TICK_NS   (UINT64_C(1) << RATE_TICK_BITS)

/* ---- the bucket ---- */

static struct fwd_port nobody; /* takes, and does not only look */

static struct fwd_rate rate_make(uint32_t per_s)
{
	return (struct fwd_rate){ per_s, per_s < 20 ? 1 : per_s / 10 };
}

/* Takes whatever is in the bucket. */
static uint64_t drain(const struct fwd_rate *rate, __u64 *bucket, uint64_t now_ns)
{
	uint64_t n_pkts = 0;

	while (rate_take(&nobody, rate, bucket, now_ns))
		n_pkts++;
	return n_pkts;
}

static void rate_lets_exactly_that_many_through(void **state)
{
	static const struct {
		uint32_t per_s;
		uint64_t step_ns, seconds;
	} cases[] = {
		{ 1, NS_PER_MS / 10, 3600 },
		{ 25, 11 * NS_PER_MS, 1100 },
		{ 10, NS_PER_MS / 100, 120 },
		{ 1000, NS_PER_MS / 10, 60 },
		{ 3000000, NS_PER_MS / 4, 5 },
		{ UINT32_MAX, NS_PER_MS / 10, 0 },
	};

	ARRAY_FOREACH (test, cases, ARRAY_LEN(cases)) {
		struct fwd_rate rate = rate_make(test->per_s);
		uint64_t n_pkts = 0, end_ns;
		__u64 bucket = 0;

		if (test->seconds == 0) /* too many to count: the arithmetic alone must hold */
			rate.burst_pkts = 3;
		/* To before the next is due: one that waits for it in steps comes a little late. */
		end_ns = test->seconds * NS_PER_S + NS_PER_S / test->per_s / 2;
		for (uint64_t at_ns = 0; at_ns < end_ns; at_ns += test->step_ns)
			n_pkts += drain(&rate, &bucket, NOW_NS + at_ns);
		n_pkts += drain(&rate, &bucket, NOW_NS + end_ns);
		assert_int_equal(n_pkts, rate.burst_pkts + test->per_s * test->seconds);
	}
}

static void rate_refuses_nothing_within_it(void **state)
{
	static const uint32_t rates[] = { 1, 10, 1000, 3000000 };

	ARRAY_FOREACH (per_s, rates, ARRAY_LEN(rates)) {
		struct fwd_rate rate = rate_make(*per_s);
		uint64_t between_ns = (NS_PER_S + *per_s - 1) / *per_s;
		__u64 bucket = 0;

		/* A bucket of one has no room for what a tick rounds off. */
		if (rate.burst_pkts == 1)
			between_ns += TICK_NS;
		for (uint64_t i = 0; i < 100000; i++)
			assert_true(rate_take(&nobody, &rate, &bucket, NOW_NS + i * between_ns));
	}
}

static void rate_saves_no_more_than_a_burst(void **state)
{
	static const uint32_t rates[] = { 1, 19, 20, 1000, 3000000 };
	static const uint64_t bursts[] = { 1, 1, 2, 100, 300000 };

	for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
		struct fwd_rate rate = rate_make(rates[i]);
		__u64 bucket = 0;

		assert_int_equal(drain(&rate, &bucket, NOW_NS), bursts[i]);
		assert_int_equal(drain(&rate, &bucket, NOW_NS + 7 * DAY_S * NS_PER_S), bursts[i]);
		assert_int_equal(drain(&rate, &bucket, NOW_NS + 300 * DAY_S * NS_PER_S), bursts[i]);
	}
}

static void rate_without_a_burst_lets_nothing_through(void **state)
{
	const struct fwd_rate rate = { 1000, 0 };
	__u64 bucket = 0;

	assert_int_equal(drain(&rate, &bucket, NOW_NS), 0);
	assert_int_equal(drain(&rate, &bucket, NOW_NS + NS_PER_S), 0);
	assert_int_equal(bucket, 0);
}

/* Another CPU read its clock before this one took the last packet. */
static void rate_is_not_fooled_by_a_clock_behind(void **state)
{
	struct fwd_rate rate = rate_make(1000);
	__u64 bucket = 0;

	assert_int_equal(drain(&rate, &bucket, NOW_NS), 100);
	assert_int_equal(drain(&rate, &bucket, NOW_NS - NS_PER_MS), 0);
	assert_int_equal(drain(&rate, &bucket, NOW_NS - 900 * NS_PER_MS), 0);
	assert_int_equal(drain(&rate, &bucket, NOW_NS + 10 * NS_PER_MS + TICK_NS), 10);
}

static void rate_that_changes_begins_full(void **state)
{
	struct fwd_rate before = rate_make(5000);
	__u64 bucket = 0;

	assert_int_equal(drain(&before, &bucket, NS_PER_S), 500);
	for (uint32_t per_s = 4000; per_s < 6000; per_s++) {
		struct fwd_rate after = rate_make(per_s);
		__u64 copy = bucket;

		assert_int_equal(
			drain(&after, &copy, NS_PER_S), per_s == 5000 ? 0 : after.burst_pkts);
	}
}

static void rate_only_looks_where_the_port_does(void **state)
{
	struct fwd_port looks = { .only_looks = 1 };
	struct fwd_rate rate = rate_make(10);
	__u64 bucket = 0;

	assert_true(rate_take(&looks, &rate, &bucket, NOW_NS));
	assert_int_equal(bucket, 0);
	assert_true(rate_take(&nobody, &rate, &bucket, NOW_NS));
	assert_false(rate_take(&looks, &rate, &bucket, NOW_NS));
	assert_true(rate_take(&looks, &rate, &bucket, NOW_NS + NS_PER_S));
}

#define WORKERS      4u
#define WORKER_TRIES 400000u

struct worker_run {
	__u64 *bucket;
	uint64_t n_pkts;
	pthread_t thread;
};

static void *run_worker(void *argument)
{
	const struct fwd_rate rate = { 1000000, 500000 };
	struct worker_run *run = argument;

	for (uint32_t i = 0; i < WORKER_TRIES; i++)
		run->n_pkts += (uint64_t)rate_take(&nobody, &rate, run->bucket, NOW_NS) != 0;
	return NULL;
}

static void rate_is_shared_by_all_workers(void **state)
{
	struct worker_run runs[WORKERS] = { 0 };
	uint64_t n_pkts = 0;
	__u64 bucket = 0;

	ARRAY_FOREACH (run, runs, WORKERS) {
		run->bucket = &bucket;
		assert_int_equal(pthread_create(&run->thread, NULL, run_worker, run), 0);
	}
	ARRAY_FOREACH (run, runs, WORKERS) {
		assert_int_equal(pthread_join(run->thread, NULL), 0);
		n_pkts += run->n_pkts;
	}
	assert_int_equal(n_pkts, 500000);
}

/* ---- the core ---- */

#define SERVICE 1u

struct bench {
	struct vector_world *world;
	struct scheduler_loads *loads;
	struct scheduler *schedule;
	struct snapshot *snapshot;
	uint64_t now_ns;
};

static struct bench bench;

/* Everything that a SYN can leave a trace in: moving rows, records, turns and persistence. */
static void publish(uint32_t per_s, uint32_t per_s_of_source)
{
	const struct flows_table flows = { bench.world->flow4, bench.world->flow6,
		ARRAY_LEN(bench.world->flow4), ARRAY_LEN(bench.world->flow6), bench.world->seen,
		VECTOR_SEEN_WORDS };
	struct fwd_settings settings = { .flow_seed = { 5, 6 },
		.mtu_bytes = VECTOR_MTU_BYTES,
		.flow4_buckets = flows.n_flow4,
		.flow6_buckets = flows.n_flow6 };
	struct fwd_service service = { .id = SERVICE,
		.flags = FWD_SERVICE_RECORD_ALL | FWD_SERVICE_ROUND_ROBIN,
		.tcp_timeout_s = 900,
		.fin_timeout_s = 120,
		.udp_timeout_s = 300,
		.persistence_s = 60,
		.persistence_prefix4 = 32,
		.persistence_prefix6 = 128,
		.syn_rate = rate_make(per_s),
		.syn_rate_source = rate_make(per_s_of_source) };
	uint16_t turns[2];

	memcpy(settings.own_mac, vector_mac_bytes(VECTOR_MAC_OWN), FWD_MAC_BYTES);
	bench.snapshot = snapshot_free(bench.snapshot);
	assert_int_equal(snapshot_new(&settings, &flows, &bench.snapshot), 0);
	snapshot_add_table(
		bench.snapshot, &bench.world->moving_rows, -1, NULL, NULL, &service.table);
	assert_int_equal(snapshot_add_service(bench.snapshot, &service), 0);
	for (uint16_t id = 1; id <= 2; id++) {
		struct fwd_backend backend = { .mac = { 2, (uint8_t)id },
			.flags = FWD_BACKEND_FLOWS | FWD_BACKEND_NEW };

		assert_int_equal(snapshot_add_backend(bench.snapshot, id, &backend), 0);
		turns[id - 1] = id;
	}
	assert_int_equal(
		snapshot_add_schedule(bench.snapshot, SERVICE, turns, 2, bench.schedule), 0);
	vector_world_bind(bench.snapshot, "198.51.100.10", 6, 80, 80, SERVICE);
	vector_world_bind(bench.snapshot, "198.51.100.10", 17, 53, 53, SERVICE);
	vector_world_bind(bench.snapshot, "2001:db8::10", 6, 80, 80, SERVICE);
}

static int setup(void **state)
{
	bench.world = aligned_alloc(64, sizeof(*bench.world));
	bench.loads = scheduler_loads_new(NULL);
	bench.schedule = scheduler_new(bench.loads, false);
	if (!bench.world || !bench.schedule)
		return -1;
	vector_world_reset(bench.world);
	bench.now_ns = NOW_NS;
	return 0;
}

static int teardown(void **state)
{
	bench.snapshot = snapshot_free(bench.snapshot);
	bench.schedule = scheduler_unref(bench.schedule);
	bench.loads = scheduler_loads_free(bench.loads);
	free(bench.world);
	return 0;
}

static enum fwd_reason run(const struct vector_packet *packet)
{
	struct fwd_port port = {
		.snapshot = bench.snapshot,
		.rates = vector_world_rates(bench.world),
		.now_ns = bench.now_ns,
		.now_s = (uint32_t)(bench.now_ns / NS_PER_S),
	};
	uint8_t bytes[256];
	struct fwd_frame frame = { .length_bytes = (uint32_t)vector_build(packet, bytes) };
	struct fwd_result result;

	fwd_run(&port, bytes, bytes + frame.length_bytes, &frame, &result);
	assert_true(result.reason == FWD_REASON_FORWARDED || (!result.syn && !result.recorded));
	return result.reason;
}

static enum fwd_reason syn_of(const char *source)
{
	return run(&(struct vector_packet){ .source = source, .ip6 = strchr(source, ':') });
}

static void rate_of_the_virtual_server_counts_all_sources(void **state)
{
	publish(20, 0);
	assert_int_equal(syn_of("192.0.2.1"), FWD_REASON_FORWARDED);
	assert_int_equal(syn_of("203.0.113.1"), FWD_REASON_FORWARDED);
	assert_int_equal(syn_of("192.0.2.1"), FWD_REASON_SYN_RATE);
	assert_int_equal(syn_of("203.0.113.2"), FWD_REASON_SYN_RATE);
	bench.now_ns += 50 * NS_PER_MS + TICK_NS;
	assert_int_equal(syn_of("203.0.113.2"), FWD_REASON_FORWARDED);
	assert_int_equal(syn_of("203.0.113.3"), FWD_REASON_SYN_RATE);
}

static void rate_of_a_source_is_its_network_s(void **state)
{
	static const char *const sources[][3] = { /* two of one network, and its neighbour */
		{ "192.0.2.1", "192.0.2.254", "192.0.3.1" },
		{ "2001:db8:1:100::1", "2001:db8:1:1ff:ffff::9", "2001:db8:1:200::1" }
	};

	publish(0, 1);
	ARRAY_FOREACH (source, sources, ARRAY_LEN(sources)) {
		assert_int_equal(syn_of((*source)[0]), FWD_REASON_FORWARDED);
		assert_int_equal(syn_of((*source)[0]), FWD_REASON_SYN_RATE_SOURCE);
		assert_int_equal(syn_of((*source)[1]), FWD_REASON_SYN_RATE_SOURCE);
		assert_int_equal(syn_of((*source)[2]), FWD_REASON_FORWARDED);
	}
	bench.now_ns += NS_PER_S;
	assert_int_equal(syn_of("192.0.2.254"), FWD_REASON_FORWARDED);
	assert_int_equal(syn_of("192.0.2.1"), FWD_REASON_SYN_RATE_SOURCE);
}

static void rate_of_a_source_spares_the_virtual_server_s(void **state)
{
	publish(30, 10);
	assert_int_equal(syn_of("192.0.2.1"), FWD_REASON_FORWARDED);
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(syn_of("192.0.2.1"), FWD_REASON_SYN_RATE_SOURCE);
	assert_int_equal(syn_of("192.0.3.1"), FWD_REASON_FORWARDED);
	assert_int_equal(syn_of("192.0.4.1"), FWD_REASON_FORWARDED);
	assert_int_equal(syn_of("192.0.5.1"), FWD_REASON_SYN_RATE);
}

static void rate_meters_what_opens_connections_alone(void **state)
{
	const struct vector_packet others[] = {
		{ .tcp_flags = WIRE_TCP_ACK },
		{ .tcp_flags = WIRE_TCP_SYN | WIRE_TCP_ACK },
		{ .tcp_flags = WIRE_TCP_SYN | WIRE_TCP_RST },
		{ .tcp_flags = WIRE_TCP_FIN | WIRE_TCP_ACK },
		{ .proto = FWD_PROTO_UDP },
		{ .icmp_type = 8 },
	};

	publish(1, 1);
	assert_int_equal(syn_of("192.0.2.7"), FWD_REASON_FORWARDED);
	ARRAY_FOREACH (packet, others, ARRAY_LEN(others))
		for (unsigned int i = 0; i < 10; i++)
			assert_int_equal(run(packet), FWD_REASON_FORWARDED);
	/* Of a flow that is recorded too. */
	assert_int_equal(syn_of("192.0.2.7"), FWD_REASON_SYN_RATE_SOURCE);
}

static void rate_leaves_no_trace_of_what_it_refuses(void **state)
{
	_cleanup_free_ struct vector_world *before = NULL;
	uint32_t turn;

	publish(1, 0);
	assert_int_equal(syn_of("192.0.2.7"), FWD_REASON_FORWARDED);
	before = aligned_alloc(64, sizeof(*before));
	assert_non_null(before);
	memcpy(before, bench.world, sizeof(*before));
	turn = *scheduler_position(bench.schedule);
	bench.now_ns += 999 * NS_PER_MS;
	for (unsigned int i = 0; i < 100; i++) {
		char source[32];

		snprintf(source, sizeof(source), "203.0.113.%u", i + 1);
		assert_int_equal(syn_of(source), FWD_REASON_SYN_RATE);
		assert_int_equal(syn_of("2001:db8:9::9"), FWD_REASON_SYN_RATE);
	}
	assert_int_equal(syn_of("192.0.2.7"), FWD_REASON_SYN_RATE);
	assert_memory_equal(bench.world, before, sizeof(*before));
	assert_int_equal(*scheduler_position(bench.schedule), turn);
}

static void rate_goes_on_over_a_reload(void **state)
{
	publish(1, 0);
	assert_int_equal(syn_of("192.0.2.1"), FWD_REASON_FORWARDED);
	publish(1, 0);
	assert_int_equal(syn_of("192.0.2.1"), FWD_REASON_SYN_RATE);
	publish(0, 0);
	assert_int_equal(syn_of("192.0.2.1"), FWD_REASON_FORWARDED);
	publish(2, 0);
	assert_int_equal(syn_of("192.0.2.1"), FWD_REASON_FORWARDED);
	assert_int_equal(syn_of("192.0.2.1"), FWD_REASON_SYN_RATE);
}

/* Tests, explain for a moment: who has no buckets meters nothing. */
static void rate_needs_buckets(void **state)
{
	const struct fwd_rate one = rate_make(1);
	const struct fwd_service service = { .id = 1, .syn_rate = one, .syn_rate_source = one };
	const struct fwd_addr client = { { 0 } };
	struct fwd_port port = { 0 };

	publish(0, 0);
	port.snapshot = bench.snapshot;
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(rate_judge_syn(&port, &service, &client, 0), FWD_REASON_FORWARDED);
}

#define IN_BENCH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rate_lets_exactly_that_many_through),
		cmocka_unit_test(rate_refuses_nothing_within_it),
		cmocka_unit_test(rate_saves_no_more_than_a_burst),
		cmocka_unit_test(rate_without_a_burst_lets_nothing_through),
		cmocka_unit_test(rate_is_not_fooled_by_a_clock_behind),
		cmocka_unit_test(rate_that_changes_begins_full),
		cmocka_unit_test(rate_only_looks_where_the_port_does),
		cmocka_unit_test(rate_is_shared_by_all_workers),
		IN_BENCH(rate_of_the_virtual_server_counts_all_sources),
		IN_BENCH(rate_of_a_source_is_its_network_s),
		IN_BENCH(rate_of_a_source_spares_the_virtual_server_s),
		IN_BENCH(rate_meters_what_opens_connections_alone),
		IN_BENCH(rate_leaves_no_trace_of_what_it_refuses),
		IN_BENCH(rate_goes_on_over_a_reload),
		IN_BENCH(rate_needs_buckets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
