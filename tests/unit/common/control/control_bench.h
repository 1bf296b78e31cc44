/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A control socket in a directory of its own, its verbs, and raw clients that write what they like. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/os/clock.h"
#include "common/control/control.h"
#include "common/control/control_text.h"
#include "tests/unit/tools/temp_dir.h"

#define DEADLINE_US (5 * US_PER_S)

/* Of an answer that is not written in one turn (CONTROL_FLUSH_BYTES). */
#define LARGE_BYTES 1500000u

/* Of an answer of which a few reach the limit for unread ones. */
#define HUGE_BYTES ((size_t)12 << 20)

struct fixture {
	char directory[TEMP_DIR_BYTES];
	sd_event *event;
	struct control *control;
	struct control_request *kept;
	struct control_text *shared;
	unsigned int n_served, n_gone;
	bool may_change;
};

static inline void fixture_gone(struct control_request *request, void *context)
{
	struct fixture *fixture = context;

	fixture->n_gone++;
	fixture->kept = NULL;
}

static inline void fixture_reply_text(
	struct control_request *request, char *bytes, size_t size_bytes)
{
	struct control_text *text = control_text_new(bytes, size_bytes);

	control_reply_text(request, text);
	control_text_unref(text);
}

static inline void fixture_verb(struct control_request *request, const char *verb, json_t *args,
	bool may_change, void *context)
{
	struct fixture *fixture = context;

	fixture->n_served++;
	fixture->may_change = may_change;
	if (streq(verb, "wait")) {
		fixture->kept = request;
		control_request_keep(request, fixture_gone, fixture);
	} else if (streq(verb, "keep-and-answer")) {
		control_request_keep(request, NULL, NULL);
		control_reply(request, 0, NULL);
	} else if (streq(verb, "text")) {
		fixture_reply_text(
			request, strdup("{\"status\":0,\"result\":{\"a\":[1,2]}}\n"), 34);
	} else if (streq(verb, "huge")) {
		fixture_reply_text(request, calloc(1, HUGE_BYTES), HUGE_BYTES);
	} else if (streq(verb, "shared")) {
		if (!fixture->shared)
			fixture->shared = control_text_new(calloc(1, HUGE_BYTES), HUGE_BYTES);
		control_reply_text(request, fixture->shared);
	} else if (streq(verb, "large")) {
		char *text = calloc(1, LARGE_BYTES + 1);

		memset(text, 'x', LARGE_BYTES);
		control_reply(request, 0, json_string(text));
		free(text);
	} else if (streq(verb, "change") && !may_change) {
		control_fail(request, CONTROL_PERMISSION, "%s: not permitted", verb);
	} else if (streq(verb, "fail")) {
		control_fail(request, CONTROL_CONFIG, "bad \xff bytes");
	} else {
		control_reply(request, 0, json_incref(args));
	}
}

static inline int fixture_setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	temp_dir_make(fixture->directory);
	assert_int_equal(chmod(fixture->directory, 0755), 0);
	assert_true(sd_event_new(&fixture->event) >= 0);
	assert_int_equal(control_listen(fixture->event, fixture->directory, fixture_verb, fixture,
				 &fixture->control),
		0);
	*state = fixture;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *fixture = *state;
	char path[128];

	control_free(fixture->control);
	control_text_unref(fixture->shared);
	sd_event_unref(fixture->event);
	snprintf(path, sizeof(path), "%s/control.lock", fixture->directory);
	unlink(path);
	/* Fails, and says so, when the socket file was left behind. */
	assert_int_equal(rmdir(fixture->directory), 0);
	free(fixture);
	return 0;
}

static inline int client_connect(const struct fixture *fixture)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.sock", fixture->directory);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static inline void client_write(int fd, const char *text, size_t size_bytes)
{
	assert_int_equal(send(fd, text, size_bytes, MSG_NOSIGNAL), size_bytes);
}

static inline void client_say(int fd, const char *text)
{
	client_write(fd, text, strlen(text));
}

/* Runs the daemon's loop until nothing is to do for a moment. */
static inline void daemon_settle(struct fixture *fixture)
{
	while (sd_event_run(fixture->event, 0) > 0)
		;
}

/* Runs the daemon's loop until the client has read to the end of the connection. */
static inline size_t client_read_all(
	struct fixture *fixture, int fd, char *buffer, size_t room_bytes)
{
	size_t size_bytes = 0;
	uint64_t begin_us, now_us;

	begin_us = clock_now_us();
	for (now_us = begin_us; now_us < begin_us + DEADLINE_US; now_us = clock_now_us()) {
		ssize_t n =
			recv(fd, buffer + size_bytes, room_bytes - 1 - size_bytes, MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno == ECONNRESET))
			break;
		if (n > 0)
			size_bytes += (size_t)n;
		else
			(void)sd_event_run(fixture->event, 10 * US_PER_MS);
	}
	buffer[size_bytes] = '\0';
	close(fd);
	return size_bytes;
}

static inline void assert_answer(struct fixture *fixture, int fd, const char *expected)
{
	char buffer[1024];

	client_read_all(fixture, fd, buffer, sizeof(buffer));
	assert_string_equal(buffer, expected);
}

#define CONTROL_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
