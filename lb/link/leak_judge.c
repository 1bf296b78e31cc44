/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See leak_judge.h. */
#include "lb/link/leak_judge.h"

static bool leak_judge_is_noisy(const struct leak_judge *judge, uint64_t now_us)
{
	return judge->noise_us > 0 && now_us - judge->noise_us < LEAK_JUDGE_NOISE_US;
}

enum leak_verdict leak_judge_answered(
	struct leak_judge *judge, const struct addr *vip, uint64_t now_us)
{
	if (judge->leaks) {
		/* While it does for one VIP, it is of no interest what others do. */
		if (!addr_equal(&judge->vip, vip) || leak_judge_is_noisy(judge, now_us))
			return LEAK_NOTHING;
		judge->silences = 0;
		judge->answered_us = now_us;
		return LEAK_NOTHING;
	}
	if (leak_judge_is_noisy(judge, now_us))
		return LEAK_NOTHING;
	if (!addr_equal(&judge->vip, vip))
		judge->answers = 0;
	judge->vip = *vip;
	judge->answered_us = now_us;
	if (++judge->answers < LEAK_JUDGE_ANSWERS)
		return LEAK_ASK_AGAIN;
	judge->leaks = true;
	judge->silences = 0;
	return LEAK_FOUND;
}

enum leak_verdict leak_judge_silent(
	struct leak_judge *judge, const struct addr *vip, uint64_t now_us)
{
	if (!addr_equal(&judge->vip, vip))
		return LEAK_NOTHING;
	judge->answers = 0;
	if (!judge->leaks)
		return LEAK_NOTHING;
	judge->silences++;
	if (judge->silences < LEAK_JUDGE_SILENCES ||
		now_us - judge->answered_us < LEAK_JUDGE_HOLD_US)
		return LEAK_NOTHING;
	*judge = (struct leak_judge){ .noise_us = judge->noise_us };
	return LEAK_OVER;
}

void leak_judge_noise(struct leak_judge *judge, uint64_t now_us)
{
	judge->noise_us = MAX(now_us, 1u);
	judge->answers = 0;
}
