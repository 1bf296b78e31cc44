/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The other balancers that our agents serve, as the agents say. A fixed table, pure. Owned by session.c, read by the status. */
#pragma once

#include "common/proto/proto.h"

#define SESSION_OTHERS_MAX 32u
/* Each agent names each of its balancers in turn, one in an answer; who is named no more is none. */
#define SESSION_OTHERS_KEEP_US (60 * US_PER_S)

#define SESSION_OTHERS_TABLES_MAX 32u /* that differ; more are not remembered */

/* How another balancer's table of a virtual server differs from ours; the first that applies. */
enum session_difference {
	SESSION_SAME,
	SESSION_DIFFERS_MISSING, /* we have no such virtual server */
	SESSION_DIFFERS_MEMBERS, /* other usable members */
	SESSION_DIFFERS_WEIGHTS,
	SESSION_DIFFERS_VERSION, /* the same members and weights, but another program */
	SESSION_DIFFERS_SEED,    /* all of that alike, but other rows: the cluster-seed */
	SESSION_DIFFERENCE_N_
};

struct session_other_table {
	char name[PROTO_NAME_MAX + 1];
	enum session_difference difference;
	uint64_t first_us, last_us; /* when it was heard to differ */
	bool stands;                /* for long enough to be more than a change on its way */
	bool said;                  /* session_others_said() */
};

struct session_other {
	struct proto_other balancer;
	uint64_t last_us; /* when an agent named it last */
	struct session_other_table tables[SESSION_OTHERS_TABLES_MAX]; /* those that differ */
	size_t n_tables;
};

/* Zeroed: nobody. */
struct session_others {
	struct session_other items[SESSION_OTHERS_MAX]; /* by address */
	size_t len;
};

/* An authentic word; AF_UNSPEC says nothing. Where there is no room the one that was named the longest ago gives way. */
void session_others_take(
	struct session_others *others, const struct proto_other *named, uint64_t now_us);
/*
 * What a known balancer says of one of its tables, and how that differs from ours. A difference stands when it was heard
 * again after `settle_us`: backends change here and there a moment apart. True: there is something to say: it stands, and
 * that was not said yet, or it was said and is gone.
 */
bool session_others_compare(struct session_others *others, const struct addr *address,
	const char *name, enum session_difference difference, uint64_t settle_us, uint64_t now_us);
/* That the difference stands was said. */
void session_others_said(
	struct session_others *others, const struct addr *address, const char *name);
/* The address of a balancer whose table of that name was another one when it was last told; NULL: none is known. */
const struct addr *session_others_find_other(const struct session_others *others, const char *name);
/* Whether any difference stands. */
bool session_others_differ(const struct session_others *others);
/* In words: "has other usable members". */
const char *session_difference_words(enum session_difference difference);
/* Forgets what was not named for SESSION_OTHERS_KEEP_US. */
void session_others_expire(struct session_others *others, uint64_t now_us);
