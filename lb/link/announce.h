/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Announces the VIPs on the client interface while the balancer is active: answers ARP requests
 * (RFC 826) and neighbour solicitations (RFC 4861) for them, sends gratuitous ARP (RFC 5227 §3)
 * and unsolicited neighbour advertisements at the start and periodically. A VIP that anybody else
 * claims is announced again at once (as RFC 5227 §2.4 (c) defends an address), and the claim is named. Whoever has a
 * VIP is also asked, for most answers are sent to a router alone. A VIP that a reload adds is asked for first, and held
 * back while somebody has it (lb/link/vip_probe.h). Raw packet sockets under sd-event; frames are built and parsed by
 * pure functions, fuzzed.
 */
#pragma once

#include <systemd/sd-event.h>

#include "common/addr.h"

#define ANNOUNCE_BATCH     256u /* frames sent, and frames read, in one turn of the loop */
#define ANNOUNCE_DEFEND_US (20 * US_PER_MS) /* between answers to claims of a VIP */

struct announce;
struct claims;
struct vip_probe_set;

struct announce_config {
	unsigned int ifindex;
	struct mac mac;
	const struct addr *vips;
	size_t n_vips;
	uint64_t refresh_us; /* 0: never again after the start */
	struct addr own6;    /* own IPv6 address on the link, to ask from; AF_UNSPEC: none */
	struct addr
		probe6; /* as own6, for VIPs that are new: those of IPv6 are not asked for without */
	bool asks_first; /* VIPs that were not in the last list are asked for first */
	bool is_cut;     /* nothing arrives by the link: silence means nothing */
};

/* May not call announce_set(). All but the first two are for new VIPs alone. */
struct announce_callbacks {
	/* Somebody else claims the VIP: to be told of, see claims_add(). */
	void (*claimed)(const struct addr *vip, const struct mac *mac, void *context);
	/* Whether a backend has this MAC: its claim is told of whoever else claims. NULL: there are none. */
	bool (*is_backend)(const struct mac *mac, void *context);
	/* Whether our own host has the VIP, so that its kernel answers for it whatever is done here. */
	bool (*is_own)(const struct addr *vip, void *context);
	/* Whether a backend that serves the VIP is at this MAC: it is out for its answer, and holds nothing back. */
	bool (*serves)(const struct addr *vip, const struct mac *mac, void *context);
	/* The VIP is held back, since `mac` has it; NULL: it is announced now. */
	void (*held)(const struct addr *vip, const struct mac *mac, void *context);
};

int announce_start(sd_event *event, const struct announce_callbacks *callbacks, void *context,
	struct announce **ret_announce);
struct announce *announce_free(struct announce *announce);
DEFINE_CLEANUP(struct announce *, announce_free)
/*
 * Announces exactly these VIPs from now on (copied): new ones gratuitously at once, or when nobody else has them, and twice
 * more a second apart; n_vips 0: silence. What is known of claims of others goes. Those that are held back, or asked for, when
 * all fall silent are asked for first when they come again. Reopens its sockets when the interface changed.
 */
int announce_set(struct announce *announce, const struct announce_config *config);
/* Answers given, frames sent unasked, questions about new VIPs; for tests. */
struct announce_counters {
	uint64_t answered, sent, asked;
};
void announce_counters(const struct announce *announce, struct announce_counters *ret_counters);
/* Who else claims VIPs of ours; changes with the next event. */
const struct claims *announce_claims(const struct announce *announce);
/* Who has the VIP, for which it is held back; NULL: it is not. Borrowed until the next event. */
const struct mac *announce_holder(const struct announce *announce, const struct addr *vip);
/* Who asked for a VIP, as a router does before it sends there; probes of those who would have it themselves do not count. */
struct announce_asked {
	uint64_t since_us; /* CLOCK_MONOTONIC: announced since then */
	uint64_t asked_us; /* the last question; 0: none */
	struct addr asker; /* whose; the frame may be forged */
};
/* NULL: it is not announced now. Borrowed until the next event. */
const struct announce_asked *announce_asked(
	const struct announce *announce, const struct addr *vip);
/* VIPs that are held back, or were when all fell silent; to clear. 0 or -ENOMEM. */
int announce_list_held(const struct announce *announce, struct vip_probe_set *ret_set);
/* This one is asked for first when it is set for the first time: after a restart. 0 or -ENOMEM. */
int announce_expect_held(struct announce *announce, const struct addr *vip);
