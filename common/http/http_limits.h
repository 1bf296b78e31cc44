/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What strangers can have of the HTTP surface. Header only. */
#pragma once

#include "common/util.h"

/* Connections at the same time: of http-listen, and as many of the control socket. */
#define HTTP_CLIENTS_MAX 64u
/* Answers that go on (http_stream), of both. */
#define HTTP_STREAMS_MAX 16u
/* Request line and headers; more: 431. */
#define HTTP_HEADER_MAX_BYTES 8192u
/*
 * A request must be complete this long after the connection came or its last answer ended; and who takes nothing of an
 * answer for so long is closed.
 */
#define HTTP_IDLE_US (10 * US_PER_S)
/* A whole answer must be taken by then. */
#define HTTP_ANSWER_US (30 * US_PER_S)
/*
 * When all places are taken, a new client has that of the one that has been without a request the longest, if it is for
 * this long; else of the one that takes its answer the slowest, if it is for that long; else it is refused (503).
 */
#define HTTP_PATIENCE_US        US_PER_S
#define HTTP_ANSWER_PATIENCE_US (5 * US_PER_S)
/* Of answers that are made and not taken; those who share one have it once. More: 503. */
#define HTTP_UNREAD_MAX_BYTES ((size_t)32 << 20)
/* A stream that has nothing to say says so, which shows whether anybody hears it. */
#define HTTP_STREAM_SIGN_US (15 * US_PER_S)
