/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The answer to a frame that is longer than the link to the backends takes: ICMP "fragmentation
 * needed" (RFC 792, RFC 1191 §4) or ICMPv6 "packet too big" (RFC 4443 §3.2), from the VIP to the
 * client, by the way the frame came. Pure: bytes in, bytes out. How often to answer is the
 * caller's question.
 */
#pragma once

#include "common/util.h"

#define ICMP_ANSWER_IP4_BYTES_MAX 576u  /* RFC 1812 §4.3.2.3 */
#define ICMP_ANSWER_IP6_BYTES_MAX 1280u /* RFC 4443 §2.4 (c) */
/* Ethernet with two VLAN tags before the longer of them. */
#define ICMP_ANSWER_BYTES_MAX (14u + 8u + ICMP_ANSWER_IP6_BYTES_MAX)

/*
 * Writes the answer to the frame of `length_bytes` at `data`, of which `readable_bytes` are there (the first
 * 1,400 suffice), with its VLAN tags and its MACs exchanged, and returns its length; 0 where none is due. None is due to an ICMP error, an ICMP
 * message of unknown kind, a fragment that is not the first, a frame or packet that was not for
 * one host, a source that is not one host (RFC 1122 §3.2.2, RFC 1812 §4.3.2.7, RFC 4443 §2.4
 * (e)), nor to what cannot be parsed. `gso`: the frame is a super-frame, whose length field may
 * be 0. `mtu_bytes` is what the link takes.
 */
size_t icmp_answer_build(const uint8_t *data, size_t readable_bytes, size_t length_bytes, bool gso,
	uint32_t mtu_bytes, uint8_t ret_answer[ICMP_ANSWER_BYTES_MAX]);
