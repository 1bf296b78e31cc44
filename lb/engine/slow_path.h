/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the workers of an engine share for the slow path, the frames on which the core alone
 * cannot conclude: the queue of early fragments, and how often over-long frames are
 * answered. Any thread; knows no socket and no clock.
 */
#pragma once

#include "lb/engine/engine.h"
#include "lb/engine/fragment_queue.h"

/* Of the whole engine. Linux sends as many ICMP messages in a second (net.ipv4.icmp_msgs_per_sec). */
#define SLOW_PATH_ANSWERS_PER_S 1000u

struct slow_path;

/* `seed` as for fragment_queue_new(). -ENOMEM. */
int slow_path_new(const __u64 seed[2], struct slow_path **ret_slow_path);
struct slow_path *slow_path_free(struct slow_path *slow_path);
DEFINE_CLEANUP(struct slow_path *, slow_path_free)

struct fragment_queue *slow_path_queue(struct slow_path *slow_path);
/* Whether one more answer may go out in this second of CLOCK_MONOTONIC; counts it as sent or limited. */
bool slow_path_may_answer(struct slow_path *slow_path, uint64_t now_ms);
/* Adds the numbers of fragments and answers to `*totals`. */
void slow_path_sum_totals(struct slow_path *slow_path, struct engine_totals *totals);
