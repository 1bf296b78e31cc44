/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The balancer's control plane against a played agent, over the real registry: who is answered,
 * who meets silence, what is counted, what can be replayed.
 */
#include "tests/unit/lb/session/session_bench.h"

/* ---- the handshake ---- */

static void session_opens_with_four_messages(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:40000");

	join(bench, &agent);
	assert_int_equal(n_sessions(bench), 1);
	assert_non_null(backend_of(bench, &agent));
	assert_true(backend_of(bench, &agent)->session_id == agent.session_id);
	assert_int_equal(bench->sent_path.remote.port, 40000);
	assert_true(addr_equal(&bench->sent_path.local, &agent.path.local));
}

static void session_challenge_is_no_larger_and_leaves_nothing_behind(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");

	assert_int_equal(say_hello(bench, &agent), SESSION_ACCEPTED);
	assert_true(bench->sent_size <= agent.hello_size);
	assert_int_equal(n_sessions(bench), 0);
	assert_int_equal(registry_len(bench->registry), 0);
}

/* The same answer as for a known key, but for the counter: nobody learns which keys there are. */
static void session_challenges_unknown_keys_too(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");
	struct proto_message message;

	agent.key_id = "nobody";
	assert_int_equal(say_hello(bench, &agent), SESSION_KEY);
	take_challenge(bench, &agent);
	message = register_of(&agent);
	assert_int_equal(send_register(bench, &agent, &message), SESSION_KEY);
	assert_int_equal(bench->n_sent, 0);
}

static void session_is_silent_to_a_wrong_key(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");
	struct proto_message message;

	agent.secret[5] ^= 1;
	assert_int_equal(say_hello(bench, &agent), SESSION_ACCEPTED);
	take_challenge(bench, &agent);
	message = register_of(&agent);
	assert_int_equal(send_register(bench, &agent, &message), SESSION_TAG);
	assert_int_equal(bench->n_sent, 0);
	assert_int_equal(registry_len(bench->registry), 0);
}

static void session_challenge_belongs_to_its_source_and_time(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");
	struct agent thief = agent_make("192.0.2.12:7377");
	struct proto_message message;

	assert_int_equal(say_hello(bench, &agent), SESSION_ACCEPTED);
	take_challenge(bench, &agent);
	memcpy(thief.nonce, agent.nonce, sizeof(thief.nonce));
	memcpy(thief.nonce_balancer, agent.nonce_balancer, sizeof(thief.nonce_balancer));
	message = register_of(&thief);
	assert_int_equal(send_register(bench, &thief, &message), SESSION_CHALLENGE);
	bench->now_us += AUTH_CHALLENGE_VALID_US;
	message = register_of(&agent);
	assert_int_equal(send_register(bench, &agent, &message), SESSION_CHALLENGE);
	assert_int_equal(bench->n_sent, 0);
}

static void session_challenge_outlives_the_change_of_its_secret(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");
	struct proto_message message;

	bench->now_us = (START_US / SESSION_SECRET_US + 1) * SESSION_SECRET_US - 2 * STEP_US;
	assert_int_equal(say_hello(bench, &agent), SESSION_ACCEPTED);
	take_challenge(bench, &agent);
	bench->now_us += 3 * US_PER_S;
	message = register_of(&agent);
	assert_int_equal(send_register(bench, &agent, &message), SESSION_ACCEPTED);
}

static void session_repeats_the_accept_of_a_repeated_register(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");
	uint64_t session_id;

	join(bench, &agent);
	session_id = agent.session_id;
	assert_int_equal(deliver(bench, &agent, agent.reg, agent.reg_size), SESSION_ACCEPTED);
	take_accept(bench, &agent);
	assert_true(agent.session_id == session_id);
	assert_int_equal(n_sessions(bench), 1);
}

static void session_is_silent_to_an_older_register(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377"), older;
	uint64_t n_changes;

	join(bench, &agent);
	older = agent;
	n_changes = session_changes(bench->sessions);
	join(bench, &agent);
	assert_int_equal(n_sessions(bench), 1);
	assert_true(session_changes(bench->sessions) > n_changes);
	assert_int_equal(deliver(bench, &older, older.reg, older.reg_size), SESSION_REPLAY);
	assert_int_equal(bench->n_sent, 0);
	take_heartbeat(bench, &agent);
	assert_int_equal(say(bench, &agent, PROTO_ANSWER), SESSION_ACCEPTED);
	assert_int_equal(say(bench, &older, PROTO_ANSWER), SESSION_UNKNOWN);
}

static void session_signs_the_refusals_of_policy(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");
	struct proto_message message;

	assert_int_equal(say_hello(bench, &agent), SESSION_ACCEPTED);
	take_challenge(bench, &agent);
	message = register_of(&agent);
	assert_int_equal(addr_parse("198.51.100.99", &message.reg.vips[0]), 0);
	assert_int_equal(
		send_register(bench, &agent, &message), SESSION_POLICY_0 + PROTO_REJECT_NO_VIP);
	message = take(bench, PROTO_REJECT, agent.secret);
	assert_int_equal(message.rejected.code, PROTO_REJECT_NO_VIP);
	assert_memory_equal(message.rejected.nonce_agent, agent.nonce, PROTO_NONCE_BYTES);

	message = register_of(&agent);
	assert_int_equal(addr_parse("192.0.2.12", &message.reg.real_ip), 0);
	assert_int_equal(
		send_register(bench, &agent, &message), SESSION_POLICY_0 + PROTO_REJECT_ADDRESS);
	assert_int_equal(registry_len(bench->registry), 0);
}

static void session_holds_keys_to_their_bindings(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.12:7377");
	struct proto_message message;

	agent.key_id = "bound";
	memset(agent.secret, 2, sizeof(agent.secret));
	assert_int_equal(say_hello(bench, &agent), SESSION_ACCEPTED);
	take_challenge(bench, &agent);
	message = register_of(&agent); /* as web1 */
	assert_int_equal(send_register(bench, &agent, &message),
		SESSION_POLICY_0 + PROTO_REJECT_KEY_BINDING);
	message = take(bench, PROTO_REJECT, agent.secret);
	assert_string_equal(message.rejected.reason, "key bound is bound to agent web2, not web1");
	agent.name = "web2";
	agent.weight = 10;
	join(bench, &agent);
	/* Nor can the weight grow later. */
	agent.weight = 11;
	assert_int_equal(
		say(bench, &agent, PROTO_UPDATE), SESSION_POLICY_0 + PROTO_REJECT_KEY_BINDING);
	assert_int_equal(bench->n_sent, 0);
	assert_int_equal(n_sessions(bench), 0);
	assert_int_equal(backend_of(bench, &agent)->status.weight, 10);
}

static void session_refuses_a_mac_that_is_not_the_frames(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377"), old;
	struct proto_message message;

	bench->mac_differs = true;
	assert_int_equal(say_hello(bench, &agent), SESSION_ACCEPTED);
	take_challenge(bench, &agent);
	message = register_of(&agent);
	assert_int_equal(
		send_register(bench, &agent, &message), SESSION_POLICY_0 + PROTO_REJECT_MAC);
	message = take(bench, PROTO_REJECT, agent.secret);
	assert_int_equal(message.rejected.code, PROTO_REJECT_MAC);
	assert_int_equal(registry_len(bench->registry), 0);
	assert_int_equal(n_sessions(bench), 0);
	bench->mac_differs = false;
	join(bench, &agent);
	/* What anybody replays from his own MAC is stale, and met with silence. */
	old = agent;
	join(bench, &agent);
	bench->mac_differs = true;
	assert_int_equal(deliver(bench, &old, old.reg, old.reg_size), SESSION_REPLAY);
	assert_int_equal(bench->n_sent, 0);
}

static void session_refuses_the_balancers_mac(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");
	struct proto_message message;

	assert_int_equal(say_hello(bench, &agent), SESSION_ACCEPTED);
	take_challenge(bench, &agent);
	message = register_of(&agent);
	bench->mac_of_balancer = message.reg.mac;
	assert_int_equal(
		send_register(bench, &agent, &message), SESSION_POLICY_0 + PROTO_REJECT_MAC);
	assert_int_equal(registry_len(bench->registry), 0);
}

/* ---- messages of a session ---- */

static void session_measures_the_round_trip(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");

	join(bench, &agent);
	take_heartbeat(bench, &agent);
	bench->now_us += 500;
	assert_int_equal(say(bench, &agent, PROTO_ANSWER), SESSION_ACCEPTED);
	assert_int_equal(bench->n_sent, 0);
	assert_int_equal(backend_of(bench, &agent)->rtt_us, STEP_US + 500);
	assert_int_equal(backend_of(bench, &agent)->status.vips[0].established, 3);
}

static void session_takes_one_answer_to_a_heartbeat_as_proof(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");
	uint32_t streak;

	join(bench, &agent);
	take_heartbeat(bench, &agent);
	streak = backend_of(bench, &agent)->streak;
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(say(bench, &agent, PROTO_ANSWER), SESSION_ACCEPTED);
	assert_int_equal(backend_of(bench, &agent)->streak, streak + 1);
}

/* Before the first heartbeat there is the ACCEPT's sequence to echo. */
static void session_acknowledges_updates_at_once(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");
	struct proto_message message;

	join(bench, &agent);
	agent.weight = 5;
	assert_int_equal(say(bench, &agent, PROTO_UPDATE), SESSION_ACCEPTED);
	message = take(bench, PROTO_ACK, agent.session_keys.to_agent);
	assert_true(message.session.echo == agent.sequence);
	assert_int_equal(backend_of(bench, &agent)->status.weight, 5);
}

static void session_answers_go_to_the_port_of_the_register(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");

	join(bench, &agent);
	agent.path.remote.port = 5555;
	assert_int_equal(say(bench, &agent, PROTO_UPDATE), SESSION_ACCEPTED);
	assert_int_equal(bench->sent_path.remote.port, 7377);
}

static void session_refuses_replays_and_late_comers(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");
	uint8_t first[PROTO_MESSAGE_MAX], second[PROTO_MESSAGE_MAX];
	size_t first_size, second_size;

	join(bench, &agent);
	first_size = session_message(&agent, PROTO_UPDATE, first);
	second_size = session_message(&agent, PROTO_UPDATE, second);
	assert_int_equal(deliver(bench, &agent, second, second_size), SESSION_ACCEPTED);
	assert_int_equal(deliver(bench, &agent, second, second_size), SESSION_REPLAY);
	assert_int_equal(deliver(bench, &agent, first, first_size), SESSION_REPLAY);
	assert_int_equal(bench->n_sent, 0);
}

static void session_moves_no_window_before_authentication(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");
	uint8_t data[PROTO_MESSAGE_MAX];
	size_t size;

	join(bench, &agent);
	agent.sequence = 1000000;
	size = session_message(&agent, PROTO_UPDATE, data);
	data[size - 1] ^= 1;
	assert_int_equal(deliver(bench, &agent, data, size), SESSION_TAG);
	agent.sequence = 0;
	assert_int_equal(say(bench, &agent, PROTO_UPDATE), SESSION_ACCEPTED);
}

static void session_takes_echoes_of_the_newest_heartbeats_only(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");
	uint64_t oldest;

	join(bench, &agent);
	oldest = agent.echo;
	for (size_t i = 0; i + 1 < SESSION_ECHO_WINDOW; i++)
		take_heartbeat(bench, &agent);
	agent.echo = oldest;
	assert_int_equal(say(bench, &agent, PROTO_ANSWER), SESSION_ACCEPTED);
	agent.echo = oldest + STEP_US * (SESSION_ECHO_WINDOW - 1);
	take_heartbeat(bench, &agent);
	agent.echo = oldest;
	assert_int_equal(say(bench, &agent, PROTO_ANSWER), SESSION_ECHO);
	agent.echo = oldest + 1; /* never sent */
	assert_int_equal(say(bench, &agent, PROTO_ANSWER), SESSION_ECHO);
}

static void session_belongs_to_its_address(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");

	join(bench, &agent);
	assert_int_equal(addr_parse("192.0.2.12", &agent.path.remote.addr), 0);
	assert_int_equal(say(bench, &agent, PROTO_UPDATE), SESSION_SOURCE);
	assert_int_equal(bench->n_sent, 0);
}

static void session_keeps_the_number_of_vips(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");
	struct proto_message message = { .version = agent.version, .type = PROTO_UPDATE };
	uint8_t data[PROTO_MESSAGE_MAX];
	int size;

	join(bench, &agent);
	message.report.session = (struct proto_session){ agent.session_id, 1, agent.echo };
	message.report.status = status_of(&agent);
	message.report.status.n_vips = 2;
	size = proto_write(&message, data);
	auth_seal(data, (size_t)size, agent.session_keys.to_balancer);
	assert_int_equal(deliver(bench, &agent, data, (size_t)size), SESSION_VALUE);
}

static void session_leave_is_acknowledged_again(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");

	join(bench, &agent);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(say(bench, &agent, PROTO_LEAVE), SESSION_ACCEPTED);
		take(bench, PROTO_ACK, agent.session_keys.to_agent);
		assert_int_equal(n_sessions(bench), 0);
		assert_int_equal(registry_len(bench->registry), 0);
	}
	assert_int_equal(say(bench, &agent, PROTO_UPDATE), SESSION_UNKNOWN);
	bench->now_us += SESSION_LEFT_US;
	assert_int_equal(say(bench, &agent, PROTO_LEAVE), SESSION_UNKNOWN);
}

static void session_register_from_before_the_leave_brings_nobody_back(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377"), recorded;

	join(bench, &agent);
	recorded = agent;
	assert_int_equal(say(bench, &agent, PROTO_LEAVE), SESSION_ACCEPTED);
	assert_int_equal(
		deliver(bench, &recorded, recorded.reg, recorded.reg_size), SESSION_REPLAY);
	assert_int_equal(registry_len(bench->registry), 0);
	join(bench, &agent); /* but the agent itself may come back at once */
	assert_int_equal(n_sessions(bench), 1);
}

/* ---- what is not ours ---- */

static void session_refuses_what_came_over_a_router(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");
	static const int hops[] = { 254, 64, 1, 0, -1, 256 };

	say_hello(bench, &agent);
	ARRAY_FOREACH (hop, hops, ARRAY_LEN(hops)) {
		bench->n_sent = 0;
		assert_int_equal(session_receive(bench->sessions,
					 &(struct session_arrival){ .path = agent.path,
						 .hop_limit = *hop,
						 .data = agent.hello,
						 .size_bytes = agent.hello_size },
					 bench->now_us),
			SESSION_TTL);
		assert_int_equal(bench->n_sent, 0);
	}
}

static void session_refuses_what_only_a_balancer_sends(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");

	join(bench, &agent);
	assert_int_equal(deliver(bench, &agent, bench->sent, bench->sent_size), SESSION_TYPE);
	take_heartbeat(bench, &agent);
	assert_int_equal(deliver(bench, &agent, bench->sent, bench->sent_size), SESSION_TYPE);
}

static void session_refuses_every_flipped_bit_and_truncation(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");
	uint8_t data[PROTO_MESSAGE_MAX];
	size_t size;

	join(bench, &agent);
	size = session_message(&agent, PROTO_UPDATE, data);
	for (size_t bit = 0; bit < size * 8; bit++) {
		data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		bench->now_us += 2 * STEP_US; /* within the rate */
		assert_int_not_equal(deliver(bench, &agent, data, size), SESSION_ACCEPTED);
		assert_int_equal(bench->n_sent, 0);
		data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	for (size_t cut = 0; cut < size; cut++) {
		assert_int_not_equal(deliver(bench, &agent, data, cut), SESSION_ACCEPTED);
		assert_int_equal(bench->n_sent, 0);
	}
	assert_int_equal(deliver(bench, &agent, data, size), SESSION_ACCEPTED);
}

/* ---- reload and restart ---- */

static void session_ends_with_its_key(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");

	join(bench, &agent);
	session_configure(bench->sessions, ring_of(keys), 500000, 4);
	assert_int_equal(n_sessions(bench), 1);
	session_configure(bench->sessions,
		ring_of("web1 hex:"
			"0901010101010101010101010101010101010101010101010101010101010101\n"),
		500000, 4);
	assert_int_equal(n_sessions(bench), 0);
	assert_int_equal(say(bench, &agent, PROTO_UPDATE), SESSION_UNKNOWN);
	assert_int_equal(
		session_heartbeat(bench->sessions, backend_of(bench, &agent)->id, bench->now_us),
		-ENOENT);
}

static void session_survives_a_restart(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");
	uint8_t recorded[PROTO_MESSAGE_MAX];
	struct session_kept kept;
	uint16_t backend;
	size_t size;

	join(bench, &agent);
	backend = backend_of(bench, &agent)->id;
	assert_int_equal(session_export(bench->sessions, backend, &kept), 0);
	/* What is kept may be old: this message came after it, and must not count again. */
	take_heartbeat(bench, &agent);
	size = session_message(&agent, PROTO_UPDATE, recorded);
	assert_int_equal(deliver(bench, &agent, recorded, size), SESSION_ACCEPTED);

	session_free(bench->sessions);
	bench->sessions = sessions_new(bench, 2);
	assert_int_equal(session_import(bench->sessions, &kept, bench->now_us), 0);
	assert_int_equal(session_import(bench->sessions, &kept, bench->now_us), -EINVAL);
	assert_int_equal(deliver(bench, &agent, recorded, size), SESSION_ECHO);
	assert_int_equal(deliver(bench, &agent, agent.reg, agent.reg_size), SESSION_CHALLENGE);
	take_heartbeat(bench, &agent);
	assert_int_equal(deliver(bench, &agent, recorded, size), SESSION_ECHO);
	assert_int_equal(say(bench, &agent, PROTO_ANSWER), SESSION_ACCEPTED);
}

static void session_imports_no_nonsense(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");
	struct session_kept kept, wrong;

	assert_int_equal(session_export(bench->sessions, 1, &kept), -ENOENT);
	join(bench, &agent);
	assert_int_equal(session_export(bench->sessions, backend_of(bench, &agent)->id, &kept), 0);
	session_forget(bench->sessions, kept.backend);
	wrong = kept;
	wrong.session_id = 0;
	assert_int_equal(session_import(bench->sessions, &wrong, bench->now_us), -EINVAL);
	wrong = kept;
	wrong.session_id |= 0x1fff; /* no such slot */
	assert_int_equal(session_import(bench->sessions, &wrong, bench->now_us), -EINVAL);
	wrong = kept;
	wrong.n_vips = PROTO_VIPS_MAX + 1;
	assert_int_equal(session_import(bench->sessions, &wrong, bench->now_us), -EINVAL);
	wrong = kept;
	wrong.key_fingerprint ^= 1;
	assert_int_equal(session_import(bench->sessions, &wrong, bench->now_us), -EKEYREVOKED);
	assert_int_equal(session_import(bench->sessions, &kept, bench->now_us), 0);
}

/* ---- who was refused, in words ---- */

static const struct session_refused *refused_of(struct bench *bench, size_t n_refused)
{
	const struct session_refusals *refusals = session_refused(bench->sessions, bench->now_us);

	assert_int_equal(refusals->len, n_refused);
	return &refusals->items[n_refused ? n_refused - 1 : 0];
}

static void refused_says(struct bench *bench, enum session_refusal refusal, const char *words)
{
	const struct session_refused *refused = refused_of(bench, 1);

	assert_int_equal(refused->refusal, refusal);
	assert_string_equal(refused->words, words);
	assert_string_equal(bench->refused_words.text, words);
}

static void session_names_the_mend_of_a_wrong_key(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");
	struct proto_message message;

	agent.key_id = "nobody";
	assert_int_equal(say_hello(bench, &agent), SESSION_KEY);
	refused_says(bench, SESSION_KEY,
		"its key nobody is not in our key file: add that line and reload, or correct the "
		"agent's key file");
	bench->now_us += SESSION_REFUSALS_KEEP_US;
	(void)refused_of(bench, 0);
	agent.key_id = "web1";
	agent.secret[5] ^= 1;
	assert_int_equal(say_hello(bench, &agent), SESSION_ACCEPTED);
	take_challenge(bench, &agent);
	message = register_of(&agent);
	for (uint64_t n = 1; n <= 3; n++) {
		assert_int_equal(send_register(bench, &agent, &message), SESSION_TAG);
		assert_int_equal(refused_of(bench, 1)->count, n);
	}
	refused_says(bench, SESSION_TAG,
		"its key web1 has other bytes than ours: put the same key line in both files");
	/* Mended. */
	agent.secret[5] ^= 1;
	join(bench, &agent);
	(void)refused_of(bench, 0);
}

static void session_names_the_mend_of_a_policy(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377"), clone = agent_make("192.0.2.12:7377");
	struct proto_message message;

	assert_int_equal(say_hello(bench, &agent), SESSION_ACCEPTED);
	take_challenge(bench, &agent);
	message = register_of(&agent);
	assert_int_equal(addr_parse("198.51.100.99", &message.reg.vips[0]), 0);
	(void)send_register(bench, &agent, &message);
	refused_says(bench, SESSION_POLICY_0 + PROTO_REJECT_NO_VIP,
		"agent web1: no virtual server that takes agents has any of its VIPs "
		"(198.51.100.99): add it to a virtual server, or correct `vip` of the agent");
	join(bench, &agent);
	(void)refused_of(bench, 0);
	/* Its name, from another place: not known at first, and then refused. */
	(void)say_hello(bench, &clone);
	take_challenge(bench, &clone);
	message = register_of(&clone);
	(void)send_register(bench, &clone, &message);
	(void)refused_of(bench, 0);
	take_heartbeat(bench, &agent);
	(void)say(bench, &agent, PROTO_ANSWER);
	(void)send_register(bench, &clone, &message);
	refused_says(bench, SESSION_POLICY_0 + PROTO_REJECT_CLONE,
		"agent web1: the name is in use at 192.0.2.11: give the agent a name and an address "
		"of its own, or stop the other");
}

/* Whoever can forge a source: an agent that is heard is not said to be refused. */
static void session_says_nothing_of_an_agent_that_is_heard(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377"), forger;

	join(bench, &agent);
	forger = agent;
	forger.key_id = "nobody";
	assert_int_equal(say_hello(bench, &forger), SESSION_KEY);
	(void)refused_of(bench, 0);
	forger.session_keys.to_balancer[0] ^= 1;
	assert_int_equal(say(bench, &forger, PROTO_UPDATE), SESSION_TAG);
	(void)refused_of(bench, 0);
	bench->now_us += 900000;
	assert_int_equal(say_hello(bench, &forger), SESSION_KEY);
	(void)refused_of(bench, 1);
}

static void session_names_another_version_and_a_router(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");

	(void)say_hello(bench, &agent);
	agent.hello[PROTO_VERSION_OFFSET] = 99;
	assert_int_equal(deliver(bench, &agent, agent.hello, agent.hello_size), SESSION_VERSION);
	assert_non_null(
		strstr(refused_of(bench, 1)->words, "it speaks version 99 of the protocol"));
	assert_int_equal(session_receive(bench->sessions,
				 &(struct session_arrival){ .path = agent.path,
					 .hop_limit = 63,
					 .data = agent.hello,
					 .size_bytes = agent.hello_size },
				 bench->now_us),
		SESSION_TTL);
	assert_non_null(strstr(refused_of(bench, 2)->words, "TTL 63, not 255"));
}

static void session_names_every_refusal(void **state)
{
	for (unsigned int i = 0; i < SESSION_REFUSAL_N_; i++) {
		assert_non_null(session_refusals_name(i));
		for (unsigned int j = 0; j < i; j++)
			assert_string_not_equal(session_refusals_name(i), session_refusals_name(j));
	}
	assert_string_equal(session_refusals_name(SESSION_UNKNOWN), "session");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(session_opens_with_four_messages),
		BENCH_TEST(session_challenge_is_no_larger_and_leaves_nothing_behind),
		BENCH_TEST(session_challenges_unknown_keys_too),
		BENCH_TEST(session_is_silent_to_a_wrong_key),
		BENCH_TEST(session_challenge_belongs_to_its_source_and_time),
		BENCH_TEST(session_challenge_outlives_the_change_of_its_secret),
		BENCH_TEST(session_repeats_the_accept_of_a_repeated_register),
		BENCH_TEST(session_is_silent_to_an_older_register),
		BENCH_TEST(session_signs_the_refusals_of_policy),
		BENCH_TEST(session_holds_keys_to_their_bindings),
		BENCH_TEST(session_refuses_a_mac_that_is_not_the_frames),
		BENCH_TEST(session_refuses_the_balancers_mac),
		BENCH_TEST(session_measures_the_round_trip),
		BENCH_TEST(session_takes_one_answer_to_a_heartbeat_as_proof),
		BENCH_TEST(session_acknowledges_updates_at_once),
		BENCH_TEST(session_answers_go_to_the_port_of_the_register),
		BENCH_TEST(session_refuses_replays_and_late_comers),
		BENCH_TEST(session_moves_no_window_before_authentication),
		BENCH_TEST(session_takes_echoes_of_the_newest_heartbeats_only),
		BENCH_TEST(session_belongs_to_its_address),
		BENCH_TEST(session_keeps_the_number_of_vips),
		BENCH_TEST(session_leave_is_acknowledged_again),
		BENCH_TEST(session_register_from_before_the_leave_brings_nobody_back),
		BENCH_TEST(session_refuses_what_came_over_a_router),
		BENCH_TEST(session_refuses_what_only_a_balancer_sends),
		BENCH_TEST(session_refuses_every_flipped_bit_and_truncation),
		BENCH_TEST(session_ends_with_its_key),
		BENCH_TEST(session_survives_a_restart),
		BENCH_TEST(session_imports_no_nonsense),
		BENCH_TEST(session_names_the_mend_of_a_wrong_key),
		BENCH_TEST(session_names_the_mend_of_a_policy),
		BENCH_TEST(session_says_nothing_of_an_agent_that_is_heard),
		BENCH_TEST(session_names_another_version_and_a_router),
		cmocka_unit_test(session_names_every_refusal),
	};

	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
