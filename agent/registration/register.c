/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registration with one balancer. The state is what `status` shows; beside it stand the
 * handshake in flight and the session, because they outlive each other: while a new handshake
 * runs after a silence, heartbeats of the old session are still answered, and bring it back.
 */
#include "agent/registration/register.h"

#include <assert.h>
#include <sodium.h>

#include "agent/registration/register_state.h"
#include "agent/registration/report.h"
#include "common/proto/vips.h"

#define REGISTER_REPEATS 2u /* of one REGISTER, whose ACCEPT may be lost, before a new HELLO */

/* ---- life ---- */

struct registration *register_new(const struct addr_port *balancer,
	const uint8_t seed[REGISTER_SEED_BYTES], register_send_fn send, void *context,
	uint64_t now_us)
{
	struct registration *registration = calloc(1, sizeof(*registration));

	if (!registration)
		return NULL;
	registration->view.balancer = *balancer;
	registration->versions.spoken = PROTO_VERSION;
	registration->view.since_us = now_us;
	registration->send = send;
	registration->context = context;
	memcpy(registration->random.seed, seed, REGISTER_SEED_BYTES);
	register_view_set_reason(&registration->view, "not started");
	return registration;
}

struct registration *register_free(struct registration *registration)
{
	if (registration)
		sodium_memzero(registration, sizeof(*registration));
	free(registration);
	return NULL;
}

const struct register_view *register_view(const struct registration *registration)
{
	return &registration->view;
}

bool register_is_settled(const struct registration *registration)
{
	return !registration->repeat.pending;
}

/* ---- sending ---- */

/* `secret` NULL: a message without a tag. */
static void send_message(struct registration *registration, const struct proto_message *message,
	const uint8_t *secret)
{
	uint8_t buffer[PROTO_MESSAGE_MAX];
	int size = proto_write(message, buffer);

	assert(size > 0); /* Identity and status were validated when they came in. */
	if (size <= 0)
		return;
	if (secret)
		auth_seal(buffer, (size_t)size, secret);
	registration->send(
		registration->context, &registration->view.balancer, buffer, (size_t)size);
}

static void send_hello(struct registration *registration, unsigned int version)
{
	struct proto_message message = { .version = version, .type = PROTO_HELLO };

	register_random_draw(&registration->random, message.hello.nonce_agent, PROTO_NONCE_BYTES);
	memcpy(message.hello.key_id, registration->identity.key.id, sizeof(message.hello.key_id));
	registration->handshake = HANDSHAKE_HELLO;
	hello_begin(&registration->hello, version, message.hello.nonce_agent);
	send_message(registration, &message, NULL);
}

static void stop_asking(struct registration *registration)
{
	registration->handshake = HANDSHAKE_NONE;
	hello_end(&registration->hello);
}

/* What the REGISTER has no room for, before it; the same each time, as its nonces are. */
static void send_parts(struct registration *registration, const uint8_t *nonce_balancer)
{
	const struct hello *hello = &registration->hello;

	for (unsigned int part = 0; part < vips_parts(registration->identity.n_vips); part++) {
		struct proto_message message = { .version = hello->version, .type = PROTO_PART };

		memcpy(message.part.nonce_agent, hello->nonce, PROTO_NONCE_BYTES);
		memcpy(message.part.nonce_balancer, nonce_balancer, PROTO_NONCE_BYTES);
		register_many_say(&registration->identity, part, &message.part);
		send_message(registration, &message, registration->identity.key.secret);
	}
}

/* The same bytes each time: with another identity comes another HELLO. */
static void send_register(struct registration *registration, const uint8_t *nonce_balancer)
{
	const struct hello *hello = &registration->hello;
	struct proto_message message = { .version = hello->version, .type = PROTO_REGISTER };
	struct proto_register *reg = &message.reg;

	send_parts(registration, nonce_balancer);
	memcpy(reg->nonce_agent, hello->nonce, PROTO_NONCE_BYTES);
	memcpy(reg->nonce_balancer, nonce_balancer, PROTO_NONCE_BYTES);
	register_identity_say(&registration->identity, reg);
	reg->status = registration->request_status;
	report_fit(&reg->status, message.version);
	send_message(registration, &message, registration->identity.key.secret);
}

static struct proto_session next_in_session(struct registration *registration)
{
	return (struct proto_session){ registration->session_id, ++registration->sequence,
		registration->echo };
}

static uint64_t send_in_session(struct registration *registration, enum proto_type type)
{
	struct proto_message message = { .version = registration->version, .type = type };

	if (type != PROTO_LEAVE) {
		message.report.status = registration->status;
		report_fit(&message.report.status, message.version);
		if (message.version > PROTO_VERSION_1)
			asked_fill(&registration->asked, &message.report);
		if (message.report.status.second_chance)
			message.report.peers_heard = registration->view.peers_heard;
	}
	message.session = next_in_session(registration);
	if (type != PROTO_LEAVE)
		register_many_count(&registration->many, &message);
	send_message(registration, &message, registration->keys.to_balancer);
	return registration->sequence;
}

/* ---- what is repeated until it is acknowledged: UPDATE and LEAVE ---- */

static void begin_repeating(
	struct registration *registration, enum proto_type type, uint64_t now_us)
{
	register_repeat_begin(&registration->repeat, send_in_session(registration, type), now_us);
}

static void repeat(struct registration *registration, enum proto_type type, uint64_t now_us)
{
	register_repeat_again(&registration->repeat, now_us);
	send_in_session(registration, type);
}

/* ---- beginning, and beginning again ---- */

/* A balancer that had accepted us will be back, and has to know its servers soon. */
static uint64_t back_off(struct registration *registration)
{
	return register_random_back_off(&registration->random, REGISTER_RETRY_FIRST_US,
		registration->tries,
		registration->was_accepted ? REGISTER_RETRY_KNOWN_US : REGISTER_RETRY_MAX_US);
}

static void begin_handshake(struct registration *registration, uint64_t now_us)
{
	registration->tries = 0;
	registration->retry_us = now_us + back_off(registration);
	versions_begin(&registration->versions);
	send_hello(registration,
		versions_first(&registration->versions, registration->identity.n_vips));
}

static void forget_session(struct registration *registration)
{
	registration->has_session = false;
	registration->former_key = false;
	registration->repeat.pending = false;
	sodium_memzero(&registration->keys, sizeof(registration->keys));
}

static void begin(struct registration *registration, uint64_t now_us)
{
	char name[ADDR_STRLEN];

	forget_session(registration);
	registration->versions.are_too_old = false;
	register_view_set(&registration->view, REGISTER_CONNECTING, now_us,
		"waiting for an answer from %s",
		addr_format(&registration->view.balancer.addr, name));
	begin_handshake(registration, now_us);
}

static void plan_newer(struct registration *registration, uint64_t delay_us, uint64_t now_us)
{
	registration->newer_us = registration->former_key || registration->version != PROTO_VERSION
		? now_us + register_random_jitter(&registration->random, delay_us)
		: REGISTER_NEVER_US;
}

/* The session goes on until the new key has one: no heartbeat is missed. */
static void begin_rekeying(struct registration *registration, uint64_t now_us)
{
	registration->former_key = true;
	plan_newer(registration, REGISTER_RETRY_KNOWN_US, now_us);
	send_hello(registration, registration->versions.spoken);
}

static bool can_begin(const struct registration *registration)
{
	return registration->wanted && registration->has_identity && registration->has_status;
}

void register_start(struct registration *registration, uint64_t now_us)
{
	registration->wanted = true;
	if (can_begin(registration))
		begin(registration, now_us);
}

void register_set_identity(struct registration *registration,
	const struct register_identity *identity, uint64_t now_us)
{
	bool rekeyed;

	if (registration->has_identity &&
		register_identity_equal(&registration->identity, identity))
		return;
	rekeyed = register_identity_is_rekeyed(&registration->identity, identity);
	registration->identity = *identity;
	registration->has_identity = true;
	/* A status for other VIPs is none: the handshake waits for the right one. */
	if (registration->has_status && registration->status.n_vips != identity->n_vips) {
		registration->has_status = false;
		if (registration->wanted) {
			stop_asking(registration);
			forget_session(registration);
			register_view_set_state(&registration->view, REGISTER_CONNECTING, now_us);
		}
	}
	if (rekeyed && registration->view.state == REGISTER_REGISTERED)
		begin_rekeying(registration, now_us);
	else if (can_begin(registration))
		begin(registration, now_us);
}

int register_set_status(
	struct registration *registration, const struct proto_status *status, uint64_t now_us)
{
	bool first = !registration->has_status;
	bool differs = first || report_differs(&registration->status, status);

	if (!registration->has_identity || status->n_vips != registration->identity.n_vips ||
		!report_can_be_sent(status))
		return -EINVAL;
	registration->status = *status;
	registration->has_status = true;
	if (!status->second_chance)
		registration->view.peers_heard = 0;
	if (first && can_begin(registration))
		begin(registration, now_us);
	else if (differs && registration->view.state == REGISTER_REGISTERED)
		begin_repeating(registration, PROTO_UPDATE, now_us);
	return 0;
}

void register_use_counts(
	struct registration *registration, const uint32_t *established, register_count_fn *count)
{
	registration->many.established = established;
	registration->count = count;
}

const struct ports *register_asked(const struct registration *registration)
{
	return &registration->asked.ports;
}

int register_set_ports(
	struct registration *registration, const struct proto_ports_status *ports, uint64_t now_us)
{
	bool differs = ports_answer_differs(&registration->asked.ports.answer, ports);
	int r = asked_set_answer(&registration->asked, ports);

	if (r == 0 && differs && registration->view.state == REGISTER_REGISTERED &&
		registration->version > PROTO_VERSION_1)
		begin_repeating(registration, PROTO_UPDATE, now_us);
	return r;
}

void register_set_others(
	struct registration *registration, const struct proto_other *others, size_t n_others)
{
	asked_set_others(&registration->asked, others, n_others);
}

void register_relay(struct registration *registration, const struct addr *other,
	const struct proto_table *table)
{
	struct proto_message message = { .version = registration->version, .type = PROTO_RELAY };

	if (registration->view.state != REGISTER_REGISTERED ||
		registration->version < PROTO_VERSION_TABLE)
		return;
	message.told = (struct proto_told){ next_in_session(registration), *other, *table };
	send_message(registration, &message, registration->keys.to_balancer);
}

void register_leave(struct registration *registration, uint64_t now_us)
{
	registration->wanted = false;
	stop_asking(registration);
	if (registration->view.state == REGISTER_LEAVING)
		return;
	if (!registration->has_session) {
		register_view_set(&registration->view, REGISTER_LEFT, now_us, "left");
		return;
	}
	register_view_set(&registration->view, REGISTER_LEAVING, now_us, "leaving");
	begin_repeating(registration, PROTO_LEAVE, now_us);
}

/* ---- answers of the balancer ---- */

/*
 * Anybody may have sent it: the answer goes to the balancer, and nothing that outlasts this turn of the versions is
 * learned from it. The first sets the time of the next try, so that more of them put nothing off.
 */
static enum register_refusal receive_challenge(
	struct registration *registration, const struct proto_message *message, uint64_t now_us)
{
	const struct proto_challenge *challenge = &message->challenge;

	if (registration->handshake == HANDSHAKE_NONE ||
		memcmp(registration->hello.nonce, challenge->nonce_agent, PROTO_NONCE_BYTES) != 0)
		return REGISTER_NONCE;
	if (message->version != registration->hello.version)
		return REGISTER_VERSION;
	versions_hear(&registration->versions, message->version);
	if (!versions_have_room(message->version, registration->identity.n_vips))
		return REGISTER_ACCEPTED;
	if (!hello_answer(&registration->hello, challenge))
		return REGISTER_NONCE;
	if (registration->handshake == HANDSHAKE_HELLO) {
		registration->handshake = HANDSHAKE_REGISTER;
		registration->repeats = 0;
		registration->request_status = registration->status;
		registration->retry_us = now_us +
			register_random_jitter(&registration->random, REGISTER_RETRY_FIRST_US);
		registration->newer_us = registration->retry_us;
	}
	send_register(registration, challenge->nonce_balancer);
	return REGISTER_ACCEPTED;
}

static void open_session(
	struct registration *registration, const struct proto_accept *accept, uint64_t now_us)
{
	registration->handshake = HANDSHAKE_NONE;
	registration->tries = 0;
	registration->was_accepted = true;
	registration->has_session = true;
	registration->former_key = false;
	registration->version = registration->hello.version;
	registration->view.version = registration->version;
	memcpy(registration->view.name, accept->name, sizeof(accept->name));
	registration->view.place = accept->place;
	plan_newer(registration, REGISTER_RETRY_KNOWN_US, now_us);
	asked_forget(&registration->asked);
	registration->view.peers_heard = 0;
	registration->session_id = accept->session_id;
	registration->sequence = 0;
	registration->echo = accept->sequence;
	registration->replay = (struct auth_replay){ 0 };
	auth_replay_move(&registration->replay, accept->sequence);
	register_heard_begin(&registration->heard, accept->interval_us, accept->multiplier, now_us);
	registration->view.boot_id = accept->boot_id;
	auth_session_derive(registration->identity.key.secret, accept->nonce_agent,
		accept->nonce_balancer, accept->session_id, &registration->keys);
}

static enum register_refusal receive_accept(
	struct registration *registration, const struct proto_accept *accept, uint64_t now_us)
{
	if (!hello_accept(&registration->hello, accept))
		return REGISTER_REPLAY;
	open_session(registration, accept, now_us);
	registration->repeat.pending = false;
	register_view_set(&registration->view, REGISTER_REGISTERED, now_us, "%s", "");
	/* What changed while the REGISTER was on its way. */
	if (report_differs(&registration->request_status, &registration->status))
		begin_repeating(registration, PROTO_UPDATE, now_us);
	return REGISTER_ACCEPTED;
}

static enum register_refusal receive_reject(
	struct registration *registration, const struct proto_rejected *rejected, uint64_t now_us)
{
	char name[ADDR_STRLEN];

	registration->handshake = HANDSHAKE_NONE;
	registration->tries = 0;
	forget_session(registration);
	register_view_set(&registration->view, REGISTER_REFUSED, now_us, "%s refused: %s",
		addr_format(&registration->view.balancer.addr, name),
		rejected->reason[0] != '\0' ? rejected->reason : proto_reject_name(rejected->code));
	/* Our previous self, before its MAC or name changed, is soon found silent. */
	registration->retry_us = now_us +
		register_random_jitter(&registration->random,
			rejected->code == PROTO_REJECT_CLONE ? REGISTER_CLONE_RETRY_US
							     : REGISTER_REFUSED_RETRY_US);
	return REGISTER_ACCEPTED;
}

/* Both are the answer to our REGISTER, signed with the key that we share. */
static enum register_refusal receive_verdict(struct registration *registration,
	const struct proto_message *message, const struct register_datagram *datagram,
	uint64_t now_us)
{
	bool accepted = message->type == PROTO_ACCEPT;
	const uint8_t *agent =
		accepted ? message->accept.nonce_agent : message->rejected.nonce_agent;
	const uint8_t *balancer =
		accepted ? message->accept.nonce_balancer : message->rejected.nonce_balancer;

	if (!hello_is_answered(&registration->hello, agent, balancer))
		return REGISTER_NONCE;
	if (message->version != registration->hello.version)
		return REGISTER_VERSION;
	/* Refused is a session beside the one that goes on. */
	if (!accepted &&
		(registration->handshake != HANDSHAKE_REGISTER ||
			registration->view.state == REGISTER_REGISTERED))
		return REGISTER_NONCE;
	if (!auth_open(datagram->data, datagram->size_bytes, registration->identity.key.secret))
		return REGISTER_TAG;
	versions_speak(&registration->versions, message->version);
	return accepted ? receive_accept(registration, &message->accept, now_us)
			: receive_reject(registration, &message->rejected, now_us);
}

static void receive_heartbeat(
	struct registration *registration, const struct proto_heartbeat *heartbeat, uint64_t now_us)
{
	registration->echo = heartbeat->session.sequence;
	registration->view.place = heartbeat->place;
	register_heard_now(&registration->heard, now_us);
	registration->view.last_heartbeat_us = now_us;
	if (registration->view.state == REGISTER_LEAVING)
		return;
	/* Back with our session: no need for another, but for one that a REGISTER on its way has made already. */
	if (registration->view.state != REGISTER_REGISTERED) {
		if (registration->handshake == HANDSHAKE_HELLO)
			stop_asking(registration);
		register_view_set(&registration->view, REGISTER_REGISTERED, now_us, "%s", "");
	}
	if (registration->count)
		registration->count(registration->context);
	send_in_session(registration, PROTO_ANSWER);
}

static void receive_ack(
	struct registration *registration, const struct proto_session *session, uint64_t now_us)
{
	if (!register_repeat_ends(&registration->repeat, session->echo, registration->sequence))
		return;
	if (registration->view.state == REGISTER_LEAVING) {
		forget_session(registration);
		register_view_set(&registration->view, REGISTER_LEFT, now_us, "left");
	}
}

static enum register_refusal receive_session(struct registration *registration,
	const struct proto_message *message, const struct register_datagram *datagram,
	uint64_t now_us)
{
	const struct proto_session *session = &message->session;

	if (!registration->has_session || session->session_id != registration->session_id)
		return REGISTER_SESSION;
	if (message->version != registration->version)
		return REGISTER_VERSION;
	if (!auth_replay_is_new(&registration->replay, session->sequence))
		return REGISTER_REPLAY;
	if (!auth_open(datagram->data, datagram->size_bytes, registration->keys.to_agent))
		return REGISTER_TAG;
	auth_replay_move(&registration->replay, session->sequence);
	register_heard_word(&registration->heard, now_us);
	if (message->type == PROTO_HEARTBEAT)
		receive_heartbeat(registration, &message->heartbeat, now_us);
	else if (message->type == PROTO_SERVE)
		registration->view.n_asked +=
			ports_take(&registration->asked.ports, &message->serve);
	else if (message->type == PROTO_TABLE)
		register_view_tell(&registration->view, &message->told.table);
	else if (message->type == PROTO_PEERS)
		register_view_take_peers(&registration->view, &message->peers);
	else
		receive_ack(registration, session, now_us);
	return REGISTER_ACCEPTED;
}

static enum register_refusal receive(struct registration *registration,
	const struct register_datagram *datagram, uint64_t now_us)
{
	struct proto_message message;
	enum proto_error error;

	if (datagram->hop_limit != (int)PROTO_TTL)
		return REGISTER_TTL;
	if (!addr_equal(&datagram->source.addr, &registration->view.balancer.addr))
		return REGISTER_SOURCE;
	error = proto_parse(datagram->data, datagram->size_bytes, &message);
	if (error != PROTO_OK)
		return (enum register_refusal)error;
	switch (message.type) {
	case PROTO_CHALLENGE:
		return receive_challenge(registration, &message, now_us);
	case PROTO_ACCEPT:
	case PROTO_REJECT:
		return receive_verdict(registration, &message, datagram, now_us);
	case PROTO_HEARTBEAT:
	case PROTO_ACK:
	case PROTO_SERVE:
	case PROTO_TABLE:
	case PROTO_PEERS:
		return receive_session(registration, &message, datagram, now_us);
	default: /* what only an agent sends */
		return REGISTER_TYPE;
	}
}

enum register_refusal register_receive(struct registration *registration,
	const struct register_datagram *datagram, uint64_t now_us)
{
	enum register_refusal refusal = receive(registration, datagram, now_us);

	registration->view.received++;
	if (refusal == REGISTER_ACCEPTED)
		registration->view.accepted++;
	else
		registration->view.rejected[refusal]++;
	return refusal;
}

/* ---- time ---- */

static bool repeat_register(struct registration *registration)
{
	if (registration->handshake != HANDSHAKE_REGISTER ||
		registration->repeats >= REGISTER_REPEATS)
		return false;
	registration->repeats++;
	for (size_t i = 0; i < registration->hello.n_answers; i++)
		send_register(registration, registration->hello.answers[i]);
	return true;
}

/* While the session goes on: whether the balancer knows the new key or the newest version by now. */
static void on_newer(struct registration *registration, uint64_t now_us)
{
	if (registration->former_key)
		register_view_set_reason(&registration->view,
			"goes on by its former key: key %s is not accepted yet",
			registration->identity.key.id);
	plan_newer(registration,
		registration->former_key ? REGISTER_RETRY_KNOWN_US : REGISTER_NEWER_US, now_us);
	if (registration->handshake != HANDSHAKE_REGISTER)
		send_hello(registration,
			registration->former_key ? registration->versions.spoken : PROTO_VERSION);
	else if (repeat_register(registration))
		registration->newer_us = now_us + REGISTER_RETRY_FIRST_US;
	else
		stop_asking(registration);
}

/* All versions had their turn, and the balancer has none for our VIPs. It is asked again from the newest. */
static bool is_too_old(struct registration *registration, unsigned int next, uint64_t now_us)
{
	size_t n_vips = registration->identity.n_vips;
	unsigned int version = versions_too_old(&registration->versions, next, n_vips);

	if (version == 0)
		return false;
	stop_asking(registration);
	registration->retry_us =
		now_us + register_random_jitter(&registration->random, REGISTER_CLONE_RETRY_US);
	register_many_refuse(&registration->view, version, n_vips, now_us);
	return true;
}

static void on_no_answer(struct registration *registration, uint64_t now_us)
{
	unsigned int next = versions_next(registration->hello.version);
	char name[ADDR_STRLEN];

	/* The slow retry of a refused one begins here; only silence then makes it connecting. */
	if (registration->handshake == HANDSHAKE_NONE) {
		begin_handshake(registration, now_us);
		return;
	}
	registration->tries++;
	registration->retry_us = now_us + back_off(registration);
	/* A balancer is silent to a version that it does not know, so the versions take turns. */
	if (!repeat_register(registration) && !is_too_old(registration, next, now_us))
		send_hello(registration, next);
	/* What it is known for stands while the versions have their turn once more. */
	if (!registration->versions.are_too_old)
		register_view_set(&registration->view, REGISTER_CONNECTING, now_us,
			"no answer from %s (unreachable, or the key differs)",
			addr_format(&registration->view.balancer.addr, name));
}

/* A switch that was led to believe that this host is elsewhere learns anew from a frame of ours. */
static void on_late(struct registration *registration, uint64_t now_us)
{
	register_heard_late(&registration->heard, now_us);
	send_in_session(registration, PROTO_UPDATE);
}

static void on_silence(struct registration *registration, uint64_t now_us)
{
	char name[ADDR_STRLEN];

	register_view_set(&registration->view, REGISTER_CONNECTING, now_us,
		"no heartbeat from %s for %llu ms",
		addr_format(&registration->view.balancer.addr, name),
		(unsigned long long)((now_us - registration->heard.at_us) / US_PER_MS));
	begin_handshake(registration, now_us);
}

static void on_repeat(struct registration *registration, uint64_t now_us)
{
	if (registration->view.state != REGISTER_LEAVING) {
		repeat(registration, PROTO_UPDATE, now_us);
		return;
	}
	if (registration->repeat.tries < REGISTER_LEAVE_TRIES) {
		repeat(registration, PROTO_LEAVE, now_us);
		return;
	}
	forget_session(registration);
	register_view_set(&registration->view, REGISTER_LEFT, now_us,
		"left; the balancer did not acknowledge it");
}

static uint64_t next_deadline(const struct registration *registration)
{
	uint64_t repeat_us =
		registration->repeat.pending ? registration->repeat.due_us : REGISTER_NEVER_US;

	switch (registration->view.state) {
	case REGISTER_CONNECTING:
	case REGISTER_REFUSED:
		return can_begin(registration) ? registration->retry_us : REGISTER_NEVER_US;
	case REGISTER_REGISTERED:
		repeat_us = MIN(repeat_us, registration->newer_us);
		return MIN(repeat_us, register_heard_due(&registration->heard));
	case REGISTER_LEAVING:
		return repeat_us;
	default:
		return REGISTER_NEVER_US;
	}
}

/* At most one thing is due at a time: what it does moves its own deadline. */
uint64_t register_run_due(struct registration *registration, uint64_t now_us)
{
	if (next_deadline(registration) > now_us)
		return next_deadline(registration);
	switch (registration->view.state) {
	case REGISTER_CONNECTING:
	case REGISTER_REFUSED:
		on_no_answer(registration, now_us);
		break;
	case REGISTER_REGISTERED:
		if (register_heard_is_silent(&registration->heard, now_us))
			on_silence(registration, now_us);
		else if (now_us >= registration->newer_us)
			on_newer(registration, now_us);
		else if (now_us >= registration->heard.late_us)
			on_late(registration, now_us);
		else
			on_repeat(registration, now_us);
		break;
	case REGISTER_LEAVING:
		on_repeat(registration, now_us);
		break;
	default:
		break;
	}
	return next_deadline(registration);
}
