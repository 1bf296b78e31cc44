/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Publication for rr and lc: a scheduler for each such service. Called by publication and settle. */
#pragma once

#include "lb/config/service.h"
#include "lb/engine/snapshot.h"
#include "lb/publish/pool.h"
#include "lb/registry/registry.h"

/* Loads that a build gave to schedulers that are in use: taken back when it fails. */
struct schedule_change {
	struct scheduler *scheduler;
	uint16_t backend;
};
struct schedule_changes {
	struct schedule_change *items;
	size_t len;
};

/*
 * Finds or makes the scheduler of an rr or lc service, with a load for each member of lc; nobody sees it
 * before schedule_commit(). `old` is the service as it is published, or NULL. -ENOMEM; -ENOSPC: too many
 * loads. What it made stands in `built` and `changes` also then.
 */
int schedule_make(struct scheduler_loads *loads, const struct pool_service *old,
	const struct config_virtual_server *virtual_server, struct pool_service *built,
	struct schedule_changes *changes);
/* Takes back what schedule_make() gave; before the built services are freed. */
void schedule_undo(struct schedule_changes *changes);
void schedule_changes_clear(struct schedule_changes *changes);
/* Gives the order of backends and the scheduler to the snapshot. -ENOMEM, -ENOSPC. */
int schedule_add(struct snapshot *snapshot, const struct pool_service *built,
	const struct config_virtual_server *virtual_server);
/* Tells lc its weights, and which backends are counted in the flow table. Cannot fail. */
void schedule_commit(const struct registry *registry, const struct pool_service *old,
	const struct config_virtual_server *virtual_server, const struct pool_service *built);

/* The backend's agent has reported: lc services count from there. */
void schedule_report(
	const struct pools *pools, const struct registry *registry, const struct backend *backend);
/* lc: counts in the flow table what no agent reports. Wanted at all; begin; each flow; the end. */
bool schedule_count_wanted(const struct pools *pools);
void schedule_count_begin(const struct pools *pools);
void schedule_count_flow(const struct pools *pools, const struct flows_entry *entry);
void schedule_count_end(const struct pools *pools);
