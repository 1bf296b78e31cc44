/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ARP and neighbour discovery as bytes: what a frame asks or claims, and the answers. Pure, and total
 * over any bytes.
 */
#pragma once

#include "common/addr.h"

#define ANNOUNCE_FRAME_MAX_BYTES 128u

/* What a frame asks or claims. */
enum announce_kind {
	ANNOUNCE_OTHER,
	ANNOUNCE_REQUEST, /* who has `target`? */
	ANNOUNCE_CLAIM, /* `target` is at `mac` (reply, gratuitous, advertisement; whatever else a router believes) */
};
struct announce_frame {
	enum announce_kind kind;
	struct addr target;
	struct mac
		mac; /* of the sender, as the payload says; else the Ethernet source; of a claim any, also broadcast */
	struct mac reply_to; /* Ethernet source */
	struct addr asker;   /* 0.0.0.0 or :: for a probe (RFC 5227, RFC 4862) */
	struct addr
		told; /* of a claim that may be an answer: who is told (a reply's target, an advertisement's destination) */
};
/* Parses any bytes from Ethernet on. */
void announce_frame_parse(const void *data, size_t size_bytes, struct announce_frame *ret_frame);
/* Who asks for an address. */
struct announce_question {
	struct mac own;
	struct addr
		own_address; /* of the asked one's family; of IPv4 0.0.0.0 asks as a probe does */
	struct mac to;       /* zero: everybody */
};
/* Builds the question who has the VIP. Returns bytes. */
size_t announce_frame_ask(const struct addr *vip, const struct announce_question *question,
	uint8_t buffer[ANNOUNCE_FRAME_MAX_BYTES]);
/* Builds the answer to a REQUEST, or a gratuitous frame when `to` is NULL. Returns bytes. */
size_t announce_frame_build(const struct addr *vip, const struct mac *own,
	const struct announce_frame *to, uint8_t buffer[ANNOUNCE_FRAME_MAX_BYTES]);
