/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blackhole routes for the VIPs: with IP forwarding on, this host's kernel would otherwise forward their
 * packets a second time.
 */
#pragma once

#include "common/util.h"

struct neigh;
struct service_ids;
struct service_list;
struct vip_routes;

/* Takes no ownership; `neigh` must outlive it. NULL: out of memory. */
struct vip_routes *vip_routes_new(struct neigh *neigh);
/* Routes stay. */
struct vip_routes *vip_routes_free(struct vip_routes *routes);
DEFINE_CLEANUP(struct vip_routes *, vip_routes_free)
/* Routes for exactly the VIPs of the services; NULL: none. What fails is logged. */
void vip_routes_set(struct vip_routes *routes, const struct service_list *services);
/* Each second: some of the routes are looked at in turn, and put back where somebody took them away. */
void vip_routes_housekeeping(struct vip_routes *routes);
/* Routes of a previous run that was killed, to VIPs that were `ids`' and are no more, go. */
void vip_routes_sweep(struct vip_routes *routes, const struct service_ids *ids);
