/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may register, who is told why not, and what is remembered of those who went.
 */
#include "registry_world.h"

#include "common/proto/auth.h"

static void assert_rejected(struct world *world, struct world_agent *agent, enum proto_reject code)
{
	size_t len = registry_len(world->registry);
	struct world_answer answer = world_register(world, agent);

	assert_int_equal(answer.r, -EPERM);
	assert_string_equal(proto_reject_name(answer.code), proto_reject_name(code));
	assert_true(answer.why.text[0] != '\0');
	assert_int_equal(registry_len(world->registry), len);
}

static void registry_wants_the_source_to_be_the_real_ip(void **state)
{
	struct world *world = *state;
	struct world_agent *agent = world_agent(world, "web1", 11, "198.51.100.10");
	struct addr source = world_addr("192.0.2.12");
	struct world_answer answer = world_register_at(world, agent, &source, world->now_us);

	assert_int_equal(answer.r, -EPERM);
	assert_int_equal(answer.code, PROTO_REJECT_ADDRESS);
	agent->reg.real_ip = world_addr("203.0.113.9");
	assert_rejected(world, agent, PROTO_REJECT_ADDRESS);
}

static void registry_wants_a_known_vip_that_takes_agents(void **state)
{
	struct world *world = *state;
	struct world_agent *agent = world_agent(world, "web1", 11, "198.51.100.99");

	assert_rejected(world, agent, PROTO_REJECT_NO_VIP);
	agent->reg.vips[0] = world_addr("198.51.100.10");
	world->services[0].use_agents = false;
	world_configure(world);
	assert_rejected(world, agent, PROTO_REJECT_NO_VIP);
}

static void registry_judges_allow(void **state)
{
	struct world *world = *state;
	struct world_agent *agent = world_agent(world, "web1", 11, "198.51.100.10");
	struct addr_prefix allow;

	assert_int_equal(addr_prefix_parse("192.0.2.128/25", &allow), 0);
	world->services[0].allow = &allow;
	world->services[0].n_allow = 1;
	world_configure(world);
	assert_rejected(world, agent, PROTO_REJECT_NOT_ALLOWED);
	assert_int_equal(addr_prefix_parse("192.0.2.11/32", &allow), 0);
	world_configure(world);
	assert_int_equal(world_register(world, agent).r, 0);
	world_pass(world, MS(1));
	assert_int_equal(world_backend(world, "web1")->state, BACKEND_UP);
	/* A reload judges those who are there anew. */
	assert_int_equal(addr_prefix_parse("192.0.2.12/32", &allow), 0);
	world_configure(world);
	assert_int_equal(world_backend(world, "web1")->state, BACKEND_DOWN);
	assert_false(world_is_member(world, world_backend(world, "web1"), &world->services[0]));
	world->services[0].allow = NULL;
}

static void registry_refuses_a_name_that_is_an_address(void **state)
{
	struct world *world = *state;

	assert_rejected(world, world_agent(world, "192.0.2.12", 11, "198.51.100.10"),
		PROTO_REJECT_NOT_ALLOWED);
	assert_rejected(world, world_agent(world, "2001:db8::12", 11, "198.51.100.10"),
		PROTO_REJECT_NOT_ALLOWED);
	assert_int_equal(
		world_register(world, world_agent(world, "192.0.2", 11, "198.51.100.10")).r, 0);
}

static void registry_refuses_clones_of_the_living(void **state)
{
	struct world *world = *state;
	struct world_agent *other_address, *other_name, *other_mac;

	world_farm(world, 3);
	other_address = world_agent(world, "web01", 99, "198.51.100.10");
	other_address->key_id = "other";
	assert_rejected(world, other_address, PROTO_REJECT_CLONE);
	other_name = world_agent(world, "other", 11, "198.51.100.10");
	assert_rejected(world, other_name, PROTO_REJECT_CLONE);
	other_mac = world_agent(world, "web01", 11, "198.51.100.10");
	other_mac->reg.mac = world_mac(200);
	other_mac->key_id = "other";
	assert_rejected(world, other_mac, PROTO_REJECT_CLONE);
	assert_int_equal(world_backend(world, "web01")->state, BACKEND_UP);
}

/* Its old place is asked, and does not answer: the same backend, and its flows stay. */
static void assert_moves(struct world *world, struct world_agent *moved)
{
	uint16_t id = world->agents[0].id;
	uint32_t n_states = world->n_states;

	world->agents[0].answers = false;
	assert_int_equal(world_register(world, moved).r, -EAGAIN);
	world_pass(world, MS(200));
	assert_int_equal(world_register(world, moved).r, -EAGAIN);
	world_pass(world, MS(110));
	assert_int_equal(world_register(world, moved).r, 0);
	assert_int_equal(moved->id, id);
	world->agents[0].id = 0;
	world_pass(world, MS(5000));
	assert_int_equal(world->n_states, n_states);
	assert_int_equal(world->n_forgotten, 0);
	assert_true(world_backend(world, "web01")->takes_flows);
	assert_true(mac_equal(&world_backend(world, "web01")->mac, &moved->reg.mac));
	assert_true(addr_equal(&world_backend(world, "web01")->address, &moved->reg.real_ip));
	assert_ptr_equal(registry_find_address(world->registry, &moved->reg.real_ip),
		world_backend(world, "web01"));
}

static void registry_follows_a_mac_that_changes(void **state)
{
	struct world *world = *state;
	struct world_agent *moved;

	world_farm(world, 3);
	moved = world_agent(world, "web01", 11, "198.51.100.10");
	moved->reg.mac = world_mac(200);
	assert_moves(world, moved);
	assert_int_equal(world->n_moved, 0);
}

/* Its question comes late, after as many missed heartbeats as are else a death. */
static void registry_waits_for_one_that_moved(void **state)
{
	struct world *world = *state;
	struct world_agent *moved;
	uint32_t n_states;

	world_farm(world, 3);
	n_states = world->n_states;
	moved = world_agent(world, "web01", 99, "198.51.100.10");
	moved->reg.mac = world_mac(11);
	world->agents[0].answers = false;
	assert_int_equal(world_register(world, moved).r, -EAGAIN);
	world_pass(world, MS(1400));
	assert_int_equal(world->n_states, n_states);
	assert_int_equal(world_register(world, moved).r, 0);
	world->agents[0].id = 0;
	world_pass(world, MS(5000));
	assert_int_equal(world->n_states, n_states);
}

/* Who asks and does not come back holds nobody's death up for longer than that. */
static void registry_waits_for_a_mover_once(void **state)
{
	struct world *world = *state;
	struct world_agent *moved;

	world_farm(world, 3);
	moved = world_agent(world, "web01", 99, "198.51.100.10");
	moved->reg.mac = world_mac(11);
	world->agents[0].answers = false;
	assert_int_equal(world_register(world, moved).r, -EAGAIN);
	world_pass(world, MS(1600));
	assert_int_equal(world_backend(world, "web01")->state, BACKEND_DOWN);
}

static void registry_follows_an_address_that_changes(void **state)
{
	struct world *world = *state;
	const struct addr old = world_addr("192.0.2.11");
	struct world_agent *moved;

	world_farm(world, 3);
	moved = world_agent(world, "web01", 99, "198.51.100.10");
	moved->reg.mac = world_mac(11);
	assert_moves(world, moved);
	assert_int_equal(world->n_moved, 1);
	assert_null(registry_find_address(world->registry, &old));
}

static void registry_asks_at_once_whose_address_says_hello(void **state)
{
	struct world *world = *state;
	uint64_t sent_us;

	world_farm(world, 3);
	world->agents[0].answers = false;
	world_pass(world, MS(1));
	registry_hello(world->registry, &world->agents[0].reg.real_ip, world->now_us);
	world_pass(world, MS(1));
	sent_us = world_backend(world, "web01")->sent_us;
	assert_true(world->now_us - sent_us <= MS(1));
	/* It owes an answer: no more of them makes another. */
	registry_hello(world->registry, &world->agents[0].reg.real_ip, world->now_us);
	world_pass(world, MS(1));
	assert_int_equal(world_backend(world, "web01")->sent_us, sent_us);
	assert_false(
		registry_is_overdue(world->registry, world_backend(world, "web01"), world->now_us));
	world_pass(world, MS(100));
	assert_true(
		registry_is_overdue(world->registry, world_backend(world, "web01"), world->now_us));
	assert_int_equal(world_backend(world, "web01")->state, BACKEND_UP);
}

static void registry_refuses_a_clone_whose_original_answers(void **state)
{
	struct world *world = *state;
	struct world_agent *clone;

	world_farm(world, 3);
	for (uint8_t host = 11; host <= 99; host += 88) {
		clone = world_agent(world, "web01", host, "198.51.100.10");
		clone->reg.mac = world_mac(200);
		for (int i = 0; i < 3; i++) {
			assert_int_equal(world_register(world, clone).r, -EAGAIN);
			world_pass(world, MS(200));
			assert_rejected(world, clone, PROTO_REJECT_CLONE);
			world_pass(world, MS(2000));
		}
	}
	assert_true(mac_equal(&world_backend(world, "web01")->mac, &world->agents[0].reg.mac));
	assert_int_equal(world_backend(world, "web01")->state, BACKEND_UP);
}

static void registry_lets_the_dead_be_replaced(void **state)
{
	struct world *world = *state;
	struct world_agent *moved, *renamed;
	uint16_t id;

	world_farm(world, 5);
	id = world->agents[0].id;
	world->agents[0].answers = false;
	world->agents[1].answers = false;
	world_pass(world, MS(3000));
	moved = world_agent(world, "web01", 99, "198.51.100.10");
	assert_int_equal(world_register(world, moved).r, 0);
	assert_int_not_equal(moved->id, id);
	assert_null(registry_find(world->registry, "192.0.2.11"));
	renamed = world_agent(world, "new", 12, "198.51.100.10");
	renamed->reg.mac = world_mac(222);
	assert_int_equal(world_register(world, renamed).r, 0);
	assert_null(registry_find(world->registry, "web02"));
	assert_int_equal(world->n_forgotten, 2);
	assert_int_equal(registry_len(world->registry), 5);
}

static void registry_answers_a_repeated_register(void **state)
{
	struct world *world = *state;
	struct world_agent *agent = world_join(world, "web1", 11, "198.51.100.10");
	uint64_t challenge_us = world->now_us;
	struct world_answer answer;

	answer = world_register_at(world, agent, &agent->reg.real_ip, challenge_us);
	assert_int_equal(answer.r, 0);
	assert_true(answer.repeated);
	/* The same challenge with another nonce is no repetition. */
	agent->reg.nonce_agent[0] ^= 1;
	answer = world_register_at(world, agent, &agent->reg.real_ip, challenge_us);
	assert_int_equal(answer.r, -ESTALE);
}

static void registry_ignores_replays_of_old_sessions(void **state)
{
	struct world *world = *state;
	struct world_agent *agent = world_join(world, "web1", 11, "198.51.100.10");
	uint64_t first_us = world->now_us;
	uint64_t session;

	world_pass(world, MS(1000));
	assert_int_equal(world_register(world, agent).r, 0);
	session = world_backend(world, "web1")->session_id;
	assert_int_equal(world_register_at(world, agent, &agent->reg.real_ip, first_us).r, -ESTALE);
	assert_int_equal(world_backend(world, "web1")->session_id, session);
}

static void registry_ignores_replays_after_a_leave(void **state)
{
	struct world *world = *state;
	struct world_agent *agent = world_join(world, "web1", 11, "198.51.100.10");
	uint64_t challenge_us = world->now_us;

	registry_leave(world->registry, agent->id, world->now_us);
	assert_int_equal(
		world_register_at(world, agent, &agent->reg.real_ip, challenge_us).r, -ESTALE);
	assert_int_equal(registry_len(world->registry), 0);
	assert_int_equal(world_register(world, agent).r, 0);
}

static void registry_buries_more_than_it_has_room_for(void **state)
{
	struct world *world = *state;
	struct world_agent *agent = world_agent(world, "web1", 0, "198.51.100.10");
	uint64_t first_us = 0;

	/* More leave within the life of a challenge than there are ended (256). */
	for (unsigned int i = 0; i < 300; i++) {
		agent->reg.real_ip = world_addr("2001:db8::1:0");
		agent->reg.real_ip.bytes[14] = (uint8_t)(i >> 8);
		agent->reg.real_ip.bytes[15] = (uint8_t)i;
		assert_int_equal(world_register(world, agent).r, 0);
		if (i == 0)
			first_us = world->now_us;
		registry_leave(world->registry, agent->id, world->now_us);
		world_drain_actions(world);
	}
	agent->reg.real_ip = world_addr("2001:db8::1:0");
	assert_int_equal(world_register_at(world, agent, &agent->reg.real_ip, first_us).r, -ESTALE);
	assert_int_equal(world_register(world, agent).r, 0);
}

static void registry_waits_for_approval(void **state)
{
	struct world *world = *state;
	struct world_agent *agent;

	world->config.adopt = REGISTRY_ADOPT_APPROVE;
	world_configure(world);
	agent = world_join(world, "web1", 11, "198.51.100.10");
	world_pass(world, MS(2000));
	assert_int_equal(world_backend(world, "web1")->state, BACKEND_PENDING);
	assert_non_null(strstr(world_backend(world, "web1")->reason, "dsr-lb adopt web1"));
	assert_int_equal(registry_approve(world->registry, "web1", true, world->now_us), 0);
	world_drain_actions(world);
	assert_int_equal(world_backend(world, "web1")->state, BACKEND_UP);
	/* It is remembered over a leave. */
	registry_leave(world->registry, agent->id, world->now_us);
	assert_int_equal(world_register(world, agent).r, 0);
	world_pass(world, MS(1));
	assert_int_equal(world_backend(world, "web1")->state, BACKEND_UP);
	assert_int_equal(registry_approve(world->registry, "web1", false, world->now_us), 0);
	world_drain_actions(world);
	assert_int_equal(world_backend(world, "web1")->state, BACKEND_MAINT);
	assert_rejected(world, agent, PROTO_REJECT_ADMIN);
	registry_leave(world->registry, agent->id, world->now_us);
	world_drain_actions(world);
	assert_rejected(world, agent, PROTO_REJECT_ADMIN);
	assert_int_equal(registry_approve(world->registry, "web1", true, world->now_us), 0);
	assert_int_equal(world_register(world, agent).r, 0);
	assert_int_equal(registry_approve(world->registry, "nobody", true, world->now_us), -ENOENT);
}

static void assert_asks_again(struct world *world, struct world_agent *agent)
{
	assert_int_equal(world_register(world, agent).r, 0);
	world_pass(world, MS(1000));
	assert_int_equal(world_backend(world, "web1")->state, BACKEND_PENDING);
	assert_false(world_backend(world, "web1")->approved);
	registry_leave(world->registry, agent->id, world->now_us);
	world_drain_actions(world);
}

static void assert_is_approved(struct world *world, struct world_agent *agent)
{
	assert_int_equal(world_register(world, agent).r, 0);
	world_pass(world, MS(1000));
	assert_int_equal(world_backend(world, "web1")->state, BACKEND_UP);
	registry_leave(world->registry, agent->id, world->now_us);
	world_drain_actions(world);
}

static void registry_approves_a_name_with_its_key(void **state)
{
	struct world *world = *state;
	struct world_agent *agent, *stranger;

	world->config.adopt = REGISTRY_ADOPT_APPROVE;
	world_configure(world);
	agent = world_join(world, "web1", 11, "198.51.100.10");
	assert_int_equal(registry_approve(world->registry, "web1", true, world->now_us), 0);
	/* Alive, with another key: it asks again. */
	agent->key_id = "other";
	assert_asks_again(world, agent);
	agent->key_id = "shared";
	assert_int_equal(world_register(world, agent).r, 0);
	assert_int_equal(registry_approve(world->registry, "web1", true, world->now_us), 0);
	registry_leave(world->registry, agent->id, world->now_us);
	world_drain_actions(world);
	/* It left: another address with the shared key, and another key, ask again; itself does not. */
	stranger = world_agent(world, "web1", 66, "198.51.100.10");
	assert_asks_again(world, stranger);
	agent->key_id = "other";
	assert_asks_again(world, agent);
	agent->key_id = "shared";
	assert_is_approved(world, agent);
	/* A key of its own is good for it wherever it is. */
	agent->key_id = stranger->key_id = "web1";
	agent->key_bound = stranger->key_bound = true;
	assert_int_equal(world_register(world, agent).r, 0);
	assert_int_equal(registry_approve(world->registry, "web1", true, world->now_us), 0);
	/* Nor is the next key of its own another one: keys are changed one after the other. */
	agent->key_id = stranger->key_id = "next/web1";
	assert_int_equal(world_register(world, agent).r, 0);
	assert_true(world_backend(world, "web1")->approved);
	registry_leave(world->registry, agent->id, world->now_us);
	world_drain_actions(world);
	agent->key_id = stranger->key_id = "last/web1";
	assert_is_approved(world, stranger);
}

/* Somebody with the shared key and its name comes while it is silent, and goes again: it is approved where it was. */
static void registry_approves_who_comes_back_to_where_it_was(void **state)
{
	struct world *world = *state;
	struct world_agent *agent, *stranger;

	world->config.adopt = REGISTRY_ADOPT_APPROVE;
	world_configure(world);
	agent = world_join(world, "web1", 11, "198.51.100.10");
	assert_int_equal(registry_approve(world->registry, "web1", true, world->now_us), 0);
	world_pass(world, MS(1000));
	stranger = world_agent(world, "web1", 66, "198.51.100.10");
	agent->answers = false;
	assert_int_equal(world_register(world, stranger).r, -EAGAIN);
	world_pass(world, MS(1400));
	assert_int_equal(world_register(world, stranger).r, 0);
	agent->id = 0;
	world_pass(world, MS(1000));
	assert_int_equal(world_backend(world, "web1")->state, BACKEND_PENDING);
	assert_false(world_backend(world, "web1")->approved);
	registry_leave(world->registry, stranger->id, world->now_us);
	world_drain_actions(world);
	agent->answers = true;
	assert_is_approved(world, agent);
}

/* That one does not leave but falls silent, and what is said of the name meanwhile is of it alone. */
static void registry_approves_who_moves_back(void **state)
{
	struct world *world = *state;
	struct world_agent *agent, *stranger;

	world->config.adopt = REGISTRY_ADOPT_APPROVE;
	world_configure(world);
	agent = world_join(world, "web1", 11, "198.51.100.10");
	stranger = world_agent(world, "web1", 66, "198.51.100.10");
	assert_int_equal(registry_approve(world->registry, "web1", true, world->now_us), 0);
	for (unsigned int i = 0; i < 3; i++) {
		world_pass(world, MS(1000));
		agent->answers = false;
		assert_int_equal(world_register(world, stranger).r, -EAGAIN);
		world_pass(world, MS(1400));
		assert_int_equal(world_register(world, stranger).r, 0);
		agent->id = 0;
		stranger->answers = true;
		world_pass(world, MS(1000));
		assert_false(world_backend(world, "web1")->approved);
		stranger->answers = false;
		agent->answers = true;
		assert_int_equal(world_register(world, agent).r, -EAGAIN);
		world_pass(world, MS(1400));
		assert_int_equal(world_register(world, agent).r, 0);
		stranger->id = 0;
		assert_true(world_backend(world, "web1")->approved);
	}
	world_pass(world, MS(1000));
	agent->answers = false;
	assert_int_equal(world_register(world, stranger).r, -EAGAIN);
	world_pass(world, MS(1400));
	assert_int_equal(world_register(world, stranger).r, 0);
	agent->id = 0;
	assert_int_equal(
		registry_admin(world->registry, "web1", BACKEND_ADMIN_DRAIN, world->now_us), 0);
	registry_leave(world->registry, stranger->id, world->now_us);
	world_drain_actions(world);
	agent->answers = true;
	assert_int_equal(world_register(world, agent).r, 0);
	assert_true(world_backend(world, "web1")->approved);
}

static void registry_takes_an_old_approval_for_the_next_key(void **state)
{
	struct world *world = *state;
	const struct registry_override old = {
		.name = "web1", .address = world_addr("192.0.2.99"), .approved = true
	};

	world->config.adopt = REGISTRY_ADOPT_APPROVE;
	world_configure(world);
	assert_int_equal(registry_restore_override(world->registry, &old), 0);
	assert_is_approved(world, world_agent(world, "web1", 11, "198.51.100.10"));
	assert_asks_again(world, world_agent(world, "web1", 12, "198.51.100.10"));
}

static void registry_gives_the_configured_weight_back(void **state)
{
	struct world *world = *state;
	struct world_agent *agent = world_agent(world, "web1", 11, "198.51.100.10");
	struct registry *registry = world->registry;

	agent->reg.status.weight = 10;
	assert_int_equal(world_register(world, agent).r, 0);
	world_pass(world, MS(1000));
	assert_int_equal(world_say_weight(world, "web1", NULL, "50%"), 0);
	assert_int_equal(world_effective(world, "web1"), 5);
	assert_int_equal(world_say_weight(world, "web1", NULL, "1%"), 0);
	assert_int_equal(world_weight(world, "web1"), 1);
	assert_int_equal(world_say_weight(world, "web1", NULL, "0%"), 0);
	assert_int_equal(world_effective(world, "web1"), 0);
	assert_int_equal(world_say_weight(world, "web1", NULL, "configured"), 0);
	assert_int_equal(world_effective(world, "web1"), 10);
	/* It is the agent's own again. */
	agent->reg.status.weight = 7;
	world_update(world, agent);
	assert_int_equal(world_weight(world, "web1"), 7);
	/* A share follows what it is of. */
	assert_int_equal(world_say_weight(world, "web1", NULL, "50%"), 0);
	assert_int_equal(world_weight(world, "web1"), 4);
	agent->reg.status.weight = 20;
	world_update(world, agent);
	assert_int_equal(world_weight(world, "web1"), 10);
	agent->reg.status.weight = 7;
	world_update(world, agent);
	/* And of one that left. */
	assert_int_equal(world_say_weight(world, "web1", NULL, "3"), 0);
	registry_leave(registry, agent->id, world->now_us);
	assert_int_equal(world_say_weight(world, "web1", NULL, "300%"), 0);
	world_drain_actions(world);
	assert_int_equal(world_register(world, agent).r, 0);
	assert_int_equal(world_weight(world, "web1"), 21);
	registry_leave(registry, agent->id, world->now_us);
	assert_int_equal(world_say_weight(world, "web1", NULL, "configured"), 0);
	world_drain_actions(world);
	assert_int_equal(world_register(world, agent).r, 0);
	assert_int_equal(world_weight(world, "web1"), 7);
	assert_int_equal(world_say_weight(world, "nobody", NULL, "configured"), -ENOENT);
}

static void registry_gives_an_agent_of_weight_nothing_no_new_flows(void **state)
{
	struct world *world = *state;

	world_farm(world, 2);
	world->agents[0].reg.status.weight = 0;
	world_pass(world, MS(300));
	assert_int_equal(world_backend(world, "web01")->state, BACKEND_UP);
	assert_int_equal(world_effective(world, "web01"), 0);
	assert_true(world_backend(world, "web01")->takes_flows);
	assert_false(world_backend(world, "web01")->takes_new);
	assert_int_equal(world_say_weight(world, "web01", NULL, "50%"), 0);
	assert_int_equal(world_weight(world, "web01"), 0);
	assert_int_equal(world_say_weight(world, "web01", NULL, "configured"), 0);
	world->agents[0].reg.status.weight = 3;
	world_pass(world, MS(300));
	assert_int_equal(world_effective(world, "web01"), 3);
}

static void registry_knows_a_rejected_name_at_the_address_of_another(void **state)
{
	struct world *world = *state;
	struct world_agent *rejected;

	world_farm(world, 5);
	assert_int_equal(registry_approve(world->registry, "web01", false, world->now_us), 0);
	world->agents[1].answers = false;
	world_pass(world, MS(3000));
	rejected = world_agent(world, "web01", 12, "198.51.100.10");
	assert_rejected(world, rejected, PROTO_REJECT_ADMIN);
	/* The same when it has left. */
	registry_leave(world->registry, world->agents[0].id, world->now_us);
	world_drain_actions(world);
	assert_rejected(world, rejected, PROTO_REJECT_ADMIN);
	/* Another name at the address of a silent one is new: nobody is adopted that way. */
	world->config.adopt = REGISTRY_ADOPT_OFF;
	world_configure(world);
	assert_rejected(
		world, world_agent(world, "new", 12, "198.51.100.10"), PROTO_REJECT_NOT_ALLOWED);
}

static void registry_adopts_nobody_new_when_off(void **state)
{
	struct world *world = *state;
	struct world_agent *agent;

	world_farm(world, 1);
	world->config.adopt = REGISTRY_ADOPT_OFF;
	world_configure(world);
	assert_int_equal(world_backend(world, "web01")->state, BACKEND_UP);
	assert_int_equal(world_register(world, &world->agents[0]).r, 0);
	agent = world_agent(world, "new", 99, "198.51.100.10");
	assert_rejected(world, agent, PROTO_REJECT_NOT_ALLOWED);
}

static void fill(struct world *world, struct world_agent *agent, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		snprintf(agent->reg.name, sizeof(agent->reg.name), "n%04u", i);
		agent->reg.real_ip = world_addr("2001:db8::1:0");
		agent->reg.real_ip.bytes[14] = (uint8_t)(i >> 8);
		agent->reg.real_ip.bytes[15] = (uint8_t)i;
		assert_int_equal(world_register(world, agent).r, 0);
	}
}

static void registry_refuses_one_too_many_until_one_is_long_dead(void **state)
{
	struct world *world = *state;
	struct world_agent *agent = world_agent(world, "n", 0, "198.51.100.10");
	struct world_agent *late;

	agent->answers = false;
	fill(world, agent, REGISTRY_BACKENDS_MAX);
	late = world_agent(world, "late", 99, "198.51.100.10");
	assert_rejected(world, late, PROTO_REJECT_FULL);
	assert_string_equal(
		world_register(world, late).why.text, "the balancer has 4096 backends already");
	for (int i = 0; i < 8; i++) {
		world->now_us += MS(400);
		registry_tick(world->registry, world->now_us);
	}
	world_drain_actions(world);
	assert_int_equal(world_backend(world, "n0000")->state, BACKEND_DOWN);
	assert_rejected(world, late, PROTO_REJECT_FULL);
	world->now_us += REGISTRY_FORGET_US;
	assert_int_equal(world_register(world, late).r, 0);
	assert_int_equal(registry_len(world->registry), REGISTRY_BACKENDS_MAX);
	assert_null(registry_find(world->registry, "n0000"));
}

static void registry_forgets_the_oldest_wish_of_too_many(void **state)
{
	struct world *world = *state;
	struct world_agent *agent = world_agent(world, "n", 0, "198.51.100.10");

	fill(world, agent, REGISTRY_OVERRIDES_MAX + 1);
	for (unsigned int i = 0; i <= REGISTRY_OVERRIDES_MAX; i++) {
		char name[8];

		snprintf(name, sizeof(name), "n%04u", i);
		registry_admin(world->registry, name, BACKEND_ADMIN_MAINT, world->now_us);
		registry_leave(world->registry, world_backend(world, name)->id, world->now_us);
	}
	world_drain_actions(world);
	fill(world, agent, 2);
	assert_int_equal(world_backend(world, "n0000")->admin, BACKEND_ADMIN_NONE);
	assert_int_equal(world_backend(world, "n0001")->admin, BACKEND_ADMIN_MAINT);
}

static void registry_reuses_ids_only_after_a_wrap(void **state)
{
	struct world *world = *state;
	struct world_agent *agent = world_agent(world, "web1", 11, "198.51.100.10");
	struct world_agent *stays = world_join(world, "stays", 12, "198.51.100.10");

	assert_int_equal(stays->id, 1);
	for (unsigned int i = 2; i <= UINT16_MAX; i++) {
		assert_int_equal(world_register(world, agent).r, 0);
		assert_int_equal(agent->id, i);
		registry_leave(world->registry, agent->id, world->now_us);
	}
	/* 1 is still in use. */
	assert_int_equal(world_register(world, agent).r, 0);
	assert_int_equal(agent->id, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define FACT(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
		FACT(registry_wants_the_source_to_be_the_real_ip),
		FACT(registry_wants_a_known_vip_that_takes_agents),
		FACT(registry_judges_allow),
		FACT(registry_refuses_a_name_that_is_an_address),
		FACT(registry_refuses_clones_of_the_living),
		FACT(registry_follows_a_mac_that_changes),
		FACT(registry_follows_an_address_that_changes),
		FACT(registry_waits_for_one_that_moved),
		FACT(registry_waits_for_a_mover_once),
		FACT(registry_asks_at_once_whose_address_says_hello),
		FACT(registry_refuses_a_clone_whose_original_answers),
		FACT(registry_lets_the_dead_be_replaced),
		FACT(registry_answers_a_repeated_register),
		FACT(registry_ignores_replays_of_old_sessions),
		FACT(registry_ignores_replays_after_a_leave),
		FACT(registry_buries_more_than_it_has_room_for),
		FACT(registry_waits_for_approval),
		FACT(registry_approves_a_name_with_its_key),
		FACT(registry_approves_who_comes_back_to_where_it_was),
		FACT(registry_approves_who_moves_back),
		FACT(registry_takes_an_old_approval_for_the_next_key),
		FACT(registry_gives_the_configured_weight_back),
		FACT(registry_gives_an_agent_of_weight_nothing_no_new_flows),
		FACT(registry_knows_a_rejected_name_at_the_address_of_another),
		FACT(registry_adopts_nobody_new_when_off),
		FACT(registry_refuses_one_too_many_until_one_is_long_dead),
		FACT(registry_forgets_the_oldest_wish_of_too_many),
		FACT(registry_reuses_ids_only_after_a_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
