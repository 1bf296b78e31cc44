/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an administrator said of a backend's weight: one word for all virtual servers, and one for each of those that
 * were named, which goes before. What was configured is the real-server line's or the agent's. Pure.
 */
#pragma once

#include "common/proto/message.h"
#include "common/util.h"

#define WEIGHT_MAX         UINT16_MAX
#define WEIGHT_PERCENT_MAX 6553500u /* makes WEIGHT_MAX of 1 */
#define WEIGHT_NAME_BYTES  (PROTO_NAME_MAX + 1)
#define WEIGHT_TEXT_BYTES  16u
/* Virtual servers that were named, of one backend; as many as there may be. */
#define WEIGHT_NAMED_MAX 10000u

struct weight_word {
	enum { WEIGHT_CONFIGURED, WEIGHT_NUMBER, WEIGHT_PERCENT } kind;
	uint32_t number; /* 0–WEIGHT_MAX; percent of what is configured, 0–WEIGHT_PERCENT_MAX */
};

struct weight_named {
	char virtual_server[WEIGHT_NAME_BYTES];
	struct weight_word word;
};

/* Zeroed is: nothing was said. */
struct weight_words {
	struct weight_word all;
	struct weight_named *named; /* in the order of names */
	size_t n_named;
};

/* "7", "50%" or "configured"; -EINVAL: none of them, or out of range. */
int weight_parse(const char *text, struct weight_word *ret_word);
/* The same backwards; returns `buffer`. */
const char *weight_format(struct weight_word word, char buffer[WEIGHT_TEXT_BYTES]);
/*
 * `virtual_server` NULL: for all, and what was said of single ones is forgotten. -ENOSPC: WEIGHT_NAMED_MAX were named;
 * -ENOMEM.
 */
int weight_say(
	struct weight_words *words, const char *virtual_server, const struct weight_word *word);
bool weight_is_said(const struct weight_words *words);
/* What is in force in the virtual server, 0–WEIGHT_MAX; a share is rounded, but 0 only for 0 % or of 0. */
uint32_t weight_of(
	const struct weight_words *words, const char *virtual_server, uint32_t configured);
/* -ENOMEM. To be cleared. */
int weight_copy(const struct weight_words *words, struct weight_words *ret_words);
void weight_clear(struct weight_words *words);
