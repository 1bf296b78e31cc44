/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Those who follow, over a real control socket: order, limits, and who does not read. */
#include "tests/unit/tools/temp_dir.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "common/control/control.h"
#include "common/events/events_verb.h"
#include "common/os/clock.h"

#define DEADLINE_US (5 * US_PER_S)

struct fixture {
	char directory[TEMP_DIR_BYTES];
	sd_event *event;
	struct control *control;
	struct events *events;
	struct events_verb *verb;
};

static void serve(struct control_request *request, const char *verb, json_t *args, bool may_change,
	void *context)
{
	events_verb_serve(((struct fixture *)context)->verb, request, args);
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	temp_dir_make(fixture->directory);
	log_set_level(LOG_LEVEL_ERROR);
	assert_true(sd_event_new(&fixture->event) >= 0);
	fixture->events = events_new(fixture->directory);
	fixture->verb = events_verb_new(fixture->events);
	assert_int_equal(control_listen(fixture->event, fixture->directory, serve, fixture,
				 &fixture->control),
		0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	control_free(fixture->control);
	events_verb_free(fixture->verb);
	events_free(fixture->events);
	sd_event_unref(fixture->event);
	temp_dir_remove(fixture->directory);
	free(fixture);
	return 0;
}

static void raise_number(struct fixture *fixture, unsigned int number)
{
	char reason[EVENT_TEXT_BYTES];
	const struct event event = {
		.message = EVENT_BACKEND_STATE,
		.level = LOG_LEVEL_DEBUG,
		.reason = reason,
	};

	memset(reason, 'x', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	events_raise(fixture->events, &event, "number %u", number);
}

static int ask(struct fixture *fixture, bool follow)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const char *text = follow ? "{\"verb\":\"events\",\"args\":{\"follow\":true}}\n"
				  : "{\"verb\":\"events\"}\n";

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.sock", fixture->directory);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	while (sd_event_run(fixture->event, 0) > 0)
		;
	return fd;
}

/* Reads until so many lines came, or the end; returns how many, and the last one's words. */
static unsigned int read_lines(
	struct fixture *fixture, int fd, unsigned int wanted, char *ret_last, size_t last_bytes)
{
	static char text[4u << 20];
	uint64_t end_us = clock_now_us() + DEADLINE_US;
	size_t text_bytes = 0;
	unsigned int n = 0;
	const char *line = text;

	while (n < wanted && clock_now_us() < end_us) {
		ssize_t got =
			recv(fd, text + text_bytes, sizeof(text) - 1 - text_bytes, MSG_DONTWAIT);

		if (got == 0 || (got < 0 && errno == ECONNRESET))
			break;
		if (got < 0) {
			(void)sd_event_run(fixture->event, 10 * US_PER_MS);
			continue;
		}
		for (size_t i = text_bytes; i < text_bytes + (size_t)got; i++)
			if (text[i] == '\n' && ++n < wanted)
				line = text + i + 1;
		text_bytes += (size_t)got;
	}
	text[text_bytes] = '\0';
	snprintf(ret_last, last_bytes, "%.*s", (int)last_bytes - 1, line);
	return n;
}

static void kept_events_are_one_answer(void **state)
{
	struct fixture *fixture = *state;
	char last[4096];
	int fd = ask(fixture, false);

	assert_int_equal(read_lines(fixture, fd, 2, last, sizeof(last)), 1);
	assert_string_equal(last, "");
	close(fd);
	raise_number(fixture, 1);
	raise_number(fixture, 2);
	fd = ask(fixture, false);
	assert_int_equal(read_lines(fixture, fd, 1, last, sizeof(last)), 1);
	assert_non_null(strstr(last, "\"status\":0,\"result\":{\"events\":[{"));
	assert_non_null(strstr(last, "number 1"));
	assert_non_null(strstr(last, "number 2\"}]}}"));
	close(fd);
}

/* More than a socket takes at once. */
static void a_follower_gets_all_that_are_kept_then_what_comes(void **state)
{
	struct fixture *fixture = *state;
	char last[4096];
	int fd;

	for (unsigned int i = 1; i <= EVENTS_KEPT_MAX; i++)
		raise_number(fixture, i);
	fd = ask(fixture, true);
	assert_int_equal(
		read_lines(fixture, fd, EVENTS_KEPT_MAX, last, sizeof(last)), EVENTS_KEPT_MAX);
	assert_non_null(strstr(last, "number 1024"));
	raise_number(fixture, 4711);
	assert_int_equal(read_lines(fixture, fd, 1, last, sizeof(last)), 1);
	assert_non_null(strstr(last, "number 4711"));
	close(fd);
	/* Nobody is there any more. */
	raise_number(fixture, 4712);
	while (sd_event_run(fixture->event, 0) > 0)
		;
	raise_number(fixture, 4713);
}

static void one_that_does_not_read_costs_no_memory(void **state)
{
	struct fixture *fixture = *state;
	char last[4096];
	int fd = ask(fixture, true);

	for (unsigned int i = 1; i <= 4 * EVENTS_KEPT_MAX; i++)
		raise_number(fixture, i);
	/* What left the ring is missing, and what comes is in its order. */
	assert_in_range(read_lines(fixture, fd, 4 * EVENTS_KEPT_MAX, last, sizeof(last)),
		EVENTS_KEPT_MAX, 2 * EVENTS_KEPT_MAX);
	close(fd);
}

static void followers_are_bounded(void **state)
{
	struct fixture *fixture = *state;
	int fds[CONTROL_STREAMS_MAX + 1];
	char last[4096];

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = ask(fixture, true);
	assert_int_equal(read_lines(fixture, fds[CONTROL_STREAMS_MAX], 1, last, sizeof(last)), 1);
	assert_non_null(strstr(last, "{\"status\":69,\"error\":\"too many clients follow already"));
	/* Others are served meanwhile, and a place that is free is taken. */
	close(fds[CONTROL_STREAMS_MAX]);
	fds[CONTROL_STREAMS_MAX] = ask(fixture, false);
	assert_int_equal(read_lines(fixture, fds[CONTROL_STREAMS_MAX], 1, last, sizeof(last)), 1);
	assert_non_null(strstr(last, "\"status\":0"));
	close(fds[CONTROL_STREAMS_MAX]);
	close(fds[0]);
	while (sd_event_run(fixture->event, 0) > 0)
		;
	fds[0] = ask(fixture, true);
	raise_number(fixture, 7);
	assert_int_equal(read_lines(fixture, fds[0], 1, last, sizeof(last)), 1);
	assert_non_null(strstr(last, "number 7"));
	for (size_t i = 0; i < CONTROL_STREAMS_MAX; i++)
		close(fds[i]);
}

static void a_follower_is_told_of_the_end(void **state)
{
	struct fixture *fixture = *state;
	char last[4096];
	int fd = ask(fixture, true);

	raise_number(fixture, 1);
	fixture->control = control_free(fixture->control);
	assert_int_equal(read_lines(fixture, fd, 9, last, sizeof(last)), 2);
	close(fd);
}

#define VERB_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		VERB_TEST(kept_events_are_one_answer),
		VERB_TEST(a_follower_gets_all_that_are_kept_then_what_comes),
		VERB_TEST(one_that_does_not_read_costs_no_memory),
		VERB_TEST(followers_are_bounded),
		VERB_TEST(a_follower_is_told_of_the_end),
	};

	return cmocka_run_group_tests_name("events_verb", tests, NULL, NULL);
}
