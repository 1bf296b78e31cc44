/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exceptions, as workers share them; see exception.h. */
#include "lb/engine/slow_path.h"

struct exceptions {
	struct hold *hold;
	uint64_t second_answers; /* second << 32 | answers of that second */
	uint64_t n_sent;
	uint64_t n_limited;
};

int exceptions_new(const __u64 seed[2], struct exceptions **ret_exceptions)
{
	_cleanup_(exceptions_freep) struct exceptions *exceptions = calloc(1, sizeof(*exceptions));
	int r;

	if (!exceptions)
		return -ENOMEM;
	r = hold_new(seed, &exceptions->hold);
	if (r < 0)
		return r;
	*ret_exceptions = TAKE_PTR(exceptions);
	return 0;
}

struct exceptions *exceptions_free(struct exceptions *exceptions)
{
	if (!exceptions)
		return NULL;
	hold_free(exceptions->hold);
	free(exceptions);
	return NULL;
}

struct hold *exceptions_hold(struct exceptions *exceptions)
{
	return exceptions->hold;
}

bool exceptions_may_answer(struct exceptions *exceptions, uint64_t now_ms)
{
	uint64_t second = now_ms / 1000 << 32;
	uint64_t before = __atomic_load_n(&exceptions->second_answers, __ATOMIC_RELAXED);
	uint64_t after;

	do {
		/* A worker whose clock lags at the turn of a second counts in the new one. */
		after = MAX(before, second) + 1;
		if ((uint32_t)after > EXCEPTION_ANSWERS_PER_S) {
			__atomic_fetch_add(&exceptions->n_limited, 1, __ATOMIC_RELAXED);
			return false;
		}
	} while (!__atomic_compare_exchange_n(&exceptions->second_answers, &before, after, true,
		__ATOMIC_RELAXED, __ATOMIC_RELAXED));
	__atomic_fetch_add(&exceptions->n_sent, 1, __ATOMIC_RELAXED);
	return true;
}

void exceptions_sum_totals(struct exceptions *exceptions, struct engine_totals *totals)
{
	struct hold_counts counts;

	hold_count(exceptions->hold, &counts);
	totals->fragments_held += counts.held;
	totals->fragments_released += counts.released;
	totals->fragments_expired += counts.expired;
	totals->answers_sent += __atomic_load_n(&exceptions->n_sent, __ATOMIC_RELAXED);
	totals->answers_limited += __atomic_load_n(&exceptions->n_limited, __ATOMIC_RELAXED);
}
