/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The filter of flows seen: its size, its turns however the daemon is stopped, and what moves into another size. */
#include "lb/table/flow_seen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <sys/mman.h>

#include "lb/engine/port_user.h"
#include "lb/fwd/seen.h"

#define NOW_S     50000u
#define TIMEOUT_S 300u
#define FLOWS     65536u /* at so many the smallest filter has its 8 bits a flow, twice */

static struct flows_table table_of(uint32_t n_seen)
{
	struct flows_table table = { .n_seen = n_seen };

	table.seen = calloc(flow_seen_len(n_seen), sizeof(*table.seen));
	assert_non_null(table.seen);
	return table;
}

static struct seen_place place_of(uint32_t n_seen, uint32_t flow)
{
	const struct fwd_settings settings = {
		.slot_seed = { 1, 2 }, .flow_seed = { 3, 4 }, .seen_words = n_seen
	};
	struct fwd_addr client = { { 0, 0, htonl(0xffff), htonl(0x0a000000 + flow / 4) } };
	__be16 port = htons((uint16_t)(1024 + flow % 4));

	return seen_place_of(&settings, hash_client(&settings, &client, port), 7, port, htons(53));
}

/* As seen.h does it in a snapshot. */
static struct snapshot *snapshot_of(const struct flows_table *table)
{
	static const struct fwd_settings settings = { 0 };
	struct snapshot *snapshot = NULL;

	assert_int_equal(snapshot_new(&settings, table, &snapshot), 0);
	return snapshot;
}

static void mark_in(struct snapshot *snapshot, uint32_t n_seen, uint32_t from, uint32_t to)
{
	struct fwd_port port = { .snapshot = snapshot };

	for (uint32_t flow = from; flow < to; flow++) {
		struct seen_place place = place_of(n_seen, flow);

		seen_mark(&port, &place);
	}
}

static void mark(const struct flows_table *table, uint32_t from, uint32_t to)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = snapshot_of(table);

	mark_in(snapshot, table->n_seen, from, to);
}

/* How many of the flows were seen. */
static uint32_t seen_in(struct snapshot *snapshot, uint32_t n_seen, uint32_t from, uint32_t to)
{
	struct fwd_port port = { .snapshot = snapshot };
	uint32_t n_found = 0;

	for (uint32_t flow = from; flow < to; flow++) {
		struct seen_place place = place_of(n_seen, flow);

		n_found += seen_before(&port, &place) != 0;
	}
	return n_found;
}

static uint32_t seen(const struct flows_table *table, uint32_t from, uint32_t to)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = snapshot_of(table);

	return seen_in(snapshot, table->n_seen, from, to);
}

static uint64_t generation(const struct flows_table *table)
{
	return table->seen[SEEN_GENERATION];
}

static void seen_has_eight_bits_a_flow_and_128_KiB_at_least(void **state)
{
	assert_int_equal(flow_seen_words(0), 128 * 1024 / 8);
	assert_int_equal(flow_seen_words(FLOWS), 128 * 1024 / 8);
	assert_int_equal(flow_seen_words(1 << 20), (1 << 20) / 8);
	assert_int_equal(flow_seen_words(64 << 20), (64 << 20) / 8);
	assert_int_equal(flow_seen_words(1000033), 125008);
	assert_true(flow_seen_words(UINT64_MAX) % FLOW_BUCKET_WORDS == 0);
	assert_int_equal(flow_seen_len(0), 0);
}

static void seen_knows_what_was_marked_and_hardly_more(void **state)
{
	struct flows_table table = table_of(flow_seen_words(UINT64_C(2) * FLOWS));
	uint32_t n_wrong;

	mark(&table, 0, 2 * FLOWS);
	assert_int_equal(seen(&table, 0, 2 * FLOWS), 2 * FLOWS);
	n_wrong = seen(&table, 1u << 20, (1u << 20) + FLOWS);
	print_message("# of %u new flows %u count as seen\n", FLOWS, n_wrong);
	assert_in_range(n_wrong, FLOWS / 100, FLOWS / 20);
	free(table.seen);
}

/* In memory that may only be read: whoever stored anything at all, be it the same, would be killed for it. */
static void seen_that_is_known_writes_nothing(void **state)
{
	struct flows_table table = { .n_seen = flow_seen_words(0) };
	size_t size_bytes = flow_seen_len(table.n_seen) * sizeof(*table.seen);

	table.seen =
		mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(table.seen != MAP_FAILED);
	mark(&table, 0, FLOWS);
	assert_int_equal(mprotect(table.seen, size_bytes, PROT_READ), 0);
	mark(&table, 0, FLOWS);
	assert_int_equal(seen(&table, 0, FLOWS), FLOWS);
	munmap(table.seen, size_bytes);
}

static void seen_is_known_until_a_timeout_has_passed_and_not_for_ever(void **state)
{
	struct flows_table table = table_of(flow_seen_words(0));
	struct flow_seen_turn turn = { 0 };
	uint32_t now_s = NOW_S, marked_s = 0;

	for (; generation(&table) < 3; now_s++) {
		flow_seen_turn(&table, &turn, TIMEOUT_S, now_s);
		/* The last mark before a turn is forgotten first. */
		if (generation(&table) == 1) {
			mark(&table, 0, 100);
			marked_s = now_s;
		}
		if (marked_s && now_s - marked_s <= TIMEOUT_S + 1)
			assert_int_equal(seen(&table, 0, 100), 100);
	}
	assert_true(seen(&table, 0, 100) < 5);
	assert_true(now_s - NOW_S < 4 * TIMEOUT_S);
	free(table.seen);
}

/*
 * A stop of any length between any two steps: seen by the packet path as marks at both ends of it. Nothing that was
 * marked within the timeout is forgotten.
 */
static void seen_survives_stops_and_restarts(void **state)
{
	for (uint32_t stop_at = 0; stop_at < 700; stop_at += 7) {
		struct flows_table table = table_of(flow_seen_words(0));
		_cleanup_(snapshot_freep) struct snapshot *snapshot = snapshot_of(&table);
		struct flow_seen_turn turn = { 0 };
		uint32_t now_s = NOW_S;

		for (uint32_t i = 0; i < 1500; i++) {
			flow_seen_turn(&table, &turn, TIMEOUT_S, now_s);
			if (i == stop_at) {
				now_s += 10 * TIMEOUT_S;
				mark_in(snapshot, table.n_seen, 0, 10); /* at the end of the stop */
				turn = (struct flow_seen_turn){ 0 };
			}
			if (i >= stop_at && i - stop_at <= TIMEOUT_S)
				assert_int_equal(seen_in(snapshot, table.n_seen, 0, 10), 10);
			now_s++;
		}
		free(table.seen);
	}
}

/* A call that took its time before a stop, and does its work after it. */
static void seen_believes_no_time_from_before_a_turn(void **state)
{
	struct flows_table table = table_of(flow_seen_words(0));
	struct flow_seen_turn turn = { 0 };

	flow_seen_turn(&table, &turn, TIMEOUT_S, NOW_S);
	flow_seen_turn(&table, &turn, TIMEOUT_S, NOW_S + TIMEOUT_S + 3);
	assert_int_equal(generation(&table), 1);
	/* That call was stopped for an hour at its end; meanwhile a flow spoke. */
	mark(&table, 0, 10);
	flow_seen_turn(&table, &turn, TIMEOUT_S, NOW_S + 3600);
	flow_seen_turn(&table, &turn, TIMEOUT_S, NOW_S + 3600 + TIMEOUT_S);
	assert_int_equal(generation(&table), 1);
	assert_int_equal(seen(&table, 0, 10), 10);
	free(table.seen);
}

static void seen_takes_a_time_from_the_future_for_none(void **state)
{
	struct flows_table table = table_of(flow_seen_words(0));
	struct flow_seen_turn turn = { 0 };

	table.seen[SEEN_STARTED_S] = UINT64_MAX;
	mark(&table, 0, 10);
	flow_seen_turn(&table, &turn, TIMEOUT_S, NOW_S);
	assert_int_equal(table.seen[SEEN_STARTED_S], NOW_S);
	flow_seen_turn(&table, &turn, TIMEOUT_S, NOW_S + TIMEOUT_S);
	assert_int_equal(generation(&table), 0);
	free(table.seen);
}

/* So long a filter is cleared in parts, and turns when all of it is. */
static void seen_of_a_long_filter_turns_some_calls_later(void **state)
{
	struct flows_table table = table_of(flow_seen_words(16u << 20));
	struct flow_seen_turn turn = { 0 };
	uint32_t n_calls = 0;

	flow_seen_start(&table);
	flow_seen_turn(&table, &turn, TIMEOUT_S, NOW_S);
	mark(&table, 0, 10);
	for (; generation(&table) == 0 && n_calls < 20; n_calls++)
		flow_seen_turn(&table, &turn, TIMEOUT_S, NOW_S + 400);
	assert_int_equal(n_calls, 4);
	assert_int_equal(seen(&table, 0, 10), 10);
	assert_true(seen(&table, 100, 200) < 3);
	free(table.seen);
}

static void seen_is_new_until_its_first_second(void **state)
{
	struct flows_table table = table_of(flow_seen_words(0));
	struct flow_seen_turn turn = { 0 };

	assert_false(flow_seen_is_new(&(struct flows_table){ 0 }));
	flow_seen_start(&table);
	assert_true(flow_seen_is_new(&table));
	assert_int_equal(seen(&table, 0, 1000), 1000);
	for (uint32_t now_s = NOW_S; now_s <= NOW_S + TIMEOUT_S; now_s++) {
		flow_seen_turn(&table, &turn, TIMEOUT_S, now_s);
		assert_false(flow_seen_is_new(&table));
		assert_int_equal(seen(&table, 0, 1000), 1000);
	}
	flow_seen_turn(&table, &turn, TIMEOUT_S, NOW_S + TIMEOUT_S + 3);
	assert_true(seen(&table, 0, 1000) < 10);
	free(table.seen);
}

static void seen_moves_into_any_size(void **state)
{
	static const uint32_t sizes[] = { 16384, 16384 * 3, 50000, 16384 * 4, 131072 };

	ARRAY_FOREACH (from_len, sizes, ARRAY_LEN(sizes))
		ARRAY_FOREACH (to_len, sizes, ARRAY_LEN(sizes)) {
			struct flows_table from = table_of(*from_len), to = table_of(*to_len);

			from.seen[SEEN_GENERATION] = 1;
			from.seen[SEEN_STARTED_S] = NOW_S;
			mark(&from, 0, 500);
			from.seen[SEEN_GENERATION] = 2;
			mark(&from, 500, 1000);
			flow_seen_move(&to, &from);
			assert_int_equal(generation(&to), 2);
			assert_int_equal(to.seen[SEEN_STARTED_S], NOW_S);
			assert_int_equal(seen(&to, 0, 1000), 1000);
			assert_true(seen(&to, 100000, 110000) < 1000);
			/* Each in its own generation. */
			memset(to.seen + SEEN_CONTROL_WORDS, 0, *to_len * sizeof(*to.seen));
			assert_int_equal(seen(&to, 0, 500), 500);
			assert_true(seen(&to, 500, 1000) < 50);
			free(from.seen);
			free(to.seen);
		}
}

static void seen_of_nothing_begins(void **state)
{
	struct flows_table to = table_of(flow_seen_words(0));

	flow_seen_move(&to, &(struct flows_table){ 0 });
	assert_true(flow_seen_is_new(&to));
	assert_int_equal(seen(&to, 0, 1000), 1000);
	free(to.seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seen_has_eight_bits_a_flow_and_128_KiB_at_least),
		cmocka_unit_test(seen_knows_what_was_marked_and_hardly_more),
		cmocka_unit_test(seen_that_is_known_writes_nothing),
		cmocka_unit_test(seen_is_known_until_a_timeout_has_passed_and_not_for_ever),
		cmocka_unit_test(seen_survives_stops_and_restarts),
		cmocka_unit_test(seen_believes_no_time_from_before_a_turn),
		cmocka_unit_test(seen_takes_a_time_from_the_future_for_none),
		cmocka_unit_test(seen_of_a_long_filter_turns_some_calls_later),
		cmocka_unit_test(seen_is_new_until_its_first_second),
		cmocka_unit_test(seen_moves_into_any_size),
		cmocka_unit_test(seen_of_nothing_begins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
