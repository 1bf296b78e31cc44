/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine on the interfaces that are there: the best one that the configuration allows is started, told
 * what to forward, and started anew when an interface or a worker is gone. Sums counters over the engines
 * that ran since the start.
 */
#pragma once

#include "lb/config/model.h"
#include "lb/engine/engine.h"

struct capture_filter;
struct captured;
struct keep;
struct neigh_link;
struct segments;
struct dataplane;
struct events;
struct why;

struct dataplane_status {
	bool is_running;
	const char *mode;     /* of the engine, or of the last one: "xdp", "tc", "packet" */
	const char *reason;   /* why there is none, or why this one; the dataplane's */
	unsigned int ifindex; /* of the clients' interface, while it is running */
	/* Why the host's own stack gets frames for VIPs, too; NULL: it does not, or there is no engine. */
	const char *unguarded;
	/* The host's own stack may look up frames for VIPs: tagged ones at least, or there is no engine. */
	bool reaches_stack;
};

/* `workers` 0: as many as processors. Takes no ownership; `keep` and `events` must outlive it. NULL: out of memory. */
struct dataplane *dataplane_new(
	enum config_mode mode, uint32_t workers, const struct keep *keep, struct events *events);
/* What forwards in the kernel goes on, unless `detach`. */
void dataplane_stop(struct dataplane *dataplane, bool detach);
struct dataplane *dataplane_free(struct dataplane *dataplane);
DEFINE_CLEANUP(struct dataplane *, dataplane_free)

/*
 * Whether what serves could send to these interfaces (zeros are left out), if they were those to backends: if not,
 * `ret_why` says why. True while nothing serves, and where another engine would be taken.
 */
bool dataplane_takes_outs(const struct dataplane *dataplane, const unsigned int outs[FWD_LINKS_MAX],
	struct why *ret_why);
/* Follows the links, whatever index they have now; true: there is another engine, or none any more. */
bool dataplane_update(struct dataplane *dataplane, const struct neigh_link *clients,
	const struct segments *segments);
/*
 * Puts the snapshot in force and owns it from here on, also on an error. Without an engine it is freed.
 * What an engine of a previous run left is removed when the first one is in force. 0 or negative errno.
 */
int dataplane_load(struct dataplane *dataplane, struct snapshot *snapshot);
/* Frees what no worker reads any more; call now and then. */
void dataplane_reclaim(struct dataplane *dataplane);

struct dataplane_status dataplane_status(const struct dataplane *dataplane);
/* The snapshot in force; NULL: there is no engine. */
const struct snapshot *dataplane_snapshot(const struct dataplane *dataplane);
/* Buckets of SYN rates, for who only looks; while there is an engine. */
struct rates dataplane_rates(const struct dataplane *dataplane);
/* The service as it is forwarded now, or NULL. Context: the dataplane. */
const struct fwd_service *dataplane_service(uint16_t service, void *context);
void dataplane_totals(const struct dataplane *dataplane, struct engine_totals *ret_totals);
/* Zeros without an engine. */
void dataplane_service_counters(const struct dataplane *dataplane, uint16_t service,
	struct engine_service_counters *ret_counters);
void dataplane_pair_counters(const struct dataplane *dataplane, uint16_t service, uint16_t backend,
	struct engine_pair_counters *ret_counters);
/* See engine_ops.take_clients: for one caller alone. */
uint64_t dataplane_take_clients(struct dataplane *dataplane, uint16_t service, uint16_t backend);

/*
 * See engine_ops.capture; one at a time. `ended` is called when the engine ends before it was stopped, while its
 * descriptor is still good. 0; -EBUSY: somebody captures; -ENETDOWN: there is no engine; or the engine's.
 */
int dataplane_capture_start(struct dataplane *dataplane, const struct capture_filter *filter,
	void (*ended)(void *context), void *context);
void dataplane_capture_stop(struct dataplane *dataplane);
int dataplane_capture_fd(const struct dataplane *dataplane);
bool dataplane_capture_take(struct dataplane *dataplane, struct captured *ret_captured);
uint64_t dataplane_capture_lost(const struct dataplane *dataplane);
