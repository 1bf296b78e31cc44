/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Headers as they lie in a frame. Packed and aligned to two: after Ethernet the IP header sits at
 * an odd multiple of two, so natural alignment would be undefined behaviour, and plain `packed`
 * costs byte loads in BPF.
 */
#pragma once

#include <linux/types.h>

#define WIRE __attribute__((__packed__, __aligned__(2)))

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define WIRE_16(value) __builtin_bswap16(value)
#define WIRE_32(value) __builtin_bswap32(value)
#else
#define WIRE_16(value) (value)
#define WIRE_32(value) (value)
#endif

#define WIRE_TYPE_IP4  0x0800u
#define WIRE_TYPE_IP6  0x86ddu
#define WIRE_TYPE_VLAN 0x8100u /* IEEE 802.1Q */
#define WIRE_TYPE_QINQ 0x88a8u /* IEEE 802.1ad */

/* IPv6 extension headers (RFC 8200 §4; AH: RFC 4302). */
#define WIRE_HOP_BY_HOP  0u
#define WIRE_ROUTING     43u
#define WIRE_FRAGMENT    44u
#define WIRE_AH          51u
#define WIRE_DESTINATION 60u

#define WIRE_IP4_MORE   0x2000u /* of `fragment`, in host byte order */
#define WIRE_IP4_OFFSET 0x1fffu /* in units of eight bytes */
#define WIRE_IP6_MORE   0x0001u
#define WIRE_IP6_OFFSET 0xfff8u /* in bytes */

#define WIRE_TCP_FIN 0x01u
#define WIRE_TCP_SYN 0x02u
#define WIRE_TCP_RST 0x04u
#define WIRE_TCP_ACK 0x10u

struct wire_ethernet {
	__u8 destination[6];
	__u8 source[6];
	__be16 type;
} WIRE;

struct wire_vlan {
	__be16 tag;
	__be16 type;
} WIRE;

struct wire_ip4 {
	__u8 version_words; /* 4 | header length in words of four bytes */
	__u8 tos;
	__be16 total_bytes;
	__be16 id;
	__be16 fragment;
	__u8 ttl;
	__u8 proto;
	__be16 checksum;
	__be32 source;
	__be32 destination;
} WIRE;

struct wire_ip6 {
	__be32 version_flow; /* 4 bits of version first */
	__be16 payload_bytes;
	__u8 next;
	__u8 hop_limit;
	__be32 source[4];
	__be32 destination[4];
} WIRE;

/* The first eight bytes of every extension header; `rest` means something in a fragment's only. */
struct wire_extension {
	__u8 next;
	__u8 length; /* of 8 bytes beyond the first 8; AH: of 4 bytes beyond the first 8 */
	__be16 fragment;
	__be32 id;
} WIRE;

struct wire_tcp {
	__be16 source_port;
	__be16 destination_port;
	__be32 sequence;
	__be32 acknowledged;
	__u8 offset_words; /* upper four bits: header length in words of four bytes */
	__u8 flags;
	__be16 window;
	__be16 checksum;
	__be16 urgent;
} WIRE;

/* TCP, UDP and SCTP have their ports in the same place. */
struct wire_udp {
	__be16 source_port;
	__be16 destination_port;
	__be16 length_bytes;
	__be16 checksum;
} WIRE;

/* Of SCTP the common header and the beginning of the first chunk (RFC 9260 §3). */
struct wire_sctp {
	__be16 source_port;
	__be16 destination_port;
	__be32 tag;
	__be32 checksum;
	__u8 chunk; /* its type */
	__u8 chunk_flags;
	__be16 chunk_bytes;
} WIRE;

#define WIRE_SCTP_INIT              1u
#define WIRE_SCTP_ABORT             6u
#define WIRE_SCTP_SHUTDOWN_COMPLETE 14u

struct wire_icmp {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be32 rest;
} WIRE;

/* Types of ICMPv6 (RFC 4861 §4.3, §4.4). */
#define WIRE_ND_SOLICITATION  135u
#define WIRE_ND_ADVERTISEMENT 136u
