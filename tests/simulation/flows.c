/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients' packets through the real core, and what must be true of each:
 *  - a new connection goes to nobody who takes none: down, not proven, without the VIP or without silence, drained,
 *    or of weight 0;
 *  - a packet of a connection goes to the server that has it, as long as this balancer has had no reason to take that
 *    server's connections away: whatever happens to others;
 *  - a packet of a connection, whosever it is, goes to nobody who has been known for long to take none.
 */
#include "tests/simulation/sim.h"

#include <arpa/inet.h>

#define LIFE_MIN_US US_PER_S
#define LIFE_US     (20 * US_PER_S)
#define SILENCE_S   2u                   /* a connection says something about as often */
#define VIP         UINT32_C(0xc633640a) /* 198.51.100.10 */

struct tcp_frame {
	struct wire_ethernet ethernet;
	struct wire_ip4 ip;
	struct wire_tcp tcp;
} WIRE;

static struct fwd_result run_frame(
	struct sim_balancer *balancer, const struct sim_flow *flow, uint8_t flags, bool only_looks)
{
	const uint64_t now_us = balancer->sim->now_us;
	struct fwd_port target = { .snapshot = balancer->snapshot,
		.now_ns = now_us * NS_PER_US,
		.now_s = (uint32_t)(now_us / US_PER_S),
		.only_looks = only_looks };
	const struct fwd_frame frame = { .length_bytes = sizeof(struct tcp_frame) };
	struct fwd_result result;
	struct tcp_frame data = {
		.ethernet = { .source = { 2, 0, 0, 0, 9, 9 }, .type = htons(WIRE_TYPE_IP4) },
		.ip = { .version_words = 0x45,
			.total_bytes = htons(sizeof(data.ip) + sizeof(data.tcp)),
			.ttl = 64,
			.proto = FWD_PROTO_TCP,
			.source = htonl(flow->client),
			.destination = htonl(VIP + flow->vip) },
		.tcp = { .source_port = htons(flow->port),
			.destination_port = htons(80),
			.offset_words = 0x50,
			.flags = flags },
	};

	memcpy(data.ethernet.destination, balancer->links.own_mac.bytes,
		sizeof(data.ethernet.destination));
	fwd_run(&target, &data, &data + 1, &frame, &result);
	balancer->sim->totals.n_packets += !only_looks;
	if (result.evicted)
		balancer->evicted_us = now_us;
	return result;
}

static int agent_of(const struct sim_balancer *balancer, uint8_t vip, uint16_t backend)
{
	for (uint8_t i = 0; i < balancer->sim->n_agents && backend > 0; i++)
		if (balancer->serving[vip][i].backend == backend)
			return i;
	return -1;
}

int sim_choice(struct sim_balancer *balancer, const struct sim_flow *flow, bool is_syn)
{
	const struct fwd_result result =
		run_frame(balancer, flow, is_syn ? WIRE_TCP_SYN : WIRE_TCP_ACK, true);

	return result.verdict == FWD_FORWARD ? agent_of(balancer, flow->vip, result.backend) : -1;
}

static void begin(struct sim *sim, struct sim_flow *flow)
{
	struct sim_balancer *balancer = &sim->balancers[sim_draw(sim, sim->n_balancers)];
	struct fwd_result result;
	int agent;

	if (!balancer->host.is_up)
		return;
	*flow = (struct sim_flow){ .client = 0xcb007100 + sim_draw(sim, 250),
		.port = (uint16_t)(1024 + sim_draw(sim, 60000)),
		.vip = (uint8_t)sim_draw(sim, SIM_VIPS),
		.balancer = balancer->number,
		.born_us = sim->now_us,
		.ends_us = sim->now_us + LIFE_MIN_US + sim_draw(sim, (uint32_t)LIFE_US) };
	result = run_frame(balancer, flow, WIRE_TCP_SYN, false);
	if (result.verdict != FWD_FORWARD)
		return;
	agent = agent_of(balancer, flow->vip, result.backend);
	if (agent < 0) {
		sim_fail(sim, "lb%u sends a new connection to backend %u, which nobody is",
			balancer->number, result.backend);
		return;
	}
	if (!balancer->serving[flow->vip][agent].takes_new && !balancer->publish_due)
		sim_fail(sim, "lb%u sends a new connection to %s, which takes none (%s: %s)",
			balancer->number, sim->agents[agent].identity.name,
			backend_state_name(sim_balancer_backend(balancer, (uint8_t)agent)->state),
			sim_balancer_backend(balancer, (uint8_t)agent)->reason);
	sim->totals.n_flows++;
	flow->agent = (uint8_t)agent;
	flow->lives = sim->agents[agent].has_power && !result.unrecorded;
}

/* Whether the balancer had no reason to take the connection from its server, ever since it began. */
static bool is_bound(const struct sim *sim, const struct sim_flow *flow)
{
	const struct sim_balancer *balancer = &sim->balancers[flow->balancer];

	return balancer->quiet_us > 0 && balancer->quiet_us < flow->born_us &&
		balancer->serving[flow->vip][flow->agent].not_us < flow->born_us &&
		balancer->evicted_us < flow->born_us && !balancer->publish_due;
}

/*
 * Whoever it is that a packet of a connection goes to: known to be bad for long it is not. A balancer that is dead or
 * stopped voids nothing, and after a start it takes its time.
 */
static void judge_server(struct sim *sim, const struct sim_balancer *balancer,
	const struct sim_flow *flow, int agent)
{
	const struct sim_serving *serving = &balancer->serving[flow->vip][agent];
	uint64_t runs_us =
		MAX(balancer->started_us + SETTLE_STRANGERS_US, balancer->host.frozen_until_us);
	uint64_t since_us = MAX(serving->none_us, runs_us);

	if (serving->none_us > 0 && sim->now_us > since_us + SIM_VOID_US)
		sim_fail(sim, "lb%u sends a packet to %s, which has taken none for %.3f s",
			balancer->number, sim->agents[agent].identity.name,
			(double)(sim->now_us - serving->none_us) / (double)US_PER_S);
}

static void talk(struct sim *sim, struct sim_flow *flow)
{
	struct sim_balancer *balancer = &sim->balancers[flow->balancer];
	bool is_end = flow->ends_us <= sim->now_us;
	struct fwd_result result;
	int agent;

	if (!balancer->host.is_up)
		return;
	result = run_frame(
		balancer, flow, is_end ? WIRE_TCP_FIN | WIRE_TCP_ACK : WIRE_TCP_ACK, false);
	agent = result.verdict == FWD_FORWARD ? agent_of(balancer, flow->vip, result.backend) : -1;
	if (agent >= 0)
		judge_server(sim, balancer, flow, agent);
	if (!is_bound(sim, flow)) {
		/* Moved, and rightly so: there it is reset. */
		flow->lives = agent == flow->agent && !is_end;
		return;
	}
	sim->totals.n_judged++;
	if (agent != flow->agent)
		sim_fail(sim,
			"lb%u sends a packet of %s's connection (%s row %u, begun %.3f s ago) to %s",
			balancer->number, sim->agents[flow->agent].identity.name,
			result.moving ? "moving" : "settled", result.slot,
			(double)(sim->now_us - flow->born_us) / (double)US_PER_S,
			agent < 0 ? "nobody" : sim->agents[agent].identity.name);
	flow->lives = !is_end;
}

void sim_flows_lose(struct sim *sim, int balancer, int agent)
{
	ARRAY_FOREACH (flow, sim->flows, SIM_FLOWS_MAX)
		if (flow->balancer == balancer || flow->agent == agent)
			flow->lives = false;
}

/* Twenty milliseconds of it. */
void sim_traffic(struct sim *sim)
{
	ARRAY_FOREACH (flow, sim->flows, SIM_FLOWS_MAX) {
		if (flow->lives &&
			(flow->ends_us <= sim->now_us || !flow->has_talked ||
				sim_draw(sim, 50 * SILENCE_S) == 0)) {
			flow->has_talked = true;
			talk(sim, flow);
		} else if (!flow->lives && sim_draw(sim, 200) == 0) {
			begin(sim, flow);
		}
		if (sim->failure[0])
			return;
	}
}
