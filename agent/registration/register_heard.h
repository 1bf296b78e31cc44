/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When the balancer was heard, and when its next heartbeat is late, or silence. For register.c. Pure. */
#pragma once

#include "common/util.h"

struct register_heard {
	uint64_t at_us;
	uint64_t interval_us, silence_us; /* of heartbeats; so long without a word is too long */
	uint64_t late_us;                 /* when one is late: next looked at then */
};

/* A session begins. */
void register_heard_begin(struct register_heard *heard, uint32_t interval_us,
	unsigned int multiplier, uint64_t now_us);
/* A heartbeat came. */
void register_heard_now(struct register_heard *heard, uint64_t now_us);
/* Another word of the session came: it goes on, though heartbeats are late or lost. */
void register_heard_word(struct register_heard *heard, uint64_t now_us);
/* It was late, and something was said: the next time is soon. */
void register_heard_late(struct register_heard *heard, uint64_t now_us);
bool register_heard_is_silent(const struct register_heard *heard, uint64_t now_us);
/* When it is late, or silent. */
uint64_t register_heard_due(const struct register_heard *heard);
