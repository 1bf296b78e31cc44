/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See path_request.h. Called by path_probe.c and its fuzzer. */
#include "lb/link/path/path_request.h"

#include <ctype.h>

void path_request_begin(struct path_request *request, uint32_t secret, size_t request_bytes,
	uint64_t now_us, uint64_t timeout_us)
{
	*request = (struct path_request){
		.deadline_us = now_us + timeout_us,
		.again_us = PATH_REQUEST_AGAIN_US,
		.secret = secret,
		.request_bytes = request_bytes,
	};
}

/* RFC 9112 §4: "HTTP/1.1 200", and another 1xx before it is of no interest (RFC 9110 §15.2). */
static void take_line(struct path_request *request, char byte)
{
	static const char form[PATH_REQUEST_LINE + 1] = "HTTP/0.0 000";
	char wanted = form[request->n_line];

	if (wanted == '0' ? !isdigit((unsigned char)byte) : byte != wanted) {
		request->is_not_http = true;
		return;
	}
	request->line[request->n_line++] = byte;
	if (request->n_line < PATH_REQUEST_LINE)
		return;
	for (size_t i = PATH_REQUEST_LINE - 3; i < PATH_REQUEST_LINE; i++)
		request->status = (uint16_t)(request->status * 10 + (request->line[i] - '0'));
	if (request->status < 100)
		request->is_not_http = true;
	request->n_line = 0;
	request->is_interim = request->status < 200;
	if (request->is_interim)
		request->status = 0;
}

static void take_interim(struct path_request *request, char byte)
{
	char wanted = request->n_line_ends % 2 ? '\n' : '\r';

	if (byte == wanted)
		request->n_line_ends++;
	else
		request->n_line_ends = byte == '\r';
	if (request->n_line_ends < 4)
		return;
	request->n_line_ends = 0;
	request->is_interim = false;
}

static void take_bytes(struct path_request *request, const char *bytes, size_t size_bytes)
{
	for (size_t i = 0; i < size_bytes && request->status == 0 && !request->is_not_http; i++)
		(request->is_interim ? take_interim : take_line)(request, bytes[i]);
}

/* The server's bytes in their order: what was there already is passed over, what is not its turn is left for later. */
static enum path_request_step take_segment(
	struct path_request *request, const struct path_answer *answer)
{
	uint32_t passed = request->expected - answer->server_sequence;

	if (passed > answer->server_bytes)
		return answer->server_bytes > 0 || answer->is_last ? PATH_REQUEST_ACKNOWLEDGE
								   : PATH_REQUEST_WAIT;
	if (passed < answer->payload_bytes)
		take_bytes(request, (const char *)answer->payload + passed,
			answer->payload_bytes - passed);
	request->expected = answer->server_sequence + (uint32_t)answer->server_bytes;
	request->answer_bytes += (uint32_t)answer->server_bytes - passed;
	request->is_ended = answer->is_last;
	if (request->is_ended || request->is_not_http ||
		request->answer_bytes > PATH_REQUEST_ANSWER_MAX)
		return PATH_REQUEST_END;
	return answer->server_bytes > 0 ? PATH_REQUEST_ACKNOWLEDGE : PATH_REQUEST_WAIT;
}

enum path_request_step path_request_take(
	struct path_request *request, const struct path_answer *answer)
{
	bool has_all = answer->sequence - request->secret == request->request_bytes;

	switch (answer->kind) {
	case PATH_ANSWER_RESET:
		/* Exactly the next number, so that it is of no use to guess (RFC 9293 §3.10.7.4). */
		if (request->is_connected ? answer->server_sequence != request->expected
					  : answer->sequence != request->secret)
			return PATH_REQUEST_WAIT;
		request->is_ended = request->is_connected;
		request->is_refused = !request->is_connected;
		return PATH_REQUEST_END;
	case PATH_ANSWER_SYN_ACK:
		if (answer->sequence != request->secret)
			return PATH_REQUEST_WAIT;
		/* Again: what it was answered with was lost. */
		if (!request->is_connected)
			request->expected = answer->server_sequence + 1;
		request->is_connected = true;
		return request->is_acknowledged ? PATH_REQUEST_ACKNOWLEDGE : PATH_REQUEST_SEND;
	case PATH_ANSWER_ACK:
		if (!request->is_connected)
			return PATH_REQUEST_WAIT;
		request->is_acknowledged |= has_all;
		return take_segment(request, answer);
	default:
		return PATH_REQUEST_WAIT;
	}
}

uint64_t path_request_due_us(const struct path_request *request, uint64_t now_us)
{
	return MIN(request->deadline_us, now_us + request->again_us);
}

uint32_t path_request_sequence(const struct path_request *request)
{
	return request->secret + 1 +
		(request->is_acknowledged ? (uint32_t)request->request_bytes : 0);
}

enum path_verdict path_request_verdict(const struct path_request *request)
{
	if (request->status >= 200 && request->status < 400)
		return PATH_OK;
	if (request->status > 0)
		return PATH_STATUS;
	if (request->is_not_http || request->answer_bytes > PATH_REQUEST_ANSWER_MAX)
		return PATH_NOT_HTTP;
	if (request->is_refused)
		return PATH_REFUSED;
	if (request->is_ended)
		return PATH_CLOSED;
	return request->is_connected ? PATH_MUTE : PATH_NO_ANSWER;
}
