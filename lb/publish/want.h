/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each service's table must be like, by registry and configuration. Called by publication. */
#pragma once

#include "lb/config/service.h"
#include "lb/publish/pool.h"
#include "lb/registry/registry.h"

struct want {
	struct table_member *members; /* in address order */
	size_t n_members;
	uint16_t *alive; /* ids of backends that may hold flows, in address order */
	size_t n_alive;
	uint32_t timeout_s;   /* the longest that a flow by the rows may be silent */
	uint64_t fingerprint; /* hash of all of the above */
	bool ramps;           /* a member starts slowly */
	struct pool *parent;  /* the service has it now; NULL: it has none */
	bool stir;            /* the service has records that its rows know nothing of */
};

/* One for each of the services, in their order; parent and stir are the caller's to set. -ENOMEM. */
int want_list_new(const struct registry *registry, const struct service_list *services,
	struct want **ret_wants);
void want_list_free(struct want *wants, size_t len);
/* Whether the virtual server records every flow, wherever the table would send it. */
bool want_records_flows(const struct config_virtual_server *virtual_server);
