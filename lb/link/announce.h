/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Announces the VIPs on the client interface while the balancer is active: answers ARP requests
 * (RFC 826) and neighbour solicitations (RFC 4861) for them, sends gratuitous ARP (RFC 5227 §3)
 * and unsolicited neighbour advertisements at the start and periodically. A VIP that anybody else
 * claims is announced again at once (as RFC 5227 §2.4 (c) defends an address), and the claim is named. Whoever has a
 * VIP is also asked, for most answers are sent to a router alone. Raw packet sockets under sd-event; frames are built and parsed by
 * pure functions, fuzzed.
 */
#pragma once

#include <systemd/sd-event.h>

#include "common/addr.h"

#define ANNOUNCE_BATCH     256u /* frames sent, and frames read, in one turn of the loop */
#define ANNOUNCE_DEFEND_US (20 * US_PER_MS) /* between answers to claims of a VIP */

struct announce;
struct claims;

struct announce_config {
	unsigned int ifindex;
	struct mac mac;
	const struct addr *vips;
	size_t n_vips;
	uint64_t refresh_us; /* 0: never again after the start */
	struct addr own6;    /* own IPv6 address on the link, to ask from; AF_UNSPEC: none */
};

struct announce_callbacks {
	/* Somebody else claims the VIP: to be told of, see claims_add(). */
	void (*claimed)(const struct addr *vip, const struct mac *mac, void *context);
};

int announce_start(sd_event *event, const struct announce_callbacks *callbacks, void *context,
	struct announce **ret_announce);
struct announce *announce_free(struct announce *announce);
DEFINE_CLEANUP(struct announce *, announce_free)
/*
 * Announces exactly these VIPs from now on (copied): new ones gratuitously at once and twice
 * more a second apart; n_vips 0: silence. Reopens its sockets when the interface changed.
 */
int announce_set(struct announce *announce, const struct announce_config *config);
/* Answers given, frames sent unasked; for tests. */
struct announce_counters {
	uint64_t answered, sent;
};
void announce_counters(const struct announce *announce, struct announce_counters *ret_counters);
/* Who else claims VIPs that are announced; changes with the next event. */
const struct claims *announce_claims(const struct announce *announce);
