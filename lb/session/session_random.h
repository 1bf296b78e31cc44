/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Randomness of the sessions, all of it from one seed of the process. For session.c. Pure. */
#pragma once

#include "common/proto/auth.h"
#include "common/proto/message.h"

#define SESSION_SEED_BYTES 32u
#define SESSION_SECRET_US  (60 * US_PER_S) /* a challenge secret is used so long */

struct session_random {
	uint8_t seed[SESSION_SEED_BYTES];
	uint64_t n_drawn; /* numbers, so far */
};

/* The same bytes for the same label and number. */
void session_random_draw(const struct session_random *random, const char *label, uint64_t number,
	void *ret_data, size_t size_bytes);
/* Another number each time. */
uint64_t session_random_u64(struct session_random *random, const char *label);
/* The challenge secret of a moment; it changes by itself, and no state is kept for it. */
void session_random_challenge(
	const struct session_random *random, uint64_t now_us, uint8_t ret_secret[AUTH_KEY_BYTES]);
/* Whether a challenge that is answered was made here, for that source, and not too long ago; and when. */
bool session_random_made(const struct session_random *random, const struct addr_port *source,
	const uint8_t nonce_agent[PROTO_NONCE_BYTES],
	const uint8_t nonce_balancer[PROTO_NONCE_BYTES], uint64_t now_us, uint64_t *ret_made_us);
