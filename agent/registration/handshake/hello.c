/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A few nonces: see hello.h. */
#include "agent/registration/handshake/hello.h"

static bool is_same(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, PROTO_NONCE_BYTES) == 0;
}

static size_t find(const struct hello *hello, const uint8_t *balancer)
{
	size_t i = 0;

	while (i < hello->n_answers && !is_same(hello->answers[i], balancer))
		i++;
	return i;
}

void hello_begin(struct hello *hello, unsigned int version, const uint8_t nonce[PROTO_NONCE_BYTES])
{
	*hello = (struct hello){ .version = version };
	memcpy(hello->nonce, nonce, PROTO_NONCE_BYTES);
}

void hello_end(struct hello *hello)
{
	hello->n_answers = 0;
}

bool hello_answer(struct hello *hello, const struct proto_challenge *challenge)
{
	if (find(hello, challenge->nonce_balancer) < hello->n_answers ||
		hello->n_answers == HELLO_ANSWERS_MAX)
		return false;
	memcpy(hello->answers[hello->n_answers++], challenge->nonce_balancer, PROTO_NONCE_BYTES);
	return true;
}

bool hello_is_answered(const struct hello *hello, const uint8_t agent[PROTO_NONCE_BYTES],
	const uint8_t balancer[PROTO_NONCE_BYTES])
{
	return is_same(hello->nonce, agent) && find(hello, balancer) < hello->n_answers;
}

bool hello_accept(struct hello *hello, const struct proto_accept *accept)
{
	size_t i = find(hello, accept->nonce_balancer);

	if (i == hello->n_answers || accept->sequence <= hello->accepted)
		return false;
	hello->accepted = accept->sequence;
	/* The same session is not opened twice. */
	hello->n_answers--;
	memmove(hello->answers[i], hello->answers[hello->n_answers], PROTO_NONCE_BYTES);
	return true;
}
