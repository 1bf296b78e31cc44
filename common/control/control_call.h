/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The client's side of the control socket. */
#pragma once

#include <jansson.h>
#include <poll.h>

#include "common/util.h"

#define CONTROL_LINE_MAX   (1u << 20)   /* bytes of a line of a stream */
#define CONTROL_ANSWER_MAX (256u << 20) /* bytes of an answer that the client side accepts */

/*
 * Client side, blocking. Steals `args` (NULL: none). On an answer returns its status (0–255) and
 * sets `*ret_result` (may be NULL) and `*ret_error` ("" or text, to free); -ECONNREFUSED or -ENOENT:
 * nobody serves DIR; -EACCES: not in the group; -ETIMEDOUT after `timeout_us` (0: wait for ever);
 * -ECONNRESET: hung up without an answer; -EPROTO: the answer is none; -EMSGSIZE: it is longer than
 * CONTROL_ANSWER_MAX.
 */
int control_call(const char *directory, const char *verb, json_t *args, uint64_t timeout_us,
	json_t **ret_result, char **ret_error);

/* What else is waited for while nothing comes; a negative descriptor is none. */
struct control_watch {
	struct pollfd fds[2];
};

/* A line of the stream, borrowed. False: enough. */
typedef bool control_line_fn(json_t *line, void *context);

/*
 * The same for an answer that goes on: `fn` gets each of its lines. Returns the status of an answer that ends it, with
 * `*ret_error`; 0: `fn` had enough; -ECANCELED: something was seen of what else is watched; -ECONNRESET: the daemon hung
 * up; else as control_call().
 */
int control_follow(const char *directory, const char *verb, json_t *args,
	const struct control_watch *watch, control_line_fn *fn, void *context, char **ret_error);
