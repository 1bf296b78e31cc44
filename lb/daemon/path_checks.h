/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Path probes of the registry's backends: what is to be probed of each, by its services and the configuration, and from
 * which addresses; results back to the registry.
 */
#pragma once

#include "common/addr.h"

struct balancer;
struct path_checks;

/* Upstairs; outlive it. */
struct path_checks_calls {
	/* The registry has actions to take. */
	void (*changed)(struct balancer *balancer);
	/* A probe could not be made for a want of our own. */
	void (*not_made)(struct balancer *balancer, const char *reason);
};

/* `balancer` outlives it. 0 or negative errno. */
int path_checks_new(struct balancer *balancer, const struct path_checks_calls *calls,
	struct path_checks **ret_checks);
struct path_checks *path_checks_free(struct path_checks *checks);
/* From where VIPs of this family are probed at a backend of this address; NULL: they are not. Borrowed. */
const struct addr *path_checks_source(
	const struct path_checks *checks, const struct addr *backend, sa_family_t family);
/* The services or the MAC of the backend are others, or it has left. */
void path_checks_set(struct path_checks *checks, uint16_t backend);
/* The backend was just heard: the way to it is good at this moment. */
void path_checks_heard(struct path_checks *checks, uint16_t backend);
/* The interface, its addresses or the VIPs are others; call also each second. */
void path_checks_follow(struct path_checks *checks);
