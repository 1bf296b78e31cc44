/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PEERS, of version 4: its body behind the session. For proto.c alone. Pure. */
#pragma once

#include "common/proto/message.h"
#include "common/proto/wire.h"

#define PEERS_BYTES_MAX (PROTO_NAMED_MAC_BYTES + 8 + 8 + 1 + PROTO_PEERS_MAX * (2 + MAC_LEN))

bool peers_are_valid(const struct proto_peers *peers);
void peers_get(struct wire_parser *parser, struct proto_peers *ret_peers);
void peers_put(struct cursor_writer *writer, const struct proto_peers *peers);
