/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ARP and neighbour discovery as bytes: what a frame asks or claims, and the answers. Pure; called by
 * announce.c and the fuzzer; knows no socket and no list of VIPs.
 */
#include "lb/link/announce_frame.h"

#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>

#include "common/packet/checksum.h"
#include "common/proto/cursor.h"

#define FRAME_HOP_LIMIT    255u /* RFC 4861 §7.1: nothing from beyond the link has it */
#define FRAME_OPTION_UNIT  8u   /* RFC 4861 §4.6: lengths count units of 8 octets */
#define FRAME_ND_BYTES     32u  /* a message with one link-layer address option */
#define FRAME_NA_SOLICITED UINT32_C(0x40000000)
#define FRAME_NA_OVERRIDE  UINT32_C(0x20000000)

static const struct mac frame_broadcast = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
/* 33:33 and the last 32 bits of ff02::1 (RFC 2464 §7). */
static const struct mac frame_all_nodes_mac = { { 0x33, 0x33, 0, 0, 0, 1 } };
static const struct in6_addr frame_all_nodes = {
	{ { 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 } }
};

static bool frame_mac_is_host(const struct mac *mac)
{
	return !(mac->bytes[0] & 1) && !mac_is_zero(mac);
}

static void frame_get_addr(struct cursor_reader *reader, sa_family_t family, struct addr *ret_addr)
{
	*ret_addr = (struct addr){ .family = family };
	cursor_get(reader, ret_addr->bytes, family == AF_INET ? 4 : 16);
}

static bool frame_addr_is_unspecified(const struct addr *addr)
{
	const struct addr unspecified = { .family = addr->family };

	return addr_equal(addr, &unspecified);
}

/* RFC 826; RFC 5227 §1.1 for the words probe and announcement. */
static void frame_parse_arp(struct cursor_reader *reader, struct announce_frame *frame)
{
	struct mac target_mac;
	struct addr target;
	uint16_t hardware = cursor_get_u16(reader), protocol = cursor_get_u16(reader);
	uint8_t hardware_bytes = cursor_get_u8(reader), protocol_bytes = cursor_get_u8(reader);
	uint16_t operation = cursor_get_u16(reader);

	cursor_get(reader, frame->mac.bytes, MAC_LEN);
	frame_get_addr(reader, AF_INET, &frame->asker);
	cursor_get(reader, target_mac.bytes, MAC_LEN);
	frame_get_addr(reader, AF_INET, &target);
	/* Linux believes the other number of Ethernet as well (net/ipv4/arp.c:arp_process). */
	if (reader->failed || (hardware != ARPHRD_ETHER && hardware != ARPHRD_IEEE802) ||
		protocol != ETHERTYPE_IP || hardware_bytes != MAC_LEN || protocol_bytes != 4)
		return;
	if (operation == ARPOP_REPLY ||
		(operation == ARPOP_REQUEST && addr_equal(&frame->asker, &target))) {
		frame->target = frame->asker;
		frame->told = target;
		if (!frame_addr_is_unspecified(&frame->target))
			frame->kind = ANNOUNCE_CLAIM;
	} else if (operation == ARPOP_REQUEST) {
		frame->target = target;
		frame->kind = ANNOUNCE_REQUEST;
	}
}

/* Over the pseudo-header of RFC 8200 §8.1 and the message. */
static uint16_t frame_checksum(const uint8_t *addresses, const uint8_t *message, size_t size_bytes)
{
	uint64_t sum = checksum_add(size_bytes + IPPROTO_ICMPV6, addresses, 32);

	return checksum_finish(checksum_add(sum, message, size_bytes));
}

/*
 * Walks the options; takes the link-layer address of `type` into `mac`, of several the first, as Linux does. False: one is malformed, so
 * the whole message is to be discarded (RFC 4861 §7.1).
 */
static bool frame_parse_options(
	struct cursor_reader *reader, uint8_t type, struct mac *mac, bool *ret_found)
{
	*ret_found = false;
	while (cursor_left(reader) > 0) {
		uint8_t option = cursor_get_u8(reader), units = cursor_get_u8(reader);
		size_t value_bytes = units * FRAME_OPTION_UNIT - 2u;

		if (reader->failed || units == 0 || cursor_left(reader) < value_bytes)
			return false;
		if (option == type && units == 1 && !*ret_found) {
			cursor_get(reader, mac->bytes, MAC_LEN);
			*ret_found = true;
		} else {
			reader->next += value_bytes;
		}
	}
	return true;
}

/* RFC 4861 §7.1.1: what a solicitation from nobody may look like. */
static bool frame_solicitation_is_valid(
	const struct announce_frame *frame, const struct addr *to, bool has_option)
{
	static const uint8_t solicited_node[13] = { 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff };

	if (!frame_addr_is_unspecified(&frame->asker))
		return true;
	return !has_option && memcmp(to->bytes, solicited_node, sizeof(solicited_node)) == 0;
}

/* A router takes who asks for one for a neighbour, at the MAC that he states. */
static void frame_parse_router_solicitation(
	struct cursor_reader *reader, struct announce_frame *frame)
{
	bool has_option;

	if (reader->failed || frame_addr_is_unspecified(&frame->asker) ||
		!frame_parse_options(reader, ND_OPT_SOURCE_LINKADDR, &frame->mac, &has_option) ||
		!has_option)
		return;
	frame->target = frame->asker;
	frame->kind = ANNOUNCE_CLAIM;
}

/* `reader` stands behind the type, code, checksum and flags. */
static void frame_parse_neighbour(struct cursor_reader *reader, uint8_t type, uint32_t flags,
	const struct addr *to, struct announce_frame *frame)
{
	bool has_option;

	frame_get_addr(reader, AF_INET6, &frame->target);
	if (reader->failed || IN6_IS_ADDR_MULTICAST(&frame->target.ip6))
		return;
	if (!frame_parse_options(reader,
		    type == ND_NEIGHBOR_SOLICIT ? ND_OPT_SOURCE_LINKADDR : ND_OPT_TARGET_LINKADDR,
		    &frame->mac, &has_option))
		return;
	if (type == ND_NEIGHBOR_SOLICIT) {
		if (frame_solicitation_is_valid(frame, to, has_option))
			frame->kind = ANNOUNCE_REQUEST;
	} else if (!(flags & FRAME_NA_SOLICITED) || !IN6_IS_ADDR_MULTICAST(&to->ip6)) {
		frame->kind = ANNOUNCE_CLAIM;
		frame->told = *to;
	}
}

/* `reader` stands behind all headers of IPv6; `addresses` are its source and destination. */
static void frame_parse_icmp6(
	struct cursor_reader *reader, const uint8_t *addresses, struct announce_frame *frame)
{
	struct addr to = { .family = AF_INET6 };
	uint16_t sum = frame_checksum(addresses, reader->next, cursor_left(reader));
	uint8_t type = cursor_get_u8(reader), code = cursor_get_u8(reader);
	uint32_t flags;

	(void)cursor_get_u16(reader);
	flags = cursor_get_u32(reader);
	memcpy(to.bytes, addresses + 16, 16);
	if (reader->failed || sum != 0 || code != 0)
		return;
	if (type == ND_ROUTER_SOLICIT)
		frame_parse_router_solicitation(reader, frame);
	else if (type == ND_NEIGHBOR_SOLICIT || type == ND_NEIGHBOR_ADVERT)
		frame_parse_neighbour(reader, type, flags, &to, frame);
}

/*
 * Steps over options that Linux steps over, too; returns the header behind them. Not over fragments (RFC 6980 §5), nor
 * over what only goes to routers on the way.
 */
static uint8_t frame_skip_options(struct cursor_reader *reader, uint8_t header)
{
	bool is_first = true;

	while (header == IPPROTO_DSTOPTS || (header == IPPROTO_HOPOPTS && is_first)) {
		uint8_t next = cursor_get_u8(reader), units = cursor_get_u8(reader);
		size_t left_bytes = (units + 1u) * FRAME_OPTION_UNIT - 2u;

		if (reader->failed || cursor_left(reader) < left_bytes)
			return IPPROTO_NONE;
		reader->next += left_bytes;
		header = next;
		is_first = false;
	}
	return header;
}

static void frame_parse_ip6(struct cursor_reader *reader, struct announce_frame *frame)
{
	const uint8_t *addresses;
	uint32_t version = cursor_get_u32(reader) >> 28;
	uint16_t payload_bytes = cursor_get_u16(reader);
	uint8_t next_header = cursor_get_u8(reader), hop_limit = cursor_get_u8(reader);
	struct addr to;

	addresses = reader->next;
	frame_get_addr(reader, AF_INET6, &frame->asker);
	frame_get_addr(reader, AF_INET6, &to);
	if (reader->failed || version != 6 || hop_limit != FRAME_HOP_LIMIT ||
		payload_bytes > cursor_left(reader) || IN6_IS_ADDR_MULTICAST(&frame->asker.ip6))
		return;
	/* Short frames are padded behind the packet. */
	reader->end = reader->next + payload_bytes;
	frame->mac = frame->reply_to;
	if (frame_skip_options(reader, next_header) == IPPROTO_ICMPV6)
		frame_parse_icmp6(reader, addresses, frame);
}

/* From or at a MAC that no host has, nobody is answered, and no question; but a router believes that the sender is there. */
static void frame_be_no_hosts(struct announce_frame *frame)
{
	if (frame_mac_is_host(&frame->mac) && frame_mac_is_host(&frame->reply_to))
		return;
	frame->told = (struct addr){ 0 };
	if (frame->kind != ANNOUNCE_REQUEST)
		return;
	frame->target = frame->asker;
	frame->kind = frame_addr_is_unspecified(&frame->asker) ? ANNOUNCE_OTHER : ANNOUNCE_CLAIM;
}

void announce_frame_parse(const void *data, size_t size_bytes, struct announce_frame *ret_frame)
{
	struct cursor_reader reader = cursor_reader_make(data, size_bytes);
	struct announce_frame frame = { .kind = ANNOUNCE_OTHER };
	struct mac to;
	uint16_t type;

	cursor_get(&reader, to.bytes, MAC_LEN);
	cursor_get(&reader, frame.reply_to.bytes, MAC_LEN);
	type = cursor_get_u16(&reader);
	if (!reader.failed && type == ETHERTYPE_ARP)
		frame_parse_arp(&reader, &frame);
	else if (!reader.failed && type == ETHERTYPE_IPV6)
		frame_parse_ip6(&reader, &frame);
	frame_be_no_hosts(&frame);
	if (frame.kind == ANNOUNCE_OTHER)
		frame = (struct announce_frame){ .kind = ANNOUNCE_OTHER };
	*ret_frame = frame;
}

static void frame_put_ethernet(
	struct cursor_writer *writer, const struct mac *to, const struct mac *own, uint16_t type)
{
	cursor_put(writer, to->bytes, MAC_LEN);
	cursor_put(writer, own->bytes, MAC_LEN);
	cursor_put_u16(writer, type);
}

static void frame_build_arp(struct cursor_writer *writer, const struct addr *vip,
	const struct mac *own, const struct announce_frame *to)
{
	static const struct mac nobody;

	frame_put_ethernet(writer, to ? &to->mac : &frame_broadcast, own, ETHERTYPE_ARP);
	cursor_put_u16(writer, ARPHRD_ETHER);
	cursor_put_u16(writer, ETHERTYPE_IP);
	cursor_put_u8(writer, MAC_LEN);
	cursor_put_u8(writer, 4);
	/* An announcement is a request for the address by its owner (RFC 5227 §3). */
	cursor_put_u16(writer, to ? ARPOP_REPLY : ARPOP_REQUEST);
	cursor_put(writer, own->bytes, MAC_LEN);
	cursor_put(writer, vip->bytes, 4);
	cursor_put(writer, to ? to->mac.bytes : nobody.bytes, MAC_LEN);
	cursor_put(writer, to ? to->asker.bytes : vip->bytes, 4);
}

/* A neighbour discovery message about `target` with one link-layer address option (RFC 4861 §4.3, §4.4). */
struct frame_nd {
	uint8_t type;
	uint32_t flags;
	uint8_t option;
	struct addr target;
	const uint8_t *source, *destination;
	struct mac to;
};

static void frame_build_nd(
	struct cursor_writer *writer, const struct mac *own, const struct frame_nd *nd)
{
	uint8_t *addresses, *message;
	uint16_t sum;

	frame_put_ethernet(writer, &nd->to, own, ETHERTYPE_IPV6);
	cursor_put_u32(writer, UINT32_C(6) << 28);
	cursor_put_u16(writer, FRAME_ND_BYTES);
	cursor_put_u8(writer, IPPROTO_ICMPV6);
	cursor_put_u8(writer, FRAME_HOP_LIMIT);
	addresses = writer->next;
	cursor_put(writer, nd->source, 16);
	cursor_put(writer, nd->destination, 16);
	message = writer->next;
	cursor_put_u8(writer, nd->type);
	cursor_put_u8(writer, 0);
	cursor_put_u16(writer, 0);
	cursor_put_u32(writer, nd->flags);
	cursor_put(writer, nd->target.bytes, 16);
	cursor_put_u8(writer, nd->option);
	cursor_put_u8(writer, 1);
	cursor_put(writer, own->bytes, MAC_LEN);
	sum = htobe16(frame_checksum(addresses, message, FRAME_ND_BYTES));
	memcpy(message + offsetof(struct icmp6_hdr, icmp6_cksum), &sum, sizeof(sum));
}

static void frame_build_advertisement(struct cursor_writer *writer, const struct addr *vip,
	const struct mac *own, const struct announce_frame *to)
{
	/* Whoever probes for a duplicate has no address yet: all nodes hear it (RFC 4861 §7.2.4). */
	bool solicited = to && !frame_addr_is_unspecified(&to->asker);
	const struct frame_nd nd = {
		.type = ND_NEIGHBOR_ADVERT,
		.flags = (solicited ? FRAME_NA_SOLICITED : 0) | FRAME_NA_OVERRIDE,
		.option = ND_OPT_TARGET_LINKADDR,
		.target = *vip,
		.source = vip->bytes,
		.destination = solicited ? to->asker.bytes : frame_all_nodes.s6_addr,
		.to = solicited ? to->mac : frame_all_nodes_mac,
	};

	frame_build_nd(writer, own, &nd);
}

static void frame_ask_nd(struct cursor_writer *writer, const struct addr *vip,
	const struct announce_question *question)
{
	/* RFC 4291 §2.7.1, RFC 2464 §7. */
	struct in6_addr group = { { { 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff } } };
	struct mac group_mac = { { 0x33, 0x33, 0xff } };
	bool everybody = mac_is_zero(&question->to);

	memcpy(&group.s6_addr[13], &vip->bytes[13], 3);
	memcpy(&group_mac.bytes[3], &vip->bytes[13], 3);
	frame_build_nd(writer, &question->own,
		&(struct frame_nd){ .type = ND_NEIGHBOR_SOLICIT,
			.option = ND_OPT_SOURCE_LINKADDR,
			.target = *vip,
			.source = question->own_address.bytes,
			.destination = everybody ? group.s6_addr : vip->bytes,
			.to = everybody ? group_mac : question->to });
}

static void frame_ask_arp(struct cursor_writer *writer, const struct addr *vip,
	const struct announce_question *question)
{
	static const struct mac nobody;

	frame_put_ethernet(writer, mac_is_zero(&question->to) ? &frame_broadcast : &question->to,
		&question->own, ETHERTYPE_ARP);
	cursor_put_u16(writer, ARPHRD_ETHER);
	cursor_put_u16(writer, ETHERTYPE_IP);
	cursor_put_u8(writer, MAC_LEN);
	cursor_put_u8(writer, 4);
	cursor_put_u16(writer, ARPOP_REQUEST);
	cursor_put(writer, question->own.bytes, MAC_LEN);
	cursor_put(writer, question->own_address.bytes, 4);
	cursor_put(writer, nobody.bytes, MAC_LEN);
	cursor_put(writer, vip->bytes, 4);
}

size_t announce_frame_ask(const struct addr *vip, const struct announce_question *question,
	uint8_t buffer[ANNOUNCE_FRAME_MAX_BYTES])
{
	struct cursor_writer writer = cursor_writer_make(buffer, ANNOUNCE_FRAME_MAX_BYTES);

	if (vip->family == AF_INET)
		frame_ask_arp(&writer, vip, question);
	else
		frame_ask_nd(&writer, vip, question);
	return (size_t)(writer.next - buffer);
}

size_t announce_frame_build(const struct addr *vip, const struct mac *own,
	const struct announce_frame *to, uint8_t buffer[ANNOUNCE_FRAME_MAX_BYTES])
{
	struct cursor_writer writer = cursor_writer_make(buffer, ANNOUNCE_FRAME_MAX_BYTES);

	if (vip->family == AF_INET)
		frame_build_arp(&writer, vip, own, to);
	else
		frame_build_advertisement(&writer, vip, own, to);
	return (size_t)(writer.next - buffer);
}
