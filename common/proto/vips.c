/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A status of VIPs and PART <-> bytes: see vips.h. */
#include "common/proto/vips.h"

#define VIP_PRESENT 0x01u
#define VIP_SILENT  0x02u

/* Beside the number of many VIPs: what follows it. */
#define MANY_MISSING 0x8000u
#define MANY_LOUD    0x4000u
#define MANY_COUNTS  0x2000u
#define MANY_NUMBER  0x07ffu
_Static_assert(PROTO_VIPS_MAX <= MANY_NUMBER, "the number has room beside the flags");
_Static_assert(PROTO_VIPS_MAX % PROTO_VIPS_PART == 0 && PROTO_VIPS_MAX % 8 == 0, "no part is odd");
_Static_assert(VIPS_WHOLE_BYTES_MAX <= VIPS_MANY_BYTES_MAX, "who fits with many fits");

static bool bit_is_set(const uint8_t *map, size_t idx)
{
	return map[idx / 8] >> idx % 8 & 1;
}

static void set_bit(uint8_t *map, size_t idx, bool on)
{
	map[idx / 8] = (uint8_t)((map[idx / 8] & ~(1u << idx % 8)) | (unsigned int)on << idx % 8);
}

static bool map_is_empty(const uint8_t *map)
{
	for (size_t i = 0; i < PROTO_VIPS_MAX / 8; i++)
		if (map[i])
			return false;
	return true;
}

static size_t map_bytes(size_t n_vips)
{
	return (n_vips + 7) / 8;
}

/* ---- what it says ---- */

bool vips_are_many(size_t n_vips)
{
	return n_vips > PROTO_VIPS_WHOLE;
}

bool vips_are_present(const struct proto_status *status, size_t idx)
{
	if (idx >= status->n_vips)
		return false;
	return vips_are_many(status->n_vips) ? !bit_is_set(status->many.missing, idx)
					     : status->vips[idx].present;
}

bool vips_are_silent(const struct proto_status *status, size_t idx)
{
	if (idx >= status->n_vips)
		return false;
	return vips_are_many(status->n_vips) ? !bit_is_set(status->many.loud, idx)
					     : status->vips[idx].silent;
}

bool vips_are_fit(const struct proto_status *status, size_t idx)
{
	return vips_are_present(status, idx) && vips_are_silent(status, idx);
}

bool vips_count(const struct proto_status *status, size_t idx, uint32_t *ret_established)
{
	const struct proto_many *many = &status->many;

	if (idx >= status->n_vips)
		return false;
	if (!vips_are_many(status->n_vips)) {
		*ret_established = status->vips[idx].established;
		return true;
	}
	if (idx < many->first || idx >= (size_t)many->first + many->n_counts)
		return false;
	*ret_established = many->established[idx - many->first];
	return true;
}

void vips_say(struct proto_status *status, size_t idx, const struct proto_vip_status *vip)
{
	if (!vips_are_many(status->n_vips)) {
		status->vips[idx] = *vip;
		return;
	}
	set_bit(status->many.missing, idx, !vip->present);
	set_bit(status->many.loud, idx, !vip->silent);
}

size_t vips_say_counts(
	struct proto_status *status, const uint32_t *established, size_t first, size_t room_bytes)
{
	struct proto_many *many = &status->many;
	size_t room = room_bytes < VIPS_COUNTS_HEAD_BYTES
		? 0
		: (room_bytes - VIPS_COUNTS_HEAD_BYTES) / sizeof(*established);
	size_t len;

	if (first >= status->n_vips)
		first = 0;
	room = MIN(room, (size_t)PROTO_COUNTS_MAX);
	len = MIN(room, status->n_vips - first);
	many->first = len > 0 ? (uint16_t)first : 0;
	many->n_counts = (uint8_t)len;
	memcpy(many->established, established + first, len * sizeof(*established));
	return first + len;
}

size_t vips_parts(size_t n_vips)
{
	return vips_are_many(n_vips) ? (n_vips + PROTO_VIPS_PART - 1) / PROTO_VIPS_PART : 0;
}

size_t vips_in_part(size_t n_vips, size_t part)
{
	return part < vips_parts(n_vips)
		? MIN(n_vips - part * PROTO_VIPS_PART, (size_t)PROTO_VIPS_PART)
		: 0;
}

/* ---- what is legal ---- */

bool vips_are_valid(const struct addr *vips, size_t n_vips)
{
	for (size_t i = 0; i < n_vips; i++) {
		if (!addr_is_unicast(&vips[i]))
			return false;
		for (size_t j = 0; j < i; j++)
			if (addr_equal(&vips[i], &vips[j]))
				return false;
	}
	return true;
}

bool vips_part_is_valid(const struct proto_part *part)
{
	return wire_word_is_valid(part->key_id, PROTO_KEY_ID_MAX) &&
		wire_word_is_valid(part->name, PROTO_NAME_MAX) && part->n_vips <= PROTO_VIPS_MAX &&
		part->part < vips_parts(part->n_vips) &&
		vips_are_valid(part->vips, vips_in_part(part->n_vips, part->part));
}

/* Of no VIP that there is not. */
static bool many_is_valid(const struct proto_many *many, size_t n_vips)
{
	for (size_t idx = n_vips; idx < PROTO_VIPS_MAX; idx++)
		if (bit_is_set(many->missing, idx) || bit_is_set(many->loud, idx))
			return false;
	return many->n_counts <= PROTO_COUNTS_MAX && (many->n_counts > 0 || many->first == 0) &&
		(size_t)many->first + many->n_counts <= n_vips;
}

bool vips_status_is_valid(const struct proto_status *status, unsigned int version)
{
	if (status->n_vips == 0 || status->n_vips > PROTO_VIPS_MAX)
		return false;
	return !vips_are_many(status->n_vips) ||
		(version >= PROTO_VERSION_VIPS && many_is_valid(&status->many, status->n_vips));
}

/* ---- bytes -> messages ---- */

static void get_map(struct wire_parser *parser, size_t n_vips, uint8_t *ret_map)
{
	cursor_get(&parser->reader, ret_map, map_bytes(n_vips));
	if (map_is_empty(ret_map))
		wire_mark_bad(parser);
}

static void get_counts(struct wire_parser *parser, struct proto_many *ret_many)
{
	ret_many->first = cursor_get_u16(&parser->reader);
	ret_many->n_counts = cursor_get_u8(&parser->reader);
	if (ret_many->n_counts == 0 || ret_many->n_counts > PROTO_COUNTS_MAX) {
		wire_mark_bad(parser);
		ret_many->n_counts = 0;
	}
	ARRAY_FOREACH (established, ret_many->established, ret_many->n_counts)
		*established = cursor_get_u32(&parser->reader);
}

static void get_many(struct wire_parser *parser, struct proto_status *ret_status)
{
	uint16_t word = cursor_get_u16(&parser->reader);
	uint16_t n_vips = word & MANY_NUMBER;

	if (word & ~(MANY_MISSING | MANY_LOUD | MANY_COUNTS | MANY_NUMBER) ||
		n_vips > PROTO_VIPS_MAX || !vips_are_many(n_vips)) {
		wire_mark_bad(parser);
		return;
	}
	ret_status->n_vips = n_vips;
	if (word & MANY_MISSING)
		get_map(parser, n_vips, ret_status->many.missing);
	if (word & MANY_LOUD)
		get_map(parser, n_vips, ret_status->many.loud);
	if (word & MANY_COUNTS)
		get_counts(parser, &ret_status->many);
}

void vips_get_status(struct wire_parser *parser, struct proto_status *ret_status)
{
	uint8_t n_vips = cursor_get_u8(&parser->reader);

	if (n_vips > PROTO_VIPS_WHOLE) {
		wire_mark_bad(parser);
		return;
	}
	if (n_vips == 0) {
		get_many(parser, ret_status);
		return;
	}
	ret_status->n_vips = n_vips;
	ARRAY_FOREACH (vip, ret_status->vips, n_vips) {
		uint8_t flags = cursor_get_u8(&parser->reader);

		if (flags & ~(VIP_PRESENT | VIP_SILENT))
			wire_mark_bad(parser);
		vip->present = flags & VIP_PRESENT;
		vip->silent = flags & VIP_SILENT;
		vip->established = cursor_get_u32(&parser->reader);
	}
}

void vips_get_part(struct wire_parser *parser, struct proto_part *ret_part)
{
	cursor_get(&parser->reader, ret_part->nonce_agent, PROTO_NONCE_BYTES);
	cursor_get(&parser->reader, ret_part->nonce_balancer, PROTO_NONCE_BYTES);
	wire_get_string(parser, ret_part->key_id, PROTO_KEY_ID_MAX);
	wire_get_string(parser, ret_part->name, PROTO_NAME_MAX);
	ret_part->n_vips = cursor_get_u16(&parser->reader);
	ret_part->part = cursor_get_u8(&parser->reader);
	ARRAY_FOREACH (vip, ret_part->vips, vips_in_part(ret_part->n_vips, ret_part->part))
		wire_get_addr(parser, vip);
}

/* ---- messages -> bytes ---- */

static void put_many(struct cursor_writer *writer, const struct proto_status *status)
{
	const struct proto_many *many = &status->many;
	bool missing = !map_is_empty(many->missing), loud = !map_is_empty(many->loud);

	cursor_put_u16(writer,
		(uint16_t)(status->n_vips | (missing ? MANY_MISSING : 0) | (loud ? MANY_LOUD : 0) |
			(many->n_counts > 0 ? MANY_COUNTS : 0)));
	if (missing)
		cursor_put(writer, many->missing, map_bytes(status->n_vips));
	if (loud)
		cursor_put(writer, many->loud, map_bytes(status->n_vips));
	if (many->n_counts == 0)
		return;
	cursor_put_u16(writer, many->first);
	cursor_put_u8(writer, many->n_counts);
	ARRAY_FOREACH (established, many->established, many->n_counts)
		cursor_put_u32(writer, *established);
}

void vips_put_status(struct cursor_writer *writer, const struct proto_status *status)
{
	if (vips_are_many(status->n_vips)) {
		cursor_put_u8(writer, 0);
		put_many(writer, status);
		return;
	}
	cursor_put_u8(writer, (uint8_t)status->n_vips);
	ARRAY_FOREACH (vip, status->vips, status->n_vips) {
		cursor_put_u8(writer,
			(uint8_t)((vip->present ? VIP_PRESENT : 0) |
				(vip->silent ? VIP_SILENT : 0)));
		cursor_put_u32(writer, vip->established);
	}
}

void vips_put_part(struct cursor_writer *writer, const struct proto_part *part)
{
	cursor_put(writer, part->nonce_agent, PROTO_NONCE_BYTES);
	cursor_put(writer, part->nonce_balancer, PROTO_NONCE_BYTES);
	wire_put_string(writer, part->key_id);
	wire_put_string(writer, part->name);
	cursor_put_u16(writer, part->n_vips);
	cursor_put_u8(writer, part->part);
	ARRAY_FOREACH (vip, part->vips, vips_in_part(part->n_vips, part->part))
		wire_put_addr(writer, vip);
}
