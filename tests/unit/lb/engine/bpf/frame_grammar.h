/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames from a seed: the packet vectors, packets of a grammar of valid and invalid ones over a few
 * thousand flows, and mutations of both. Header only; libc alone.
 */
#pragma once

#include "tests/vectors/vectors.h"

#define GRAMMAR_CLIENTS     32u
#define GRAMMAR_PORTS       64u
#define GRAMMAR_FRAME_BYTES 3400u /* longer ones need another kind of program */

struct grammar {
	uint64_t random;
	char clients[2][GRAMMAR_CLIENTS][40]; /* by family */
	char vips[2][32][40];
	unsigned int n_vips;
	uint8_t built[VECTOR_FRAME_MAX];
};

static inline uint32_t grammar_draw(struct grammar *grammar, uint32_t len)
{
	uint64_t z = (grammar->random += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((z ^ (z >> 31)) % len);
}

static inline bool grammar_once_in(struct grammar *grammar, uint32_t len)
{
	return grammar_draw(grammar, len) == 0;
}

/* VIPs are 198.51.100.N and 2001:db8::N, N from `first_vip` to `last_vip`. */
static inline void grammar_begin(
	struct grammar *grammar, uint64_t seed, unsigned int first_vip, unsigned int last_vip)
{
	*grammar = (struct grammar){ .random = seed };
	for (unsigned int i = 0; i < GRAMMAR_CLIENTS; i++) {
		/* Some share a /24 or a /56. */
		snprintf(grammar->clients[0][i], sizeof(grammar->clients[0][i]), "192.0.%u.%u",
			i / 4, 7 + i);
		snprintf(grammar->clients[1][i], sizeof(grammar->clients[1][i]),
			"2001:db8:%x:%x::%x", 7 + i / 4, i % 2, 7 + i);
	}
	for (unsigned int vip = first_vip; vip <= last_vip; vip++, grammar->n_vips++) {
		snprintf(grammar->vips[0][grammar->n_vips], 40, "198.51.100.%u", vip);
		snprintf(grammar->vips[1][grammar->n_vips], 40, "2001:db8::%u", vip);
	}
}

static inline void grammar_flow(struct grammar *grammar, struct vector_packet *packet)
{
	static const uint16_t ports[] = { 80, 80, 80, 80, 443, 53, 53, 8050, 5500, 81, 6050 };
	static const uint8_t protos[] = { 132, 132, 132, 132, 50, 47, 51, 4, 253 };
	static const uint8_t chunks[] = { 1, 1, 3, 3, 3, 6, 14, 8 };

	packet->ip6 = grammar_once_in(grammar, 3);
	packet->source = grammar->clients[packet->ip6][grammar_draw(grammar, GRAMMAR_CLIENTS)];
	packet->destination = grammar->vips[packet->ip6][grammar_draw(grammar, grammar->n_vips)];
	/* Half of all packets are of a few flows, which so become established ones. */
	packet->client_port = (uint16_t)(40000 +
		grammar_draw(grammar, grammar_once_in(grammar, 2) ? 2 : GRAMMAR_PORTS));
	packet->port = ports[grammar_draw(grammar, ARRAY_LEN(ports))];
	packet->payload_bytes = grammar_draw(grammar, 64);
	if (packet->port == 53 || packet->port == 5500 || grammar_once_in(grammar, 20))
		packet->proto = 17;
	/* Another protocol, some with ports. */
	if (grammar_once_in(grammar, 12))
		packet->proto = protos[grammar_draw(grammar, ARRAY_LEN(protos))];
	packet->chunk = chunks[grammar_draw(grammar, ARRAY_LEN(chunks))];
}

static inline void grammar_flags(struct grammar *grammar, struct vector_packet *packet)
{
	static const uint8_t flags[] = { 2, 2, 2, 0x10, 0x10, 0x10, 0x18, 0x11, 0x04, 0x14, 0x12,
		0xc2 };

	packet->tcp_flags = grammar_once_in(grammar, 50)
		? (uint8_t)(1 + grammar_draw(grammar, 255))
		: flags[grammar_draw(grammar, ARRAY_LEN(flags))];
}

/* What lies between Ethernet and the flow. */
static inline void grammar_wrap(struct grammar *grammar, struct vector_packet *packet)
{
	static const uint16_t tags[] = { 0x8100, 0x88a8 };
	static const uint8_t kinds[] = { 200, 60, 43, 51, 60, 44 };

	for (unsigned int i = 0; i < 3 && grammar_once_in(grammar, 6); i++)
		packet->vlans[i] = tags[grammar_draw(grammar, 2)];
	if (!packet->ip6 && grammar_once_in(grammar, 6))
		packet->option_bytes = (uint8_t)(4 * (1 + grammar_draw(grammar, 10)));
	for (unsigned int i = 0;
		packet->ip6 && i < VECTOR_EXTENSIONS && grammar_once_in(grammar, 4); i++)
		packet->extensions[i] = kinds[grammar_draw(grammar, ARRAY_LEN(kinds))];
	if (grammar_once_in(grammar, 4))
		packet->extension_units = (uint8_t)grammar_draw(grammar, 3);
	if (grammar_once_in(grammar, 10))
		packet->pad_bytes = (uint16_t)grammar_draw(grammar, 50);
}

static inline void grammar_fragment(struct grammar *grammar, struct vector_packet *packet)
{
	if (!grammar_once_in(grammar, 8))
		return;
	packet->datagram = (uint16_t)grammar_draw(grammar, 2);
	packet->more = grammar_draw(grammar, 3) > 0;
	packet->payload_bytes = 8 * (1 + grammar_draw(grammar, 40));
	if (packet->ip6)
		packet->extensions[0] = 44;
	if (grammar_once_in(grammar, 2))
		packet->fragment_offset = (uint16_t)(8 * (1 + grammar_draw(grammar, 180)));
	if (grammar_once_in(grammar, 12))
		packet->l4_bytes = (uint16_t)(1 + grammar_draw(grammar, 24));
}

/* An echo, an error about a flow (its quote is what a backend sent), or another message. */
static inline void grammar_icmp(
	struct grammar *grammar, struct vector_packet *packet, struct vector_packet *quote)
{
	static const uint8_t types[2][6] = { { 8, 3, 11, 12, 5, 13 }, { 128, 1, 2, 3, 4, 135 } };

	if (!grammar_once_in(grammar, 10))
		return;
	*quote = *packet;
	quote->source = packet->destination;
	quote->destination = packet->source;
	quote->client_port = packet->port;
	quote->port = packet->client_port;
	quote->datagram = 0;
	packet->source = grammar->clients[packet->ip6][grammar_draw(grammar, GRAMMAR_CLIENTS)];
	packet->proto = 0;
	packet->icmp_type = types[packet->ip6][grammar_draw(grammar, 6)];
	packet->icmp_code = (uint8_t)(grammar_once_in(grammar, 4) ? grammar_draw(grammar, 8) : 0);
	packet->quote = grammar_once_in(grammar, 8) ? NULL : quote;
	if (grammar_once_in(grammar, 4))
		packet->quote_bytes = (uint16_t)(1 + grammar_draw(grammar, 80));
}

static inline void grammar_lie(struct grammar *grammar, struct vector_packet *packet)
{
	switch (grammar_draw(grammar, 60)) {
	case 0:
		packet->version = (uint8_t)(1 + grammar_draw(grammar, 15));
		return;
	case 1:
		packet->header_words = (uint8_t)(1 + grammar_draw(grammar, 15));
		return;
	case 2:
		packet->total_delta_bytes = (int)grammar_draw(grammar, 100) - 50;
		return;
	case 3:
		packet->tcp_words = (uint8_t)(1 + grammar_draw(grammar, 15));
		return;
	case 4:
		packet->udp_delta_bytes = (int)grammar_draw(grammar, 40) - 20;
		return;
	case 5:
		packet->from = grammar_draw(grammar, VECTOR_MAC_N_);
		return;
	case 6:
		packet->to = grammar_draw(grammar, VECTOR_MAC_N_);
		return;
	case 7:
		packet->source = packet->destination;
		return;
	case 8:
		packet->payload_bytes = 1430 + grammar_draw(grammar, 60);
		return;
	case 9:
		packet->ethertype = (uint16_t)grammar_draw(grammar, 65536);
		return;
	case 10:
		packet->zero_total = true;
		return;
	default:
		return;
	}
}

static inline void grammar_mutate(struct grammar *grammar, size_t *size_bytes)
{
	uint8_t *at =
		grammar->built + grammar_draw(grammar, (uint32_t)MIN(*size_bytes, (size_t)120));

	switch (grammar_draw(grammar, 4)) {
	case 0:
		*at ^= (uint8_t)(1u << grammar_draw(grammar, 8));
		return;
	case 1:
		*at = (uint8_t)grammar_draw(grammar, 256);
		return;
	case 2:
		*at = grammar_once_in(grammar, 2) ? 0 : 255;
		return;
	default:
		if (*size_bytes > 15)
			*size_bytes = 15 + grammar_draw(grammar, (uint32_t)*size_bytes - 15);
	}
}

static inline size_t grammar_build(struct grammar *grammar)
{
	struct vector_packet packet = { 0 }, quote;
	size_t n_vectors;
	const struct vector *vectors = vector_table(&n_vectors);

	if (grammar_once_in(grammar, 4)) {
		const struct vector *vector = &vectors[grammar_draw(grammar, (uint32_t)n_vectors)];
		uint32_t which = grammar_draw(grammar, vector->n_before + 1u);

		packet = which < vector->n_before ? vector->before[which] : vector->packet;
		packet.datagram = (uint16_t)grammar_draw(grammar, 2);
		if (packet.payload_bytes > GRAMMAR_FRAME_BYTES)
			packet.payload_bytes = GRAMMAR_FRAME_BYTES - 200;
		return vector_build(&packet, grammar->built);
	}
	grammar_flow(grammar, &packet);
	grammar_flags(grammar, &packet);
	grammar_icmp(grammar, &packet, &quote);
	grammar_wrap(grammar, &packet);
	grammar_fragment(grammar, &packet);
	grammar_lie(grammar, &packet);
	return vector_build(&packet, grammar->built);
}

/* The next frame is in `grammar->built`: 15 to GRAMMAR_FRAME_BYTES bytes. */
static inline size_t grammar_next(struct grammar *grammar)
{
	size_t size_bytes;

	do {
		size_bytes = grammar_build(grammar);
		for (unsigned int i = 0; i < 3 && grammar_once_in(grammar, 8); i++)
			grammar_mutate(grammar, &size_bytes);
	} while (size_bytes < 15 || size_bytes > GRAMMAR_FRAME_BYTES);
	return size_bytes;
}
