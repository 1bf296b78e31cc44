/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The use of keys: tags over datagrams (keyed BLAKE2b of libsodium), the stateless challenge,
 * directional session keys and the replay window. Pure: time and randomness are arguments.
 */
#pragma once

#include "common/proto/proto.h"

#define AUTH_KEY_BYTES          32u
#define AUTH_CHALLENGE_VALID_US (10 * US_PER_S)
#define AUTH_REPLAY_WINDOW      64u

/* libsodium's set-up; once, before anything else here. 0 or -EIO. */
int auth_init(void);
/* Binds whoever uses the key's session later to the very key and ID: 8 bytes that tell nothing of it. */
uint64_t auth_fingerprint(const uint8_t secret[AUTH_KEY_BYTES], const char *id);

/*
 * The key of the agent `name` under a master key: keyed BLAKE2b(master; label, name). Whoever has it
 * learns neither the master nor the key of another name.
 */
void auth_agent_derive(
	const uint8_t master[AUTH_KEY_BYTES], const char *name, uint8_t ret_key[AUTH_KEY_BYTES]);

/* Writes the tag over data[0 … size - PROTO_TAG_BYTES) into the last PROTO_TAG_BYTES. */
void auth_seal(uint8_t *data, size_t size_bytes, const uint8_t secret[AUTH_KEY_BYTES]);
/* Constant-time comparison of that tag. */
_must_check_ bool auth_open(
	const uint8_t *data, size_t size_bytes, const uint8_t secret[AUTH_KEY_BYTES]);

/*
 * nonce_balancer = time_us (8 bytes, big-endian) || keyed hash over time, source and nonce_agent (24):
 * the balancer keeps no state between CHALLENGE and REGISTER. `secret` is random per process.
 */
void auth_challenge_make(const uint8_t secret[AUTH_KEY_BYTES], const struct addr_port *source,
	const uint8_t nonce_agent[PROTO_NONCE_BYTES], uint64_t now_us,
	uint8_t ret_nonce_balancer[PROTO_NONCE_BYTES]);
/*
 * True for a nonce made by auth_challenge_make for this source and nonce_agent within the last
 * AUTH_CHALLENGE_VALID_US; `*ret_made_us` is its time, by which a replayed REGISTER is known:
 * the balancer refuses one that is not newer than the session it holds.
 */
_must_check_ bool auth_challenge_check(const uint8_t secret[AUTH_KEY_BYTES],
	const struct addr_port *source, const uint8_t nonce_agent[PROTO_NONCE_BYTES],
	const uint8_t nonce_balancer[PROTO_NONCE_BYTES], uint64_t now_us, uint64_t *ret_made_us);

struct auth_session_keys {
	uint8_t to_agent[AUTH_KEY_BYTES];
	uint8_t to_balancer[AUTH_KEY_BYTES];
};
/* Keyed BLAKE2b(pre-shared key; label, both nonces, session id), one label a direction. */
void auth_session_derive(const uint8_t secret[AUTH_KEY_BYTES],
	const uint8_t nonce_agent[PROTO_NONCE_BYTES],
	const uint8_t nonce_balancer[PROTO_NONCE_BYTES], uint64_t session_id,
	struct auth_session_keys *ret_keys);

/* RFC 6479-like window over 64 sequences. Zeroed is empty; sequence 0 is never valid. */
struct auth_replay {
	uint64_t newest;
	uint64_t seen; /* bit n: newest - n was seen */
};
/* Looks only: true if this sequence is new. Call before, auth_replay_move() after authentication. */
_must_check_ bool auth_replay_is_new(const struct auth_replay *window, uint64_t sequence);
void auth_replay_move(struct auth_replay *window, uint64_t sequence);
