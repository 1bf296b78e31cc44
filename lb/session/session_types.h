/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a balancer's control plane is given, its limits and its counters: types alone. */
#pragma once

#include "lb/session/session_entry.h"
#include "lb/session/session_others.h"
#include "lb/session/session_random.h"
#include "lb/session/session_refusals.h"

#define SESSION_REASON_BYTES 32u
/* Packets a second and burst: handshakes of one source; messages of one session. */
#define SESSION_HANDSHAKE_RATE  10u
#define SESSION_HANDSHAKE_BURST 20u
/* Of PARTs: a registration has 16, and is said again after 200 ms. */
#define SESSION_PART_RATE  100u
#define SESSION_PART_BURST 100u
/* HELLOs above their source's rate from addresses with a session share so many. */
#define SESSION_KNOWN_RATE    1000u
#define SESSION_KNOWN_BURST   1000u
#define SESSION_MESSAGE_RATE  500u
#define SESSION_MESSAGE_BURST 500u
#define SESSION_LEFT_US       (5 * US_PER_S) /* a repeated LEAVE is acknowledged so long */

struct session_counters {
	uint64_t received; /* = accepted + all of rejected, exactly */
	uint64_t accepted;
	uint64_t rejected[SESSION_REFUSAL_N_]; /* [SESSION_ACCEPTED] stays 0 */
};

struct session_calls {
	/*
	 * Sends one datagram with hop limit 255. 0 or negative errno; only heartbeats' matter, the rest the
	 * protocol repeats.
	 */
	int (*send)(void *context, const struct session_path *path, const uint8_t *data,
		size_t size_bytes);
	/*
	 * A message was refused, for the log (see log_limit_is_due()); `words` say how to mend it, or are "".
	 * May be NULL.
	 */
	void (*refused)(void *context, const struct addr_port *source, enum session_refusal refusal,
		const char *words);
	/* Whose MAC this is, in words, if no agent can have it; NULL: nobody's. May be NULL. */
	const char *(*mac_owner)(void *context, const struct mac *mac);
	/*
	 * The next of our tables to tell other balancers, in turns; false: none now. And what another balancer says
	 * of one of its own, as this backend's agent tells. Both may be NULL.
	 */
	bool (*table)(void *context, struct proto_table *ret_table);
	void (*told)(void *context, uint16_t backend, const struct addr *other,
		const struct proto_table *table);
	/* Where this balancer is for whoever has this path; left alone: not known. May be NULL. */
	void (*place)(
		void *context, const struct session_path *path, struct proto_place *ret_place);
	void *context;
};

struct session_config {
	uint8_t seed[SESSION_SEED_BYTES]; /* random, new in each process */
	uint64_t boot_id;                 /* random; kept as long as the backends are */
	uint32_t interval_us;             /* heartbeat-interval */
	uint8_t multiplier;               /* heartbeat-fall */
	char name[PROTO_NAME_MAX + 1];    /* of this balancer, for its agents; "": none */
};
