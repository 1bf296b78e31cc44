/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "Where would this packet go, and why": builds the packet that would open a flow (a TCP SYN, or
 * an empty UDP datagram), runs the core on it against a snapshot without leaving a trace, and says
 * what it decided. Pure.
 */
#pragma once

#include "common/addr.h"
#include "lb/fwd/reason.h"
#include "lb/engine/rates.h"
#include "lb/engine/snapshot.h"

#define EXPLAIN_WHY_BYTES 256u

struct explain_question {
	struct addr_port client;
	struct addr_port vip;
	uint8_t proto; /* FWD_PROTO_TCP or FWD_PROTO_UDP */
};

struct explain_answer {
	struct fwd_result result;
	const char *verdict; /* "forward", "pass", "drop" */
	const char *reason;  /* name of lb/fwd/reason.h */
	const char *text;    /* what that means */
	const char *how;     /* "flow", "hash", "persistence", "none" */
	struct mac mac;      /* of the backend; zero where there is none */
	bool has_slot;       /* a table was asked: result.slot is its row */
	bool moving;         /* that row is moving: */
	uint16_t owner;      /* new flows go to this backend, */
	uint16_t base;       /* unrecorded ones stay at this */
};

/* CLIENT:PORT VIP:PORT tcp|udp. -EINVAL with `ret_why` (EXPLAIN_WHY_BYTES). */
int explain_parse(const char *client, const char *vip, const char *protocol,
	struct explain_question *ret_question, char *ret_why);
/* Never fails: an unknown VIP is an answer. */
void explain_run(const struct snapshot *snapshot, struct rates rates,
	const struct explain_question *question, uint64_t now_us,
	struct explain_answer *ret_answer);
