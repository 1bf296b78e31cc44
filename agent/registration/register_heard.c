/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sums of times: see register_heard.h. */
#include "agent/registration/register_heard.h"

#define LATE_PARTS \
	4u /* of an interval: so much too late is late, and so long until it is looked at again */

void register_heard_begin(struct register_heard *heard, uint32_t interval_us,
	unsigned int multiplier, uint64_t now_us)
{
	heard->interval_us = interval_us;
	/* Half an interval more than the balancer waits: heartbeats are sent with jitter. */
	heard->silence_us = (uint64_t)interval_us * multiplier + interval_us / 2;
	register_heard_now(heard, now_us);
}

void register_heard_now(struct register_heard *heard, uint64_t now_us)
{
	heard->at_us = now_us;
	heard->late_us = now_us + heard->interval_us + heard->interval_us / LATE_PARTS;
}

void register_heard_word(struct register_heard *heard, uint64_t now_us)
{
	heard->at_us = now_us;
}

void register_heard_late(struct register_heard *heard, uint64_t now_us)
{
	heard->late_us = now_us + heard->interval_us / LATE_PARTS;
}

bool register_heard_is_silent(const struct register_heard *heard, uint64_t now_us)
{
	return now_us >= heard->at_us + heard->silence_us;
}

uint64_t register_heard_due(const struct register_heard *heard)
{
	return MIN(heard->late_us, heard->at_us + heard->silence_us);
}
