/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happens to machines, processes, the network and the truth, at random: see sim.h. */
#include "tests/simulation/sim.h"

#define EVENT_US (400 * US_PER_MS)

static struct sim_agent *some_agent(struct sim *sim)
{
	return &sim->agents[sim_draw(sim, sim->n_agents)];
}

static uint8_t number_of(const struct sim *sim, const struct sim_agent *agent)
{
	return (uint8_t)(agent - sim->agents);
}

static struct sim_balancer *some_balancer(struct sim *sim)
{
	return &sim->balancers[sim_draw(sim, sim->n_balancers)];
}

static uint64_t some_time_us(struct sim *sim, uint64_t most_us)
{
	return sim->now_us + 1 + sim_draw(sim, (uint32_t)most_us);
}

static void agent_crashes(struct sim *sim)
{
	struct sim_agent *agent = some_agent(sim);

	if (!agent->process.is_up)
		return;
	sim_tell(sim, "%s is killed", agent->identity.name);
	sim_agent_kill(sim, number_of(sim, agent));
	agent->back_us = some_time_us(sim, 5 * US_PER_S);
}

static void machine_dies(struct sim *sim)
{
	struct sim_agent *agent = some_agent(sim);

	if (!agent->has_power)
		return;
	sim_tell(sim, "%s loses its power", agent->identity.name);
	if (agent->process.is_up)
		sim_agent_kill(sim, number_of(sim, agent));
	agent->has_power = false;
	agent->power_us = sim->now_us;
	agent->back_us = some_time_us(sim, 20 * US_PER_S);
	sim_flows_lose(sim, -1, number_of(sim, agent));
}

static void agent_leaves(struct sim *sim)
{
	struct sim_agent *agent = some_agent(sim);

	if (!agent->process.is_up || agent->is_leaving)
		return;
	sim_tell(sim, "%s leaves", agent->identity.name);
	sim_agent_leave(sim, number_of(sim, agent));
	agent->back_us = some_time_us(sim, 10 * US_PER_S) + 5 * US_PER_S;
}

static void truth_changes(struct sim *sim)
{
	struct sim_agent *agent = some_agent(sim);
	struct proto_status *status = &agent->status;

	status->state = sim_chance(sim, 60) ? PROTO_STATE_UP : sim_draw(sim, PROTO_STATE_N_);
	snprintf(status->reason, sizeof(status->reason), "%s",
		status->state == PROTO_STATE_UP ? "" : "because");
	status->weight = (uint16_t)sim_draw(sim, 4);
	for (uint8_t i = 0; i < SIM_VIPS; i++) {
		status->vips[i].present = !sim_chance(sim, 20);
		status->vips[i].silent = !sim_chance(sim, 20);
		sim_tell(sim, "%s is %u of weight %u, VIP %u is %s and %s", agent->identity.name,
			status->state, status->weight, i,
			status->vips[i].present ? "there" : "absent",
			status->vips[i].silent ? "silent" : "leaks");
	}
	sim_agent_tell(sim, number_of(sim, agent));
}

static void weather_changes(struct sim *sim)
{
	struct sim_weather *weather = &sim->weather;

	weather->loss_percent = sim_chance(sim, 50) ? sim_draw(sim, 40) : 0;
	weather->double_percent = sim_chance(sim, 30) ? sim_draw(sim, 20) : 0;
	weather->damage_percent = sim_chance(sim, 30) ? sim_draw(sim, 10) : 0;
	weather->delay_us = sim_chance(sim, 50) ? sim_draw(sim, (uint32_t)(100 * US_PER_MS)) : 0;
	sim_tell(sim, "%u %% are lost, %u %% double, %u %% damaged, %llu us late",
		weather->loss_percent, weather->double_percent, weather->damage_percent,
		(unsigned long long)weather->delay_us);
}

static void wire_is_cut(struct sim *sim)
{
	struct sim_balancer *balancer = some_balancer(sim);
	bool is_all = sim_chance(sim, 10);
	uint8_t chosen = number_of(sim, some_agent(sim));
	bool is_cut = !sim->weather.is_cut[balancer->number][chosen];

	for (uint8_t i = 0; i < sim->n_agents; i++)
		if (is_all || i == chosen)
			sim->weather.is_cut[balancer->number][i] = is_cut;
	sim_tell(sim, "lb%u and %s are %s", balancer->number,
		is_all ? "everybody" : sim->agents[chosen].identity.name,
		is_cut ? "cut apart" : "joined");
}

static void balancer_dies(struct sim *sim)
{
	struct sim_balancer *balancer = some_balancer(sim);
	bool is_empty = sim_chance(sim, 20);

	if (!balancer->host.is_up)
		return;
	sim_balancer_kill(balancer, is_empty);
	/* What is away longer than that is not missed: its clients have gone elsewhere. */
	balancer->back_us = some_time_us(sim, is_empty ? 10 * US_PER_S : 2 * US_PER_S);
	if (is_empty)
		sim_flows_lose(sim, balancer->number, -1);
}

static void somebody_freezes(struct sim *sim)
{
	uint64_t until_us = some_time_us(sim, 3 * US_PER_S);
	struct sim_balancer *balancer = some_balancer(sim);
	struct sim_agent *agent = some_agent(sim);

	if (sim_chance(sim, 50)) {
		sim_tell(sim, "lb%u is stopped", balancer->number);
		balancer->host.frozen_until_us = until_us;
	} else {
		sim_tell(sim, "%s is stopped", agent->identity.name);
		agent->process.frozen_until_us = until_us;
	}
}

static void administrator_speaks(struct sim *sim)
{
	struct sim_balancer *balancer = some_balancer(sim);
	const char *name = some_agent(sim)->identity.name;
	const struct weight_word word = { WEIGHT_NUMBER, sim_draw(sim, 4) };

	if (!balancer->host.is_up || balancer->host.frozen_until_us > sim->now_us)
		return;
	if (sim_chance(sim, 60))
		(void)registry_admin(balancer->registry, name,
			(enum backend_admin)sim_draw(sim, BACKEND_ADMIN_N_), sim->now_us);
	else
		(void)registry_weight(balancer->registry, name, NULL, &word, sim->now_us);
	sim_balancer_act(balancer);
}

static void attacker_replays(struct sim *sim)
{
	for (uint32_t i = sim_draw(sim, 20); i > 0; i--)
		sim_replay(sim);
}

void sim_happen(struct sim *sim)
{
	static const struct {
		uint32_t often;
		void (*happens)(struct sim *sim);
	} things[] = {
		{ 10, agent_crashes },
		{ 8, machine_dies },
		{ 6, agent_leaves },
		{ 14, truth_changes },
		{ 14, weather_changes },
		{ 10, wire_is_cut },
		{ 5, balancer_dies },
		{ 5, somebody_freezes },
		{ 8, administrator_speaks },
		{ 10, attacker_replays },
	};
	uint32_t sum = 0, drawn;

	ARRAY_FOREACH (thing, things, ARRAY_LEN(things))
		sum += thing->often;
	drawn = sim_draw(sim, sum);
	ARRAY_FOREACH (thing, things, ARRAY_LEN(things)) {
		if (drawn < thing->often) {
			thing->happens(sim);
			break;
		}
		drawn -= thing->often;
	}
	sim->event_us = some_time_us(sim, EVENT_US);
}

static void heal_balancer(struct sim *sim, struct sim_balancer *balancer)
{
	const struct weight_word configured = { WEIGHT_CONFIGURED, 0 };

	balancer->host.frozen_until_us = MIN(balancer->host.frozen_until_us, sim->now_us);
	if (!balancer->host.is_up)
		sim_balancer_start(balancer);
	for (uint8_t i = 0; i < sim->n_agents; i++) {
		const char *name = sim->agents[i].identity.name;

		(void)registry_admin(balancer->registry, name, BACKEND_ADMIN_NONE, sim->now_us);
		(void)registry_weight(balancer->registry, name, NULL, &configured, sim->now_us);
	}
	sim_balancer_act(balancer);
}

static void heal_agent(struct sim *sim, uint8_t number)
{
	struct sim_agent *agent = &sim->agents[number];

	agent->process.frozen_until_us = MIN(agent->process.frozen_until_us, sim->now_us);
	agent->status = sim_agent_well();
	if (agent->process.is_up && agent->is_leaving)
		sim_agent_kill(sim, number);
	if (agent->process.is_up)
		sim_agent_tell(sim, number);
	else
		sim_agent_start(sim, number);
}

void sim_heal(struct sim *sim)
{
	sim_tell(sim, "all is well");
	sim->weather = (struct sim_weather){ 0 };
	sim->event_us = UINT64_MAX;
	for (uint8_t i = 0; i < sim->n_balancers; i++)
		heal_balancer(sim, &sim->balancers[i]);
	for (uint8_t i = 0; i < sim->n_agents; i++)
		heal_agent(sim, i);
}
