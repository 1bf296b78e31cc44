/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See path_frame.h. Called by path_probe.c and its fuzzer. */
#include "lb/link/path/path_frame.h"

#include <assert.h>

#include "common/packet/checksum.h"
#include "lb/fwd/wire.h"

#define TTL    64u
#define WINDOW 64240u
/* What fits a link of 1500 bytes, as an ordinary client offers it. */
#define MSS_IP4 1460u
#define MSS_IP6 1440u
#define TCP_PSH 0x08u

#define IP4_PROTECTED 0x4000u /* DF */

#define PROTO_ICMP4 1u
#define PROTO_TCP   6u
#define PROTO_UDP   17u
#define PROTO_ICMP6 58u

#define ICMP4_ECHO_REPLY   0u
#define ICMP4_UNREACHABLE  3u
#define ICMP4_ECHO         8u
#define ICMP4_TIME         11u
#define ICMP4_PARAMETER    12u
#define ICMP6_UNREACHABLE  1u
#define ICMP6_TIME         3u
#define ICMP6_PARAMETER    4u
#define ICMP6_ECHO         128u
#define ICMP6_ECHO_REPLY   129u
#define ICMP4_NEEDS_BYTES  4u /* code of ICMP4_UNREACHABLE: fragmentation needed */
#define ICMP4_PORT         3u
#define ICMP6_PORT         4u
#define ICMP6_PROHIBITED_1 1u
#define ICMP6_PROHIBITED_5 5u
#define ICMP6_REJECT_ROUTE 6u

struct tcp_syn {
	struct wire_tcp tcp;
	__u8 mss_kind, mss_length;
	__be16 mss;
} WIRE;

/* Building. */

static uint8_t protocol_of(const struct path_frame *frame)
{
	if (frame->kind == PATH_TCP || frame->kind == PATH_HTTP)
		return PROTO_TCP;
	if (frame->kind == PATH_UDP)
		return PROTO_UDP;
	return frame->vip.family == AF_INET ? PROTO_ICMP4 : PROTO_ICMP6;
}

/* Over the pseudo header as well, but for ICMP (RFC 9293 §3.1, RFC 8200 §8.1). */
static uint16_t message_sum(const struct path_frame *frame, const void *message, size_t size_bytes)
{
	size_t address_bytes = addr_size_bytes(&frame->vip);
	uint64_t sum = 0;

	if (protocol_of(frame) != PROTO_ICMP4) {
		sum = checksum_add(sum, frame->source.bytes, address_bytes);
		sum = checksum_add(sum, frame->vip.bytes, address_bytes);
		sum += protocol_of(frame) + size_bytes;
	}
	return checksum_finish(checksum_add(sum, message, size_bytes));
}

/* Ethernet and IP; returns where the message begins. */
static size_t put_headers(const struct path_frame *frame, size_t message_bytes, uint8_t *buffer)
{
	bool ip4 = frame->vip.family == AF_INET;
	struct wire_ethernet ethernet = { .type = WIRE_16(ip4 ? WIRE_TYPE_IP4 : WIRE_TYPE_IP6) };
	struct wire_ip4 header4 = { .version_words = 0x45, .ttl = TTL };
	struct wire_ip6 header6 = { .version_flow = WIRE_32(6u << 28), .hop_limit = TTL };

	memcpy(ethernet.destination, frame->to.bytes, MAC_LEN);
	memcpy(ethernet.source, frame->from.bytes, MAC_LEN);
	memcpy(buffer, &ethernet, sizeof(ethernet));
	if (ip4) {
		header4.total_bytes = WIRE_16((uint16_t)(sizeof(header4) + message_bytes));
		header4.fragment = WIRE_16(IP4_PROTECTED);
		header4.proto = protocol_of(frame);
		memcpy(&header4.source, frame->source.bytes, 4);
		memcpy(&header4.destination, frame->vip.bytes, 4);
		header4.checksum = WIRE_16(checksum_of(&header4, sizeof(header4)));
		memcpy(buffer + sizeof(ethernet), &header4, sizeof(header4));
		return sizeof(ethernet) + sizeof(header4);
	}
	header6.payload_bytes = WIRE_16((uint16_t)message_bytes);
	header6.next = protocol_of(frame);
	memcpy(header6.source, frame->source.bytes, 16);
	memcpy(header6.destination, frame->vip.bytes, 16);
	memcpy(buffer + sizeof(ethernet), &header6, sizeof(header6));
	return sizeof(ethernet) + sizeof(header6);
}

static size_t build_syn(const struct path_frame *frame, uint8_t *buffer)
{
	size_t at = put_headers(frame, sizeof(struct tcp_syn), buffer);
	struct tcp_syn syn = {
		.tcp = {
			.source_port = WIRE_16(frame->source_port),
			.destination_port = WIRE_16(frame->port),
			.sequence = WIRE_32(frame->sequence),
			.offset_words = sizeof(syn) / 4 << 4,
			.flags = WIRE_TCP_SYN,
			.window = WIRE_16(WINDOW),
		},
		.mss_kind = 2,
		.mss_length = 4,
		.mss = WIRE_16(frame->vip.family == AF_INET ? MSS_IP4 : MSS_IP6),
	};

	syn.tcp.checksum = WIRE_16(message_sum(frame, &syn, sizeof(syn)));
	memcpy(buffer + at, &syn, sizeof(syn));
	return at + sizeof(syn);
}

static size_t build_datagram(const struct path_frame *frame, uint8_t *buffer)
{
	size_t message_bytes = sizeof(struct wire_udp) + frame->payload_bytes;
	size_t at = put_headers(frame, message_bytes, buffer);
	struct wire_udp udp = {
		.source_port = WIRE_16(frame->source_port),
		.destination_port = WIRE_16(frame->port),
		.length_bytes = WIRE_16((uint16_t)message_bytes),
	};
	uint16_t sum;

	memcpy(buffer + at, &udp, sizeof(udp));
	if (frame->payload_bytes > 0)
		memcpy(buffer + at + sizeof(udp), frame->payload, frame->payload_bytes);
	sum = message_sum(frame, buffer + at, message_bytes);
	/* Zero would mean that there is none (RFC 768). */
	udp.checksum = WIRE_16(sum ? sum : UINT16_MAX);
	memcpy(buffer + at, &udp, sizeof(udp));
	return at + message_bytes;
}

static size_t build_echo(const struct path_frame *frame, uint8_t *buffer)
{
	size_t message_bytes = sizeof(struct wire_icmp) + frame->payload_bytes;
	size_t at = put_headers(frame, message_bytes, buffer);
	struct wire_icmp icmp = {
		.type = frame->vip.family == AF_INET ? ICMP4_ECHO : ICMP6_ECHO,
		.rest = WIRE_32((uint32_t)frame->source_port << 16 | frame->port),
	};

	memcpy(buffer + at, &icmp, sizeof(icmp));
	if (frame->payload_bytes > 0)
		memcpy(buffer + at + sizeof(icmp), frame->payload, frame->payload_bytes);
	icmp.checksum = WIRE_16(message_sum(frame, buffer + at, message_bytes));
	memcpy(buffer + at, &icmp, sizeof(icmp));
	return at + message_bytes;
}

size_t path_frame_build(const struct path_frame *probe, uint8_t buffer[PATH_FRAME_MAX_BYTES])
{
	assert(probe->payload_bytes <= PATH_FRAME_PAYLOAD_MAX);
	assert(probe->source.family == probe->vip.family);
	switch (probe->kind) {
	case PATH_TCP:
	case PATH_HTTP:
		return build_syn(probe, buffer);
	case PATH_UDP:
		return build_datagram(probe, buffer);
	case PATH_ECHO:
		break;
	}
	return build_echo(probe, buffer);
}

size_t path_frame_build_segment(
	const struct path_frame *segment, uint8_t buffer[PATH_FRAME_MAX_BYTES])
{
	struct wire_tcp tcp = {
		.source_port = WIRE_16(segment->source_port),
		.destination_port = WIRE_16(segment->port),
		.sequence = WIRE_32(segment->sequence),
		.acknowledged = WIRE_32(segment->acknowledged),
		.offset_words = sizeof(tcp) / 4 << 4,
		.flags = WIRE_TCP_ACK | (segment->payload_bytes > 0 ? TCP_PSH : 0),
		.window = WIRE_16(WINDOW),
	};
	size_t message_bytes = sizeof(tcp) + segment->payload_bytes;
	size_t at = put_headers(segment, message_bytes, buffer);

	assert(segment->payload_bytes <= PATH_FRAME_PAYLOAD_MAX);
	memcpy(buffer + at, &tcp, sizeof(tcp));
	if (segment->payload_bytes > 0)
		memcpy(buffer + at + sizeof(tcp), segment->payload, segment->payload_bytes);
	tcp.checksum = WIRE_16(message_sum(segment, buffer + at, message_bytes));
	memcpy(buffer + at, &tcp, sizeof(tcp));
	return at + message_bytes;
}

size_t path_frame_build_reset(const struct path_frame *reset, uint8_t buffer[PATH_FRAME_MAX_BYTES])
{
	size_t at = put_headers(reset, sizeof(struct wire_tcp), buffer);
	struct wire_tcp tcp = {
		.source_port = WIRE_16(reset->source_port),
		.destination_port = WIRE_16(reset->port),
		.sequence = WIRE_32(reset->sequence),
		.offset_words = sizeof(tcp) / 4 << 4,
		.flags = WIRE_TCP_RST,
	};

	tcp.checksum = WIRE_16(message_sum(reset, &tcp, sizeof(tcp)));
	memcpy(buffer + at, &tcp, sizeof(tcp));
	return at + sizeof(tcp);
}

/* Parsing. */

/* What is left of a frame. */
struct rest {
	const uint8_t *data;
	size_t size_bytes;
};

static bool rest_take(struct rest *rest, void *ret, size_t size_bytes)
{
	if (rest->size_bytes < size_bytes)
		return false;
	memcpy(ret, rest->data, size_bytes);
	rest->data += size_bytes;
	rest->size_bytes -= size_bytes;
	return true;
}

static bool rest_skip(struct rest *rest, size_t size_bytes)
{
	if (rest->size_bytes < size_bytes)
		return false;
	rest->data += size_bytes;
	rest->size_bytes -= size_bytes;
	return true;
}

struct packet {
	struct addr source, destination;
	uint8_t proto;
	size_t message_bytes; /* behind the IP header, as sent */
};

/* A whole packet, or the part of one that an error quotes; without extension headers, which probes have not. */
static bool take_ip4(struct rest *rest, bool quoted, struct packet *ret_packet)
{
	struct wire_ip4 header;
	size_t header_bytes, total_bytes;

	if (!rest_take(rest, &header, sizeof(header)))
		return false;
	header_bytes = (size_t)(header.version_words & 15u) * 4u;
	total_bytes = WIRE_16(header.total_bytes);
	if (header.version_words >> 4 != 4 || header_bytes < sizeof(header) ||
		total_bytes < header_bytes ||
		(WIRE_16(header.fragment) & (WIRE_IP4_MORE | WIRE_IP4_OFFSET)) ||
		!rest_skip(rest, header_bytes - sizeof(header)))
		return false;
	/* Ethernet pads short frames; of a large datagram the end is not read. */
	if (!quoted)
		rest->size_bytes = MIN(rest->size_bytes, total_bytes - header_bytes);
	*ret_packet = (struct packet){
		.source.family = AF_INET,
		.destination.family = AF_INET,
		.proto = header.proto,
		.message_bytes = total_bytes - header_bytes,
	};
	memcpy(ret_packet->source.bytes, &header.source, 4);
	memcpy(ret_packet->destination.bytes, &header.destination, 4);
	return true;
}

static bool take_ip6(struct rest *rest, bool quoted, struct packet *ret_packet)
{
	struct wire_ip6 header;

	if (!rest_take(rest, &header, sizeof(header)) || WIRE_32(header.version_flow) >> 28 != 6)
		return false;
	if (!quoted)
		rest->size_bytes = MIN(rest->size_bytes, (size_t)WIRE_16(header.payload_bytes));
	*ret_packet = (struct packet){
		.source.family = AF_INET6,
		.destination.family = AF_INET6,
		.proto = header.next,
		.message_bytes = WIRE_16(header.payload_bytes),
	};
	memcpy(ret_packet->source.bytes, header.source, 16);
	memcpy(ret_packet->destination.bytes, header.destination, 16);
	return true;
}

static void parse_tcp(struct rest *rest, size_t message_bytes, struct path_answer *answer)
{
	size_t header_bytes;
	struct wire_tcp tcp;

	/* A reset that acknowledges nothing shows no knowledge of the SYN. */
	if (!rest_take(rest, &tcp, sizeof(tcp)) || !(tcp.flags & WIRE_TCP_ACK))
		return;
	answer->probe = PATH_TCP;
	answer->port = WIRE_16(tcp.source_port);
	answer->own_port = WIRE_16(tcp.destination_port);
	answer->sequence = WIRE_32(tcp.acknowledged) - 1;
	if (tcp.flags & WIRE_TCP_RST)
		answer->kind = PATH_ANSWER_RESET;
	else
		answer->kind = tcp.flags & WIRE_TCP_SYN ? PATH_ANSWER_SYN_ACK : PATH_ANSWER_ACK;
	header_bytes = (size_t)(tcp.offset_words >> 4) * 4u;
	answer->server_sequence = WIRE_32(tcp.sequence);
	answer->is_last = tcp.flags & WIRE_TCP_FIN;
	if (header_bytes < sizeof(tcp) || message_bytes <= header_bytes ||
		!rest_skip(rest, header_bytes - sizeof(tcp)))
		return;
	answer->server_bytes = message_bytes - header_bytes;
	answer->payload = rest->data;
	answer->payload_bytes = rest->size_bytes;
}

static void parse_udp(struct rest *rest, struct path_answer *answer)
{
	struct wire_udp udp;

	if (!rest_take(rest, &udp, sizeof(udp)) || WIRE_16(udp.length_bytes) < sizeof(udp))
		return;
	answer->kind = PATH_ANSWER_DATAGRAM;
	answer->probe = PATH_UDP;
	answer->port = WIRE_16(udp.source_port);
	answer->own_port = WIRE_16(udp.destination_port);
	answer->payload = rest->data;
	answer->payload_bytes =
		MIN(rest->size_bytes, (size_t)WIRE_16(udp.length_bytes) - sizeof(udp));
}

static void parse_echo(
	const struct wire_icmp *icmp, const struct rest *rest, struct path_answer *answer)
{
	answer->kind = PATH_ANSWER_ECHO;
	answer->probe = PATH_ECHO;
	answer->own_port = (uint16_t)(WIRE_32(icmp->rest) >> 16);
	answer->port = (uint16_t)WIRE_32(icmp->rest);
	answer->payload = rest->data;
	answer->payload_bytes = rest->size_bytes;
}

/* RFC 792, RFC 1812 §5.2.7.1, RFC 4443 §3.1; false: it is no error of the path, but of the packet's size. */
static bool error_of(bool ip4, const struct wire_icmp *icmp, enum path_error *ret_error)
{
	*ret_error = PATH_ERROR_OTHER;
	if (ip4 && icmp->type == ICMP4_UNREACHABLE) {
		if (icmp->code == ICMP4_PORT)
			*ret_error = PATH_ERROR_PORT;
		if (icmp->code == 9 || icmp->code == 10 || icmp->code == 13)
			*ret_error = PATH_ERROR_PROHIBITED;
		return icmp->code != ICMP4_NEEDS_BYTES;
	}
	if (ip4)
		return icmp->type == ICMP4_TIME || icmp->type == ICMP4_PARAMETER;
	if (icmp->type == ICMP6_UNREACHABLE) {
		if (icmp->code == ICMP6_PORT)
			*ret_error = PATH_ERROR_PORT;
		if (icmp->code == ICMP6_PROHIBITED_1 || icmp->code == ICMP6_PROHIBITED_5 ||
			icmp->code == ICMP6_REJECT_ROUTE)
			*ret_error = PATH_ERROR_PROHIBITED;
		return true;
	}
	return icmp->type == ICMP6_TIME || icmp->type == ICMP6_PARAMETER;
}

/* The first eight bytes of what a probe sent, behind its IP header. */
struct quote {
	__be16 source_port, destination_port;
	__be32 word;
};

static void parse_error(
	bool ip4, struct rest *rest, enum path_error error, struct path_answer *answer)
{
	struct packet packet = { 0 };
	struct quote quote;

	if (!(ip4 ? take_ip4 : take_ip6)(rest, true, &packet) ||
		!rest_take(rest, &quote, sizeof(quote)))
		return;
	answer->vip = packet.destination;
	answer->own = packet.source;
	answer->error = error;
	answer->own_port = WIRE_16(quote.source_port);
	answer->port = WIRE_16(quote.destination_port);
	if (packet.proto == PROTO_TCP) {
		answer->probe = PATH_TCP;
		answer->sequence = WIRE_32(quote.word);
	} else if (packet.proto == PROTO_UDP) {
		answer->probe = PATH_UDP;
	} else if (packet.proto == (ip4 ? PROTO_ICMP4 : PROTO_ICMP6)) {
		answer->probe = PATH_ECHO;
		answer->own_port = (uint16_t)(WIRE_32(quote.word) >> 16);
		answer->port = (uint16_t)WIRE_32(quote.word);
	} else {
		return;
	}
	answer->kind = PATH_ANSWER_ERROR;
}

static void parse_icmp(bool ip4, struct rest *rest, struct path_answer *answer)
{
	struct wire_icmp icmp;
	enum path_error error;

	if (!rest_take(rest, &icmp, sizeof(icmp)))
		return;
	if (icmp.type == (ip4 ? ICMP4_ECHO_REPLY : ICMP6_ECHO_REPLY))
		parse_echo(&icmp, rest, answer);
	else if (error_of(ip4, &icmp, &error))
		parse_error(ip4, rest, error, answer);
}

void path_frame_parse(const void *data, size_t size_bytes, struct path_answer *ret_answer)
{
	struct rest rest = { data, size_bytes };
	struct wire_ethernet ethernet;
	struct packet packet = { 0 };
	bool ip4;

	*ret_answer = (struct path_answer){ .kind = PATH_ANSWER_NONE };
	if (!rest_take(&rest, &ethernet, sizeof(ethernet)))
		return;
	ip4 = ethernet.type == WIRE_16(WIRE_TYPE_IP4);
	if ((!ip4 && ethernet.type != WIRE_16(WIRE_TYPE_IP6)) ||
		!(ip4 ? take_ip4 : take_ip6)(&rest, false, &packet))
		return;
	memcpy(ret_answer->from.bytes, ethernet.source, MAC_LEN);
	memcpy(ret_answer->to.bytes, ethernet.destination, MAC_LEN);
	ret_answer->vip = packet.source;
	ret_answer->own = packet.destination;
	if (packet.proto == PROTO_TCP)
		parse_tcp(&rest, packet.message_bytes, ret_answer);
	else if (packet.proto == PROTO_UDP)
		parse_udp(&rest, ret_answer);
	else if (packet.proto == (ip4 ? PROTO_ICMP4 : PROTO_ICMP6))
		parse_icmp(ip4, &rest, ret_answer);
}
