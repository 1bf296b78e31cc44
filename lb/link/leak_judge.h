/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a backend answers ARP or ND for a VIP, which then draws the clients' frames past the balancer: judged by
 * what it says to questions that were sent to its MAC alone, at times that nobody can guess. An answer can be forged
 * by a neighbour that does not see the questions, but only at random, and one that comes when nothing was asked
 * gives it away: from then on no answer counts for a while. Pure. Owned by leak_watch.c, a judge for each backend.
 */
#pragma once

#include "common/addr.h"
#include "common/util.h"

#define LEAK_JUDGE_ANSWERS  3u             /* in a row until it is believed */
#define LEAK_JUDGE_SILENCES 2u             /* in a row until it is over */
#define LEAK_JUDGE_HOLD_US  (3 * US_PER_S) /* and that not before, after the last answer */
#define LEAK_JUDGE_NOISE_US \
	(20 * US_PER_S) /* after an answer to no question none counts for so long */

enum leak_verdict {
	LEAK_NOTHING,
	LEAK_ASK_AGAIN, /* soon, for the same VIP */
	LEAK_FOUND,     /* it answers for `vip` */
	LEAK_OVER,      /* it does not any more */
};

/* Zeroed: nothing is known. */
struct leak_judge {
	struct addr vip;            /* that it answered for */
	uint32_t answers, silences; /* in a row */
	bool leaks;
	uint64_t answered_us;
	uint64_t noise_us; /* of the last answer to no question; 0: none */
};

/* It answered a question for the VIP in time. */
enum leak_verdict leak_judge_answered(
	struct leak_judge *judge, const struct addr *vip, uint64_t now_us);
/* It did not. */
enum leak_verdict leak_judge_silent(
	struct leak_judge *judge, const struct addr *vip, uint64_t now_us);
/* Something in its name answered what nobody had asked. */
void leak_judge_noise(struct leak_judge *judge, uint64_t now_us);
