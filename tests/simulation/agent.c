/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A real server with its agent, of which only the registration is real: see sim.h. */
#include "tests/simulation/sim.h"

#define NEVER_US UINT64_MAX

struct addr sim_agent_address(uint8_t agent)
{
	return (struct addr){ .family = AF_INET, .bytes = { 192, 0, 2, (uint8_t)(10 + agent) } };
}

struct addr sim_vip_address(uint8_t vip)
{
	return (struct addr){ .family = AF_INET, .bytes = { 198, 51, 100, (uint8_t)(10 + vip) } };
}

struct proto_status sim_agent_well(void)
{
	struct proto_status status = { .weight = 1, .n_vips = SIM_VIPS };

	for (uint8_t i = 0; i < SIM_VIPS; i++)
		status.vips[i] = (struct proto_vip_status){ .present = true, .silent = true };
	return status;
}

void sim_agent_init(struct sim *sim, uint8_t number)
{
	struct sim_agent *agent = &sim->agents[number];

	agent->identity = (struct register_identity){
		.version = "0.1.0",
		.real_ip = sim_agent_address(number),
		.mac = { { 2, 0, 0, 0, 2, number } },
		.n_vips = SIM_VIPS,
		.key = { .id = "k" },
	};
	memset(agent->identity.key.secret, 1, sizeof(agent->identity.key.secret));
	snprintf(agent->identity.name, sizeof(agent->identity.name), "web%u", number);
	for (uint8_t i = 0; i < SIM_VIPS; i++)
		agent->identity.vips[i] = sim_vip_address(i);
	agent->status = sim_agent_well();
	agent->has_power = true;
}

static void on_send(
	void *context, const struct addr_port *balancer, const uint8_t *data, size_t size_bytes)
{
	const struct sim_registration *to = context;

	(void)balancer;
	sim_send(to->sim, true, to->balancer, to->agent, data, size_bytes);
}

void sim_agent_start(struct sim *sim, uint8_t number)
{
	struct sim_agent *agent = &sim->agents[number];
	uint8_t seed[REGISTER_SEED_BYTES];

	agent->process = (struct sim_host){ .is_up = true };
	agent->is_leaving = false;
	agent->back_us = 0;
	if (!agent->has_power)
		agent->power_us = sim->now_us;
	agent->has_power = true;
	for (uint8_t i = 0; i < sim->n_balancers; i++) {
		struct sim_registration *to = &agent->to[i];
		const struct addr_port address = { sim_balancer_address(i), PROTO_PORT };

		for (size_t k = 0; k < sizeof(seed); k++)
			seed[k] = (uint8_t)sim_draw(sim, 256);
		*to = (struct sim_registration){ .sim = sim, .balancer = i, .agent = number };
		to->registration = register_new(&address, seed, on_send, to, sim->now_us);
		if (!to->registration)
			abort();
		register_set_identity(to->registration, &agent->identity, sim->now_us);
		(void)register_set_status(to->registration, &agent->status, sim->now_us);
		register_start(to->registration, sim->now_us);
		to->due_us = sim->now_us;
	}
}

void sim_agent_kill(struct sim *sim, uint8_t number)
{
	struct sim_agent *agent = &sim->agents[number];

	agent->process.is_up = false;
	for (uint8_t i = 0; i < sim->n_balancers; i++)
		agent->to[i].registration = register_free(agent->to[i].registration);
}

void sim_agent_leave(struct sim *sim, uint8_t number)
{
	struct sim_agent *agent = &sim->agents[number];

	agent->is_leaving = true;
	for (uint8_t i = 0; i < sim->n_balancers; i++) {
		register_leave(agent->to[i].registration, sim->now_us);
		agent->to[i].due_us = sim->now_us;
	}
}

void sim_agent_tell(struct sim *sim, uint8_t number)
{
	struct sim_agent *agent = &sim->agents[number];

	for (uint8_t i = 0; i < sim->n_balancers && agent->process.is_up; i++) {
		if (register_set_status(agent->to[i].registration, &agent->status, sim->now_us) < 0)
			sim_fail(sim, "%s cannot say its status", agent->identity.name);
		agent->to[i].due_us = sim->now_us;
	}
}

/* A balancer may also ask about ports; they all are served. */
static void answer_ports(struct sim *sim, const struct sim_registration *to)
{
	const struct ports *asked = register_asked(to->registration);
	struct proto_ports_status status = { 0 };

	if (asked->len == 0 || ports_are_answered(asked))
		return;
	status.digest = asked->digest;
	status.n_ports = (uint8_t)asked->len;
	for (size_t i = 0; i < asked->len; i++)
		status.items[i].listening = true;
	(void)register_set_ports(to->registration, &status, sim->now_us);
}

void sim_agent_receive(struct sim *sim, const struct sim_datagram *datagram)
{
	struct sim_registration *to = &sim->agents[datagram->agent].to[datagram->balancer];
	const struct register_datagram received = {
		.source = { sim_balancer_address(datagram->balancer), PROTO_PORT },
		.hop_limit = PROTO_TTL,
		.data = datagram->data,
		.size_bytes = datagram->size_bytes,
	};

	(void)register_receive(to->registration, &received, sim->now_us);
	answer_ports(sim, to);
	to->due_us = register_run_due(to->registration, sim->now_us);
}

uint64_t sim_agent_due_us(const struct sim_agent *agent)
{
	uint64_t due = NEVER_US;

	if (!agent->process.is_up)
		return agent->back_us ? agent->back_us : NEVER_US;
	for (size_t i = 0; i < SIM_BALANCERS_MAX; i++)
		if (agent->to[i].registration)
			due = MIN(due, agent->to[i].due_us);
	return MAX(due, agent->process.frozen_until_us);
}

/* Who has left everywhere ends; the machine stays. */
static void end_left(struct sim *sim, uint8_t number)
{
	struct sim_agent *agent = &sim->agents[number];

	for (uint8_t i = 0; i < sim->n_balancers; i++)
		if (register_view(agent->to[i].registration)->state != REGISTER_LEFT)
			return;
	sim_tell(sim, "%s has left", agent->identity.name);
	sim_agent_kill(sim, number);
}

/* As agent/registration/balancers.c: each balancer is told of the others that this host serves. */
static void name_others(struct sim *sim, struct sim_agent *agent)
{
	struct proto_other others[SIM_BALANCERS_MAX];

	for (uint8_t told = 0; told < sim->n_balancers; told++) {
		size_t n_others = 0;

		for (uint8_t i = 0; i < sim->n_balancers; i++) {
			const struct register_view *view = register_view(agent->to[i].registration);

			if (i == told || view->state != REGISTER_REGISTERED)
				continue;
			others[n_others].address = view->balancer.addr;
			memcpy(others[n_others++].name, view->name, sizeof(view->name));
		}
		register_set_others(agent->to[told].registration, others, n_others);
	}
}

void sim_agent_work(struct sim *sim, uint8_t number)
{
	struct sim_agent *agent = &sim->agents[number];

	if (!agent->process.is_up) {
		sim_tell(sim, "%s starts", agent->identity.name);
		sim_agent_start(sim, number);
		return;
	}
	name_others(sim, agent);
	for (uint8_t i = 0; i < sim->n_balancers; i++)
		if (agent->to[i].due_us <= sim->now_us)
			agent->to[i].due_us =
				register_run_due(agent->to[i].registration, sim->now_us);
	if (agent->is_leaving)
		end_left(sim, number);
}
