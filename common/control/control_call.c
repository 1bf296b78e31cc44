/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client's side of the control socket: one request, one answer, blocking with a deadline.
 * Called by the verbs through common/cli; knows no verb and never logs.
 */
#include "common/control/control_call.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "common/os/clock.h"
#include "common/control/control.h"

#define CALL_CHUNK_BYTES 65536u

/* Waits for `events` until `deadline_us` (0: for ever). 0, -ETIMEDOUT or negative errno. */
static int call_wait(int fd, short events, uint64_t deadline_us)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };

	for (;;) {
		uint64_t now_us = clock_now_us();
		struct timespec left = { 0 };
		int n;

		if (deadline_us > now_us) {
			left.tv_sec = (time_t)((deadline_us - now_us) / US_PER_S);
			left.tv_nsec = (long)((deadline_us - now_us) % US_PER_S * NS_PER_US);
		}
		n = ppoll(&poll_fd, 1, deadline_us ? &left : NULL, NULL);
		if (n > 0)
			return 0;
		if (n == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

static int call_connect(const char *directory, uint64_t timeout_us, int *ret_fd)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval timeout = {
		.tv_sec = (time_t)(timeout_us / US_PER_S),
		.tv_usec = (suseconds_t)(timeout_us % US_PER_S),
	};
	int r;

	if (fd < 0)
		return -errno;
	r = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", directory,
		CONTROL_SOCKET_NAME);
	if (r < 0 || (size_t)r >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	/* connect() to a full backlog waits as long as a send would (af_unix.c:unix_stream_connect). */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* A daemon that refuses early (too long) closes while we send: its answer is still to be read. */
static int call_send(int fd, const char *text, size_t size_bytes, uint64_t deadline_us)
{
	while (size_bytes > 0) {
		ssize_t n;
		int r = call_wait(fd, POLLOUT, deadline_us);

		if (r < 0)
			return r;
		n = send(fd, text, size_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			return 0;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n > 0) {
			text += n;
			size_bytes -= (size_t)n;
		}
	}
	return 0;
}

/* Reads to the line end, which is not part of what is returned. */
static int call_receive(int fd, uint64_t deadline_us, char **ret_line, size_t *ret_line_bytes)
{
	_cleanup_free_ char *line = NULL;
	size_t size_bytes = 0, room_bytes = 0;

	for (;;) {
		ssize_t n;
		int r = call_wait(fd, POLLIN, deadline_us);

		if (r < 0)
			return r;
		if (room_bytes - size_bytes < CALL_CHUNK_BYTES) {
			char *larger =
				realloc(line, room_bytes = room_bytes * 2 + CALL_CHUNK_BYTES);

			if (!larger)
				return -ENOMEM;
			line = larger;
		}
		n = recv(fd, line + size_bytes, CALL_CHUNK_BYTES, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			return n == 0 ? -ECONNRESET : -errno;
		size_bytes += (size_t)n;
		if (line[size_bytes - 1] == '\n')
			break;
		if (size_bytes > CONTROL_ANSWER_MAX)
			return -EMSGSIZE;
	}
	*ret_line = TAKE_PTR(line);
	*ret_line_bytes = size_bytes - 1;
	return 0;
}

static int call_parse(const char *line, size_t line_bytes, json_t **ret_result, char **ret_error)
{
	json_t *answer = json_loadb(line, line_bytes, JSON_REJECT_DUPLICATES, NULL);
	json_t *status_value = json_object_get(answer, "status");
	const char *text = json_string_value(json_object_get(answer, "error"));
	json_int_t status = json_integer_value(status_value);
	char *error;

	if (!json_is_integer(status_value) || status < 0 || status > 255) {
		json_decref(answer);
		return -EPROTO;
	}
	error = strdup(text ? text : "");
	if (error) {
		*ret_result = json_incref(json_object_get(answer, "result"));
		*ret_error = error;
	}
	json_decref(answer);
	return error ? (int)status : -ENOMEM;
}

static int call_exchange(const char *directory, const char *request, size_t request_bytes,
	uint64_t timeout_us, json_t **ret_result, char **ret_error)
{
	uint64_t deadline_us = timeout_us ? clock_now_us() + timeout_us : 0;
	_cleanup_free_ char *line = NULL;
	_cleanup_close_ int fd = -1;
	size_t line_bytes = 0;
	int r;

	r = call_connect(directory, timeout_us, &fd);
	if (r < 0)
		return r;
	r = call_send(fd, request, request_bytes, deadline_us);
	if (r < 0)
		return r;
	r = call_receive(fd, deadline_us, &line, &line_bytes);
	if (r < 0)
		return r;
	return call_parse(line, line_bytes, ret_result, ret_error);
}

/* One line, to free; NULL: an argument is not UTF-8. Steals `args`. */
static char *call_request(const char *verb, json_t *args, size_t *ret_size_bytes)
{
	json_t *request = json_pack("{s:s, s:o*}", "verb", verb, "args", args);
	char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;

	json_decref(request);
	if (!text)
		return NULL;
	/* The line end takes the place of the terminating zero. */
	*ret_size_bytes = strlen(text) + 1;
	text[*ret_size_bytes - 1] = '\n';
	return text;
}

int control_call(const char *directory, const char *verb, json_t *args, uint64_t timeout_us,
	json_t **ret_result, char **ret_error)
{
	size_t size_bytes = 0;
	_cleanup_free_ char *text = call_request(verb, args, &size_bytes);

	/* A verb comes from our own table; what is not UTF-8 are the user's arguments. */
	if (!text)
		return -EINVAL;
	return call_exchange(directory, text, size_bytes, timeout_us, ret_result, ret_error);
}

struct call_stream {
	int fd;
	const struct control_watch *watch;
	char *text;
	size_t text_bytes;
};

/* 1: it goes on; else what control_follow() returns. */
static int call_take_line(
	const char *line, size_t line_bytes, control_line_fn *fn, void *context, char **ret_error)
{
	json_t *json = json_loadb(line, line_bytes, 0, NULL), *result = NULL;
	bool more;
	int r;

	if (!json_is_object(json)) {
		json_decref(json);
		return -EPROTO;
	}
	if (json_object_get(json, "status")) {
		json_decref(json);
		r = call_parse(line, line_bytes, &result, ret_error);
		json_decref(result);
		return r;
	}
	more = fn(json, context);
	json_decref(json);
	return more ? 1 : 0;
}

/* Waits for the daemon and for what else is watched. */
static int call_wait_stream(const struct call_stream *stream)
{
	struct pollfd fds[] = { { stream->fd, POLLIN, 0 }, stream->watch->fds[0],
		stream->watch->fds[1] };

	while (poll(fds, ARRAY_LEN(fds), -1) < 0)
		if (errno != EINTR)
			return util_negative_errno();
	return fds[1].revents || fds[2].revents ? -ECANCELED : 0;
}

static int call_read_stream(struct call_stream *stream)
{
	int r = call_wait_stream(stream);
	ssize_t n;

	if (r < 0)
		return r;
	n = recv(stream->fd, stream->text + stream->text_bytes,
		CONTROL_LINE_MAX - stream->text_bytes, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : util_negative_errno();
	stream->text_bytes += (size_t)n;
	return n == 0 ? -ECONNRESET : 0;
}

static int call_stream(
	struct call_stream *stream, control_line_fn *fn, void *context, char **ret_error)
{
	for (;;) {
		const char *end;
		int r;

		while ((end = memchr(stream->text, '\n', stream->text_bytes))) {
			size_t line_bytes = (size_t)(end - stream->text);

			r = call_take_line(stream->text, line_bytes, fn, context, ret_error);
			if (r != 1)
				return r;
			stream->text_bytes -= line_bytes + 1;
			memmove(stream->text, end + 1, stream->text_bytes);
		}
		if (stream->text_bytes == CONTROL_LINE_MAX)
			return -EMSGSIZE;
		r = call_read_stream(stream);
		if (r < 0)
			return r;
	}
}

int control_follow(const char *directory, const char *verb, json_t *args,
	const struct control_watch *watch, control_line_fn *fn, void *context, char **ret_error)
{
	size_t size_bytes = 0;
	_cleanup_free_ char *text = call_request(verb, args, &size_bytes);
	_cleanup_free_ char *lines = malloc(CONTROL_LINE_MAX);
	_cleanup_close_ int fd = -1;
	struct call_stream stream = { .watch = watch, .text = lines };
	int r;

	if (!text || !lines)
		return text ? -ENOMEM : -EINVAL;
	r = call_connect(directory, 0, &fd);
	if (r >= 0)
		r = call_send(fd, text, size_bytes, 0);
	if (r < 0)
		return r;
	stream.fd = fd;
	return call_stream(&stream, fn, context, ret_error);
}
