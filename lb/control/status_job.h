/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The status document in parts: with millions of flow records or thousands of virtual servers it
 * takes longer than heartbeats can wait. Each part is a millisecond or some; the loop does what else
 * there is in between. What changes meanwhile is seen in a part or not; a reload begins anew.
 */
#pragma once

#include "common/util.h"

struct balancer;
struct control_request;
struct status_jobs;

/* `balancer` outlives it. 0 or -ENOMEM. */
int status_jobs_new(struct balancer *balancer, struct status_jobs **ret_jobs);
/* When the requests are no more. */
struct status_jobs *status_jobs_free(struct status_jobs *jobs);
/* Keeps the request, and answers it with the document. */
void status_jobs_begin(struct status_jobs *jobs, struct control_request *request);
