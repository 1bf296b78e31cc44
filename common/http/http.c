/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server: see http.h. libmicrohttpd reads and writes; whoever waits for an answer, or for more of a stream, is
 * suspended there, so that nobody is asked about for nothing.
 */
#include "common/http/http.h"

#include <limits.h>
#include <microhttpd.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/control/control.h"
#include "common/control/control_text.h"
#include "common/http/http_clients.h"
#include "common/http/http_host.h"
#include "common/http/http_socket.h"
#include "common/os/clock.h"

#define HTTP_ACCEPT_MAX   32u /* in one turn of the loop */
#define HTTP_SECOND_US    US_PER_S
#define HTTP_STREAM_BYTES ((size_t)4096) /* asked of a stream at once */
/* Of a connection: what is read of it (half of that at first), and the headers of its answer. */
#define HTTP_MEMORY_BYTES ((size_t)16384)

enum request_state {
	REQUEST_NEW,
	REQUEST_KEPT,
	REQUEST_ANSWERED,
	REQUEST_STREAMING,
};

struct http_request {
	struct http *http;
	struct http_client *client;
	struct MHD_Connection *connection;
	bool head;
	bool suspended;
	enum request_state state;
	unsigned int status;
	struct MHD_Response *response; /* not queued yet */
	http_gone_fn *gone;            /* when it ends unanswered, or as a stream */
	http_stream_fn *next_text;
	void *context;
	const char *rest; /* of a stream's text */
	bool hung_up;
	bool sign_due;
	uint64_t told_us; /* when the stream last said something */
	sd_event_source *hangup;
};

struct http {
	sd_event *event;
	const struct http_path *paths;
	size_t n_paths;
	void *context;
	struct MHD_Daemon *daemon;
	sd_event_source *io, *due, *second, *listener;
	int listen_fd;
	bool stopping;
	struct http_clients clients;
	size_t n_streams;
	size_t unread_bytes;
	char hostname[HOST_NAME_MAX + 1];
};

/* The bytes of one answer, which its readers share. */
struct http_body {
	struct http *http;
	struct control_text *text;
};

static void http_body_free(void *context)
{
	struct http_body *body = context;

	body->http->unread_bytes -= control_text_leave(body->text, CONTROL_PEER_HTTP);
	free(body);
}

/* NULL: no memory. */
static struct MHD_Response *http_body_response(
	struct http *http, const struct http_content *content, struct control_text *text)
{
	size_t skipped_bytes = content->skip_front_bytes + content->skip_back_bytes, size_bytes;
	const char *bytes = control_text_bytes(text, &size_bytes);
	struct http_body *body = calloc(1, sizeof(*body));
	struct MHD_Response *response;

	if (!body)
		return NULL;
	body->http = http;
	body->text = control_text_ref(text);
	http->unread_bytes += control_text_enter(text, CONTROL_PEER_HTTP);
	/* It is read alone, whatever the type says. */
	response = MHD_create_response_from_buffer_with_free_callback_cls(
		size_bytes - skipped_bytes, (void *)(uintptr_t)(bytes + content->skip_front_bytes),
		http_body_free, body);
	if (!response)
		http_body_free(body);
	return response;
}

static void http_add_headers(struct MHD_Response *response, const struct http_content *content)
{
	(void)MHD_add_response_header(response, "Content-Type", content->type);
	(void)MHD_add_response_header(response, "Cache-Control", "no-store");
	(void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	(void)MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
	(void)MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
	(void)MHD_add_response_header(response, "Content-Security-Policy",
		content->policy ? content->policy : "default-src 'none'; frame-ancestors 'none'");
}

/* The library goes on with it when it is run next, and it would not be before something else happens. */
static void http_resume(struct http_request *request)
{
	if (!request->suspended)
		return;
	request->suspended = false;
	MHD_resume_connection(request->connection);
	(void)sd_event_source_set_time_relative(request->http->due, 0);
	(void)sd_event_source_set_enabled(request->http->due, SD_EVENT_ONESHOT);
}

/* To the client, now or when the handler has returned. `response` NULL closes the connection. */
static void http_respond(
	struct http_request *request, unsigned int status, struct MHD_Response *response)
{
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED && response)
		(void)MHD_add_response_header(response, "Allow", "GET, HEAD");
	if (status == MHD_HTTP_SERVICE_UNAVAILABLE && response)
		(void)MHD_add_response_header(response, "Retry-After", "1");
	request->state = REQUEST_ANSWERED;
	request->status = status;
	request->response = response;
	http_resume(request);
}

static void http_respond_text(struct http_request *request, unsigned int status,
	const struct http_content *content, struct control_text *text)
{
	struct MHD_Response *response = http_body_response(request->http, content, text);

	if (response)
		http_add_headers(response, content);
	http_respond(request, status, response);
}

void http_say(struct http_request *request, unsigned int status, const char *format, ...)
{
	static const struct http_content content = { .type = "text/plain; charset=utf-8" };
	_cleanup_free_ char *words = NULL;
	struct control_text *text;
	va_list arguments;
	char *line;
	int len;

	va_start(arguments, format);
	if (vasprintf(&words, format, arguments) < 0)
		words = NULL;
	va_end(arguments);
	len = asprintf(&line, "%s\n", words ? words : "out of memory");
	text = len < 0 ? NULL : control_text_new(line, (size_t)len);
	if (text)
		http_respond_text(request, status, &content, text);
	else
		http_respond(request, status, NULL);
	control_text_unref(text);
}

void http_answer(struct http_request *request, unsigned int status,
	const struct http_content *content, struct control_text *text)
{
	if (!text)
		http_say(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
	else if (request->http->unread_bytes >= HTTP_UNREAD_MAX_BYTES)
		http_say(request, MHD_HTTP_SERVICE_UNAVAILABLE,
			"too many answers wait for clients that do not take them; try again");
	else
		http_respond_text(request, status, content, text);
}

void http_keep(struct http_request *request, http_gone_fn *gone, void *context)
{
	request->state = REQUEST_KEPT;
	request->gone = gone;
	request->context = context;
}

bool http_is_head(const struct http_request *request)
{
	return request->head;
}

const char *http_header(const struct http_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

/* Streams. */

void http_stream_wake(struct http_request *request)
{
	http_resume(request);
}

/* A suspended connection is not looked at, so that nobody would see that its client has gone. */
static int http_on_hangup(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct http_request *request = context;

	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	request->hung_up = true;
	http_stream_wake(request);
	return 0;
}

static const char *http_stream_next(struct http_request *request)
{
	const char *text = request->next_text(request->context);

	if (!text && request->sign_due)
		text = ":\n\n";
	request->sign_due = false;
	if (text)
		request->told_us = clock_now_us();
	return text;
}

static ssize_t http_on_stream(void *context, uint64_t position, char *buffer, size_t room_bytes)
{
	struct http_request *request = context;
	size_t len;

	if (request->hung_up || request->http->stopping)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (!request->rest || !request->rest[0])
		request->rest = http_stream_next(request);
	if (!request->rest) {
		request->suspended = true;
		MHD_suspend_connection(request->connection);
		return 0;
	}
	len = MIN(strlen(request->rest), room_bytes);
	memcpy(buffer, request->rest, len);
	request->rest += len;
	return (ssize_t)len;
}

int http_stream(struct http_request *request, const char *type, http_stream_fn *next,
	http_gone_fn *gone, void *context)
{
	const struct http_content content = { .type = type };
	struct http *http = request->http;
	struct MHD_Response *response;
	int r;

	if (http->n_streams >= HTTP_STREAMS_MAX)
		return -EBUSY;
	r = sd_event_add_io(http->event, &request->hangup, request->client->fd, EPOLLRDHUP,
		http_on_hangup, request);
	if (r < 0)
		return r;
	response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, HTTP_STREAM_BYTES, http_on_stream, request, NULL);
	if (!response) {
		request->hangup = sd_event_source_disable_unref(request->hangup);
		return -ENOMEM;
	}
	http_add_headers(response, &content);
	request->next_text = next;
	request->gone = gone;
	request->context = context;
	request->told_us = clock_now_us();
	http->n_streams++;
	http_respond(request, MHD_HTTP_OK, response);
	request->state = REQUEST_STREAMING;
	return 0;
}

/* Requests. */

static const struct http_path *http_find(const struct http *http, const char *path)
{
	for (size_t i = 0; i < http->n_paths; i++)
		if (streq(http->paths[i].path, path))
			return &http->paths[i];
	return NULL;
}

static size_t http_header_bytes(const struct http_request *request)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		request->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

	return info ? info->header_size : 0;
}

static void http_serve(struct http_request *request, const char *url, const char *method)
{
	const struct http *http = request->http;
	const struct http_path *path = http_find(http, url);

	if (http_header_bytes(request) > HTTP_HEADER_MAX_BYTES)
		http_say(request, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE,
			"the request has more than %u bytes", HTTP_HEADER_MAX_BYTES);
	else if (!request->client->local &&
		!http_host_is_ours(http_header(request, "Host"), http->hostname))
		http_say(request, MHD_HTTP_MISDIRECTED_REQUEST,
			"no host of this name is here; ask for an address, localhost or %s",
			http->hostname);
	else if (!streq(method, "GET") && !streq(method, "HEAD"))
		http_say(request, MHD_HTTP_METHOD_NOT_ALLOWED,
			"nothing can be changed here; GET and HEAD alone");
	else if (!path)
		http_say(request, MHD_HTTP_NOT_FOUND, "nothing is at this path");
	else
		path->serve(request, http->context);
}

static enum MHD_Result http_queue(struct http_request *request)
{
	struct MHD_Response *response = TAKE_PTR(request->response);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	http_client_set(request->client,
		request->state == REQUEST_STREAMING ? HTTP_CLIENT_STREAMING : HTTP_CLIENT_WRITING,
		clock_now_us());
	result = MHD_queue_response(request->connection, request->status, response);
	MHD_destroy_response(response);
	return result;
}

static struct http_request *http_request_new(
	struct http *http, struct MHD_Connection *connection, const char *method)
{
	struct http_request *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	request->http = http;
	request->connection = connection;
	request->client = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
				  ->socket_context;
	request->client->request = request;
	request->head = streq(method, "HEAD");
	return request;
}

/*
 * Called when the headers are there, for each part of a body, when all is there, and when a request that was kept goes
 * on. A request that may have a body is answered by its headers alone.
 */
static enum MHD_Result http_on_request(void *context, struct MHD_Connection *connection,
	const char *url, const char *method, const char *version, const char *upload_data,
	size_t *upload_size_bytes, void **ret_request)
{
	struct http_request *request = *ret_request;

	if (!request) {
		request = *ret_request = http_request_new(context, connection, method);
		if (!request)
			return MHD_NO;
		if (streq(method, "GET") || streq(method, "HEAD"))
			return MHD_YES;
	}
	if (*upload_size_bytes > 0) {
		*upload_size_bytes = 0;
		return MHD_YES;
	}
	if (request->state == REQUEST_NEW)
		http_serve(request, url, method);
	if (request->state != REQUEST_KEPT)
		return http_queue(request);
	if (request->http->stopping)
		return MHD_NO;
	http_client_set(request->client, HTTP_CLIENT_WAITING, clock_now_us());
	request->suspended = true;
	MHD_suspend_connection(connection);
	return MHD_YES;
}

static void http_on_completed(void *context, struct MHD_Connection *connection, void **request_at,
	enum MHD_RequestTerminationCode how)
{
	struct http_request *request = TAKE_PTR(*(struct http_request **)request_at);

	if (!request)
		return;
	if (request->state == REQUEST_STREAMING)
		request->http->n_streams--;
	if (request->gone &&
		(request->state == REQUEST_STREAMING || request->state == REQUEST_KEPT))
		request->gone(request, request->context);
	if (request->response)
		MHD_destroy_response(request->response);
	sd_event_source_disable_unref(request->hangup);
	request->client->request = NULL;
	http_client_set(request->client, HTTP_CLIENT_READING, clock_now_us());
	free(request);
}

/* Connections. */

static void http_start_seconds(struct http *http)
{
	int enabled;

	if (sd_event_source_get_enabled(http->second, &enabled) > 0)
		return;
	(void)sd_event_source_set_time_relative(http->second, HTTP_SECOND_US);
	(void)sd_event_source_set_enabled(http->second, SD_EVENT_ONESHOT);
}

/* AF_UNSPEC: the control socket. */
static struct addr http_whence(const struct sockaddr *address)
{
	struct addr_port from = { 0 };

	(void)addr_from_sockaddr(address, &from);
	return from.addr;
}

static void http_on_connection(void *context, struct MHD_Connection *connection, void **client_at,
	enum MHD_ConnectionNotificationCode what)
{
	struct http *http = context;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)
				 ->connect_fd;
		struct addr from = http_whence(
			MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)
				->client_addr);

		*client_at = http_client_new(&http->clients, fd, &from, clock_now_us());
		if (*client_at)
			http_start_seconds(http);
	} else {
		http_client_free(*client_at);
		*client_at = NULL;
	}
}

/* What can be read, written and timed out now; and when to look again. */
static void http_run(struct http *http)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms;

	(void)MHD_run(http->daemon);
	if (MHD_get_timeout(http->daemon, &timeout_ms) == MHD_YES) {
		(void)sd_event_source_set_time_relative(http->due, timeout_ms * US_PER_MS);
		(void)sd_event_source_set_enabled(http->due, SD_EVENT_ONESHOT);
	} else {
		(void)sd_event_source_set_enabled(http->due, SD_EVENT_OFF);
	}
}

static int http_on_io(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	http_run(context);
	return 0;
}

static int http_on_due(sd_event_source *source, uint64_t time_us, void *context)
{
	http_run(context);
	return 0;
}

static int http_on_second(sd_event_source *source, uint64_t time_us, void *context)
{
	struct http *http = context;
	uint64_t now_us = clock_now_us();

	http_clients_expire(&http->clients, now_us);
	for (struct http_client *each = http->clients.first; each; each = each->next) {
		struct http_request *request = each->request;

		if (request && request->state == REQUEST_STREAMING && request->suspended &&
			now_us >= request->told_us + HTTP_STREAM_SIGN_US) {
			request->sign_due = true;
			http_stream_wake(request);
		}
	}
	http_run(http);
	/* Accepting may have rested. */
	if (http->listener)
		(void)sd_event_source_set_enabled(http->listener, SD_EVENT_ON);
	if (http->clients.first)
		http_start_seconds(http);
	return 0;
}

/* Whoever waits for an answer is suspended, so that nobody would see that its connection was shut. */
static void http_end_waiting(struct http *http)
{
	for (struct http_client *each = http->clients.first; each; each = each->next) {
		struct http_request *request = each->request;

		if (!each->shut || !request || request->state != REQUEST_KEPT)
			continue;
		request->gone(request, request->context);
		http_respond(request, 0, NULL);
	}
}

/* Takes ownership of `fd`. */
static void http_add(
	struct http *http, int fd, const struct sockaddr *address, socklen_t size_bytes)
{
	const struct addr from = http_whence(address);

	if (!http_clients_make_room(&http->clients, &from, clock_now_us())) {
		http_client_refuse(fd);
		util_close(fd);
		return;
	}
	http_end_waiting(http);
	/* It closes what it does not take. */
	(void)MHD_add_connection(http->daemon, fd, address, size_bytes);
	http_run(http);
}

void http_adopt(int fd, void *context)
{
	static const struct sockaddr address = { .sa_family = AF_UNIX };

	http_add(context, fd, &address, sizeof(address.sa_family));
}

static void http_rest(struct http *http)
{
	(void)sd_event_source_set_enabled(http->listener, SD_EVENT_OFF);
	http_start_seconds(http);
}

static int http_on_accept(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	static const unsigned int gone_ms = HTTP_ANSWER_US / US_PER_MS;
	struct http *http = context;

	for (unsigned int i = 0; i < HTTP_ACCEPT_MAX; i++) {
		struct sockaddr_storage address = { 0 };
		socklen_t size_bytes = sizeof(address);
		int client = accept4(
			fd, (struct sockaddr *)&address, &size_bytes, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (client < 0) {
			/* It still waits, so that the listener would wake the loop at once, for ever. */
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
				errno == ENOMEM)
				http_rest(http);
			return 0;
		}
		(void)setsockopt(client, IPPROTO_TCP, TCP_USER_TIMEOUT, &gone_ms, sizeof(gone_ms));
		http_add(http, client, (struct sockaddr *)&address, size_bytes);
	}
	return 0;
}

int http_bind(const struct http *http, const struct addr_port *address, int *ret_fd)
{
	int listen_fd = http ? http->listen_fd : -1;

	*ret_fd = HTTP_LISTEN_OFF;
	if (address->addr.family == AF_UNSPEC)
		return 0;
	if (http_socket_is_at(listen_fd, address)) {
		*ret_fd = HTTP_LISTEN_SAME;
		return 0;
	}
	return http_socket_listen(address, listen_fd, ret_fd);
}

int http_set_listener(struct http *http, int fd)
{
	int r = 0;

	if (fd == HTTP_LISTEN_SAME)
		return 0;
	http->listener = sd_event_source_disable_unref(http->listener);
	util_close(http->listen_fd);
	http->listen_fd = fd;
	if (fd < 0)
		return 0;
	r = sd_event_add_io(http->event, &http->listener, fd, EPOLLIN, http_on_accept, http);
	return r < 0 ? r : sd_event_source_set_priority(http->listener, CONTROL_PRIORITY);
}

/* Beginning and end. */

static int http_start_daemon(struct http *http)
{
	int fd, r;

	http->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
		http_on_request, http, MHD_OPTION_NOTIFY_COMPLETED, http_on_completed, http,
		MHD_OPTION_NOTIFY_CONNECTION, http_on_connection, http,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTP_MEMORY_BYTES,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)(HTTP_IDLE_US / US_PER_S),
		MHD_OPTION_CONNECTION_LIMIT, 4 * HTTP_CLIENTS_MAX, MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_END);
	if (!http->daemon)
		return -ENOMEM;
	fd = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	r = sd_event_add_io(http->event, &http->io, fd, EPOLLIN, http_on_io, http);
	if (r >= 0)
		r = sd_event_source_set_priority(http->io, CONTROL_PRIORITY);
	return r;
}

static int http_add_timer(
	struct http *http, sd_event_time_handler_t fn, sd_event_source **ret_timer)
{
	int r = sd_event_add_time(http->event, ret_timer, CLOCK_MONOTONIC, 0, US_PER_MS, fn, http);

	if (r >= 0)
		r = sd_event_source_set_enabled(*ret_timer, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_source_set_priority(*ret_timer, CONTROL_PRIORITY);
	return r;
}

int http_new(sd_event *event, const struct http_path *paths, size_t n_paths, void *context,
	struct http **ret_http)
{
	_cleanup_(http_freep) struct http *http = calloc(1, sizeof(*http));
	int r;

	if (!http)
		return -ENOMEM;
	http->event = sd_event_ref(event);
	http->paths = paths;
	http->n_paths = n_paths;
	http->context = context;
	http->listen_fd = -1;
	/* The last byte stays zero, which a name that is cut would lack. */
	(void)gethostname(http->hostname, sizeof(http->hostname) - 1);
	r = http_add_timer(http, http_on_due, &http->due);
	if (r >= 0)
		r = http_add_timer(http, http_on_second, &http->second);
	if (r >= 0)
		r = http_start_daemon(http);
	if (r < 0)
		return r;
	*ret_http = TAKE_PTR(http);
	return 0;
}

struct http *http_free(struct http *http)
{
	if (!http)
		return NULL;
	http->stopping = true;
	(void)http_set_listener(http, HTTP_LISTEN_OFF);
	sd_event_source_disable_unref(http->io);
	sd_event_source_disable_unref(http->second);
	/* The library stops nobody who is suspended. */
	for (struct http_client *each = http->clients.first; each; each = each->next)
		if (each->request)
			http_stream_wake(each->request);
	if (http->daemon)
		MHD_stop_daemon(http->daemon);
	/* Whoever goes on sets it. */
	sd_event_source_disable_unref(http->due);
	sd_event_unref(http->event);
	free(http);
	return NULL;
}
