/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Housekeeping of publication: times of replaced pools, void records, counts of lc, clients of persistent
 * services, rows that settle, turns of the filter of flows seen, and whether the flow table is crowded. What asks about records is one job in
 * the walk through the flow table. Called by publication alone, from the main loop.
 */
#pragma once

#include "common/hash_map.h"
#include "lb/engine/snapshot.h"
#include "lb/publish/pool.h"
#include "lb/registry/registry.h"
#include "lb/table/flow_seen.h"
#include "lb/table/flow_walk.h"

/* How often moving rows are looked at. */
#define SETTLE_US (2 * US_PER_S)
/*
 * So long after a start records of backends that may hold none are looked for: of those that ceased to before it, when
 * there was no time left to free them. Who was known before the start has registered again by then.
 */
#define SETTLE_STRANGERS_US (10 * US_PER_S)

struct settle {
	/* The owner's, who sets them before settle_start(). */
	struct pools *pools;
	struct flow_walk *walk;
	const struct snapshot *(*current)(void *context); /* which is in force; NULL: none */
	void *context;

	struct hash_map purges;  /* pairs of service and backend whose records are void */
	struct hash_map purging; /* those that this walk frees */
	struct flow_walk_job job;
	const struct snapshot *snapshot; /* of this part of the walk */
	uint32_t now_s;                  /* the same */
	bool holds, counts, settles; /* what this walk is for; `settles` until the last pool is */
	bool strangers;              /* the same; until other pools are in force */
	uint64_t strangers_us; /* when; 0: no time has been told yet, UINT64_MAX: it is done */
	struct hash_map known; /* pairs of pool and backend that are no strangers */
	uint64_t n_builds;     /* of pools, when it began */
	size_t service;        /* the next whose pool is settled, behind the walk */
	uint64_t settled_us;   /* when rows were last looked at */
	struct flow_seen_turn turn;
};

void settle_start(struct settle *settle);
/* Leaves the walk. */
void settle_stop(struct settle *settle);

/* Makes room for so many more purges, so that settle_purge() cannot fail. -ENOMEM: nothing has changed. */
int settle_reserve(struct settle *settle, size_t n_purges);
/* The backend's records of the service are void from now on; settle_wake() has them freed. */
void settle_purge(struct settle *settle, uint16_t service, uint16_t backend);
/*
 * A backend that comes back must not lose the records of its new flows to its former end: frees its old
 * ones now, where that has not been done.
 */
void settle_purge_returning(struct settle *settle, const struct registry *registry);
void settle_wake(struct settle *settle);

/* At least every SETTLE_US. True: the flow table is crowded, or no more: publish anew. */
bool settle_tick(struct settle *settle, uint64_t now_us);
/* Settles rows behind a walk, in parts; false: there is nothing to do. */
bool settle_step(struct settle *settle, uint64_t now_us);
