/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a registration shows of itself, and how that changes. For register.c; read by all. Pure. */
#pragma once

#include "common/proto/message.h"

#define REGISTER_REASON_BYTES 256u

/* Why a datagram was refused; the first seven as enum proto_error. */
enum register_refusal {
	REGISTER_ACCEPTED,
	REGISTER_SHORT,
	REGISTER_LONG,
	REGISTER_MAGIC,
	REGISTER_VERSION,
	REGISTER_TYPE, /* unknown, or one that only an agent sends */
	REGISTER_TRUNCATED,
	REGISTER_VALUE,
	REGISTER_TTL,
	REGISTER_SOURCE, /* not the balancer's address */
	REGISTER_NONCE,  /* answers no question of ours */
	REGISTER_TAG,
	REGISTER_REPLAY,
	REGISTER_SESSION, /* of another session, or while there is none */
	REGISTER_REFUSAL_N_
};
const char *register_refusal_name(enum register_refusal refusal);

enum register_state {
	REGISTER_IDLE,       /* not started */
	REGISTER_CONNECTING, /* HELLO or REGISTER on the way, again and again */
	REGISTER_REGISTERED,
	REGISTER_REFUSED, /* a signed REJECT; tried again slowly */
	REGISTER_LEAVING, /* LEAVE on the way */
	REGISTER_LEFT,    /* acknowledged, or given up */
	REGISTER_STATE_N_
};

/* For `status`. */
struct register_view {
	struct addr_port balancer;
	enum register_state state;
	uint64_t since_us;                  /* of the state */
	uint64_t last_heartbeat_us;         /* 0: none ever */
	char reason[REGISTER_REASON_BYTES]; /* "" only when registered */
	uint64_t received;                  /* = accepted + all of rejected */
	uint64_t accepted;
	uint64_t rejected[REGISTER_REFUSAL_N_];
	uint64_t boot_id;              /* of the balancer; 0: none yet */
	unsigned int version;          /* of the protocol, in the newest session; 0: none yet */
	char name[PROTO_NAME_MAX + 1]; /* of the balancer; "": not told */
	struct proto_place place;      /* of the balancer, by its own words */
	uint64_t n_asked; /* rises with each new list of ports that the balancer asks about */
	uint64_t n_told;  /* rises with each TABLE */
	struct proto_table told;  /* the newest */
	uint64_t n_peers;         /* rises with each PEERS that tells anything new */
	uint64_t peers_heard;     /* the newest change of those, in this session */
	struct proto_peers peers; /* the newest of them */
};

/* The state, and since when, if it is another. */
void register_view_set_state(
	struct register_view *view, enum register_state state, uint64_t now_us);
_printf_(2, 3) void register_view_set_reason(struct register_view *view, const char *format, ...);
/* Both. */
_printf_(4, 5) void register_view_set(struct register_view *view, enum register_state state,
	uint64_t now_us, const char *format, ...);
/* What is known already, and what leaves out something that is not, is not taken. */
void register_view_take_peers(struct register_view *view, const struct proto_peers *peers);
void register_view_tell(struct register_view *view, const struct proto_table *table);
