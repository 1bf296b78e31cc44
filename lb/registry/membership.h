/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which services a backend is a member of, and whether it is on the link. A configuration may have
 * thousands of services and of real-server lines, so they are found by what a backend has: its VIPs,
 * and its address in a line.
 */
#pragma once

#include "lb/registry/entry.h"

/* -ENOMEM. Free with membership_clear. */
int membership_make(const struct registry_config *config, struct membership *ret_membership);
void membership_clear(struct membership *membership);
/* The address is in a subnet of the backend interface. */
bool membership_on_link(const struct registry_config *config, const struct addr *address);
/* Position in config.services of the service with this id; SIZE_MAX: none. */
size_t membership_service(const struct membership *membership, uint16_t id);
/* Services with this VIP: those at positions from the returned one up to `*ret_end`, which is none. */
size_t membership_of_vip(
	const struct membership *membership, const struct addr *vip, size_t *ret_end);
/* The service at such a position. */
const struct registry_service *membership_at(const struct membership *membership, size_t position);
/* The service admits agents of this address. */
bool membership_allows(const struct registry_service *service, const struct addr *address);
/*
 * The services that the entry is a member of, in the order of the configuration, in an array that is
 * the caller's, to be freed as one; their paths are zeroed. -ENOMEM.
 */
int membership_find(const struct membership *membership, const struct registry_config *config,
	const struct entry *entry, struct entry_service **ret_services, size_t *ret_n_services);
/* Notes which of the agent's VIPs its services have. */
void membership_mark_served(struct entry *entry);
/* Lists anew which ports the entry's agent is asked about; what does not fit into the list is not asked. */
void membership_ask(const struct registry_config *config, struct entry *entry);
/* The entry's membership in the service at this position of config.services; NULL: it is no member. */
const struct entry_service *membership_in(const struct entry *entry, size_t service_idx);
