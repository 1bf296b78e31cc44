/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VIPs of registrations that come in several messages, until their REGISTER has come too. All that is kept here was
 * signed by somebody who has a key, and answers a challenge of ours; of each name under a key one registration, the
 * newest, for as long as its challenge holds. For session_handshake.c alone. Pure.
 */
#pragma once

#include "common/proto/message.h"

/* At a time: 20 KiB each, at most. More wait for their next try. */
#define SESSION_PARTS_MAX 256u

struct session_parts_item;

/* Zeroed: none. */
struct session_parts {
	struct session_parts_item *items[SESSION_PARTS_MAX];
	size_t len;
};

/*
 * An authentic PART, whose challenge was made then. 0; -ESTALE: a newer registration of this name is being gathered;
 * -EINVAL: it contradicts the parts before, which are forgotten; -ENOSPC, -ENOMEM.
 */
int session_parts_add(struct session_parts *parts, const struct proto_part *part, uint64_t made_us);
/* The VIPs of an authentic REGISTER of many, all status.n_vips of them; NULL: not all have come. Borrowed. */
const struct addr *session_parts_whole(
	const struct session_parts *parts, const struct proto_register *reg);
/* What was gathered of this registration is of no use any more. */
void session_parts_drop(struct session_parts *parts, const struct proto_register *reg);
/* Forgets those whose challenge holds no longer. */
void session_parts_expire(struct session_parts *parts, uint64_t now_us);
void session_parts_clear(struct session_parts *parts);
