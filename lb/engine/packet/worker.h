/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A worker of the packet engine: one thread that takes frames from its ring, runs the core on
 * them against the snapshot in force, and sends or counts them. Knows no other worker.
 *
 * Snapshots are switched without locks. The engine stores a new one in `shared`, then raises
 * `shared->epoch`. A worker announces the epoch that it read before it loads the snapshot, and 0
 * before it sleeps; so one that announces an epoch at or after the switch, or 0, cannot hold
 * the replaced snapshot (quiescent-state-based reclamation).
 */
#pragma once

#include "lb/engine/capture/capture_ring.h"
#include "lb/engine/counters.h"
#include "lb/engine/slow_path.h"
#include "lb/engine/fragments.h"
#include "lb/engine/rates.h"
#include "lb/engine/snapshot.h"

/* Written by the engine alone, read by all workers. */
struct worker_shared {
	const struct snapshot *snapshot;
	uint64_t epoch; /* of the newest snapshot; begins with 1 */
	bool is_stopping;
	/* Lock by themselves; never replaced. */
	struct fragments *fragments;
	struct slow_path *slow_path;
	struct capture_ring *capture;
	struct rates rates;
};

struct worker_config {
	unsigned int idx;     /* the N of its name, "worker/N" */
	unsigned int ifindex; /* clients */
	bool pin;             /* to a CPU of its own */
	bool share;           /* the interface with other workers */
	int stop_fd; /* an eventfd that becomes readable when is_stopping is set; borrowed */
	const struct worker_shared *shared; /* borrowed */
};

struct worker;
struct why;

/*
 * Opens the sockets; nothing is received yet. `*fanout_id` is RING_FANOUT_NONE for the first of
 * several workers and handed from one to the next. Negative errno with the failing step in `ret_why`.
 */
int worker_new(const struct worker_config *config, int *fanout_id, struct worker **ret_worker,
	struct why *ret_why);
/* Starts the thread and lets frames in. 0 or negative errno with the failing step in `ret_why`. */
int worker_start(struct worker *worker, struct why *ret_why);
/* Waits for the thread, which must have been told to stop, and frees everything. */
struct worker *worker_free(struct worker *worker);
DEFINE_CLEANUP(struct worker *, worker_free)

/* The epoch of the snapshot that the worker may be reading; 0: none. */
uint64_t worker_epoch(const struct worker *worker);
/* As engine_ops.health. */
int worker_health(const struct worker *worker);
struct counters *worker_counters(struct worker *worker);
