/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From services and backends to a snapshot: which services share a table, what each new table
 * inherits from the one it replaces, when moving rows settle, and which flow records have become
 * void. Called by the daemon's main loop; it hands snapshots out and knows no engine.
 */
#pragma once

#include <jansson.h>

#include "lb/config/service.h"
#include "lb/engine/snapshot.h"
#include "lb/publish/links.h"
#include "lb/registry/registry.h"

struct flow_walk;
struct keep;
struct publish;

/*
 * A balancer that starts with nothing: bases follow owners until membership was quiet this long. Longer than
 * an agent that waits after refusals may keep silent (5 s, and its jitter): else the first agents to register
 * would get the rows of those that are about to, as if their flows had begun now.
 */
#define PUBLISH_QUIET_US (7 * US_PER_S)

struct publish_config {
	struct keep *keep;
	struct flow_walk *walk;
	const char *cluster_seed;                         /* lives as long as the call */
	bool fresh;                                       /* nothing was kept */
	const struct snapshot *(*current)(void *context); /* which is in force; NULL: none */
	void *context;
};

/* `keep` and `walk` must outlive it, and services and backends the snapshots. NULL: out of memory. */
struct publish *publish_new(const struct publish_config *config);
struct publish *publish_free(struct publish *publish);
DEFINE_CLEANUP(struct publish *, publish_free)

/* Which rows each service had when the document was written; unusable ones are left out. */
void publish_import(struct publish *publish, const json_t *document);
json_t *publish_export(const struct publish *publish);

struct publish_request {
	const struct service_list *services;
	const struct registry *registry;
	const struct publish_links *links;
};

/*
 * Builds the snapshot for these services and backends. On an error nothing has changed.
 * -ENOMEM, -ENOSPC, or an errno of the runtime directory.
 */
int publish_build(struct publish *publish, const struct publish_request *request, uint64_t now_us,
	struct snapshot **ret_snapshot);

/*
 * Housekeeping, at least every two seconds: carries times over from replaced tables, and joins the walk
 * through the flow table where somebody waits for it: void records are freed, flows of lc counted, clients
 * of persistent services held, and rows settled. True: publish anew, because membership has become quiet, or
 * the flow table crowded, or crowded no more.
 */
bool publish_tick(struct publish *publish, uint64_t now_us);
/*
 * Goes on with what takes long behind the walk, by a millisecond or two, after each step of the walk; until
 * it says that there is no more to do (false).
 */
bool publish_step(struct publish *publish, uint64_t now_us);

/* The backend's agent has reported: lc services count from there. */
void publish_report(
	struct publish *publish, const struct registry *registry, const struct backend *backend);

/*
 * For how long nobody has come or gone, of a balancer that started with nothing; UINT64_MAX: for as long as bases
 * followed owners, or it did not start so.
 */
uint64_t publish_quiet_us(const struct publish *publish, uint64_t now_us);
/* For status; "" and 0 for an unknown service. */
const char *publish_digest(const struct publish *publish, uint16_t service);
/*
 * Hashes of what other balancers must have too: the members' addresses, and these with their weights. False: the
 * service's rows are not all that flows go by (rr, lc), or it has none.
 */
bool publish_marks(const struct publish *publish, uint16_t service, uint32_t *ret_members,
	uint32_t *ret_weights);
size_t publish_moving(const struct publish *publish, uint16_t service);
/* Rows that the backend owns in the service's table, of FWD_ROWS. */
size_t publish_owned(const struct publish *publish, uint16_t service, uint16_t backend);
