/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What version 3 of the protocol adds: the body of TABLE and RELAY behind the session. For proto.c alone. Pure. */
#pragma once

#include "common/proto/message.h"
#include "common/proto/wire.h"

#define TABLE_BYTES_MAX (WIRE_ADDR_BYTES_MAX + 2 * WIRE_STRING_BYTES(PROTO_NAME_MAX) + 8 + 4 + 4u)

/* A RELAY names another balancer, a TABLE none. */
bool table_told_is_valid(const struct proto_told *told, bool relayed);
void table_get(struct wire_parser *parser, bool relayed, struct proto_told *ret_told);
void table_put(struct cursor_writer *writer, const struct proto_told *told);
