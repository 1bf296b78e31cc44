/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proto_parse() first receives foreign bytes. Beyond not crashing: what is accepted has exactly
 * one encoding, so writing it gives the input back (the tag apart, which is not the parser's).
 */
#include "common/proto/proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proto_message message;
	uint8_t bytes[PROTO_MESSAGE_MAX];
	enum proto_type type;
	int written;

	proto_peek_session(data, size);
	if (proto_parse(data, size, &message) != PROTO_OK)
		return 0;
	if (proto_peek_type(data, size, &type) != PROTO_OK || type != message.type)
		abort();
	written = proto_write(&message, bytes);
	if (written != (int)size || memcmp(bytes, data, size - PROTO_TAG_BYTES) != 0)
		abort();
	return 0;
}
