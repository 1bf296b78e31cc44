/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why messages are refused: the reasons, and who was refused lately, with words that say how to mend it. A
 * fixed table: who forges sources pushes out nothing that stands on better proof. Pure. Owned by session.c,
 * read by the status.
 */
#pragma once

#include "common/addr.h"
#include "common/proto/proto.h"
#include "common/why.h"

#define SESSION_REFUSALS_MAX     64u
#define SESSION_REFUSALS_KEEP_US (300 * US_PER_S) /* known so long after the last one */
#define SESSION_REFUSALS_QUIET_US \
	(30 * US_PER_S) /* agents try again sooner: then it may give way */

/* Why a message was refused; names by session_refusals_name(). */
enum session_refusal {
	SESSION_ACCEPTED,
	SESSION_SHORT, /* the first seven as enum proto_error */
	SESSION_LONG,
	SESSION_MAGIC,
	SESSION_VERSION,
	SESSION_TYPE, /* unknown, or one that only a balancer sends */
	SESSION_TRUNCATED,
	SESSION_VALUE,
	SESSION_TTL,       /* did not arrive with 255: from beyond the link */
	SESSION_RATE,      /* over its rate, or no room for a new source */
	SESSION_KEY,       /* no such key ID */
	SESSION_CHALLENGE, /* not a challenge of ours for this source, or too old */
	SESSION_TAG,       /* wrong key, or changed on the way */
	SESSION_PARTS,     /* a REGISTER of which PARTs have not come, or no room for another's */
	SESSION_REPLAY,    /* seen before, or too old to tell */
	SESSION_ECHO,      /* answers no heartbeat that was sent of late */
	SESSION_UNKNOWN,   /* no such session: "session" */
	SESSION_SOURCE,    /* the session's, from another address */
	SESSION_POLICY_0,  /* + enum proto_reject: "policy:not-allowed" … */
	SESSION_REFUSAL_N_ = SESSION_POLICY_0 + PROTO_REJECT_N_
};
const char *session_refusals_name(enum session_refusal refusal);

/* What is known of a refused message; only of the refusal's own kind need it be filled. */
struct session_refusals_message {
	struct addr source;
	enum session_refusal refusal;
	int hop_limit;       /* SESSION_TTL */
	uint8_t version;     /* SESSION_VERSION */
	const char *key_id;  /* SESSION_KEY; SESSION_TAG of a REGISTER or a PART */
	const char *name;    /* policy: the agent's */
	const char *because; /* policy: as the REJECT said */
};

/* Refused of one source for one reason. */
struct session_refused {
	struct addr source;
	enum session_refusal refusal;
	char words[256];
	uint64_t count, last_us;
};

/* Zeroed: nobody. */
struct session_refusals {
	struct session_refused items[SESSION_REFUSALS_MAX];
	size_t len;
};

/*
 * What an administrator should know and do of it: "its key 1 has other bytes than ours: …"; "" where a message
 * tells nothing of an agent that would register.
 */
void session_refusals_words(const struct session_refusals_message *message, struct why *ret_words);
/*
 * Takes one that has words. When there is no room, the oldest one with the least proof gives way: a signed
 * REGISTER proves more than a tag that fails behind an answered challenge, and that more than a source address.
 * One with as much proof gives way only when it has been quiet for SESSION_REFUSALS_QUIET_US; if there is none,
 * the new one is not remembered.
 */
void session_refusals_add(struct session_refusals *refusals,
	const struct session_refusals_message *message, const char *words, uint64_t now_us);
/* It was accepted. */
void session_refusals_forget(struct session_refusals *refusals, const struct addr *source);
/* Forgets what is older than SESSION_REFUSALS_KEEP_US. */
void session_refusals_expire(struct session_refusals *refusals, uint64_t now_us);
