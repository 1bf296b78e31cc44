/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * simulate [-v] [-f FILE | FIRST [COUNT]]
 *
 * Plays the histories of COUNT seeds from FIRST on (1, 200), or of those that FILE names, and says in TAP which of them
 * held; -v tells on stderr what happens.
 */
#include "tests/simulation/sim.h"

#include <err.h>
#include <inttypes.h>
#include <limits.h>
#include <malloc.h>

#include "common/log.h"

#define TROUBLE_US (40 * US_PER_S)
/* Agents wait after refusals, flapping ones are on probation. */
#define CALM_US (60 * US_PER_S)
/* Rows that moved last settle when so long nothing came for their base. */
#define HEALED_US ((2 * SIM_TCP_TIMEOUT_S + 20) * US_PER_S)
/* The C library counts what it keeps for the next allocation (glibc's tcache: seven pieces of each size, 230 KiB in all). */
#define LEFT_BYTES ((size_t)256 * 1024)

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

static void add_totals(struct sim_totals *totals, const struct sim_totals *more)
{
	totals->n_datagrams += more->n_datagrams;
	totals->n_packets += more->n_packets;
	totals->n_flows += more->n_flows;
	totals->n_published += more->n_published;
	totals->n_judged += more->n_judged;
	totals->n_sessions_most = MAX(totals->n_sessions_most, more->n_sessions_most);
	totals->n_others_most = MAX(totals->n_others_most, more->n_others_most);
	totals->n_records_most = MAX(totals->n_records_most, more->n_records_most);
	totals->n_in_flight_most = MAX(totals->n_in_flight_most, more->n_in_flight_most);
}

static void print_totals(const struct sim_totals *totals)
{
	printf("# %" PRIu64 " datagrams, %" PRIu64 " publications, %" PRIu64
	       " connections, %" PRIu64 " packets, %" PRIu64
	       " of them where the connection had to stay\n",
		totals->n_datagrams, totals->n_published, totals->n_flows, totals->n_packets,
		totals->n_judged);
	printf("# held at most: %zu sessions, %zu other balancers, %zu records, %zu datagrams\n",
		totals->n_sessions_most, totals->n_others_most, totals->n_records_most,
		totals->n_in_flight_most);
}

/* Of everything that was played. */
struct played {
	struct sim sim;
	struct sim_totals totals;
	uint64_t n_seeds, n_failed;
	size_t kept_bytes; /* what the process held after the first history */
};

/* What a history leaves behind: whatever it was, the next one finds no more of it. */
static void judge_left(struct played *played)
{
	size_t kept_bytes = mallinfo2().uordblks;

	if (played->n_seeds == 0)
		played->kept_bytes = kept_bytes;
	else if (kept_bytes > played->kept_bytes + LEFT_BYTES)
		sim_fail(&played->sim, "%zu bytes are left of it", kept_bytes - played->kept_bytes);
}

static void play_and_say(struct played *played, uint64_t seed)
{
	const char *failure = played->sim.failure;

	play(&played->sim, seed);
	judge_left(played);
	printf("%s %" PRIu64 " - seed_%" PRIu64 "%s%s\n", failure[0] ? "not ok" : "ok",
		++played->n_seeds, seed, failure[0] ? " # " : "", failure);
	played->n_failed += failure[0] != '\0';
	add_totals(&played->totals, &played->sim.totals);
}

/* Those of a file: a number a line, and words behind it. */
static void play_file(struct played *played, const char *path)
{
	FILE *file = fopen(path, "re");
	char line[1024], *end;

	if (!file)
		err(1, "%s", path);
	while (fgets(line, sizeof(line), file)) {
		uint64_t seed = strtoull(line, &end, 10);

		if (line[0] == '#')
			continue;
		if (end == line || (*end != ' ' && *end != '\n'))
			errx(1, "%s: no seed: %s", path, line);
		play_and_say(played, seed);
	}
	fclose(file);
}

int main(int argc, char **argv)
{
	static struct played played;
	const char *path = NULL;
	uint64_t first, count;
	int option;

	while ((option = getopt(argc, argv, "vf:")) != -1) {
		if (option == 'v')
			played.sim.is_told = true;
		else if (option == 'f')
			path = optarg;
		else
			return 64;
	}
	first = optind < argc ? strtoull(argv[optind], NULL, 10) : 1;
	count = optind + 1 < argc ? strtoull(argv[optind + 1], NULL, 10) : 200;
	log_set_level(LOG_LEVEL_ERROR);
	/* Tables of half a megabyte come and go: memory that is kept need not be cleared each time. */
	(void)mallopt(M_MMAP_THRESHOLD, INT_MAX);
	(void)mallopt(M_TRIM_THRESHOLD, INT_MAX);
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (auth_init() < 0)
		return 1;
	if (path)
		play_file(&played, path);
	for (uint64_t i = 0; i < count && !path; i++)
		play_and_say(&played, first + i);
	printf("1..%" PRIu64 "\n", played.n_seeds);
	print_totals(&played.totals);
	return played.n_failed > 0 || played.n_seeds == 0;
}
