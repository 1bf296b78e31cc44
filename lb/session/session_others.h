/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The other balancers that our agents serve, as the agents say. A fixed table, pure. Owned by session.c, read by the status. */
#pragma once

#include "common/proto/proto.h"

#define SESSION_OTHERS_MAX 32u
/* Each agent names each of its balancers in turn, one in an answer; who is named no more is none. */
#define SESSION_OTHERS_KEEP_US (60 * US_PER_S)

struct session_other {
	struct proto_other balancer;
	uint64_t last_us; /* when an agent named it last */
};

/* Zeroed: nobody. */
struct session_others {
	struct session_other items[SESSION_OTHERS_MAX]; /* by address */
	size_t len;
};

/* An authentic word; AF_UNSPEC says nothing. Where there is no room the one that was named the longest ago gives way. */
void session_others_take(
	struct session_others *others, const struct proto_other *named, uint64_t now_us);
/* Forgets what was not named for SESSION_OTHERS_KEEP_US. */
void session_others_expire(struct session_others *others, uint64_t now_us);
