/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keys and their use: the key file, tags over datagrams (keyed BLAKE2b of libsodium), the
 * stateless challenge, directional session keys and the replay window. Pure but for
 * auth_keyring_load(): time and randomness are arguments.
 */
#pragma once

#include "common/proto/proto.h"
#include "common/why.h"

#define AUTH_KEY_BYTES          32u
#define AUTH_KEYS_MAX           64u
#define AUTH_KEY_VIPS_MAX       64u
#define AUTH_FILE_MAX_BYTES     65536u
#define AUTH_CHALLENGE_VALID_US (10 * US_PER_S)
#define AUTH_REPLAY_WINDOW      64u

struct auth_key {
	char id[PROTO_KEY_ID_MAX + 1];
	uint8_t secret[AUTH_KEY_BYTES];
	/* Bindings of a balancer's line; empty or 0: free. */
	char agent[PROTO_NAME_MAX + 1];
	struct addr_prefix vips[AUTH_KEY_VIPS_MAX];
	size_t n_vips;
	uint32_t max_weight;
};

struct auth_keyring {
	struct auth_key keys[AUTH_KEYS_MAX];
	size_t n_keys;
};

/*
 * Reads a key file: a regular file (a symbolic link is judged by its target) that nobody but its
 * owner and we may read or write, owned by us or root. `with_bindings`: a balancer's file.
 * On error writes "path[:line]: what; mend" into `ret_why` and returns -EINVAL, -EACCES (mode or
 * owner) or the errno of open. At least one key is required. Free with auth_keyring_free (wipes).
 */
int auth_keyring_load(
	const char *path, bool with_bindings, struct auth_keyring **ret_ring, struct why *ret_why);
/* The same on text in memory (fuzzed); `name` stands for the file. */
int auth_keyring_parse(const char *name, const char *text, size_t size_bytes, bool with_bindings,
	struct auth_keyring **ret_ring, struct why *ret_why);
struct auth_keyring *auth_keyring_free(struct auth_keyring *ring);
DEFINE_CLEANUP(struct auth_keyring *, auth_keyring_free)
const struct auth_key *auth_keyring_find(const struct auth_keyring *ring, const char *id);
/* Whether the key may be used for this name, all these VIPs and this weight; else `ret_why` says. */
bool auth_key_allows(const struct auth_key *key, const char *name, const struct addr *vips,
	size_t n_vips, uint32_t weight, struct why *ret_why);

/* libsodium's set-up; once, before anything else here. 0 or -EIO. */
int auth_init(void);
/* A line for a key file with a random key: "ID hex:…". `id` NULL: a random one. */
int auth_keygen(const char *id, char *buffer, size_t size_bytes);

/* Binds whoever uses the key's session later to the very key: 8 bytes that tell nothing of it. */
uint64_t auth_key_fingerprint(const struct auth_key *key);

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
