/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the balancer answers by HTTP: metrics, status, readiness. */
#pragma once

#include "common/util.h"

struct balancer;
struct http;
struct paths;
struct status_jobs;

/* Borrows all three, which must outlive it. 0 or negative errno. */
int paths_new(struct balancer *balancer, struct status_jobs *status, struct status_jobs *metrics,
	struct paths **ret_paths);
/* NULL is legal. */
struct paths *paths_free(struct paths *paths);
struct http *paths_server(const struct paths *paths);
