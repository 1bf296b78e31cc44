/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP for looking, of both daemons: connections of `http-listen` and those that the control socket hands over, by
 * libmicrohttpd, whose epoll descriptor stands under sd-event. GET and HEAD alone; nobody is authenticated, and
 * nothing can be changed. Main loop only. Never logs.
 */
#pragma once

#include <systemd/sd-event.h>

#include "common/addr.h"
#include "common/http/http_limits.h"

struct control_text;
struct http;
struct http_request; /* one that waits for its answer */

typedef void http_fn(struct http_request *request, void *context);
/* What is answered at a path; of a table that lives as long as the server. */
struct http_path {
	const char *path;
	http_fn *serve;
};

/* Takes no ownership of event, table or context. 0 or negative errno. */
int http_new(sd_event *event, const struct http_path *paths, size_t n_paths, void *context,
	struct http **ret_http);
/* Closes every connection; `gone` is called for requests that were kept, and for streams. NULL is legal. */
struct http *http_free(struct http *http);
DEFINE_CLEANUP(struct http *, http_free)

/* A control_http_fn: takes a connection of the control socket. `http` is the context. */
void http_adopt(int fd, void *http);
/*
 * A listening socket for http_set_listener(), also at an address that this host does not have yet; HTTP_LISTEN_SAME
 * where `http` (NULL: none yet) listens there already, HTTP_LISTEN_OFF for AF_UNSPEC. 0, or negative errno: -EADDRINUSE,
 * -EACCES (a port below 1024).
 */
#define HTTP_LISTEN_OFF  (-1)
#define HTTP_LISTEN_SAME (-2)
int http_bind(const struct http *http, const struct addr_port *address, int *ret_fd);
/* Serves it in place of the one before, which is closed. Takes ownership, also on an error. 0 or negative errno. */
int http_set_listener(struct http *http, int fd);

/* How an answer is to be read. */
struct http_content {
	const char *type;
	const char *policy; /* Content-Security-Policy; NULL: nothing of it may run or be loaded */
	size_t skip_front_bytes, skip_back_bytes; /* of its text, which are not the answer's */
};

/*
 * A handler answers by one of these four, or keeps the request and answers later by one of the first two; the request
 * is no more then. A text is shared: the answer takes a reference of its own. NULL: 503, out of memory.
 */
void http_answer(struct http_request *request, unsigned int status,
	const struct http_content *content, struct control_text *text);
/* Words for people, with a line end. */
void http_say(struct http_request *request, unsigned int status, const char *format, ...)
	_printf_(3, 4);
/* `gone`: it ended without an answer; it must not answer. */
typedef void http_gone_fn(struct http_request *request, void *context);
void http_keep(struct http_request *request, http_gone_fn *gone, void *context);
/*
 * An answer that goes on: `next` is asked for text whenever the client takes some; it is borrowed until the next call.
 * NULL: there is none until http_stream_wake(). `gone` when it has ended. -EBUSY: too many; the request is as it was.
 */
typedef const char *http_stream_fn(void *context);
int http_stream(struct http_request *request, const char *type, http_stream_fn *next,
	http_gone_fn *gone, void *context);
void http_stream_wake(struct http_request *request);
/* The client sees the headers alone: a stream needs not begin. */
bool http_is_head(const struct http_request *request);
/* Borrowed while the request is; NULL: there is none. */
const char *http_header(const struct http_request *request, const char *name);
