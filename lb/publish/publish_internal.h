/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of publication share: publish.c chooses tables, publish_snapshot.c builds the
 * snapshot, publish_settle.c keeps house. Nobody else includes this.
 */
#pragma once

#include "common/hash_map.h"
#include "lb/publish/publish.h"
#include "lb/table/scheduler.h"
#include "lb/table/table.h"

/* What a service's table must be like. */
struct publish_want {
	struct table_member *members; /* in address order */
	size_t n_members;
	uint16_t *alive; /* ids of backends that may hold flows, in address order */
	size_t n_alive;
	uint32_t tcp_timeout_s;
	uint64_t fingerprint; /* hash of all of the above */
	bool ramps;           /* a member starts slowly */
	struct publish_table *parent;
	bool stir; /* the service has records that its rows know nothing of */
};

/* Rows that a backend owns. */
struct publish_share {
	uint32_t n_rows;
	uint16_t id;
};

struct publish_table {
	unsigned int refs;
	unsigned int readers; /* snapshots */
	struct keep_rows *rows;
	struct table_member *members; /* in address order */
	size_t n_members;
	uint16_t *alive; /* ids of backends that may hold flows, in address order */
	size_t n_alive;
	uint32_t tcp_timeout_s;
	uint64_t fingerprint; /* of the want that it was made for */
	bool stirred;         /* all rows move, because a service ceased to record every flow */
	bool known;           /* members and alive are; false for one that was only imported */
	size_t moving;
	char digest[TABLE_DIGEST_LEN]; /* "": nobody asked yet */
	struct publish_share *shares;  /* rising ids; NULL: nobody asked yet */
	size_t n_shares;
	uint64_t in_snapshot; /* the last snapshot that it was added to, and where there */
	uint32_t snapshot_idx;
	uint8_t *
		disagrees; /* during a walk: one bit for each row with a record of another backend */
	struct publish_table *parent; /* replaced by this one; until its last reader has gone */
};

struct publish_service {
	uint16_t id;
	struct publish_table *table;
	struct scheduler *schedule; /* of rr and lc; else NULL */
	bool records;               /* every TCP flow has a record */
	bool reported;              /* lc: agents report its connections, which are TCP's */
};

/* One walk through the flow table, in parts; what it is for. */
struct publish_walk {
	bool runs;
	bool hold, count, settle; /* clients, flows of lc, moving rows */
	uint64_t n_builds;        /* of publish, when it began */
	uint64_t bucket;          /* the next */
	size_t service;           /* the next whose table is settled, behind the last bucket */
	struct hash_map purges;   /* as those of publish, when it began */
};

struct publish {
	struct keep *keep;
	struct scheduler_loads *loads;
	uint8_t seed[TABLE_SEED_BYTES];
	bool follow;         /* started with nothing, and membership is not quiet yet */
	uint64_t changed_us; /* when membership last changed */
	uint64_t settled_us; /* when rows were last looked at */
	struct publish_service *services; /* rising ids */
	size_t n_services;
	uint64_t n_builds;
	uint64_t n_snapshots;
	struct hash_map purges; /* pairs of service and backend whose records are void */
	struct publish_walk walk;
	bool crowded4, crowded6; /* the flow table is, of each family */
};

struct publish_table *publish_table_ref(struct publish_table *table);
struct publish_table *publish_table_unref(struct publish_table *table);
DEFINE_CLEANUP(struct publish_table *, publish_table_unref)
/* NULL: no such service is published. */
const struct publish_service *publish_service_find(const struct publish *publish, uint16_t service);

/* Membership has been quiet for long enough that bases need not follow owners any more. */
bool publish_is_quiet(const struct publish *publish, uint64_t now_us);

/* publish_want.c */
/* One for each of the services, in their order; parent and stir are the caller's to set. */
int publish_wants_new(const struct registry *registry, const struct service_list *services,
	struct publish_want **ret_wants);
void publish_wants_free(struct publish_want *wants, size_t len);
void publish_want_clear(struct publish_want *want);

/* publish_fill.c: makes the rows of new tables. -ENOMEM. */
int publish_fill(
	struct publish *publish, struct publish_table **tables, size_t len, uint32_t now_s);

/* The backend's records of the service are void from the next publication on. */
void publish_purge_note(struct publish *publish, uint16_t service, uint16_t backend);
/*
 * A backend that comes back must not lose the records of its new flows to its former end: frees its old
 * ones now, where that has not been done.
 */
void publish_purge_returning(struct publish *publish, const struct registry *registry);
/* Whether the virtual server records every TCP flow, wherever the table would send it. */
bool publish_records(const struct config_virtual_server *virtual_server);
/*
 * Finds or makes the counters of an rr or lc service, and tells lc its weights. -ENOMEM; -ENOSPC: too many
 * of them.
 */
int publish_schedule_make(struct publish *publish, const struct registry *registry,
	const struct publish_service *old, const struct config_virtual_server *virtual_server,
	struct publish_service *built);
/* lc: counts in the flow table what no agent reports. Wanted at all; begin; each flow; the end. */
bool publish_count_wanted(const struct publish *publish);
void publish_count_begin(const struct publish *publish);
void publish_count_flow(const struct publish *publish, const struct flows_entry *entry);
void publish_count_end(const struct publish *publish);
/* Persistence of clients whose flows live goes on. Wanted at all; each flow. */
bool publish_hold_wanted(const struct publish *publish, const struct snapshot *snapshot);
void publish_hold_client(
	const struct snapshot *snapshot, const struct flows_entry *entry, uint32_t now_s);
/* Gives the built service's turns and counters to the snapshot. */
int publish_schedule_add(struct snapshot *snapshot, const struct publish_service *built,
	const struct config_virtual_server *virtual_server);
/* `built` holds one table for each service, in the order of `services`. */
int publish_snapshot_make(struct publish *publish, const struct service_list *services,
	const struct registry *registry, const struct publish_service *built,
	const struct publish_links *links, struct snapshot **ret_snapshot);
