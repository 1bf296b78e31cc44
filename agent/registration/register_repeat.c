/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A delay that doubles: see register_repeat.h. */
#include "agent/registration/register_repeat.h"

void register_repeat_begin(struct register_repeat *repeat, uint64_t sequence, uint64_t now_us)
{
	*repeat = (struct register_repeat){ .pending = true,
		.from = sequence,
		.due_us = now_us + REGISTER_REPEAT_FIRST_US,
		.delay_us = REGISTER_REPEAT_FIRST_US,
		.tries = 1 };
}

void register_repeat_again(struct register_repeat *repeat, uint64_t now_us)
{
	repeat->tries++;
	repeat->delay_us = MIN(2 * repeat->delay_us, REGISTER_REPEAT_MAX_US);
	repeat->due_us = now_us + repeat->delay_us;
}

bool register_repeat_ends(struct register_repeat *repeat, uint64_t echo, uint64_t newest)
{
	if (!repeat->pending || echo < repeat->from || echo > newest)
		return false;
	repeat->pending = false;
	return true;
}
