/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket of both daemons: DIR/control.sock, a Unix stream socket under sd-event.
 * One request a connection: one line of JSON, {"verb": "…", "args": {…}}; the answer is one line of
 * JSON, {"status": EXIT STATUS, "error": "…"} or {"status": 0, "result": …}, then the daemon closes.
 * Looking needs access to the socket (mode 0660, its group); changing needs root or the service's
 * own user (SO_PEERCRED).
 * A connection that begins with a capital is HTTP, and somebody else's (control_set_http()).
 */
#pragma once

#include <jansson.h>
#include <systemd/sd-event.h>

#include "common/control/control_path.h"
#include "common/util.h"

#define CONTROL_REQUEST_MAX 65536u /* bytes of one line, its end included; longer: error, closed */
#define CONTROL_CLIENTS_MAX 32u    /* not kept; more wait in the backlog */
#define CONTROL_KEPT_MAX    256u   /* kept requests (--wait); more clients wait in the backlog */
/*
 * Those limits are for root and the service's own user. Others may look only, and cannot take their
 * places: they have these, and an idle one gives way to a new one.
 */
#define CONTROL_GUESTS_MAX        256u
#define CONTROL_GUESTS_BUSY_MAX   16u      /* served at once, until their answers are taken */
#define CONTROL_GUEST_PATIENCE_US US_PER_S /* for so long a new connection may say nothing */
/* Answers that go on (control_stream); half of them for guests. */
#define CONTROL_STREAMS_MAX 64u
/* Clients are served when nothing else is to do: heartbeats, timers and the kernel's news come first. */
#define CONTROL_PRIORITY (SD_EVENT_PRIORITY_NORMAL + 20)
/*
 * Answers that are made and not taken: when these bytes are reached, the next guest waits, and who has
 * taken nothing for CONTROL_UNREAD_US is closed for it. Root's are counted apart: it never waits. The
 * answers that are being made come on top; those who share one text have it once.
 */
#define CONTROL_UNREAD_MAX_BYTES ((size_t)32 << 20)
#define CONTROL_UNREAD_US        US_PER_S
/* A request must be complete by then, and an answer must be taken by then. */
#define CONTROL_IDLE_US (10 * US_PER_S)

/* Exit statuses of INTERFACE, used by daemons' answers and the verbs. */
enum control_status {
	CONTROL_OK = 0,
	CONTROL_USAGE = 64,
	CONTROL_UNAVAILABLE = 69, /* daemon not reachable; feature not available in this version */
	CONTROL_TIMEOUT = 75,
	CONTROL_PERMISSION = 77,
	CONTROL_CONFIG = 78,
};

struct control;
struct control_text;
struct control_request; /* one waiting client; lives until answered or the client hangs up */

/*
 * Serves one request. `args` is borrowed and an object, empty when none were given. `may_change`
 * tells whether the peer may change things: a verb that changes answers CONTROL_PERMISSION where it
 * is false. Answer with control_reply() or control_fail(), at once or later (--wait): a request
 * that is to be answered later must be kept, and gets its `gone` callback if the client leaves.
 */
typedef void control_verb_fn(struct control_request *request, const char *verb, json_t *args,
	bool may_change, void *context);

/*
 * Binds DIR/control.sock (an old socket file that nobody serves is removed; a served one is
 * -EADDRINUSE). Takes no ownership of event or context. 0 or negative errno; -ENAMETOOLONG: the
 * path does not fit a Unix socket's address.
 */
int control_listen(sd_event *event, const char *directory, control_verb_fn *fn, void *context,
	struct control **ret_control);
/*
 * Closes every connection and removes the socket file. Whoever waits is told that the daemon stops;
 * no request is valid afterwards, and no `gone` callback comes for them.
 */
struct control *control_free(struct control *control);
DEFINE_CLEANUP(struct control *, control_free)

/* Answer and forget the request. Steals `result` (NULL: none). Never blocks. */
void control_reply(struct control_request *request, int status, json_t *result);
/* The same with words for what is wrong. */
void control_fail(struct control_request *request, int status, const char *format, ...)
	_printf_(3, 4);
/* Takes the connection of a client that speaks HTTP; nothing was read of it. */
typedef void control_http_fn(int fd, void *context);
void control_set_http(struct control *control, control_http_fn *fn, void *context);

/*
 * Answers with a line that is made, and forgets the request: it takes a reference of its own. NULL: out of memory, the connection is closed without an answer.
 */
void control_reply_text(struct control_request *request, struct control_text *text);
/*
 * For answers that come later. `gone` may be NULL; it must not answer, and the request is invalid
 * when it returns.
 */
void control_request_keep(struct control_request *request,
	void (*gone)(struct control_request *request, void *context), void *context);

/*
 * For answers that go on: `next` is asked for text whenever the client takes some; it is borrowed until the next call.
 * NULL: there is none until control_stream_wake(). Who takes nothing for CONTROL_IDLE_US is hung up on. `gone` as above,
 * and it is called too then. -EBUSY: too many; the request is as it was.
 */
typedef const char *control_stream_fn(void *context);
int control_stream(struct control_request *request, control_stream_fn *next,
	void (*gone)(struct control_request *request, void *context), void *context);
/* There is more; may end the stream, and then calls `gone`. */
void control_stream_wake(struct control_request *request);
