/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tags, challenges, session keys and the replay window: all of it keyed BLAKE2b (RFC 7693) from
 * libsodium. Every input of a hash begins with something that no other use of the same key
 * begins with: messages with their magic "DSRP", the others with a label of their own.
 */
#include "common/proto/auth.h"

#include <sodium.h>

#define MADE_BYTES  sizeof(uint64_t)
#define PROOF_BYTES (PROTO_NONCE_BYTES - MADE_BYTES)

_Static_assert(AUTH_KEY_BYTES == crypto_generichash_KEYBYTES, "a key of BLAKE2b");
_Static_assert(PROTO_TAG_BYTES >= crypto_generichash_BYTES_MIN &&
		PROTO_TAG_BYTES <= crypto_generichash_BYTES_MAX,
	"a tag of BLAKE2b");
_Static_assert(PROOF_BYTES >= crypto_generichash_BYTES_MIN, "a proof of BLAKE2b");

/* Two uses of one secret must never hash the same bytes. */
static const char label_challenge[] = "dsr challenge 1";
static const char label_to_agent[] = "dsr session to agent 1";
static const char label_to_balancer[] = "dsr session to balancer 1";
static const char label_fingerprint[] = "dsr key fingerprint 1";
static const char label_agent[] = "dsr agent key 1";

int auth_init(void)
{
	return sodium_init() < 0 ? -EIO : 0;
}

uint64_t auth_fingerprint(const uint8_t secret[AUTH_KEY_BYTES], const char *id)
{
	uint8_t hash[crypto_generichash_BYTES_MIN];
	uint64_t fingerprint;
	crypto_generichash_state state;

	crypto_generichash_init(&state, secret, AUTH_KEY_BYTES, sizeof(hash));
	crypto_generichash_update(
		&state, (const uint8_t *)label_fingerprint, sizeof(label_fingerprint));
	crypto_generichash_update(&state, (const uint8_t *)id, strlen(id));
	crypto_generichash_final(&state, hash, sizeof(hash));
	memcpy(&fingerprint, hash, sizeof(fingerprint));
	return fingerprint;
}

void auth_agent_derive(
	const uint8_t master[AUTH_KEY_BYTES], const char *name, uint8_t ret_key[AUTH_KEY_BYTES])
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, master, AUTH_KEY_BYTES, AUTH_KEY_BYTES);
	crypto_generichash_update(&state, (const uint8_t *)label_agent, sizeof(label_agent));
	crypto_generichash_update(&state, (const uint8_t *)name, strlen(name));
	crypto_generichash_final(&state, ret_key, AUTH_KEY_BYTES);
	sodium_memzero(&state, sizeof(state));
}

void auth_seal(uint8_t *data, size_t size_bytes, const uint8_t secret[AUTH_KEY_BYTES])
{
	size_t covered = size_bytes - PROTO_TAG_BYTES;

	crypto_generichash(data + covered, PROTO_TAG_BYTES, data, covered, secret, AUTH_KEY_BYTES);
}

bool auth_open(const uint8_t *data, size_t size_bytes, const uint8_t secret[AUTH_KEY_BYTES])
{
	uint8_t tag[PROTO_TAG_BYTES];
	size_t covered;

	if (size_bytes < PROTO_TAG_BYTES)
		return false;
	covered = size_bytes - PROTO_TAG_BYTES;
	crypto_generichash(tag, sizeof(tag), data, covered, secret, AUTH_KEY_BYTES);
	return sodium_memcmp(tag, data + covered, sizeof(tag)) == 0;
}

static void put_be64(uint8_t *data, uint64_t value)
{
	for (size_t i = 0; i < sizeof(value); i++)
		data[i] = (uint8_t)(value >> (8 * (sizeof(value) - 1 - i)));
}

static uint64_t get_be64(const uint8_t *data)
{
	uint64_t value = 0;

	for (size_t i = 0; i < sizeof(value); i++)
		value = value << 8 | data[i];
	return value;
}

void auth_challenge_make(const uint8_t secret[AUTH_KEY_BYTES], const struct addr_port *source,
	const uint8_t nonce_agent[PROTO_NONCE_BYTES], uint64_t now_us,
	uint8_t ret_nonce_balancer[PROTO_NONCE_BYTES])
{
	/* Every field has a fixed size, so no two sources share an input. */
	const uint8_t endpoint[] = { source->addr.family == AF_INET ? 4 : 6,
		(uint8_t)(source->port >> 8), (uint8_t)source->port };
	crypto_generichash_state state;

	put_be64(ret_nonce_balancer, now_us);
	crypto_generichash_init(&state, secret, AUTH_KEY_BYTES, PROOF_BYTES);
	crypto_generichash_update(
		&state, (const uint8_t *)label_challenge, sizeof(label_challenge));
	crypto_generichash_update(&state, ret_nonce_balancer, MADE_BYTES);
	crypto_generichash_update(&state, endpoint, sizeof(endpoint));
	crypto_generichash_update(&state, source->addr.bytes, sizeof(source->addr.bytes));
	crypto_generichash_update(&state, nonce_agent, PROTO_NONCE_BYTES);
	crypto_generichash_final(&state, ret_nonce_balancer + MADE_BYTES, PROOF_BYTES);
}

bool auth_challenge_check(const uint8_t secret[AUTH_KEY_BYTES], const struct addr_port *source,
	const uint8_t nonce_agent[PROTO_NONCE_BYTES],
	const uint8_t nonce_balancer[PROTO_NONCE_BYTES], uint64_t now_us, uint64_t *ret_made_us)
{
	uint64_t made_us = get_be64(nonce_balancer);
	uint8_t expected[PROTO_NONCE_BYTES];

	if (made_us > now_us || now_us - made_us > AUTH_CHALLENGE_VALID_US)
		return false;
	auth_challenge_make(secret, source, nonce_agent, made_us, expected);
	if (sodium_memcmp(expected, nonce_balancer, sizeof(expected)) != 0)
		return false;
	*ret_made_us = made_us;
	return true;
}

static void derive(const uint8_t secret[AUTH_KEY_BYTES], const char *label, size_t label_size,
	const uint8_t *nonce_agent, const uint8_t *nonce_balancer, uint64_t session_id,
	uint8_t ret_key[AUTH_KEY_BYTES])
{
	crypto_generichash_state state;
	uint8_t id[sizeof(session_id)];

	put_be64(id, session_id);
	crypto_generichash_init(&state, secret, AUTH_KEY_BYTES, AUTH_KEY_BYTES);
	crypto_generichash_update(&state, (const uint8_t *)label, label_size);
	crypto_generichash_update(&state, nonce_agent, PROTO_NONCE_BYTES);
	crypto_generichash_update(&state, nonce_balancer, PROTO_NONCE_BYTES);
	crypto_generichash_update(&state, id, sizeof(id));
	crypto_generichash_final(&state, ret_key, AUTH_KEY_BYTES);
	sodium_memzero(&state, sizeof(state));
}

void auth_session_derive(const uint8_t secret[AUTH_KEY_BYTES],
	const uint8_t nonce_agent[PROTO_NONCE_BYTES],
	const uint8_t nonce_balancer[PROTO_NONCE_BYTES], uint64_t session_id,
	struct auth_session_keys *ret_keys)
{
	derive(secret, label_to_agent, sizeof(label_to_agent), nonce_agent, nonce_balancer,
		session_id, ret_keys->to_agent);
	derive(secret, label_to_balancer, sizeof(label_to_balancer), nonce_agent, nonce_balancer,
		session_id, ret_keys->to_balancer);
}

bool auth_replay_is_new(const struct auth_replay *window, uint64_t sequence)
{
	uint64_t age;

	if (sequence == 0)
		return false;
	if (sequence > window->newest)
		return true;
	age = window->newest - sequence;
	return age < AUTH_REPLAY_WINDOW && !(window->seen & UINT64_C(1) << age);
}

void auth_replay_move(struct auth_replay *window, uint64_t sequence)
{
	uint64_t distance;

	if (!auth_replay_is_new(window, sequence))
		return;
	if (sequence <= window->newest) {
		window->seen |= UINT64_C(1) << (window->newest - sequence);
		return;
	}
	distance = sequence - window->newest;
	window->seen = distance < AUTH_REPLAY_WINDOW ? window->seen << distance : 0;
	window->seen |= 1;
	window->newest = sequence;
}
