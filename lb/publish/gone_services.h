/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frees the flow records of services that are configured no more, so that their ids can be given again: a
 * job in the walk through the flow table. Called by the daemon's housekeeping, from the main loop.
 */
#pragma once

#include "common/util.h"

struct flow_walk;
struct service_ids;
struct snapshot;
struct gone_services;

/* Both outlive it. NULL: no memory. */
struct gone_services *gone_services_new(struct flow_walk *walk, struct service_ids *ids);
struct gone_services *gone_services_free(struct gone_services *gone);
DEFINE_CLEANUP(struct gone_services *, gone_services_free)

/*
 * Begins a walk if there is something to free: records of services that have gone and that `current`, the
 * snapshot in force, does not have either. When the walk ends, their ids are void (service_ids_set_void).
 */
void gone_services_look(struct gone_services *gone, const struct snapshot *current);
