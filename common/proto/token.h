/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An invitation for one agent as one word: its key, its balancers and its VIPs, with a checksum against
 * slips of copying. It is a secret, as the key in it. Pure.
 */
#pragma once

#include "common/proto/keyring.h"

#define TOKEN_BALANCERS_MAX 16u
#define TOKEN_BYTES         1536u /* of the longest word, with its end */

struct token {
	struct keyring_key key; /* its ID, name and secret; the rest is not in a token */
	struct addr_port balancers[TOKEN_BALANCERS_MAX]; /* 1 or more, all with a port */
	size_t n_balancers;
	struct addr vips[PROTO_VIPS_WHOLE]; /* 1 or more; an agent of more is configured by hand */
	size_t n_vips;
};

/* 0; -EINVAL: a field is not legal, no balancer or no VIP is there. */
int token_format(const struct token *token, char ret_text[TOKEN_BYTES]);
/*
 * Reads exactly what token_format() writes, and nothing else. 0; -EINVAL with what is wrong and the mend. To
 * be wiped by the caller with keyring_key_wipe() of its key.
 */
int token_parse(const char *text, struct token *ret_token, struct why *ret_why);
