/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a frame for the announcer: parsing is total, and the answer to whatever is a question
 * is itself well-formed: it parses as a claim of the target by us.
 */
#include "lb/link/announce_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct mac own = { { 2, 0, 0, 0, 0, 1 } };
	uint8_t answer[ANNOUNCE_FRAME_MAX_BYTES];
	struct announce_frame frame, claim;
	size_t answer_bytes;

	announce_frame_parse(data, size, &frame);
	if (frame.kind != ANNOUNCE_REQUEST)
		return 0;
	answer_bytes = announce_frame_build(&frame.target, &own, &frame, answer);
	announce_frame_parse(answer, answer_bytes, &claim);
	/* The address 0.0.0.0 is a legal question and no legal claim; no VIP has it. */
	if (claim.kind == ANNOUNCE_OTHER && !addr_is_unicast(&frame.target))
		return 0;
	if (claim.kind != ANNOUNCE_CLAIM || !addr_equal(&claim.target, &frame.target) ||
		!mac_equal(&claim.mac, &own))
		abort();
	return 0;
}
