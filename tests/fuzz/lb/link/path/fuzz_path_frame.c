/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as an answer to a path probe: parsing is total, what it carries lies inside the frame, and a probe with
 * what was read is itself well-formed.
 */
#include "lb/link/path/path_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t buffer[PATH_FRAME_MAX_BYTES];
	struct path_answer answer, again;
	struct path_frame probe;

	path_frame_parse(data, size, &answer);
	if (answer.kind == PATH_ANSWER_NONE)
		return 0;
	if (answer.vip.family != answer.own.family)
		abort();
	if (answer.payload_bytes > 0 &&
		((const uint8_t *)answer.payload < data ||
			(const uint8_t *)answer.payload + answer.payload_bytes > data + size))
		abort();
	probe = (struct path_frame){ .kind = PATH_UDP, .from = answer.to, .to = answer.from };
	probe.source = answer.own;
	probe.vip = answer.vip;
	probe.source_port = answer.own_port;
	probe.port = answer.port;
	probe.payload = answer.payload;
	probe.payload_bytes = MIN(answer.payload_bytes, (size_t)PATH_FRAME_PAYLOAD_MAX);
	path_frame_parse(buffer, path_frame_build(&probe, buffer), &again);
	if (again.kind != PATH_ANSWER_DATAGRAM || again.own_port != probe.port ||
		again.payload_bytes != probe.payload_bytes)
		abort();
	return 0;
}
