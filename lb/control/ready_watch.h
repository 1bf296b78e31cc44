/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tells by events when a virtual server becomes ready or ceases to be, as the verb `ready` and the status say it: after
 * each publication and each change of a link, and once a second for what has nothing to do with either. Where VIPs are announced by
 * routes it also hands over which of them may be.
 */
#pragma once

#include "common/util.h"

struct balancer;
struct ready_watch;

/* What is ready at the first look is no change. 0 or negative errno. */
int ready_watch_new(struct balancer *balancer, struct ready_watch **ret_watch);
/* NULL is nothing. */
struct ready_watch *ready_watch_free(struct ready_watch *watch);
DEFINE_CLEANUP(struct ready_watch *, ready_watch_free)
