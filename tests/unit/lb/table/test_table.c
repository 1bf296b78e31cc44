/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Properties of Maglev tables, and the rules of bases and moving rows. */
#include "lb/table/table_fill.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static uint8_t seed[TABLE_SEED_BYTES];

static struct fwd_slot *rows_new(void)
{
	struct fwd_slot *rows = calloc(FWD_ROWS, sizeof(*rows));

	assert_non_null(rows);
	return rows;
}

/* Members 10.x.x.x with ids 1 … n and equal weights. */
static struct table_member *members_new(size_t n_members)
{
	struct table_member *members = calloc(n_members + 1, sizeof(*members));

	assert_non_null(members);
	for (size_t i = 0; i < n_members; i++) {
		members[i].address.family = AF_INET;
		members[i].address.ip4.s_addr = htonl(0x0a000001u + (uint32_t)i);
		members[i].id = (uint16_t)(i + 1);
		members[i].weight = 1;
	}
	return members;
}

static void fill(struct table_member *members, size_t n_members, struct fwd_slot *rows)
{
	assert_int_equal(table_fill(members, n_members, seed, rows), 0);
}

static size_t owned(const struct fwd_slot *rows, uint16_t id)
{
	static uint32_t n_owned[FWD_ID_MAX + 1];

	table_count(rows, n_owned);
	return n_owned[id];
}

static void table_fills_every_row(void **state)
{
	static const size_t sizes[] = { 1, 2, 3, 7, 100, 1000, TABLE_MEMBERS_MAX };
	_cleanup_free_ struct fwd_slot *rows = rows_new();

	ARRAY_FOREACH (size, sizes, ARRAY_LEN(sizes)) {
		_cleanup_free_ struct table_member *members = members_new(*size);

		fill(members, *size, rows);
		for (size_t i = 0; i < FWD_ROWS; i++)
			assert_in_range(rows[i].owner, 1, *size);
	}
	assert_int_equal(table_fill(NULL, 0, seed, rows), 0);
	assert_int_equal(owned(rows, 0), FWD_ROWS);
}

static void table_gives_equal_weights_equal_rows(void **state)
{
	static const size_t sizes[] = { 1, 2, 3, 10, 100, 1000, TABLE_MEMBERS_MAX };
	_cleanup_free_ struct fwd_slot *rows = rows_new();

	ARRAY_FOREACH (size, sizes, ARRAY_LEN(sizes)) {
		_cleanup_free_ struct table_member *members = members_new(*size);
		size_t least = FWD_ROWS, most = 0;

		for (size_t i = 0; i < *size; i++)
			members[i].weight = 37;
		fill(members, *size, rows);
		for (size_t i = 0; i < *size; i++) {
			size_t n_owned = owned(rows, members[i].id);

			least = MIN(least, n_owned);
			most = MAX(most, n_owned);
		}
		assert_true(most - least <= 1);
	}
}

static void table_shares_follow_weights_within_a_hundredth(void **state)
{
	static const uint32_t weights[][5] = { { 1, 2, 3, 4, 5 }, { 100, 1, 1, 1, 1 },
		{ 65535, 32768, 16384, 8192, 4096 }, { 7, 7, 7, 7, 3 }, { 10, 20, 1, 40, 29 } };
	_cleanup_free_ struct fwd_slot *rows = rows_new();

	ARRAY_FOREACH (set, weights, ARRAY_LEN(weights)) {
		_cleanup_free_ struct table_member *members = members_new(5);
		double sum = 0;

		for (size_t i = 0; i < 5; i++) {
			members[i].weight = (*set)[i];
			sum += members[i].weight;
		}
		fill(members, 5, rows);
		for (size_t i = 0; i < 5; i++) {
			double ideal = FWD_ROWS * members[i].weight / sum;
			double real = (double)owned(rows, members[i].id);

			assert_true(real > ideal * 0.99 - 1 && real < ideal * 1.01 + 1);
		}
	}
}

/*
 * The same by the words of table.h alone: at each turn every member is asked whose is due first, and
 * walks its permutation row by row.
 */
static void fill_slowly(const struct table_member *members, size_t n_members, uint16_t *ret_owners)
{
	_cleanup_free_ uint64_t *turns = calloc(n_members, sizeof(*turns));
	_cleanup_free_ uint64_t *steps = calloc(n_members, sizeof(*steps));

	assert_non_null(turns);
	assert_non_null(steps);
	memset(ret_owners, 0, FWD_ROWS * sizeof(*ret_owners));
	for (size_t taken = 0; taken < FWD_ROWS; taken++) {
		size_t next = 0;
		uint64_t row;

		for (size_t i = 1; i < n_members; i++)
			if ((2 * turns[i] + 1) * members[next].weight <
				(2 * turns[next] + 1) * members[i].weight)
				next = i;
		do
			row = table_permutation(&members[next].address, seed, steps[next]++);
		while (ret_owners[row]);
		ret_owners[row] = members[next].id;
		turns[next]++;
	}
}

static void table_is_what_its_definition_says(void **state)
{
	static const uint32_t weights[][7] = { { 1 }, { 1, 1, 1, 1, 1, 1, 1 },
		{ 1, 2, 3, 4, 5, 6, 7 }, { 65535, 1, 65534, 2, 32767, 3, 65533 },
		{ 100, 200, 300, 20, 40, 60, 80 },
		{ TABLE_WEIGHT_MAX, TABLE_WEIGHT_MAX - 1, TABLE_WEIGHT_MAX - 2, 1, 2, 3, 4 },
		{ 3, 3, 5, 5, 7, 7, 7 }, { TABLE_WEIGHT_MAX, 1, 1, 1, 1, 1, 1 } };
	static const size_t sizes[] = { 1, 2, 7, 40 };
	_cleanup_free_ struct fwd_slot *rows = rows_new();
	_cleanup_free_ uint16_t *owners = calloc(FWD_ROWS, sizeof(*owners));

	assert_non_null(owners);
	ARRAY_FOREACH (set, weights, ARRAY_LEN(weights)) {
		ARRAY_FOREACH (size, sizes, ARRAY_LEN(sizes)) {
			_cleanup_free_ struct table_member *members = members_new(*size);

			for (size_t i = 0; i < *size; i++)
				members[i].weight = (*set)[i % 7] ? (*set)[i % 7] : 1;
			fill(members, *size, rows);
			fill_slowly(members, *size, owners);
			for (size_t i = 0; i < FWD_ROWS; i++)
				assert_int_equal(rows[i].owner, owners[i]);
		}
	}
}

static void table_ignores_joining_order(void **state)
{
	_cleanup_free_ struct fwd_slot *a = rows_new(), *b = rows_new();
	_cleanup_free_ struct table_member *forward = members_new(50), *backward = members_new(50);
	char digest_a[TABLE_DIGEST_LEN], digest_b[TABLE_DIGEST_LEN];

	for (size_t i = 0; i < 50; i++) {
		forward[i].weight = (uint32_t)(1 + i % 5);
		backward[49 - i] = forward[i];
		/* The other balancer knows the backends by other ids. */
		backward[49 - i].id = (uint16_t)(1000 - i);
	}
	fill(forward, 50, a);
	fill(backward, 50, b);
	for (size_t i = 0; i < FWD_ROWS; i++)
		assert_int_equal(a[i].owner - 1, 1000 - b[i].owner);
	assert_int_equal(table_digest(forward, 50, a, digest_a), 0);
	assert_int_equal(table_digest(backward, 50, b, digest_b), 0);
	assert_string_equal(digest_a, digest_b);
	assert_int_equal(strlen(digest_a), TABLE_DIGEST_LEN - 1);
	forward[3].weight++;
	assert_int_equal(table_digest(forward, 50, a, digest_a), 0);
	assert_string_not_equal(digest_a, digest_b);
}

static void table_is_the_same_after_leaving_and_joining_again(void **state)
{
	_cleanup_free_ struct fwd_slot *before = rows_new(), *after = rows_new();
	_cleanup_free_ struct table_member *members = members_new(20);

	fill(members, 20, before);
	fill(members, 19, after);
	assert_true(memcmp(before, after, FWD_ROWS * sizeof(*before)) != 0);
	fill(members, 20, after);
	assert_memory_equal(before, after, FWD_ROWS * sizeof(*before));
}

static void table_depends_on_the_seed(void **state)
{
	_cleanup_free_ struct fwd_slot *a = rows_new(), *b = rows_new();
	_cleanup_free_ struct table_member *members = members_new(3);
	uint8_t other[TABLE_SEED_BYTES], again[TABLE_SEED_BYTES];
	size_t n_equal = 0;

	table_seed("secret", other);
	table_seed("secret", again);
	assert_memory_equal(other, again, sizeof(other));
	fill(members, 3, a);
	assert_int_equal(table_fill(members, 3, other, b), 0);
	for (size_t i = 0; i < FWD_ROWS; i++)
		n_equal += a[i].owner == b[i].owner;
	assert_in_range(n_equal, FWD_ROWS / 4, FWD_ROWS / 2);
}

/*
 * Rows that change their owner although neither the old nor the new one left or joined, in
 * parts of a million of all rows; the average over several leaving members.
 */
static size_t collateral_ppm(size_t n_members)
{
	_cleanup_free_ struct fwd_slot *before = rows_new(), *after = rows_new();
	_cleanup_free_ struct table_member *members = members_new(n_members);
	size_t n_moved = 0, n_tries = MIN(n_members, (size_t)10);

	fill(members, n_members, before);
	for (size_t i = 0; i < n_tries; i++) {
		_cleanup_free_ struct table_member *rest = members_new(n_members);
		size_t gone = i * n_members / n_tries;

		rest[gone] = rest[n_members - 1];
		fill(rest, n_members - 1, after);
		for (size_t row = 0; row < FWD_ROWS; row++)
			n_moved += before[row].owner != gone + 1 &&
				before[row].owner != after[row].owner;
	}
	return n_moved * 1000000 / n_tries / FWD_ROWS;
}

static void table_moves_little_else_when_a_member_leaves(void **state)
{
	static const size_t sizes[] = { 3, 10, 100, 1000 };

	ARRAY_FOREACH (size, sizes, ARRAY_LEN(sizes)) {
		size_t ppm = collateral_ppm(*size);

		print_message(
			"# of %zu members one leaves: %zu.%04zu %% of all rows move besides\n",
			*size, ppm / 10000, ppm % 10000);
		assert_in_range(ppm, 0, 12000);
	}
}

/* Rows that change their owner beyond what the new shares need, when one weight changes. */
static size_t excess_ppm(size_t n_members, uint32_t weight)
{
	_cleanup_free_ struct fwd_slot *before = rows_new(), *after = rows_new();
	_cleanup_free_ struct table_member *members = members_new(n_members);
	size_t n_moved = 0, n_needed = 0;

	fill(members, n_members, before);
	members[n_members / 2].weight = weight;
	fill(members, n_members, after);
	for (size_t row = 0; row < FWD_ROWS; row++)
		n_moved += before[row].owner != after[row].owner;
	for (size_t i = 1; i <= n_members; i++) {
		size_t had = owned(before, (uint16_t)i), has = owned(after, (uint16_t)i);

		n_needed += has > had ? has - had : 0;
	}
	return (n_moved - n_needed) * 1000000 / FWD_ROWS;
}

/* The numbers of `weight` in dsr-lb(8). */
static void table_moves_little_else_when_a_weight_changes(void **state)
{
	static const struct {
		size_t n_members, most_ppm;
	} cases[] = { { 2, 6000 }, { 3, 6000 }, { 4, 6000 }, { 10, 6000 }, { 100, 11000 } };

	ARRAY_FOREACH (test, cases, ARRAY_LEN(cases))
		for (uint32_t weight = 2; weight <= 10; weight += 4)
			assert_in_range(excess_ppm(test->n_members, weight), 0, test->most_ppm);
}

static void table_refuses_what_makes_no_table(void **state)
{
	_cleanup_free_ struct fwd_slot *rows = rows_new();
	_cleanup_free_ struct table_member *members = members_new(TABLE_MEMBERS_MAX + 1);

	assert_int_equal(table_fill(members, TABLE_MEMBERS_MAX + 1, seed, rows), -EINVAL);
	assert_int_equal(table_fill(members, TABLE_MEMBERS_MAX, seed, rows), 0);
	members[1].weight = 0;
	assert_int_equal(table_fill(members, 2, seed, rows), -EINVAL);
	members[1].weight = TABLE_WEIGHT_MAX + 1;
	assert_int_equal(table_fill(members, 2, seed, rows), -EINVAL);
	members[1].weight = 65535;
	assert_int_equal(table_fill(members, 2, seed, rows), 0);
	members[1].address = members[0].address;
	assert_int_equal(table_fill(members, 2, seed, rows), -EINVAL);
}

static struct fwd_table *table_new(void)
{
	struct fwd_table *table = calloc(1, sizeof(*table));

	assert_non_null(table);
	return table;
}

/* The owners that packets are told without a look at the row. */
static void assert_settled(const struct fwd_table *table)
{
	for (size_t i = 0; i < FWD_ROWS; i++)
		if (table->settled[i] != (table->rows[i].seen_s ? 0 : table->rows[i].owner))
			fail_msg("row %zu: owner %u, seen %u, but settled at %u", i,
				table->rows[i].owner, table->rows[i].seen_s, table->settled[i]);
}

/* Bases. Sets of backends that may hold flows are given as bits of a number. */
static struct fwd_slot inherit(struct fwd_slot old, uint16_t owner, uint32_t alive, uint32_t now_s)
{
	_cleanup_free_ struct fwd_table *table = table_new();
	_cleanup_free_ struct fwd_slot *old_rows = rows_new();
	const struct table_ids ids = { .words = { alive } };
	struct fwd_slot *rows = table->rows;
	size_t n_moving;

	for (size_t i = 0; i < FWD_ROWS; i++) {
		old_rows[i] = old;
		rows[i].owner = owner;
		table->settled[i] = 9;
	}
	n_moving = table_inherit(table, old_rows, false, &ids, now_s);
	assert_int_equal(n_moving, rows[0].seen_s ? FWD_ROWS : 0);
	assert_int_equal(table_moving(rows), rows[0].seen_s ? FWD_ROWS : 0);
	assert_memory_equal(&rows[0], &rows[FWD_ROWS - 1], sizeof(*rows));
	assert_settled(table);
	return rows[0];
}

static void table_inherits_bases(void **state)
{
	static const struct {
		struct fwd_slot old;
		uint16_t owner;
		uint32_t alive; /* bits of backends 1, 2, 3 */
		struct fwd_slot expected;
	} cases[] = {
		{ { 1, 1, 0 }, 1, 0x2, { 1, 1, 0 } },  /* nothing happened */
		{ { 1, 1, 0 }, 2, 0x6, { 2, 1, 50 } }, /* 2 joined */
		{ { 1, 1, 0 }, 2, 0x4, { 2, 2, 0 } },  /* 1 died */
		{ { 1, 1, 0 }, 0, 0x2, { 0, 1, 50 } }, /* 1 drains and is the last */
		{ { 0, 0, 0 }, 1, 0x2, { 1, 1, 0 } },  /* the first joins */
		{ { 2, 1, 9 }, 2, 0x6, { 2, 1, 9 } },  /* still moving */
		{ { 2, 1, 9 }, 3, 0xe, { 3, 1, 9 } },  /* and on to a third */
		{ { 2, 1, 9 }, 1, 0x6, { 1, 1, 9 } },  /* back: flows of 2 are recorded */
		{ { 1, 1, 9 }, 1, 0x6, { 1, 1, 9 } },  /* and still so at the next change */
		{ { 1, 1, 9 }, 2, 0x6, { 2, 1, 9 } },
		{ { 3, 1, 9 }, 3, 0xc, { 3, 3, 9 } }, /* the base died; flows of 2 live on */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fwd_slot row = inherit(cases[i].old, cases[i].owner, cases[i].alive, 50);

		assert_memory_equal(&row, &cases[i].expected, sizeof(row));
	}
}

static void table_begins_settled(void **state)
{
	_cleanup_free_ struct fwd_table *table = table_new();
	_cleanup_free_ struct fwd_slot *old_rows = rows_new();
	const struct table_ids alive = { .words = { 0xffff } };
	struct fwd_slot *rows = table->rows;

	for (size_t i = 0; i < FWD_ROWS; i++) {
		rows[i] = (struct fwd_slot){ .owner = 2, .base = 9, .seen_s = 9 };
		old_rows[i] = (struct fwd_slot){ .owner = 1, .base = 1 };
	}
	assert_int_equal(table_inherit(table, NULL, false, &alive, 50), 0);
	assert_settled(table);
	assert_int_equal(rows[7].base, 2);
	/* One that starts with nothing follows owners, and looks at what began meanwhile. */
	assert_int_equal(table_inherit(table, old_rows, true, &alive, 50), FWD_ROWS);
	assert_settled(table);
	assert_int_equal(rows[7].base, 2);
	assert_int_equal(rows[7].seen_s, 50);
	/* A row that begins to move in second 0 is moving all the same. */
	assert_int_equal(table_inherit(table, old_rows, false, &alive, 0), FWD_ROWS);
	assert_int_equal(rows[7].seen_s, 1);
	/* And one that seemed settled, when all are stirred. */
	assert_int_equal(table_inherit(table, NULL, false, &alive, 50), 0);
	assert_int_equal(table_stir(table, 0), FWD_ROWS);
	assert_int_equal(rows[7].seen_s, 1);
	assert_settled(table);
}

static void table_settles_quiet_rows_without_disagreement(void **state)
{
	_cleanup_free_ struct fwd_table *table = table_new();
	_cleanup_free_ uint8_t *disagrees = calloc(FWD_ROWS / 8 + 1, 1);
	struct fwd_slot *rows = table->rows;

	assert_non_null(disagrees);
	for (size_t i = 0; i < 6; i++)
		rows[i] = (struct fwd_slot){ .owner = 2, .base = 1, .seen_s = 100 };
	rows[1].seen_s = 101;
	disagrees[0] = 1 << 2 | 1 << 5;
	rows[4].base = 2; /* came back to its base */
	rows[4].seen_s = 1000;
	rows[5].base = 2;
	assert_int_equal(table_settle(table, disagrees, 900, 1001), 3);
	assert_settled(table);
	assert_int_equal(rows[0].base, 2);
	assert_int_equal(rows[0].seen_s, 0);
	assert_int_equal(rows[1].base, 1);
	assert_int_equal(rows[2].base, 1);
	assert_int_equal(rows[4].seen_s, 0);
	assert_int_equal(rows[5].seen_s, 100);
	assert_int_equal(table_settle(table, disagrees, 900, 1002), 2);
	assert_int_equal(table_moving(rows), 2);
	/* Seen by a worker whose clock is ahead. */
	disagrees[0] = 0;
	rows[2].seen_s = 2000;
	assert_int_equal(table_settle(table, disagrees, 900, 1999), 1);
}

static void table_carries_seen_times_forward_only(void **state)
{
	_cleanup_free_ struct fwd_slot *rows = rows_new(), *old_rows = rows_new();

	rows[0].seen_s = 100;
	old_rows[0].seen_s = 105;
	rows[1].seen_s = 100;
	old_rows[1].seen_s = 95;
	old_rows[2].seen_s = 105; /* settled meanwhile */
	rows[3].seen_s = 100;
	rows[4].seen_s = UINT32_MAX;
	old_rows[4].seen_s = 3;
	table_carry_seen(rows, old_rows);
	assert_int_equal(rows[0].seen_s, 105);
	assert_int_equal(rows[1].seen_s, 100);
	assert_int_equal(rows[2].seen_s, 0);
	assert_int_equal(rows[3].seen_s, 100);
	assert_int_equal(rows[4].seen_s, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_fills_every_row),
		cmocka_unit_test(table_gives_equal_weights_equal_rows),
		cmocka_unit_test(table_shares_follow_weights_within_a_hundredth),
		cmocka_unit_test(table_is_what_its_definition_says),
		cmocka_unit_test(table_ignores_joining_order),
		cmocka_unit_test(table_is_the_same_after_leaving_and_joining_again),
		cmocka_unit_test(table_depends_on_the_seed),
		cmocka_unit_test(table_moves_little_else_when_a_member_leaves),
		cmocka_unit_test(table_moves_little_else_when_a_weight_changes),
		cmocka_unit_test(table_refuses_what_makes_no_table),
		cmocka_unit_test(table_inherits_bases),
		cmocka_unit_test(table_begins_settled),
		cmocka_unit_test(table_settles_quiet_rows_without_disagreement),
		cmocka_unit_test(table_carries_seen_times_forward_only),
	};

	table_seed("", seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
