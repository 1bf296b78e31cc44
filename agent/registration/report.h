/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the agent says of itself, to balancers and in `status`: the host as verified, the
 * administrator's word, a stop in progress and the connections become one proto_status. Pure.
 */
#pragma once

#include "common/proto/proto.h"

enum report_admin { REPORT_ENABLED, REPORT_DRAIN, REPORT_MAINT, REPORT_ADMIN_N_ };
/* "enabled", "drain", "maint"; and back: 0 or -EINVAL. */
const char *report_admin_name(enum report_admin admin);
int report_admin_parse(const char *text, enum report_admin *ret_admin);

/* One VIP as it was seen on this host. */
struct report_vip {
	bool present, silent;
	uint32_t established;
};

struct report_facts {
	const struct report_vip *vips;
	size_t n_vips;       /* up to PROTO_VIPS_MAX */
	const char *fault;   /* "" or what is wrong with the first VIP that is not served rightly */
	const char *blocked; /* "" or why the VIPs cannot be served: goes before what was seen */
	enum report_admin admin;
	bool stopping;
	const char *failing; /* "" or why the service does not work, by its checks */
	const char *leaving; /* "" or why a check asks for a drain */
	bool being_mended;   /* what is wrong will be right in a moment: nobody is told */
	uint16_t weight;
	uint32_t max_connections; /* 0: no ceiling */
	bool second_chance;       /* what no socket here has is passed on */
};

/*
 * The status to announce. One VIP that is not served rightly makes the whole host `down`: a
 * balancer must not send it flows that it would answer with a reset, or ARP for it would leak.
 * Then, in this order: `maint`, `down` (by the checks), `drain` (by a stop, the administrator or a
 * check), `up`. A reason that is too long for the protocol is cut.
 */
void report_make(const struct report_facts *facts, struct proto_status *ret_status);
/* Takes out what this version of the protocol has no place for. */
void report_fit(struct proto_status *status, unsigned int version);
/* Whether they differ in anything but counts. */
bool report_differs(const struct proto_status *a, const struct proto_status *b);
/* Whether the protocol can carry it. */
bool report_can_be_sent(const struct proto_status *status);
