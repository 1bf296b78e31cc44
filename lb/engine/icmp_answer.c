/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "Too big" in ICMP and ICMPv6; see icmp_answer.h. Frames are parsed as the core parses them. */
#include "lb/engine/icmp_answer.h"

#include "common/packet/checksum.h"
#include "lb/fwd/parse.h"

#define HOP_LIMIT 64u
/* Precedence "internetwork control", as RFC 1812 §4.3.2.5 asks of a router's errors. */
#define TOS_CONTROL     0xc0u
#define DO_NOT_FRAGMENT 0x4000u

#define TYPE4_UNREACHABLE 3u
#define CODE4_FRAG_NEEDED 4u
#define TYPE6_TOO_BIG     2u

/* Queries that are answered (RFC 792, RFC 950): all other ICMP may be an error. */
static bool type4_is_query(uint8_t type)
{
	return type == 0 || type == 8 || (type >= 13 && type <= 18);
}

/* RFC 4443 §2.1: errors are 0–127; redirects (137) count as such (§2.4 (e.2)). */
static bool type6_is_query(uint8_t type)
{
	return type >= 128 && type != 137;
}

/* "This network", loopback, multicast, reserved and broadcast (RFC 1812 §5.3.7). */
static bool address4_is_one_host(__be32 address)
{
	uint32_t first = WIRE_32(address) >> 24;

	return first != 0 && first != 127 && first < 224;
}

/* Unspecified, loopback, IPv4 in disguise (RFC 4291 §2.5), multicast (§2.7). */
static bool address6_is_one_host(const struct fwd_addr *address)
{
	if ((WIRE_32(address->word[0]) >> 24) == 0xff)
		return false;
	if (address->word[0] || address->word[1])
		return true;
	return WIRE_32(address->word[2]) != 0xffff &&
		(address->word[2] || WIRE_32(address->word[3]) > 1);
}

static bool address_is_one_host(const struct packet *packet, const struct fwd_addr *address)
{
	return packet->flow.is_ip6 ? address6_is_one_host(address)
				   : address4_is_one_host(address->word[3]);
}

/* What the packet asks for may be refused by an error. The cursor stands behind the IP headers. */
static bool packet_may_be_answered(
	struct fwd_context *context, const struct packet *packet, const struct cursor *cursor)
{
	struct wire_icmp icmp;

	if (packet->ip.fragment == PACKET_LATER)
		return false;
	if (!address_is_one_host(packet, &packet->flow.client) ||
		!address_is_one_host(packet, &packet->destination))
		return false;
	if (packet->ip.proto != (packet->flow.is_ip6 ? FWD_PROTO_ICMPV6 : FWD_PROTO_ICMP))
		return true;
	if (!cursor_read(context, cursor, &icmp, sizeof(icmp)))
		return false;
	return packet->flow.is_ip6 ? type6_is_query(icmp.type) : type4_is_query(icmp.type);
}

/* Type, code and rest of header before the quote, which is in place already. */
static void write_icmp(struct wire_icmp *icmp, uint8_t type, uint8_t code, uint32_t mtu_bytes,
	size_t quote_bytes, uint64_t sum)
{
	*icmp = (struct wire_icmp){ .type = type, .code = code, .rest = WIRE_32(mtu_bytes) };
	icmp->checksum =
		WIRE_16(checksum_finish(checksum_add(sum, icmp, sizeof(*icmp) + quote_bytes)));
}

static size_t write_ip4(
	uint8_t *at, const struct packet *packet, const uint8_t *quoted, uint32_t mtu_bytes)
{
	struct wire_ip4 *ip = (void *)at;
	struct wire_icmp *icmp = (void *)(ip + 1);
	size_t head_bytes = sizeof(*ip) + sizeof(*icmp);
	size_t quote_bytes =
		MIN((size_t)packet->ip.total_bytes, ICMP_ANSWER_IP4_BYTES_MAX - head_bytes);

	*ip = (struct wire_ip4){
		.version_words = 0x45,
		.tos = TOS_CONTROL,
		.total_bytes = WIRE_16((uint16_t)(head_bytes + quote_bytes)),
		/* Never fragmented, so any identification will do (RFC 6864 §4.1). */
		.fragment = WIRE_16(DO_NOT_FRAGMENT),
		.ttl = HOP_LIMIT,
		.proto = FWD_PROTO_ICMP,
		.source = packet->destination.word[3],
		.destination = packet->flow.client.word[3],
	};
	ip->checksum = WIRE_16(checksum_of(ip, sizeof(*ip)));
	memcpy(icmp + 1, quoted, quote_bytes);
	/* RFC 1191 §4: the MTU is in the lower 16 bits. */
	write_icmp(icmp, TYPE4_UNREACHABLE, CODE4_FRAG_NEEDED, MIN(mtu_bytes, (uint32_t)UINT16_MAX),
		quote_bytes, 0);
	return head_bytes + quote_bytes;
}

static size_t write_ip6(
	uint8_t *at, const struct packet *packet, const uint8_t *quoted, uint32_t mtu_bytes)
{
	struct wire_ip6 *ip = (void *)at;
	struct wire_icmp *icmp = (void *)(ip + 1);
	size_t head_bytes = sizeof(*ip) + sizeof(*icmp);
	size_t quote_bytes =
		MIN((size_t)packet->ip.total_bytes, ICMP_ANSWER_IP6_BYTES_MAX - head_bytes);
	uint64_t sum;

	*ip = (struct wire_ip6){
		.version_flow = WIRE_32(6u << 28),
		.payload_bytes = WIRE_16((uint16_t)(sizeof(*icmp) + quote_bytes)),
		.next = FWD_PROTO_ICMPV6,
		.hop_limit = HOP_LIMIT,
	};
	memcpy(ip->source, &packet->destination, sizeof(ip->source));
	memcpy(ip->destination, &packet->flow.client, sizeof(ip->destination));
	memcpy(icmp + 1, quoted, quote_bytes);
	/* The pseudo-header of RFC 8200 §8.1: addresses, length, next header. */
	sum = checksum_add(0, ip->source, sizeof(ip->source) + sizeof(ip->destination));
	sum += sizeof(*icmp) + quote_bytes + FWD_PROTO_ICMPV6;
	write_icmp(icmp, TYPE6_TOO_BIG, 0, mtu_bytes, quote_bytes, sum);
	return head_bytes + quote_bytes;
}

size_t icmp_answer_build(const uint8_t *data, size_t readable_bytes, size_t length_bytes, bool gso,
	uint32_t mtu_bytes, uint8_t ret_answer[ICMP_ANSWER_BYTES_MAX])
{
	const struct wire_ethernet *ethernet = (const void *)data;
	struct fwd_context context = { data, (uint32_t)readable_bytes };
	struct cursor cursor = { 0, (uint32_t)length_bytes };
	struct packet packet = { 0 };
	size_t link_bytes;
	uint16_t type;

	if (parse_ethernet(&context, &cursor, 0, &type))
		return 0;
	link_bytes = cursor.offset_bytes;
	if (parse_ip(&context, &cursor, type, gso, &packet) || packet.fault)
		return 0;
	if (((ethernet->destination[0] | ethernet->source[0]) & 1) ||
		!packet_may_be_answered(&context, &packet, &cursor))
		return 0;
	/* What is to be quoted must be there. */
	if (readable_bytes - link_bytes < MIN(packet.ip.total_bytes, ICMP_ANSWER_IP6_BYTES_MAX))
		return 0;
	memcpy(ret_answer, data, link_bytes);
	memcpy(ret_answer, ethernet->source, FWD_MAC_BYTES);
	memcpy(ret_answer + FWD_MAC_BYTES, ethernet->destination, FWD_MAC_BYTES);
	return link_bytes +
		(packet.flow.is_ip6 ? write_ip6 : write_ip4)(
			ret_answer + link_bytes, &packet, data + link_bytes, mtu_bytes);
}
