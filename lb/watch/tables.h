/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether other balancers that our agents serve would send clients where we do: each tells its tables in turns by way of
 * the agents, and each compares. What differs is named, and changes nothing.
 */
#pragma once

#include "common/proto/message.h"

struct events;
struct publish;
struct service_list;
struct sessions;

/* Zeroed: none was told yet. */
struct tables {
	size_t next; /* position of a virtual server's first service */
	uint64_t told_us;
};

struct tables_parts {
	const struct service_list *services; /* NULL: none yet */
	const struct publish *publish;
	struct sessions *sessions;
	struct events *events;
	uint64_t interval_us; /* of heartbeats */
};

/* The next of our virtual servers whose table others must have; false: none, or it is too early. */
bool tables_next(struct tables *tables, const struct tables_parts *parts, uint64_t now_us,
	struct proto_table *ret_table);
/* What another balancer says of one of its own. */
void tables_told(const struct tables_parts *parts, const struct addr *other,
	const struct proto_table *table, uint64_t now_us);
