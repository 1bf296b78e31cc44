/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The difference between the host as it is and as it should be, as an ordered list of
 * operations. Pure. The order is the safety: silence before any VIP appears, a VIP gone before
 * its silence ends.
 */
#pragma once

#include "agent/host/host.h"
#include "common/why.h"

enum plan_op_type {
	PLAN_SET_ARP,        /* ifindex: arp_ignore, arp_announce to these values */
	PLAN_RESTORE_ARP,    /* the same, back to what was found; afterwards it is ours no longer */
	PLAN_ADD_ADDRESS,    /* vip to ifindex, label_idx for lo:N (IPv4) */
	PLAN_REMOVE_ADDRESS, /* vip from ifindex */
	PLAN_OP_N_
};

struct plan_op {
	enum plan_op_type type;
	unsigned int ifindex;
	uint32_t arp_ignore, arp_announce;
	struct addr vip;
	unsigned int label_idx; /* 1 and up; 0: no label (IPv6 has none) */
	bool repair;            /* undoes what others did to something of ours */
	const char *why;        /* static text: "new interface", "changed by others", … */
};

struct plan {
	struct plan_op *ops;
	size_t n_ops;
	/* Set when nothing that we may do helps: the VIPs must not be announced as served. */
	struct why blocked;
};
/* Frees what the plan holds and leaves it empty. */
void plan_clear(struct plan *plan);
/* "set-arp", "restore-arp", "add", "remove": for messages. */
const char *plan_op_name(enum plan_op_type type);

/*
 * What must be done to serve: VIPs of ours that are no longer wanted go first, then ARP silence on
 * every ARP-capable interface that is not exempt (where any VIP is IPv4; else the originals come back), then missing
 * VIPs. A VIP that is there already is nobody's business, whoever added it. `undo` tells what is
 * ours; it is not changed here (apply does, before each operation). -ENOMEM.
 *
 * `blocked` is set when `all` spoils the silence or the loopback interface is unfit; VIPs that are
 * there stay then, and none is added into the noise.
 */
int plan_serve(const struct host *host, const struct host_wanted *wanted,
	const struct host_undo *undo, struct plan *ret_plan);
/* What must be done to leave: our VIPs go, then the original values where ours still stand. -ENOMEM. */
int plan_withdraw(const struct host *host, const struct host_undo *undo, struct plan *ret_plan);

/* How VIPs are looked at: all by one view, whose host and wanted must outlive it. */
struct plan_view {
	const struct host *host;
	const struct host_wanted *wanted;
	struct addr_index addresses; /* of the host */
	struct why noise; /* the first interface that would answer ARP for any IPv4 VIP; "" */
};
/* -ENOMEM. To be cleared. */
int plan_view_make(
	const struct host *host, const struct host_wanted *wanted, struct plan_view *ret_view);
void plan_view_clear(struct plan_view *view);

struct plan_verdict {
	bool present; /* on the loopback interface with full length */
	bool silent;  /* nothing on this host answers for it or announces it */
	struct why reason;
};

/*
 * Whether the host serves this VIP rightly: present on the loopback interface with full length, on
 * no interface that answers ARP, every ARP-capable interface effectively silent. The reason is
 * empty then.
 */
void plan_verify(
	const struct plan_view *view, const struct addr *vip, struct plan_verdict *ret_verdict);
