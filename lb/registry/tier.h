/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Of each service how many backends are usable, whether those are as many as it needs, and whether its backups take new
 * flows for want of others. Counted anew when somebody looks after a change.
 */
#pragma once

#include "lb/registry/entry.h"

/* NULL: no memory. */
struct tiers *tiers_new(size_t n_services);
struct tiers *tiers_free(struct tiers *tiers);
/* Of the service at this position of config.services. */
struct registry_tier tier_of(const struct registry *registry, size_t service_idx);
/* Takes new flows in this service: its weight there is above 0, and where it is a backup, backups do. */
bool tier_takes_new(const struct registry *registry, const struct entry_service *member);
/* How many connections are too many for new ones in the member's virtual server; 0: no ceiling. */
uint32_t tier_max_connections(const struct entry *entry, const struct entry_service *member);
/* It has as many, or, of an agent, had them a moment ago. */
bool tier_is_full(const struct registry *registry, const struct entry *entry,
	const struct entry_service *member);
