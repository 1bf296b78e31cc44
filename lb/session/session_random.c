/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See session_random.h. */
#include "lb/session/session_random.h"

#include <sodium.h>

void session_random_draw(const struct session_random *random, const char *label, uint64_t number,
	void *ret_data, size_t size_bytes)
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, random->seed, SESSION_SEED_BYTES, size_bytes);
	crypto_generichash_update(&state, (const uint8_t *)label, strlen(label) + 1);
	crypto_generichash_update(&state, (const uint8_t *)&number, sizeof(number));
	crypto_generichash_final(&state, ret_data, size_bytes);
}

uint64_t session_random_u64(struct session_random *random, const char *label)
{
	uint64_t values[crypto_generichash_BYTES_MIN / sizeof(uint64_t)];

	session_random_draw(random, label, random->n_drawn++, values, sizeof(values));
	return values[0];
}

static void session_random_secret(
	const struct session_random *random, uint64_t period, uint8_t ret_secret[AUTH_KEY_BYTES])
{
	session_random_draw(random, "dsr challenge secret", period, ret_secret, AUTH_KEY_BYTES);
}

void session_random_challenge(
	const struct session_random *random, uint64_t now_us, uint8_t ret_secret[AUTH_KEY_BYTES])
{
	session_random_secret(random, now_us / SESSION_SECRET_US, ret_secret);
}

/* A challenge lives shorter than a secret: it is of this period or of the one before. */
bool session_random_made(const struct session_random *random, const struct addr_port *source,
	const uint8_t nonce_agent[PROTO_NONCE_BYTES],
	const uint8_t nonce_balancer[PROTO_NONCE_BYTES], uint64_t now_us, uint64_t *ret_made_us)
{
	uint64_t period = now_us / SESSION_SECRET_US;
	uint8_t secret[AUTH_KEY_BYTES];

	_Static_assert(AUTH_CHALLENGE_VALID_US < SESSION_SECRET_US, "two periods suffice");
	for (unsigned int back = 0; back <= 1 && back <= period; back++) {
		session_random_secret(random, period - back, secret);
		if (auth_challenge_check(
			    secret, source, nonce_agent, nonce_balancer, now_us, ret_made_us))
			return true;
	}
	return false;
}
