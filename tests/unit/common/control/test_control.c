/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket over real Unix sockets: raw clients that write what they like, and
 * control_call() in a thread.
 */
#include "tests/unit/common/control/control_bench.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/wait.h>

#include "common/control/control_call.h"

static void control_answers_one_line(void **state)
{
	struct fixture *fixture = *state;
	int fd = client_connect(fixture);

	client_say(fd, "{\"verb\":\"echo\",\"args\":{\"a\":1}}\n");
	assert_answer(fixture, fd, "{\"status\":0,\"result\":{\"a\":1}}\n");
	fd = client_connect(fixture);
	client_say(fd, "{\"verb\":\"echo\"}\n");
	assert_answer(fixture, fd, "{\"status\":0,\"result\":{}}\n");
}

static void control_answers_a_kept_request_within_its_verb(void **state)
{
	struct fixture *fixture = *state;
	int fd = client_connect(fixture);

	client_say(fd, "{\"verb\":\"keep-and-answer\"}\n");
	assert_answer(fixture, fd, "{\"status\":0}\n");
}

static void control_joins_partial_lines(void **state)
{
	static const char request[] = "{\"verb\":\"echo\",\"args\":{}}\n";
	struct fixture *fixture = *state;
	int fd = client_connect(fixture);

	for (size_t idx = 0; idx < sizeof(request) - 1; idx++) {
		assert_int_equal(fixture->n_served, 0);
		client_write(fd, &request[idx], 1);
		daemon_settle(fixture);
	}
	assert_int_equal(fixture->n_served, 1);
	assert_answer(fixture, fd, "{\"status\":0,\"result\":{}}\n");
}

static void control_refuses_what_is_no_request(void **state)
{
	static const struct {
		const char *request, *error;
	} cases[] = {
		{ "[1]\n", "the request names no verb" },
		{ "{}\n", "the request names no verb" },
		{ "{\"verb\":7}\n", "the request names no verb" },
		{ "{\"verb\":\"a\",\"args\":[]}\n", "the request's args are not an object" },
	};
	struct fixture *fixture = *state;
	char expected[256];
	int fd;

	ARRAY_FOREACH (test, cases, ARRAY_LEN(cases)) {
		fd = client_connect(fixture);
		client_say(fd, test->request);
		snprintf(expected, sizeof(expected), "{\"status\":64,\"error\":\"%s\"}\n",
			test->error);
		assert_answer(fixture, fd, expected);
	}
	fd = client_connect(fixture);
	client_say(fd, "{\"verb\":\"echo\"}");
	shutdown(fd, SHUT_WR);
	assert_answer(fixture, fd, "{\"status\":64,\"error\":\"the request has no line end\"}\n");
	fd = client_connect(fixture);
	client_say(fd, "\xff\n");
	client_read_all(fixture, fd, expected, sizeof(expected));
	assert_non_null(strstr(expected, "\"status\":64"));
	assert_int_equal(fixture->n_served, 0);
}

static void control_answers_an_error_that_is_no_utf8(void **state)
{
	struct fixture *fixture = *state;
	int fd = client_connect(fixture);

	client_say(fd, "{\"verb\":\"fail\"}\n");
	assert_answer(fixture, fd, "{\"status\":78,\"error\":\"the request is not UTF-8\"}\n");
}

/* A request of exactly `size_bytes`, its line end included. */
static char *request_of_size(size_t size_bytes)
{
	char *request;

	if (asprintf(&request, "%-*s}\n", (int)size_bytes - 2, "{\"verb\":\"echo\"") < 0)
		fail();
	return request;
}

static void control_limits_the_request_line(void **state)
{
	struct fixture *fixture = *state;
	char *largest = request_of_size(CONTROL_REQUEST_MAX);
	char *too_large = request_of_size(CONTROL_REQUEST_MAX + 1);
	int fd = client_connect(fixture);

	client_write(fd, largest, CONTROL_REQUEST_MAX);
	assert_answer(fixture, fd, "{\"status\":0,\"result\":{}}\n");
	fd = client_connect(fixture);
	client_write(fd, too_large, CONTROL_REQUEST_MAX + 1);
	assert_answer(fixture, fd,
		"{\"status\":64,\"error\":\"the request is longer than 65536 bytes\"}\n");
	assert_int_equal(fixture->n_served, 1);
	free(largest);
	free(too_large);
}

static void control_leaves_clients_beyond_the_limit_in_the_backlog(void **state)
{
	struct fixture *fixture = *state;
	int fds[CONTROL_CLIENTS_MAX + 1];

	ARRAY_FOREACH (fd, fds, ARRAY_LEN(fds)) {
		*fd = client_connect(fixture);
		daemon_settle(fixture);
	}
	client_say(fds[CONTROL_CLIENTS_MAX], "{\"verb\":\"echo\"}\n");
	daemon_settle(fixture);
	assert_int_equal(fixture->n_served, 0);
	/* One of the others leaves: there is room. */
	close(fds[0]);
	assert_answer(fixture, fds[CONTROL_CLIENTS_MAX], "{\"status\":0,\"result\":{}}\n");
	for (size_t idx = 1; idx < CONTROL_CLIENTS_MAX; idx++) {
		client_say(fds[idx], "{\"verb\":\"echo\"}\n");
		assert_answer(fixture, fds[idx], "{\"status\":0,\"result\":{}}\n");
	}
}

static void control_sends_a_line_that_is_made_already(void **state)
{
	struct fixture *fixture = *state;
	int fd = client_connect(fixture);

	client_say(fd, "{\"verb\":\"text\"}\n");
	assert_answer(fixture, fd, "{\"status\":0,\"result\":{\"a\":[1,2]}}\n");
}

static void control_keeps_serving_while_requests_are_kept(void **state)
{
	struct fixture *fixture = *state;
	int fds[CONTROL_KEPT_MAX], extra, first_answered;

	ARRAY_FOREACH (fd, fds, ARRAY_LEN(fds)) {
		*fd = client_connect(fixture);
		client_say(*fd, "{\"verb\":\"wait\"}\n");
		daemon_settle(fixture);
	}
	assert_int_equal(fixture->n_served, CONTROL_KEPT_MAX);
	extra = client_connect(fixture);
	client_say(extra, "{\"verb\":\"echo\"}\n");
	daemon_settle(fixture);
	assert_int_equal(fixture->n_served, CONTROL_KEPT_MAX);
	control_reply(TAKE_PTR(fixture->kept), 0, NULL);
	first_answered = fds[CONTROL_KEPT_MAX - 1];
	assert_answer(fixture, first_answered, "{\"status\":0}\n");
	assert_answer(fixture, extra, "{\"status\":0,\"result\":{}}\n");
	for (size_t idx = 0; idx + 1 < CONTROL_KEPT_MAX; idx++)
		close(fds[idx]);
	daemon_settle(fixture);
	assert_int_equal(fixture->n_gone, CONTROL_KEPT_MAX - 1);
}

static void control_tells_when_a_waiting_client_has_gone(void **state)
{
	struct fixture *fixture = *state;
	int fd = client_connect(fixture);

	client_say(fd, "{\"verb\":\"wait\"}\n");
	/* A half-closed client (`nc -N`) still waits. */
	shutdown(fd, SHUT_WR);
	daemon_settle(fixture);
	assert_int_equal(fixture->n_gone, 0);
	assert_non_null(fixture->kept);
	close(fd);
	daemon_settle(fixture);
	assert_int_equal(fixture->n_gone, 1);
}

static void control_is_not_held_up_by_a_slow_reader(void **state)
{
	struct fixture *fixture = *state;
	char *buffer = malloc(LARGE_BYTES + 100);
	int slow = client_connect(fixture), fast;
	size_t size_bytes;

	client_say(slow, "{\"verb\":\"large\"}\n");
	daemon_settle(fixture);
	fast = client_connect(fixture);
	client_say(fast, "{\"verb\":\"echo\"}\n");
	assert_answer(fixture, fast, "{\"status\":0,\"result\":{}}\n");
	size_bytes = client_read_all(fixture, slow, buffer, LARGE_BYTES + 100);
	assert_int_equal(size_bytes, LARGE_BYTES + strlen("{\"status\":0,\"result\":\"\"}\n"));
	free(buffer);
}

static void take_http(int fd, void *context)
{
	char *said = context;
	ssize_t n = read(fd, said, 63);

	assert_true(n > 0);
	said[n] = '\0';
	close(fd);
}

/* Unread, and without a place of those who ask in JSON. */
static void control_hands_http_over(void **state)
{
	struct fixture *fixture = *state;
	char buffer[256], said[64] = "";
	int fd = client_connect(fixture);

	control_set_http(fixture->control, take_http, said);
	client_say(fd, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
	client_read_all(fixture, fd, buffer, sizeof(buffer));
	assert_string_equal(buffer, "");
	assert_string_equal(said, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
	fd = client_connect(fixture);
	client_say(fd, "{\"verb\":\"echo\"}\n");
	assert_answer(fixture, fd, "{\"status\":0,\"result\":{}}\n");
}

static void control_socket_is_for_its_group(void **state)
{
	struct fixture *fixture = *state;
	char path[128];
	struct stat file;

	snprintf(path, sizeof(path), "%s/control.sock", fixture->directory);
	assert_int_equal(lstat(path, &file), 0);
	assert_int_equal(file.st_mode, S_IFSOCK | 0660);
}

static void control_lets_its_own_user_change(void **state)
{
	struct fixture *fixture = *state;
	int fd = client_connect(fixture);

	client_say(fd, "{\"verb\":\"change\"}\n");
	assert_answer(fixture, fd, "{\"status\":0,\"result\":{}}\n");
	assert_true(fixture->may_change);
}

/* Becomes nobody (in the socket's group or not), asks for a change, returns the answer's status. */
static int call_as_nobody(const struct fixture *fixture, gid_t gid)
{
	json_t *result = NULL;
	char *error = NULL;
	int r;

	if (setgid(gid) < 0 || setuid(65534) < 0)
		return 200;
	r = control_call(fixture->directory, "change", NULL, DEADLINE_US, &result, &error);
	return r < 0 ? 100 - r : r;
}

static int status_of_nobody(struct fixture *fixture, gid_t gid)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(call_as_nobody(fixture, gid));
	while (waitpid(pid, &status, WNOHANG) == 0)
		(void)sd_event_run(fixture->event, 10 * US_PER_MS);
	return WEXITSTATUS(status);
}

static void control_lets_others_look_by_group_and_change_never(void **state)
{
	struct fixture *fixture = *state;

	if (geteuid() != 0) {
		print_message("skipped: needs root to become another user\n");
		skip();
	}
	assert_int_equal(status_of_nobody(fixture, 0), CONTROL_PERMISSION);
	assert_int_equal(status_of_nobody(fixture, 65534), 100 + EACCES);
}

static void control_refuses_a_second_daemon(void **state)
{
	struct fixture *fixture = *state;
	struct control *second = NULL;
	int fd;

	assert_int_equal(
		control_listen(fixture->event, fixture->directory, fixture_verb, fixture, &second),
		-EADDRINUSE);
	assert_null(second);
	fd = client_connect(fixture);
	client_say(fd, "{\"verb\":\"echo\"}\n");
	assert_answer(fixture, fd, "{\"status\":0,\"result\":{}}\n");
}

static void control_replaces_a_stale_socket_file(void **state)
{
	struct fixture *fixture = *state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	control_free(TAKE_PTR(fixture->control));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.sock", fixture->directory);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(control_listen(fixture->event, fixture->directory, fixture_verb, fixture,
				 &fixture->control),
		0);
	fd = client_connect(fixture);
	client_say(fd, "{\"verb\":\"echo\"}\n");
	assert_answer(fixture, fd, "{\"status\":0,\"result\":{}}\n");
}

static void control_leaves_a_file_that_is_no_socket(void **state)
{
	struct fixture *fixture = *state;
	char path[128];

	control_free(TAKE_PTR(fixture->control));
	snprintf(path, sizeof(path), "%s/control.sock", fixture->directory);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(control_listen(fixture->event, fixture->directory, fixture_verb, fixture,
				 &fixture->control),
		-EEXIST);
	assert_int_equal(unlink(path), 0);
}

static void control_tells_waiting_clients_that_it_stops(void **state)
{
	struct fixture *fixture = *state;
	int fd = client_connect(fixture);

	client_say(fd, "{\"verb\":\"wait\"}\n");
	daemon_settle(fixture);
	control_free(TAKE_PTR(fixture->control));
	assert_answer(fixture, fd, "{\"status\":69,\"error\":\"the daemon stops\"}\n");
	assert_int_equal(fixture->n_gone, 0);
}

struct call {
	const struct fixture *fixture;
	const char *verb;
	json_t *args, *result;
	char *error;
	uint64_t timeout_us;
	int status;
};

static void *call_main(void *context)
{
	struct call *call = context;

	call->status = control_call(call->fixture->directory, call->verb, call->args,
		call->timeout_us, &call->result, &call->error);
	return NULL;
}

static void call_run(struct fixture *fixture, struct call *call)
{
	pthread_t thread;

	call->fixture = fixture;
	assert_int_equal(pthread_create(&thread, NULL, call_main, call), 0);
	while (pthread_tryjoin_np(thread, NULL) != 0)
		(void)sd_event_run(fixture->event, 10 * US_PER_MS);
}

static void control_call_gets_result_and_error(void **state)
{
	struct call echo = { .verb = "echo", .args = json_pack("{s:s}", "backend", "web1") };
	struct call fail = { .verb = "fail" }, large = { .verb = "large" };

	call_run(*state, &echo);
	assert_int_equal(echo.status, 0);
	assert_string_equal(json_string_value(json_object_get(echo.result, "backend")), "web1");
	assert_string_equal(echo.error, "");
	json_decref(echo.result);
	free(echo.error);
	call_run(*state, &fail);
	assert_int_equal(fail.status, CONTROL_CONFIG);
	assert_null(fail.result);
	assert_string_equal(fail.error, "the request is not UTF-8");
	free(fail.error);
	call_run(*state, &large);
	assert_int_equal(json_string_length(large.result), LARGE_BYTES);
	json_decref(large.result);
	free(large.error);
}

static void control_call_hears_why_it_was_too_long(void **state)
{
	size_t text_len = (size_t)4 * CONTROL_REQUEST_MAX;
	char *text = calloc(1, text_len + 1);
	struct call call = { .verb = "echo" };

	memset(text, 'x', text_len);
	call.args = json_pack("{s:s}", "backend", text);
	call_run(*state, &call);
	assert_int_equal(call.status, CONTROL_USAGE);
	assert_string_equal(call.error, "the request is longer than 65536 bytes");
	free(call.error);
	free(text);
}

static void control_call_times_out(void **state)
{
	struct call call = { .verb = "wait", .timeout_us = 50 * US_PER_MS };

	call_run(*state, &call);
	assert_int_equal(call.status, -ETIMEDOUT);
}

static void control_call_tells_that_nobody_serves(void **state)
{
	struct fixture *fixture = *state;
	struct call call = { .verb = "echo" };

	control_free(TAKE_PTR(fixture->control));
	call_run(fixture, &call);
	assert_int_equal(call.status, -ENOENT);
	call.args = json_object();
	json_object_set_new(call.args, "x", json_stringn_nocheck("\xff", 1));
	call_run(fixture, &call);
	assert_int_equal(call.status, -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONTROL_TEST(control_answers_one_line),
		CONTROL_TEST(control_sends_a_line_that_is_made_already),
		CONTROL_TEST(control_answers_a_kept_request_within_its_verb),
		CONTROL_TEST(control_joins_partial_lines),
		CONTROL_TEST(control_refuses_what_is_no_request),
		CONTROL_TEST(control_answers_an_error_that_is_no_utf8),
		CONTROL_TEST(control_limits_the_request_line),
		CONTROL_TEST(control_leaves_clients_beyond_the_limit_in_the_backlog),
		CONTROL_TEST(control_keeps_serving_while_requests_are_kept),
		CONTROL_TEST(control_tells_when_a_waiting_client_has_gone),
		CONTROL_TEST(control_is_not_held_up_by_a_slow_reader),
		CONTROL_TEST(control_hands_http_over),
		CONTROL_TEST(control_socket_is_for_its_group),
		CONTROL_TEST(control_lets_its_own_user_change),
		CONTROL_TEST(control_lets_others_look_by_group_and_change_never),
		CONTROL_TEST(control_refuses_a_second_daemon),
		CONTROL_TEST(control_replaces_a_stale_socket_file),
		CONTROL_TEST(control_leaves_a_file_that_is_no_socket),
		CONTROL_TEST(control_tells_waiting_clients_that_it_stops),
		CONTROL_TEST(control_call_gets_result_and_error),
		CONTROL_TEST(control_call_hears_why_it_was_too_long),
		CONTROL_TEST(control_call_times_out),
		CONTROL_TEST(control_call_tells_that_nobody_serves),
	};

	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
