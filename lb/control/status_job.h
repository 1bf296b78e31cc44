/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The status document in parts, in one of its forms: with millions of flow records or thousands of virtual servers it
 * takes longer than heartbeats can wait. Each part is a millisecond or some; the loop does what else
 * there is in between. What changes meanwhile is seen in a part or not; a reload begins anew.
 */
#pragma once

#include "common/util.h"

struct balancer;
struct control_text;
struct status_form;
struct status_jobs;

/* `balancer` and `form` outlive it. 0 or -ENOMEM. */
int status_jobs_new(
	struct balancer *balancer, const struct status_form *form, struct status_jobs **ret_jobs);
/* When nobody waits any more. NULL is legal. */
struct status_jobs *status_jobs_free(struct status_jobs *jobs);

/* Calls `fn` once, later: with the answer, borrowed, or NULL where there was no memory for it. 0 or -ENOMEM. */
typedef void status_answer_fn(struct control_text *text, void *context);
int status_jobs_wait(struct status_jobs *jobs, status_answer_fn *fn, void *context);
/* Whoever waits with this context waits no more. */
void status_jobs_leave(struct status_jobs *jobs, const void *context);
