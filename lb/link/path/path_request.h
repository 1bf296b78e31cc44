/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One HTTP request over a TCP connection of our own: what a server's segments say, and what is to be done about each. It
 * asks in one segment and needs of the answer the status alone; what follows is acknowledged, so that the server
 * ends as it likes to, and not looked at. Pure.
 */
#pragma once

#include "lb/link/path/path_frame.h"

/* Bytes of an answer that are waited for; then the connection is reset. */
#define PATH_REQUEST_ANSWER_MAX 65536u
/* What is not acknowledged is sent again after so long, and then twice as long, and so on. */
#define PATH_REQUEST_AGAIN_US (200 * US_PER_MS)
#define PATH_REQUEST_LINE     12u /* "HTTP/1.1 200" */

struct path_request {
	uint64_t deadline_us, again_us;
	uint32_t secret; /* the SYN's sequence number */
	size_t request_bytes;
	uint32_t expected;     /* the server's next sequence number */
	uint32_t answer_bytes; /* until now */
	uint16_t status;       /* 0: not known yet */
	bool is_connected;     /* a SYN-ACK came */
	bool is_acknowledged;  /* the whole request arrived */
	bool is_ended;         /* by the server */
	bool is_refused;       /* by a reset, before a connection */
	bool is_not_http;
	/* Of the answer's beginning. */
	char line[PATH_REQUEST_LINE];
	uint8_t n_line;
	bool is_interim;     /* the header of a 1xx answer is passed over */
	uint8_t n_line_ends; /* of the CR LF CR LF at its end */
};

enum path_request_step {
	PATH_REQUEST_WAIT,
	PATH_REQUEST_SEND,        /* the request, which acknowledges too */
	PATH_REQUEST_ACKNOWLEDGE, /* what came */
	PATH_REQUEST_END,         /* the verdict is known */
};

/* A SYN of this sequence number goes out now. The lower half of the number has room for the request above it. */
void path_request_begin(struct path_request *request, uint32_t secret, size_t request_bytes,
	uint64_t now_us, uint64_t timeout_us);
/* A SYN-ACK, a segment or a reset that acknowledges the SYN or something of the request. */
enum path_request_step path_request_take(
	struct path_request *request, const struct path_answer *answer);
/* When to look again. */
uint64_t path_request_due_us(const struct path_request *request, uint64_t now_us);
/* Our own next sequence number, as far as the server is known to be. */
uint32_t path_request_sequence(const struct path_request *request);
/* At its end, or at its deadline. */
enum path_verdict path_request_verdict(const struct path_request *request);
