/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A world for the tests of the registry: agents that answer, fall silent and speak; a neighbour
 * table; a clock that passes; and what came of it. Every action is held against what it must
 * never be.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lb/registry/registry.h"

#define WORLD_AGENTS_MAX 64u
#define WORLD_START_US   (1000 * US_PER_S)
#define MS(n)            ((uint64_t)(n)*US_PER_MS)

struct world_agent {
	struct proto_register reg;
	uint16_t id;
	bool answers;
	bool host_answers; /* ARP or ND */
	const char *key_id;
	bool key_bound;
	uint8_t protocol; /* version that it speaks */
};

struct world {
	struct registry *registry;
	uint64_t now_us;
	struct registry_service services[8];
	struct registry_static statics[16];
	struct addr_prefix subnets[2];
	struct registry_config config;
	struct world_agent agents[WORLD_AGENTS_MAX];
	size_t n_agents;
	uint64_t sessions;
	/* What was asked of us. */
	uint32_t n_heartbeats, n_changed, n_urgent, n_states, n_forgotten, n_moved, n_remarks,
		n_probes, n_checks, n_paths;
	uint16_t last_check_port;
	struct registry_action last_state;
	bool cannot_send;      /* heartbeats, for a want of this host's own */
	uint32_t lost_percent; /* of heartbeats, and of their answers; from `dice` */
	uint64_t dice;
	/* Answers to RUN_CHECK; without it they stay open. */
	bool checks_answer;
	enum registry_check_outcome check_outcome; /* failed, when nothing was said */
};

static inline bool world_loses(struct world *world)
{
	world->dice = world->dice * 6364136223846793005u + 1442695040888963407u;
	return (world->dice >> 33) % 100 < world->lost_percent;
}

static inline struct addr world_addr(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	return addr;
}

static inline struct mac world_mac(uint8_t last)
{
	return (struct mac){ { 2, 0, 0, 0, 0, last } };
}

static inline void world_service(
	struct world *world, size_t idx, const char *virtual_server, const char *vip)
{
	world->services[idx] = (struct registry_service){ .id = (uint16_t)(idx + 1),
		.virtual_server = virtual_server,
		.vip = world_addr(vip),
		.use_agents = true,
		.check_interval_us = MS(2000),
		.check_timeout_us = MS(1000),
		.check_fall = 3,
		.check_rise = 2,
		.drain_timeout_us = MS(5000) };
	world->config.n_services = MAX(world->config.n_services, idx + 1);
}

static inline struct registry_static *world_static(
	struct world *world, const char *virtual_server, const char *name, const char *address)
{
	struct registry_static *static_ = &world->statics[world->config.n_statics++];

	memset(static_, 0, sizeof(*static_));
	snprintf(static_->name, sizeof(static_->name), "%s", name ? name : address);
	static_->address = world_addr(address);
	static_->weight = 1;
	static_->virtual_server = virtual_server;
	return static_;
}

/* One virtual server, web at 198.51.100.10, on 192.0.2.0/24; 300 ms, fall 3, rise 2. */
static inline void world_open(struct world *world)
{
	memset(world, 0, sizeof(*world));
	world->registry = registry_new(42);
	assert_non_null(world->registry);
	world->now_us = WORLD_START_US;
	assert_int_equal(addr_prefix_parse("192.0.2.0/24", &world->subnets[0]), 0);
	assert_int_equal(addr_prefix_parse("2001:db8::/64", &world->subnets[1]), 0);
	world->config = (struct registry_config){ .services = world->services,
		.statics = world->statics,
		.subnets = world->subnets,
		.n_subnets = 2,
		.interval_us = MS(300),
		.fall = 3,
		.rise = 2,
		.adopt = REGISTRY_ADOPT_AUTO };
	world_service(world, 0, "web", "198.51.100.10");
}

static inline void world_close(struct world *world)
{
	registry_free(world->registry);
}

static inline const struct backend *world_backend(const struct world *world, const char *name)
{
	const struct backend *backend = registry_find(world->registry, name);

	assert_non_null(backend);
	return backend;
}

static inline bool world_serves(const struct world *world, const char *name, size_t service)
{
	const struct backend *backend = world_backend(world, name);

	for (size_t i = 0; i < registry_memberships(world->registry, backend); i++) {
		struct registry_member member = registry_membership(world->registry, backend, i);

		if (member.service == world->services[service].id)
			return member.serves;
	}
	return false;
}

/* What it is to the service at this position of the world's. */
static inline struct registry_member world_member(
	const struct world *world, const char *name, size_t service)
{
	struct registry_member member;

	assert_true(registry_member_of(
		world->registry, world_backend(world, name), &world->services[service], &member));
	return member;
}

static inline bool world_is_member(const struct world *world, const struct backend *backend,
	const struct registry_service *service)
{
	struct registry_member member;

	return registry_member_of(world->registry, backend, service, &member);
}

/* In the world's first service. */
static inline uint32_t world_effective(const struct world *world, const char *name)
{
	return world_member(world, name, 0).effective_weight;
}

static inline uint32_t world_weight(const struct world *world, const char *name)
{
	return world_member(world, name, 0).weight;
}

/* "7", "50%", "configured"; virtual_server NULL: in all. */
static inline int world_say_weight(
	struct world *world, const char *name, const char *virtual_server, const char *text)
{
	struct weight_word word;
	int r = weight_parse(text, &word);

	return r < 0 ? r
		     : registry_weight(world->registry, name, virtual_server, &word, world->now_us);
}

static inline struct world_agent *world_agent_of(struct world *world, uint16_t id)
{
	for (size_t i = 0; i < world->n_agents; i++)
		if (world->agents[i].id == id)
			return &world->agents[i];
	return NULL;
}

/* What holds for every backend at every time. */
static inline void world_check(const struct world *world)
{
	for (size_t i = 0; i < registry_len(world->registry); i++) {
		const struct backend *backend = registry_backend_at(world->registry, i);

		assert_true(backend->id != 0);
		assert_ptr_equal(registry_backend(world->registry, backend->id), backend);
		if (i > 0)
			assert_true(strcmp(registry_backend_at(world->registry, i - 1)->name,
					    backend->name) < 0);
		if (backend->state != BACKEND_UP)
			assert_true(backend->reason[0] != '\0');
		if (backend->takes_new)
			assert_true(backend->state == BACKEND_UP || backend->kept);
		if (backend->takes_new || backend->state == BACKEND_UP) {
			assert_true(backend->takes_flows);
			assert_false(mac_is_zero(&backend->mac));
		}
		if (backend->kept)
			assert_int_equal(backend->state, BACKEND_DOWN);
		assert_true(backend->since_us <= world->now_us);
	}
}

static inline void world_act(struct world *world, const struct registry_action *action)
{
	const struct backend *backend = NULL;
	struct world_agent *agent;

	if (action->type != REGISTRY_CHANGED && action->type != REGISTRY_FORGOTTEN) {
		backend = registry_backend(world->registry, action->backend);
		assert_non_null(backend);
		assert_string_equal(backend->name, action->name);
	}
	switch (action->type) {
	case REGISTRY_HEARTBEAT:
		world->n_heartbeats++;
		agent = world_agent_of(world, action->backend);
		if (world->cannot_send)
			registry_not_sent(world->registry, action->backend, world->now_us);
		else if (agent && agent->answers && !world_loses(world) && !world_loses(world))
			registry_report(world->registry, action->backend, &agent->reg.status, 100,
				world->now_us);
		break;
	case REGISTRY_RUN_CHECK:
		world->n_checks++;
		world->last_check_port = action->port;
		if (world->checks_answer)
			registry_check_result(world->registry,
				&(struct registry_check_result){ .backend = action->backend,
					.port = action->port,
					.outcome = world->check_outcome,
					.reason = "tcp: connection refused" },
				world->now_us);
		break;
	case REGISTRY_PROBE_NEIGH:
		world->n_probes++;
		agent = world_agent_of(world, action->backend);
		if (agent && agent->host_answers)
			registry_neighbour(world->registry, &agent->reg.real_ip, &agent->reg.mac,
				world->now_us);
		break;
	case REGISTRY_PATHS:
		world->n_paths++;
		break;
	case REGISTRY_CHANGED:
		world->n_changed++;
		world->n_urgent += action->urgent;
		break;
	case REGISTRY_STATE:
		assert_int_not_equal(action->old_state, action->new_state);
		world->n_states++;
		world->last_state = *action;
		break;
	case REGISTRY_REMARK:
		assert_int_equal(backend->state, BACKEND_UP);
		assert_true(backend->reason[0] != '\0');
		world->n_remarks++;
		break;
	case REGISTRY_MOVED:
		world->n_moved++;
		break;
	case REGISTRY_FORGOTTEN:
		world->n_forgotten++;
		break;
	case REGISTRY_ACTION_N_:
		fail();
	}
}

static inline void world_drain_actions(struct world *world)
{
	struct registry_action action;

	while (registry_next_action(world->registry, &action))
		world_act(world, &action);
	world_check(world);
}

static inline void world_configure(struct world *world)
{
	struct why why;

	assert_int_equal(
		registry_configure(world->registry, &world->config, world->now_us, &why), 0);
	world_drain_actions(world);
}

/* Time passes, deadline by deadline. */
static inline void world_pass(struct world *world, uint64_t us)
{
	uint64_t end_us = world->now_us + us;

	for (;;) {
		uint64_t next_us = registry_tick(world->registry, world->now_us);

		world_drain_actions(world);
		next_us = MIN(next_us, registry_tick(world->registry, world->now_us));
		world_drain_actions(world);
		if (next_us >= end_us)
			break;
		world->now_us = MAX(next_us, world->now_us + 1);
	}
	world->now_us = end_us;
	registry_tick(world->registry, world->now_us);
	world_drain_actions(world);
}

/* An agent at 192.0.2.`host` with one VIP, fit in every way, that has not registered. */
static inline struct world_agent *world_agent(
	struct world *world, const char *name, uint8_t host, const char *vip)
{
	struct world_agent *agent = &world->agents[world->n_agents++];
	struct proto_register *reg = &agent->reg;

	memset(agent, 0, sizeof(*agent));
	agent->answers = agent->host_answers = true;
	agent->key_id = "shared";
	snprintf(reg->name, sizeof(reg->name), "%s", name);
	reg->real_ip = world_addr("192.0.2.0");
	reg->real_ip.bytes[3] = host;
	reg->mac = world_mac(host);
	reg->vips[0] = world_addr(vip);
	reg->status.state = PROTO_STATE_UP;
	reg->status.weight = 1;
	reg->status.n_vips = 1;
	reg->status.vips[0] = (struct proto_vip_status){ .present = true, .silent = true };
	return agent;
}

struct world_answer {
	int r;
	bool repeated;
	enum proto_reject code;
	struct why why;
};

static inline struct world_answer world_register_at(struct world *world, struct world_agent *agent,
	const struct addr *source, uint64_t challenge_us)
{
	const struct registry_registration request = { .reg = &agent->reg,
		.source = *source,
		.challenge_us = challenge_us,
		.session_id = ++world->sessions,
		.protocol = agent->protocol,
		.key_id = agent->key_id,
		.key_bound = agent->key_bound };
	struct registry_answer given = { 0 };
	struct world_answer answer = { 0 };

	answer.r = registry_register(world->registry, &request, world->now_us, &given);
	answer.repeated = given.repeated;
	answer.code = given.code;
	answer.why = given.why;
	if (answer.r == 0)
		agent->id = given.backend;
	world_drain_actions(world);
	return answer;
}

/* With a challenge of this moment and a nonce of its own. */
static inline struct world_answer world_register(struct world *world, struct world_agent *agent)
{
	world->now_us++;
	memcpy(agent->reg.nonce_agent, &world->now_us, sizeof(world->now_us));
	return world_register_at(world, agent, &agent->reg.real_ip, world->now_us);
}

static inline struct world_agent *world_join(
	struct world *world, const char *name, uint8_t host, const char *vip)
{
	struct world_agent *agent = world_agent(world, name, host, vip);

	assert_int_equal(world_register(world, agent).r, 0);
	return agent;
}

/* web1 … webN at 192.0.2.11 …, up. */
static inline void world_farm(struct world *world, size_t n_agents)
{
	char name[16];

	for (size_t i = 0; i < n_agents; i++) {
		snprintf(name, sizeof(name), "web%02zu", i + 1);
		world_join(world, name, (uint8_t)(11 + i), "198.51.100.10");
	}
	world_pass(world, MS(2000));
	for (size_t i = 0; i < n_agents; i++)
		assert_int_equal(
			registry_backend(world->registry, world->agents[i].id)->state, BACKEND_UP);
}

static inline void world_update(struct world *world, struct world_agent *agent)
{
	registry_report(world->registry, agent->id, &agent->reg.status, 0, world->now_us);
	registry_tick(world->registry, world->now_us);
	world_drain_actions(world);
}

static inline void world_say(
	struct world *world, struct world_agent *agent, enum proto_state state, const char *reason)
{
	agent->reg.status.state = state;
	snprintf(agent->reg.status.reason, sizeof(agent->reg.status.reason), "%s", reason);
	world_update(world, agent);
}

/* The probe of one service that began so long ago has ended; true: it changed something. */
static inline bool world_path_result(struct world *world, const char *name, size_t service,
	enum registry_path_verdict verdict, uint64_t age_us)
{
	const struct registry_path_result told = { world_backend(world, name)->id,
		world->services[service].id, verdict, world->now_us - age_us, 0, 0 };
	bool changed = registry_path_result(world->registry, &told, world->now_us);

	registry_tick(world->registry, world->now_us);
	world_drain_actions(world);
	return changed;
}

/* Of each test: without a configuration, and with one. */
static inline int world_setup_bare(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world_open(world);
	*state = world;
	return 0;
}

static inline int world_setup(void **state)
{
	(void)world_setup_bare(state);
	world_configure(*state);
	return 0;
}

static inline int world_teardown(void **state)
{
	world_close(*state);
	free(*state);
	return 0;
}
