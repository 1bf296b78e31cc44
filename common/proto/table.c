/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Version 3's messages <-> bytes: see table.h. */
#include "common/proto/table.h"

bool table_told_is_valid(const struct proto_told *told, bool relayed)
{
	const struct proto_table *table = &told->table;

	if (relayed ? !addr_is_unicast(&told->other) : told->other.family != AF_UNSPEC)
		return false;
	return wire_word_is_valid(table->name, PROTO_NAME_MAX) && table->version[0] != '\0' &&
		wire_text_is_valid(table->version, PROTO_NAME_MAX);
}

void table_get(struct wire_parser *parser, bool relayed, struct proto_told *ret_told)
{
	struct proto_table *table = &ret_told->table;

	if (relayed)
		wire_get_addr(parser, &ret_told->other);
	wire_get_string(parser, table->name, PROTO_NAME_MAX);
	table->digest = cursor_get_u64(&parser->reader);
	table->members = cursor_get_u32(&parser->reader);
	table->weights = cursor_get_u32(&parser->reader);
	wire_get_string(parser, table->version, PROTO_NAME_MAX);
}

void table_put(struct cursor_writer *writer, const struct proto_told *told)
{
	const struct proto_table *table = &told->table;

	if (told->other.family != AF_UNSPEC)
		wire_put_addr(writer, &told->other);
	wire_put_string(writer, table->name);
	cursor_put_u64(writer, table->digest);
	cursor_put_u32(writer, table->members);
	cursor_put_u32(writer, table->weights);
	wire_put_string(writer, table->version);
}
