/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is said again until the balancer acknowledges it: an UPDATE, a LEAVE. For register.c. Pure. */
#pragma once

#include "common/util.h"

#define REGISTER_REPEAT_FIRST_US (30 * US_PER_MS)
#define REGISTER_REPEAT_MAX_US   (1 * US_PER_S)

/* Zeroed: nothing is. */
struct register_repeat {
	bool pending;
	uint64_t from; /* the first sequence whose ACK will do */
	uint64_t due_us, delay_us;
	unsigned int tries;
};

/* It was said with this sequence just now. */
void register_repeat_begin(struct register_repeat *repeat, uint64_t sequence, uint64_t now_us);
/* It is said again. */
void register_repeat_again(struct register_repeat *repeat, uint64_t now_us);
/* Whether an ACK of `echo` is about it, `newest` being the newest that was sent; then it is pending no more. */
bool register_repeat_ends(struct register_repeat *repeat, uint64_t echo, uint64_t newest);
