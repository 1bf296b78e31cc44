/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the balancer says of itself: the document of `status --json` (schema 1), the flows it
 * records, and readiness. Changes nothing.
 */
#pragma once

#include <jansson.h>

#include "common/addr.h"
#include "common/why.h"

struct balancer;
struct config_virtual_server;
struct flows_entry;
struct status_counts;
struct status_members;

/* The document without virtual servers. */
json_t *status_document(const struct balancer *balancer, const struct status_counts *counts,
	const struct status_members *members);
/* One virtual server, whose services begin at `first`. */
json_t *status_virtual_server(const struct balancer *balancer, const struct status_counts *counts,
	const struct status_members *members, const struct config_virtual_server *virtual_server,
	size_t first);
/* Which of the recorded flows are meant. */
struct status_flow_filter {
	const char *virtual_server;       /* NULL: of all */
	const struct addr_prefix *client; /* NULL: of any */
	uint16_t backend;                 /* its id; 0: of any */
	uint64_t limit;                   /* at most so many */
};
bool status_flow_is_meant(const struct balancer *balancer, const struct status_flow_filter *filter,
	const struct flows_entry *entry);
/* How far one part of a walk through the table goes, from `bucket` on: a walk must not hold up the main loop. */
uint64_t status_flows_end(uint64_t bucket);
/* A part of the recorded flows, from a bucket of the table on: {flows: [], next: BUCKET or null}. */
json_t *status_flows(
	const struct balancer *balancer, const struct status_flow_filter *filter, uint64_t bucket);
/* False with `ret_why` when this balancer cannot serve the virtual server (NULL: any of them). */
bool status_is_ready(
	const struct balancer *balancer, const char *virtual_server, struct why *ret_why);
/* The same for each virtual server; nothing without memory. `reason` is "" where it is ready. */
typedef void status_ready_fn(
	const char *virtual_server, bool ready, const char *reason, void *context);
void status_each_ready(const struct balancer *balancer, status_ready_fn *fn, void *context);
