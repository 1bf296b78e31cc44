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
#include "lb/session/session_types.h"

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
/* Grows with each session that is opened or ends, one that takes another's place too: what is kept of them is out of date. */
uint64_t session_changes(const struct sessions *sessions);
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
