/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What workers share of the slow path; see slow_path.h. */
#include "lb/engine/slow_path.h"

struct slow_path {
	struct fragment_queue *queue;
	uint64_t second_answers; /* second << 32 | answers of that second */
	uint64_t n_sent;
	uint64_t n_limited;
};

int slow_path_new(const __u64 seed[2], struct slow_path **ret_slow_path)
{
	_cleanup_(slow_path_freep) struct slow_path *slow_path = calloc(1, sizeof(*slow_path));
	int r;

	if (!slow_path)
		return -ENOMEM;
	r = fragment_queue_new(seed, &slow_path->queue);
	if (r < 0)
		return r;
	*ret_slow_path = TAKE_PTR(slow_path);
	return 0;
}

struct slow_path *slow_path_free(struct slow_path *slow_path)
{
	if (!slow_path)
		return NULL;
	fragment_queue_free(slow_path->queue);
	free(slow_path);
	return NULL;
}

struct fragment_queue *slow_path_queue(struct slow_path *slow_path)
{
	return slow_path->queue;
}

bool slow_path_may_answer(struct slow_path *slow_path, uint64_t now_ms)
{
	uint64_t second = now_ms / 1000 << 32;
	uint64_t before = __atomic_load_n(&slow_path->second_answers, __ATOMIC_RELAXED);
	uint64_t after;

	do {
		/* A worker whose clock lags at the turn of a second counts in the new one. */
		after = MAX(before, second) + 1;
		if ((uint32_t)after > SLOW_PATH_ANSWERS_PER_S) {
			__atomic_fetch_add(&slow_path->n_limited, 1, __ATOMIC_RELAXED);
			return false;
		}
	} while (!__atomic_compare_exchange_n(&slow_path->second_answers, &before, after, true,
		__ATOMIC_RELAXED, __ATOMIC_RELAXED));
	__atomic_fetch_add(&slow_path->n_sent, 1, __ATOMIC_RELAXED);
	return true;
}

void slow_path_sum_totals(struct slow_path *slow_path, struct engine_totals *totals)
{
	struct fragment_queue_counts counts;

	fragment_queue_count(slow_path->queue, &counts);
	totals->fragments_held += counts.held;
	totals->fragments_released += counts.released;
	totals->fragments_expired += counts.expired;
	totals->answers_sent += __atomic_load_n(&slow_path->n_sent, __ATOMIC_RELAXED);
	totals->answers_limited += __atomic_load_n(&slow_path->n_limited, __ATOMIC_RELAXED);
}
