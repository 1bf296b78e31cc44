/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a packet in words to bytes. Written apart from lb/fwd: it shares neither structs nor code. */
#include "tests/vectors/vectors.h"

#include <arpa/inet.h>
#include <assert.h>

static const uint8_t macs[VECTOR_MAC_N_][6] = {
	[VECTOR_MAC_ROUTER] = { 2, 0, 0, 0, 0, 0x10 },
	[VECTOR_MAC_OWN] = { 2, 0, 0, 0, 0, 1 },
	[VECTOR_MAC_OUT] = { 2, 0, 0, 0, 0, 2 },
	[VECTOR_MAC_NAMED2] = { 0xd2, 1, 2, 3, 0, 2 },
	[VECTOR_MAC_PEER] = { 2, 0, 0, 0, 0, 3 },
	[VECTOR_MAC_BACKEND1] = { 2, 0, 0, 0, 1, 1 },
	[VECTOR_MAC_BACKEND2] = { 2, 0, 0, 0, 1, 2 },
	[VECTOR_MAC_BACKEND3] = { 2, 0, 0, 0, 1, 3 },
	[VECTOR_MAC_BACKEND4] = { 2, 0, 0, 0, 1, 4 },
	[VECTOR_MAC_STRANGER] = { 2, 0, 0, 0, 9, 9 },
	[VECTOR_MAC_BROADCAST] = { 255, 255, 255, 255, 255, 255 },
	[VECTOR_MAC_MULTICAST] = { 1, 0, 0x5e, 0, 0, 1 },
};

const uint8_t *vector_mac_bytes(enum vector_mac mac)
{
	return macs[mac];
}

static uint8_t *put8(uint8_t *at, unsigned int value)
{
	*at = (uint8_t)value;
	return at + 1;
}

static uint8_t *put16(uint8_t *at, unsigned int value)
{
	return put8(put8(at, value >> 8), value & 255);
}

static uint8_t *put32(uint8_t *at, uint32_t value)
{
	return put16(put16(at, value >> 16), value & 65535);
}

static uint8_t *put_fill(uint8_t *at, size_t size_bytes)
{
	for (size_t i = 0; i < size_bytes; i++)
		at[i] = (uint8_t)('a' + i % 26);
	return at + size_bytes;
}

static uint8_t *put_address(uint8_t *at, bool ip6, const char *text)
{
	int parsed = inet_pton(ip6 ? AF_INET6 : AF_INET, text, at);

	assert(parsed == 1);
	(void)parsed;
	return at + (ip6 ? 16 : 4);
}

static unsigned int proto_of(const struct vector_packet *packet)
{
	if (packet->proto)
		return packet->proto;
	if (packet->icmp_type)
		return packet->ip6 ? 58 : 1;
	return 6;
}

static uint8_t *put_ip(const struct vector_packet *packet, uint8_t *at);

static uint8_t *put_tcp(const struct vector_packet *packet, uint8_t *at)
{
	at = put16(at, packet->client_port ? packet->client_port : 40000);
	at = put16(at, packet->port ? packet->port : 80);
	at = put32(put32(at, 1), 0);
	at = put8(at, (packet->tcp_words ? packet->tcp_words : 5) << 4);
	at = put8(at, packet->tcp_flags ? packet->tcp_flags : 2);
	return put32(put16(at, 1024), 0);
}

static uint8_t *put_udp(const struct vector_packet *packet, uint8_t *at)
{
	at = put16(at, packet->client_port ? packet->client_port : 40000);
	at = put16(at, packet->port ? packet->port : 53);
	at = put16(at, 8 + packet->payload_bytes + (unsigned int)packet->udp_delta_bytes);
	return put16(at, 0);
}

static uint8_t *put_sctp(const struct vector_packet *packet, uint8_t *at)
{
	at = put16(at, packet->client_port ? packet->client_port : 40000);
	at = put16(at, packet->port ? packet->port : 80);
	at = put32(put32(at, 0), 0);
	at = put8(put8(at, packet->chunk ? packet->chunk : 1), 0);
	return put16(at, 20);
}

static uint8_t *put_icmp(const struct vector_packet *packet, uint8_t *at)
{
	uint8_t *quote, *end;

	at = put8(put8(at, packet->icmp_type), packet->icmp_code);
	quote = put32(put16(at, 0), 0);
	if (!packet->quote)
		return quote;
	end = put_ip(packet->quote, quote);
	return packet->quote_bytes ? quote + packet->quote_bytes : end;
}

static uint8_t *put_l4(const struct vector_packet *packet, uint8_t *at)
{
	uint8_t *begin = at;

	if (packet->fragment_offset == 0) {
		if (proto_of(packet) == 6)
			at = put_tcp(packet, at);
		else if (proto_of(packet) == 17)
			at = put_udp(packet, at);
		else if (proto_of(packet) == 132)
			at = put_sctp(packet, at);
		else if (packet->icmp_type)
			at = put_icmp(packet, at);
	}
	at = put_fill(at, packet->payload_bytes);
	return packet->l4_bytes ? begin + packet->l4_bytes : at;
}

static void put_checksum(uint8_t *header, size_t size_bytes)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < size_bytes; i += 2)
		sum += (uint32_t)header[i] << 8 | header[i + 1];
	sum = (sum & 65535) + (sum >> 16);
	sum = (sum & 65535) + (sum >> 16);
	put16(header + 10, ~sum & 65535);
}

static unsigned int length_field(const struct vector_packet *packet, long size_bytes)
{
	long length = size_bytes + packet->total_delta_bytes;

	return packet->zero_total ? 0 : (unsigned int)length & 65535;
}

static uint8_t *put_ip4(const struct vector_packet *packet, uint8_t *ip)
{
	unsigned int header_bytes = 20u + packet->option_bytes;
	unsigned int words = packet->header_words ? packet->header_words : header_bytes / 4;
	uint8_t *at = ip, *end;

	at = put8(at, (packet->version ? packet->version : 4) << 4 | words);
	at = put16(put8(at, 0), 0);
	at = put16(at, (4321u + packet->datagram) & 65535);
	at = put16(at, (packet->more ? 0x2000 : 0) | packet->fragment_offset / 8);
	at = put16(put8(put8(at, 64), proto_of(packet)), 0);
	at = put_address(at, false, packet->source ? packet->source : "192.0.2.7");
	at = put_address(at, false, packet->destination ? packet->destination : "198.51.100.10");
	for (unsigned int i = 0; i < packet->option_bytes; i++)
		at = put8(at, 1); /* no-operation */
	end = put_l4(packet, at);
	put16(ip + 2, length_field(packet, end - ip));
	put_checksum(ip, header_bytes);
	return end;
}

/* One extension header; its first byte is written by the caller of the chain. */
static uint8_t *put_extension(const struct vector_packet *packet, uint8_t kind, uint8_t *at)
{
	size_t rest_bytes = 6 + 8u * packet->extension_units;

	if (kind == 44) {
		at = put8(at + 1, 0);
		at = put16(at, packet->fragment_offset | packet->more);
		return put32(at, 4321u + packet->datagram);
	}
	at = put8(at + 1, kind == 51 ? 2u * packet->extension_units : packet->extension_units);
	memset(at, 0, rest_bytes);
	return at + rest_bytes;
}

static uint8_t *put_ip6(const struct vector_packet *packet, uint8_t *ip)
{
	uint8_t *next = ip + 6, *end, *at;

	at = put32(ip, (uint32_t)(packet->version ? packet->version : 6) << 28);
	at = put8(put8(put16(at, 0), 0), 64);
	at = put_address(at, true, packet->source ? packet->source : "2001:db8:7::7");
	at = put_address(at, true, packet->destination ? packet->destination : "2001:db8::10");
	for (size_t i = 0; i < VECTOR_EXTENSIONS && packet->extensions[i]; i++) {
		*next = packet->extensions[i] == 200 ? 0 : packet->extensions[i];
		next = at;
		at = put_extension(packet, packet->extensions[i], at);
	}
	*next = (uint8_t)proto_of(packet);
	end = put_l4(packet, at);
	put16(ip + 4, length_field(packet, end - ip - 40));
	return end;
}

static uint8_t *put_ip(const struct vector_packet *packet, uint8_t *at)
{
	return packet->ip6 ? put_ip6(packet, at) : put_ip4(packet, at);
}

size_t vector_build(const struct vector_packet *packet, uint8_t *buffer)
{
	unsigned int type = packet->ethertype ? packet->ethertype : packet->ip6 ? 0x86dd : 0x0800;
	uint8_t *at = buffer;

	memcpy(at, macs[packet->to == VECTOR_MAC_ROUTER ? VECTOR_MAC_OWN : packet->to], 6);
	memcpy(at + 6, macs[packet->from], 6);
	at += 12;
	for (size_t i = 0; i < ARRAY_LEN(packet->vlans) && packet->vlans[i]; i++)
		at = put16(put16(at, packet->vlans[i]), 100 + (unsigned int)i);
	at = put_ip(packet, put16(at, type));
	memset(at, 0, packet->pad_bytes);
	at += packet->pad_bytes;
	return packet->cut_bytes ? packet->cut_bytes : (size_t)(at - buffer);
}
