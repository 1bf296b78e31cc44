/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of publication share: publish.c chooses tables, publish_snapshot.c builds the
 * snapshot, publish_settle.c keeps house. Nobody else includes this.
 */
#pragma once

#include "lb/publish.h"
#include "lb/schedule.h"
#include "lb/table.h"

struct publish_table {
	unsigned int refs;
	unsigned int readers; /* snapshots */
	struct keep_rows *rows;
	struct table_member *members; /* in address order */
	size_t n_members;
	uint16_t *alive; /* ids of backends that may hold flows, rising */
	size_t n_alive;
	uint32_t tcp_timeout_s;
	bool stirred; /* all rows move, because a service ceased to record every flow */
	bool known;   /* members and alive are; false for one that was only imported */
	size_t moving;
	char digest[TABLE_DIGEST_LEN];
	struct publish_table *parent; /* replaced by this one; until its last reader has gone */
};

struct publish_service {
	uint16_t id;
	struct publish_table *table;
	struct schedule *schedule; /* of rr and lc; else NULL */
	bool records;              /* every TCP flow has a record */
};

struct publish_purge {
	uint16_t service;
	uint16_t backend;
};

struct publish {
	struct keep *keep;
	struct schedule_loads *loads;
	uint8_t seed[TABLE_SEED_BYTES];
	bool follow;         /* started with nothing, and membership is not quiet yet */
	uint64_t changed_us; /* when membership last changed */
	uint64_t settled_us; /* when rows were last looked at */
	struct publish_service *services; /* rising ids */
	size_t n_services;
	struct publish_purge *purges;
	size_t n_purges;
};

struct publish_table *publish_table_ref(struct publish_table *table);
struct publish_table *publish_table_unref(struct publish_table *table);
DEFINE_CLEANUP(struct publish_table *, publish_table_unref)
/* NULL: no such service is published. */
const struct publish_service *publish_service_find(const struct publish *publish, uint16_t service);

/* Membership has been quiet for long enough that bases need not follow owners any more. */
bool publish_is_quiet(const struct publish *publish, uint64_t now_us);

/* Removes the records that a former publication made void; it is in force by now. */
void publish_purge(struct publish *publish);
/* Whether the virtual server records every TCP flow, wherever the table would send it. */
bool publish_records(const struct config_virtual_server *virtual_server);
/*
 * Finds or makes the counters of an rr or lc service, and tells lc its weights. -ENOMEM; -ENOSPC: too many
 * of them.
 */
int publish_schedule_make(struct publish *publish, const struct registry *registry,
	const struct publish_service *old, const struct config_virtual_server *virtual_server,
	struct publish_service *built);
/* lc: counts in the flow table what no agent reports. */
void publish_count_flows(
	const struct publish *publish, const struct snapshot *snapshot, uint32_t now_s);
/* Persistence of clients whose flows live goes on. */
void publish_hold_clients(
	const struct publish *publish, const struct snapshot *snapshot, uint32_t now_s);
/* Gives the built service's turns and counters to the snapshot. */
int publish_schedule_add(struct snapshot *snapshot, const struct publish_service *built,
	const struct config_virtual_server *virtual_server);
/* `built` holds one table for each service, in the order of `services`. */
int publish_snapshot_make(struct publish *publish, const struct service_list *services,
	const struct registry *registry, const struct publish_service *built,
	const struct publish_links *links, struct snapshot **ret_snapshot);
