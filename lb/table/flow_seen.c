/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The filter of flows seen, outside the packet path: see flow_seen.h. */
#include "lb/table/flow_seen.h"

#include "lb/fwd/flow.h"

#define SEEN_BITS_PER_FLOW 8u
#define SEEN_WORD_BITS     64u
#define SEEN_WORDS_MIN     ((size_t)128 * 1024 / sizeof(uint64_t))
/* Words cleared at a call: 4 MiB, less than a millisecond. */
#define SEEN_CLEAR_WORDS ((4u << 20) / sizeof(uint64_t))
/* Seconds of two clocks, each cut off, and of a packet on its way. */
#define SEEN_SLACK_S 2u

_Static_assert(SEEN_WORDS_MIN % FLOW_BUCKET_WORDS == 0, "whole values of a map");

uint32_t flow_seen_words(uint64_t max_flows)
{
	uint64_t n_words;

	if (max_flows > UINT32_MAX / 2)
		max_flows = UINT32_MAX / 2;
	n_words = max_flows * SEEN_BITS_PER_FLOW / SEEN_WORD_BITS;
	n_words = MAX(n_words, (uint64_t)SEEN_WORDS_MIN);
	return (uint32_t)(n_words + FLOW_BUCKET_WORDS - 1) & ~(FLOW_BUCKET_WORDS - 1);
}

uint64_t flow_seen_len(uint32_t n_seen)
{
	return n_seen ? SEEN_CONTROL_WORDS + 2 * (uint64_t)n_seen : 0;
}

/* The words of a generation. */
static __u64 *flow_seen_half(const struct flows_table *table, uint64_t generation)
{
	return table->seen + SEEN_CONTROL_WORDS + (generation & 1 ? table->n_seen : 0);
}

void flow_seen_start(const struct flows_table *table)
{
	if (table->n_seen > 0)
		memset(flow_seen_half(table, 1), 0xff, table->n_seen * sizeof(*table->seen));
}

bool flow_seen_is_new(const struct flows_table *table)
{
	return table->n_seen > 0 && FWD_LOAD(&table->seen[SEEN_GENERATION]) == 0 &&
		FWD_LOAD(&table->seen[SEEN_STARTED_S]) == 0;
}

/* The first hash (its upper half) that hash_reduce_half() maps onto `word` or more. */
static uint64_t flow_seen_first_hash(uint64_t word, uint32_t n_words)
{
	return ((word << 32) + n_words - 1) / n_words;
}

/* A word's flows are neighbours by their hash: their bits are in the words that these had. */
static void flow_seen_move_half(
	const struct flows_table *to, const struct flows_table *from, uint64_t generation)
{
	__u64 *to_words = flow_seen_half(to, generation);
	const __u64 *from_words = flow_seen_half(from, generation);

	for (uint32_t i = 0; i < to->n_seen; i++) {
		uint64_t first = flow_seen_first_hash(i, to->n_seen);
		uint64_t last = flow_seen_first_hash((uint64_t)i + 1, to->n_seen) - 1;
		uint32_t end = hash_reduce_half((uint32_t)last, from->n_seen);

		for (uint32_t at = hash_reduce_half((uint32_t)first, from->n_seen); at <= end; at++)
			to_words[i] |= FWD_LOAD(&from_words[at]);
	}
}

void flow_seen_move(const struct flows_table *to, const struct flows_table *from)
{
	if (to->n_seen == 0)
		return;
	if (from->n_seen == 0) {
		flow_seen_start(to);
		return;
	}
	memcpy(to->seen, from->seen, SEEN_CONTROL_WORDS * sizeof(*to->seen));
	flow_seen_move_half(to, from, 0);
	flow_seen_move_half(to, from, 1);
}

/* Clears some of the former generation; true: all of it is. */
static bool flow_seen_clear(
	const struct flows_table *table, uint64_t generation, struct flow_seen_turn *turn)
{
	__u64 *words = flow_seen_half(table, generation + 1);
	uint64_t end = MIN(turn->n_cleared + SEEN_CLEAR_WORDS, (uint64_t)table->n_seen);

	for (; turn->n_cleared < end; turn->n_cleared++)
		FWD_STORE(&words[turn->n_cleared], 0);
	return turn->n_cleared == table->n_seen;
}

/*
 * Whoever stops us stops us anywhere, for any time. The generation that is marked begins when it is switched to, and
 * its time is taken by a later call: then it says a moment at which the generation was marked already.
 * And the former time is erased before the switch: nobody may take it for the new one's.
 */
void flow_seen_turn(const struct flows_table *table, struct flow_seen_turn *turn,
	uint32_t timeout_s, uint32_t now_s)
{
	uint64_t generation, started_s;

	if (table->n_seen == 0)
		return;
	generation = FWD_LOAD(&table->seen[SEEN_GENERATION]);
	started_s = FWD_LOAD(&table->seen[SEEN_STARTED_S]);
	if (started_s == 0 || started_s > now_s) {
		FWD_STORE(&table->seen[SEEN_STARTED_S], MAX(now_s, 1u));
		*turn = (struct flow_seen_turn){ 0 };
		return;
	}
	if (!turn->clears && now_s - started_s <= (uint64_t)timeout_s + SEEN_SLACK_S)
		return;
	turn->clears = true;
	if (!flow_seen_clear(table, generation, turn))
		return;
	FWD_PUBLISH(&table->seen[SEEN_STARTED_S], 0);
	FWD_PUBLISH(&table->seen[SEEN_GENERATION], generation + 1);
	*turn = (struct flow_seen_turn){ 0 };
}
