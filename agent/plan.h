/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The difference between the host as it is and as it should be, as an ordered list of
 * operations. Pure. The order is the safety: silence before any VIP appears, a VIP gone before
 * its silence ends.
 */
#pragma once

#include "agent/host.h"

enum plan_op_type {
	PLAN_SET_ARP,        /* link: arp_ignore, arp_announce to these values */
	PLAN_ADD_ADDRESS,    /* vip to the loopback interface, label_idx for lo:N (IPv4) */
	PLAN_REMOVE_ADDRESS,
	PLAN_OP_N_
};

struct plan_op {
	enum plan_op_type type;
	unsigned int ifindex;
	uint32_t arp_ignore, arp_announce; /* PLAN_SET_ARP */
	struct addr vip;
	unsigned int label_idx;            /* ≥ 1 */
	const char *why;                   /* static text: "new interface", "changed by others", … */
};

struct plan {
	struct plan_op *ops;
	size_t n_ops;
	/* Set when nothing that we may do helps: the VIPs must not be announced as served. */
	char blocked[256];
};
void plan_clear(struct plan *plan);

/*
 * What must be done to serve: ARP silence on every ARP-capable interface (where any VIP is
 * IPv4), then missing VIPs; VIPs of ours that are no longer wished go first. `owned` tells what
 * is ours; it is not changed here (apply does, before each operation). -ENOMEM.
 */
int plan_serve(const struct host *host, const struct host_wish *wish, const struct host_owned *owned,
	struct plan *ret_plan);
/* What must be done to leave: our VIPs, then the original values where ours still stand. */
int plan_withdraw(const struct host *host, const struct host_owned *owned,
	const struct host_wish *wish, struct plan *ret_plan);
/*
 * Whether the host serves this VIP rightly: present on lo with full length, on no other
 * interface, every ARP-capable interface effectively silent. "" or the reason in words.
 */
void plan_verify(const struct host *host, const struct host_wish *wish, const struct addr *vip,
	bool *ret_present, bool *ret_silent, char *ret_reason, size_t reason_size_bytes);
