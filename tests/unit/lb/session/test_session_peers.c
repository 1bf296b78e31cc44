/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whom an agent that passes on is told of: what is new to it, in order, bounded and paced; others nothing. */
#include "lb/session/session_peers.h"

#include "tests/unit/lb/session/session_bench.h"

/* The rest of a test would fill a screen: one backend's MAC by its id. */
static struct mac mac_of(uint16_t id)
{
	return (struct mac){ { 2, 0, 0, 0, (uint8_t)(id >> 8), (uint8_t)id } };
}

static void set(struct session_peers *peers, uint16_t id, uint64_t now_us)
{
	const struct mac mac = mac_of(id);

	session_peers_set(peers, id, &mac, now_us);
}

static void remove_peer(struct session_peers *peers, uint16_t id, uint64_t now_us)
{
	session_peers_set(peers, id, &(struct mac){ 0 }, now_us);
}

static void session_peers_tell_what_is_new(void **state)
{
	struct session_peers *peers = calloc(1, sizeof(*peers));
	struct proto_peers message;

	assert_false(session_peers_next(peers, 0, START_US, &message));
	set(peers, 1, START_US);
	set(peers, 2, START_US);
	assert_true(session_peers_next(peers, 0, START_US, &message));
	assert_int_equal(message.after, 0);
	assert_int_equal(message.n_items, 2);
	assert_int_equal(message.items[0].id, 1);
	assert_int_equal(message.change, START_US + 1);
	assert_false(session_peers_next(peers, message.change, START_US + US_PER_S, &message));
	/* The same again is no change; another MAC is, and so is its end. */
	set(peers, 1, START_US + 5);
	assert_false(session_peers_next(peers, START_US + 1, START_US + US_PER_S, &message));
	session_peers_set(peers, 1, &(struct mac){ { 2, 9, 9, 9, 9, 9 } }, START_US + 5);
	remove_peer(peers, 2, START_US + 6);
	remove_peer(peers, 3, START_US + 7);
	assert_true(session_peers_next(peers, START_US + 1, START_US + US_PER_S, &message));
	assert_int_equal(message.after, START_US + 1);
	assert_int_equal(message.change, START_US + 6);
	assert_int_equal(message.n_items, 2);
	assert_int_equal(message.items[0].mac.bytes[1], 9);
	assert_true(mac_is_zero(&message.items[1].mac));
	/* Who begins has nothing to forget, but hears all that is there. */
	assert_true(session_peers_next(peers, 0, START_US + 2 * US_PER_S, &message));
	assert_int_equal(message.items[0].id, 1);
	free(peers);
}

static void session_peers_tell_in_parts_and_not_too_often(void **state)
{
	struct session_peers *peers = calloc(1, sizeof(*peers));
	uint64_t now_us = START_US, heard = 0;
	struct proto_peers message;
	unsigned int n_told = 0;

	for (uint32_t id = 1; id <= 2 * PROTO_PEERS_MAX + 1; id++)
		set(peers, (uint16_t)id, START_US);
	for (unsigned int part = 0; part < 3; part++) {
		assert_true(session_peers_next(peers, heard, now_us, &message));
		/* Another agent's turn comes later. */
		assert_false(session_peers_next(
			peers, 0, now_us + SESSION_PEERS_PAUSE_US - 1, &message));
		assert_true(message.n_items <= PROTO_PEERS_MAX);
		assert_int_equal(message.after, heard);
		n_told += message.n_items;
		heard = message.change;
		now_us += SESSION_PEERS_PAUSE_US;
	}
	assert_int_equal(n_told, 2 * PROTO_PEERS_MAX + 1);
	assert_false(session_peers_next(peers, heard, now_us, &message));
	free(peers);
}

/* Those that have gone the longest ago give way. */
static void session_peers_have_a_limit(void **state)
{
	struct session_peers *peers = calloc(1, sizeof(*peers));

	for (uint32_t id = 1; id <= SESSION_PEERS_MAX; id++)
		set(peers, (uint16_t)id, START_US + id);
	assert_int_equal(peers->len, SESSION_PEERS_MAX);
	set(peers, SESSION_PEERS_MAX + 1, START_US + 10000);
	assert_int_equal(peers->len, SESSION_PEERS_MAX);
	assert_int_equal(peers->items[SESSION_PEERS_MAX - 1].peer.id, SESSION_PEERS_MAX);
	remove_peer(peers, 7, START_US + 20000);
	remove_peer(peers, 8, START_US + 20001);
	set(peers, SESSION_PEERS_MAX + 1, START_US + 30000);
	assert_int_equal(peers->len, SESSION_PEERS_MAX);
	assert_int_equal(peers->items[SESSION_PEERS_MAX - 1].peer.id, SESSION_PEERS_MAX + 1);
	assert_int_equal(peers->items[SESSION_PEERS_MAX - 2].peer.id, 8);
	free(peers);
}

static enum session_refusal answer_heard(struct bench *bench, struct agent *agent, uint64_t heard)
{
	struct proto_message message = { .version = agent->version, .type = PROTO_ANSWER };
	uint8_t data[PROTO_MESSAGE_MAX];
	int size;

	message.report.status = status_of(agent);
	message.report.peers_heard = heard;
	message.session =
		(struct proto_session){ agent->session_id, ++agent->sequence, agent->echo };
	size = proto_write(&message, data);
	assert_true(size > 0);
	auth_seal(data, (size_t)size, agent->session_keys.to_balancer);
	return deliver(bench, agent, data, (size_t)size);
}

/* Whether a PEERS goes out with the next heartbeat; the last of them is kept. */
static bool heartbeat_tells(
	struct bench *bench, struct agent *agent, struct proto_message *ret_message)
{
	bench->n_sent = 0;
	bench->stop_after_first = true;
	bench->now_us += SESSION_PEERS_PAUSE_US;
	assert_int_equal(
		session_heartbeat(bench->sessions, backend_of(bench, agent)->id, bench->now_us), 0);
	bench->stop_after_first = false;
	if (bench->n_sent == 1)
		return false;
	bench->n_sent = 1;
	*ret_message = take(bench, PROTO_PEERS, agent->session_keys.to_agent);
	return true;
}

static void session_tells_peers_to_who_passes_on(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");
	struct proto_message message;
	uint8_t named_mac[PROTO_NAMED_MAC_BYTES];
	uint16_t id;

	join(bench, &agent);
	assert_false(heartbeat_tells(bench, &agent, &message));
	agent.second_chance = true;
	assert_int_equal(answer_heard(bench, &agent, 0), SESSION_ACCEPTED);
	assert_true(heartbeat_tells(bench, &agent, &message));
	id = backend_of(bench, &agent)->id;
	proto_named_mac(7, named_mac);
	assert_memory_equal(message.peers.named_mac, named_mac, sizeof(named_mac));
	assert_int_equal(message.peers.n_items, 1);
	assert_int_equal(message.peers.items[0].id, id);
	assert_true(mac_equal(&message.peers.items[0].mac, &backend_of(bench, &agent)->mac));
	/* Until it has heard it. */
	assert_true(heartbeat_tells(bench, &agent, &message));
	assert_int_equal(answer_heard(bench, &agent, message.peers.change), SESSION_ACCEPTED);
	assert_false(heartbeat_tells(bench, &agent, &message));
	session_forget(bench->sessions, id + 1); /* nobody's */
	assert_false(heartbeat_tells(bench, &agent, &message));
	/* A new session begins with nothing. */
	join(bench, &agent);
	assert_true(heartbeat_tells(bench, &agent, &message));
	assert_int_equal(message.peers.after, 0);
}

/* The agent may have heard more than a new process knows: it has news all the same. */
static void session_tells_peers_anew_after_a_restart(void **state)
{
	struct bench *bench = *state;
	struct agent agent = agent_make("192.0.2.11:7377");
	struct proto_message message;
	struct session_kept kept;

	agent.second_chance = true;
	join(bench, &agent);
	assert_true(heartbeat_tells(bench, &agent, &message));
	assert_int_equal(session_export(bench->sessions, backend_of(bench, &agent)->id, &kept), 0);
	session_free(bench->sessions);
	bench->sessions = sessions_new(bench, 2);
	bench->now_us += US_PER_S;
	assert_int_equal(session_import(bench->sessions, &kept, bench->now_us), 0);
	take_heartbeat(bench, &agent);
	assert_int_equal(answer_heard(bench, &agent, message.peers.change), SESSION_ACCEPTED);
	assert_true(heartbeat_tells(bench, &agent, &message));
	assert_int_equal(message.peers.items[0].id, kept.backend);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(session_peers_tell_what_is_new),
		cmocka_unit_test(session_peers_tell_in_parts_and_not_too_often),
		cmocka_unit_test(session_peers_have_a_limit),
		BENCH_TEST(session_tells_peers_to_who_passes_on),
		BENCH_TEST(session_tells_peers_anew_after_a_restart),
	};

	return cmocka_run_group_tests_name("session_peers", tests, NULL, NULL);
}
