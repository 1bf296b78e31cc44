/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From bytes to a struct packet: Ethernet with up to two VLAN tags, IPv4 with options, IPv6 with
 * extension headers, TCP, UDP, SCTP, ICMP, and packets quoted in ICMP errors. Knows no virtual server.
 *
 * There are two ways, with one outcome. parse_plain() takes the frames that come a million times a
 * second (no tag, no option, no extension, no fragment, TCP or UDP) by offsets that the compiler knows;
 * parse_any() takes all others, header by header, through frame_read(). For BPF the second is a
 * function of its own, which the verifier judges once; what leaves it is in struct packet, so no
 * pointer into the frame lives on.
 *
 * Two limits hold at every step: what is readable, and remaining_bytes, what the headers so far claim
 * to be left. Both are needed: a short packet may be padded, and a long one may be readable in part
 * only. Functions return a reason; FWD_REASON_FORWARDED, which is 0, means "go on".
 */
#pragma once

#include "lb/fwd/frame.h"
#include "lb/fwd/reason.h"
#include "lb/fwd/types.h"
#include "lb/fwd/wire.h"

#define PARSE_VLAN_TAGS_MAX  2u
#define PARSE_EXTENSIONS_MAX 6u

/* ICMP (RFC 792) and ICMPv6 (RFC 4443) types that matter. */
#define PARSE_ICMP4_UNREACHABLE   3u
#define PARSE_ICMP4_ECHO          8u
#define PARSE_ICMP4_TIME_EXCEEDED 11u
#define PARSE_ICMP4_PARAMETER     12u
#define PARSE_ICMP6_UNREACHABLE   1u
#define PARSE_ICMP6_PARAMETER     4u /* 2 is packet-too-big, 3 time exceeded */
#define PARSE_ICMP6_ECHO          128u

enum packet_fragment {
	PACKET_WHOLE,
	PACKET_FIRST, /* begins a datagram of several fragments */
	PACKET_LATER, /* has no L4 header */
};

/* What belongs to a flow, and what does not. */
enum packet_kind {
	PACKET_PORTS,    /* TCP, UDP or SCTP; or a later fragment of who knows what */
	PACKET_NO_PORTS, /* neither those nor ICMP; later fragments of them too */
	PACKET_ICMP_OTHER,
	PACKET_ICMP_ECHO,
	PACKET_ICMP_ERROR, /* about a packet that the destination of this one sent: of packet->flow */
};

/* What the IP headers say beside addresses. */
struct packet_ip {
	__u32 total_bytes;  /* the whole IP packet, as its header says */
	__u32 header_bytes; /* of IP, and of what has ports once that was read */
	__u32 fragment_id;
	__u32 fragment_offset_bytes;
	__u8 fragment; /* enum packet_fragment */
	__u8 proto;    /* behind all extension headers */
	__u8 pad[2];
};

/* The flow that a packet belongs to, seen from the client: its own, or the one that an ICMP error quotes. */
struct packet_flow {
	struct fwd_addr client;
	__be16 client_port;
	__be16 vip_port;
	__u8 is_ip6;
	__u8 kind;      /* enum fwd_kind */
	__u8 tcp_flags; /* TCP only; of SCTP those that say the same */
	__u8 only_asks; /* an ICMP error about the flow: proves nothing, so leaves no trace */
};

struct packet {
	struct fwd_addr destination;
	struct packet_flow flow;
	struct packet_ip ip;
	struct fwd_addr source; /* of a fragment; of others it is not filled in */
	__u8 is_land;           /* the source is the destination */
	__u8 kind;              /* enum packet_kind */
	__u8 unread;            /* enum fwd_reason: there are no addresses to judge by */
	__u8 fault; /* enum fwd_reason: addresses are there, and something behind them is wrong */
};

/* A place in the frame. */
struct cursor {
	__u32 offset_bytes;
	__u32 remaining_bytes;
};

/* Reads `size_bytes` (a constant) at the cursor. Non-zero: they are there, by both limits. */
FWD_INLINE int cursor_read(struct fwd_context *context, const struct cursor *cursor, void *ret_data,
	const __u32 size_bytes)
{
	return cursor->remaining_bytes >= size_bytes &&
		frame_read(context, cursor->offset_bytes, ret_data, size_bytes);
}

FWD_INLINE void cursor_advance(struct cursor *cursor, __u32 size_bytes)
{
	cursor->offset_bytes += size_bytes;
	cursor->remaining_bytes -= size_bytes;
}

/* The cursor may advance by a header of this length: all of it is there. */
FWD_INLINE int cursor_has(
	struct fwd_context *context, const struct cursor *cursor, __u32 size_bytes)
{
	return cursor->remaining_bytes >= size_bytes &&
		frame_readable(context, cursor->offset_bytes + size_bytes);
}

/* Stands on the L3 header afterwards. `n_tags`: VLAN tags that were taken out of the frame before. */
FWD_INLINE enum fwd_reason parse_ethernet(
	struct fwd_context *context, struct cursor *cursor, __u32 n_tags, __u16 *ret_type)
{
	struct wire_ethernet ethernet;
	__u16 type;

	if (!cursor_read(context, cursor, &ethernet, sizeof(ethernet)))
		return FWD_REASON_TRUNCATED;
	type = WIRE_16(ethernet.type);
	cursor_advance(cursor, sizeof(ethernet));
	for (__u32 i = n_tags; i < PARSE_VLAN_TAGS_MAX; i++) {
		struct wire_vlan vlan;

		if (type != WIRE_TYPE_VLAN && type != WIRE_TYPE_QINQ)
			break;
		if (!cursor_read(context, cursor, &vlan, sizeof(vlan)))
			return FWD_REASON_TRUNCATED;
		type = WIRE_16(vlan.type);
		cursor_advance(cursor, sizeof(vlan));
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

/* Whose packet it is, as long as it quotes nobody else's. */
FWD_INLINE void parse_take_ip4(const struct wire_ip4 *ip, struct packet *packet)
{
	parse_map_ip4(&packet->flow.client, ip->source);
	parse_map_ip4(&packet->destination, ip->destination);
	packet->is_land = ip->source == ip->destination;
}

/* Copied word by word: BPF has no memcpy() to call, and the header is aligned to two only. */
FWD_INLINE void parse_take_ip6(const struct wire_ip6 *ip, struct packet *packet)
{
	__u32 differs = 0;

	for (__u32 i = 0; i < 4; i++) {
		packet->flow.client.word[i] = ip->source[i];
		packet->destination.word[i] = ip->destination[i];
		differs |= ip->source[i] ^ ip->destination[i];
	}
	packet->flow.is_ip6 = 1;
	packet->is_land = differs == 0;
}

FWD_INLINE void parse_note_fragment(struct packet_ip *ip, __u32 id, __u32 offset_bytes, __u32 more)
{
	ip->fragment_id = id;
	ip->fragment_offset_bytes = offset_bytes;
	/* Offset 0 and no more: whole (for IPv6 an atomic fragment, RFC 6946). */
	if (offset_bytes)
		ip->fragment = PACKET_LATER;
	else if (more)
		ip->fragment = PACKET_FIRST;
}

/*
 * Takes the length that the IP header claims. A super-frame of more than 64 KiB claims 0
 * (net/ipv6/ip6_offload.c:ipv6_gro_complete and "BIG TCP"): the frame decides then. A quoted
 * packet was cut by who quoted it: its length means nothing here.
 */
FWD_INLINE enum fwd_reason parse_claimed(
	struct cursor *cursor, struct packet_ip *ip, __u32 claimed_bytes, __u32 gso, int is_quote)
{
	if (is_quote)
		return FWD_REASON_FORWARDED;
	if (claimed_bytes > cursor->remaining_bytes)
		return FWD_REASON_TRUNCATED;
	if (gso == 0 || claimed_bytes > 0)
		cursor->remaining_bytes = claimed_bytes;
	ip->total_bytes = cursor->remaining_bytes;
	return FWD_REASON_FORWARDED;
}

/* `header` was read at the cursor. Stands behind the options. */
FWD_INLINE enum fwd_reason parse_ip4(struct fwd_context *context, const struct wire_ip4 *header,
	struct cursor *cursor, struct packet_ip *ip, __u32 gso, int is_quote)
{
	__u32 header_bytes = (header->version_words & 15u) * 4;
	__u32 total_bytes = WIRE_16(header->total_bytes);
	__u16 fragment = WIRE_16(header->fragment);
	enum fwd_reason reason;

	if (header->version_words >> 4 != 4 || header_bytes < sizeof(*header))
		return FWD_REASON_BAD_IP;
	if (total_bytes < header_bytes && !(gso && total_bytes == 0) && !is_quote)
		return FWD_REASON_BAD_IP;
	ip->proto = header->proto;
	parse_note_fragment(ip, WIRE_16(header->id), (fragment & WIRE_IP4_OFFSET) * 8,
		fragment & WIRE_IP4_MORE);
	reason = parse_claimed(cursor, ip, total_bytes, gso, is_quote);
	if (reason)
		return reason;
	if (!cursor_has(context, cursor, header_bytes))
		return FWD_REASON_TRUNCATED;
	cursor_advance(cursor, header_bytes);
	return FWD_REASON_FORWARDED;
}

FWD_INLINE int parse_is_extension(__u8 next)
{
	return next == WIRE_HOP_BY_HOP || next == WIRE_ROUTING || next == WIRE_FRAGMENT ||
		next == WIRE_AH || next == WIRE_DESTINATION;
}

/* One extension header of the kind ip->proto; the next kind is in ip->proto afterwards. */
FWD_INLINE enum fwd_reason parse_extension(
	struct fwd_context *context, struct cursor *cursor, struct packet_ip *ip)
{
	struct wire_extension extension;
	__u32 size_bytes = sizeof(extension);
	__u8 kind = ip->proto;

	if (!cursor_read(context, cursor, &extension, sizeof(extension)))
		return FWD_REASON_TRUNCATED;
	ip->proto = extension.next;
	if (kind == WIRE_FRAGMENT) {
		__u32 fragment = WIRE_16(extension.fragment);

		if (ip->fragment != PACKET_WHOLE)
			return FWD_REASON_BAD_EXTENSION;
		parse_note_fragment(ip, WIRE_32(extension.id), fragment & WIRE_IP6_OFFSET,
			fragment & WIRE_IP6_MORE);
	} else if (kind == WIRE_AH) {
		size_bytes += extension.length * 4;
	} else {
		size_bytes += extension.length * 8;
	}
	if (size_bytes > cursor->remaining_bytes)
		return FWD_REASON_BAD_EXTENSION;
	if (!cursor_has(context, cursor, size_bytes))
		return FWD_REASON_TRUNCATED;
	cursor_advance(cursor, size_bytes);
	return FWD_REASON_FORWARDED;
}

/* `header` was read at the cursor. Stands on the L4 header, or on a later fragment. */
FWD_INLINE enum fwd_reason parse_ip6(struct fwd_context *context, const struct wire_ip6 *header,
	struct cursor *cursor, struct packet_ip *ip, __u32 gso, int is_quote)
{
	__u32 payload_bytes = WIRE_16(header->payload_bytes);
	enum fwd_reason reason;

	if ((WIRE_32(header->version_flow) >> 28) != 6)
		return FWD_REASON_BAD_IP;
	ip->proto = header->next;
	reason = parse_claimed(cursor, ip,
		gso && payload_bytes == 0 ? 0 : payload_bytes + (__u32)sizeof(*header), gso,
		is_quote);
	if (reason)
		return reason;
	cursor_advance(cursor, sizeof(*header));
	for (__u32 i = 0; i < PARSE_EXTENSIONS_MAX; i++) {
		/* What stands behind a later fragment's header is no header (RFC 8200 §4.5). */
		if (!parse_is_extension(ip->proto) || ip->fragment == PACKET_LATER)
			return FWD_REASON_FORWARDED;
		/* Hop-by-hop options come first or not at all (RFC 8200 §4.1). */
		if (ip->proto == WIRE_HOP_BY_HOP && i > 0)
			return FWD_REASON_BAD_EXTENSION;
		reason = parse_extension(context, cursor, ip);
		if (reason)
			return reason;
	}
	if (parse_is_extension(ip->proto) && ip->fragment != PACKET_LATER)
		return FWD_REASON_BAD_EXTENSION;
	return FWD_REASON_FORWARDED;
}

/* Why an L4 header does not fit: a first fragment must hold it whole (RFC 1858 §3, RFC 7112 §5). */
FWD_INLINE enum fwd_reason parse_short(const struct packet *packet)
{
	return packet->ip.fragment == PACKET_FIRST ? FWD_REASON_FRAGMENT_TINY
						   : FWD_REASON_TRUNCATED;
}

FWD_INLINE enum fwd_reason parse_tcp(
	const struct wire_tcp *tcp, __u32 remaining_bytes, struct packet *packet)
{
	__u32 header_bytes = (tcp->offset_words >> 4) * 4u;

	if (header_bytes < sizeof(*tcp))
		return FWD_REASON_BAD_L4;
	if (header_bytes > remaining_bytes)
		return packet->ip.fragment == PACKET_FIRST ? FWD_REASON_FRAGMENT_TINY
							   : FWD_REASON_BAD_L4;
	packet->flow.client_port = tcp->source_port;
	packet->flow.vip_port = tcp->destination_port;
	packet->flow.tcp_flags = tcp->flags;
	packet->ip.header_bytes += header_bytes;
	return FWD_REASON_FORWARDED;
}

FWD_INLINE enum fwd_reason parse_udp(
	const struct wire_udp *udp, __u32 remaining_bytes, struct packet *packet)
{
	__u32 length_bytes = WIRE_16(udp->length_bytes);

	if (length_bytes < sizeof(*udp))
		return FWD_REASON_BAD_L4;
	/* Of a first fragment it is the length of the whole datagram. */
	if (length_bytes > remaining_bytes && packet->ip.fragment == PACKET_WHOLE)
		return FWD_REASON_BAD_L4;
	packet->flow.client_port = udp->source_port;
	packet->flow.vip_port = udp->destination_port;
	packet->flow.kind = FWD_UDP;
	packet->ip.header_bytes += (__u32)sizeof(*udp);
	return FWD_REASON_FORWARDED;
}

/* An association begins and ends as a connection does: INIT, and SHUTDOWN COMPLETE or ABORT, stand first in a packet. */
FWD_INLINE enum fwd_reason parse_sctp(const struct wire_sctp *sctp, struct packet *packet)
{
	packet->flow.client_port = sctp->source_port;
	packet->flow.vip_port = sctp->destination_port;
	packet->flow.kind = FWD_SCTP;
	packet->flow.tcp_flags = sctp->chunk == WIRE_SCTP_INIT ? WIRE_TCP_SYN
		: sctp->chunk == WIRE_SCTP_ABORT               ? WIRE_TCP_RST
		: sctp->chunk == WIRE_SCTP_SHUTDOWN_COMPLETE   ? WIRE_TCP_FIN
							       : WIRE_TCP_ACK;
	packet->ip.header_bytes += (__u32)sizeof(*sctp);
	return FWD_REASON_FORWARDED;
}

FWD_INLINE int parse_addr_equal(const struct fwd_addr *a, const struct fwd_addr *b)
{
	__u32 differs = 0;

	for (__u32 i = 0; i < 4; i++)
		differs |= a->word[i] ^ b->word[i];
	return differs == 0;
}

/* Where the quoted packet came from, and its addresses' place for the client's. */
FWD_INLINE int parse_quoted_ip(struct fwd_context *context, struct cursor *cursor,
	struct packet *packet, struct packet_ip *ip, struct fwd_addr *ret_source)
{
	struct fwd_addr *client = &packet->flow.client;

	if (packet->flow.is_ip6) {
		struct wire_ip6 header;

		if (!cursor_read(context, cursor, &header, sizeof(header)))
			return 0;
		for (__u32 i = 0; i < 4; i++) {
			ret_source->word[i] = header.source[i];
			client->word[i] = header.destination[i];
		}
		return !parse_ip6(context, &header, cursor, ip, 0, 1);
	}
	struct wire_ip4 header;

	if (!cursor_read(context, cursor, &header, sizeof(header)))
		return 0;
	parse_map_ip4(ret_source, header.source);
	parse_map_ip4(client, header.destination);
	return !parse_ip4(context, &header, cursor, ip, 0, 1);
}

/*
 * The packet that an ICMP error quotes, from there on. An error concerns a packet that the VIP's backend
 * sent: so the quoted source is where the error goes to, and the quoted destination is the client.
 * Non-zero: so it is, and packet->flow is that of the quoted packet; else it is spoilt. At least eight bytes of its TCP or
 * UDP header must be there, as RFC 792 has promised since 1981; so must those of SCTP.
 */
FWD_CALL int parse_quote(struct fwd_context *context, __u32 offset_bytes, __u32 remaining_bytes,
	struct packet *packet)
{
	struct cursor cursor = { offset_bytes, remaining_bytes };
	struct fwd_addr source = { 0 };
	struct packet_ip ip = { 0 };
	struct wire_udp ports;

	if (FWD_NEVER(!packet))
		return 0;
	if (!parse_quoted_ip(context, &cursor, packet, &ip, &source))
		return 0;
	if (ip.fragment == PACKET_LATER || !parse_addr_equal(&source, &packet->destination))
		return 0;
	if (!fwd_has_ports(ip.proto))
		return 0;
	if (!cursor_read(context, &cursor, &ports, sizeof(ports)))
		return 0;
	packet->flow.client_port = ports.destination_port;
	packet->flow.vip_port = ports.source_port;
	packet->flow.kind = ip.proto == FWD_PROTO_UDP ? FWD_UDP
		: ip.proto == FWD_PROTO_SCTP          ? FWD_SCTP
						      : FWD_TCP;
	packet->flow.only_asks = 1;
	return 1;
}

FWD_INLINE int parse_icmp_is_echo(const struct packet *packet, const struct wire_icmp *icmp)
{
	return icmp->type == (packet->flow.is_ip6 ? PARSE_ICMP6_ECHO : PARSE_ICMP4_ECHO) &&
		icmp->code == 0;
}

FWD_INLINE int parse_icmp_is_error(const struct packet *packet, const struct wire_icmp *icmp)
{
	if (packet->flow.is_ip6)
		return icmp->type >= PARSE_ICMP6_UNREACHABLE && icmp->type <= PARSE_ICMP6_PARAMETER;
	return icmp->type == PARSE_ICMP4_UNREACHABLE || icmp->type == PARSE_ICMP4_TIME_EXCEEDED ||
		icmp->type == PARSE_ICMP4_PARAMETER;
}

/* An error that quotes nothing of use is as any other ICMP message. */
FWD_INLINE enum fwd_reason parse_icmp(
	struct fwd_context *context, const struct cursor *cursor, struct packet *packet)
{
	struct wire_icmp icmp;

	if (!cursor_read(context, cursor, &icmp, sizeof(icmp)))
		return parse_short(packet);
	packet->kind = PACKET_ICMP_OTHER;
	if (parse_icmp_is_echo(packet, &icmp))
		packet->kind = PACKET_ICMP_ECHO;
	else if (parse_icmp_is_error(packet, &icmp) &&
		parse_quote(context, cursor->offset_bytes + (__u32)sizeof(icmp),
			cursor->remaining_bytes - (__u32)sizeof(icmp), packet))
		packet->kind = PACKET_ICMP_ERROR;
	return FWD_REASON_FORWARDED;
}

/* A protocol without ports that is not the family's ICMP. A later fragment of IPv6 may hide which one it is. */
FWD_INLINE int parse_has_no_ports(const struct packet *packet)
{
	__u8 proto = packet->ip.proto;

	if (fwd_has_ports(proto) ||
		proto == (packet->flow.is_ip6 ? FWD_PROTO_ICMPV6 : FWD_PROTO_ICMP))
		return 0;
	return packet->ip.fragment != PACKET_LATER || !packet->flow.is_ip6 ||
		!parse_is_extension(proto);
}

/* What follows the IP headers of anything but a later fragment. */
FWD_INLINE enum fwd_reason parse_l4(
	struct fwd_context *context, const struct cursor *cursor, struct packet *packet)
{
	if (packet->ip.proto == FWD_PROTO_TCP) {
		struct wire_tcp tcp;

		return cursor_read(context, cursor, &tcp, sizeof(tcp))
			? parse_tcp(&tcp, cursor->remaining_bytes, packet)
			: parse_short(packet);
	}
	if (packet->ip.proto == FWD_PROTO_UDP) {
		struct wire_udp udp;

		return cursor_read(context, cursor, &udp, sizeof(udp))
			? parse_udp(&udp, cursor->remaining_bytes, packet)
			: parse_short(packet);
	}
	if (packet->ip.proto == FWD_PROTO_SCTP) {
		struct wire_sctp sctp;

		return cursor_read(context, cursor, &sctp, sizeof(sctp)) ? parse_sctp(&sctp, packet)
									 : parse_short(packet);
	}
	if (packet->ip.proto == (packet->flow.is_ip6 ? FWD_PROTO_ICMPV6 : FWD_PROTO_ICMP))
		return parse_icmp(context, cursor, packet);
	return FWD_REASON_FORWARDED;
}

/*
 * The IP headers: addresses first, then what can be held against them, which is noted as a fault:
 * whether the packet concerns a VIP at all is asked before any fault is.
 */
FWD_INLINE enum fwd_reason parse_ip(struct fwd_context *context, struct cursor *cursor, __u16 type,
	__u32 gso, struct packet *packet)
{
	__u32 start_bytes = cursor->offset_bytes;
	enum fwd_reason fault;

	if (type == WIRE_TYPE_IP4) {
		struct wire_ip4 ip;

		if (!cursor_read(context, cursor, &ip, sizeof(ip)))
			return FWD_REASON_TRUNCATED;
		parse_take_ip4(&ip, packet);
		fault = parse_ip4(context, &ip, cursor, &packet->ip, gso, 0);
	} else if (type == WIRE_TYPE_IP6) {
		struct wire_ip6 ip;

		if (!cursor_read(context, cursor, &ip, sizeof(ip)))
			return FWD_REASON_TRUNCATED;
		parse_take_ip6(&ip, packet);
		fault = parse_ip6(context, &ip, cursor, &packet->ip, gso, 0);
	} else {
		return FWD_REASON_NOT_IP;
	}
	/* A fragment that would end behind the longest datagram: "ping of death". */
	if (!fault && gso == 0 &&
		packet->ip.fragment_offset_bytes + cursor->remaining_bytes > 65535u)
		fault = FWD_REASON_BAD_IP;
	packet->fault = (__u8)fault;
	packet->ip.header_bytes = cursor->offset_bytes - start_bytes;
	return FWD_REASON_FORWARDED;
}

/*
 * Any frame of `length_bytes`, `gso` and `n_tags` as in struct fwd_frame. `*packet` is all zero before; its
 * `unread` and `fault` say what is wrong.
 */
FWD_CALL int parse_any(struct fwd_context *context, __u32 length_bytes, __u32 gso, __u32 n_tags,
	struct packet *packet)
{
	struct cursor cursor = { 0, length_bytes };
	enum fwd_reason reason;
	__u16 type = 0;

	if (!packet)
		return 0;
	reason = parse_ethernet(context, &cursor, n_tags, &type);
	if (!reason)
		reason = parse_ip(context, &cursor, type, gso, packet);
	packet->unread = (__u8)reason;
	packet->source = packet->flow.client;
	if (parse_has_no_ports(packet))
		packet->kind = PACKET_NO_PORTS;
	else if (!reason && !packet->fault && packet->ip.fragment != PACKET_LATER)
		packet->fault = (__u8)parse_l4(context, &cursor, packet);
	return 0;
}

/* TCP or UDP at `l4`, all of whose header is readable where this returns non-zero. */
FWD_INLINE int parse_plain_l4(
	const __u8 *l4, const void *data_end, __u32 remaining_bytes, struct packet *packet)
{
	const struct wire_tcp *tcp = (const void *)l4;
	const struct wire_udp *udp = (const void *)l4;

	if (packet->ip.proto == FWD_PROTO_TCP)
		return remaining_bytes >= sizeof(*tcp) && (const void *)(tcp + 1) <= data_end &&
			parse_tcp(tcp, remaining_bytes, packet) == FWD_REASON_FORWARDED;
	return packet->ip.proto == FWD_PROTO_UDP && remaining_bytes >= sizeof(*udp) &&
		(const void *)(udp + 1) <= data_end &&
		parse_udp(udp, remaining_bytes, packet) == FWD_REASON_FORWARDED;
}

/* The two frames that come most. 0: it is none of them, and `*packet` means nothing. */
FWD_INLINE int parse_plain_ip4(const struct wire_ip4 *ip, const void *data_end,
	__u32 remaining_bytes, struct packet *packet)
{
	__u32 total_bytes;

	if ((const void *)(ip + 1) > data_end || ip->version_words != 0x45)
		return 0;
	total_bytes = WIRE_16(ip->total_bytes);
	if (total_bytes < sizeof(*ip) || total_bytes > remaining_bytes)
		return 0;
	if (ip->fragment & WIRE_16((__u16)(WIRE_IP4_MORE | WIRE_IP4_OFFSET)))
		return 0;
	parse_take_ip4(ip, packet);
	packet->ip.total_bytes = total_bytes;
	packet->ip.header_bytes = sizeof(*ip);
	packet->ip.proto = ip->proto;
	return parse_plain_l4(
		(const __u8 *)(ip + 1), data_end, total_bytes - (__u32)sizeof(*ip), packet);
}

FWD_INLINE int parse_plain_ip6(const struct wire_ip6 *ip, const void *data_end,
	__u32 remaining_bytes, struct packet *packet)
{
	__u32 payload_bytes;

	if ((const void *)(ip + 1) > data_end || (WIRE_32(ip->version_flow) >> 28) != 6)
		return 0;
	payload_bytes = WIRE_16(ip->payload_bytes);
	if (payload_bytes == 0 || payload_bytes + (__u32)sizeof(*ip) > remaining_bytes)
		return 0;
	parse_take_ip6(ip, packet);
	packet->ip.total_bytes = payload_bytes + (__u32)sizeof(*ip);
	packet->ip.header_bytes = sizeof(*ip);
	packet->ip.proto = ip->next;
	return parse_plain_l4((const __u8 *)(ip + 1), data_end, payload_bytes, packet);
}

FWD_INLINE int parse_plain(const struct wire_ethernet *ethernet, const void *data_end,
	__u32 length_bytes, struct packet *packet)
{
	__u32 remaining_bytes = length_bytes - (__u32)sizeof(*ethernet);
	const void *ip = ethernet + 1;

	if (ethernet->type == WIRE_16((__u16)WIRE_TYPE_IP4))
		return parse_plain_ip4(ip, data_end, remaining_bytes, packet);
	if (ethernet->type == WIRE_16((__u16)WIRE_TYPE_IP6))
		return parse_plain_ip6(ip, data_end, remaining_bytes, packet);
	return 0;
}
