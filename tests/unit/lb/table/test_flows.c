/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control plane's view of the flow table: sizes, listing, ages, purging. */
#include "lb/table/flows.h"
#include "tests/unit/lb/flows_all.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define NOW_S 10000u

static struct flow4_bucket flow4[4];
static struct flow6_bucket flow6[4];
static struct flows_table table = { flow4, flow6, 4, 4, NULL, 0 };
static const struct fwd_service services[] = {
	{ .id = 1, .tcp_timeout_s = 900, .fin_timeout_s = 120, .udp_timeout_s = 300 },
	{ .id = 2, .tcp_timeout_s = 10, .fin_timeout_s = 5, .udp_timeout_s = 7 },
};

static const struct fwd_service *find_service(uint16_t service, void *context)
{
	return service >= 1 && service <= ARRAY_LEN(services) ? &services[service - 1] : NULL;
}

static int clear(void **state)
{
	memset(flow4, 0, sizeof(flow4));
	memset(flow6, 0, sizeof(flow6));
	return 0;
}

static void put4(size_t bucket, size_t at, __u64 meta)
{
	flow4[bucket].entries[at] = (struct flow4){
		.client = htonl(0xc6336401),
		.client_port = htons(1234),
		.vip_port = htons(443),
		.meta = meta,
	};
}

struct seen {
	struct flows_entry entries[32];
	size_t n_entries;
};

static void note(const struct flows_entry *entry, void *context)
{
	struct seen *seen = context;

	assert_true(seen->n_entries < ARRAY_LEN(seen->entries));
	seen->entries[seen->n_entries++] = *entry;
}

static struct seen list(void)
{
	struct seen seen = { 0 };

	flows_all(&table, find_service, NULL, NOW_S, note, &seen);
	return seen;
}

/* What max-flows = 1M takes, as the manual has it: 24 and 40 MB of 1,048,576 bytes. */
static void flows_take_the_memory_that_is_documented(void **state)
{
	assert_int_equal(flows_buckets4(1 << 20) * sizeof(struct flow4_bucket), 24 << 20);
	assert_int_equal(flows_buckets6(1 << 20) * sizeof(struct flow6_bucket), 40 << 20);
}

static void flows_size_in_whole_groups(void **state)
{
	for (uint64_t max_flows = 0; max_flows < 100; max_flows++) {
		uint32_t n_flow4 = flows_buckets4(max_flows), n_flow6 = flows_buckets6(max_flows);

		assert_int_equal(n_flow4 % FLOW_GROUP_BUCKETS, 0);
		assert_int_equal(n_flow6 % FLOW_GROUP_BUCKETS, 0);
		assert_true((uint64_t)n_flow4 * FLOW4_PER_BUCKET * 2 >= max_flows * 3);
		assert_true((uint64_t)n_flow6 * FLOW6_PER_BUCKET * 4 >= max_flows * 5);
	}
	assert_int_equal(flows_buckets4(0), FLOW_GROUP_BUCKETS);
	assert_int_equal(flows_buckets6(1), FLOW_GROUP_BUCKETS);
	assert_int_equal(flows_buckets4(11), 2 * FLOW_GROUP_BUCKETS);
	assert_int_equal(flows_buckets4(UINT64_MAX), UINT32_C(805306368));
	assert_int_equal(flows_buckets6(UINT64_MAX), UINT32_C(1342177280));
}

static void flows_have_homes_near_or_in_the_whole(void **state)
{
	const uint32_t n = 8 * FLOWS_DENSE_BUCKETS;
	__u32 among[2];

	flows_homes(n, false, among);
	assert_int_equal(among[0], FLOWS_DENSE_BUCKETS);
	assert_int_equal(among[1], n);
	flows_homes(n, true, among);
	assert_int_equal(among[0], n);
	assert_int_equal(among[1], FLOWS_DENSE_BUCKETS);
	/* Too short to have a dense part; and none at all. */
	flows_homes(2 * FLOWS_DENSE_BUCKETS - 4, false, among);
	assert_int_equal(among[0], 2 * FLOWS_DENSE_BUCKETS - 4);
	assert_int_equal(among[1], 0);
	flows_homes(0, false, among);
	assert_int_equal(among[0], 0);
	assert_int_equal(among[1], 0);
}

static void flows_crowd_late_and_disperse_later(void **state)
{
	const uint32_t n = 2 * FLOWS_DENSE_BUCKETS;
	const uint64_t n_dense = UINT64_C(4) * FLOWS_DENSE_BUCKETS;

	assert_false(flows_is_crowded(n, 4, n_dense * 2 / 3, false));
	assert_true(flows_is_crowded(n, 4, n_dense * 2 / 3 + 1, false));
	assert_true(flows_is_crowded(n, 4, n_dense / 8, true));
	assert_false(flows_is_crowded(n, 4, n_dense / 8 - 1, true));
	assert_false(flows_is_crowded(n - 4, 4, UINT64_MAX, true));
}

static void flows_estimate_what_lives(void **state)
{
	static struct flow4_bucket many4[1024];
	static struct flow6_bucket many6[512];
	const struct flows_table many = { many4, many6, ARRAY_LEN(many4), ARRAY_LEN(many6), NULL,
		0 };
	const uint32_t n_long = 1 << 20;
	struct flow4_bucket *long4;
	uint64_t n_live4, n_live6;

	/* Of four entries two live, one has ended and one is of no service. */
	for (size_t i = 0; i < ARRAY_LEN(many4); i++) {
		many4[i].entries[0].meta = flow_meta(1, 2, FLOW_TCP_ESTABLISHED, NOW_S - 900);
		many4[i].entries[1].meta = flow_meta(2, 2, FLOW_UDP_NEW, NOW_S - 7);
		many4[i].entries[2].meta = flow_meta(2, 2, FLOW_UDP_NEW, NOW_S - 8);
		many4[i].entries[3].meta = flow_meta(3, 2, FLOW_TCP_ESTABLISHED, NOW_S);
	}
	for (size_t i = 0; i < ARRAY_LEN(many6); i++)
		many6[i].entries[1].meta = flow_meta(1, 2, FLOW_TCP_SYN, NOW_S);
	flows_estimate(&many, find_service, NULL, NOW_S, &n_live4, &n_live6);
	assert_int_equal(n_live4, 2048);
	assert_int_equal(n_live6, 512);
	/* Behind the dense part of a long table, all buckets alike. */
	long4 = calloc(n_long, sizeof(*long4));
	assert_non_null(long4);
	for (size_t i = 0; i < n_long; i++)
		long4[i].entries[2].meta = flow_meta(1, 2, FLOW_TCP_ESTABLISHED, NOW_S);
	flows_estimate(&(struct flows_table){ .flow4 = long4, .n_flow4 = n_long }, find_service,
		NULL, NOW_S, &n_live4, &n_live6);
	assert_in_range(n_live4, n_long * 99 / 100, n_long * 101 / 100);
	free(long4);
	flows_estimate(&(struct flows_table){ 0 }, find_service, NULL, NOW_S, &n_live4, &n_live6);
	assert_int_equal(n_live4 + n_live6, 0);
}

static void flows_list_both_families(void **state)
{
	struct seen seen;

	put4(3, 2, flow_meta(1, 77, FLOW_TCP_ESTABLISHED, NOW_S - 5));
	flow6[1].entries[1] = (struct flow6){
		.client = { htonl(0x20010db8), 0, 0, htonl(9) },
		.client_port = htons(53),
		.vip_port = htons(5353),
		.meta = flow_meta(2, 65535, FLOW_UDP_NEW, NOW_S),
	};
	seen = list();
	assert_int_equal(seen.n_entries, 2);
	assert_int_equal(seen.entries[0].client.family, AF_INET);
	assert_int_equal(seen.entries[0].client.ip4.s_addr, htonl(0xc6336401));
	assert_int_equal(seen.entries[0].client_port, 1234);
	assert_int_equal(seen.entries[0].vip_port, 443);
	assert_int_equal(seen.entries[0].service, 1);
	assert_int_equal(seen.entries[0].backend, 77);
	assert_int_equal(seen.entries[0].state, FLOW_TCP_ESTABLISHED);
	assert_int_equal(seen.entries[0].idle_s, 5);
	assert_int_equal(seen.entries[1].client.family, AF_INET6);
	assert_int_equal(seen.entries[1].client.bytes[15], 9);
	assert_int_equal(seen.entries[1].client_port, 53);
	assert_int_equal(seen.entries[1].backend, 65535);
}

static void flows_come_bucket_by_bucket(void **state)
{
	struct seen seen = { 0 };
	uint64_t bucket = 0;

	put4(3, 2, flow_meta(1, 77, FLOW_TCP_ESTABLISHED, NOW_S - 5));
	flow6[3].entries[1] = (struct flow6){
		.client = { htonl(0x20010db8), 0, 0, htonl(9) },
		.meta = flow_meta(2, 65535, FLOW_UDP_NEW, NOW_S),
	};
	while (flows_each_in(&table, &bucket, find_service, NULL, NOW_S, note, &seen))
		assert_int_equal(seen.n_entries, bucket < 4 ? 0 : bucket < 8 ? 1 : 2);
	assert_int_equal(bucket, 8);
	assert_int_equal(seen.n_entries, 2);
	assert_false(flows_each_in(&table, &bucket, find_service, NULL, NOW_S, note, &seen));
	bucket = UINT64_MAX;
	assert_false(flows_each_in(&table, &bucket, find_service, NULL, NOW_S, note, &seen));
}

/* Each place of either family, whatever was left of a key, and whatever state it is in. */
static void flows_know_a_free_bucket(void **state)
{
	for (uint64_t bucket = 0; bucket < 8; bucket++)
		assert_true(flows_is_free(&table, bucket));
	for (size_t at = 0; at < 4; at++) {
		put4(2, at, 0);
		assert_true(flows_is_free(&table, 2));
		put4(2, at, flow_meta(1, 1, FLOW_BUSY, 0));
		assert_false(flows_is_free(&table, 2));
		put4(2, at, 0);
	}
	for (size_t at = 0; at < 2; at++) {
		flow6[1].entries[at].client[3] = htonl(9);
		assert_true(flows_is_free(&table, 5));
		flow6[1].entries[at].meta = flow_meta(1, 1, FLOW_TCP_SYN, 0);
		assert_false(flows_is_free(&table, 5));
		flow6[1].entries[at].meta = 0;
	}
	assert_true(flows_is_free(&table, 3));
}

static void flows_leave_out_what_is_dead(void **state)
{
	static const struct {
		enum flow_state state;
		uint32_t timeout_s;
	} cases[] = {
		{ FLOW_TCP_SYN, FLOW_SYN_TIMEOUT_S },
		{ FLOW_TCP_ESTABLISHED, 10 },
		{ FLOW_TCP_FIN, 5 },
		{ FLOW_TCP_RESET, 5 },
		{ FLOW_UDP_NEW, 7 },
		{ FLOW_UDP_ESTABLISHED, 7 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		put4(0, 0, flow_meta(2, 1, cases[i].state, NOW_S - cases[i].timeout_s));
		assert_int_equal(list().n_entries, 1);
		put4(0, 0, flow_meta(2, 1, cases[i].state, NOW_S - cases[i].timeout_s - 1));
		assert_int_equal(list().n_entries, 0);
	}
	put4(0, 0, flow_meta(3, 1, FLOW_TCP_ESTABLISHED, NOW_S)); /* no such service */
	put4(0, 1, flow_meta(1, 1, FLOW_BUSY, NOW_S));
	assert_int_equal(list().n_entries, 0);
	put4(0, 2, flow_meta(1, 1, FLOW_TCP_ESTABLISHED, NOW_S + 3)); /* a clock ahead */
	assert_int_equal(list().n_entries, 1);
	assert_int_equal(list().entries[0].idle_s, 0);
}

static void flows_purge_a_backend(void **state)
{
	put4(0, 0, flow_meta(1, 7, FLOW_TCP_ESTABLISHED, NOW_S));
	put4(1, 3, flow_meta(2, 7, FLOW_TCP_SYN, NOW_S - 1000)); /* also what is dead */
	put4(2, 0, flow_meta(1, 8, FLOW_TCP_ESTABLISHED, NOW_S));
	flow6[2].entries[1].meta = flow_meta(1, 7, FLOW_UDP_NEW, NOW_S);
	flows_all_purge(&table, 2, 7);
	assert_int_equal(flow4[1].entries[3].meta, 0);
	flows_all_purge(&table, 0, 7);
	assert_int_equal(list().n_entries, 1);
	assert_int_equal(list().entries[0].backend, 8);
}

struct flush {
	uint16_t backend;
	unsigned int n_asked, n_freed;
	__u64 *renewed; /* a worker writes here while the first is asked about */
};

static bool flush_is_chosen(const struct flows_entry *entry, void *context)
{
	struct flush *flush = context;

	if (flush->n_asked++ == 0 && flush->renewed)
		*flush->renewed = flow_meta(1, 7, FLOW_TCP_ESTABLISHED, NOW_S + 1);
	return entry->backend == flush->backend;
}

static void flush_freed(const struct flows_entry *entry, void *context)
{
	struct flush *flush = context;

	assert_int_equal(entry->backend, flush->backend);
	flush->n_freed++;
}

static void flows_free_what_is_chosen(void **state)
{
	struct flush flush = { .backend = 7, .renewed = &flow4[0].entries[0].meta };

	put4(0, 0, flow_meta(1, 7, FLOW_TCP_ESTABLISHED, NOW_S));
	put4(0, 2, flow_meta(1, 8, FLOW_TCP_ESTABLISHED, NOW_S));
	put4(1, 3, flow_meta(2, 7, FLOW_TCP_SYN, NOW_S - 1000)); /* dead: nobody's flow */
	flow6[2].entries[1].meta = flow_meta(1, 7, FLOW_UDP_NEW, NOW_S);
	flow6[3].entries[0].meta = flow_meta(1, 7, FLOW_PERSIST, NOW_S); /* no flow */
	for (uint64_t bucket = 0; flows_free_in(&table, &bucket, find_service, NULL, NOW_S + 1,
		     flush_is_chosen, flush_freed, &flush);)
		;
	assert_int_equal(flush.n_freed, 2);
	assert_int_equal(flush.n_asked, 4); /* the one that was renewed twice */
	assert_int_equal(flow4[0].entries[0].meta, 0);
	assert_int_equal(flow6[2].entries[1].meta, 0);
	assert_int_not_equal(flow4[1].entries[3].meta, 0);
	assert_int_not_equal(flow6[3].entries[0].meta, 0);
	assert_int_equal(list().n_entries, 1);
	assert_int_equal(list().entries[0].backend, 8);
}

static void flows_name_their_states(void **state)
{
	assert_string_equal(flows_state_name(FLOW_TCP_SYN), "syn");
	assert_string_equal(flows_state_name(FLOW_TCP_ESTABLISHED), "established");
	assert_string_equal(flows_state_name(FLOW_TCP_FIN), "fin");
	assert_string_equal(flows_state_name(FLOW_TCP_RESET), "reset");
	assert_string_equal(flows_state_name(FLOW_UDP_NEW), "new");
	assert_string_equal(flows_state_name(FLOW_UDP_ESTABLISHED), "established");
	assert_string_equal(flows_state_name(FLOW_SCTP_INIT), "init");
	assert_string_equal(flows_state_name(FLOW_SCTP_ESTABLISHED), "established");
	assert_string_equal(flows_state_name(FLOW_SCTP_SHUTDOWN), "shutdown");
	assert_string_equal(flows_state_name(FLOW_SCTP_ABORT), "abort");
	assert_string_equal(flows_protocol_name(FLOW_SCTP_INIT), "sctp");
	assert_string_equal(flows_protocol_name(FLOW_TCP_RESET), "tcp");
	assert_string_equal(flows_protocol_name(FLOW_UDP_NEW), "udp");
	assert_true(flows_has_ended(FLOW_SCTP_SHUTDOWN));
	assert_true(flows_has_ended(FLOW_TCP_RESET));
	assert_false(flows_has_ended(FLOW_SCTP_ESTABLISHED));
	assert_true(flows_is_half_open(FLOW_TCP_SYN));
	assert_true(flows_is_half_open(FLOW_SCTP_INIT));
	assert_false(flows_is_half_open(FLOW_TCP_ESTABLISHED));
	/* A datagram is an application's work already. */
	assert_false(flows_is_half_open(FLOW_UDP_NEW));
	assert_true(flows_is_tcp(FLOW_TCP_RESET));
	assert_false(flows_is_tcp(FLOW_SCTP_ABORT));
	assert_false(flows_is_tcp(FLOW_UDP_NEW));
	assert_false(flows_is_tcp(FLOW_FREE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flows_take_the_memory_that_is_documented),
		cmocka_unit_test(flows_size_in_whole_groups),
		cmocka_unit_test_setup(flows_have_homes_near_or_in_the_whole, clear),
		cmocka_unit_test_setup(flows_crowd_late_and_disperse_later, clear),
		cmocka_unit_test_setup(flows_estimate_what_lives, clear),
		cmocka_unit_test_setup(flows_list_both_families, clear),
		cmocka_unit_test_setup(flows_come_bucket_by_bucket, clear),
		cmocka_unit_test_setup(flows_know_a_free_bucket, clear),
		cmocka_unit_test_setup(flows_leave_out_what_is_dead, clear),
		cmocka_unit_test_setup(flows_purge_a_backend, clear),
		cmocka_unit_test_setup(flows_free_what_is_chosen, clear),
		cmocka_unit_test(flows_name_their_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
