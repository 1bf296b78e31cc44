/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random lives: whatever happens in whatever order, what world_check() and world_act() hold against
 * every backend and every action stays true, and nobody is up who was not proven.
 */
#include "registry_world.h"

#define STEPS   20000u
#define N_HOSTS 12u

static uint32_t roll(uint64_t *random, uint32_t sides)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return (uint32_t)((*random >> 11) % sides);
}

/* An agent is up only after an answer with a VIP that is fit, and not after it said otherwise. */
static void check_proof(const struct world *world)
{
	for (size_t i = 0; i < registry_len(world->registry); i++) {
		const struct backend *backend = registry_backend_at(world->registry, i);
		/* web00 joins into a static, whose virtual server its agent need not know. */
		bool fit = streq(backend->name, "web00");

		if (backend->source != BACKEND_AGENT || backend->state != BACKEND_UP)
			continue;
		assert_true(backend->heard_us > 0 && backend->rtt_us > 0);
		assert_int_equal(backend->status.state, PROTO_STATE_UP);
		for (uint8_t k = 0; k < backend->status.n_vips; k++)
			fit |= backend->status.vips[k].present && backend->status.vips[k].silent;
		assert_true(fit);
		assert_int_equal(backend->admin, BACKEND_ADMIN_NONE);
	}
}

static void random_status(struct world_agent *agent, uint64_t *random)
{
	struct proto_status *status = &agent->reg.status;

	status->state = roll(random, 3) ? PROTO_STATE_UP : roll(random, PROTO_STATE_N_);
	snprintf(status->reason, sizeof(status->reason), "%s",
		status->state == PROTO_STATE_UP || roll(random, 5) == 0 ? "" : "because");
	status->weight = (uint16_t)roll(random, 101);
	status->vips[0].present = roll(random, 5) > 0;
	status->vips[0].silent = roll(random, 5) > 0;
}

static void random_reload(struct world *world, uint64_t *random)
{
	static const uint16_t ports[] = { 80, 81 };

	world->config.n_statics = roll(random, 4);
	world->config.n_services = 1 + roll(random, 2);
	world->config.adopt = (int)roll(random, 3);
	world->services[0].n_tcp_ports = roll(random, 3);
	world->services[0].tcp_ports = ports;
	world->services[0].drop_on_all_down = roll(random, 2);
	world->config.fall = 1 + roll(random, 4);
	world_configure(world);
}

static void random_wish(struct world *world, const char *name, uint64_t *random)
{
	switch (roll(random, 4)) {
	case 0:
	case 1:
		registry_admin(
			world->registry, name, roll(random, BACKEND_ADMIN_N_), world->now_us);
		break;
	case 2:
		registry_weight(world->registry, name, roll(random, 2) ? "web" : NULL,
			&(struct weight_word){ WEIGHT_NUMBER, roll(random, 4) }, world->now_us);
		break;
	case 3:
		registry_approve(world->registry, name, roll(random, 4) > 0, world->now_us);
		break;
	}
}

static void step(struct world *world, uint64_t *random)
{
	struct world_agent *agent = &world->agents[roll(random, N_HOSTS)];
	const struct mac mac =
		roll(random, 3) ? world_mac((uint8_t)roll(random, 9)) : (struct mac){ 0 };
	struct mac answer = mac;

	if (mac_is_zero(&mac) && roll(random, 2))
		answer = agent->reg.mac;
	switch (roll(random, 12)) {
	case 0:
		world_register(world, agent);
		break;
	case 1:
		if (roll(random, 4) == 0)
			registry_leave(world->registry, agent->id, world->now_us);
		break;
	case 2:
		random_status(agent, random);
		registry_report(world->registry, agent->id, &agent->reg.status, roll(random, 2),
			world->now_us);
		break;
	case 3:
		random_wish(world, agent->reg.name, random);
		break;
	case 4:
		registry_neighbour(world->registry, &agent->reg.real_ip, &answer, world->now_us);
		break;
	case 5:
		registry_stalled(world->registry, MS(roll(random, 2000)), world->now_us);
		break;
	case 6:
		if (roll(random, 10) == 0)
			random_reload(world, random);
		break;
	case 7:
		agent->answers = roll(random, 3) > 0;
		break;
	case 8:
		world->checks_answer = roll(random, 4) > 0;
		world->check_outcome = (enum registry_check_outcome)roll(random, 3);
		break;
	case 9:
		for (size_t i = 0; i < N_HOSTS; i++)
			world->agents[i].answers = roll(random, 50) > 0;
		break;
	default:
		world_pass(world, MS(roll(random, 600)));
	}
	world_drain_actions(world);
	check_proof(world);
}

static void registry_holds_its_promises_in_random_lives(void **state)
{
	uint64_t random = 88172645463325252u;
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world_open(world);
	world_service(world, 1, "mail", "198.51.100.20");
	for (uint8_t i = 0; i < N_HOSTS; i++) {
		char name[8];

		snprintf(name, sizeof(name), "web%02u", i);
		world_agent(
			world, name, (uint8_t)(11 + i), i % 3 ? "198.51.100.10" : "198.51.100.20");
	}
	world_static(world, "web", NULL, "192.0.2.11");
	world_static(world, "mail", "win", "192.0.2.60");
	world_static(world, "web", "win", "192.0.2.60");
	world_configure(world);
	for (uint32_t i = 0; i < STEPS; i++)
		step(world, &random);
	assert_true(world->n_states > 100);
	world_close(world);
	free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registry_holds_its_promises_in_random_lives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
