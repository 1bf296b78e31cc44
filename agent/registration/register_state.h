/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of the registration with one balancer, types alone. For register.c. */
#pragma once

#include "agent/registration/asked.h"
#include "agent/registration/handshake/hello.h"
#include "agent/registration/handshake/versions.h"
#include "agent/registration/register_heard.h"
#include "agent/registration/register_many.h"
#include "agent/registration/register_random.h"
#include "agent/registration/register_repeat.h"
#include "agent/registration/register_view.h"
#include "common/proto/auth.h"

enum handshake {
	HANDSHAKE_NONE,
	HANDSHAKE_HELLO, /* waiting for a CHALLENGE */
	HANDSHAKE_REGISTER, /* one was answered: waiting for an ACCEPT, a REJECT or another CHALLENGE */
};

struct registration {
	struct register_view view;
	void (*send)(void *context, const struct addr_port *balancer, const uint8_t *data,
		size_t size_bytes);   /* register_send_fn */
	void (*count)(void *context); /* register_count_fn; NULL: nobody wants to know */
	void *context;
	struct register_random random;

	bool wanted;       /* started, and not left since */
	bool was_accepted; /* once: it will be back, and has to know its servers soon */
	bool has_identity, has_status;
	struct register_identity identity;
	struct proto_status status;

	enum handshake handshake;
	struct hello hello; /* the newest */
	struct versions versions;
	struct proto_status request_status; /* what the REGISTERs to this HELLO say */
	unsigned int tries, repeats;        /* without an answer; of the REGISTERs */
	uint64_t retry_us;

	bool has_session;
	bool former_key;      /* it is by a key that is no longer the identity's */
	unsigned int version; /* of the session */
	uint64_t session_id;
	struct auth_session_keys keys;
	struct auth_replay replay;
	uint64_t sequence; /* the newest of ours */
	uint64_t echo;     /* the balancer's, of the newest HEARTBEAT or of the ACCEPT */
	struct register_heard heard;

	struct register_repeat repeat; /* of an UPDATE or LEAVE */
	struct asked asked;
	struct register_many many;
	uint64_t newer_us; /* when a newer version or key is tried beside the session */
};
