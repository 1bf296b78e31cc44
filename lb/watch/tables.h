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

/*
 * Differences that are said in a minute, in all and of one table of another balancer: agents tell of whatever they like.
 * When one that was said is gone, that is said too.
 */
#define TABLES_SAID_MAX      30u
#define TABLES_SAID_EACH_MAX 4u
#define TABLES_SAID_US       (60 * US_PER_S)

/* Zeroed: none was told yet. */
struct tables {
	size_t next; /* position of a virtual server's first service */
	uint64_t told_us;
	struct tables_said {
		uint64_t key;   /* of the other balancer and the virtual server */
		uint64_t at_us; /* 0: never */
	} said[TABLES_SAID_MAX];
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
/* What another balancer says of one of its own, as this agent tells. */
void tables_told(struct tables *tables, const struct tables_parts *parts, const char *agent,
	const struct addr *other, const struct proto_table *table, uint64_t now_us);
