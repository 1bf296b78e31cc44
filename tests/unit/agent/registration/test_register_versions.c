/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Versions of the protocol in turns, and what the newest has: the ports that a balancer asks about, other balancers. */
#include "register_bench.h"

/* ---- versions ---- */

static void register_asks_in_all_versions_in_turns(void **state)
{
	struct bench *bench = *state;

	start(bench);
	for (unsigned int i = 0; i < 2 * PROTO_VERSION; i++) {
		assert_int_equal(take(bench, PROTO_HELLO)->message.version,
			PROTO_VERSION - i % PROTO_VERSION);
		pass(bench);
	}
}

/* A balancer of the former version: silent to what it does not know. */
static void join_former(struct bench *bench)
{
	bench->version = PROTO_VERSION_1;
	bench->status.max_connections = 7;
	start(bench);
	for (unsigned int version = PROTO_VERSION; version > PROTO_VERSION_1; version--) {
		take(bench, PROTO_HELLO);
		pass(bench);
	}
	challenge(bench);
	take_register(bench);
	admit(bench);
	assert_int_equal(state_of(bench), REGISTER_REGISTERED);
}

static void register_speaks_the_former_version_to_a_former_balancer(void **state)
{
	struct bench *bench = *state;

	join_former(bench);
	assert_int_equal(register_view(bench->registration)->version, PROTO_VERSION_1);
	assert_int_equal(bench->reg.status.max_connections, 0); /* has no place there */
	assert_int_equal(heartbeat(bench), REGISTER_ACCEPTED);
	assert_int_equal(take(bench, PROTO_ANSWER)->message.version, PROTO_VERSION_1);
	/* One that was registered with is asked in its version first. */
	bench->now_us += 10 * INTERVAL_US;
	tick(bench);
	assert_int_equal(take(bench, PROTO_HELLO)->message.version, PROTO_VERSION_1);
}

static void register_takes_an_answer_in_the_version_of_its_question_only(void **state)
{
	struct bench *bench = *state;
	struct proto_message message = { .type = PROTO_CHALLENGE };

	start(bench);
	message.version = PROTO_VERSION_1;
	memcpy(message.challenge.nonce_agent, take(bench, PROTO_HELLO)->message.hello.nonce_agent,
		PROTO_NONCE_BYTES);
	assert_int_equal(deliver(bench, &message, NULL), REGISTER_VERSION);
	take_nothing(bench);
}

/* Heartbeats until the time has come; each is answered. */
static void live_until_newer_is_tried(struct bench *bench)
{
	for (unsigned int i = 0; i < 2000 && bench->n_sent == 0; i++) {
		const struct sent *sent;

		assert_int_equal(heartbeat(bench), REGISTER_ACCEPTED);
		sent = take(bench, PROTO_ANSWER);
		assert_int_equal(sent->message.version, PROTO_VERSION_1);
		bench->now_us += INTERVAL_US;
		tick(bench);
	}
	assert_true(bench->n_sent > 0);
}

/* Its HELLOs in the newest were lost, and one in another version was not. */
static void register_does_not_stay_with_a_version_by_accident(void **state)
{
	struct bench *bench = *state;
	uint64_t joined_us;

	join_former(bench);
	joined_us = bench->now_us;
	live_until_newer_is_tried(bench);
	assert_true(bench->now_us - joined_us < 2 * US_PER_S);
	bench->version = PROTO_VERSION;
	challenge(bench);
	take_register(bench);
	admit(bench);
	assert_int_equal(register_view(bench->registration)->version, PROTO_VERSION);
}

static void register_finds_out_that_its_balancer_was_upgraded(void **state)
{
	struct bench *bench = *state;
	uint64_t since_us;

	join_former(bench);
	since_us = register_view(bench->registration)->since_us;
	/* Not yet upgraded: silence, and the session goes on. */
	live_until_newer_is_tried(bench);
	assert_int_equal(take(bench, PROTO_HELLO)->message.version, PROTO_VERSION);
	live_until_newer_is_tried(bench);
	bench->version = PROTO_VERSION;
	challenge(bench);
	take_register(bench);
	assert_int_equal(bench->reg.status.max_connections, 7);
	/* Its ACCEPT is lost: the same again. */
	bench->version = PROTO_VERSION_1;
	assert_int_equal(heartbeat(bench), REGISTER_ACCEPTED);
	take(bench, PROTO_ANSWER);
	bench->version = PROTO_VERSION;
	pass(bench);
	take_register(bench);
	admit(bench);
	assert_int_equal(register_view(bench->registration)->version, PROTO_VERSION);
	assert_int_equal(register_view(bench->registration)->since_us, since_us);
	assert_int_equal(heartbeat(bench), REGISTER_ACCEPTED);
	take(bench, PROTO_ANSWER);
}

/* ---- what the balancer asks about ---- */

static enum register_refusal ask(struct bench *bench, const struct proto_port *ports, uint8_t len)
{
	struct proto_message message = session_message(bench, PROTO_SERVE, 0);

	message.serve.n_ports = len;
	memcpy(message.serve.ports, ports, len * sizeof(*ports));
	return deliver(bench, &message, bench->keys.to_agent);
}

static const struct proto_port two_ports[] = { { 0, 6, 80, 80, false }, { 0, 6, 443, 443, false } };

static void register_answers_what_its_balancer_asks_about(void **state)
{
	struct bench *bench = *state;
	struct proto_ports_status ports = { .digest = ports_digest(two_ports, 2, NULL, 0),
		.n_ports = 2,
		.items = { { true, true, 5 }, { false, true, 0 } },
		.why = "nothing listens on 198.51.100.10:443" };
	const struct sent *sent;

	join(bench);
	assert_int_equal(ask(bench, two_ports, 2), REGISTER_ACCEPTED);
	assert_int_equal(register_view(bench->registration)->n_asked, 1);
	assert_memory_equal(
		register_asked(bench->registration)->items, two_ports, sizeof(two_ports));
	assert_int_equal(register_asked(bench->registration)->len, 2);
	take_nothing(bench);
	assert_int_equal(register_set_ports(bench->registration, &ports, bench->now_us), 0);
	sent = take(bench, PROTO_UPDATE);
	assert_memory_equal(&sent->message.report.ports, &ports, sizeof(ports));
	acknowledge(bench, sent);
	/* A count alone waits for the next answer. */
	ports.items[0].accepted = 6;
	assert_int_equal(register_set_ports(bench->registration, &ports, bench->now_us), 0);
	take_nothing(bench);
	assert_int_equal(heartbeat(bench), REGISTER_ACCEPTED);
	assert_memory_equal(
		&take(bench, PROTO_ANSWER)->message.report.ports, &ports, sizeof(ports));
	/* The same list again is no news, another one is. */
	assert_int_equal(ask(bench, two_ports, 2), REGISTER_ACCEPTED);
	assert_int_equal(register_view(bench->registration)->n_asked, 1);
	assert_int_equal(ask(bench, two_ports, 1), REGISTER_ACCEPTED);
	assert_int_equal(register_view(bench->registration)->n_asked, 2);
	assert_int_equal(register_set_ports(bench->registration, &ports, bench->now_us), -ESTALE);
	assert_int_equal(heartbeat(bench), REGISTER_ACCEPTED);
	assert_int_equal(take(bench, PROTO_ANSWER)->message.report.ports.n_ports, 0);
}

static void register_names_other_balancers_in_turns(void **state)
{
	struct bench *bench = *state;
	struct proto_other others[2] = { { .name = "lb2" }, { .name = "lb3" } };
	unsigned int named[2] = { 0 };

	assert_int_equal(addr_parse("192.0.2.3", &others[0].address), 0);
	assert_int_equal(addr_parse("192.0.2.4", &others[1].address), 0);
	join(bench);
	register_set_others(bench->registration, others, 2);
	for (unsigned int i = 0; i < 4; i++) {
		const struct proto_other *other;

		assert_int_equal(heartbeat(bench), REGISTER_ACCEPTED);
		other = &take(bench, PROTO_ANSWER)->message.report.other;
		named[0] += addr_equal(&other->address, &others[0].address);
		named[1] += addr_equal(&other->address, &others[1].address);
	}
	assert_int_equal(named[0], 2);
	assert_int_equal(named[1], 2);
}

/* ---- what other balancers say ---- */

static const struct proto_table table = {
	.name = "web", .digest = 5, .members = 6, .weights = 7, .version = "1.2.3"
};

static void register_hears_of_tables_and_tells_them_on(void **state)
{
	struct bench *bench = *state;
	struct proto_message message;
	const struct sent *sent;
	struct addr other;

	assert_int_equal(addr_parse("192.0.2.3", &other), 0);
	/* Before there is a session there is nobody to tell it. */
	register_relay(bench->registration, &other, &table);
	take_nothing(bench);
	join(bench);
	message = session_message(bench, PROTO_TABLE, 0);
	message.told.table = table;
	assert_int_equal(deliver(bench, &message, bench->keys.to_agent), REGISTER_ACCEPTED);
	assert_int_equal(register_view(bench->registration)->n_told, 1);
	assert_memory_equal(&register_view(bench->registration)->told, &table, sizeof(table));
	take_nothing(bench);
	register_relay(bench->registration, &other, &table);
	sent = take(bench, PROTO_RELAY);
	assert_true(addr_equal(&sent->message.told.other, &other));
	assert_memory_equal(&sent->message.told.table, &table, sizeof(table));
	assert_true(auth_open(sent->data, sent->size, bench->keys.to_balancer));
}

static void register_tells_no_table_to_a_former_balancer(void **state)
{
	struct bench *bench = *state;
	struct addr other;

	assert_int_equal(addr_parse("192.0.2.3", &other), 0);
	join_former(bench);
	register_relay(bench->registration, &other, &table);
	take_nothing(bench);
}

/* ---- where other servers are ---- */

static enum register_refusal tell_peers(struct bench *bench, uint64_t after, uint64_t change)
{
	struct proto_message message = session_message(bench, PROTO_PEERS, 0);

	message.peers.named_mac[0] = PROTO_NAMED_MAC_FIRST;
	message.peers.after = after;
	message.peers.change = change;
	message.peers.n_items = 1;
	message.peers.items[0] = (struct proto_peer){ 5, { { 2, 0, 0, 0, 0, 5 } } };
	return deliver(bench, &message, bench->keys.to_agent);
}

static uint64_t answered_heard(struct bench *bench)
{
	assert_int_equal(heartbeat(bench), REGISTER_ACCEPTED);
	return take(bench, PROTO_ANSWER)->message.report.peers_heard;
}

static void register_says_what_it_heard_of_peers(void **state)
{
	struct bench *bench = *state;
	const struct register_view *view = register_view(bench->registration);
	struct proto_status status = bench->status;

	status.second_chance = true;
	join(bench);
	assert_int_equal(answered_heard(bench), 0);
	assert_int_equal(register_set_status(bench->registration, &status, bench->now_us), 0);
	acknowledge(bench, take(bench, PROTO_UPDATE));
	assert_int_equal(tell_peers(bench, 0, 7), REGISTER_ACCEPTED);
	assert_int_equal(view->n_peers, 1);
	assert_int_equal(view->peers.items[0].id, 5);
	assert_int_equal(answered_heard(bench), 7);
	/* Known already; and with a gap before it. */
	assert_int_equal(tell_peers(bench, 0, 7), REGISTER_ACCEPTED);
	assert_int_equal(tell_peers(bench, 8, 9), REGISTER_ACCEPTED);
	assert_int_equal(view->n_peers, 1);
	assert_int_equal(tell_peers(bench, 7, 9), REGISTER_ACCEPTED);
	assert_int_equal(answered_heard(bench), 9);
	/* Whoever wants no more of it has nothing to go on from. */
	status.second_chance = false;
	assert_int_equal(register_set_status(bench->registration, &status, bench->now_us), 0);
	acknowledge(bench, take(bench, PROTO_UPDATE));
	status.second_chance = true;
	assert_int_equal(register_set_status(bench->registration, &status, bench->now_us), 0);
	acknowledge(bench, take(bench, PROTO_UPDATE));
	assert_int_equal(answered_heard(bench), 0);
}

static void register_hears_of_peers_by_authenticated_words(void **state)
{
	struct bench *bench = *state;
	struct proto_message message;

	join(bench);
	message = session_message(bench, PROTO_PEERS, 0);
	message.peers.named_mac[0] = PROTO_NAMED_MAC_FIRST;
	message.peers.change = 7;
	message.peers.n_items = 1;
	message.peers.items[0].id = 5;
	assert_int_equal(deliver(bench, &message, bench->identity.key.secret), REGISTER_TAG);
	assert_int_equal(register_view(bench->registration)->n_peers, 0);
}

static void register_says_nothing_of_peers_to_a_former_balancer(void **state)
{
	struct bench *bench = *state;

	bench->status.second_chance = true;
	join_former(bench);
	assert_int_equal(heartbeat(bench), REGISTER_ACCEPTED);
	assert_false(take(bench, PROTO_ANSWER)->message.report.status.second_chance);
}

/* ---- where the balancer is ---- */

static void register_knows_where_its_balancer_is_by_authenticated_words(void **state)
{
	const struct mac first = { { 2, 0, 0, 0, 0, 1 } }, second = { { 2, 0, 0, 0, 0, 2 } };
	struct bench *bench = *state;
	const struct register_view *view = register_view(bench->registration);
	struct proto_message message;

	start(bench);
	challenge(bench);
	take_register(bench);
	message = accept_of(bench);
	message.accept.place.mac = first;
	assert_int_equal(deliver(bench, &message, bench->identity.key.secret), REGISTER_ACCEPTED);
	assert_true(mac_equal(&view->place.mac, &first));
	message = session_message(bench, PROTO_HEARTBEAT, 0);
	message.heartbeat.place.mac = second;
	assert_int_equal(deliver(bench, &message, bench->identity.key.secret), REGISTER_TAG);
	assert_true(mac_equal(&view->place.mac, &first));
	assert_int_equal(deliver(bench, &message, bench->keys.to_agent), REGISTER_ACCEPTED);
	assert_true(mac_equal(&view->place.mac, &second));
	/* Said again it is an old word. */
	message.heartbeat.place.mac = first;
	assert_int_equal(deliver(bench, &message, bench->keys.to_agent), REGISTER_REPLAY);
	assert_true(mac_equal(&view->place.mac, &second));
	take(bench, PROTO_ANSWER);
	assert_int_equal(heartbeat(bench), REGISTER_ACCEPTED);
	assert_true(mac_is_zero(&view->place.mac));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(register_asks_in_all_versions_in_turns),
		TEST(register_speaks_the_former_version_to_a_former_balancer),
		TEST(register_takes_an_answer_in_the_version_of_its_question_only),
		TEST(register_does_not_stay_with_a_version_by_accident),
		TEST(register_finds_out_that_its_balancer_was_upgraded),
		TEST(register_answers_what_its_balancer_asks_about),
		TEST(register_names_other_balancers_in_turns),
		TEST(register_hears_of_tables_and_tells_them_on),
		TEST(register_tells_no_table_to_a_former_balancer),
		TEST(register_knows_where_its_balancer_is_by_authenticated_words),
		TEST(register_says_what_it_heard_of_peers),
		TEST(register_hears_of_peers_by_authenticated_words),
		TEST(register_says_nothing_of_peers_to_a_former_balancer),
	};

	return cmocka_run_group_tests_name("register_versions", tests, NULL, NULL);
}
