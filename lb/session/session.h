/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The balancer's control plane: datagrams -> proto, auth -> registry, and the answers back.
 * Owns the sessions with agents (keys, replay windows, echo windows), the rate limits and the
 * counters of refused messages. The socket, the clock and the log are the caller's: bytes and
 * times come in, datagrams go out through a callback. Decides nothing about backends: that is
 * the registry. doc/protocol.md is the specification.
 *
 * The order of checks is: hop limit, header; of a handshake: rate, fields, key, challenge, tag,
 * policy; of a session's message: session, source, fields, replay, echo, rate, tag, policy. So
 * nothing costs cryptography before it was paid for, nothing moves a window before it was
 * authenticated, and only who holds a key ever learns of a refusal.
 */
#pragma once

#include "common/proto/keyring.h"
#include "lb/registry/registry.h"
#include "lb/session/session_entry.h"
#include "lb/session/session_others.h"
#include "lb/session/session_random.h"
#include "lb/session/session_refusals.h"

#define SESSION_REASON_BYTES 32u
/* Packets a second and burst: handshakes of one source; messages of one session. */
#define SESSION_HANDSHAKE_RATE  10u
#define SESSION_HANDSHAKE_BURST 20u
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
	 * of one of its own. Both may be NULL.
	 */
	bool (*table)(void *context, struct proto_table *ret_table);
	void (*told)(void *context, const struct addr *other, const struct proto_table *table);
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

struct sessions;

/* The registry and the calls' context must outlive the sessions. NULL: out of memory. */
struct sessions *session_new(const struct session_config *config, struct registry *registry,
	const struct session_calls *calls);
struct sessions *session_free(struct sessions *sessions); /* wipes the keys */
DEFINE_CLEANUP(struct sessions *, session_free)

/*
 * Takes the key ring (ownership) and the timing of a reload. Sessions whose key is gone or
 * changed end: their agents register anew, and are refused. Must be called once before the rest.
 */
void session_configure(
	struct sessions *sessions, struct keyring *ring, uint32_t interval_us, uint8_t multiplier);

/* One datagram, as it arrived. */
struct session_arrival {
	struct session_path path;
	int hop_limit;      /* TTL or hop limit; negative: unknown, and refused */
	bool mac_is_source; /* of a REGISTER: its frame came from the MAC that it says */
	const void *data;
	size_t size_bytes;
};

/* Any bytes. Sends at most one answer, before it returns; drain the registry's actions afterwards. */
enum session_refusal session_receive(
	struct sessions *sessions, const struct session_arrival *arrived, uint64_t now_us);

/* Sends a heartbeat to a backend (REGISTRY_HEARTBEAT). -ENOENT: it has no session; or as `send`. */
int session_heartbeat(struct sessions *sessions, uint16_t backend, uint64_t now_us);
/* The backend is gone (REGISTRY_FORGOTTEN). */
void session_forget(struct sessions *sessions, uint16_t backend);

const struct session_counters *session_counters(const struct sessions *sessions);
/* Who was refused lately; expired ones go first. */
const struct session_refusals *session_refused(struct sessions *sessions, uint64_t now_us);
/* The other balancers that agents named lately. Borrowed. */
struct session_others *session_others(struct sessions *sessions, uint64_t now_us);
size_t session_len(const struct sessions *sessions);
/* Whether an agent reaches this balancer at that address. */
bool session_is_local(const struct sessions *sessions, const struct addr *address);

/* What survives a restart (session_entry.h). */
/* -ENOENT: the backend has no session. Wipe the copy after use. */
int session_export(
	const struct sessions *sessions, uint16_t backend, struct session_kept *ret_kept);
/*
 * Puts one back; after session_configure(). -EINVAL: a field is out of range, or the backend or
 * the session id is taken; -EKEYREVOKED: the key is gone or changed; -ENOSPC.
 */
int session_import(struct sessions *sessions, const struct session_kept *kept, uint64_t now_us);
