/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must be true of every moment: no message is lost between the counters, nobody is there twice, and whoever lost
 * its power is out in time. And what must be true when all has been well for long: everybody serves, on every
 * balancer, by the same tables, and no row is left between two servers.
 */
#include "tests/simulation/sim.h"

#define CLIENTS 200u

static void judge_counters(struct sim *sim)
{
	for (uint8_t i = 0; i < sim->n_balancers; i++) {
		const struct session_counters *counters;
		uint64_t sum;

		if (!sim->balancers[i].host.is_up)
			continue;
		counters = session_counters(sim->balancers[i].sessions);
		sum = counters->accepted;
		ARRAY_FOREACH (rejected, counters->rejected, SESSION_REFUSAL_N_)
			sum += *rejected;
		if (sum != counters->received)
			sim_fail(sim, "lb%u received %llu messages and says what became of %llu", i,
				(unsigned long long)counters->received, (unsigned long long)sum);
		if (registry_len(sim->balancers[i].registry) > sim->n_agents)
			sim_fail(sim, "lb%u knows %zu backends of %u", i,
				registry_len(sim->balancers[i].registry), sim->n_agents);
	}
}

/* The balancer was there all the time since the server died, and heard nothing from it. */
static void judge_death(struct sim *sim, const struct sim_balancer *balancer, uint8_t number)
{
	const struct sim_agent *agent = &sim->agents[number];
	const struct backend *backend;

	if (agent->has_power || sim->now_us < agent->power_us + SIM_DEATH_US ||
		!balancer->host.is_up || sim->now_us < balancer->started_us + 2 * SIM_DEATH_US ||
		sim->now_us < balancer->host.frozen_until_us + 2 * SIM_DEATH_US)
		return;
	backend = sim_balancer_backend(balancer, number);
	if (backend && backend->state == BACKEND_UP && !backend->kept)
		sim_fail(sim, "lb%u still has %s up, which died %.3f s ago", balancer->number,
			agent->identity.name,
			(double)(sim->now_us - agent->power_us) / (double)US_PER_S);
}

void sim_judge(struct sim *sim)
{
	judge_counters(sim);
	for (uint8_t i = 0; i < sim->n_balancers; i++)
		for (uint8_t k = 0; k < sim->n_agents; k++)
			judge_death(sim, &sim->balancers[i], k);
}

static void judge_registration(struct sim *sim, const struct sim_balancer *balancer, uint8_t number)
{
	const struct sim_agent *agent = &sim->agents[number];
	const struct register_view *view = register_view(agent->to[balancer->number].registration);
	const struct backend *backend = sim_balancer_backend(balancer, number);

	if (view->state != REGISTER_REGISTERED)
		sim_fail(sim, "%s is not registered with lb%u: %s", agent->identity.name,
			balancer->number, view->reason);
	else if (!backend || backend->state != BACKEND_UP)
		sim_fail(sim, "%s is not up at lb%u: %s", agent->identity.name, balancer->number,
			backend ? backend->reason : "unknown");
	for (uint8_t vip = 0; vip < SIM_VIPS; vip++)
		if (!balancer->serving[vip][number].takes_new)
			sim_fail(sim, "%s gets no connections of lb%u", agent->identity.name,
				balancer->number);
}

static void judge_tables(struct sim *sim, struct sim_balancer *balancer, uint8_t vip)
{
	uint16_t service = balancer->services->registry[vip].id;
	struct sim_balancer *first = &sim->balancers[0];

	if (publish_moving(balancer->publish, service) > 0)
		sim_fail(sim, "lb%u has %zu rows that move", balancer->number,
			publish_moving(balancer->publish, service));
	if (!streq(publish_digest(balancer->publish, service),
		    publish_digest(first->publish, first->services->registry[vip].id)))
		sim_fail(sim, "lb0 and lb%u have different tables", balancer->number);
	for (uint32_t i = 0; i < CLIENTS; i++) {
		const struct sim_flow flow = { .client = 0x0a000000 + sim_draw(sim, 1 << 24),
			.port = (uint16_t)(1024 + i),
			.vip = vip };
		int choice = sim_choice(first, &flow, true);

		if (sim_choice(balancer, &flow, true) != choice ||
			sim_choice(balancer, &flow, false) != choice)
			sim_fail(sim, "lb0 and lb%u send a client to different servers",
				balancer->number);
	}
}

void sim_judge_end(struct sim *sim)
{
	for (uint8_t i = 0; i < sim->n_balancers; i++) {
		for (uint8_t k = 0; k < sim->n_agents; k++)
			judge_registration(sim, &sim->balancers[i], k);
		for (uint8_t vip = 0; vip < SIM_VIPS; vip++)
			judge_tables(sim, &sim->balancers[i], vip);
	}
}
