/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One request by the server's segments: what is done about each, and the verdict. */
#include "lb/link/path/path_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define SECRET  UINT32_C(0xfffe7ff0) /* near the end of the numbers */
#define SERVER  UINT32_C(0xfffffff8)
#define REQUEST 100u

static struct path_request request;
static uint32_t next; /* the server's */

static void begin(void)
{
	path_request_begin(&request, SECRET, REQUEST, 5 * US_PER_S, US_PER_S);
	next = SERVER + 1;
}

static enum path_request_step take_syn_ack(void)
{
	const struct path_answer answer = {
		.kind = PATH_ANSWER_SYN_ACK, .sequence = SECRET, .server_sequence = SERVER
	};

	return path_request_take(&request, &answer);
}

/* A segment of the server's at this number, of which only `captured` bytes are there. */
static enum path_request_step take(
	uint32_t sequence, const char *text, size_t captured, size_t sent, bool is_last)
{
	const struct path_answer answer = {
		.kind = PATH_ANSWER_ACK,
		.sequence = SECRET + REQUEST,
		.server_sequence = sequence,
		.server_bytes = sent,
		.payload = text,
		.payload_bytes = captured,
		.is_last = is_last,
	};

	return path_request_take(&request, &answer);
}

static enum path_request_step say(const char *text, bool is_last)
{
	enum path_request_step step = take(next, text, strlen(text), strlen(text), is_last);

	next += (uint32_t)strlen(text);
	return step;
}

static void assert_verdict(enum path_verdict verdict)
{
	assert_int_equal(path_request_verdict(&request), verdict);
}

static void request_ends_well_by_its_status(void **state)
{
	static const struct {
		const char *text;
		enum path_verdict verdict;
		uint16_t status;
	} cases[] = {
		{ "HTTP/1.1 200 OK\r\n\r\n", PATH_OK, 200 },
		{ "HTTP/1.0 399\r\n\r\n", PATH_OK, 399 },
		{ "HTTP/1.1 400 No\r\n\r\n", PATH_STATUS, 400 },
		{ "HTTP/1.1 503 Service Unavailable\r\n\r\n", PATH_STATUS, 503 },
		{ "HTTP/1.1 103 Early\r\nA: \r b\r\r\n\r\nHTTP/1.1 204 Empty\r\n\r\n", PATH_OK,
			204 },
		{ "HTTP/1.1 099 x\r\n", PATH_NOT_HTTP, 99 },
		{ "220 mail.example.org ESMTP\r\n", PATH_NOT_HTTP, 0 },
		{ "HTTP/1.1 20x\r\n", PATH_NOT_HTTP, 0 },
	};

	/* Whole, and byte for byte. */
	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		const char *text = cases[i / 2].text;

		begin();
		assert_verdict(PATH_NO_ANSWER);
		assert_int_equal(take_syn_ack(), PATH_REQUEST_SEND);
		assert_verdict(PATH_MUTE);
		assert_int_equal(path_request_sequence(&request), SECRET + 1);
		assert_int_equal(request.expected, SERVER + 1);
		if (i % 2)
			(void)say(text, false);
		for (const char *at = text; i % 2 == 0 && *at; at++)
			(void)say((const char[]){ *at, '\0' }, false);
		assert_int_equal(path_request_sequence(&request), SECRET + 1 + REQUEST);
		assert_verdict(cases[i / 2].verdict);
		if (cases[i / 2].verdict != PATH_NOT_HTTP)
			assert_int_equal(request.status, cases[i / 2].status);
		assert_int_equal(say("", true), PATH_REQUEST_END);
		assert_verdict(cases[i / 2].verdict);
	}
}

static void request_knows_who_did_not_answer(void **state)
{
	struct path_answer reset = { .kind = PATH_ANSWER_RESET, .sequence = SECRET + 1 };

	/* Of a number near the right one it is a stranger's. */
	begin();
	assert_int_equal(path_request_take(&request, &reset), PATH_REQUEST_WAIT);
	reset.sequence = SECRET;
	assert_int_equal(path_request_take(&request, &reset), PATH_REQUEST_END);
	assert_verdict(PATH_REFUSED);
	begin();
	(void)take_syn_ack();
	reset.server_sequence = next + 1;
	assert_int_equal(path_request_take(&request, &reset), PATH_REQUEST_WAIT);
	reset.server_sequence = next;
	assert_int_equal(path_request_take(&request, &reset), PATH_REQUEST_END);
	assert_verdict(PATH_CLOSED);
	begin();
	(void)take_syn_ack();
	assert_int_equal(say("", false), PATH_REQUEST_WAIT);
	assert_verdict(PATH_MUTE);
	assert_int_equal(say("HTTP/1.1 2", true), PATH_REQUEST_END);
	assert_verdict(PATH_CLOSED);
	/* What is said before a connection is no connection's. */
	begin();
	assert_int_equal(say("HTTP/1.1 200", false), PATH_REQUEST_WAIT);
	assert_verdict(PATH_NO_ANSWER);
	/* After the status nothing matters. */
	begin();
	(void)take_syn_ack();
	(void)say("HTTP/1.1 200 OK\r\n", false);
	reset.server_sequence = next;
	assert_int_equal(path_request_take(&request, &reset), PATH_REQUEST_END);
	assert_verdict(PATH_OK);
}

static void request_takes_segments_in_their_order(void **state)
{
	begin();
	(void)take_syn_ack();
	/* The second came first, and is asked for again. */
	assert_int_equal(take(next + 5, "1.1 200", 7, 7, true), PATH_REQUEST_ACKNOWLEDGE);
	assert_int_equal(request.expected, next);
	assert_int_equal(take(next, "HTTP/", 5, 5, false), PATH_REQUEST_ACKNOWLEDGE);
	assert_int_equal(request.expected, next + 5);
	/* Again, then with more behind what is known. */
	assert_int_equal(take(next, "HTTP/", 5, 5, false), PATH_REQUEST_ACKNOWLEDGE);
	assert_verdict(PATH_MUTE);
	assert_int_equal(take(next, "HTTP/1.1 200", 12, 12, false), PATH_REQUEST_ACKNOWLEDGE);
	assert_verdict(PATH_OK);
	assert_int_equal(request.expected, next + 12);
	assert_int_equal(take(next + 4, "", 0, 0, false), PATH_REQUEST_WAIT);
	/* The SYN-ACK again. */
	assert_int_equal(take_syn_ack(), PATH_REQUEST_ACKNOWLEDGE);
	assert_int_equal(request.expected, next + 12);
}

static void request_bounds_what_it_waits_for(void **state)
{
	begin();
	(void)take_syn_ack();
	(void)say("HTTP/1.1 200 OK\r\n\r\n", false);
	/* Of a long frame little is there, and all of it counts. */
	assert_int_equal(
		take(next, "x", 1, PATH_REQUEST_ANSWER_MAX - 19, false), PATH_REQUEST_ACKNOWLEDGE);
	next += PATH_REQUEST_ANSWER_MAX - 19;
	assert_int_equal(say("x", false), PATH_REQUEST_END);
	assert_verdict(PATH_OK);
	/* One that never comes to the point. */
	begin();
	(void)take_syn_ack();
	(void)say("HTTP/1.1 100 Continue\r\n", false);
	assert_int_equal(take(next, "x", 1, PATH_REQUEST_ANSWER_MAX, false), PATH_REQUEST_END);
	assert_verdict(PATH_NOT_HTTP);
}

static void request_is_looked_at_again_until_its_deadline(void **state)
{
	begin();
	assert_int_equal(
		path_request_due_us(&request, 5 * US_PER_S), 5 * US_PER_S + PATH_REQUEST_AGAIN_US);
	assert_int_equal(path_request_due_us(&request, 6 * US_PER_S - 1), 6 * US_PER_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_ends_well_by_its_status),
		cmocka_unit_test(request_knows_who_did_not_answer),
		cmocka_unit_test(request_takes_segments_in_their_order),
		cmocka_unit_test(request_bounds_what_it_waits_for),
		cmocka_unit_test(request_is_looked_at_again_until_its_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
