/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One HELLO and the CHALLENGEs to it that were answered. A CHALLENGE has no tag: who sees the nonce of a HELLO can
 * forge one, and be there first. So the agent answers several, and which was the balancer's its ACCEPT tells.
 * For register.c. Pure.
 */
#pragma once

#include "common/proto/message.h"

#define HELLO_ANSWERS_MAX 4u /* CHALLENGEs to one HELLO that are answered */

/* Zeroed: nothing was asked. */
struct hello {
	unsigned int version;
	uint8_t nonce[PROTO_NONCE_BYTES];
	uint8_t answers[HELLO_ANSWERS_MAX][PROTO_NONCE_BYTES]; /* the nonces of the balancer */
	size_t n_answers;
	uint64_t accepted; /* sequence of the newest ACCEPT; 0: none yet */
};

/* A new one, with a nonce that was never used; what answered the former one is forgotten. */
void hello_begin(struct hello *hello, unsigned int version, const uint8_t nonce[PROTO_NONCE_BYTES]);
/* Whatever answers it now comes too late. */
void hello_end(struct hello *hello);
/* Whether this CHALLENGE is to be answered, and then it counts as such: not one that was, nor one too many. */
bool hello_answer(struct hello *hello, const struct proto_challenge *challenge);
/* Whether a verdict is about one of the answers. */
bool hello_is_answered(const struct hello *hello, const uint8_t agent[PROTO_NONCE_BYTES],
	const uint8_t balancer[PROTO_NONCE_BYTES]);
/*
 * An authentic ACCEPT of one of the answers. False: a newer one was there first, and this one's session is over. A
 * HELLO that somebody sends again gets two true CHALLENGEs, and the balancer keeps the session that it opened last.
 */
bool hello_accept(struct hello *hello, const struct proto_accept *accept);
