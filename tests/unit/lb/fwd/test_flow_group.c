/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where in its group of buckets a record lies: every place is found, written to, listed and given
 * up; how many flows find no room in a table that is filled to what it is for; and CPUs that meet.
 */
#include "lb/fwd/flow_ops.h"
#include "lb/engine/port_user.h"
#include "tests/unit/lb/flows_all.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define NOW_S    10000u
#define SERVICE  1u
#define BACKENDS 40u
/* As full as max-flows: 96 groups of IPv4 for each 1024 flows, 160 of IPv6. */
#define FLOWS 65536u
/* Of a group of IPv4; half as many of IPv6. */
#define ENTRIES ((size_t)FLOW_GROUP_BUCKETS * FLOW4_PER_BUCKET)
#define ROUNDS  3000u

struct bench {
	struct flows_table flows;
	struct fwd_service service;
	struct snapshot *snapshot;
	struct fwd_port port;
};

static struct bench bench;

static int open_bench(uint64_t max_flows)
{
	struct fwd_settings settings = { .mtu_bytes = 1500, .flow_seed = { 77, 88 } };
	struct flows_table *flows = &bench.flows;

	memset(&bench, 0, sizeof(bench));
	flows->n_flow4 = flows_buckets4(max_flows);
	flows->n_flow6 = flows_buckets6(max_flows);
	flows->flow4 = aligned_alloc(64, flows->n_flow4 * sizeof(*flows->flow4));
	flows->flow6 = aligned_alloc(64, flows->n_flow6 * sizeof(*flows->flow6));
	if (!flows->flow4 || !flows->flow6 || snapshot_new(&settings, flows, &bench.snapshot) < 0)
		return -1;
	memset(flows->flow4, 0, flows->n_flow4 * sizeof(*flows->flow4));
	memset(flows->flow6, 0, flows->n_flow6 * sizeof(*flows->flow6));
	bench.service = (struct fwd_service){
		.id = SERVICE, .tcp_timeout_s = 900, .udp_timeout_s = 300, .persistence_s = 600
	};
	for (uint16_t id = 1; id <= BACKENDS; id++) {
		struct fwd_backend backend = { .mac = { 2, (uint8_t)id },
			.flags = FWD_BACKEND_FLOWS };

		if (snapshot_add_backend(bench.snapshot, id, &backend) < 0)
			return -1;
	}
	bench.port = (struct fwd_port){ .snapshot = bench.snapshot, .now_s = NOW_S };
	return snapshot_add_service(bench.snapshot, &bench.service);
}

/* A few groups: three of IPv4, five of IPv6. */
static int setup(void **state)
{
	return open_bench(32);
}

static int setup_full_size(void **state)
{
	return open_bench(FLOWS);
}

static int teardown(void **state)
{
	snapshot_free(bench.snapshot);
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
	flow_key_make(&bench.port, &key, &address, htons(1234), htons(80), is_ip6);
	return key;
}

static uint32_t home_of(const struct flow_key *key, uint32_t n_buckets)
{
	return hash_reduce_half(key->hash, n_buckets);
}

/* The next client, from `*client` on, whose home is the bucket. */
static struct flow_key key_at_home(uint32_t home, uint32_t *client, bool is_ip6)
{
	struct flow_key key;

	do
		key = key_make((*client)++, is_ip6);
	while (home_of(&key, is_ip6 ? bench.flows.n_flow6 : bench.flows.n_flow4) != home);
	return key;
}

static enum flow_put_result put(const struct flow_key *key, uint16_t backend, enum flow_state state)
{
	return flow_put(&bench.port, key, flow_meta(SERVICE, backend, (__u8)state, NOW_S), NOW_S);
}

/* Place and backend of a record; 0: there is none. */
static uint32_t place_of(const struct flow_key *key, uint16_t *ret_backend)
{
	struct flow_found found = { 0 };

	if (!flow_find(&bench.port, key, &bench.service, NOW_S, &found))
		return 0;
	if (ret_backend)
		*ret_backend = flow_meta_backend(found.meta);
	return found.at;
}

static __u64 *meta_at(const struct flow_key *key, uint32_t at)
{
	__u64 *words =
		flow_words(&bench.port, key, key->is_ip6 ? FLOW6_KEY_WORDS : FLOW4_KEY_WORDS, at);

	return &words[at % FLOW_BUCKET_WORDS];
}

/* The place of the nth record that a home gets. */
static uint32_t nth_place(size_t nth, bool is_ip6)
{
	uint32_t entry_words = (is_ip6 ? FLOW6_KEY_WORDS : FLOW4_KEY_WORDS) + 1;

	return (uint32_t)nth * entry_words + entry_words - 1;
}

static size_t entries_of(bool is_ip6)
{
	return is_ip6 ? ENTRIES / 2 : ENTRIES;
}

/* Fills the group of a home with proven flows of it, each at a backend of its own. */
static void fill(uint32_t home, bool is_ip6, struct flow_key keys[ENTRIES], uint32_t *client)
{
	for (size_t i = 0; i < entries_of(is_ip6); i++) {
		keys[i] = key_at_home(home, client, is_ip6);
		assert_int_equal(put(&keys[i], i + 1, FLOW_TCP_ESTABLISHED), FLOW_PUT_DONE);
	}
}

static const struct fwd_service *find_service(uint16_t service, void *context)
{
	return service == SERVICE ? &bench.service : NULL;
}

struct listed {
	size_t n_flows;
	uint64_t backends; /* bits */
};

static void list_flow(const struct flows_entry *entry, void *context)
{
	struct listed *listed = context;

	listed->n_flows++;
	listed->backends |= UINT64_C(1) << entry->backend;
}

static struct listed list(void)
{
	struct listed listed = { 0 };

	flows_all(&bench.flows, find_service, NULL, NOW_S, list_flow, &listed);
	return listed;
}

/* The bytes of the table outside the group are as they were made. */
static void assert_alone(uint32_t home, bool is_ip6)
{
	uint32_t n_buckets = is_ip6 ? bench.flows.n_flow6 : bench.flows.n_flow4;
	const __u64 *words = is_ip6 ? bench.flows.flow6->words : bench.flows.flow4->words;

	for (uint32_t i = 0; i < n_buckets; i++, words += FLOW_BUCKET_WORDS)
		for (size_t nth = 0; nth < entries_of(is_ip6) / FLOW_GROUP_BUCKETS; nth++)
			assert_int_equal(words[nth_place(nth, is_ip6)] != 0,
				i / FLOW_GROUP_BUCKETS == home / FLOW_GROUP_BUCKETS);
}

static void fill_and_use(uint32_t home, bool is_ip6)
{
	struct flow_key keys[ENTRIES], one_more;
	uint32_t client = 1;
	struct listed listed;
	uint16_t backend = 0;

	fill(home, is_ip6, keys, &client);
	assert_alone(home, is_ip6);
	for (size_t i = 0; i < entries_of(is_ip6); i++) {
		struct flow_found found = { 0 };

		assert_int_equal(place_of(&keys[i], &backend), nth_place(i, is_ip6));
		assert_int_equal(backend, i + 1);
		flow_find(&bench.port, &keys[i], &bench.service, NOW_S, &found);
		flow_update(&bench.port, &keys[i], &found,
			flow_meta(SERVICE, (__u16)(20 + i), FLOW_TCP_FIN, NOW_S));
		assert_int_equal(place_of(&keys[i], &backend), nth_place(i, is_ip6));
		assert_int_equal(backend, 20 + i);
	}
	listed = list();
	assert_int_equal(listed.n_flows, entries_of(is_ip6));
	assert_int_equal(listed.backends, ((UINT64_C(1) << entries_of(is_ip6)) - 1) << 20);
	one_more = key_at_home(home, &client, is_ip6);
	assert_int_equal(put(&one_more, 1, FLOW_TCP_SYN), FLOW_PUT_FULL);
	assert_int_equal(place_of(&one_more, NULL), 0);
	assert_int_equal(list().n_flows, entries_of(is_ip6));
	for (size_t i = 0; i < entries_of(is_ip6); i++)
		flows_all_purge(&bench.flows, SERVICE, 20 + i);
	assert_int_equal(list().n_flows, 0);
}

static void group_takes_its_homes_flows_in_order_and_no_more(void **state)
{
	for (uint32_t home = FLOW_GROUP_BUCKETS; home < 2 * FLOW_GROUP_BUCKETS; home++) {
		fill_and_use(home, false);
		fill_and_use(home, true);
	}
}

static void group_gives_up_the_oldest_unproven_wherever_it_lies(void **state)
{
	for (size_t i = 0; i < 2 * ENTRIES; i++) {
		bool is_ip6 = i >= ENTRIES;
		size_t oldest = i % entries_of(is_ip6), younger = (oldest + 5) % entries_of(is_ip6);
		struct flow_key keys[ENTRIES], one_more;
		uint32_t client = 1;

		fill(6, is_ip6, keys, &client);
		*meta_at(&keys[oldest], nth_place(oldest, is_ip6)) =
			flow_meta(SERVICE, 1, FLOW_TCP_SYN, NOW_S - 9);
		*meta_at(&keys[younger], nth_place(younger, is_ip6)) =
			flow_meta(SERVICE, 1, FLOW_TCP_SYN, NOW_S - 8);
		one_more = key_at_home(5, &client, is_ip6); /* another home of the same group */
		assert_int_equal(put(&one_more, 1, FLOW_TCP_ESTABLISHED), FLOW_PUT_EVICTED);
		assert_int_equal(place_of(&keys[oldest], NULL), 0);
		assert_int_not_equal(place_of(&keys[younger], NULL), 0);
		assert_int_not_equal(place_of(&one_more, NULL), 0);
		for (uint16_t backend = 1; backend <= BACKENDS; backend++)
			flows_all_purge(&bench.flows, SERVICE, backend);
	}
}

static void group_takes_a_free_place_before_it_gives_one_up(void **state)
{
	struct flow_key keys[ENTRIES], one_more;
	uint32_t client = 1;

	fill(4, false, keys, &client);
	for (size_t i = 0; i < FLOW4_PER_BUCKET; i++)
		*meta_at(&keys[i], nth_place(i, false)) =
			flow_meta(SERVICE, 1, FLOW_TCP_SYN, NOW_S - 9);
	*meta_at(&keys[14], nth_place(14, false)) = 0;
	*meta_at(&keys[11], nth_place(11, false)) =
		flow_meta(SERVICE, 1, FLOW_TCP_ESTABLISHED, NOW_S - 901);
	one_more = key_at_home(4, &client, false);
	assert_int_equal(put(&one_more, 1, FLOW_TCP_SYN), FLOW_PUT_DONE);
	assert_int_equal(place_of(&one_more, NULL), nth_place(11, false));
	one_more = key_at_home(4, &client, false);
	assert_int_equal(put(&one_more, 1, FLOW_TCP_SYN), FLOW_PUT_DONE);
	assert_int_equal(place_of(&one_more, NULL), nth_place(14, false));
}

static void group_finds_what_lies_behind_free_entries(void **state)
{
	for (size_t ip6 = 0; ip6 < 2; ip6++) {
		size_t per_bucket = entries_of(ip6) / FLOW_GROUP_BUCKETS,
		       last = entries_of(ip6) - 1;
		struct flow_key keys[ENTRIES], one_more;
		uint32_t client = 1;

		fill(7, ip6, keys, &client);
		for (size_t i = 0; i < per_bucket; i++)
			*meta_at(&keys[i], nth_place(i, ip6)) = 0;
		for (size_t i = 0; i <= last; i++)
			assert_int_equal(
				place_of(&keys[i], NULL), i < per_bucket ? 0 : nth_place(i, ip6));
		/* Home again for who comes next; nobody else moves. */
		one_more = key_at_home(7, &client, ip6);
		assert_int_equal(put(&one_more, 1, FLOW_TCP_SYN), FLOW_PUT_DONE);
		assert_int_equal(place_of(&one_more, NULL), nth_place(0, ip6));
		for (size_t i = per_bucket; i < last; i++)
			*meta_at(&keys[i], nth_place(i, ip6)) = 0;
		assert_int_equal(place_of(&keys[last], NULL), nth_place(last, ip6));
	}
}

static void group_has_a_client_once(void **state)
{
	struct flow_key keys[ENTRIES], client_key;
	uint32_t client = 1;

	fill(5, false, keys, &client);
	client_key = key_at_home(5, &client, false);
	client_key.is_persist = 1;
	*meta_at(&keys[13], nth_place(13, false)) = 0;
	assert_int_equal(put(&client_key, 3, FLOW_PERSIST_NEW), FLOW_PUT_DONE);
	assert_int_equal(place_of(&client_key, NULL), nth_place(13, false));
	/* An entry before it is freed; who looked before the record was made comes now. */
	*meta_at(&keys[2], nth_place(2, false)) = 0;
	assert_int_equal(put(&client_key, 4, FLOW_PERSIST_NEW), FLOW_PUT_FULL);
	assert_int_equal(*meta_at(&keys[2], nth_place(2, false)), 0);
	/* What is being written there may be the client; of another service it is not. */
	*meta_at(&keys[13], nth_place(13, false)) = flow_meta(SERVICE, 0, FLOW_BUSY, NOW_S);
	assert_int_equal(put(&client_key, 4, FLOW_PERSIST_NEW), FLOW_PUT_FULL);
	*meta_at(&keys[13], nth_place(13, false)) = flow_meta(2, 0, FLOW_BUSY, NOW_S);
	assert_int_equal(put(&client_key, 4, FLOW_PERSIST_NEW), FLOW_PUT_DONE);
	assert_int_equal(place_of(&client_key, NULL), nth_place(2, false));
}

/* How many of FLOWS random flows find no room. All others are found. */
static size_t fill_table(bool is_ip6)
{
	size_t n_full = 0, n_found = 0;

	for (uint32_t client = 0; client < FLOWS; client++) {
		struct flow_key key = key_make(client, is_ip6);

		n_full += put(&key, 1, FLOW_TCP_ESTABLISHED) == FLOW_PUT_FULL;
	}
	for (uint32_t client = 0; client < FLOWS; client++) {
		struct flow_key key = key_make(client, is_ip6);

		n_found += place_of(&key, NULL) != 0;
	}
	assert_int_equal(n_found, FLOWS - n_full);
	print_message("# IPv%u: %.2f %% of %u flows find no room\n", is_ip6 ? 6 : 4,
		(double)n_full * 100 / FLOWS, FLOWS);
	return n_full;
}

/* The manual says: one in 100, one in 15. With a bucket alone it would be one in 12, one in 5. */
static void table_has_room_for_nearly_all_flows_that_it_is_for(void **state)
{
	assert_true(fill_table(false) < FLOWS * 15 / 1000);
	assert_true(fill_table(true) < FLOWS * 80 / 1000);
}

/* ---- two CPUs ---- */

struct racer {
	struct bench *bench;
	struct flow_key keys[ENTRIES];
	uint16_t backend; /* of all of its flows */
	bool failed;
};

/* More flows of one home than the group has places: no CPU is ever given the other's backend. */
static void *race(void *context)
{
	static const __u8 states[] = { FLOW_TCP_SYN, FLOW_TCP_ESTABLISHED, FLOW_TCP_RESET };
	struct racer *racer = context;

	for (size_t i = 0; i < (size_t)20 * ROUNDS; i++) {
		const struct flow_key *key = &racer->keys[i * 7 % ENTRIES];
		struct flow_found found = { 0 };
		__u64 meta = flow_meta(SERVICE, racer->backend, states[i % 3], NOW_S - i % 3 * 2);

		if (!flow_find(&bench.port, key, &bench.service, NOW_S, &found))
			(void)flow_put(&bench.port, key, meta, NOW_S);
		else if (flow_meta_backend(found.meta) != racer->backend)
			racer->failed = true;
		else
			flow_update(&bench.port, key, &found, i % 5 ? meta : 0);
	}
	return NULL;
}

static void group_mixes_up_no_flows_of_two_cpus(void **state)
{
	static struct racer racers[2];
	pthread_t threads[ARRAY_LEN(racers)];
	uint32_t client = 1;

	for (size_t i = 0; i < ARRAY_LEN(racers); i++) {
		racers[i] = (struct racer){ .backend = i + 1 };
		for (size_t flow = 0; flow < ENTRIES; flow++)
			racers[i].keys[flow] = key_at_home(6, &client, false);
	}
	for (size_t i = 0; i < ARRAY_LEN(racers); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
	for (size_t i = 0; i < ARRAY_LEN(racers); i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_false(racers[i].failed);
	}
	for (size_t i = 0; i < ENTRIES; i++)
		assert_int_not_equal(
			flow_meta_state(*meta_at(racers[0].keys, nth_place(i, false))), FLOW_BUSY);
}

struct meeting {
	pthread_barrier_t begin, end;
	struct flow_key key;
	enum flow_put_result results[2];
};

static struct meeting meeting;

static void *meet(void *context)
{
	enum flow_put_result *result = context;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&meeting.begin);
		*result = put(
			&meeting.key, (uint16_t)(1 + (result - meeting.results)), FLOW_PERSIST_NEW);
		pthread_barrier_wait(&meeting.end);
	}
	return NULL;
}

/* Home is full, and two CPUs bring the same client: one of them records it. */
static void group_records_a_client_of_two_cpus_once(void **state)
{
	struct flow_key keys[ENTRIES];
	pthread_t threads[2];
	uint32_t client = 1;

	fill(4, false, keys, &client);
	meeting.key = key_at_home(4, &client, false);
	meeting.key.is_persist = 1;
	assert_int_equal(pthread_barrier_init(&meeting.begin, NULL, 3), 0);
	assert_int_equal(pthread_barrier_init(&meeting.end, NULL, 3), 0);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, meet, &meeting.results[i]), 0);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		for (size_t idx = FLOW4_PER_BUCKET; idx < ENTRIES; idx++)
			*meta_at(keys, nth_place(idx, false)) = 0;
		pthread_barrier_wait(&meeting.begin);
		pthread_barrier_wait(&meeting.end);
		assert_int_not_equal(meeting.results[0], meeting.results[1]);
		assert_int_equal(place_of(&meeting.key, NULL), nth_place(4, false));
		assert_int_equal(*meta_at(keys, nth_place(5, false)), 0);
	}
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	pthread_barrier_destroy(&meeting.begin);
	pthread_barrier_destroy(&meeting.end);
}

#define GROUP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		GROUP_TEST(group_takes_its_homes_flows_in_order_and_no_more),
		GROUP_TEST(group_gives_up_the_oldest_unproven_wherever_it_lies),
		GROUP_TEST(group_takes_a_free_place_before_it_gives_one_up),
		GROUP_TEST(group_finds_what_lies_behind_free_entries),
		GROUP_TEST(group_has_a_client_once),
		cmocka_unit_test_setup_teardown(table_has_room_for_nearly_all_flows_that_it_is_for,
			setup_full_size, teardown),
		GROUP_TEST(group_mixes_up_no_flows_of_two_cpus),
		GROUP_TEST(group_records_a_client_of_two_cpus_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
