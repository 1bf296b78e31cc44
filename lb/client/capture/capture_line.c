/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See capture_line.h. */
#include "lb/client/capture/capture_line.h"

#include <netinet/in.h>
#include <time.h>

#include "common/addr.h"

#define ETHERNET_BYTES 14u
#define TYPE_IP4       0x0800u
#define TYPE_IP6       0x86ddu
#define TYPE_VLAN      0x8100u
#define TYPE_QINQ      0x88a8u
#define TAG_BYTES      4u
#define IP4_BYTES      20u
#define IP6_BYTES      40u

static const char *string_of(const json_t *frame, const char *name)
{
	const char *value = json_string_value(json_object_get(frame, name));

	return value ? value : "";
}

static unsigned int number16(const uint8_t *at)
{
	return (unsigned int)at[0] << 8 | at[1];
}

static const char *protocol_name(unsigned int protocol, char *buffer, size_t room_bytes)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_ICMPV6:
		return "icmpv6";
	default:
		snprintf(buffer, room_bytes, "protocol %u", protocol);
		return buffer;
	}
}

struct packet {
	struct addr_port source, destination;
	unsigned int protocol;
};

/* The ports of what is at `l4`, where it is their place. */
static void take_ports(struct packet *packet, const uint8_t *l4, size_t rest_bytes)
{
	if ((packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP) || rest_bytes < 4)
		return;
	packet->source.port = (uint16_t)number16(l4);
	packet->destination.port = (uint16_t)number16(l4 + 2);
}

static bool take_ip4(const uint8_t *at, size_t rest_bytes, struct packet *ret_packet)
{
	size_t header_bytes = rest_bytes > 0 ? (size_t)(at[0] & 15) * 4 : 0;

	if (rest_bytes < IP4_BYTES)
		return false;
	ret_packet->source.addr.family = ret_packet->destination.addr.family = AF_INET;
	memcpy(&ret_packet->source.addr.ip4, at + 12, 4);
	memcpy(&ret_packet->destination.addr.ip4, at + 16, 4);
	ret_packet->protocol = at[9];
	/* A later fragment has none. */
	if ((number16(at + 6) & 0x1fff) == 0 && header_bytes >= IP4_BYTES &&
		header_bytes <= rest_bytes)
		take_ports(ret_packet, at + header_bytes, rest_bytes - header_bytes);
	return true;
}

static bool take_ip6(const uint8_t *at, size_t rest_bytes, struct packet *ret_packet)
{
	if (rest_bytes < IP6_BYTES)
		return false;
	ret_packet->source.addr.family = ret_packet->destination.addr.family = AF_INET6;
	memcpy(&ret_packet->source.addr.ip6, at + 8, 16);
	memcpy(&ret_packet->destination.addr.ip6, at + 24, 16);
	ret_packet->protocol = at[6];
	take_ports(ret_packet, at + IP6_BYTES, rest_bytes - IP6_BYTES);
	return true;
}

/* False: no IP packet. `*ret_type` is what it is. */
static bool take_packet(
	const uint8_t *bytes, size_t size_bytes, struct packet *ret_packet, unsigned int *ret_type)
{
	size_t at = ETHERNET_BYTES;

	*ret_type = size_bytes >= at ? number16(bytes + at - 2) : 0;
	while ((*ret_type == TYPE_VLAN || *ret_type == TYPE_QINQ) && size_bytes >= at + TAG_BYTES) {
		at += TAG_BYTES;
		*ret_type = number16(bytes + at - 2);
	}
	if (*ret_type == TYPE_IP4)
		return take_ip4(bytes + at, size_bytes - at, ret_packet);
	return *ret_type == TYPE_IP6 && take_ip6(bytes + at, size_bytes - at, ret_packet);
}

static void format_packet(const uint8_t *bytes, size_t size_bytes, char *buffer, size_t room_bytes)
{
	char source[ADDR_PORT_STRLEN], destination[ADDR_PORT_STRLEN], protocol[16];
	struct packet packet = { 0 };
	unsigned int type;

	if (!take_packet(bytes, size_bytes, &packet, &type)) {
		snprintf(buffer, room_bytes, "ethertype 0x%04x", type);
		return;
	}
	if (packet.source.port || packet.destination.port)
		snprintf(buffer, room_bytes, "%s -> %s", addr_port_format(&packet.source, source),
			addr_port_format(&packet.destination, destination));
	else
		snprintf(buffer, room_bytes, "%s -> %s", addr_format(&packet.source.addr, source),
			addr_format(&packet.destination.addr, destination));
	snprintf(buffer + strlen(buffer), room_bytes - strlen(buffer), " %s",
		protocol_name(packet.protocol, protocol, sizeof(protocol)));
}

void capture_line_format(const json_t *frame, const uint8_t *bytes, size_t size_bytes,
	char ret_line[CAPTURE_LINE_BYTES])
{
	json_int_t time_ns = json_integer_value(json_object_get(frame, "time_ns"));
	time_t seconds = (time_t)(time_ns / 1000000000);
	char when[16] = "", packet[160];
	struct tm utc;

	if (gmtime_r(&seconds, &utc))
		(void)strftime(when, sizeof(when), "%H:%M:%S", &utc);
	format_packet(bytes, size_bytes, packet, sizeof(packet));
	snprintf(ret_line, CAPTURE_LINE_BYTES, "%s.%06d %-3s %s %lld bytes %s %s %s", when,
		(int)(time_ns / 1000 % 1000000), string_of(frame, "direction"), packet,
		(long long)json_integer_value(json_object_get(frame, "length_bytes")),
		string_of(frame, "verdict"), string_of(frame, "reason"),
		string_of(frame, "backend")[0] ? string_of(frame, "backend") : "-");
}

void capture_comment_format(const json_t *frame, char *ret_comment, size_t room_bytes)
{
	static const struct {
		const char *words, *member;
	} parts[] = {
		{ "; backend ", "backend" },
		{ "; virtual server ", "virtual_server" },
		{ "; by ", "how" },
	};

	snprintf(ret_comment, room_bytes, "%s: %s", string_of(frame, "verdict"),
		string_of(frame, "reason"));
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		const char *value = string_of(frame, parts[i].member);
		size_t len = strlen(ret_comment);

		if (value[0] && !streq(value, "none"))
			snprintf(
				ret_comment + len, room_bytes - len, "%s%s", parts[i].words, value);
	}
}
