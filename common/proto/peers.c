/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PEERS <-> bytes: see peers.h. */
#include "common/proto/peers.h"

bool peers_are_valid(const struct proto_peers *peers)
{
	if (peers->named_mac[0] != PROTO_NAMED_MAC_FIRST || peers->change <= peers->after ||
		peers->n_items == 0 || peers->n_items > PROTO_PEERS_MAX)
		return false;
	ARRAY_FOREACH (item, peers->items, peers->n_items)
		if (item->id == 0 || !(mac_is_zero(&item->mac) || wire_mac_is_host(&item->mac)))
			return false;
	return true;
}

void peers_get(struct wire_parser *parser, struct proto_peers *ret_peers)
{
	cursor_get(&parser->reader, ret_peers->named_mac, PROTO_NAMED_MAC_BYTES);
	ret_peers->after = cursor_get_u64(&parser->reader);
	ret_peers->change = cursor_get_u64(&parser->reader);
	ret_peers->n_items = cursor_get_u8(&parser->reader);
	if (ret_peers->n_items > PROTO_PEERS_MAX) {
		wire_mark_bad(parser);
		ret_peers->n_items = 0;
	}
	ARRAY_FOREACH (item, ret_peers->items, ret_peers->n_items) {
		item->id = cursor_get_u16(&parser->reader);
		cursor_get(&parser->reader, item->mac.bytes, MAC_LEN);
	}
}

void peers_put(struct cursor_writer *writer, const struct proto_peers *peers)
{
	cursor_put(writer, peers->named_mac, PROTO_NAMED_MAC_BYTES);
	cursor_put_u64(writer, peers->after);
	cursor_put_u64(writer, peers->change);
	cursor_put_u8(writer, peers->n_items);
	ARRAY_FOREACH (item, peers->items, peers->n_items) {
		cursor_put_u16(writer, item->id);
		cursor_put(writer, item->mac.bytes, MAC_LEN);
	}
}
