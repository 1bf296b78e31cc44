/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The paths of both daemons by raw clients, over socket pairs as the control socket hands them over, and over TCP. */
#include "tests/unit/tools/temp_dir.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "common/control/control_text.h"
#include "common/events/events.h"
#include "common/http/http_common.h"
#include "common/os/clock.h"

#define DEADLINE_US (10 * US_PER_S)
#define LARGE_BYTES ((size_t)9 << 20)

struct fixture {
	char directory[TEMP_DIR_BYTES];
	sd_event *event;
	struct events *events;
	struct http_common *common;
	struct http_request *kept;
	struct addr_port address;
	unsigned int n_gone;
	bool ready;
};

static void on_gone(struct http_request *request, void *context)
{
	struct fixture *fixture = context;

	fixture->kept = NULL;
	fixture->n_gone++;
}

/* Answered later. */
static void on_metrics(struct http_request *request, void *context)
{
	struct fixture *fixture = context;

	fixture->kept = request;
	http_keep(request, on_gone, fixture);
}

/* Large, each of its own. */
static void on_status(struct http_request *request, void *context)
{
	struct http_content content = http_common_json;
	struct control_text *text;
	char *bytes = malloc(LARGE_BYTES);

	memset(bytes, '7', LARGE_BYTES);
	text = control_text_new(bytes, LARGE_BYTES);
	content.skip_front_bytes = 2;
	content.skip_back_bytes = 1;
	http_answer(request, 200, &content, text);
	control_text_unref(text);
}

static bool on_ready(void *context, struct why *ret_why)
{
	const struct fixture *fixture = context;

	if (!fixture->ready)
		why_set(ret_why, "nobody is up");
	return fixture->ready;
}

static const struct http_common_calls calls = { on_metrics, on_status, on_ready };

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct sockaddr_in bound;
	socklen_t size_bytes = sizeof(bound);
	int fd;

	temp_dir_make(fixture->directory);
	log_set_level(LOG_LEVEL_ERROR);
	assert_true(sd_event_new(&fixture->event) >= 0);
	fixture->events = events_new(fixture->directory);
	assert_int_equal(
		http_common_new(fixture->event, fixture->events, &calls, fixture, &fixture->common),
		0);
	assert_int_equal(addr_parse("127.0.0.1", &fixture->address.addr), 0);
	assert_int_equal(http_bind(NULL, &fixture->address, &fd), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &size_bytes), 0);
	fixture->address.port = ntohs(bound.sin_port);
	assert_true(http_set_listener(http_common_server(fixture->common), fd) >= 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	http_common_free(fixture->common);
	events_free(fixture->events);
	sd_event_unref(fixture->event);
	temp_dir_remove(fixture->directory);
	free(fixture);
	return 0;
}

/* As the control socket hands it over. */
static int local_client(struct fixture *fixture)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	http_adopt(fds[1], http_common_server(fixture->common));
	return fds[0];
}

static int tcp_client_from(const struct fixture *fixture, const char *source)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct addr_port from = { 0 };
	struct sockaddr_storage address;
	socklen_t size_bytes;

	assert_int_equal(addr_parse(source, &from.addr), 0);
	size_bytes = addr_to_sockaddr(&from, 0, &address);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size_bytes), 0);
	size_bytes = addr_to_sockaddr(&fixture->address, 0, &address);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, size_bytes), 0);
	return fd;
}

static int tcp_client(const struct fixture *fixture)
{
	return tcp_client_from(fixture, "127.0.0.1");
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

#define TURNS_AT_ONCE 10u

/* Runs the loop until this stands in what was read (NULL: until the connection ends). */
static void read_until(
	struct fixture *fixture, int fd, const char *words, char *buffer, size_t room_bytes)
{
	uint64_t end_us = clock_now_us() + DEADLINE_US;
	size_t size_bytes = 0;

	while (clock_now_us() < end_us) {
		ssize_t n =
			recv(fd, buffer + size_bytes, room_bytes - 1 - size_bytes, MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno == ECONNRESET)) {
			buffer[size_bytes] = '\0';
			if (words && !strstr(buffer, words))
				fail_msg("ended without %s: %s", words, buffer);
			return;
		}
		size_bytes += n > 0 ? (size_t)n : 0;
		buffer[size_bytes] = '\0';
		if (words && strstr(buffer, words))
			return;
		if (n < 0)
			(void)sd_event_run(fixture->event, 10 * US_PER_MS);
	}
	fail_msg("no %s: %s", words ? words : "end", buffer);
}

static void assert_says(
	struct fixture *fixture, int fd, const char *request, const char *status, const char *words)
{
	char answer[65536], expected[64];

	say(fd, request);
	read_until(fixture, fd, NULL, answer, sizeof(answer));
	snprintf(expected, sizeof(expected), "HTTP/1.1 %s ", status);
	if (strncmp(answer, expected, strlen(expected)) != 0 || !strstr(answer, words))
		fail_msg("%s: %s", request, answer);
	close(fd);
}

static void http_common_answers_at_its_paths(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		const char *request, *status, *words;
	} cases[] = {
		{ "GET /healthz", "200", "\r\n\r\nok\n" },
		{ "GET /readyz", "503", "\r\n\r\nnot ready: nobody is up\n" },
		{ "GET /readyz?verbose=1", "503", "not ready" },
		{ "GET /", "200", "script-src 'sha256-" },
		{ "GET /", "200", "</html>" },
		{ "GET /healthz", "200", "X-Content-Type-Options: nosniff\r\n" },
		{ "GET /healthz", "200", "Cache-Control: no-store\r\n" },
		{ "GET /healthz", "200",
			"Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n" },
		{ "GET /nothing", "404", "nothing is at this path" },
		{ "GET /metrics/", "404", "" },
		{ "POST /healthz", "405", "Allow: GET, HEAD\r\n" },
		{ "DELETE /metrics", "405", "nothing can be changed here" },
		{ "OPTIONS /", "405", "" },
	};
	char request[256];

	ARRAY_FOREACH (test, cases, ARRAY_LEN(cases)) {
		snprintf(request, sizeof(request),
			"%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
			test->request);
		assert_says(fixture, tcp_client(fixture), request, test->status, test->words);
		assert_says(fixture, local_client(fixture), request, test->status, test->words);
	}
	fixture->ready = true;
	assert_says(fixture, local_client(fixture),
		"GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "200",
		"\r\n\r\nready\n");
}

static void http_common_answers_head_without_a_body(void **state)
{
	struct fixture *fixture = *state;
	char answer[8192];
	int fd = local_client(fixture);

	say(fd, "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
	read_until(fixture, fd, NULL, answer, sizeof(answer));
	assert_non_null(strstr(answer, "Content-Length: 3\r\n"));
	assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
	close(fd);
	/* Nobody could take a stream of it. */
	assert_says(fixture, local_client(fixture),
		"HEAD /api/v1/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
		"200", "Content-Type: text/event-stream\r\n");
}

static void http_common_is_asked_in_its_own_name(void **state)
{
	static const char rebound[] =
		"GET /healthz HTTP/1.1\r\nHost: rebound.example.com\r\nConnection: close\r\n\r\n";
	struct fixture *fixture = *state;

	assert_says(fixture, tcp_client(fixture), rebound, "421", "no host of this name");
	/* Whoever reaches the control socket is no browser. */
	assert_says(fixture, local_client(fixture), rebound, "200", "ok");
}

static void http_common_limits_headers(void **state)
{
	struct fixture *fixture = *state;
	char *request;

	for (int bytes = 1000; bytes < 100000; bytes *= 3) {
		bool fits = bytes + 70 < (int)HTTP_HEADER_MAX_BYTES;

		assert_true(asprintf(&request,
				    "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: "
				    "close\r\nX: %0*d\r\n\r\n",
				    bytes, 0) > 0);
		/* What it does not read any more may fail to be sent. */
		if (bytes < 60000)
			assert_says(
				fixture, local_client(fixture), request, fits ? "200" : "431", "");
		free(request);
	}
}

static void http_common_answers_later(void **state)
{
	struct fixture *fixture = *state;
	struct control_text *text = control_text_new(strdup("a_metric 1\n"), 11);
	int fd = local_client(fixture);
	char answer[4096];

	say(fd, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
	while (!fixture->kept)
		(void)sd_event_run(fixture->event, DEADLINE_US);
	http_answer(fixture->kept, 200, &http_common_metrics, text);
	control_text_unref(text);
	/* At once, not when the library is looked after the next time, in a second. */
	for (unsigned int turns = 0; turns < TURNS_AT_ONCE; turns++)
		(void)sd_event_run(fixture->event, 10 * US_PER_MS);
	assert_true(recv(fd, answer, sizeof(answer), MSG_PEEK | MSG_DONTWAIT) > 0);
	read_until(fixture, fd, NULL, answer, sizeof(answer));
	assert_non_null(
		strstr(answer, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
	assert_non_null(strstr(answer, "\r\n\r\na_metric 1\n"));
	assert_int_equal(fixture->n_gone, 0);
	close(fd);
}

static void http_common_tells_when_nobody_waits_any_more(void **state)
{
	struct fixture *fixture = *state;
	int fd = local_client(fixture);

	say(fd, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
	while (!fixture->kept)
		(void)sd_event_run(fixture->event, DEADLINE_US);
	fixture->common = http_common_free(fixture->common);
	assert_int_equal(fixture->n_gone, 1);
	close(fd);
}

static void http_common_holds_few_answers_that_nobody_takes(void **state)
{
	static const char request[] =
		"GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	int slow[HTTP_UNREAD_MAX_BYTES / LARGE_BYTES + 1];
	struct fixture *fixture = *state;
	char *answer = malloc(LARGE_BYTES + 4096);

	ARRAY_FOREACH (fd, slow, ARRAY_LEN(slow)) {
		*fd = local_client(fixture);
		say(*fd, request);
		read_until(fixture, *fd, "\r\n\r\n", answer, 1024);
		assert_int_equal(strncmp(answer, "HTTP/1.1 200 ", 13), 0);
	}
	assert_says(fixture, local_client(fixture), request, "503", "Retry-After: 1\r\n");
	ARRAY_FOREACH (fd, slow, ARRAY_LEN(slow))
		close(*fd);
	while (sd_event_run(fixture->event, 10 * US_PER_MS) > 0)
		;
	slow[0] = local_client(fixture);
	say(slow[0], request);
	read_until(fixture, slow[0], NULL, answer, LARGE_BYTES + 4096);
	assert_int_equal(strlen(strstr(answer, "\r\n\r\n")), LARGE_BYTES - 3 + 4);
	close(slow[0]);
	free(answer);
}

static void http_common_has_places_for_few(void **state)
{
	int idle[HTTP_CLIENTS_MAX + 1];
	struct fixture *fixture = *state;
	char answer[1024];

	ARRAY_FOREACH (fd, idle, ARRAY_LEN(idle))
		*fd = tcp_client(fixture);
	read_until(fixture, idle[0], NULL, answer, sizeof(answer));
	assert_int_equal(strncmp(answer, "HTTP/1.1 503 ", 13), 0);
	assert_non_null(strstr(answer, "\r\n\r\ntoo many clients; try again\n"));
	assert_says(fixture, local_client(fixture),
		"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "200", "ok");
	ARRAY_FOREACH (fd, idle, ARRAY_LEN(idle))
		close(*fd);
}

static struct http_request *wait_for_another(struct fixture *fixture, struct http_request *last)
{
	const uint64_t end_us = clock_now_us() + DEADLINE_US;

	while (!fixture->kept || fixture->kept == last) {
		if (clock_now_us() >= end_us)
			fail_msg("nobody asks");
		(void)sd_event_run(fixture->event, 10 * US_PER_MS);
	}
	return fixture->kept;
}

/* Who has all places, each of them asking, and another. */
static void http_common_has_a_place_for_who_has_less(void **state)
{
	static const char request[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
	int many[HTTP_CLIENTS_MAX], fd;
	struct fixture *fixture = *state;
	struct http_request *last = NULL;
	char answer[4096];

	ARRAY_FOREACH (each, many, ARRAY_LEN(many)) {
		*each = tcp_client_from(fixture, "127.0.0.2");
		say(*each, request);
		last = wait_for_another(fixture, last);
	}
	assert_int_equal(fixture->n_gone, 0);
	fd = tcp_client(fixture);
	say(fd, request);
	(void)wait_for_another(fixture, last);
	/* Whoever had to go waits for nothing any more. */
	assert_int_equal(fixture->n_gone, 1);
	read_until(fixture, many[0], NULL, answer, sizeof(answer));
	assert_string_equal(answer, "");
	close(many[0]);
	/* It comes again, and the other is answered all the same. */
	many[0] = tcp_client_from(fixture, "127.0.0.2");
	read_until(fixture, many[0], NULL, answer, sizeof(answer));
	assert_int_equal(strncmp(answer, "HTTP/1.1 503 ", 13), 0);
	http_say(fixture->kept, 200, "numbers");
	read_until(fixture, fd, "\r\n\r\nnumbers\n", answer, sizeof(answer));
	fixture->common = http_common_free(fixture->common);
	assert_int_equal(fixture->n_gone, HTTP_CLIENTS_MAX);
	close(fd);
	ARRAY_FOREACH (each, many, ARRAY_LEN(many))
		close(*each);
}

static void http_common_keeps_a_connection(void **state)
{
	struct fixture *fixture = *state;
	char answer[4096];
	int fd = tcp_client(fixture);

	for (unsigned int i = 0; i < 3; i++) {
		say(fd, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
		read_until(fixture, fd, "\r\n\r\nok\n", answer, sizeof(answer));
	}
	close(fd);
}

static void raise_number(struct fixture *fixture, unsigned int number)
{
	events_raise(fixture->events,
		&(struct event){ .message = EVENT_BACKEND_STATE, .level = LOG_LEVEL_DEBUG },
		"number %u;", number);
}

static void http_common_streams_events(void **state)
{
	struct fixture *fixture = *state;
	char answer[65536], request[256];
	unsigned long long id;
	int fd = local_client(fixture);

	raise_number(fixture, 1);
	say(fd, "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
	read_until(fixture, fd, "number 1;", answer, sizeof(answer));
	assert_non_null(strstr(answer, "Content-Type: text/event-stream\r\n"));
	assert_int_equal(sscanf(strstr(answer, "id: "), "id: %llu\ndata: {", &id), 1);
	raise_number(fixture, 2);
	read_until(fixture, fd, "number 2;", answer, sizeof(answer));
	close(fd);
	/* Where it left off. */
	fd = local_client(fixture);
	snprintf(request, sizeof(request),
		"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: %llu\r\n\r\n",
		id);
	say(fd, request);
	read_until(fixture, fd, "number 2;", answer, sizeof(answer));
	assert_null(strstr(answer, "number 1;"));
	close(fd);
	/* What was never told of is of another ring. */
	fd = local_client(fixture);
	say(fd, "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 999999\r\n\r\n");
	read_until(fixture, fd, "number 1;", answer, sizeof(answer));
	close(fd);
}

static void http_common_streams_to_few(void **state)
{
	static const char request[] = "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
	struct fixture *fixture = *state;
	int streams[HTTP_STREAMS_MAX], fd;
	char answer[4096];

	raise_number(fixture, 1);
	ARRAY_FOREACH (stream, streams, ARRAY_LEN(streams)) {
		*stream = tcp_client(fixture);
		say(*stream, request);
		read_until(fixture, *stream, "number 1;", answer, sizeof(answer));
	}
	fd = tcp_client(fixture);
	say(fd, request);
	read_until(fixture, fd, "clients follow already", answer, sizeof(answer));
	assert_int_equal(strncmp(answer, "HTTP/1.1 503 ", 13), 0);
	close(fd);
	/* One that goes is noticed at once, though nothing is said to it. */
	close(streams[0]);
	while (sd_event_run(fixture->event, 50 * US_PER_MS) > 0)
		;
	fd = tcp_client(fixture);
	say(fd, request);
	read_until(fixture, fd, "number 1;", answer, sizeof(answer));
	/* The others are told when the daemon ends. */
	fixture->common = http_common_free(fixture->common);
	read_until(fixture, fd, NULL, answer, sizeof(answer));
	close(fd);
	for (size_t i = 1; i < ARRAY_LEN(streams); i++)
		close(streams[i]);
}

static void http_common_listens_elsewhere(void **state)
{
	static const char request[] =
		"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	struct fixture *fixture = *state;
	struct http *http = http_common_server(fixture->common);
	struct addr_port taken = fixture->address, all = taken, off = { 0 };
	int fd = -1;

	assert_int_equal(http_bind(NULL, &taken, &fd), -EADDRINUSE);
	assert_int_equal(http_bind(http, &taken, &fd), 0);
	assert_int_equal(fd, HTTP_LISTEN_SAME);
	assert_int_equal(http_set_listener(http, fd), 0);
	assert_says(fixture, tcp_client(fixture), request, "200", "ok");
	/* All addresses at the same port, which nobody else may have meanwhile. */
	assert_int_equal(addr_parse("0.0.0.0", &all.addr), 0);
	assert_int_equal(http_bind(http, &all, &fd), 0);
	assert_true(http_set_listener(http, fd) >= 0);
	assert_int_equal(http_bind(NULL, &taken, &fd), -EADDRINUSE);
	assert_says(fixture, tcp_client(fixture), request, "200", "ok");
	assert_int_equal(http_bind(http, &taken, &fd), 0);
	assert_true(http_set_listener(http, fd) >= 0);
	assert_says(fixture, tcp_client(fixture), request, "200", "ok");
	assert_int_equal(http_bind(http, &off, &fd), 0);
	assert_int_equal(fd, HTTP_LISTEN_OFF);
	assert_int_equal(http_set_listener(http, fd), 0);
	assert_int_equal(http_bind(NULL, &taken, &fd), 0);
	close(fd);
	/* An address that is not there yet. */
	assert_int_equal(addr_parse("203.0.113.77", &taken.addr), 0);
	assert_int_equal(http_bind(http, &taken, &fd), 0);
	close(fd);
}

#define HTTP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HTTP_TEST(http_common_answers_at_its_paths),
		HTTP_TEST(http_common_answers_head_without_a_body),
		HTTP_TEST(http_common_is_asked_in_its_own_name),
		HTTP_TEST(http_common_limits_headers),
		HTTP_TEST(http_common_answers_later),
		HTTP_TEST(http_common_tells_when_nobody_waits_any_more),
		HTTP_TEST(http_common_holds_few_answers_that_nobody_takes),
		HTTP_TEST(http_common_has_places_for_few),
		HTTP_TEST(http_common_has_a_place_for_who_has_less),
		HTTP_TEST(http_common_keeps_a_connection),
		HTTP_TEST(http_common_streams_events),
		HTTP_TEST(http_common_streams_to_few),
		HTTP_TEST(http_common_listens_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
