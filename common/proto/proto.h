/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registration and heartbeat protocol: messages <-> bytes. Pure; knows no keys: the last
 * PROTO_TAG_BYTES of a datagram are the tag that common/auth computes over all before them.
 * doc/protocol.md is the specification. Version 1, UDP port 7377, one message a datagram.
 *
 *  agent                                   balancer
 *    HELLO(nonce_agent, key id, padded) ──►            no tag
 *    ◄── CHALLENGE(nonce_agent, nonce_balancer)        no tag, never larger than the HELLO
 *    REGISTER(nonces, identity, status) ──►            tag: pre-shared key
 *    ◄── ACCEPT(nonces, session, interval …) | REJECT  tag: pre-shared key
 *    ◄── HEARTBEAT(session, sequence)                  tag: session key balancer → agent
 *    ANSWER(session, sequence, echo, status) ──►       tag: session key agent → balancer
 *    UPDATE(session, sequence, echo, status) ──►       the same, sent when something changed
 *    LEAVE(session, sequence, echo) ──►
 *    ◄── ACK(session, sequence, echo of the UPDATE's or LEAVE's sequence)
 */
#pragma once

#include "common/addr.h"
#include "common/util.h"

#define PROTO_PORT            7377u
#define PROTO_TTL             255u /* must arrive as sent: RFC 5082 */
#define PROTO_VERSION         1u
#define PROTO_MESSAGE_MAX     1400u /* bytes of UDP payload, tag included */
#define PROTO_NONCE_BYTES     32u
#define PROTO_TAG_BYTES       32u
#define PROTO_NAME_MAX        64u /* bytes, without the end */
#define PROTO_KEY_ID_MAX      32u
#define PROTO_REASON_MAX      160u
#define PROTO_INTERVAL_MIN_US 50000u
#define PROTO_INTERVAL_MAX_US 60000000u
#define PROTO_MULTIPLIER_MAX  20u
#define PROTO_HEADER_BYTES    8u
#define PROTO_VERSION_OFFSET  4u
#define PROTO_CHALLENGE_BYTES (PROTO_HEADER_BYTES + 2 * PROTO_NONCE_BYTES + PROTO_TAG_BYTES)
#define PROTO_VIPS_MAX        40u /* the largest REGISTER must fit PROTO_MESSAGE_MAX */

enum proto_type {
	PROTO_HELLO = 1,
	PROTO_CHALLENGE,
	PROTO_REGISTER,
	PROTO_ACCEPT,
	PROTO_REJECT,
	PROTO_HEARTBEAT,
	PROTO_ANSWER,
	PROTO_UPDATE,
	PROTO_LEAVE,
	PROTO_ACK,
	PROTO_TYPE_N_
};

/* What the agent says of itself. */
enum proto_state {
	PROTO_STATE_UP,
	PROTO_STATE_DRAIN,
	PROTO_STATE_MAINT,
	PROTO_STATE_DOWN,
	PROTO_STATE_N_
};

/* Why a REGISTER was refused by policy (authenticated, so the agent may know). */
enum proto_reject {
	PROTO_REJECT_VERSION,     /* protocol version not spoken here */
	PROTO_REJECT_NOT_ALLOWED, /* address not in `allow`, or adopt = off */
	PROTO_REJECT_KEY_BINDING, /* the key may not be used for this name, VIP or weight */
	PROTO_REJECT_NO_VIP,      /* no virtual server has any of these VIPs */
	PROTO_REJECT_CLONE,       /* this identity is alive with another address or MAC */
	PROTO_REJECT_ADDRESS,     /* the claimed real IP is not the source, or not on the link */
	PROTO_REJECT_FULL,        /* the balancer's table of backends is full */
	PROTO_REJECT_ADMIN,       /* an administrator rejected this backend */
	PROTO_REJECT_MAC, /* the claimed MAC is not the agent's: its frame came from another */
	PROTO_REJECT_N_
};

struct proto_vip_status {
	bool present;         /* the VIP is on the loopback interface */
	bool silent;          /* no interface would answer ARP or ND for it */
	uint32_t established; /* TCP sockets in ESTABLISHED with this local address */
};

struct proto_status {
	enum proto_state state;
	char reason[PROTO_REASON_MAX + 1]; /* "" only when state is up; printable ASCII */
	uint16_t weight;                   /* 0: no new flows */
	uint8_t n_vips;                    /* in the order of the REGISTER */
	struct proto_vip_status vips[PROTO_VIPS_MAX];
};

struct proto_hello {
	uint8_t nonce_agent[PROTO_NONCE_BYTES];
	char key_id[PROTO_KEY_ID_MAX + 1]; /* proto_key_id_is_valid() */
};

struct proto_challenge {
	uint8_t nonce_agent[PROTO_NONCE_BYTES];
	uint8_t nonce_balancer[PROTO_NONCE_BYTES]; /* opaque to the agent */
};

struct proto_register {
	uint8_t nonce_agent[PROTO_NONCE_BYTES];
	uint8_t nonce_balancer[PROTO_NONCE_BYTES];
	char key_id[PROTO_KEY_ID_MAX + 1];
	char name[PROTO_NAME_MAX + 1];    /* letters, digits, '.', '-', '_' */
	char version[PROTO_NAME_MAX + 1]; /* of the program */
	struct addr real_ip;
	struct mac mac;
	struct addr vips[PROTO_VIPS_MAX]; /* status.n_vips of them */
	struct proto_status status;
};

struct proto_accept {
	uint8_t nonce_agent[PROTO_NONCE_BYTES];
	uint8_t nonce_balancer[PROTO_NONCE_BYTES];
	uint64_t session_id; /* random, never 0 */
	uint64_t boot_id; /* of the balancer's process history; changes when it forgot everything */
	uint64_t sequence;    /* of the balancer: what the agent echoes until the first HEARTBEAT */
	uint32_t interval_us; /* PROTO_INTERVAL_MIN_US–PROTO_INTERVAL_MAX_US */
	uint8_t multiplier;   /* 1–PROTO_MULTIPLIER_MAX */
};

struct proto_rejected {
	uint8_t nonce_agent[PROTO_NONCE_BYTES];
	uint8_t nonce_balancer[PROTO_NONCE_BYTES];
	enum proto_reject code;
	char reason[PROTO_REASON_MAX + 1];
};

/* HEARTBEAT (echo unused: 0), LEAVE, ACK: session messages without a body. */
struct proto_session {
	uint64_t session_id;
	uint64_t sequence; /* of the sender, strictly rising within the session */
	uint64_t echo; /* the newest sequence seen from the other side; ACK: the one acknowledged */
};

/* ANSWER, UPDATE. */
struct proto_report {
	struct proto_session session;
	struct proto_status status;
};

struct proto_message {
	enum proto_type type;
	union {
		struct proto_hello hello;
		struct proto_challenge challenge;
		struct proto_register reg;
		struct proto_accept accept;
		struct proto_rejected rejected;
		struct proto_session session; /* HEARTBEAT, LEAVE, ACK */
		struct proto_report report;   /* ANSWER, UPDATE */
	};
};

/* Why bytes are no message. */
enum proto_error {
	PROTO_OK,
	PROTO_ERROR_SHORT, /* shorter than a header and a tag */
	PROTO_ERROR_LONG,  /* longer than PROTO_MESSAGE_MAX, or bytes left over */
	PROTO_ERROR_MAGIC, /* not ours at all */
	PROTO_ERROR_VERSION,
	PROTO_ERROR_TYPE,
	PROTO_ERROR_TRUNCATED, /* a field reaches over the end */
	PROTO_ERROR_VALUE,     /* a field outside its range, or padding that is not zero */
	PROTO_ERROR_N_
};

/* Header only: for the way to the right key before anything else is believed. */
enum proto_error proto_peek_type(const void *data, size_t size_bytes, enum proto_type *ret_type);
/* The session id of a session message without parsing the rest; 0 when there is none. */
uint64_t proto_peek_session(const void *data, size_t size_bytes);
/*
 * Parses a whole datagram, tag included (its bytes are not looked at; HELLO and CHALLENGE have
 * zeros there, which is checked). Writes `*ret_message` only on PROTO_OK. Total: any bytes.
 */
enum proto_error proto_parse(
	const void *data, size_t size_bytes, struct proto_message *ret_message);
/*
 * Writes the message with a zeroed tag into `buffer` (PROTO_MESSAGE_MAX); returns the size in
 * bytes, tag included. A HELLO is padded to the size of a CHALLENGE. -EINVAL: a field is out of
 * range (programmer or configuration error), nothing is written.
 */
int proto_write(const struct proto_message *message, uint8_t *buffer);

const char *proto_state_name(enum proto_state state); /* "up", "drain", "maint", "down" */
const char *proto_reject_name(enum proto_reject code);
/* A legal backend name: 1–PROTO_NAME_MAX of letters, digits, '.', '-', '_'; not starting with '-'. */
bool proto_name_is_valid(const char *name);
/* The same for the ID of a key: 1–PROTO_KEY_ID_MAX of these characters. */
bool proto_key_id_is_valid(const char *id);
