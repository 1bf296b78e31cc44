/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What publication is based on: pools, which are tables that services share, and which service has which.
 * Counted: a pool is referenced by the services that use it, by the snapshots that hold it, and by the
 * successor that still waits for its last times. Called by all of lb/publish, from the main loop; calls
 * none of it.
 */
#pragma once

#include "lb/state/keep.h"
#include "lb/table/scheduler.h"
#include "lb/table/table.h"

/* Rows that a backend owns. */
struct pool_share {
	uint32_t n_rows;
	uint16_t id;
};

struct pool {
	unsigned int refs;
	unsigned int readers; /* snapshots */
	struct keep_rows *rows;
	struct table_member *members; /* in address order */
	size_t n_members;
	uint16_t *alive; /* ids of backends that may hold flows, in address order */
	size_t n_alive;
	uint32_t timeout_s;   /* the longest that a flow by its rows may be silent */
	uint64_t fingerprint; /* of the want that it was made for */
	bool stirred;         /* all rows move, because a service ceased to record every flow */
	bool known;           /* members and alive are; false for one that was only imported */
	size_t moving;
	char digest[TABLE_DIGEST_LEN]; /* "": nobody asked yet */
	struct pool_share *shares;     /* rising ids; NULL: nobody asked yet */
	size_t n_shares;
	uint64_t in_snapshot; /* the last snapshot that it was added to, and where there */
	uint32_t snapshot_idx;
	/* During a walk: one bit for each row with a record of another backend. */
	uint8_t *disagrees;
	struct pool *parent; /* replaced by this one; until its last reader has gone */
};

struct pool_service {
	uint16_t id;
	struct pool *pool;
	struct scheduler *scheduler; /* of rr and lc; else NULL */
	bool records;                /* every flow has a record */
	bool reported;               /* lc: agents report its connections, which are TCP's */
};

struct pools {
	struct keep *keep;
	struct scheduler_loads *loads;
	uint8_t seed[TABLE_SEED_BYTES];
	bool follow;                   /* started with nothing, and membership is not quiet yet */
	struct pool_service *services; /* rising ids */
	size_t n_services;
	bool has_loads; /* some of them have a scheduler with loads */
	uint64_t n_builds;
	uint64_t n_snapshots;    /* that were begun: a mark for pools, not more */
	bool crowded4, crowded6; /* the flow table is, of each family */
};

/* Without members, rows and parent; one reference. NULL: out of memory. */
struct pool *pool_new(void);
struct pool *pool_ref(struct pool *pool);
struct pool *pool_unref(struct pool *pool);
DEFINE_CLEANUP(struct pool *, pool_unref)
void pool_alive(const struct pool *pool, struct table_ids *ret_ids);
/* Rows that the backend owns. 0 also where memory is short. */
size_t pool_owned(struct pool *pool, uint16_t backend);
/* Hashes of the members' addresses, and of these with their weights. */
void pool_marks(const struct pool *pool, uint32_t *ret_members, uint32_t *ret_weights);
/* "" where it is not known. */
const char *pool_digest(struct pool *pool);

/* Orders them by id, as pool_service_find() wants them. */
void pool_services_sort(struct pool_service *services, size_t len);
void pool_services_free(struct pool_service *services, size_t len);
/* NULL: no such service is published. */
const struct pool_service *pool_service_find(const struct pools *pools, uint16_t service);
