/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One session with an agent: what is known of it, and what of that survives a restart. Types alone. */
#pragma once

#include "common/proto/auth.h"
#include "common/proto/proto.h"
#include "lb/registry/backend/backend.h"
#include "lb/session/session_limit.h"

#define SESSION_LEN_MAX     REGISTRY_BACKENDS_MAX
#define SESSION_ECHO_WINDOW 16u /* newest heartbeats of which an echo counts */

/* From whom to whom; heartbeats go from `local` (AF_UNSPEC: as the kernel chooses) to `remote`. */
struct session_path {
	struct addr_port remote;
	struct addr local; /* the address that the datagram was sent to */
};

/*
 * What survives a restart, for the caller to keep where only it and root can read. `sequence`
 * need not be current when heartbeats follow a monotonic clock that goes on.
 */
struct session_kept {
	uint16_t backend;
	uint64_t session_id;
	struct session_path path;
	struct auth_session_keys keys;
	struct auth_replay replay;
	uint64_t sequence; /* newest heartbeat */
	char key_id[PROTO_KEY_ID_MAX + 1];
	uint64_t key_fingerprint;
	uint32_t weight_max; /* of the key's binding; 0: free */
	uint16_t n_vips;
	uint8_t version; /* of the protocol: that of its REGISTER */
};
struct session_sent {
	uint64_t sequence;
	uint64_t sent_us;
	bool answered;
};

struct session_entry {
	bool used;
	bool ended; /* kept for SESSION_LEFT_US after its end */
	uint64_t ended_us;
	struct session_kept kept;
	uint8_t nonce_agent[PROTO_NONCE_BYTES];
	uint8_t nonce_balancer[PROTO_NONCE_BYTES];
	struct session_sent sent[SESSION_ECHO_WINDOW]; /* heartbeats, a ring; sequence 0: none */
	size_t sent_next;
	struct session_limit_bucket messages, handshakes[SESSION_LIMIT_KIND_N_];
	bool wants_peers;         /* it passes on: see session_peers.h */
	uint64_t peers_heard;     /* the newest change that it knows */
	uint16_t next_of_address; /* slot + 1; 0: the last */
};
