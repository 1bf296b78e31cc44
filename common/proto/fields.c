/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fields <-> bytes: see fields.h. */
#include "common/proto/fields.h"

#include <netinet/in.h>

#include "common/proto/ports.h"

#define PORT_LISTENING 0x01u
#define PORT_COUNTED   0x02u
#define ASKED_COUNTS   0x01u

/* In the order in which they stand. */
enum fields_type {
	FIELDS_LIMIT = 1, /* REGISTER, ANSWER, UPDATE: max-connections */
	FIELDS_PORTS,     /* ANSWER, UPDATE: what was asked by SERVE */
	FIELDS_WHY,       /* ANSWER, UPDATE: of a port that nobody listens on */
	FIELDS_OTHER,     /* ANSWER, UPDATE: another balancer that the agent serves */
	FIELDS_NAME,      /* ACCEPT: the balancer's name */
	FIELDS_PLACE,     /* ACCEPT, HEARTBEAT: where the balancer is; since version 4 */
	FIELDS_PEERS, /* REGISTER, ANSWER, UPDATE: wants PEERS, and the newest heard; since version 4 */
	FIELDS_N_
};

/* ---- what is legal ---- */

/* How many VIPs an agent may have, and so how large the position of one is. */
static uint16_t fields_vips_max(unsigned int version)
{
	return version >= PROTO_VERSION_VIPS ? PROTO_VIPS_MAX : PROTO_VIPS_WHOLE;
}

static bool fields_port_is_valid(const struct proto_port *port, unsigned int version)
{
	return port->vip < fields_vips_max(version) &&
		(port->protocol == IPPROTO_TCP || port->protocol == IPPROTO_UDP) &&
		port->first >= 1 && port->first <= port->last &&
		(port->counts || port->first == port->last);
}

bool fields_serve_is_valid(const struct proto_serve *serve, unsigned int version)
{
	if (serve->n_ports > PROTO_PORTS_MAX || serve->n_sources > PROTO_SOURCES_MAX)
		return false;
	for (size_t i = 0; i < serve->n_ports; i++) {
		if (!fields_port_is_valid(&serve->ports[i], version))
			return false;
		if (i > 0 && ports_compare(&serve->ports[i - 1], &serve->ports[i]) >= 0)
			return false;
	}
	ARRAY_FOREACH (source, serve->sources, serve->n_sources)
		if (!addr_is_unicast(source))
			return false;
	return true;
}

static bool fields_ports_are_valid(const struct proto_ports_status *ports)
{
	if (ports->n_ports > PROTO_PORTS_MAX || (ports->n_ports == 0) != (ports->digest == 0) ||
		(ports->n_ports == 0 && ports->why[0] != '\0'))
		return false;
	for (size_t i = 0; i < ports->n_ports; i++)
		if (!ports->items[i].counted && ports->items[i].accepted != 0)
			return false;
	return wire_text_is_valid(ports->why, PROTO_REASON_MAX);
}

static bool fields_other_is_valid(const struct proto_other *other)
{
	if (other->address.family == AF_UNSPEC)
		return other->name[0] == '\0';
	return addr_is_unicast(&other->address) &&
		(other->name[0] == '\0' || wire_word_is_valid(other->name, PROTO_NAME_MAX));
}

static bool fields_report_is_empty(const struct proto_report *report)
{
	return report->status.max_connections == 0 && report->ports.n_ports == 0 &&
		report->ports.digest == 0 && report->ports.why[0] == '\0' &&
		report->other.address.family == AF_UNSPEC && report->other.name[0] == '\0';
}

/* NULL: a message of this type has none. */
static const struct proto_place *fields_place(const struct proto_message *message)
{
	if (message->type == PROTO_ACCEPT)
		return &message->accept.place;
	return message->type == PROTO_HEARTBEAT ? &message->heartbeat.place : NULL;
}

static bool fields_place_is_valid(const struct proto_message *message)
{
	const struct proto_place *place = fields_place(message);

	if (!place || (mac_is_zero(&place->mac) && place->n_addresses == 0))
		return true;
	if (message->version < PROTO_VERSION_PLACE || !wire_mac_is_host(&place->mac) ||
		place->n_addresses > PROTO_PLACE_MAX)
		return false;
	for (size_t i = 0; i < place->n_addresses; i++) {
		if (!addr_is_unicast(&place->addresses[i]))
			return false;
		for (size_t j = 0; j < i; j++)
			if (addr_equal(&place->addresses[i], &place->addresses[j]))
				return false;
	}
	return true;
}

/* Who has no second chance wants no PEERS. In a REGISTER none was heard. */
static bool fields_peers_are_valid(const struct proto_message *message)
{
	if (message->type == PROTO_REGISTER)
		return message->version >= PROTO_VERSION_PEERS ||
			!message->reg.status.second_chance;
	if (message->type != PROTO_ANSWER && message->type != PROTO_UPDATE)
		return true;
	if (!message->report.status.second_chance)
		return message->report.peers_heard == 0;
	return message->version >= PROTO_VERSION_PEERS;
}

/* Version 1 has no place for any of it. */
static bool fields_are_empty(const struct proto_message *message)
{
	switch (message->type) {
	case PROTO_REGISTER:
		return message->reg.status.max_connections == 0;
	case PROTO_ANSWER:
	case PROTO_UPDATE:
		return fields_report_is_empty(&message->report);
	case PROTO_ACCEPT:
		return message->accept.name[0] == '\0';
	default:
		return true;
	}
}

bool fields_are_valid(const struct proto_message *message)
{
	if (!fields_place_is_valid(message) || !fields_peers_are_valid(message))
		return false;
	if (message->version == PROTO_VERSION_1)
		return fields_are_empty(message);
	switch (message->type) {
	case PROTO_REGISTER:
		return message->reg.status.max_connections <= PROTO_CONNECTIONS_MAX;
	case PROTO_ANSWER:
	case PROTO_UPDATE:
		return message->report.status.max_connections <= PROTO_CONNECTIONS_MAX &&
			fields_ports_are_valid(&message->report.ports) &&
			fields_other_is_valid(&message->report.other);
	case PROTO_ACCEPT:
		return message->accept.name[0] == '\0' ||
			wire_word_is_valid(message->accept.name, PROTO_NAME_MAX);
	default:
		return true;
	}
}

/* ---- bytes -> fields ---- */

static void fields_get_ports(struct wire_parser *parser, struct proto_ports_status *ret_ports)
{
	ret_ports->digest = cursor_get_u32(&parser->reader);
	ret_ports->n_ports = cursor_get_u8(&parser->reader);
	if (ret_ports->n_ports == 0 || ret_ports->n_ports > PROTO_PORTS_MAX) {
		wire_mark_bad(parser);
		ret_ports->n_ports = 0;
	}
	ARRAY_FOREACH (item, ret_ports->items, ret_ports->n_ports) {
		uint8_t flags = cursor_get_u8(&parser->reader);

		if (flags & ~(PORT_LISTENING | PORT_COUNTED))
			wire_mark_bad(parser);
		item->listening = flags & PORT_LISTENING;
		item->counted = flags & PORT_COUNTED;
		item->accepted = cursor_get_u32(&parser->reader);
	}
}

static void fields_get_limit(struct wire_parser *parser, uint32_t *ret_limit)
{
	*ret_limit = cursor_get_u32(&parser->reader);
	if (*ret_limit == 0)
		wire_mark_bad(parser);
}

static void fields_get_other(struct wire_parser *parser, struct proto_other *ret_other)
{
	wire_get_addr(parser, &ret_other->address);
	if (cursor_left(&parser->reader) > 0)
		wire_get_rest(parser, ret_other->name, PROTO_NAME_MAX);
}

static void fields_get_place(struct wire_parser *parser, struct proto_message *message)
{
	struct proto_place *place =
		message->type == PROTO_ACCEPT ? &message->accept.place : &message->heartbeat.place;

	cursor_get(&parser->reader, place->mac.bytes, MAC_LEN);
	if (mac_is_zero(&place->mac))
		wire_mark_bad(parser);
	while (!parser->bad && !parser->reader.failed && cursor_left(&parser->reader) > 0) {
		if (place->n_addresses == PROTO_PLACE_MAX) {
			wire_mark_bad(parser);
			return;
		}
		wire_get_addr(parser, &place->addresses[place->n_addresses++]);
	}
}

static void fields_get_peers(struct wire_parser *parser, struct proto_message *message)
{
	uint64_t heard = cursor_get_u64(&parser->reader);

	if (message->type == PROTO_REGISTER) {
		message->reg.status.second_chance = true;
		if (heard != 0)
			wire_mark_bad(parser);
		return;
	}
	message->report.status.second_chance = true;
	message->report.peers_heard = heard;
}

/* One field, whose value is all that the parser has. */
static void fields_get_value(
	struct wire_parser *parser, uint8_t type, struct proto_message *message)
{
	bool reports = message->type == PROTO_ANSWER || message->type == PROTO_UPDATE;

	if (type == FIELDS_LIMIT && message->type == PROTO_REGISTER)
		fields_get_limit(parser, &message->reg.status.max_connections);
	else if (type == FIELDS_LIMIT && reports)
		fields_get_limit(parser, &message->report.status.max_connections);
	else if (type == FIELDS_PORTS && reports)
		fields_get_ports(parser, &message->report.ports);
	else if (type == FIELDS_WHY && reports)
		wire_get_rest(parser, message->report.ports.why, PROTO_REASON_MAX);
	else if (type == FIELDS_OTHER && reports)
		fields_get_other(parser, &message->report.other);
	else if (type == FIELDS_NAME && message->type == PROTO_ACCEPT)
		wire_get_rest(parser, message->accept.name, PROTO_NAME_MAX);
	else if (type == FIELDS_PLACE && fields_place(message))
		fields_get_place(parser, message);
	else if (type == FIELDS_PEERS && (reports || message->type == PROTO_REGISTER))
		fields_get_peers(parser, message);
	else
		wire_mark_bad(parser);
}

void fields_get(struct wire_parser *parser, struct proto_message *message)
{
	uint8_t last = 0;

	while (!parser->bad && !parser->reader.failed && cursor_left(&parser->reader) > 0) {
		uint8_t type = cursor_get_u8(&parser->reader);
		uint16_t length = cursor_get_u16(&parser->reader);
		struct wire_parser value = { 0 };

		if (parser->reader.failed || cursor_left(&parser->reader) < length) {
			parser->reader.failed = true;
			return;
		}
		value.reader = cursor_reader_make(parser->reader.next, length);
		parser->reader.next += length;
		fields_get_value(&value, type, message);
		if (type <= last || value.bad || value.reader.failed ||
			cursor_left(&value.reader) > 0)
			wire_mark_bad(parser);
		last = type;
	}
}

void fields_get_serve(
	struct wire_parser *parser, unsigned int version, struct proto_serve *ret_serve)
{
	bool is_wide = version >= PROTO_VERSION_VIPS;

	ret_serve->n_ports = cursor_get_u8(&parser->reader);
	if (ret_serve->n_ports > PROTO_PORTS_MAX) {
		wire_mark_bad(parser);
		ret_serve->n_ports = 0;
	}
	ARRAY_FOREACH (port, ret_serve->ports, ret_serve->n_ports) {
		uint8_t flags;

		port->vip =
			is_wide ? cursor_get_u16(&parser->reader) : cursor_get_u8(&parser->reader);
		port->protocol = cursor_get_u8(&parser->reader);
		flags = cursor_get_u8(&parser->reader);
		if (flags & ~ASKED_COUNTS)
			wire_mark_bad(parser);
		port->counts = flags & ASKED_COUNTS;
		port->first = cursor_get_u16(&parser->reader);
		port->last = cursor_get_u16(&parser->reader);
	}
	ret_serve->n_sources = cursor_get_u8(&parser->reader);
	if (ret_serve->n_sources > PROTO_SOURCES_MAX) {
		wire_mark_bad(parser);
		ret_serve->n_sources = 0;
	}
	ARRAY_FOREACH (source, ret_serve->sources, ret_serve->n_sources)
		wire_get_addr(parser, source);
}

/* ---- fields -> bytes ---- */

static void fields_put_head(struct cursor_writer *writer, enum fields_type type, size_t length)
{
	cursor_put_u8(writer, (uint8_t)type);
	cursor_put_u16(writer, (uint16_t)length);
}

static void fields_put_limit(struct cursor_writer *writer, uint32_t limit)
{
	if (limit == 0)
		return;
	fields_put_head(writer, FIELDS_LIMIT, 4);
	cursor_put_u32(writer, limit);
}

static void fields_put_text(struct cursor_writer *writer, enum fields_type type, const char *text)
{
	if (text[0] == '\0')
		return;
	fields_put_head(writer, type, strlen(text));
	cursor_put(writer, text, strlen(text));
}

static void fields_put_ports(struct cursor_writer *writer, const struct proto_ports_status *ports)
{
	if (ports->n_ports == 0)
		return;
	fields_put_head(writer, FIELDS_PORTS, 4 + 1 + ports->n_ports * (size_t)(1 + 4));
	cursor_put_u32(writer, ports->digest);
	cursor_put_u8(writer, ports->n_ports);
	ARRAY_FOREACH (item, ports->items, ports->n_ports) {
		cursor_put_u8(writer,
			(uint8_t)((item->listening ? PORT_LISTENING : 0) |
				(item->counted ? PORT_COUNTED : 0)));
		cursor_put_u32(writer, item->accepted);
	}
}

static void fields_put_other(struct cursor_writer *writer, const struct proto_other *other)
{
	if (other->address.family == AF_UNSPEC)
		return;
	fields_put_head(
		writer, FIELDS_OTHER, 1 + addr_size_bytes(&other->address) + strlen(other->name));
	wire_put_addr(writer, &other->address);
	cursor_put(writer, other->name, strlen(other->name));
}

static void fields_put_place(struct cursor_writer *writer, const struct proto_place *place)
{
	size_t size_bytes = MAC_LEN;

	if (!place || mac_is_zero(&place->mac))
		return;
	ARRAY_FOREACH (address, place->addresses, place->n_addresses)
		size_bytes += 1 + addr_size_bytes(address);
	fields_put_head(writer, FIELDS_PLACE, size_bytes);
	cursor_put(writer, place->mac.bytes, MAC_LEN);
	ARRAY_FOREACH (address, place->addresses, place->n_addresses)
		wire_put_addr(writer, address);
}

static void fields_put_peers(struct cursor_writer *writer, bool wanted, uint64_t heard)
{
	if (!wanted)
		return;
	fields_put_head(writer, FIELDS_PEERS, 8);
	cursor_put_u64(writer, heard);
}

void fields_put(struct cursor_writer *writer, const struct proto_message *message)
{
	switch (message->type) {
	case PROTO_REGISTER:
		fields_put_limit(writer, message->reg.status.max_connections);
		fields_put_peers(writer, message->reg.status.second_chance, 0);
		break;
	case PROTO_ANSWER:
	case PROTO_UPDATE:
		fields_put_limit(writer, message->report.status.max_connections);
		fields_put_ports(writer, &message->report.ports);
		fields_put_text(writer, FIELDS_WHY, message->report.ports.why);
		fields_put_other(writer, &message->report.other);
		fields_put_peers(
			writer, message->report.status.second_chance, message->report.peers_heard);
		break;
	case PROTO_ACCEPT:
		fields_put_text(writer, FIELDS_NAME, message->accept.name);
		break;
	default:
		break;
	}
	fields_put_place(writer, fields_place(message));
}

void fields_put_serve(
	struct cursor_writer *writer, unsigned int version, const struct proto_serve *serve)
{
	cursor_put_u8(writer, serve->n_ports);
	ARRAY_FOREACH (port, serve->ports, serve->n_ports) {
		if (version >= PROTO_VERSION_VIPS)
			cursor_put_u16(writer, port->vip);
		else
			cursor_put_u8(writer, (uint8_t)port->vip);
		cursor_put_u8(writer, port->protocol);
		cursor_put_u8(writer, port->counts ? ASKED_COUNTS : 0);
		cursor_put_u16(writer, port->first);
		cursor_put_u16(writer, port->last);
	}
	cursor_put_u8(writer, serve->n_sources);
	ARRAY_FOREACH (source, serve->sources, serve->n_sources)
		wire_put_addr(writer, source);
}
