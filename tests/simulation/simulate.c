/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * simulate [-v] [FIRST [COUNT]]
 *
 * Plays the histories of COUNT seeds from FIRST on (1, 200), and says in TAP which of them held; -v tells on stderr what
 * happens.
 */
#include "tests/simulation/sim.h"

#include <inttypes.h>
#include <limits.h>
#include <malloc.h>

#include "common/log.h"

#define TROUBLE_US (40 * US_PER_S)
/* Agents wait after refusals, flapping ones are on probation. */
#define CALM_US (60 * US_PER_S)
/* Rows that moved last settle when so long nothing came for their base. */
#define HEALED_US ((2 * SIM_TCP_TIMEOUT_S + 20) * US_PER_S)

static void play(struct sim *sim, uint64_t seed)
{
	sim_open(sim, seed);
	sim_run(sim, sim->now_us + TROUBLE_US);
	sim_heal(sim);
	sim_run(sim, sim->now_us + CALM_US);
	sim->traffic_us = UINT64_MAX;
	sim_run(sim, sim->now_us + HEALED_US);
	if (!sim->failure[0])
		sim_judge_end(sim);
	sim_close(sim);
}

int main(int argc, char **argv)
{
	static struct sim sim;
	struct sim_totals totals = { 0 };
	uint64_t first = 1, count = 200;
	int at = 1, failed = 0;

	if (at < argc && streq(argv[at], "-v")) {
		sim.is_told = true;
		at++;
	}
	if (at < argc)
		first = strtoull(argv[at++], NULL, 10);
	if (at < argc)
		count = strtoull(argv[at], NULL, 10);
	log_set_level(LOG_LEVEL_ERROR);
	/* Tables of half a megabyte come and go: memory that is kept need not be cleared each time. */
	(void)mallopt(M_MMAP_THRESHOLD, INT_MAX);
	(void)mallopt(M_TRIM_THRESHOLD, INT_MAX);
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (auth_init() < 0)
		return 1;
	for (uint64_t i = 0; i < count; i++) {
		play(&sim, first + i);
		printf("%s %" PRIu64 " - seed_%" PRIu64 "%s%s\n", sim.failure[0] ? "not ok" : "ok",
			i + 1, first + i, sim.failure[0] ? " # " : "", sim.failure);
		failed += sim.failure[0] != '\0';
		totals.n_datagrams += sim.totals.n_datagrams;
		totals.n_packets += sim.totals.n_packets;
		totals.n_flows += sim.totals.n_flows;
		totals.n_published += sim.totals.n_published;
		totals.n_judged += sim.totals.n_judged;
	}
	printf("1..%llu\n# %llu datagrams, %llu publications, %llu connections, %llu packets, %llu of them where the "
	       "connection had to stay\n",
		(unsigned long long)count, (unsigned long long)totals.n_datagrams,
		(unsigned long long)totals.n_published, (unsigned long long)totals.n_flows,
		(unsigned long long)totals.n_packets, (unsigned long long)totals.n_judged);
	return failed > 0;
}
