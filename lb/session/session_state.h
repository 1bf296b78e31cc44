/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this room share, types alone. Nobody outside of it includes this. */
#pragma once

#include "common/proto/keyring.h"
#include "lb/registry/registry.h"
#include "lb/session/session_parts.h"
#include "lb/session/session_peers.h"
#include "lb/session/session_table.h"
#include "lb/session/session_types.h"

struct sessions {
	struct session_config config;
	struct registry *registry;
	struct session_calls calls;
	struct keyring *ring;
	struct session_random random;
	uint64_t now_us; /* of the last event */
	struct session_counters counters;
	struct session_refusals refusals;
	struct session_others others;
	struct session_peers peers;
	struct why rejected; /* what the REJECT said, if this datagram got one; else "" */
	struct session_limit_table strangers;
	struct session_limit_bucket
		known; /* HELLOs over their rate from addresses with a session */
	struct session_table table;
	struct session_parts parts;
};

/* One datagram on its way through the checks. */
struct arrival {
	const struct session_path *path;
	bool mac_is_source;
	const uint8_t *data;
	size_t size_bytes;
	uint64_t now_us;
	struct proto_message message;
};
