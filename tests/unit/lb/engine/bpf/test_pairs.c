/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the programs count pairs of services and backends: at 50,000 pairs of a CPU, numbered as the registry
 * numbers them, each finds a place, and nearly all the first that they look at.
 */
#include "common/util.h"
#include "lb/engine/bpf/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum members {
	ALL,       /* every service has the same backends */
	OWN,       /* each has its own, numbered in a row */
	SCATTERED, /* each has some of 2,000 */
};

struct shape {
	uint32_t services;
	uint32_t backends; /* of each service */
	enum members members;
	uint32_t away_percent_max;
};

static const struct shape shapes[] = {
	{ 16, 1000, ALL, 15 },
	{ 100, 500, ALL, 15 },
	{ 200, 100, ALL, 15 },
	{ 500, 80, ALL, 15 },
	{ 1000, 50, ALL, 15 },
	{ 2000, 10, ALL, 15 },
	{ 5000, 10, ALL, 15 },
	{ 10000, 4, ALL, 15 },
	{ 1000, 20, OWN, 15 },
	{ 4000, 3, OWN, 15 },
	{ 300, 100, SCATTERED, 35 },
	{ 3000, 10, SCATTERED, 35 },
};

struct filling {
	uint32_t keys[BPF_PAIRS];
	uint32_t n_keys;
	uint32_t n_away;    /* from their own places */
	uint32_t n_nowhere; /* these the programs count in totals alone */
	uint32_t random;
};

/* xorshift32 (Marsaglia, 2003). */
static uint32_t random_below(struct filling *filling, uint32_t limit)
{
	filling->random ^= filling->random << 13;
	filling->random ^= filling->random >> 17;
	filling->random ^= filling->random << 5;
	return filling->random % limit;
}

/* As pair_get() of lb/engine/bpf/dsr.bpf.c does. */
static void fill_in(struct filling *filling, uint32_t key)
{
	uint32_t first = bpf_pair_place(key);

	for (uint32_t i = 0; i < BPF_PAIR_PROBES; i++) {
		uint32_t *place = &filling->keys[(first + i) & (BPF_PAIRS - 1)];

		if (*place == key)
			return;
		if (*place == 0) {
			*place = key;
			filling->n_keys++;
			filling->n_away += i > 0;
			return;
		}
	}
	filling->n_nowhere++;
}

static uint32_t backend_of(
	struct filling *filling, const struct shape *shape, uint32_t service, uint32_t idx)
{
	switch (shape->members) {
	case OWN:
		return (service - 1) * shape->backends + idx;
	case SCATTERED:
		return 1 + random_below(filling, 2000);
	case ALL:
	default:
		return idx;
	}
}

static void fill(struct filling *filling, const struct shape *shape)
{
	for (uint32_t idx = 1; idx <= shape->backends; idx++)
		for (uint32_t service = 1; service <= shape->services; service++)
			fill_in(filling, service << 16 | backend_of(filling, shape, service, idx));
}

static void pairs_find_their_own_places(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		struct filling *filling = calloc(1, sizeof(*filling));
		uint32_t away_percent;

		assert_non_null(filling);
		filling->random = 1;
		fill(filling, &shapes[i]);
		away_percent = 100 * filling->n_away / filling->n_keys;
		print_message("# %u services of %u backends: %u %% away from their places\n",
			shapes[i].services, shapes[i].backends, away_percent);
		assert_int_equal(filling->n_nowhere, 0);
		assert_in_range(away_percent, 0, shapes[i].away_percent_max);
		free(filling);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_find_their_own_places),
	};

	return cmocka_run_group_tests_name("bpf_pairs", tests, NULL, NULL);
}
