/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the workers of an engine share to serve exceptions, the frames on which the core alone
 * cannot conclude: the place where early fragments are held, and how often over-long frames are
 * answered. Any thread; knows no socket and no clock.
 */
#pragma once

#include "lb/engine/engine.h"
#include "lb/engine/fragment_queue.h"

/* Of the whole engine. Linux sends as many ICMP messages in a second (net.ipv4.icmp_msgs_per_sec). */
#define EXCEPTION_ANSWERS_PER_S 1000u

struct exceptions;

/* `seed` as for hold_new(). -ENOMEM. */
int exceptions_new(const __u64 seed[2], struct exceptions **ret_exceptions);
struct exceptions *exceptions_free(struct exceptions *exceptions);
DEFINE_CLEANUP(struct exceptions *, exceptions_free)

struct hold *exceptions_hold(struct exceptions *exceptions);
/* Whether one more answer may go out in this second of CLOCK_MONOTONIC; counts it as sent or limited. */
bool exceptions_may_answer(struct exceptions *exceptions, uint64_t now_ms);
/* Adds the numbers of fragments and answers to `*totals`. */
void exceptions_sum_totals(struct exceptions *exceptions, struct engine_totals *totals);
