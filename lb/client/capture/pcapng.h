/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks of a capture file as Wireshark reads them (IETF draft-ietf-opsawg-pcapng), little-endian: a section header,
 * a description of each interface, and a packet with its direction and a comment. Each function writes one block
 * at `to` and returns its size in bytes. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCAPNG_TEXT_MAX      512u /* bytes of a name or comment; longer ones are cut */
#define PCAPNG_SECTION_BYTES 640u /* room for a section header, or an interface */
/* Room for a packet of which so many bytes are written. */
#define PCAPNG_PACKET_BYTES(captured_bytes) ((captured_bytes) + 640u)

struct pcapng_packet {
	uint32_t interface; /* number of its description, from 0 in their order */
	uint64_t time_ns;   /* since 1970, UTC */
	bool is_out;
	uint32_t length_bytes, captured_bytes; /* of the frame; of `data` */
	const void *data;
	const char *comment; /* UTF-8 */
};

/* `application`: the program that writes. */
size_t pcapng_section(uint8_t to[PCAPNG_SECTION_BYTES], const char *application);
/* Of Ethernet; `snap_bytes` is the most that is written of a frame. */
size_t pcapng_interface(uint8_t to[PCAPNG_SECTION_BYTES], const char *name, uint32_t snap_bytes);
/* `to` has PCAPNG_PACKET_BYTES. */
size_t pcapng_packet(uint8_t *to, const struct pcapng_packet *packet);
