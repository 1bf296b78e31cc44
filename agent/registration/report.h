/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the agent says of itself, to balancers and in `status`: the host as verified, the
 * administrator's wish, a stop in progress and the load become one proto_status. Pure.
 */
#pragma once

#include "agent/host/plan.h"
#include "common/proto/proto.h"

enum heartbeat_admin { HEARTBEAT_ENABLED, HEARTBEAT_DRAIN, HEARTBEAT_MAINT, HEARTBEAT_ADMIN_N_ };
/* "enabled", "drain", "maint"; and back: 0 or -EINVAL. */
const char *heartbeat_admin_name(enum heartbeat_admin admin);
int heartbeat_admin_parse(const char *text, enum heartbeat_admin *ret_admin);

struct heartbeat_facts {
	const struct host *host;
	const struct host_wish *wish;
	const char
		*blocked; /* "" or why the VIPs cannot be served: goes before what was verified */
	enum heartbeat_admin admin;
	bool stopping;
	uint16_t weight;
	const uint32_t *established; /* of each VIP of the wish */
};

/*
 * The status to announce. One VIP that is not served rightly makes the whole host `down`: a
 * balancer must not send it flows that it would answer with a reset, or ARP for it would leak.
 * Then, in this order: `maint`, `drain` (by the administrator or a stop), `up`.
 */
void heartbeat_make_status(const struct heartbeat_facts *facts, struct proto_status *ret_status);
