/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counting for status: flow records by service and backend, and who belongs to which service.
 */
#pragma once

#include "lb/registry/backend/backend.h"

struct balancer;
struct service_list;
struct status_count;

/* Flow records by service and backend: open addressing, grown at half full. Zeroed is empty. */
struct status_counts {
	struct status_count *items;
	size_t capacity; /* a power of two */
	size_t len;
	uint64_t total;
};
/* Counts one; without memory counts are too low. */
void status_count_add(struct status_counts *counts, uint16_t service, uint16_t backend);
uint64_t status_count_of(const struct status_counts *counts, uint16_t service, uint16_t backend);
void status_counts_clear(struct status_counts *counts);

/* Who belongs to which service: one look at all backends instead of one for each service. */
struct status_members {
	const struct service_list *services;
	uint32_t *begins;            /* of each service in `positions`, and the end */
	uint32_t *positions;         /* of backends in the order of names, when this was made */
	uint16_t *ids;               /* of the backend that was at a position then */
	struct registry_tier *tiers; /* of each service */
};
/* Of each service, as it is now; the caller's. NULL: no memory. */
struct registry_tier *status_tiers(const struct balancer *balancer);
/* -ENOMEM. */
int status_members_make(const struct balancer *balancer, struct status_members *ret_members);
void status_members_clear(struct status_members *members);
