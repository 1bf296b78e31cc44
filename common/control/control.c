/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's side of the control socket: connections, limits, who may change things, answers
 * that wait for a slow reader. Called by the daemons' main loops; knows no verb and never logs.
 */
#include "common/control/control.h"

#include <assert.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/control/control_path.h"
#include "common/control/control_text.h"
#include "common/os/clock.h"

#define CONTROL_FLUSH_BYTES (1u << 20) /* written in one turn of the loop */
#define CONTROL_INPUT_BYTES 4096u /* of a request's first room; doubled up to CONTROL_REQUEST_MAX */

/* How long accepting rests when the process has no descriptor or memory left. */
#define CONTROL_EXHAUSTED_US (100 * US_PER_MS)

enum request_state {
	REQUEST_READING,
	REQUEST_QUEUED, /* a guest with a whole line, for which there is no room yet */
	REQUEST_SERVED, /* given to the verb function, which has neither answered nor kept it */
	REQUEST_KEPT,
	REQUEST_WRITING,
	REQUEST_STREAMING, /* `next` has more, or will */
	REQUEST_DONE,      /* to be freed */
};

struct control_request {
	struct control *control;
	struct control_request *next, **link;
	enum request_state state;
	int fd;
	bool may_change;
	bool in_handler; /* the handler on the stack frees it when it is done */
	sd_event_source *io;
	sd_event_source *timer;
	uint64_t began_us;
	char *input; /* grows up to CONTROL_REQUEST_MAX, freed when it is parsed */
	size_t input_bytes;
	size_t input_room_bytes;
	struct control_text *output; /* NULL: none yet */
	size_t written_bytes;
	uint64_t progress_us;         /* when the client took some of it */
	control_stream_fn *next_text; /* of a stream */
	void (*gone)(struct control_request *request, void *context);
	void *gone_context;
};

struct control {
	sd_event *event;
	int fd;
	struct control_path path;
	control_verb_fn *fn;
	void *context;
	control_http_fn *http; /* NULL: HTTP is no request */
	void *http_context;
	sd_event_source *listener;
	sd_event_source *rest; /* non-NULL while accepting rests */
	struct control_request *requests;
	sd_event_source *queue;         /* runs once when a queued guest may be served */
	size_t n_talking, n_kept;       /* of those who may change things */
	size_t n_guests, n_guests_busy; /* of those who may not */
	size_t n_streams, n_guest_streams;
	size_t unread_bytes
		[CONTROL_PEER_N_]; /* of answers, each counted once for all who share it */
};

/* Clients beyond the limits stay in the kernel's backlog: the listener is not read for a while. */
static void control_update_listener(struct control *control)
{
	bool open = !control->rest && control->n_talking < CONTROL_CLIENTS_MAX &&
		control->n_kept < CONTROL_KEPT_MAX;

	if (control->listener)
		(void)sd_event_source_set_enabled(
			control->listener, open ? SD_EVENT_ON : SD_EVENT_OFF);
}

static bool request_is_busy(const struct control_request *request)
{
	return request->state == REQUEST_SERVED || request->state == REQUEST_KEPT ||
		request->state == REQUEST_WRITING;
}

/* Where the request counts: in its present state, once more or once less. */
static void request_count(const struct control_request *request, bool more)
{
	struct control *control = request->control;
	size_t by = more ? 1 : (size_t)-1;

	if (request->state == REQUEST_STREAMING) {
		control->n_streams += by;
		control->n_guest_streams += request->may_change ? 0 : by;
	} else if (!request->may_change) {
		control->n_guests += by;
		if (request_is_busy(request))
			control->n_guests_busy += by;
	} else if (request->state == REQUEST_KEPT) {
		control->n_kept += by;
	} else {
		control->n_talking += by;
	}
}

static enum control_peer request_peer(const struct control_request *request)
{
	return request->may_change ? CONTROL_PEER_OWN : CONTROL_PEER_GUEST;
}

/* A guest's request can be served now: enough others have their answers, and have taken them. */
static bool control_has_room(const struct control *control)
{
	return control->n_guests_busy < CONTROL_GUESTS_BUSY_MAX &&
		control->unread_bytes[CONTROL_PEER_GUEST] < CONTROL_UNREAD_MAX_BYTES;
}

/* To be called when something has ended: there may be room for those who wait. */
static void control_make_way(struct control *control)
{
	control_update_listener(control);
	if (control->queue && control_has_room(control))
		(void)sd_event_source_set_enabled(control->queue, SD_EVENT_ONESHOT);
}

static void request_set_state(struct control_request *request, enum request_state state)
{
	request_count(request, false);
	request->state = state;
	request_count(request, true);
	control_make_way(request->control);
}

/* The answer is the request's no more: its last reader frees it. */
static void request_drop_output(struct control_request *request)
{
	request->control->unread_bytes[request_peer(request)] -=
		control_text_leave(request->output, request_peer(request));
	request->output = NULL;
}

static void request_free(struct control_request *request)
{
	request_count(request, false);
	request_drop_output(request);
	control_make_way(request->control);
	*request->link = request->next;
	if (request->next)
		request->next->link = request->link;
	sd_event_source_disable_unref(request->io);
	sd_event_source_disable_unref(request->timer);
	util_close(request->fd);
	free(request->input);
	free(request);
}

/*
 * Writes what the socket takes now, some of it: a client that reads as fast as we write must not
 * keep us from everything else. True when the connection is finished, well or not.
 */
static bool request_flush(struct control_request *request)
{
	size_t output_bytes;
	const char *output = control_text_bytes(request->output, &output_bytes);
	size_t end_bytes = MIN(output_bytes, request->written_bytes + CONTROL_FLUSH_BYTES);

	while (request->written_bytes < end_bytes) {
		ssize_t n = send(request->fd, output + request->written_bytes,
			end_bytes - request->written_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno != EAGAIN;
		request->written_bytes += (size_t)n;
		request->progress_us = clock_now_us();
	}
	return request->written_bytes == output_bytes;
}

static void request_take_output(struct control_request *request, struct control_text *text)
{
	request_drop_output(request);
	request->output = control_text_ref(text);
	request->control->unread_bytes[request_peer(request)] +=
		control_text_enter(text, request_peer(request));
	request->written_bytes = 0;
	request->progress_us = clock_now_us();
}

static bool request_is_written(const struct control_request *request)
{
	size_t output_bytes;

	(void)control_text_bytes(request->output, &output_bytes);
	return request->written_bytes == output_bytes;
}

void control_reply_text(struct control_request *request, struct control_text *text)
{
	request_take_output(request, text);
	request_set_state(request, REQUEST_WRITING);
	if (!request_flush(request) && sd_event_source_set_io_events(request->io, EPOLLOUT) >= 0 &&
		sd_event_source_set_time_relative(request->timer, CONTROL_IDLE_US) >= 0 &&
		sd_event_source_set_enabled(request->timer, SD_EVENT_ONESHOT) >= 0)
		return;
	request_set_state(request, REQUEST_DONE);
	if (!request->in_handler)
		request_free(request);
}

void control_reply(struct control_request *request, int status, json_t *result)
{
	struct control_text *text = control_text_result(status, result);

	control_reply_text(request, text);
	control_text_unref(text);
}

void control_fail(struct control_request *request, int status, const char *format, ...)
{
	_cleanup_free_ char *words = NULL;
	struct control_text *text;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&words, format, arguments) < 0)
		words = NULL;
	va_end(arguments);
	text = control_text_error(status, words ? words : "out of memory");
	control_reply_text(request, text);
	control_text_unref(text);
}

void control_request_keep(struct control_request *request,
	void (*gone)(struct control_request *request, void *context), void *context)
{
	assert(request->state == REQUEST_SERVED);
	request->gone = gone;
	request->gone_context = context;
	request_set_state(request, REQUEST_KEPT);
	/*
	 * EPOLLHUP, which needs no asking, comes when the peer has closed (af_unix.c:unix_poll); a
	 * peer that only shut down its sending side still waits for the answer.
	 */
	(void)sd_event_source_set_io_events(request->io, 0);
	(void)sd_event_source_set_enabled(request->timer, SD_EVENT_OFF);
}

/* The client has gone, or is given up. */
static void request_abandon(struct control_request *request)
{
	if (request->gone)
		request->gone(request, request->gone_context);
	request_set_state(request, REQUEST_DONE);
}

/* The next of a stream, NULL when it has no more; false: out of memory. */
static bool request_take_next(struct control_request *request)
{
	const char *line = request->next_text(request->gone_context);
	char *copy = line ? strdup(line) : NULL;
	struct control_text *text = copy ? control_text_new(copy, strlen(copy)) : NULL;

	request_take_output(request, text);
	control_text_unref(text);
	return !line || text;
}

/* Writes what the client takes now, some of it. False: the stream has ended. */
static bool request_pump(struct control_request *request)
{
	size_t pumped_bytes = 0;

	while (pumped_bytes < CONTROL_FLUSH_BYTES) {
		size_t before_bytes = request->written_bytes;
		bool ended = request_flush(request);

		pumped_bytes += request->written_bytes - before_bytes;
		if (!ended)
			break;
		if (!request_is_written(request) || !request_take_next(request))
			return false;
		if (!request->output)
			return sd_event_source_set_io_events(request->io, 0) >= 0 &&
				sd_event_source_set_enabled(request->timer, SD_EVENT_OFF) >= 0;
	}
	/* Whoever takes something has the whole time again. */
	if (pumped_bytes > 0)
		(void)sd_event_source_set_time_relative(request->timer, CONTROL_IDLE_US);
	return sd_event_source_set_io_events(request->io, EPOLLOUT) >= 0 &&
		sd_event_source_set_enabled(request->timer, SD_EVENT_ONESHOT) >= 0;
}

int control_stream(struct control_request *request, control_stream_fn *next,
	void (*gone)(struct control_request *request, void *context), void *context)
{
	const struct control *control = request->control;

	assert(request->state == REQUEST_SERVED);
	if (control->n_streams >= CONTROL_STREAMS_MAX ||
		(!request->may_change && control->n_guest_streams >= CONTROL_STREAMS_MAX / 2))
		return -EBUSY;
	request->next_text = next;
	request->gone = gone;
	request->gone_context = context;
	request_set_state(request, REQUEST_STREAMING);
	/* It begins when the loop comes to it. */
	(void)sd_event_source_set_io_events(request->io, EPOLLOUT);
	(void)sd_event_source_set_time_relative(request->timer, CONTROL_IDLE_US);
	return 0;
}

void control_stream_wake(struct control_request *request)
{
	/* One that is slow is asked again when it can take more. */
	if (request->state != REQUEST_STREAMING || !request_is_written(request) ||
		request_pump(request))
		return;
	request_abandon(request);
	request_free(request);
}

static void request_serve(struct control_request *request, size_t line_bytes)
{
	json_error_t why;
	json_t *document, *args;
	const char *verb;

	document = json_loadb(request->input, line_bytes, JSON_REJECT_DUPLICATES, &why);
	free(TAKE_PTR(request->input));
	request->input_bytes = request->input_room_bytes = 0;
	verb = json_string_value(json_object_get(document, "verb"));
	args = json_object_get(document, "args");
	if (!document) {
		control_fail(request, CONTROL_USAGE, "the request is not JSON: %s", why.text);
	} else if (!verb) {
		control_fail(request, CONTROL_USAGE, "the request names no verb");
	} else if (args && !json_is_object(args)) {
		control_fail(request, CONTROL_USAGE, "the request's args are not an object");
	} else {
		json_t *given = args ? json_incref(args) : json_object();

		request->control->fn(
			request, verb, given, request->may_change, request->control->context);
		json_decref(given);
		/* A verb function that does neither would leave its client hanging. */
		assert(request->state != REQUEST_SERVED);
	}
	json_decref(document);
}

/* Closes those who took nothing of their answers for a while: somebody else needs the place. */
static void control_evict_unread(struct control *control, enum control_peer peer)
{
	uint64_t now_us = clock_now_us();

	for (struct control_request *each = control->requests, *next; each; each = next) {
		next = each->next;
		if (request_peer(each) == peer && each->state == REQUEST_WRITING &&
			!each->in_handler && now_us >= each->progress_us + CONTROL_UNREAD_US)
			request_free(each);
	}
}

/* Looks after a while whether those who are before it read their answers. */
static void request_arm_queued(struct control_request *request)
{
	(void)sd_event_source_set_time_relative(request->timer, CONTROL_UNREAD_US);
	(void)sd_event_source_set_enabled(request->timer, SD_EVENT_ONESHOT);
}

/* A guest waits for its turn where others are served; only its hanging up is heard meanwhile. */
static void request_queue(struct control_request *request)
{
	request_set_state(request, REQUEST_QUEUED);
	(void)sd_event_source_set_io_events(request->io, 0);
	request_arm_queued(request);
}

/* Root and the service's own user never wait for others' reading. */
static bool request_must_queue(const struct control_request *request)
{
	struct control *control = request->control;

	if (!request->may_change)
		return !control_has_room(control);
	if (control->unread_bytes[CONTROL_PEER_OWN] >= CONTROL_UNREAD_MAX_BYTES)
		control_evict_unread(control, CONTROL_PEER_OWN);
	return false;
}

/* Looks at what has come so far: a whole line, HTTP, too much, or not enough yet. */
static void request_judge(struct control_request *request, bool ended)
{
	char *line_end = memchr(request->input, '\n', request->input_bytes);

	if (!line_end && request->input_bytes == CONTROL_REQUEST_MAX) {
		control_fail(request, CONTROL_USAGE, "the request is longer than %u bytes",
			CONTROL_REQUEST_MAX);
	} else if (!line_end && ended) {
		if (request->input_bytes > 0)
			control_fail(request, CONTROL_USAGE, "the request has no line end");
		else
			request_set_state(request, REQUEST_DONE);
	} else if (line_end && request_must_queue(request)) {
		request_queue(request);
	} else if (line_end) {
		request_set_state(request, REQUEST_SERVED);
		request_serve(request, (size_t)(line_end - request->input));
	}
}

/* Room for more input; false: no memory. */
static bool request_grow_input(struct control_request *request)
{
	size_t room_bytes =
		request->input_room_bytes ? 2 * request->input_room_bytes : CONTROL_INPUT_BYTES;
	char *larger;

	if (request->input_bytes < request->input_room_bytes)
		return true;
	larger = realloc(request->input, room_bytes);
	if (!larger)
		return false;
	request->input = larger;
	request->input_room_bytes = room_bytes;
	return true;
}

/* A request is an object of JSON; what begins with a capital is a method, and nothing of it is read here. */
static bool request_is_http(const struct control_request *request)
{
	char first;

	return request->control->http && request->input_bytes == 0 &&
		recv(request->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) == 1 && first >= 'A' &&
		first <= 'Z';
}

static void request_hand_over(struct control_request *request)
{
	struct control *control = request->control;

	request->io = sd_event_source_disable_unref(request->io);
	request_set_state(request, REQUEST_DONE);
	control->http(TAKE_FD(request->fd), control->http_context);
}

static void request_read(struct control_request *request)
{
	ssize_t n;

	if (request_is_http(request)) {
		request_hand_over(request);
		return;
	}
	if (!request_grow_input(request)) {
		request_set_state(request, REQUEST_DONE);
		return;
	}
	n = recv(request->fd, request->input + request->input_bytes,
		request->input_room_bytes - request->input_bytes, MSG_DONTWAIT);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			request_set_state(request, REQUEST_DONE);
		return;
	}
	request->input_bytes += (size_t)n;
	request_judge(request, n == 0);
}

static int control_on_request_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct control_request *request = userdata;

	request->in_handler = true;
	if (request->state == REQUEST_READING) {
		request_read(request);
	} else if (request->state == REQUEST_QUEUED || request->state == REQUEST_KEPT) {
		/* Whoever waits for an answer says nothing more: this is the end. */
		request_abandon(request);
	} else if (request->state == REQUEST_STREAMING) {
		if ((revents & (EPOLLHUP | EPOLLERR)) || !request_pump(request))
			request_abandon(request);
	} else if (request_flush(request)) {
		request_set_state(request, REQUEST_DONE);
	}
	request->in_handler = false;
	if (request->state == REQUEST_DONE)
		request_free(request);
	return 0;
}

static int control_on_request_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct control_request *request = userdata;

	if (request->state == REQUEST_QUEUED) {
		control_evict_unread(request->control, CONTROL_PEER_GUEST);
		request_arm_queued(request);
		return 0;
	}
	if (request->state == REQUEST_STREAMING)
		request_abandon(request);
	request_free(request);
	return 0;
}

static struct control_request *control_oldest(
	const struct control *control, enum request_state state)
{
	struct control_request *oldest = NULL;

	for (struct control_request *each = control->requests; each; each = each->next)
		if (!each->may_change && each->state == state)
			oldest = each;
	return oldest;
}

static int control_on_queue(sd_event_source *source, void *userdata)
{
	struct control *control = userdata;
	struct control_request *request;

	while (control_has_room(control) && (request = control_oldest(control, REQUEST_QUEUED))) {
		char *line_end = memchr(request->input, '\n', request->input_bytes);

		request->in_handler = true;
		request_set_state(request, REQUEST_SERVED);
		request_serve(request, (size_t)(line_end - request->input));
		request->in_handler = false;
		if (request->state == REQUEST_DONE)
			request_free(request);
	}
	return 0;
}

/* One that has said nothing yet makes room for a new guest. False: all are at work, or just came. */
static bool control_evict_guest(struct control *control)
{
	struct control_request *oldest = control_oldest(control, REQUEST_READING);

	if (!oldest || clock_now_us() < oldest->began_us + CONTROL_GUEST_PATIENCE_US)
		return false;
	request_free(oldest);
	return true;
}

static bool control_peer_may_change(int fd)
{
	struct ucred peer;
	socklen_t size_bytes = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size_bytes) < 0)
		return false;
	return peer.uid == 0 || peer.uid == geteuid();
}

static int control_add_sources(struct control_request *request, int fd)
{
	sd_event *event = request->control->event;
	int r = sd_event_add_io(event, &request->io, fd, EPOLLIN, control_on_request_io, request);

	if (r >= 0)
		r = sd_event_source_set_priority(request->io, CONTROL_PRIORITY);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &request->timer, CLOCK_MONOTONIC,
			CONTROL_IDLE_US, 0, control_on_request_timer, request);
	if (r >= 0)
		r = sd_event_source_set_priority(request->timer, CONTROL_PRIORITY);
	return r;
}

/* Takes ownership of `fd` on success only. -EBUSY: too many guests, and it was told. */
static int control_add_request(struct control *control, int fd)
{
	static const char busy[] = "{\"status\":69,\"error\":\"too many clients; try again\"}\n";
	bool may_change = control_peer_may_change(fd);
	struct control_request *request;
	int r;

	if (!may_change && control->n_guests >= CONTROL_GUESTS_MAX &&
		!control_evict_guest(control)) {
		(void)send(fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		return -EBUSY;
	}
	request = calloc(1, sizeof(*request));
	if (!request)
		return -ENOMEM;
	request->control = control;
	request->fd = -1;
	request->may_change = may_change;
	request->began_us = clock_now_us();
	request->next = control->requests;
	request->link = &control->requests;
	if (request->next)
		request->next->link = &request->next;
	control->requests = request;
	request_count(request, true);
	r = control_add_sources(request, fd);
	if (r < 0) {
		request_free(request);
		return r;
	}
	request->fd = fd;
	return 0;
}

static int control_on_rested(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct control *control = userdata;

	control->rest = sd_event_source_disable_unref(control->rest);
	control_update_listener(control);
	return 0;
}

static int control_on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct control *control = userdata;
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int r = client < 0 ? -errno : control_add_request(control, client);

	if (r < 0)
		util_close(client);
	/* The connection still waits, so that the listener would wake the loop at once, for ever. */
	if (r == -EMFILE || r == -ENFILE || r == -ENOBUFS || r == -ENOMEM)
		(void)sd_event_add_time_relative(control->event, &control->rest, CLOCK_MONOTONIC,
			CONTROL_EXHAUSTED_US, 0, control_on_rested, control);
	control_update_listener(control);
	return 0;
}

int control_listen(sd_event *event, const char *directory, control_verb_fn *fn, void *context,
	struct control **ret_control)
{
	_cleanup_(control_freep) struct control *control = calloc(1, sizeof(*control));
	int r;

	if (!control)
		return -ENOMEM;
	control->event = sd_event_ref(event);
	control->fn = fn;
	control->context = context;
	control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (control->fd < 0)
		return -errno;
	r = control_path_bind(control->fd, directory, &control->path);
	if (r < 0)
		return r;
	r = sd_event_add_io(
		event, &control->listener, control->fd, EPOLLIN, control_on_connection, control);
	if (r >= 0)
		r = sd_event_source_set_priority(control->listener, CONTROL_PRIORITY);
	if (r >= 0)
		r = sd_event_add_defer(event, &control->queue, control_on_queue, control);
	if (r >= 0)
		r = sd_event_source_set_priority(control->queue, CONTROL_PRIORITY);
	if (r < 0)
		return r;
	*ret_control = TAKE_PTR(control);
	return 0;
}

void control_set_http(struct control *control, control_http_fn *fn, void *context)
{
	control->http = fn;
	control->http_context = context;
}

struct control *control_free(struct control *control)
{
	static const char stopping[] = "{\"status\":69,\"error\":\"the daemon stops\"}\n";

	if (!control)
		return NULL;
	control_path_remove(&control->path);
	sd_event_source_disable_unref(control->listener);
	control->listener = NULL;
	sd_event_source_disable_unref(control->queue);
	control->queue = NULL;
	sd_event_source_disable_unref(control->rest);
	for (struct control_request *request = control->requests, *next; request; request = next) {
		next = request->next;
		if (request->state == REQUEST_KEPT || request->state == REQUEST_QUEUED ||
			(request->state == REQUEST_STREAMING && request_is_written(request)))
			(void)send(request->fd, stopping, sizeof(stopping) - 1,
				MSG_NOSIGNAL | MSG_DONTWAIT);
		request_free(request);
	}
	util_close(control->fd);
	sd_event_unref(control->event);
	free(control);
	return NULL;
}
