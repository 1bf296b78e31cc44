/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Announces VIPs by a host route to each in the main table, which a routing daemon of this host exports (BIRD, FRR): of
 * protocol ROUTE_ANNOUNCE_PROTOCOL and type blackhole, which both read, and from which the kernel neither forwards nor
 * answers. Under sd-event. One that somebody takes away is put back; routes of others are left alone, and one that has the
 * place of ours is told of.
 */
#pragma once

#include <systemd/sd-event.h>

#include "common/addr.h"

#define ROUTE_ANNOUNCE_PROTOCOL 83u /* in rtm_protocol: "ip route show proto 83" */

struct route_announce;

/*
 * Reads which routes of ours a killed process left: they stay until the first route_announce_set(). 0 or negative
 * errno.
 */
int route_announce_start(sd_event *event, struct route_announce **ret_routes);
/* Takes all of them away; NULL is nothing. */
struct route_announce *route_announce_free(struct route_announce *routes);
DEFINE_CLEANUP(struct route_announce *, route_announce_free)
/*
 * Routes to exactly these VIPs (sorted, each once; copied): others go at once, missing ones come at once, but each at
 * most once a second. What the kernel refuses is logged, and tried again. 0 or negative errno.
 */
int route_announce_set(struct route_announce *routes, const struct addr *vips, size_t n_vips);
