/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From chosen pools, services and backends to a snapshot. Called by publication. */
#pragma once

#include "lb/config/service.h"
#include "lb/engine/snapshot.h"
#include "lb/publish/links.h"
#include "lb/publish/pool.h"
#include "lb/registry/registry.h"

struct snapshot_request {
	struct pools *pools;
	const struct service_list *services;
	const struct registry *registry;
	const struct pool_service *built; /* one for each of the services, in their order */
	const struct publish_links *links;
	bool follow; /* bases follow owners: SYNs are recorded */
};

/* It holds the pools that it names. -ENOMEM, -ENOSPC. */
int snapshot_make(const struct snapshot_request *request, struct snapshot **ret_snapshot);
