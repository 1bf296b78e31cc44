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
 * When all places are taken, a new client has one of the address that has the most of them, itself counted: of those
 * that are without a request the one that is the longest. One that is being answered goes only where its address has
 * more places than the newcomer's would; or when it has taken so long and is of the newcomer's own. Else: 503.
 */
#define HTTP_ANSWER_PATIENCE_US (5 * US_PER_S)
/* Of answers that are made and not taken; those who share one have it once. More: 503. */
#define HTTP_UNREAD_MAX_BYTES ((size_t)32 << 20)
/* A stream that has nothing to say says so, which shows whether anybody hears it. */
#define HTTP_STREAM_SIGN_US (15 * US_PER_S)
