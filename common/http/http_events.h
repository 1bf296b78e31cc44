/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events as server-sent events (html.spec.whatwg.org, "Server-sent events"): those that are kept, then those that come. */
#pragma once

struct events;
struct http_request;

/*
 * Answers with each event after the one that the header Last-Event-ID names (none: all that are kept), and goes on. A
 * slow client has a place in the ring and no queue of its own: it misses what has left the ring.
 */
void http_events_serve(struct http_request *request, struct events *events);
