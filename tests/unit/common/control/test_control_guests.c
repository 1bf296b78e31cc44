/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What members of the socket's group, who may look only, can and cannot take from others. */
#include "tests/unit/common/control/control_bench.h"

#include <fcntl.h>
#include <poll.h>

/* Connects as a member of the socket's group: the peer's user is that of connect(). */
static int guest_connect(const struct fixture *fixture)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/control.sock", fixture->directory);
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(seteuid(65534), 0);
	fd = client_connect(fixture);
	assert_int_equal(seteuid(0), 0);
	return fd;
}

static int guest_say(struct fixture *fixture, const char *text)
{
	int fd = guest_connect(fixture);

	client_say(fd, text);
	daemon_settle(fixture);
	return fd;
}

#define REQUIRE_ROOT() \
	do { \
		if (geteuid() != 0) { \
			print_message("skipped: needs root to become another user\n"); \
			skip(); \
		} \
	} while (0)

static void assert_root_is_served(struct fixture *fixture)
{
	int fd = client_connect(fixture);

	client_say(fd, "{\"verb\":\"change\"}\n");
	daemon_settle(fixture);
	assert_answer(fixture, fd, "{\"status\":0,\"result\":{}}\n");
}

static void control_serves_root_whatever_guests_do(void **state)
{
	struct fixture *fixture = *state;
	int fds[CONTROL_GUESTS_MAX + 1];

	REQUIRE_ROOT();
	ARRAY_FOREACH (fd, fds, ARRAY_LEN(fds)) {
		*fd = guest_connect(fixture);
		daemon_settle(fixture);
	}
	assert_root_is_served(fixture);
	/* All have just come, so that none of them gives way to one more. */
	assert_answer(fixture, fds[CONTROL_GUESTS_MAX],
		"{\"status\":69,\"error\":\"too many clients; try again\"}\n");
	for (size_t idx = 0; idx < CONTROL_GUESTS_MAX; idx++)
		close(fds[idx]);
}

static void control_closes_an_idle_guest_for_a_new_one(void **state)
{
	struct fixture *fixture = *state;
	uint64_t end_us = clock_now_us() + DEADLINE_US;
	int fds[CONTROL_GUESTS_MAX];
	char buffer[256];

	REQUIRE_ROOT();
	ARRAY_FOREACH (fd, fds, ARRAY_LEN(fds)) {
		*fd = guest_connect(fixture);
		daemon_settle(fixture);
	}
	do {
		assert_true(clock_now_us() < end_us);
		(void)sd_event_run(fixture->event, 50 * US_PER_MS);
		client_read_all(fixture, guest_say(fixture, "{\"verb\":\"echo\"}\n"), buffer,
			sizeof(buffer));
	} while (!streq(buffer, "{\"status\":0,\"result\":{}}\n"));
	/* It was the first one that was closed. */
	assert_int_equal(recv(fds[0], buffer, 1, MSG_DONTWAIT), 0);
	assert_true(recv(fds[CONTROL_GUESTS_MAX - 1], buffer, 1, MSG_DONTWAIT) < 0);
	ARRAY_FOREACH (fd, fds, ARRAY_LEN(fds))
		close(*fd);
}

static void control_makes_few_answers_at_once_for_guests(void **state)
{
	struct fixture *fixture = *state;
	int fds[CONTROL_GUESTS_BUSY_MAX + 3];
	char *buffer = malloc(LARGE_BYTES + 100);

	REQUIRE_ROOT();
	ARRAY_FOREACH (fd, fds, ARRAY_LEN(fds))
		*fd = guest_say(fixture, "{\"verb\":\"large\"}\n");
	/* Nobody reads. */
	assert_int_equal(fixture->n_served, CONTROL_GUESTS_BUSY_MAX);
	assert_root_is_served(fixture);
	close(fds[0]);
	close(fds[ARRAY_LEN(fds) - 1]); /* while it waits for its turn */
	for (size_t idx = 1; idx + 1 < ARRAY_LEN(fds); idx++)
		assert_true(client_read_all(fixture, fds[idx], buffer, LARGE_BYTES + 100) >
			LARGE_BYTES);
	assert_int_equal(fixture->n_served, CONTROL_GUESTS_BUSY_MAX + 2 + 1);
	free(buffer);
}

/* Runs the loop for so long. */
static void daemon_run_for(struct fixture *fixture, uint64_t time_us)
{
	uint64_t end_us = clock_now_us() + time_us;

	while (clock_now_us() < end_us)
		(void)sd_event_run(fixture->event, 10 * US_PER_MS);
}

static bool client_is_closed(int fd)
{
	static char buffer[65536];
	ssize_t n;

	while ((n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0)
		continue;
	return n == 0;
}

static void control_bounds_the_bytes_that_guests_do_not_read(void **state)
{
	struct fixture *fixture = *state;
	unsigned int n_fit = (CONTROL_UNREAD_MAX_BYTES + HUGE_BYTES - 1) / HUGE_BYTES;
	uint64_t end_us = clock_now_us() + DEADLINE_US;
	int fds[8];

	REQUIRE_ROOT();
	ARRAY_FOREACH (fd, fds, ARRAY_LEN(fds))
		*fd = guest_say(fixture, "{\"verb\":\"huge\"}\n");
	assert_int_equal(fixture->n_served, n_fit);
	assert_root_is_served(fixture);
	/* They take nothing: the others have their turn. */
	while (fixture->n_served < n_fit + 1 + n_fit) {
		assert_true(clock_now_us() < end_us);
		daemon_run_for(fixture, 10 * US_PER_MS);
	}
	assert_int_equal(fixture->n_served, n_fit + 1 + n_fit);
	assert_true(client_is_closed(fds[0]));
	assert_false(client_is_closed(fds[n_fit]));
	ARRAY_FOREACH (fd, fds, ARRAY_LEN(fds))
		close(*fd);
}

static void control_keeps_unread_answers_while_nobody_needs_the_place(void **state)
{
	struct fixture *fixture = *state;
	int fd;

	REQUIRE_ROOT();
	fd = guest_say(fixture, "{\"verb\":\"huge\"}\n");
	daemon_run_for(fixture, CONTROL_UNREAD_US + 100 * US_PER_MS);
	assert_false(client_is_closed(fd));
	close(fd);
}

static void control_counts_a_shared_answer_once(void **state)
{
	struct fixture *fixture = *state;
	int fds[CONTROL_GUESTS_BUSY_MAX];

	REQUIRE_ROOT();
	ARRAY_FOREACH (fd, fds, ARRAY_LEN(fds))
		*fd = guest_say(fixture, "{\"verb\":\"shared\"}\n");
	assert_int_equal(fixture->n_served, CONTROL_GUESTS_BUSY_MAX);
	ARRAY_FOREACH (fd, fds, ARRAY_LEN(fds))
		close(*fd);
}

static void control_serves_root_beside_its_unread_answers(void **state)
{
	struct fixture *fixture = *state;
	int fds[8];

	ARRAY_FOREACH (fd, fds, ARRAY_LEN(fds)) {
		*fd = client_connect(fixture);
		client_say(*fd, "{\"verb\":\"huge\"}\n");
		daemon_settle(fixture);
	}
	assert_int_equal(fixture->n_served, ARRAY_LEN(fds));
	daemon_run_for(fixture, CONTROL_UNREAD_US + 50 * US_PER_MS);
	assert_root_is_served(fixture);
	ARRAY_FOREACH (fd, fds, ARRAY_LEN(fds)) {
		assert_true(client_is_closed(*fd));
		close(*fd);
	}
}

static int count_turn(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	unsigned int *n_turns = userdata;

	++*n_turns;
	return 0;
}

static void control_gives_way_to_the_daemons_work(void **state)
{
	struct fixture *fixture = *state;
	int fd = client_connect(fixture), ends[2];
	sd_event_source *source = NULL;
	unsigned int n_turns = 0;

	client_say(fd, "{\"verb\":\"echo\"}\n");
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_true(sd_event_add_io(
			    fixture->event, &source, ends[0], POLLIN, count_turn, &n_turns) >= 0);
	for (unsigned int turn = 0; turn < 8; turn++)
		assert_true(sd_event_run(fixture->event, 0) > 0);
	assert_int_equal(n_turns, 8);
	assert_int_equal(fixture->n_served, 0);
	sd_event_source_disable_unref(source);
	assert_answer(fixture, fd, "{\"status\":0,\"result\":{}}\n");
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONTROL_TEST(control_serves_root_whatever_guests_do),
		CONTROL_TEST(control_closes_an_idle_guest_for_a_new_one),
		CONTROL_TEST(control_makes_few_answers_at_once_for_guests),
		CONTROL_TEST(control_bounds_the_bytes_that_guests_do_not_read),
		CONTROL_TEST(control_keeps_unread_answers_while_nobody_needs_the_place),
		CONTROL_TEST(control_counts_a_shared_answer_once),
		CONTROL_TEST(control_serves_root_beside_its_unread_answers),
		CONTROL_TEST(control_gives_way_to_the_daemons_work),
	};

	return cmocka_run_group_tests_name("control_guests", tests, NULL, NULL);
}
