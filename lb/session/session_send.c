/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a balancer says to agents: see session_send.h. */
#include "lb/session/session_send.h"

#include "common/proto/wire.h"
#include "lb/session/session_echo.h"
#include "lb/session/session_state.h"

#include <assert.h>

/* `secret` NULL: a message without a tag. Only what proto_write() takes is ever built here. */
int session_send(struct sessions *sessions, const struct session_path *path,
	const struct proto_message *message, const uint8_t *secret)
{
	uint8_t buffer[PROTO_MESSAGE_MAX];
	int size = proto_write(message, buffer);

	assert(size > 0);
	if (size <= 0)
		return -EINVAL;
	if (secret)
		auth_seal(buffer, (size_t)size, secret);
	return sessions->calls.send(sessions->calls.context, path, buffer, (size_t)size);
}

/* So that the agent need not believe what anybody says by ARP or NA. */
static void say_place(const struct sessions *sessions, const struct session_entry *entry,
	struct proto_place *ret_place)
{
	if (entry->kept.version >= PROTO_VERSION_PLACE && sessions->calls.place)
		sessions->calls.place(sessions->calls.context, &entry->kept.path, ret_place);
}

/* What begins with the session, and acknowledges nothing that is waited for. */
static void say(struct sessions *sessions, struct session_entry *entry,
	struct proto_message *message, uint64_t now_us)
{
	message->version = entry->kept.version;
	message->session.session_id = entry->kept.session_id;
	message->session.sequence = session_echo_sequence(entry, now_us);
	(void)session_send(sessions, &entry->kept.path, message, entry->kept.keys.to_agent);
}

/* Until the agent answers to what is asked now. Lost, it goes out again with the next heartbeat. */
static void ask_ports(struct sessions *sessions, struct session_entry *entry, uint64_t now_us)
{
	const struct ports *asked = registry_asked(sessions->registry, entry->kept.backend);
	struct proto_message message = { .type = PROTO_SERVE };

	if (!asked || ports_are_answered(asked))
		return;
	ports_fill(asked, &message.serve);
	say(sessions, entry, &message, now_us);
}

/* One of our tables, for another balancer that the agent serves, if there is one. */
static void tell_table(struct sessions *sessions, struct session_entry *entry, uint64_t now_us)
{
	struct proto_message message = { .type = PROTO_TABLE };

	if (sessions->others.len > 0 && sessions->calls.table &&
		sessions->calls.table(sessions->calls.context, &message.told.table))
		say(sessions, entry, &message, now_us);
}

/* Where others are, as long as an agent that passes on has not heard all of it. */
static void tell_peers(struct sessions *sessions, struct session_entry *entry, uint64_t now_us)
{
	struct proto_message message = { .type = PROTO_PEERS };

	proto_named_mac(sessions->config.boot_id, message.peers.named_mac);
	if (entry->wants_peers &&
		session_peers_next(&sessions->peers, entry->peers_heard, now_us, &message.peers))
		say(sessions, entry, &message, now_us);
}

int session_send_heartbeat(struct sessions *sessions, struct session_entry *entry, uint64_t now_us)
{
	struct proto_message message = { .type = PROTO_HEARTBEAT };

	if (entry->kept.version >= PROTO_VERSION_SERVE)
		ask_ports(sessions, entry, now_us);
	if (entry->kept.version >= PROTO_VERSION_TABLE)
		tell_table(sessions, entry, now_us);
	tell_peers(sessions, entry, now_us);
	message.version = entry->kept.version;
	message.session.session_id = entry->kept.session_id;
	message.session.sequence = session_echo_next(entry, now_us);
	say_place(sessions, entry, &message.heartbeat.place);
	return session_send(sessions, &entry->kept.path, &message, entry->kept.keys.to_agent);
}

void session_send_ack(struct sessions *sessions, struct session_entry *entry, uint64_t acknowledged,
	uint64_t now_us)
{
	struct proto_message message = { .type = PROTO_ACK };

	message.session.echo = acknowledged;
	say(sessions, entry, &message, now_us);
}

void session_send_accept(struct sessions *sessions, struct session_entry *entry,
	const uint8_t *secret, uint64_t now_us)
{
	struct proto_message message = { .type = PROTO_ACCEPT };
	struct proto_accept *accept = &message.accept;

	message.version = entry->kept.version;
	if (message.version > PROTO_VERSION_1)
		memcpy(accept->name, sessions->config.name, sizeof(accept->name));
	memcpy(accept->nonce_agent, entry->nonce_agent, PROTO_NONCE_BYTES);
	memcpy(accept->nonce_balancer, entry->nonce_balancer, PROTO_NONCE_BYTES);
	accept->session_id = entry->kept.session_id;
	accept->boot_id = sessions->config.boot_id;
	accept->sequence = session_echo_next(entry, now_us);
	accept->interval_us = sessions->config.interval_us;
	accept->multiplier = sessions->config.multiplier;
	say_place(sessions, entry, &accept->place);
	(void)session_send(sessions, &entry->kept.path, &message, secret);
}
