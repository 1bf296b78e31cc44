/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages to agents, written, sealed and sent. For session.c and session_handshake.c. */
#pragma once

#include "common/proto/proto.h"

struct session_entry;
struct session_path;
struct sessions;

/* `secret` NULL: a message without a tag. 0, -EINVAL or the errno of the send that the daemon handed in. */
int session_send(struct sessions *sessions, const struct session_path *path,
	const struct proto_message *message, const uint8_t *secret);
/* A HEARTBEAT, and before it what this agent is still to be told or asked. 0 or as session_send(). */
int session_send_heartbeat(struct sessions *sessions, struct session_entry *entry, uint64_t now_us);
void session_send_ack(struct sessions *sessions, struct session_entry *entry, uint64_t acknowledged,
	uint64_t now_us);
/* By the key of its REGISTER. */
void session_send_accept(struct sessions *sessions, struct session_entry *entry,
	const uint8_t *secret, uint64_t now_us);
