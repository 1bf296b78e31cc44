/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "Where would this packet go, and why": builds the packet that would open a flow (a TCP SYN, an
 * empty UDP datagram, an echo request, a bare header of another protocol), runs the core on it against a
 * snapshot without leaving a trace, and says what it decided. Pure.
 */
#pragma once

#include "common/addr.h"
#include "lb/fwd/reason.h"
#include "lb/engine/rates.h"
#include "lb/engine/snapshot.h"

#define EXPLAIN_WHY_BYTES 256u
#define EXPLAIN_CLIENT_PORT \
	49152u /* of a client without one: the first that is dynamic (RFC 6335 §6) */
#define EXPLAIN_PROTO_BYTES 16u

struct explain_question {
	struct addr_port client;
	struct addr_port vip; /* port 0: none was named, or the protocol has none */
	uint8_t proto;        /* its number */
	bool client_port_assumed;
};

struct explain_answer {
	struct fwd_result result;
	const char *verdict;  /* "forward", "pass", "drop" */
	const char *reason;   /* name of lb/fwd/reason.h */
	const char *text;     /* what that means */
	const char *how;      /* "flow", "hash", "persistence", "none" */
	struct mac mac;       /* of the backend; zero where there is none */
	bool has_slot;        /* a table was asked: result.slot is its row */
	bool moving;          /* that row is moving: */
	uint16_t owner;       /* new flows go to this backend, */
	uint16_t base;        /* unrecorded ones stay at this, */
	uint32_t base_idle_s; /* for which nothing has come for so long */
};

/*
 * CLIENT[:PORT] VIP[:PORT] tcp|udp|sctp|NAME|NUMBER. Ports of a protocol that has none are 0. -EINVAL with
 * `ret_why` (EXPLAIN_WHY_BYTES).
 */
int explain_parse(const char *client, const char *vip, const char *protocol,
	struct explain_question *ret_question, char *ret_why);
/* "tcp", or the number where we know no name, into `buffer` (EXPLAIN_PROTO_BYTES). */
const char *explain_proto_name(uint8_t proto, char *buffer);
/* The words of a decision. */
const char *explain_verdict_name(enum fwd_verdict verdict);
const char *explain_reason_name(enum fwd_reason reason);
const char *explain_how_name(enum fwd_how how);
bool explain_has_ports(uint8_t proto);
/* The row's other owner while it moves, of the backend that was chosen; 0: there is none. */
uint16_t explain_alternative(const struct explain_answer *answer);
/* Never fails: an unknown VIP is an answer. */
void explain_run(const struct snapshot *snapshot, struct rates rates,
	const struct explain_question *question, uint64_t now_us,
	struct explain_answer *ret_answer);
