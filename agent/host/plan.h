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

/*
 * What somebody undoes each time it is repaired: a program writes a setting back, or deletes a VIP again.
 * Changes by others are mended without a word to balancers, however many there are at once. One thing
 * that had to be mended PLAN_FIGHT_TIMES, over PLAN_FIGHT_LEAST_US or more, we cannot mend.
 */
#define PLAN_FIGHTS_MAX     256u
#define PLAN_FIGHT_TIMES    3u
#define PLAN_FIGHT_LEAST_US (1 * US_PER_S)
#define PLAN_FIGHT_STEP_US  (200 * US_PER_MS) /* repairs that follow sooner are one */
#define PLAN_FIGHT_GAP_US   (5 * US_PER_S) /* those that are further apart have nothing in common */
/* What stands for so long stays. More than the gap, so that nobody comes and goes in a fight. */
#define PLAN_FIGHT_PEACE_US (10 * US_PER_S)

struct plan_fight {
	enum plan_op_type type; /* PLAN_SET_ARP or PLAN_ADD_ADDRESS */
	unsigned int ifindex;
	struct addr vip;
	uint32_t arp_ignore, arp_announce; /* effective, as they were found */
	unsigned int n_repairs;
	uint64_t since_us, last_us;
	bool is_on;
};

/* All zeros: peace. */
struct plan_fights {
	struct plan_fight items[PLAN_FIGHTS_MAX]; /* what finds no room is not noted */
	size_t len;
};

/* What a plan repairs, of the host as it was found. A setting that `all` makes up for is nobody's loss. */
void plan_fights_note(struct plan_fights *fights, const struct host *host, const struct plan *plan,
	uint64_t now_us);
/* "" or what somebody undoes each time, in words that stay the same for as long as he does. */
void plan_fights_judge(struct plan_fights *fights, const struct host *host, uint64_t now_us,
	struct why *ret_reason);
