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
	judge->first.syns = sample->syns;
	judge->first.others = loss_others(sample);
	judge->first.accepted = sample->accepted;
	judge->first.breaks = sample->breaks;
	judge->first.has_agent = sample->has_agent;
	judge->first.counts = sample->counts;
}

/* In the time between two samples. */
static void loss_note_followed(struct loss_judge *judge, const struct loss_sample *sample)
{
	uint64_t others = loss_others(sample);

	if (judge->begun_us && sample->syns > judge->last_syns && others > judge->last_others &&
		others - judge->last_others >= sample->syns - judge->last_syns)
		judge->followed_us = sample->now_us;
	judge->last_syns = sample->syns;
	judge->last_others = others;
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
	loss_begin(judge, sample);
	return (uint32_t)MIN(n_syns, (uint64_t)UINT32_MAX);
}

uint32_t loss_judge_take(struct loss_judge *judge, const struct loss_sample *sample)
{
	uint32_t n_syns = 0;

	loss_note_followed(judge, sample);
	judge->clients |= sample->clients;
	if (loss_is_over(judge, sample))
		loss_begin(judge, sample);
	else
		n_syns = loss_judge_window(judge, sample);
	return n_syns;
}

bool loss_judge_is_followed(const struct loss_judge *judge, uint64_t now_us)
{
	return judge->followed_us != 0 && now_us - judge->followed_us <= LOSS_JUDGE_WINDOW_US;
}
