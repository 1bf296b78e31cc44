/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See loss_judge.h. */
#include "lb/watch/loss_judge.h"

static uint64_t loss_others(const struct loss_sample *sample)
{
	return sample->packets - MIN(sample->syns, sample->packets);
}

static void loss_begin(struct loss_judge *judge, const struct loss_sample *sample)
{
	judge->begun_us = sample->now_us;
	judge->full_us = 0;
	judge->clients = 0;
	judge->n_samples = 0;
	judge->first.syns = sample->syns;
	judge->first.others = loss_others(sample);
	judge->first.accepted = sample->accepted;
	judge->first.breaks = sample->breaks;
	judge->first.has_agent = sample->has_agent;
	judge->first.counts = sample->counts;
}

static uint16_t loss_new(uint64_t now, uint64_t before)
{
	uint64_t grown = now > before ? now - before : 0;

	return (uint16_t)MIN(grown, (uint64_t)UINT16_MAX);
}

/* What counters have shown since they began, or where an agent has begun to tell, is nobody's news. */
static void loss_remember(struct loss_judge *judge, const struct loss_sample *sample)
{
	struct loss_past *past = &judge->past[judge->n_past++ % LOSS_JUDGE_PAST];
	uint64_t others = loss_others(sample);
	bool is_told = sample->has_agent && sample->counts && judge->first.counts &&
		sample->breaks == judge->first.breaks;

	*past = (struct loss_past){ 0 };
	if (judge->begun_us && sample->syns >= judge->last_syns) {
		past->syns = loss_new(sample->syns, judge->last_syns);
		past->others = loss_new(others, judge->last_others);
		past->accepted = is_told ? loss_new(sample->accepted, judge->last_accepted) : 0;
	}
	judge->last_syns = sample->syns;
	judge->last_others = others;
	judge->last_accepted = sample->accepted;
}

/* Something came of a SYN, or it cannot be known whether. */
static bool loss_is_over(const struct loss_judge *judge, const struct loss_sample *sample)
{
	if (!judge->begun_us || !sample->takes_clients ||
		sample->has_agent != judge->first.has_agent || sample->syns < judge->first.syns)
		return true;
	if (!sample->has_agent)
		return loss_others(sample) != judge->first.others;
	return !sample->counts || !judge->first.counts || sample->breaks != judge->first.breaks ||
		sample->accepted != judge->first.accepted;
}

/* What the agent says must be of a time when it had seen what came until the window was full. */
static bool loss_is_told(const struct loss_judge *judge, const struct loss_sample *sample)
{
	return sample->has_agent ? sample->told_us >= judge->full_us + LOSS_JUDGE_LAG_US
				 : sample->now_us >= judge->full_us + LOSS_JUDGE_LAG_US;
}

static uint32_t loss_judge_window(struct loss_judge *judge, const struct loss_sample *sample)
{
	uint64_t n_syns = sample->syns - judge->first.syns;

	if (judge->full_us == 0 && n_syns >= LOSS_JUDGE_SYNS_MIN &&
		(unsigned int)__builtin_popcountll(judge->clients) >= LOSS_JUDGE_CLIENTS_MIN)
		judge->full_us = sample->now_us;
	if (sample->now_us - judge->begun_us < LOSS_JUDGE_WINDOW_US)
		return 0;
	if (judge->full_us == 0) {
		loss_begin(judge, sample);
		return 0;
	}
	if (!loss_is_told(judge, sample))
		return 0;
	judge->n_judged = judge->n_samples;
	loss_begin(judge, sample);
	return (uint32_t)MIN(n_syns, (uint64_t)UINT32_MAX);
}

uint32_t loss_judge_take(struct loss_judge *judge, const struct loss_sample *sample)
{
	uint32_t n_syns = 0;

	loss_remember(judge, sample);
	judge->n_samples++;
	judge->clients |= sample->clients;
	if (loss_is_over(judge, sample))
		loss_begin(judge, sample);
	else
		n_syns = loss_judge_window(judge, sample);
	return n_syns;
}

bool loss_judge_fares_better(const struct loss_judge *other, const struct loss_judge *lost)
{
	uint32_t n_known = MIN(other->n_past, LOSS_JUDGE_PAST);
	uint32_t len = MIN(lost->n_judged, n_known);
	uint64_t syns = 0, others = 0, accepted = 0;

	for (uint32_t i = 1; i <= len; i++) {
		const struct loss_past *past = &other->past[(other->n_past - i) % LOSS_JUDGE_PAST];

		syns += past->syns;
		others += past->others;
		accepted += past->accepted;
	}
	if (lost->first.has_agent)
		return accepted > 0 && 2 * accepted >= syns;
	return syns > 0 && others >= syns;
}
