/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From services and backends to a snapshot: which services share a table, what each new table
 * inherits from the one it replaces, when moving rows settle, and which flow records have become
 * void. Called by the daemon's main loop; it hands snapshots out and knows no engine.
 */
#pragma once

#include "lb/state/keep.h"
#include "lb/registry/registry.h"
#include "lb/config/service.h"
#include "lb/engine/snapshot.h"

/*
 * A balancer that starts with nothing: bases follow owners until membership was quiet this long. Longer than
 * an agent that waits after refusals may keep silent (5 s, and its jitter): else the first agents to register
 * would get the rows of those that are about to, as if their flows had begun now.
 */
#define PUBLISH_QUIET_US (7 * US_PER_S)
/* How often moving rows are looked at. */
#define PUBLISH_SETTLE_US (2 * US_PER_S)

struct publish;

/* What a snapshot needs of the world outside registry and configuration. */
struct publish_links {
	struct mac own_mac; /* of the client interface */
	struct mac out_mac; /* of the backend interface */
	uint32_t mtu_bytes; /* of the backend interface */
	bool active;        /* false: no VIP is bound, everything is passed */
};

/* `fresh`: nothing was kept. Takes no ownership; `keep` must outlive it. NULL: out of memory. */
struct publish *publish_new(struct keep *keep, const char *cluster_seed, bool fresh);
struct publish *publish_free(struct publish *publish);
DEFINE_CLEANUP(struct publish *, publish_free)

/* Which rows each service had when the document was written; unusable ones are left out. */
void publish_import(struct publish *publish, const json_t *document);
json_t *publish_export(const struct publish *publish);

/*
 * Builds the snapshot for these services and backends. On an error nothing has changed.
 * -ENOMEM, -ENOSPC, or an errno of the runtime directory.
 */
int publish_build(struct publish *publish, const struct service_list *services,
	const struct registry *registry, const struct publish_links *links, uint64_t now_us,
	struct snapshot **ret_snapshot);

/*
 * Housekeeping at least every PUBLISH_SETTLE_US: carries times over from replaced tables, and sees
 * whether publish_step() has something to do. True: publish anew, because membership has become quiet, or
 * the flow table crowded, or crowded no more.
 */
bool publish_tick(struct publish *publish, const struct snapshot *current, uint64_t now_us);
/*
 * Goes on with what takes long, by a millisecond or two: a walk through the flow table that frees void
 * records, counts for lc, holds persistent clients, and at its end settles rows. After each
 * publish_tick() and publication, until it says that there is no more to do (false).
 */
bool publish_step(struct publish *publish, const struct snapshot *current, uint64_t now_us);

/* The backend's agent has reported: lc services count from there. */
void publish_report(
	struct publish *publish, const struct registry *registry, const struct backend *backend);

/* For status; "" and 0 for an unknown service. */
const char *publish_digest(const struct publish *publish, uint16_t service);
size_t publish_moving(const struct publish *publish, uint16_t service);
/* Rows that the backend owns in the service's table, of FWD_ROWS. */
size_t publish_owned(const struct publish *publish, uint16_t service, uint16_t backend);
