/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * icmp_answer_build() on any bytes: the first two say whether the frame is a super-frame and what
 * the link takes, the rest is the frame, in memory of exactly its size. What holds for every
 * answer: it goes back by the way the frame came, is no longer than the RFCs allow, and quotes
 * the packet from its first byte.
 */
#include "lb/engine/icmp_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

static void check_answer(
	const uint8_t *frame, size_t frame_bytes, const uint8_t *answer, size_t answer_bytes)
{
	size_t link_bytes = 14, head_bytes;

	expect(answer_bytes <= ICMP_ANSWER_BYTES_MAX);
	expect(memcmp(answer, frame + 6, 6) == 0 && memcmp(answer + 6, frame, 6) == 0);
	while (frame[link_bytes - 2] == 0x81 || frame[link_bytes - 2] == 0x88)
		link_bytes += 4;
	expect(memcmp(answer + 12, frame + 12, link_bytes - 12) == 0);
	expect(frame[link_bytes - 2] == 0x08 || frame[link_bytes - 2] == 0x86);
	head_bytes = frame[link_bytes - 2] == 0x08 ? 28 : 48;
	expect(answer_bytes >= link_bytes + head_bytes);
	expect(answer_bytes - link_bytes <=
		(head_bytes == 28 ? ICMP_ANSWER_IP4_BYTES_MAX : ICMP_ANSWER_IP6_BYTES_MAX));
	expect(answer_bytes - head_bytes <= frame_bytes);
	expect(memcmp(answer + link_bytes + head_bytes, frame + link_bytes,
		       answer_bytes - link_bytes - head_bytes) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t answer[ICMP_ANSWER_BYTES_MAX] __attribute__((__aligned__(2)));
	_cleanup_free_ uint8_t *frame = NULL;
	size_t answer_bytes;

	if (size < 2)
		return 0;
	frame = malloc(size - 2);
	expect(frame || size == 2);
	if (size > 2)
		memcpy(frame, data + 2, size - 2);
	answer_bytes =
		icmp_answer_build(frame, size - 2, size - 2, data[0] & 1, data[1] * 64u, answer);
	if (answer_bytes > 0)
		check_answer(frame, size - 2, answer, answer_bytes);
	return 0;
}
