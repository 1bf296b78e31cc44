/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HELLO, PART and REGISTER: how an agent becomes one with a session. Called by session.c. Keeps nothing for whom it
 * does not know.
 */
#include "lb/session/session_handshake.h"

#include "common/proto/vips.h"
#include "common/proto/wire.h"
#include "lb/session/session_send.h"
#include "lb/session/session_state.h"

#include <assert.h>

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
	(void)session_send(sessions, arrival->path, &message, key->secret);
	return SESSION_POLICY_0 + (unsigned int)code;
}

/* Whoever has a session has a bucket of his own: a flood of strangers does not lock him out. */
static bool handshake_is_due(
	struct sessions *sessions, const struct arrival *arrival, enum session_limit_kind kind)
{
	const struct addr *source = &arrival->path->remote.addr;
	struct session_entry *entry = session_table_by_address(&sessions->table, source);
	bool is_part = kind == SESSION_LIMIT_PART;
	uint32_t rate = is_part ? SESSION_PART_RATE : SESSION_HANDSHAKE_RATE;
	uint32_t burst = is_part ? SESSION_PART_BURST : SESSION_HANDSHAKE_BURST;

	if (!entry)
		return session_limit_take_source(
			&sessions->strangers, source, kind, rate, burst, arrival->now_us);
	if (session_limit_take(&entry->handshakes[kind], rate, burst, arrival->now_us))
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
	(void)session_send(sessions, arrival->path, &message, NULL);
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
	session_send_accept(sessions, entry, key->secret, arrival->now_us);
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
	session_send_accept(sessions, entry, key->secret, arrival->now_us);
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
	const struct keyring_key *key, uint64_t made_us, const struct addr *vips)
{
	const struct proto_register *reg = &arrival->message.reg;
	struct registry_registration request = { .reg = reg,
		.vips = vips,
		.source = arrival->path->remote.addr,
		.challenge_us = made_us,
		.protocol = (uint8_t)arrival->message.version,
		.key_id = key->id,
		.key_bound = key->agent[0] != '\0' };
	struct registry_answer answer = { 0 };
	struct why why = { 0 };
	int r;

	if (!keyring_key_allows(key, reg->name, vips, reg->status.n_vips, reg->status.weight, &why))
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

/* Who says that he is of this name answers a challenge of ours, within his rate, and has the key. To be wiped. */
static enum session_refusal authenticate(struct sessions *sessions, const struct arrival *arrival,
	enum session_limit_kind kind, struct keyring_key *ret_key, uint64_t *ret_made_us)
{
	const struct proto_message *message = &arrival->message;
	/* Nonces and key ID come first in both, in the same order. */
	const struct keyring_key *line = keyring_find(sessions->ring, message->reg.key_id);
	const char *name = kind == SESSION_LIMIT_PART ? message->part.name : message->reg.name;

	_Static_assert(offsetof(struct proto_register, nonce_balancer) ==
				offsetof(struct proto_part, nonce_balancer) &&
			offsetof(struct proto_register, key_id) ==
				offsetof(struct proto_part, key_id),
		"they begin alike");
	if (!line)
		return SESSION_KEY;
	if (!session_random_made(&sessions->random, &arrival->path->remote,
		    message->reg.nonce_agent, message->reg.nonce_balancer, arrival->now_us,
		    ret_made_us))
		return SESSION_CHALLENGE;
	if (!handshake_is_due(sessions, arrival, kind))
		return SESSION_RATE;
	keyring_key_of_agent(line, name, ret_key);
	return auth_open(arrival->data, arrival->size_bytes, ret_key->secret) ? SESSION_ACCEPTED
									      : SESSION_TAG;
}

/* Of a registration that was accepted it is no news, and of one before that it is a replay. */
static enum session_refusal receive_part(struct sessions *sessions, const struct arrival *arrival)
{
	const struct backend *backend =
		registry_find_address(sessions->registry, &arrival->path->remote.addr);
	_cleanup_(keyring_key_wipe) struct keyring_key key = { 0 };
	uint64_t made_us = 0;
	enum session_refusal refusal =
		authenticate(sessions, arrival, SESSION_LIMIT_PART, &key, &made_us);

	if (refusal != SESSION_ACCEPTED)
		return refusal;
	if (backend && backend->source == BACKEND_AGENT && made_us <= backend->challenge_us)
		return made_us == backend->challenge_us ? SESSION_ACCEPTED : SESSION_REPLAY;
	switch (session_parts_add(&sessions->parts, &arrival->message.part, made_us)) {
	case 0:
		return SESSION_ACCEPTED;
	case -ESTALE:
		return SESSION_REPLAY;
	case -EINVAL:
		return SESSION_VALUE;
	default: /* no room: it is said again */
		return SESSION_PARTS;
	}
}

/* Its PARTs are gone since it was accepted. */
static bool is_accepted(const struct sessions *sessions, const struct arrival *arrival,
	uint64_t made_us, uint16_t *ret_backend)
{
	const struct backend *backend =
		registry_find_address(sessions->registry, &arrival->path->remote.addr);

	if (!backend || backend->source != BACKEND_AGENT || backend->challenge_us != made_us)
		return false;
	*ret_backend = backend->id;
	return true;
}

static enum session_refusal receive_register(
	struct sessions *sessions, const struct arrival *arrival)
{
	const struct proto_register *reg = &arrival->message.reg;
	_cleanup_(keyring_key_wipe) struct keyring_key key = { 0 };
	const struct addr *vips = reg->vips;
	uint64_t made_us = 0;
	uint16_t backend;
	enum session_refusal refusal =
		authenticate(sessions, arrival, SESSION_LIMIT_REGISTER, &key, &made_us);

	if (refusal != SESSION_ACCEPTED)
		return refusal;
	if (!vips_are_many(reg->status.n_vips))
		return admit(sessions, arrival, &key, made_us, vips);
	if (is_accepted(sessions, arrival, made_us, &backend))
		return repeat_accept(sessions, arrival, &key, backend);
	vips = session_parts_whole(&sessions->parts, reg);
	if (!vips)
		return SESSION_PARTS;
	refusal = admit(sessions, arrival, &key, made_us, vips);
	/* Where nothing was answered the same comes again. */
	if (refusal == SESSION_ACCEPTED || sessions->rejected.text[0])
		session_parts_drop(&sessions->parts, reg);
	return refusal;
}

enum session_refusal session_handshake_receive(
	struct sessions *sessions, struct arrival *arrival, enum proto_type type)
{
	enum proto_error error;

	if (type == PROTO_HELLO && !handshake_is_due(sessions, arrival, SESSION_LIMIT_HELLO))
		return SESSION_RATE;
	session_parts_expire(&sessions->parts, arrival->now_us);
	error = proto_parse(arrival->data, arrival->size_bytes, &arrival->message);
	if (error != PROTO_OK)
		return (enum session_refusal)error;
	switch (type) {
	case PROTO_HELLO:
		return receive_hello(sessions, arrival);
	case PROTO_PART:
		return receive_part(sessions, arrival);
	default:
		return receive_register(sessions, arrival);
	}
}
