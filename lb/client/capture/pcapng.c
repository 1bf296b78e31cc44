/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See pcapng.h. */
#include "lb/client/capture/pcapng.h"

#include <string.h>

#define BLOCK_SECTION   0x0a0d0d0au
#define BLOCK_INTERFACE 1u
#define BLOCK_PACKET    6u

#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define LINK_ETHERNET    1u

#define OPTION_END               0u
#define OPTION_COMMENT           1u
#define OPTION_SECTION_PROGRAM   4u
#define OPTION_INTERFACE_NAME    2u
#define OPTION_INTERFACE_TSRESOL 9u
#define OPTION_PACKET_FLAGS      2u

#define TIME_IS_NS    9u /* 10^-9 s */
#define FLAG_INBOUND  1u
#define FLAG_OUTBOUND 2u

struct block {
	uint8_t *bytes;
	size_t size_bytes;
};

static void put16(struct block *block, unsigned int value)
{
	block->bytes[block->size_bytes++] = (uint8_t)value;
	block->bytes[block->size_bytes++] = (uint8_t)(value >> 8);
}

static void put32(struct block *block, uint32_t value)
{
	put16(block, value & UINT16_MAX);
	put16(block, value >> 16);
}

/* Padded to 32 bits. */
static void put_bytes(struct block *block, const void *data, size_t size_bytes)
{
	memcpy(block->bytes + block->size_bytes, data, size_bytes);
	block->size_bytes += size_bytes;
	while (block->size_bytes % 4)
		block->bytes[block->size_bytes++] = 0;
}

static void put_option(struct block *block, unsigned int code, const void *data, size_t size_bytes)
{
	put16(block, code);
	put16(block, (unsigned int)size_bytes);
	put_bytes(block, data, size_bytes);
}

/* Cut where a character begins. */
static void put_text(struct block *block, unsigned int code, const char *text)
{
	size_t len = strnlen(text, PCAPNG_TEXT_MAX + 1);

	if (len > PCAPNG_TEXT_MAX)
		for (len = PCAPNG_TEXT_MAX; len > 0 && ((uint8_t)text[len] & 0xc0) == 0x80;)
			len--;
	put_option(block, code, text, len);
}

static struct block begin(uint8_t *to, uint32_t type)
{
	struct block block = { .bytes = to };

	put32(&block, type);
	put32(&block, 0); /* its length, see end() */
	return block;
}

static size_t end(struct block *block)
{
	struct block head = { .bytes = block->bytes + 4 };

	put_option(block, OPTION_END, "", 0);
	put32(&head, (uint32_t)block->size_bytes + 4);
	put32(block, (uint32_t)block->size_bytes + 4);
	return block->size_bytes;
}

size_t pcapng_section(uint8_t to[PCAPNG_SECTION_BYTES], const char *application)
{
	struct block block = begin(to, BLOCK_SECTION);

	put32(&block, BYTE_ORDER_MAGIC);
	put16(&block, 1); /* version 1.0 */
	put16(&block, 0);
	put32(&block, UINT32_MAX); /* a section of unknown length */
	put32(&block, UINT32_MAX);
	put_text(&block, OPTION_SECTION_PROGRAM, application);
	return end(&block);
}

size_t pcapng_interface(uint8_t to[PCAPNG_SECTION_BYTES], const char *name, uint32_t snap_bytes)
{
	struct block block = begin(to, BLOCK_INTERFACE);
	const uint8_t resolution = TIME_IS_NS;

	put16(&block, LINK_ETHERNET);
	put16(&block, 0);
	put32(&block, snap_bytes);
	put_text(&block, OPTION_INTERFACE_NAME, name);
	put_option(&block, OPTION_INTERFACE_TSRESOL, &resolution, sizeof(resolution));
	return end(&block);
}

size_t pcapng_packet(uint8_t *to, const struct pcapng_packet *packet)
{
	struct block block = begin(to, BLOCK_PACKET);

	put32(&block, packet->interface);
	put32(&block, (uint32_t)(packet->time_ns >> 32));
	put32(&block, (uint32_t)packet->time_ns);
	put32(&block, packet->captured_bytes);
	put32(&block, packet->length_bytes);
	put_bytes(&block, packet->data, packet->captured_bytes);
	if (packet->comment[0])
		put_text(&block, OPTION_COMMENT, packet->comment);
	put16(&block, OPTION_PACKET_FLAGS);
	put16(&block, 4);
	put32(&block, packet->is_out ? FLAG_OUTBOUND : FLAG_INBOUND);
	return end(&block);
}
