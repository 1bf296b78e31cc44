/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the balancer says of itself: the document of `status --json` (schema 1), the flows it
 * records, and readiness. Changes nothing.
 */
#pragma once

#include <jansson.h>

#include "common/why.h"

struct balancer;
struct config_virtual_server;
struct status_counts;
struct status_members;

/* The document without virtual servers. */
json_t *status_document(const struct balancer *balancer, const struct status_counts *counts,
	const struct status_members *members);
/* One virtual server, whose services begin at `first`. */
json_t *status_virtual_server(const struct balancer *balancer, const struct status_counts *counts,
	const struct status_members *members, const struct config_virtual_server *virtual_server,
	size_t first);
/*
 * A part of the recorded flows, from a bucket of the table on: {flows: [], next: BUCKET or null}. NULL
 * virtual_server: of all.
 */
json_t *status_flows(const struct balancer *balancer, const char *virtual_server, uint64_t bucket);
/* False with `ret_why` when this balancer cannot serve the virtual server (NULL: any of them). */
bool status_is_ready(
	const struct balancer *balancer, const char *virtual_server, struct why *ret_why);
/* The same for each virtual server; nothing without memory. `reason` is "" where it is ready. */
typedef void status_ready_fn(
	const char *virtual_server, bool ready, const char *reason, void *context);
void status_each_ready(const struct balancer *balancer, status_ready_fn *fn, void *context);
