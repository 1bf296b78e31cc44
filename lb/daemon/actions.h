/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the registry asks for: heartbeats, checks, questions for MACs, log lines, new tables. And its timer.
 */
#pragma once

#include <stdbool.h>

struct agents;
struct balancer;
struct actions;

/* Whether more messages come from the network than are heard: then nobody's silence counts. */
typedef bool actions_crowded_fn(const struct agents *agents);
/* `balancer` outlives it. 0 or negative errno. */
int actions_new(
	struct balancer *balancer, actions_crowded_fn *is_crowded, struct actions **ret_actions);
struct actions *actions_free(struct actions *actions);
/* A check cannot be made for a want of our own, such as descriptors: said once a minute at most. */
void actions_say_no_check(struct actions *actions, const char *reason);
/* State changes that were not logged because their backend had its line of the second. */
void actions_housekeeping(struct actions *actions);
/* After anything that may have changed the registry: does what it asks for, and what is due of updates. */
void actions_run(struct actions *actions);
/* The same, and what changed is in force when it returns: for verbs and reloads. */
void actions_flush(struct actions *actions);
