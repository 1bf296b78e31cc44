/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a server's answer, cut into segments in any order: taking them is total, what is acknowledged is never
 * more than was sent in order, and nothing changes a status that is known.
 */
#include "lb/link/path/path_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET UINT32_C(0x12340000)
#define SERVER UINT32_C(0xffffff00)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct path_answer answer = { .sequence = SECRET, .server_sequence = SERVER };
	struct path_request request;
	uint16_t status = 0;

	path_request_begin(&request, SECRET, 100, 0, US_PER_S);
	/* Each segment: its kind, where it begins, how long it is and how much of it is there; then that. */
	while (size >= 4) {
		size_t payload_bytes = MIN((size_t)data[3], size - 4);
		uint32_t expected = request.expected;

		answer.kind = (enum path_answer_kind)(data[0] % (PATH_ANSWER_RESET + 1u));
		answer.is_last = data[0] & 0x80;
		answer.sequence = SECRET + (data[0] & 0x40 ? 100 : 0);
		answer.server_sequence = expected + (uint32_t)(int8_t)data[1];
		answer.server_bytes = payload_bytes + (size_t)data[2] * 100;
		answer.payload = data + 4;
		answer.payload_bytes = payload_bytes;
		data += 4 + payload_bytes;
		size -= 4 + payload_bytes;
		if (path_request_take(&request, &answer) == PATH_REQUEST_END)
			break;
		if (answer.kind == PATH_ANSWER_ACK && request.expected != expected &&
			request.expected - expected > answer.server_bytes)
			abort();
		if (status > 0 && request.status != status)
			abort();
		status = request.status;
	}
	if (path_request_verdict(&request) == PATH_STATUS && request.status < 400)
		abort();
	return 0;
}
