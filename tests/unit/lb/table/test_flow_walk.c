/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One walk for many: each job gets every bucket once, wherever it joined; nobody reads twice. */
#include "lb/table/flow_walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define NOW_S    1000u
#define BUCKETS4 (FLOW_WALK_PART_BUCKETS + 8)
#define BUCKETS6 8u
#define N_FLOWS  (BUCKETS4 + BUCKETS6)

static struct flow4_bucket flow4[BUCKETS4];
static struct flow6_bucket flow6[BUCKETS6];
static struct flows_table table = { flow4, flow6, BUCKETS4, BUCKETS6, NULL, 0 };
static size_t n_looked_up, n_woken;

static const struct fwd_service *find_service(uint16_t service, void *context)
{
	static const struct fwd_service only = {
		.id = 1, .tcp_timeout_s = 900, .fin_timeout_s = 120, .udp_timeout_s = 300
	};

	n_looked_up++;
	return service == only.id ? &only : NULL;
}

static void wake(void *context)
{
	n_woken++;
}

/* Counts what it is given, and does some things at times. */
struct counter {
	struct flow_walk_job job;
	struct flow_walk *walk;
	struct counter *joins, *leaves; /* at its first record */
	size_t n_flows, n_done, n_parts, n_again;
	uint16_t purges; /* records of this backend */
};

static void count(const struct flows_entry *entry, void *context)
{
	struct counter *counter = context;

	if (counter->n_flows++ > 0)
		return;
	if (counter->joins)
		flow_walk_join(counter->walk, &counter->joins->job);
	if (counter->leaves)
		flow_walk_leave(counter->walk, &counter->leaves->job);
}

static void done(void *context)
{
	struct counter *counter = context;

	counter->n_done++;
	if (counter->n_again > 0) {
		counter->n_again--;
		flow_walk_join(counter->walk, &counter->job);
	}
}

static void part(uint32_t now_s, void *context)
{
	struct counter *counter = context;

	assert_int_equal(now_s, NOW_S);
	counter->n_parts++;
}

static bool is_void(uint16_t service, uint16_t backend, void *context)
{
	const struct counter *counter = context;

	return backend == counter->purges;
}

static struct counter make(struct flow_walk *walk)
{
	return (struct counter){ .job = { .part = part, .each = count, .done = done },
		.walk = walk };
}

static void join(struct counter *counter)
{
	counter->job.context = counter;
	flow_walk_join(counter->walk, &counter->job);
}

/* One flow in each bucket: of backend 1 in IPv4's, of 2 in IPv6's. */
static int setup(void **state)
{
	memset(flow4, 0, sizeof(flow4));
	memset(flow6, 0, sizeof(flow6));
	for (size_t i = 0; i < BUCKETS4; i++)
		flow4[i].entries[0].meta = flow_meta(1, 1, FLOW_TCP_ESTABLISHED, NOW_S);
	for (size_t i = 0; i < BUCKETS6; i++)
		flow6[i].entries[0].meta = flow_meta(1, 2, FLOW_TCP_ESTABLISHED, NOW_S);
	n_looked_up = n_woken = 0;
	*state = flow_walk_new(&table, find_service, wake, NULL);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	flow_walk_free(*state);
	return 0;
}

static void walk_gives_every_bucket_once(void **state)
{
	struct counter counter = make(*state);

	assert_false(flow_walk_step(*state, NOW_S));
	join(&counter);
	assert_int_equal(n_woken, 1);
	assert_true(flow_walk_step(*state, NOW_S));
	assert_int_equal(counter.n_flows, FLOW_WALK_PART_BUCKETS);
	assert_int_equal(counter.n_done, 0);
	assert_false(flow_walk_step(*state, NOW_S));
	assert_int_equal(counter.n_flows, N_FLOWS);
	assert_int_equal(counter.n_done, 1);
	assert_int_equal(counter.n_parts, 2);
	assert_false(flow_walk_step(*state, NOW_S));
	assert_int_equal(counter.n_flows, N_FLOWS);
}

static void walk_reads_once_for_all(void **state)
{
	struct counter first = make(*state), second = make(*state);

	join(&first);
	join(&second);
	while (flow_walk_step(*state, NOW_S))
		;
	assert_int_equal(first.n_flows, N_FLOWS);
	assert_int_equal(second.n_flows, N_FLOWS);
	assert_int_equal(n_looked_up, N_FLOWS);
}

static void walk_goes_round_for_who_joins_late(void **state)
{
	struct counter first = make(*state), second = make(*state);

	join(&first);
	(void)flow_walk_step(*state, NOW_S);
	join(&second);
	assert_true(flow_walk_step(*state, NOW_S));
	assert_int_equal(first.n_done, 1);
	assert_int_equal(first.n_flows, N_FLOWS);
	assert_false(flow_walk_step(*state, NOW_S));
	assert_int_equal(second.n_done, 1);
	assert_int_equal(second.n_flows, N_FLOWS);
}

static void walk_begins_with_the_next_bucket_when_joined_from_inside(void **state)
{
	struct counter first = make(*state), second = make(*state);

	second.job.context = &second;
	first.joins = &second;
	join(&first);
	while (flow_walk_step(*state, NOW_S))
		;
	assert_int_equal(first.n_flows, N_FLOWS);
	assert_int_equal(second.n_flows, N_FLOWS);
	assert_int_equal(second.n_done, 1);
}

static void walk_lets_jobs_leave_at_any_time(void **state)
{
	struct counter first = make(*state), second = make(*state), third = make(*state);

	/* The later one is called first: `second` leaves just before its turn, `first` by itself. */
	join(&first);
	join(&second);
	join(&third);
	third.leaves = &second;
	first.leaves = &first;
	while (flow_walk_step(*state, NOW_S))
		;
	assert_int_equal(second.n_flows, 0);
	assert_int_equal(first.n_flows, 1);
	assert_int_equal(third.n_flows, N_FLOWS);
	assert_int_equal(first.n_done + second.n_done, 0);
	flow_walk_leave(*state, &first.job);
}

static void walk_takes_a_job_again_from_its_end(void **state)
{
	struct counter counter = make(*state);

	counter.n_again = 1;
	join(&counter);
	while (flow_walk_step(*state, NOW_S))
		;
	assert_int_equal(counter.n_done, 2);
	assert_int_equal(counter.n_flows, 2 * N_FLOWS);
	assert_int_equal(n_woken, 2);
}

static void walk_begins_anew_for_who_joins_twice(void **state)
{
	struct counter counter = make(*state);

	join(&counter);
	(void)flow_walk_step(*state, NOW_S);
	counter.n_flows = 0;
	join(&counter);
	while (flow_walk_step(*state, NOW_S))
		;
	assert_int_equal(counter.n_done, 1);
	assert_int_equal(counter.n_flows, N_FLOWS);
}

static void walk_frees_void_records_before_others_see_them(void **state)
{
	struct counter purge = make(*state), counter = make(*state);

	purge.job.each = NULL;
	purge.job.is_void = is_void;
	purge.purges = 2;
	join(&purge);
	join(&counter);
	while (flow_walk_step(*state, NOW_S))
		;
	assert_int_equal(purge.n_done, 1);
	assert_int_equal(counter.n_flows, BUCKETS4);
	assert_int_equal(flow6[BUCKETS6 - 1].entries[0].meta, 0);
}

static void walk_reads_nothing_for_who_only_frees(void **state)
{
	struct counter purge = make(*state);

	purge.job.each = NULL;
	purge.job.is_void = is_void;
	join(&purge);
	while (flow_walk_step(*state, NOW_S))
		;
	assert_int_equal(n_looked_up, 0);
}

static void walk_ends_at_once_where_there_are_no_flows(void **state)
{
	struct flows_table none = { 0 };
	_cleanup_(flow_walk_freep) struct flow_walk *walk =
		flow_walk_new(&none, find_service, NULL, NULL);
	struct counter counter = make(walk);

	join(&counter);
	assert_false(flow_walk_step(walk, NOW_S));
	assert_int_equal(counter.n_done, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(walk_gives_every_bucket_once),
		TEST(walk_reads_once_for_all),
		TEST(walk_goes_round_for_who_joins_late),
		TEST(walk_begins_with_the_next_bucket_when_joined_from_inside),
		TEST(walk_lets_jobs_leave_at_any_time),
		TEST(walk_takes_a_job_again_from_its_end),
		TEST(walk_begins_anew_for_who_joins_twice),
		TEST(walk_frees_void_records_before_others_see_them),
		TEST(walk_reads_nothing_for_who_only_frees),
		TEST(walk_ends_at_once_where_there_are_no_flows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
