/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VIPs of an agent in messages: what a status says of each, of up to PROTO_VIPS_WHOLE one after the other, of more
 * by maps of those that are not well and counts in turns; and PART, of version 5. Pure.
 */
#pragma once

#include "common/proto/message.h"
#include "common/proto/wire.h"

/* What a status says of them, at most; of many there is always room for this, and counts take what is left. */
#define VIPS_WHOLE_BYTES_MAX   (1 + PROTO_VIPS_WHOLE * (1 + 4u))
#define VIPS_MANY_BYTES_MAX    (1 + 2 + 2 * PROTO_VIPS_MAX / 8)
#define VIPS_COUNTS_HEAD_BYTES (2 + 1u)
#define VIPS_PART_BYTES_MAX \
	(2 * PROTO_NONCE_BYTES + WIRE_STRING_BYTES(PROTO_KEY_ID_MAX) + \
		WIRE_STRING_BYTES(PROTO_NAME_MAX) + 2 + 1 + PROTO_VIPS_PART * WIRE_ADDR_BYTES_MAX)

/* Whether one message does not tell them whole. */
bool vips_are_many(size_t n_vips);
/* What a status says of one of its VIPs; of one that it does not have: neither. */
bool vips_are_present(const struct proto_status *status, size_t idx);
bool vips_are_silent(const struct proto_status *status, size_t idx);
/* Both: it may have clients. */
bool vips_are_fit(const struct proto_status *status, size_t idx);
/* False: it does not tell this one's this time. */
bool vips_count(const struct proto_status *status, size_t idx, uint32_t *ret_established);
/* Says it of one VIP of a status that has its number of VIPs; counts of many are said by vips_say_counts(). */
void vips_say(struct proto_status *status, size_t idx, const struct proto_vip_status *vip);
/*
 * Of many: the counts (n_vips of them) from VIP `first` on, as many as take `room_bytes`. The VIP whose turn is next.
 */
size_t vips_say_counts(
	struct proto_status *status, const uint32_t *established, size_t first, size_t room_bytes);

/* How many PARTs so many VIPs take, and how many VIPs are in one of them. */
size_t vips_parts(size_t n_vips);
size_t vips_in_part(size_t n_vips, size_t part);

/* For proto.c. */
bool vips_are_valid(const struct addr *vips, size_t n_vips);
bool vips_part_is_valid(const struct proto_part *part);
bool vips_status_is_valid(const struct proto_status *status, unsigned int version);
void vips_get_status(struct wire_parser *parser, struct proto_status *ret_status);
void vips_put_status(struct cursor_writer *writer, const struct proto_status *status);
void vips_get_part(struct wire_parser *parser, struct proto_part *ret_part);
void vips_put_part(struct cursor_writer *writer, const struct proto_part *part);
