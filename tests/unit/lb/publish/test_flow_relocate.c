/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dense part of the flow table: where records lie while few are kept and when the table is crowded,
 * that both find what the other wrote, and that nobody misses a record on its way.
 */
#include "lb/publish/flow_relocate.h"

#include "lb/fwd/flow_ops.h"
#include "lb/engine/port_user.h"
#include "tests/unit/lb/flows_all.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define NOW_S    10000u
#define SERVICE  1u
#define DEAD     3u /* a backend that takes no flows */
#define BUCKETS  ((size_t)2 * FLOWS_DENSE_BUCKETS)
#define FLOWS    6000u
#define BACKENDS 2u

enum { NEAR, CROWDED, N_SNAPSHOTS };

struct bench {
	struct flows_table flows;
	struct fwd_service service;
	struct snapshot *snapshots[N_SNAPSHOTS];
	struct fwd_port ports[N_SNAPSHOTS];
	bool runs, stops;
};

static struct bench bench;

static struct snapshot *make_snapshot(bool is_crowded)
{
	struct fwd_settings settings = { .mtu_bytes = 1500, .flow_seed = { 77, 88 } };
	struct snapshot *snapshot;

	flows_homes(BUCKETS, is_crowded, settings.flow4_among);
	flows_homes(BUCKETS, is_crowded, settings.flow6_among);
	assert_int_equal(snapshot_new(&settings, &bench.flows, &snapshot), 0);
	for (uint16_t id = 1; id <= DEAD; id++) {
		struct fwd_backend backend = { .mac = { 2, (uint8_t)id },
			.flags = id == DEAD ? 0 : FWD_BACKEND_FLOWS };

		assert_int_equal(snapshot_add_backend(snapshot, id, &backend), 0);
	}
	assert_int_equal(snapshot_add_service(snapshot, &bench.service), 0);
	return snapshot;
}

static int setup(void **state)
{
	memset(&bench, 0, sizeof(bench));
	bench.flows = (struct flows_table){ .n_flow4 = BUCKETS, .n_flow6 = BUCKETS };
	bench.flows.flow4 = aligned_alloc(64, BUCKETS * sizeof(*bench.flows.flow4));
	bench.flows.flow6 = aligned_alloc(64, BUCKETS * sizeof(*bench.flows.flow6));
	assert_true(bench.flows.flow4 && bench.flows.flow6);
	memset(bench.flows.flow4, 0, BUCKETS * sizeof(*bench.flows.flow4));
	memset(bench.flows.flow6, 0, BUCKETS * sizeof(*bench.flows.flow6));
	bench.service = (struct fwd_service){
		.id = SERVICE, .tcp_timeout_s = 900, .udp_timeout_s = 300, .persistence_s = 600
	};
	for (size_t i = 0; i < N_SNAPSHOTS; i++) {
		bench.snapshots[i] = make_snapshot(i == CROWDED);
		bench.ports[i] =
			(struct fwd_port){ .snapshot = bench.snapshots[i], .now_s = NOW_S };
	}
	return 0;
}

static int teardown(void **state)
{
	for (size_t i = 0; i < N_SNAPSHOTS; i++)
		snapshot_free(bench.snapshots[i]);
	free(bench.flows.flow4);
	free(bench.flows.flow6);
	return 0;
}

static struct flow_key key_make(uint32_t client, bool is_ip6)
{
	struct fwd_addr address = { { 0, 0, htonl(0xffff), htonl(0x0a000000 + client) } };
	struct flow_key key = { .service = SERVICE };

	if (is_ip6)
		address.word[0] = htonl(0x20010db8);
	flow_key_make(&bench.ports[NEAR], &key, &address, htons(1234), htons(80), is_ip6);
	return key;
}

static void put(size_t by, uint32_t client, bool is_ip6, uint16_t backend, enum flow_state state)
{
	struct flow_key key = key_make(client, is_ip6);

	assert_int_equal(flow_put(&bench.ports[by], &key,
				 flow_meta(SERVICE, backend, (__u8)state, NOW_S), NOW_S),
		FLOW_PUT_DONE);
}

static uint16_t backend_of(uint32_t client)
{
	return (uint16_t)(1 + client % BACKENDS);
}

/* Place of the record; 0: there is none. Its backend is the client's. */
static uint32_t place_of(size_t by, uint32_t client, bool is_ip6)
{
	struct flow_key key = key_make(client, is_ip6);
	struct flow_found found = { 0 };

	if (!flow_find(&bench.ports[by], &key, &bench.service, NOW_S, &found))
		return 0;
	assert_int_equal(flow_meta_backend(found.meta), backend_of(client));
	return found.at;
}

static const struct fwd_service *find_service(uint16_t service, void *context)
{
	return service == SERVICE ? &bench.service : NULL;
}

static void count_flow(const struct flows_entry *entry, void *context)
{
	(*(size_t *)context)++;
}

static size_t n_listed(void)
{
	size_t n = 0;

	flows_all(&bench.flows, find_service, NULL, NOW_S, count_flow, &n);
	return n;
}

static size_t n_behind_near(bool is_ip6)
{
	const __u64 *words = is_ip6 ? bench.flows.flow6->words : bench.flows.flow4->words;
	size_t n = 0;

	for (size_t i = (size_t)FLOWS_DENSE_BUCKETS * FLOW_BUCKET_WORDS;
		i < BUCKETS * FLOW_BUCKET_WORDS; i++)
		n += words[i] != 0;
	return n;
}

static void put_all(size_t by, bool is_ip6)
{
	for (uint32_t client = 0; client < FLOWS; client++)
		put(by, client, is_ip6, backend_of(client),
			client & 4 ? FLOW_TCP_ESTABLISHED : FLOW_TCP_SYN);
}

static void few_flows_lie_near(void **state)
{
	for (size_t ip6 = 0; ip6 < 2; ip6++) {
		put_all(NEAR, ip6);
		assert_int_equal(n_behind_near(ip6), 0);
		for (uint32_t client = 0; client < FLOWS; client++)
			assert_in_range(place_of(NEAR, client, ip6), 1, FLOW_GROUP_WORDS - 1);
	}
}

static void what_one_order_wrote_the_other_finds(void **state)
{
	for (size_t ip6 = 0; ip6 < 2; ip6++)
		for (size_t by = 0; by < N_SNAPSHOTS; by++) {
			size_t n_next = 0;

			put_all(by, ip6);
			for (uint32_t client = 0; client < FLOWS; client++) {
				uint32_t at = place_of(!by, client, ip6);

				assert_int_not_equal(at, 0);
				n_next += at >= FLOW_GROUP_WORDS;
			}
			/* A few of those in the whole table lie in their near group. */
			assert_in_range(n_next, FLOWS * 9 / 10, FLOWS);
			memset(ip6 ? (void *)bench.flows.flow6 : (void *)bench.flows.flow4, 0,
				BUCKETS * sizeof(struct flow4_bucket));
		}
}

/* The bucket is full of proven flows of others: the record goes to the other part. */
static void a_full_group_overflows_to_the_other(void **state)
{
	for (size_t by = 0; by < N_SNAPSHOTS; by++) {
		const __u32 *among = snapshot_settings(bench.snapshots[by])->flow4_among;
		struct flow_key key = key_make(7, false);
		uint32_t home = flow_home(key.hash, among[0], among[1]) & ~(FLOW_GROUP_BUCKETS - 1);

		for (uint32_t i = 0; i < FLOW_GROUP_BUCKETS * FLOW4_PER_BUCKET; i++)
			bench.flows.flow4[home + i / FLOW4_PER_BUCKET]
				.entries[i % FLOW4_PER_BUCKET] = (struct flow4){
				.client = i + 1,
				.meta = flow_meta(SERVICE, 1, FLOW_TCP_ESTABLISHED, NOW_S),
			};
		put(by, 7, false, backend_of(7), FLOW_TCP_SYN);
		assert_in_range(place_of(by, 7, false), FLOW_GROUP_WORDS, FLOW_BOTH_WORDS - 1);
		memset(bench.flows.flow4, 0, BUCKETS * sizeof(*bench.flows.flow4));
	}
}

/* As a flood of flows leaves it, that is faster than anybody looks at how full it is. */
static void a_full_dense_part_turns_no_flow_away(void **state)
{
	for (size_t i = 0; i < (size_t)FLOWS_DENSE_BUCKETS * FLOW4_PER_BUCKET; i++)
		bench.flows.flow4[i / FLOW4_PER_BUCKET].entries[i % FLOW4_PER_BUCKET] =
			(struct flow4){
				.client = (__be32)i + 1,
				.meta = flow_meta(SERVICE, 1, FLOW_UDP_ESTABLISHED, NOW_S),
			};
	put_all(NEAR, false);
	for (uint32_t client = 0; client < FLOWS; client++)
		assert_in_range(
			place_of(NEAR, client, false), FLOW_GROUP_WORDS, FLOW_BOTH_WORDS - 1);
}

static void records_go_where_they_are_looked_for_first(void **state)
{
	for (size_t ip6 = 0; ip6 < 2; ip6++) {
		size_t n_moved, n_next = 0, n_before = n_listed();

		put_all(NEAR, ip6);
		assert_int_equal(n_listed() - n_before, FLOWS);
		n_moved = flow_relocate(bench.snapshots[NEAR], ip6, NOW_S);
		assert_in_range(n_moved, FLOWS * 9 / 10, FLOWS);
		assert_int_equal(n_listed() - n_before, FLOWS);
		for (uint32_t client = 0; client < FLOWS; client++) {
			assert_int_not_equal(place_of(NEAR, client, ip6), 0);
			n_next += place_of(CROWDED, client, ip6) >= FLOW_GROUP_WORDS;
		}
		assert_int_equal(n_next, 0);
		/* All have arrived; and by the other order nothing is to be done. */
		assert_int_equal(flow_relocate(bench.snapshots[NEAR], ip6, NOW_S), 0);
		assert_int_equal(flow_relocate(bench.snapshots[CROWDED], ip6, NOW_S), 0);
	}
}

static void void_records_stay(void **state)
{
	struct flow_key old = key_make(1, false);

	assert_int_equal(flow_put(&bench.ports[NEAR], &old,
				 flow_meta(SERVICE, 1, FLOW_TCP_ESTABLISHED, NOW_S - 901), NOW_S),
		FLOW_PUT_DONE);
	put(NEAR, 2, false, DEAD, FLOW_TCP_ESTABLISHED);
	put(NEAR, 3, false, 1, FLOW_BUSY);
	assert_int_equal(flow_relocate(bench.snapshots[NEAR], false, NOW_S), 0);
	assert_int_equal(n_behind_near(false), 0);
}

/* Nothing is evicted for a record that is found where it is. */
static void a_record_without_room_stays(void **state)
{
	struct flow_key key = key_make(7, false);
	uint32_t home =
		flow_home(key.hash, BUCKETS, FLOWS_DENSE_BUCKETS) & ~(FLOW_GROUP_BUCKETS - 1);

	assert_true(home >= FLOWS_DENSE_BUCKETS);
	put(NEAR, 7, false, backend_of(7), FLOW_TCP_ESTABLISHED);
	for (uint32_t i = 0; i < FLOW_GROUP_BUCKETS * FLOW4_PER_BUCKET; i++)
		bench.flows.flow4[home + i / FLOW4_PER_BUCKET].entries[i % FLOW4_PER_BUCKET] =
			(struct flow4){
				.client = i + 1,
				.meta = flow_meta(SERVICE, 1, FLOW_TCP_SYN, NOW_S),
			};
	assert_int_equal(flow_relocate(bench.snapshots[NEAR], false, NOW_S), 0);
	assert_in_range(place_of(NEAR, 7, false), 1, FLOW_GROUP_WORDS - 1);
	assert_in_range(place_of(CROWDED, 7, false), FLOW_GROUP_WORDS, FLOW_BOTH_WORDS - 1);
}

/* A CPU that forwards: each packet finds its record and renews it. */
static void *forward(void *context)
{
	struct fwd_port *port = &bench.ports[NEAR];
	size_t n_missed = 0;

	while (!__atomic_load_n(&bench.stops, __ATOMIC_ACQUIRE)) {
		for (uint32_t client = 0; client < FLOWS; client++) {
			struct flow_key key = key_make(client, false);
			struct flow_found found = { 0 };

			if (!flow_find(port, &key, &bench.service, NOW_S, &found)) {
				n_missed++;
				continue;
			}
			flow_update(port, &key, &found,
				flow_meta(SERVICE, flow_meta_backend(found.meta),
					FLOW_TCP_ESTABLISHED, NOW_S + client % 2));
		}
		__atomic_store_n(&bench.runs, true, __ATOMIC_RELEASE);
	}
	return (void *)n_missed;
}

static void nobody_misses_a_record_on_its_way(void **state)
{
	for (unsigned int round = 0; round < 20; round++) {
		pthread_t thread;
		void *n_missed;

		memset(bench.flows.flow4, 0, BUCKETS * sizeof(*bench.flows.flow4));
		put_all(NEAR, false);
		bench.runs = bench.stops = false;
		assert_int_equal(pthread_create(&thread, NULL, forward, NULL), 0);
		while (!__atomic_load_n(&bench.runs, __ATOMIC_ACQUIRE))
			sched_yield();
		assert_in_range(flow_relocate(bench.snapshots[NEAR], false, NOW_S), 1, FLOWS);
		__atomic_store_n(&bench.stops, true, __ATOMIC_RELEASE);
		assert_int_equal(pthread_join(thread, &n_missed), 0);
		assert_int_equal((size_t)n_missed, 0);
		assert_int_equal(n_listed(), FLOWS);
	}
}

#define NEAR_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		NEAR_TEST(few_flows_lie_near),
		NEAR_TEST(what_one_order_wrote_the_other_finds),
		NEAR_TEST(a_full_group_overflows_to_the_other),
		NEAR_TEST(a_full_dense_part_turns_no_flow_away),
		NEAR_TEST(records_go_where_they_are_looked_for_first),
		NEAR_TEST(void_records_stay),
		NEAR_TEST(a_record_without_room_stays),
		NEAR_TEST(nobody_misses_a_record_on_its_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
