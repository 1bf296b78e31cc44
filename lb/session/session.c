/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The balancer's side of the protocol. Each kind of message has one function here, which checks
 * in the order that session.h promises and returns why it refused, or SESSION_ACCEPTED. Driven
 * by the socket of the daemon; see doc/protocol.md.
 */
#include "lb/session/session.h"

#include "lb/session/session_echo.h"
#include "lb/session/session_handshake.h"
#include "lb/session/session_send.h"
#include "lb/session/session_state.h"

#include <sodium.h>

static enum session_refusal refusal_of(enum proto_error error)
{
	return (enum session_refusal)error;
}

/* ---- life ---- */

struct sessions *session_new(const struct session_config *config, struct registry *registry,
	const struct session_calls *calls)
{
	struct sessions *sessions = calloc(1, sizeof(*sessions));

	if (!sessions)
		return NULL;
	sessions->config = *config;
	memcpy(sessions->random.seed, config->seed, sizeof(sessions->random.seed));
	sessions->registry = registry;
	sessions->calls = *calls;
	session_random_draw(&sessions->random, "dsr strangers", 0, sessions->strangers.key,
		SESSION_LIMIT_KEY_BYTES);
	session_random_draw(
		&sessions->random, "dsr sessions", 0, sessions->table.key, SESSION_LIMIT_KEY_BYTES);
	return sessions;
}

struct sessions *session_free(struct sessions *sessions)
{
	if (sessions) {
		keyring_free(sessions->ring);
		session_parts_clear(&sessions->parts);
		sodium_memzero(sessions, sizeof(*sessions));
	}
	free(sessions);
	return NULL;
}

static bool key_is_still(const struct sessions *sessions, const struct session_kept *kept)
{
	const struct keyring_key *key = keyring_find(sessions->ring, kept->key_id);

	return key && key->fingerprint == kept->key_fingerprint;
}

void session_configure(
	struct sessions *sessions, struct keyring *ring, uint32_t interval_us, uint8_t multiplier)
{
	keyring_free(sessions->ring);
	sessions->ring = ring;
	sessions->config.interval_us = interval_us;
	sessions->config.multiplier = multiplier;
	ARRAY_FOREACH (entry, sessions->table.entries, SESSION_SLOTS)
		if (entry->used && !entry->ended && !key_is_still(sessions, &entry->kept))
			session_table_end(&sessions->table, entry, sessions->now_us);
}

const struct session_counters *session_counters(const struct sessions *sessions)
{
	return &sessions->counters;
}

uint64_t session_changes(const struct sessions *sessions)
{
	return sessions->table.n_changes;
}

bool session_is_local(const struct sessions *sessions, const struct addr *address)
{
	ARRAY_FOREACH (entry, sessions->table.entries, SESSION_SLOTS)
		if (entry->used && !entry->ended && addr_equal(&entry->kept.path.local, address))
			return true;
	return false;
}

int session_heartbeat(struct sessions *sessions, uint16_t backend, uint64_t now_us)
{
	struct session_entry *entry = session_table_by_backend(&sessions->table, backend);

	sessions->now_us = now_us;
	session_parts_expire(&sessions->parts, now_us);
	return entry ? session_send_heartbeat(sessions, entry, now_us) : -ENOENT;
}

/* ---- messages of a session ---- */

/* Whether an agent may say this of itself in its session. */
static enum session_refusal check_status(struct sessions *sessions, struct session_entry *entry,
	const struct proto_status *status, uint64_t now_us)
{
	if (status->n_vips != entry->kept.n_vips)
		return SESSION_VALUE;
	if (entry->kept.weight_max == 0 || status->weight <= entry->kept.weight_max)
		return SESSION_ACCEPTED;
	/* The session ends, so that the agent registers anew, and is told why it may not. */
	session_table_end(&sessions->table, entry, now_us);
	return SESSION_POLICY_0 + PROTO_REJECT_KEY_BINDING;
}

static enum session_refusal receive_report(struct sessions *sessions, struct session_entry *entry,
	const struct arrival *arrival, struct session_sent *echoed)
{
	const struct proto_report *report = &arrival->message.report;
	struct ports *asked = registry_asked(sessions->registry, entry->kept.backend);
	enum session_refusal refusal =
		check_status(sessions, entry, &report->status, arrival->now_us);
	uint64_t rtt_us = MIN(arrival->now_us - echoed->sent_us, (uint64_t)UINT32_MAX);
	bool is_answer = arrival->message.type == PROTO_ANSWER;
	/* Said twice it is no second proof: whoever flapped would be well again in no time. */
	bool proves = is_answer && !echoed->answered;

	if (refusal != SESSION_ACCEPTED)
		return refusal;
	/* 0 is "no round trip"; on one host an answer may come within a microsecond. */
	if (asked && entry->kept.version >= PROTO_VERSION_SERVE)
		ports_take_answer(asked, &report->ports);
	registry_report(sessions->registry, entry->kept.backend, &report->status,
		proves ? (uint32_t)MAX(rtt_us, (uint64_t)1) : 0, arrival->now_us);
	session_others_take(&sessions->others, &report->other, arrival->now_us);
	entry->wants_peers = report->status.second_chance;
	entry->peers_heard = report->peers_heard;
	echoed->answered |= is_answer;
	if (!is_answer)
		session_send_ack(sessions, entry, report->session.sequence, arrival->now_us);
	return SESSION_ACCEPTED;
}

static enum session_refusal receive_relay(
	struct sessions *sessions, const struct session_entry *entry, const struct arrival *arrival)
{
	const struct proto_told *told = &arrival->message.told;

	if (sessions->calls.told)
		sessions->calls.told(
			sessions->calls.context, entry->kept.backend, &told->other, &told->table);
	return SESSION_ACCEPTED;
}

static enum session_refusal receive_leave(
	struct sessions *sessions, struct session_entry *entry, const struct arrival *arrival)
{
	if (!entry->ended) {
		registry_leave(sessions->registry, entry->kept.backend, arrival->now_us);
		session_table_end(&sessions->table, entry, arrival->now_us);
	}
	session_send_ack(sessions, entry, arrival->message.session.sequence, arrival->now_us);
	return SESSION_ACCEPTED;
}

/* What needs no cryptography: the fields, the replay window, the echo; then the budget. */
static enum session_refusal check_session(
	struct session_entry *entry, struct arrival *arrival, struct session_sent **ret_echoed)
{
	enum proto_error error = proto_parse(arrival->data, arrival->size_bytes, &arrival->message);
	/* The session comes first in both members of the union. */
	const struct proto_session *session = &arrival->message.session;

	_Static_assert(offsetof(struct proto_report, session) == 0, "a report is a session's");
	if (error != PROTO_OK)
		return refusal_of(error);
	if (arrival->message.version != entry->kept.version)
		return SESSION_VERSION;
	/* Older than the newest is refused even when unseen: a late "up" must not undo a "down". */
	if (!auth_replay_is_new(&entry->kept.replay, session->sequence) ||
		session->sequence < entry->kept.replay.newest)
		return SESSION_REPLAY;
	*ret_echoed = session_echo_find(entry, session->echo);
	if (!*ret_echoed)
		return SESSION_ECHO;
	if (!session_limit_take(
		    &entry->messages, SESSION_MESSAGE_RATE, SESSION_MESSAGE_BURST, arrival->now_us))
		return SESSION_RATE;
	return SESSION_ACCEPTED;
}

/* Its ACK may have been lost: an ended session hears a LEAVE, and nothing else. */
static bool leave_counts(const struct session_entry *entry, enum proto_type type, uint64_t now_us)
{
	return type == PROTO_LEAVE && now_us - entry->ended_us < SESSION_LEFT_US;
}

static enum session_refusal receive_session(
	struct sessions *sessions, struct arrival *arrival, enum proto_type type)
{
	uint64_t session_id = proto_peek_session(arrival->data, arrival->size_bytes);
	struct session_entry *entry = session_table_by_id(&sessions->table, session_id);
	struct session_sent *echoed = NULL;
	enum session_refusal refusal;

	if (session_id == 0)
		return SESSION_TRUNCATED;
	if (!entry || (entry->ended && !leave_counts(entry, type, arrival->now_us)))
		return SESSION_UNKNOWN;
	if (!addr_equal(&entry->kept.path.remote.addr, &arrival->path->remote.addr))
		return SESSION_SOURCE;
	refusal = check_session(entry, arrival, &echoed);
	if (refusal != SESSION_ACCEPTED)
		return refusal;
	if (!auth_open(arrival->data, arrival->size_bytes, entry->kept.keys.to_balancer))
		return SESSION_TAG;
	auth_replay_move(&entry->kept.replay, arrival->message.session.sequence);
	if (type == PROTO_LEAVE)
		return receive_leave(sessions, entry, arrival);
	if (type == PROTO_RELAY)
		return receive_relay(sessions, entry, arrival);
	return receive_report(sessions, entry, arrival, echoed);
}

/* ---- datagrams ---- */

static enum session_refusal receive(
	struct sessions *sessions, struct arrival *arrival, int hop_limit)
{
	enum proto_type type;
	enum proto_error error;

	if (hop_limit != (int)PROTO_TTL)
		return SESSION_TTL;
	error = proto_peek_type(arrival->data, arrival->size_bytes, &type);
	if (error != PROTO_OK)
		return refusal_of(error);
	switch (type) {
	case PROTO_HELLO:
	case PROTO_PART:
	case PROTO_REGISTER:
		return session_handshake_receive(sessions, arrival, type);
	case PROTO_ANSWER:
	case PROTO_UPDATE:
	case PROTO_LEAVE:
	case PROTO_RELAY:
		return receive_session(sessions, arrival, type);
	default: /* what only a balancer sends */
		return SESSION_TYPE;
	}
}

/* An agent that is heard: what others say in its name is no news of it. */
static bool source_is_heard(const struct sessions *sessions, const struct arrival *arrival)
{
	const struct backend *backend =
		registry_find_address(sessions->registry, &arrival->path->remote.addr);

	return backend && backend->source == BACKEND_AGENT &&
		arrival->now_us - MIN(arrival->now_us, backend->heard_us) <
		(uint64_t)sessions->config.interval_us * sessions->config.multiplier;
}

/* Remembers it where it tells of an agent that would register and may not. */
static void note_refusal(struct sessions *sessions, const struct arrival *arrival, int hop_limit,
	enum session_refusal refusal, struct why *ret_words)
{
	const struct proto_message *message = &arrival->message;
	struct session_refusals_message refused = {
		.source = arrival->path->remote.addr, .refusal = refusal, .hop_limit = hop_limit
	};

	/* Header and tag are there, or it would be short. */
	if (refusal == SESSION_VERSION)
		refused.version = arrival->data[PROTO_VERSION_OFFSET];
	if (message->type == PROTO_HELLO)
		refused.key_id = message->hello.key_id;
	if (message->type == PROTO_REGISTER)
		refused.key_id = message->reg.key_id;
	if (message->type == PROTO_PART)
		refused.key_id = message->part.key_id;
	if (message->type == PROTO_REGISTER && sessions->rejected.text[0]) {
		refused.name = message->reg.name;
		refused.because = sessions->rejected.text;
	}
	session_refusals_words(&refused, ret_words);
	if (ret_words->text[0] &&
		(refusal >= SESSION_POLICY_0 || !source_is_heard(sessions, arrival)))
		session_refusals_add(
			&sessions->refusals, &refused, ret_words->text, arrival->now_us);
}

struct session_others *session_others(struct sessions *sessions, uint64_t now_us)
{
	session_others_expire(&sessions->others, now_us);
	return &sessions->others;
}

const struct session_refusals *session_refused(struct sessions *sessions, uint64_t now_us)
{
	session_refusals_expire(&sessions->refusals, now_us);
	return &sessions->refusals;
}

enum session_refusal session_receive(
	struct sessions *sessions, const struct session_arrival *arrived, uint64_t now_us)
{
	struct arrival arrival = { .path = &arrived->path,
		.mac_is_source = arrived->mac_is_source,
		.data = arrived->data,
		.size_bytes = arrived->size_bytes,
		.now_us = now_us };
	enum session_refusal refusal;
	struct why words;

	sessions->now_us = now_us;
	sessions->rejected.text[0] = '\0';
	sessions->counters.received++;
	refusal = receive(sessions, &arrival, arrived->hop_limit);
	if (refusal == SESSION_ACCEPTED) {
		sessions->counters.accepted++;
		return refusal;
	}
	sessions->counters.rejected[refusal]++;
	note_refusal(sessions, &arrival, arrived->hop_limit, refusal, &words);
	if (sessions->calls.refused)
		sessions->calls.refused(
			sessions->calls.context, &arrived->path.remote, refusal, words.text);
	return refusal;
}

void session_forget(struct sessions *sessions, uint16_t backend)
{
	struct session_entry *entry = session_table_by_backend(&sessions->table, backend);

	session_peers_set(&sessions->peers, backend, &(struct mac){ 0 }, sessions->now_us);
	if (entry)
		session_table_end(&sessions->table, entry, sessions->now_us);
}

/* ---- restarts ---- */

int session_export(const struct sessions *sessions, uint16_t backend, struct session_kept *ret_kept)
{
	uint16_t link = sessions->table.by_backend[backend];

	if (!link)
		return -ENOENT;
	*ret_kept = sessions->table.entries[link - 1].kept;
	return 0;
}

int session_import(struct sessions *sessions, const struct session_kept *kept, uint64_t now_us)
{
	const struct backend *backend = registry_backend(sessions->registry, kept->backend);
	struct session_entry *entry;

	if (kept->session_id == 0 || kept->path.remote.port == 0 || kept->n_vips == 0 ||
		kept->n_vips > PROTO_VIPS_MAX || kept->version < PROTO_VERSION_1 ||
		kept->version > PROTO_VERSION || !addr_is_unicast(&kept->path.remote.addr) ||
		!proto_key_id_is_valid(kept->key_id))
		return -EINVAL;
	if (!key_is_still(sessions, kept))
		return -EKEYREVOKED;
	entry = session_table_add(&sessions->table, kept->session_id, kept->backend, &kept->path);
	if (!entry)
		return -EINVAL;
	entry->kept = *kept;
	if (backend)
		session_peers_set(&sessions->peers, kept->backend, &backend->mac, now_us);
	return 0;
}
