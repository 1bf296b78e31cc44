/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `dsr-lb run`: makes the parts, joins them under one event loop, and takes them down again. What has
 * arrived is heard (messages) before anybody is judged (timers, of lower priority).
 */
#pragma once

#include "common/control/control.h"

struct balancer;
struct balancer_paths;

/* Who answers on the control socket. */
struct daemon_verbs {
	/*
	 * 0 with the balancer's `http`, or negative errno; `*ret_context` is for the other two. The balancer
	 * outlives it.
	 */
	int (*start)(struct balancer *balancer, void **ret_context);
	/* When no request is there any more. */
	void (*stop)(void *context);
	control_verb_fn *serve;
};

/* Returns the exit status. `detach`: at the end nothing is left that forwards. */
int daemon_run(const struct balancer_paths *paths, bool detach, const struct daemon_verbs *verbs);
