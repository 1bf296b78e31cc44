/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the agent says of itself, to balancers and in `status`: the host as verified, the
 * administrator's word, a stop in progress and the load become one proto_status. Pure.
 */
#pragma once

#include "agent/host/plan.h"
#include "common/proto/proto.h"

enum report_admin { REPORT_ENABLED, REPORT_DRAIN, REPORT_MAINT, REPORT_ADMIN_N_ };
/* "enabled", "drain", "maint"; and back: 0 or -EINVAL. */
const char *report_admin_name(enum report_admin admin);
int report_admin_parse(const char *text, enum report_admin *ret_admin);

struct report_facts {
	const struct host *host;
	const struct host_wanted *wanted;
	const char
		*blocked; /* "" or why the VIPs cannot be served: goes before what was verified */
	enum report_admin admin;
	bool stopping;
	uint16_t weight;
	const uint32_t *established; /* of each wanted VIP */
};

/*
 * The status to announce. One VIP that is not served rightly makes the whole host `down`: a
 * balancer must not send it flows that it would answer with a reset, or ARP for it would leak.
 * Then, in this order: `maint`, `drain` (by the administrator or a stop), `up`.
 */
void report_make_status(const struct report_facts *facts, struct proto_status *ret_status);
