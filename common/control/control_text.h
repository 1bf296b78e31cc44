/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An answer of the control socket as bytes that do not change, shared by all who get the same one. Pure.
 */
#pragma once

#include <jansson.h>

#include "common/util.h"

/* Whose unread answers are counted together. */
enum control_peer {
	CONTROL_PEER_GUEST,
	CONTROL_PEER_OWN, /* root and the service's own user */
	CONTROL_PEER_HTTP,
	CONTROL_PEER_N_
};

struct control_text;

/* With one reference. Steals `bytes` (malloc), also on an error. NULL: out of memory. */
struct control_text *control_text_new(char *bytes, size_t size_bytes);
/* A line of JSON: the status, and `result` (stolen; NULL: none) or words for what is wrong. NULL: out of memory. */
struct control_text *control_text_result(int status, json_t *result);
struct control_text *control_text_error(int status, const char *words);
/* NULL is legal, and gives NULL. */
struct control_text *control_text_ref(struct control_text *text);
struct control_text *control_text_unref(struct control_text *text);
/* Borrowed. NULL: none, of size 0. */
const char *control_text_bytes(const struct control_text *text, size_t *ret_size_bytes);
/*
 * One more of these reads it: the bytes that are held for them now and were not before. A reference is
 * the caller's affair.
 */
size_t control_text_enter(struct control_text *text, enum control_peer peer);
/* One less, and its reference is dropped: the bytes that are held for these no more. NULL: 0. */
size_t control_text_leave(struct control_text *text, enum control_peer peer);
