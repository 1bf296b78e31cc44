/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What versions since 2 of the protocol add: the list of fields at the end of a message, and the body of SERVE.
 * A field is a type, a length and so many bytes. Types rise, each stands at most once and only in the
 * messages that have it, and a value that says nothing is left out: so a list has exactly one
 * encoding. For proto.c alone. Pure.
 */
#pragma once

#include "common/proto/message.h"
#include "common/proto/wire.h"

#define FIELDS_HEAD_BYTES      (1 + 2u)
#define FIELDS_LIMIT_BYTES     (FIELDS_HEAD_BYTES + 4u)
#define FIELDS_PORTS_BYTES_MAX (FIELDS_HEAD_BYTES + 4 + 1 + PROTO_PORTS_MAX * (1 + 4u))
#define FIELDS_WHY_BYTES_MAX   (FIELDS_HEAD_BYTES + PROTO_REASON_MAX)
#define FIELDS_OTHER_BYTES_MAX (FIELDS_HEAD_BYTES + WIRE_ADDR_BYTES_MAX + PROTO_NAME_MAX)
#define FIELDS_PEERS_BYTES     (FIELDS_HEAD_BYTES + 8u)
#define FIELDS_REPORT_BYTES_MAX \
	(FIELDS_LIMIT_BYTES + FIELDS_PORTS_BYTES_MAX + FIELDS_WHY_BYTES_MAX + \
		FIELDS_OTHER_BYTES_MAX + FIELDS_PEERS_BYTES)
#define FIELDS_SERVE_BYTES_MAX \
	(1 + PROTO_PORTS_MAX * (2 + 1 + 1 + 2 + 2u) + 1 + PROTO_SOURCES_MAX * WIRE_ADDR_BYTES_MAX)

/* Whether what versions since 2 add to this message is legal. */
bool fields_are_valid(const struct proto_message *message);
/* Reads the fields up to the end of the parser's bytes into the message, whose type is known. */
void fields_get(struct wire_parser *parser, struct proto_message *message);
/* Writes those that say something. */
void fields_put(struct cursor_writer *writer, const struct proto_message *message);

bool fields_serve_is_valid(const struct proto_serve *serve, unsigned int version);
void fields_get_serve(
	struct wire_parser *parser, unsigned int version, struct proto_serve *ret_serve);
void fields_put_serve(
	struct cursor_writer *writer, unsigned int version, const struct proto_serve *serve);
