/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bounded reader and a bounded writer over bytes, big-endian, with a sticky error: after the
 * first overrun every further read gives zeros and every write is ignored, so that a parser
 * reads straight down and asks once at the end. Pure, header only.
 */
#pragma once

#include <endian.h>

#include "common/util.h"

struct cursor_reader {
	const uint8_t *next;
	const uint8_t *end;
	bool failed;
};

struct cursor_writer {
	uint8_t *next;
	uint8_t *end;
	bool failed;
};

static inline struct cursor_reader cursor_reader_make(const void *data, size_t size_bytes)
{
	return (struct cursor_reader){ data, (const uint8_t *)data + size_bytes, false };
}

static inline struct cursor_writer cursor_writer_make(void *data, size_t size_bytes)
{
	return (struct cursor_writer){ data, (uint8_t *)data + size_bytes, false };
}

static inline size_t cursor_left(const struct cursor_reader *reader)
{
	return (size_t)(reader->end - reader->next);
}

/* Copies `size_bytes` out; zeros on overrun. */
static inline void cursor_get(struct cursor_reader *reader, void *ret_data, size_t size_bytes)
{
	if (reader->failed || cursor_left(reader) < size_bytes) {
		reader->failed = true;
		memset(ret_data, 0, size_bytes);
		return;
	}
	memcpy(ret_data, reader->next, size_bytes);
	reader->next += size_bytes;
}

static inline uint8_t cursor_get_u8(struct cursor_reader *reader)
{
	uint8_t value;

	cursor_get(reader, &value, sizeof(value));
	return value;
}

static inline uint16_t cursor_get_u16(struct cursor_reader *reader)
{
	uint16_t value;

	cursor_get(reader, &value, sizeof(value));
	return be16toh(value);
}

static inline uint32_t cursor_get_u32(struct cursor_reader *reader)
{
	uint32_t value;

	cursor_get(reader, &value, sizeof(value));
	return be32toh(value);
}

static inline uint64_t cursor_get_u64(struct cursor_reader *reader)
{
	uint64_t value;

	cursor_get(reader, &value, sizeof(value));
	return be64toh(value);
}

static inline void cursor_put(struct cursor_writer *writer, const void *data, size_t size_bytes)
{
	if (writer->failed || (size_t)(writer->end - writer->next) < size_bytes) {
		writer->failed = true;
		return;
	}
	memcpy(writer->next, data, size_bytes);
	writer->next += size_bytes;
}

static inline void cursor_put_u8(struct cursor_writer *writer, uint8_t value)
{
	cursor_put(writer, &value, sizeof(value));
}

static inline void cursor_put_u16(struct cursor_writer *writer, uint16_t value)
{
	value = htobe16(value);
	cursor_put(writer, &value, sizeof(value));
}

static inline void cursor_put_u32(struct cursor_writer *writer, uint32_t value)
{
	value = htobe32(value);
	cursor_put(writer, &value, sizeof(value));
}

static inline void cursor_put_u64(struct cursor_writer *writer, uint64_t value)
{
	value = htobe64(value);
	cursor_put(writer, &value, sizeof(value));
}
