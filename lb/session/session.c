/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The balancer's side of the protocol. Each kind of message has one function here, which checks
 * in the order that session.h promises and returns why it refused, or SESSION_ACCEPTED. Driven
 * by the socket of the daemon; see doc/protocol.md.
 */
#include "lb/session/session.h"

#include "common/proto/wire.h"
#include "lb/session/session_echo.h"
#include "lb/session/session_peers.h"
#include "lb/session/session_random.h"
#include "lb/session/session_table.h"

#include <assert.h>
#include <sodium.h>

struct sessions {
	struct session_config config;
	struct registry *registry;
	struct session_calls calls;
	struct keyring *ring;
	struct session_random random;
	uint64_t now_us; /* of the last event */
	struct session_counters counters;
	struct session_refusals refusals;
	struct session_others others;
	struct session_peers peers;
	struct why rejected; /* what the REJECT said, if this datagram got one; else "" */
	struct session_limit_table strangers;
	struct session_limit_bucket
		known; /* HELLOs over their rate from addresses with a session */
	struct session_table table;
};

/* One datagram on its way through the checks. */
struct arrival {
	const struct session_path *path;
	bool mac_is_source;
	const uint8_t *data;
	size_t size_bytes;
	uint64_t now_us;
	struct proto_message message;
};

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

size_t session_len(const struct sessions *sessions)
{
	return sessions->table.len;
}

bool session_is_local(const struct sessions *sessions, const struct addr *address)
{
	ARRAY_FOREACH (entry, sessions->table.entries, SESSION_SLOTS)
		if (entry->used && !entry->ended && addr_equal(&entry->kept.path.local, address))
			return true;
	return false;
}

/* ---- sending ---- */

/* `secret` NULL: a message without a tag. Only what proto_write() takes is ever built here. */
static int send_message(struct sessions *sessions, const struct session_path *path,
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
	(void)send_message(sessions, &entry->kept.path, message, entry->kept.keys.to_agent);
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

int session_heartbeat(struct sessions *sessions, uint16_t backend, uint64_t now_us)
{
	struct session_entry *entry = session_table_by_backend(&sessions->table, backend);
	struct proto_message message = { .type = PROTO_HEARTBEAT };

	sessions->now_us = now_us;
	if (!entry)
		return -ENOENT;
	if (entry->kept.version >= PROTO_VERSION_SERVE)
		ask_ports(sessions, entry, now_us);
	if (entry->kept.version >= PROTO_VERSION_TABLE)
		tell_table(sessions, entry, now_us);
	tell_peers(sessions, entry, now_us);
	message.version = entry->kept.version;
	message.session.session_id = entry->kept.session_id;
	message.session.sequence = session_echo_next(entry, now_us);
	say_place(sessions, entry, &message.heartbeat.place);
	return send_message(sessions, &entry->kept.path, &message, entry->kept.keys.to_agent);
}

static void send_ack(struct sessions *sessions, struct session_entry *entry, uint64_t acknowledged,
	uint64_t now_us)
{
	struct proto_message message = { .type = PROTO_ACK };

	message.session.echo = acknowledged;
	say(sessions, entry, &message, now_us);
}

static void send_accept(struct sessions *sessions, struct session_entry *entry,
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
	(void)send_message(sessions, &entry->kept.path, &message, secret);
}

static enum session_refusal send_reject(struct sessions *sessions, const struct arrival *arrival,
	const struct keyring_key *key, enum proto_reject code, const char *reason)
{
	struct proto_message message = { .version = arrival->message.version,
		.type = PROTO_REJECT };
	struct proto_rejected *rejected = &message.rejected;

	memcpy(rejected->nonce_agent, arrival->message.reg.nonce_agent, PROTO_NONCE_BYTES);
	memcpy(rejected->nonce_balancer, arrival->message.reg.nonce_balancer, PROTO_NONCE_BYTES);
	rejected->code = code;
	wire_copy_printable(rejected->reason, sizeof(rejected->reason), reason);
	why_set(&sessions->rejected, "%s", rejected->reason);
	(void)send_message(sessions, arrival->path, &message, key->secret);
	return SESSION_POLICY_0 + (unsigned int)code;
}

/* ---- handshakes ---- */

/* Whoever has a session has a bucket of his own: a flood of strangers does not lock him out. */
static bool handshake_is_due(
	struct sessions *sessions, const struct arrival *arrival, enum session_limit_kind kind)
{
	const struct addr *source = &arrival->path->remote.addr;
	struct session_entry *entry = session_table_by_address(&sessions->table, source);

	if (!entry)
		return session_limit_take_source(&sessions->strangers, source, kind,
			SESSION_HANDSHAKE_RATE, SESSION_HANDSHAKE_BURST, arrival->now_us);
	if (session_limit_take(&entry->handshakes[kind], SESSION_HANDSHAKE_RATE,
		    SESSION_HANDSHAKE_BURST, arrival->now_us))
		return true;
	/* Somebody may forge them: the one that is its own must get its challenge. */
	return kind == SESSION_LIMIT_HELLO &&
		session_limit_take(
			&sessions->known, SESSION_KNOWN_RATE, SESSION_KNOWN_BURST, arrival->now_us);
}

/* Answered whether the key is known or not: the answer must not tell which keys there are. */
static enum session_refusal receive_hello(struct sessions *sessions, const struct arrival *arrival)
{
	const struct proto_hello *hello = &arrival->message.hello;
	struct proto_message message = { .version = arrival->message.version,
		.type = PROTO_CHALLENGE };
	uint8_t secret[AUTH_KEY_BYTES];

	registry_hello(sessions->registry, &arrival->path->remote.addr, arrival->now_us);
	session_random_challenge(&sessions->random, arrival->now_us, secret);
	memcpy(message.challenge.nonce_agent, hello->nonce_agent, PROTO_NONCE_BYTES);
	auth_challenge_make(secret, &arrival->path->remote, hello->nonce_agent, arrival->now_us,
		message.challenge.nonce_balancer);
	(void)send_message(sessions, arrival->path, &message, NULL);
	return keyring_find(sessions->ring, hello->key_id) ? SESSION_ACCEPTED : SESSION_KEY;
}

static void open_session(struct sessions *sessions, const struct arrival *arrival,
	const struct keyring_key *key, uint16_t backend, uint64_t session_id)
{
	const struct proto_register *reg = &arrival->message.reg;
	struct session_entry *old = session_table_by_backend(&sessions->table, backend);
	struct session_entry *entry;

	if (old)
		session_table_drop(&sessions->table, old);
	entry = session_table_add(&sessions->table, session_id, backend, arrival->path);
	assert(entry); /* The id was made for a free slot, and the backend has no session now. */
	if (!entry)
		return;
	memcpy(entry->nonce_agent, reg->nonce_agent, PROTO_NONCE_BYTES);
	memcpy(entry->nonce_balancer, reg->nonce_balancer, PROTO_NONCE_BYTES);
	snprintf(entry->kept.key_id, sizeof(entry->kept.key_id), "%s", key->id);
	entry->kept.key_fingerprint = key->fingerprint;
	entry->kept.weight_max = key->max_weight;
	entry->kept.n_vips = reg->status.n_vips;
	entry->kept.version = (uint8_t)arrival->message.version;
	entry->wants_peers = reg->status.second_chance;
	session_peers_set(&sessions->peers, backend, &reg->mac, arrival->now_us);
	auth_session_derive(
		key->secret, reg->nonce_agent, reg->nonce_balancer, session_id, &entry->kept.keys);
	send_accept(sessions, entry, key->secret, arrival->now_us);
}

/* The ACCEPT was lost: the same REGISTER again gets the same session again. */
static enum session_refusal repeat_accept(struct sessions *sessions, const struct arrival *arrival,
	const struct keyring_key *key, uint16_t backend)
{
	const struct proto_register *reg = &arrival->message.reg;
	struct session_entry *entry = session_table_by_backend(&sessions->table, backend);

	if (!entry || memcmp(entry->nonce_agent, reg->nonce_agent, PROTO_NONCE_BYTES) != 0 ||
		memcmp(entry->nonce_balancer, reg->nonce_balancer, PROTO_NONCE_BYTES) != 0)
		return SESSION_REPLAY;
	send_accept(sessions, entry, key->secret, arrival->now_us);
	return SESSION_ACCEPTED;
}

static bool mac_is_allowed(const struct sessions *sessions, const struct arrival *arrival,
	const struct keyring_key *key, struct why *ret_why)
{
	const struct mac *mac = &arrival->message.reg.mac;
	const char *owner = NULL;
	char text[MAC_STRLEN];

	if (sessions->calls.mac_owner)
		owner = sessions->calls.mac_owner(sessions->calls.context, mac);
	if (!owner)
		return keyring_key_allows_mac(key, mac, arrival->mac_is_source, ret_why);
	why_set(ret_why, "MAC %s is that of %s", mac_format(mac, text), owner);
	return false;
}

/* Authenticated from here on: refusals are told, signed. */
static enum session_refusal admit(struct sessions *sessions, const struct arrival *arrival,
	const struct keyring_key *key, uint64_t made_us)
{
	const struct proto_register *reg = &arrival->message.reg;
	struct registry_registration request = { .reg = reg,
		.source = arrival->path->remote.addr,
		.challenge_us = made_us,
		.protocol = (uint8_t)arrival->message.version,
		.key_id = key->id,
		.key_bound = key->agent[0] != '\0' };
	struct registry_answer answer = { 0 };
	struct why why = { 0 };
	int r;

	if (!keyring_key_allows(
		    key, reg->name, reg->vips, reg->status.n_vips, reg->status.weight, &why))
		return send_reject(sessions, arrival, key, PROTO_REJECT_KEY_BINDING, why.text);
	/* A stranger may replay it from his own MAC: whether it is stale comes first, and is met with silence. */
	if (!mac_is_allowed(sessions, arrival, key, &why))
		request.mac_why = why.text;
	request.session_id = session_table_new_id(
		&sessions->table, session_random_u64(&sessions->random, "dsr session"));
	if (request.session_id == 0)
		return send_reject(
			sessions, arrival, key, PROTO_REJECT_FULL, "all sessions are in use");
	r = registry_register(sessions->registry, &request, arrival->now_us, &answer);
	if (r == -ESTALE)
		return SESSION_REPLAY;
	/* Not known yet whether it is a clone: the agent says the same again soon. */
	if (r == -EAGAIN)
		return SESSION_POLICY_0 + PROTO_REJECT_CLONE;
	if (r == -EPERM)
		return send_reject(sessions, arrival, key, answer.code, answer.why.text);
	if (r < 0)
		return send_reject(
			sessions, arrival, key, PROTO_REJECT_FULL, "the balancer is out of memory");
	if (answer.repeated)
		return repeat_accept(sessions, arrival, key, answer.backend);
	open_session(sessions, arrival, key, answer.backend, request.session_id);
	session_refusals_forget(&sessions->refusals, &arrival->path->remote.addr);
	return SESSION_ACCEPTED;
}

static enum session_refusal receive_register(
	struct sessions *sessions, const struct arrival *arrival)
{
	const struct keyring_key *line = keyring_find(sessions->ring, arrival->message.reg.key_id);
	_cleanup_(keyring_key_wipe) struct keyring_key key = { 0 };
	uint64_t made_us = 0;

	if (!line)
		return SESSION_KEY;
	if (!session_random_made(&sessions->random, &arrival->path->remote, &arrival->message.reg,
		    arrival->now_us, &made_us))
		return SESSION_CHALLENGE;
	if (!handshake_is_due(sessions, arrival, SESSION_LIMIT_REGISTER))
		return SESSION_RATE;
	keyring_key_of_agent(line, arrival->message.reg.name, &key);
	if (!auth_open(arrival->data, arrival->size_bytes, key.secret))
		return SESSION_TAG;
	return admit(sessions, arrival, &key, made_us);
}

static enum session_refusal receive_handshake(
	struct sessions *sessions, struct arrival *arrival, enum proto_type type)
{
	enum proto_error error;

	if (type == PROTO_HELLO && !handshake_is_due(sessions, arrival, SESSION_LIMIT_HELLO))
		return SESSION_RATE;
	error = proto_parse(arrival->data, arrival->size_bytes, &arrival->message);
	if (error != PROTO_OK)
		return refusal_of(error);
	return arrival->message.type == PROTO_HELLO ? receive_hello(sessions, arrival)
						    : receive_register(sessions, arrival);
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
		send_ack(sessions, entry, report->session.sequence, arrival->now_us);
	return SESSION_ACCEPTED;
}

static enum session_refusal receive_relay(struct sessions *sessions, const struct arrival *arrival)
{
	const struct proto_told *told = &arrival->message.told;

	if (sessions->calls.told)
		sessions->calls.told(sessions->calls.context, &told->other, &told->table);
	return SESSION_ACCEPTED;
}

static enum session_refusal receive_leave(
	struct sessions *sessions, struct session_entry *entry, const struct arrival *arrival)
{
	if (!entry->ended) {
		registry_leave(sessions->registry, entry->kept.backend, arrival->now_us);
		session_table_end(&sessions->table, entry, arrival->now_us);
	}
	send_ack(sessions, entry, arrival->message.session.sequence, arrival->now_us);
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
		return receive_relay(sessions, arrival);
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
	case PROTO_REGISTER:
		return receive_handshake(sessions, arrival, type);
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
