/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From bytes to a struct packet: Ethernet with up to two VLAN tags, IPv4 with options, IPv6 with
 * extension headers, TCP, UDP, ICMP, and packets quoted in ICMP errors. Knows no virtual server.
 *
 * Two limits hold at every step: data_end, behind which nothing is read, and remaining_bytes,
 * what the headers so far claim to be left. Both are needed: a short packet may be padded, and a
 * long one may be readable in part only. Functions return a reason; FWD_REASON_FORWARDED, which
 * is 0, means "go on".
 */
#pragma once

#include "lb/fwd/reason.h"
#include "lb/fwd/types.h"
#include "lb/fwd/wire.h"

#define PARSE_VLAN_TAGS_MAX  2u
#define PARSE_EXTENSIONS_MAX 6u

enum packet_fragment {
	PACKET_WHOLE,
	PACKET_FIRST, /* begins a datagram of several fragments */
	PACKET_LATER, /* has no L4 header */
};

struct packet {
	struct fwd_addr source;
	struct fwd_addr destination;
	__u32 ip_bytes; /* the whole IP packet, as its header says */
	__u32 fragment_id;
	__u32 fragment_offset_bytes;
	__be16 source_port;
	__be16 destination_port;
	__u8 fragment; /* enum packet_fragment */
	__u8 is_ip6;
	__u8 proto; /* behind all extension headers */
	__u8 tcp_flags;
};

struct cursor {
	__u8 *at;
	__u8 *data_end;
	__u32 remaining_bytes;
};

FWD_INLINE int cursor_has(const struct cursor *cursor, __u32 size_bytes)
{
	return cursor->remaining_bytes >= size_bytes && cursor->at + size_bytes <= cursor->data_end;
}

/* By what cursor_has() has granted. */
FWD_INLINE void cursor_advance(struct cursor *cursor, __u32 size_bytes)
{
	cursor->at += size_bytes;
	cursor->remaining_bytes -= size_bytes;
}

/* Stands on the L3 header afterwards. */
FWD_INLINE enum fwd_reason parse_ethernet(struct cursor *cursor, __u16 *ret_type)
{
	const struct wire_ethernet *ethernet = (const void *)cursor->at;
	__u16 type;

	if (!cursor_has(cursor, sizeof(*ethernet)))
		return FWD_REASON_TRUNCATED;
	type = WIRE_16(ethernet->type);
	cursor_advance(cursor, sizeof(*ethernet));
	FWD_UNROLL
	for (__u32 i = 0; i < PARSE_VLAN_TAGS_MAX; i++) {
		const struct wire_vlan *vlan = (const void *)cursor->at;

		if (type != WIRE_TYPE_VLAN && type != WIRE_TYPE_QINQ)
			break;
		if (!cursor_has(cursor, sizeof(*vlan)))
			return FWD_REASON_TRUNCATED;
		type = WIRE_16(vlan->type);
		cursor_advance(cursor, sizeof(*vlan));
	}
	*ret_type = type;
	return FWD_REASON_FORWARDED;
}

FWD_INLINE void parse_map_ip4(struct fwd_addr *ret_addr, __be32 address)
{
	ret_addr->word[0] = 0;
	ret_addr->word[1] = 0;
	ret_addr->word[2] = WIRE_32(0xffffu);
	ret_addr->word[3] = address;
}

/*
 * Reads the addresses alone and does not move: whether the packet concerns a VIP at all is asked
 * before anything else is held against it.
 */
FWD_INLINE enum fwd_reason parse_addresses(
	const struct cursor *cursor, __u16 type, struct packet *packet)
{
	if (type == WIRE_TYPE_IP4) {
		const struct wire_ip4 *ip = (const void *)cursor->at;

		if (!cursor_has(cursor, sizeof(*ip)))
			return FWD_REASON_TRUNCATED;
		parse_map_ip4(&packet->source, ip->source);
		parse_map_ip4(&packet->destination, ip->destination);
		packet->is_ip6 = 0;
		return FWD_REASON_FORWARDED;
	}
	if (type == WIRE_TYPE_IP6) {
		const struct wire_ip6 *ip = (const void *)cursor->at;

		if (!cursor_has(cursor, sizeof(*ip)))
			return FWD_REASON_TRUNCATED;
		for (__u32 i = 0; i < 4; i++) {
			packet->source.word[i] = ip->source[i];
			packet->destination.word[i] = ip->destination[i];
		}
		packet->is_ip6 = 1;
		return FWD_REASON_FORWARDED;
	}
	return FWD_REASON_NOT_IP;
}

FWD_INLINE void parse_note_fragment(struct packet *packet, __u32 id, __u32 offset_bytes, __u32 more)
{
	packet->fragment_id = id;
	packet->fragment_offset_bytes = offset_bytes;
	/* Offset 0 and no more: whole (for IPv6 an atomic fragment, RFC 6946). */
	if (offset_bytes)
		packet->fragment = PACKET_LATER;
	else if (more)
		packet->fragment = PACKET_FIRST;
}

/*
 * Takes the length that the IP header claims. A super-frame of more than 64 KiB claims 0
 * (net/ipv6/ip6_offload.c:ipv6_gro_complete and "BIG TCP"): the frame decides then. A quoted
 * packet was cut by who quoted it: its length means nothing here.
 */
FWD_INLINE enum fwd_reason parse_claimed(
	struct cursor *cursor, struct packet *packet, __u32 claimed_bytes, __u32 gso, int is_quote)
{
	if (is_quote)
		return FWD_REASON_FORWARDED;
	if (claimed_bytes > cursor->remaining_bytes)
		return FWD_REASON_TRUNCATED;
	if (gso == 0 || claimed_bytes > 0)
		cursor->remaining_bytes = claimed_bytes;
	packet->ip_bytes = cursor->remaining_bytes;
	return FWD_REASON_FORWARDED;
}

/* The caller has granted a whole struct wire_ip4 at the cursor. Stands behind the options. */
FWD_INLINE enum fwd_reason parse_ip4(
	struct cursor *cursor, struct packet *packet, __u32 gso, int is_quote)
{
	const struct wire_ip4 *ip = (const void *)cursor->at;
	__u32 header_bytes = (ip->version_words & 15u) * 4;
	__u32 total_bytes = WIRE_16(ip->total_bytes);
	__u16 fragment = WIRE_16(ip->fragment);
	enum fwd_reason reason;

	if (ip->version_words >> 4 != 4 || header_bytes < sizeof(*ip))
		return FWD_REASON_BAD_IP;
	if (total_bytes < header_bytes && !(gso && total_bytes == 0) && !is_quote)
		return FWD_REASON_BAD_IP;
	packet->proto = ip->proto;
	parse_note_fragment(packet, WIRE_16(ip->id), (fragment & WIRE_IP4_OFFSET) * 8,
		fragment & WIRE_IP4_MORE);
	reason = parse_claimed(cursor, packet, total_bytes, gso, is_quote);
	if (reason)
		return reason;
	if (!cursor_has(cursor, header_bytes))
		return FWD_REASON_TRUNCATED;
	cursor_advance(cursor, header_bytes);
	return FWD_REASON_FORWARDED;
}

FWD_INLINE int parse_is_extension(__u8 next)
{
	return next == WIRE_HOP_BY_HOP || next == WIRE_ROUTING || next == WIRE_FRAGMENT ||
		next == WIRE_AH || next == WIRE_DESTINATION;
}

/* One extension header of the kind packet->proto; the next kind is in packet->proto afterwards. */
FWD_INLINE enum fwd_reason parse_extension(struct cursor *cursor, struct packet *packet)
{
	const struct wire_extension *extension = (const void *)cursor->at;
	__u32 size_bytes = sizeof(*extension);
	__u8 kind = packet->proto;

	if (!cursor_has(cursor, sizeof(*extension)))
		return FWD_REASON_TRUNCATED;
	packet->proto = extension->next;
	if (kind == WIRE_FRAGMENT) {
		__u32 fragment = WIRE_16(extension->fragment);

		if (packet->fragment != PACKET_WHOLE)
			return FWD_REASON_BAD_EXTENSION;
		parse_note_fragment(packet, WIRE_32(extension->id), fragment & WIRE_IP6_OFFSET,
			fragment & WIRE_IP6_MORE);
	} else if (kind == WIRE_AH) {
		size_bytes += extension->length * 4;
	} else {
		size_bytes += extension->length * 8;
	}
	if (size_bytes > cursor->remaining_bytes)
		return FWD_REASON_BAD_EXTENSION;
	if (!cursor_has(cursor, size_bytes))
		return FWD_REASON_TRUNCATED;
	cursor_advance(cursor, size_bytes);
	return FWD_REASON_FORWARDED;
}

/* The caller has granted a whole struct wire_ip6. Stands on the L4 header, or on a later fragment. */
FWD_INLINE enum fwd_reason parse_ip6(
	struct cursor *cursor, struct packet *packet, __u32 gso, int is_quote)
{
	const struct wire_ip6 *ip = (const void *)cursor->at;
	__u32 payload_bytes = WIRE_16(ip->payload_bytes);
	enum fwd_reason reason;

	if ((WIRE_32(ip->version_flow) >> 28) != 6)
		return FWD_REASON_BAD_IP;
	packet->proto = ip->next;
	reason = parse_claimed(cursor, packet,
		gso && payload_bytes == 0 ? 0 : payload_bytes + (__u32)sizeof(*ip), gso, is_quote);
	if (reason)
		return reason;
	cursor_advance(cursor, sizeof(*ip));
	FWD_UNROLL
	for (__u32 i = 0; i < PARSE_EXTENSIONS_MAX; i++) {
		/* What stands behind a later fragment's header is no header (RFC 8200 §4.5). */
		if (!parse_is_extension(packet->proto) || packet->fragment == PACKET_LATER)
			return FWD_REASON_FORWARDED;
		/* Hop-by-hop options come first or not at all (RFC 8200 §4.1). */
		if (packet->proto == WIRE_HOP_BY_HOP && i > 0)
			return FWD_REASON_BAD_EXTENSION;
		reason = parse_extension(cursor, packet);
		if (reason)
			return reason;
	}
	if (parse_is_extension(packet->proto) && packet->fragment != PACKET_LATER)
		return FWD_REASON_BAD_EXTENSION;
	return FWD_REASON_FORWARDED;
}

FWD_INLINE enum fwd_reason parse_ip(struct cursor *cursor, struct packet *packet, __u32 gso)
{
	enum fwd_reason reason;

	reason = packet->is_ip6 ? parse_ip6(cursor, packet, gso, 0)
				: parse_ip4(cursor, packet, gso, 0);
	if (reason)
		return reason;
	/* A fragment that would end behind the longest datagram: "ping of death". */
	if (packet->fragment_offset_bytes + cursor->remaining_bytes > 65535u && gso == 0)
		return FWD_REASON_BAD_IP;
	return FWD_REASON_FORWARDED;
}

/* Why an L4 header does not fit: a first fragment must hold it whole (RFC 1858 §3, RFC 7112 §5). */
FWD_INLINE enum fwd_reason parse_short(const struct packet *packet)
{
	return packet->fragment == PACKET_FIRST ? FWD_REASON_FRAGMENT_TINY : FWD_REASON_TRUNCATED;
}

FWD_INLINE enum fwd_reason parse_tcp(const struct cursor *cursor, struct packet *packet)
{
	const struct wire_tcp *tcp = (const void *)cursor->at;
	__u32 header_bytes;

	if (!cursor_has(cursor, sizeof(*tcp)))
		return parse_short(packet);
	header_bytes = (tcp->offset_words >> 4) * 4u;
	if (header_bytes < sizeof(*tcp))
		return FWD_REASON_BAD_L4;
	if (header_bytes > cursor->remaining_bytes)
		return packet->fragment == PACKET_FIRST ? FWD_REASON_FRAGMENT_TINY
							: FWD_REASON_BAD_L4;
	packet->source_port = tcp->source_port;
	packet->destination_port = tcp->destination_port;
	packet->tcp_flags = tcp->flags;
	return FWD_REASON_FORWARDED;
}

FWD_INLINE enum fwd_reason parse_udp(const struct cursor *cursor, struct packet *packet)
{
	const struct wire_udp *udp = (const void *)cursor->at;
	__u32 length_bytes;

	if (!cursor_has(cursor, sizeof(*udp)))
		return parse_short(packet);
	length_bytes = WIRE_16(udp->length_bytes);
	if (length_bytes < sizeof(*udp))
		return FWD_REASON_BAD_L4;
	/* Of a first fragment it is the length of the whole datagram. */
	if (length_bytes > cursor->remaining_bytes && packet->fragment == PACKET_WHOLE)
		return FWD_REASON_BAD_L4;
	packet->source_port = udp->source_port;
	packet->destination_port = udp->destination_port;
	return FWD_REASON_FORWARDED;
}

/*
 * The packet that an ICMP error quotes; the cursor stands behind the eight bytes of the ICMP
 * header. Non-zero: its addresses, protocol and ports are in `*quoted`. At least eight bytes of
 * its TCP or UDP header must be there, as RFC 792 has promised since 1981.
 */
FWD_INLINE int parse_quote(struct cursor *cursor, int is_ip6, struct packet *quoted)
{
	__u16 type = is_ip6 ? WIRE_TYPE_IP6 : WIRE_TYPE_IP4;
	const struct wire_udp *ports;

	if (parse_addresses(cursor, type, quoted))
		return 0;
	if (is_ip6 ? parse_ip6(cursor, quoted, 0, 1) : parse_ip4(cursor, quoted, 0, 1))
		return 0;
	if (quoted->fragment == PACKET_LATER)
		return 0;
	if (quoted->proto != FWD_PROTO_TCP && quoted->proto != FWD_PROTO_UDP)
		return 0;
	ports = (const void *)cursor->at;
	if (!cursor_has(cursor, sizeof(*ports)))
		return 0;
	quoted->source_port = ports->source_port;
	quoted->destination_port = ports->destination_port;
	return 1;
}
