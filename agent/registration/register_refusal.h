/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why a datagram from a balancer was refused. Pure. */
#pragma once

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
