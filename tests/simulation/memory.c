/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a history may hold: sessions, other balancers and datagrams under way are bounded by the hosts that
 * there are, and records by the connections, never by what has happened. Looked at each second.
 */
#include "tests/simulation/sim.h"

#include "lb/session/session_state.h"
#include "lb/state/keep.h"
#include "lb/table/flows.h"

#define LOOK_US US_PER_S
/* Of one agent, all together: today's, and those that ended in the last five seconds, by a restart or a refusal. */
#define SESSIONS_AN_AGENT ((size_t)4)
/* Between an agent and a balancer: what is sent in the three seconds that a host is stopped at most, twice. */
#define DATAGRAMS_A_PAIR 64u

static void judge_most(struct sim *sim, size_t is, size_t most, size_t *peak, const char *what)
{
	*peak = MAX(*peak, is);
	if (is > most)
		sim_fail(sim, "%zu %s, and there may be %zu", is, what, most);
}

static void judge_sessions(struct sim *sim, const struct sim_balancer *balancer)
{
	size_t n_used = 0, n_live = 0;

	ARRAY_FOREACH (entry, balancer->sessions->table.entries, SESSION_SLOTS) {
		n_used += entry->used;
		n_live += entry->used && !entry->ended;
	}
	judge_most(sim, n_live, registry_len(balancer->registry), &sim->totals.n_sessions_most,
		"sessions live");
	judge_most(sim, n_used, SESSIONS_AN_AGENT * sim->n_agents, &sim->totals.n_sessions_most,
		"sessions are kept");
	judge_most(sim, session_others(balancer->sessions, sim->now_us)->len, sim->n_balancers - 1u,
		&sim->totals.n_others_most, "other balancers are known");
}

static const struct fwd_service *service_of(uint16_t service, void *context)
{
	return snapshot_service(context, service);
}

static void count(const struct flows_entry *entry, void *context)
{
	size_t *n_records = context;

	(void)entry;
	++*n_records;
}

/* Each is of one connection, which lives, or began within the time that a record lives without a word. */
static void judge_records(struct sim *sim, const struct sim_balancer *balancer)
{
	const uint64_t *begun = sim->n_begun;
	size_t n_records = 0, at = sim->n_looks % SIM_BEGUN_LEN;
	uint64_t bucket = 0;

	while (flows_each_in(keep_flows(balancer->keep), &bucket, service_of, balancer->snapshot,
		(uint32_t)(sim->now_us / US_PER_S), count, &n_records))
		;
	judge_most(sim, n_records, SIM_FLOWS_MAX + (size_t)(sim->totals.n_flows - begun[at]),
		&sim->totals.n_records_most, "records are kept");
}

void sim_judge_memory(struct sim *sim)
{
	if (sim->now_us < sim->memory_us)
		return;
	sim->memory_us = sim->now_us + LOOK_US;
	for (uint8_t i = 0; i < sim->n_balancers; i++)
		if (sim->balancers[i].host.is_up) {
			judge_sessions(sim, &sim->balancers[i]);
			judge_records(sim, &sim->balancers[i]);
		}
	judge_most(sim, sim->n_in_flight,
		(size_t)DATAGRAMS_A_PAIR * sim->n_agents * sim->n_balancers,
		&sim->totals.n_in_flight_most, "datagrams are under way");
}
