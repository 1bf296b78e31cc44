/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients of the control socket that wait for a backend to be drained: `drain --wait`.
 */
#pragma once

#include "lb/registry/registry.h"

struct control_request;
struct flow_walk;
struct drain_waits;

/* All outlive it. NULL: out of memory. */
struct drain_waits *drain_waits_new(const struct registry *registry, struct flow_walk *walk);
/* Nobody is answered. */
struct drain_waits *drain_waits_free(struct drain_waits *waits);
DEFINE_CLEANUP(struct drain_waits *, drain_waits_free)
/*
 * Keeps the request until the backend, which exists, is drained or `deadline_us` (REGISTRY_NEVER_US: none) has
 * come. -ENOSPC: too many wait, and the request is not kept.
 */
int drain_waits_add(struct drain_waits *waits, struct control_request *request,
	const struct backend *backend, uint64_t deadline_us);
/* Answers those whose wait is over; call each second. */
void drain_waits_check(struct drain_waits *waits, uint64_t now_us);
