/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Internet checksum (RFC 1071), of whatever is built or read as bytes. Pure. Not for the forwarding core,
 * which is not allowed libc and computes none.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * The sum so far and the bytes of `data`, as words in network order; not folded, so no sum of what fits in memory
 * overflows. A size that is odd gets a zero byte behind it: only the last piece may have one. `sum` begins as 0, or as the
 * numbers of a pseudo-header (RFC 9293 §3.1, RFC 8200 §8.1): its protocol and the message's size in bytes.
 */
static inline uint64_t checksum_add(uint64_t sum, const void *data, size_t size_bytes)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i + 1 < size_bytes; i += 2)
		/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): packed structs are whole */
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	if (size_bytes % 2)
		sum += (uint32_t)bytes[size_bytes - 1] << 8;
	return sum;
}

/*
 * The checksum as a number, to be written in network order; 0 where the sum had a right checksum in it. Of UDP, 0 means that
 * there is none: its sender writes 0xffff instead (RFC 768).
 */
static inline uint16_t checksum_finish(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Of what is one piece and has no pseudo-header. */
static inline uint16_t checksum_of(const void *data, size_t size_bytes)
{
	return checksum_finish(checksum_add(0, data, size_bytes));
}
