/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fills Maglev tables: the order of turns, then a row for each turn. A thousand members in a hundred
 * pools are filled anew when one of them leaves, so this is written for time: turns are sorted at
 * once instead of being asked for one by one, which rows are taken is a bit map that stays in the
 * first cache, and the last few free rows are looked for from their own side.
 *
 * Weights by Webster's apportionment: a member's turn number k is due at (k + 1/2) / weight, and
 * the earliest turn is next; so shares are as near to the weights as whole rows allow at every
 * moment of the filling, and equal weights alternate.
 */
#include "lb/table/table_fill.h"

#include <sodium.h>

#include "lb/fwd/hash.h"

_Static_assert(TABLE_SEED_BYTES == crypto_shorthash_KEYBYTES, "the seed is SipHash's key");

/* A turn is a number: when it is due, then whose it is. */
#define TURN_MEMBER_BITS 12u
#define TURN_MEMBER_MASK ((1u << TURN_MEMBER_BITS) - 1)
_Static_assert(TABLE_MEMBERS_MAX <= TURN_MEMBER_MASK + 1, "a turn names any member");

#define DIGIT_BITS 11u /* of the sort: 2,048 counters stay in the first cache */
#define DIGITS     (1u << DIGIT_BITS)

/* So few free rows are searched in a list: a walk would meet them once in FWD_ROWS / LAST_ROWS. */
#define LAST_ROWS 256u

/* A member's way through the rows. */
struct table_walk {
	uint32_t at;
	uint32_t skip;
	uint32_t unskip; /* skip × unskip ≡ 1 (mod FWD_ROWS); 0: not known yet */
	uint16_t id;
};

/* One number of the member's permutation: SipHash of what, family and address. */
static uint64_t table_hash(
	const uint8_t seed[TABLE_SEED_BYTES], const struct addr *address, char what)
{
	uint8_t bytes[2 + sizeof(address->bytes)] = { (uint8_t)what, address->family == AF_INET6 };
	uint8_t hash[crypto_shorthash_BYTES];
	uint64_t number = 0;

	memcpy(bytes + 2, address->bytes, addr_size_bytes(address));
	crypto_shorthash(hash, bytes, 2 + addr_size_bytes(address), seed);
	for (size_t i = 0; i < sizeof(hash); i++)
		number = number << 8 | hash[i];
	return number;
}

static uint32_t table_offset(const uint8_t seed[TABLE_SEED_BYTES], const struct addr *address)
{
	return (uint32_t)(table_hash(seed, address, 'o') % FWD_ROWS);
}

static uint32_t table_skip(const uint8_t seed[TABLE_SEED_BYTES], const struct addr *address)
{
	return (uint32_t)(table_hash(seed, address, 's') % (FWD_ROWS - 1) + 1);
}

uint32_t table_permutation(
	const struct addr *address, const uint8_t seed[TABLE_SEED_BYTES], uint64_t step)
{
	return (uint32_t)((table_offset(seed, address) +
				  step % FWD_ROWS * table_skip(seed, address)) %
		FWD_ROWS);
}

static int table_compare_members(const void *a, const void *b)
{
	return addr_compare(&((const struct table_member *)a)->address,
		&((const struct table_member *)b)->address);
}

static int table_check_members(struct table_member *members, size_t n_members)
{
	bool sorted = true;

	if (n_members > TABLE_MEMBERS_MAX)
		return -EINVAL;
	for (size_t i = 1; i < n_members && sorted; i++)
		sorted = table_compare_members(&members[i - 1], &members[i]) <= 0;
	if (!sorted)
		qsort(members, n_members, sizeof(*members), table_compare_members);
	for (size_t i = 0; i < n_members; i++) {
		if (members[i].weight == 0 || members[i].weight > TABLE_WEIGHT_MAX ||
			members[i].id == 0)
			return -EINVAL;
		if (i > 0 && addr_equal(&members[i - 1].address, &members[i].address))
			return -EINVAL;
	}
	return 0;
}

/* ---- the order of turns ---- */

/* Weights without their common divisor, and what follows from them. */
struct turn_scale {
	uint32_t divisor;
	unsigned int shift; /* bits behind the point of a due time */
	uint64_t limit;     /* there are FWD_ROWS turns or more, but few more, up to this one */
};

/*
 * Due times as fixed-point numbers of (2k + 1) / weight, rounded down. Two different ones differ by
 * 1 / (weight × weight) or more: with so many bits behind the point that this is more than one, they
 * are in the right order, and equal ones are equal. At most 17 bits of turns and 46 behind the point.
 */
static struct turn_scale turn_scale(const struct table_member *members, size_t n_members)
{
	struct turn_scale scale = { 0 };
	uint64_t greatest = 0, total = 0;

	scale.divisor = table_weight_divisor(members, n_members);
	for (size_t i = 0; i < n_members; i++) {
		greatest = MAX(greatest, (uint64_t)members[i].weight / scale.divisor);
		total += members[i].weight / scale.divisor;
	}
	while (UINT64_C(1) << scale.shift <= greatest * greatest)
		scale.shift++;
	/* Until (2 × FWD_ROWS + n) / total each member has had half a turn less than its share, or more. */
	scale.limit = (((uint64_t)2 * FWD_ROWS + n_members) << scale.shift) / total;
	return scale;
}
_Static_assert(TABLE_WEIGHT_MAX < 1u << 23, "squares of weights have 46 bits");
_Static_assert(2 * FWD_ROWS + TABLE_MEMBERS_MAX < 1u << 18, "and a due time 64");

/* All turns that are due up to the limit, a member's own in order. Returns how many. */
static size_t turns_make(const struct table_member *members, size_t n_members,
	const struct turn_scale *scale, uint64_t *turns)
{
	uint64_t one = UINT64_C(1) << scale->shift;
	size_t len = 0;

	for (size_t i = 0; i < n_members; i++) {
		uint64_t weight = members[i].weight / scale->divisor;
		uint64_t due = one / weight, rest = one % weight;
		uint64_t step = 2 * one / weight, step_rest = 2 * one % weight;

		while (due <= scale->limit) {
			turns[len++] = due << TURN_MEMBER_BITS | i;
			due += step;
			rest += step_rest;
			due += rest >= weight;
			rest -= rest >= weight ? weight : 0;
		}
	}
	return len;
}

/* Least digit first, which leaves equal due times in the order of members. */
static uint64_t *turns_sort(uint64_t *turns, uint64_t *room, size_t len, uint64_t limit)
{
	for (unsigned int shift = TURN_MEMBER_BITS; limit > 0;
		shift += DIGIT_BITS, limit >>= DIGIT_BITS) {
		uint32_t begins[DIGITS] = { 0 }, sum = 0;
		uint64_t *sorted = room;

		for (size_t i = 0; i < len; i++)
			begins[turns[i] >> shift & (DIGITS - 1)]++;
		for (size_t digit = 0; digit < DIGITS; digit++) {
			uint32_t count = begins[digit];

			begins[digit] = sum;
			sum += count;
		}
		for (size_t i = 0; i < len; i++)
			sorted[begins[turns[i] >> shift & (DIGITS - 1)]++] = turns[i];
		room = turns;
		turns = sorted;
	}
	return turns;
}

/* ---- rows ---- */

static uint32_t rows_multiply(uint32_t a, uint32_t b)
{
	return (uint32_t)((uint64_t)a * b % FWD_ROWS);
}

/* FWD_ROWS is a prime, so that a^(FWD_ROWS - 2) is the inverse of a (Fermat). */
static uint32_t rows_inverse(uint32_t number)
{
	uint32_t inverse = 1;

	for (uint32_t exponent = FWD_ROWS - 2; exponent; exponent >>= 1) {
		if (exponent & 1)
			inverse = rows_multiply(inverse, number);
		number = rows_multiply(number, number);
	}
	return inverse;
}

static uint32_t walk_next(const struct table_walk *walk, uint32_t at)
{
	at += walk->skip;
	return at >= FWD_ROWS ? at - FWD_ROWS : at;
}

/* Rows that are taken, a bit each. */
struct taken {
	uint64_t words[(FWD_ROWS + 63) / 64];
};

static bool is_taken(const struct taken *taken, uint32_t row)
{
	return taken->words[row / 64] >> row % 64 & 1;
}

/* Each member takes at its turn the first row of its permutation that is still free. */
static void rows_take(struct table_walk *walks, const uint64_t *turns, size_t n_turns,
	struct taken *taken, struct fwd_slot *rows)
{
	for (size_t i = 0; i < n_turns; i++) {
		struct table_walk *walk = &walks[turns[i] & TURN_MEMBER_MASK];
		uint32_t at = walk->at;

		while (is_taken(taken, at))
			at = walk_next(walk, at);
		taken->words[at / 64] |= UINT64_C(1) << at % 64;
		rows[at].owner = walk->id;
		walk->at = walk_next(walk, at);
	}
}

/* The same for the last rows: which of them comes first on the member's way is a multiplication. */
static void rows_take_last(struct table_walk *walks, const uint64_t *turns, size_t n_turns,
	const struct taken *taken, struct fwd_slot *rows)
{
	uint32_t free_rows[LAST_ROWS];
	size_t n_free = 0;

	for (uint32_t row = 0; row < FWD_ROWS; row++)
		if (!is_taken(taken, row))
			free_rows[n_free++] = row;
	for (size_t i = 0; i < n_turns; i++) {
		struct table_walk *walk = &walks[turns[i] & TURN_MEMBER_MASK];
		uint32_t least = UINT32_MAX;
		size_t first = 0;

		if (walk->unskip == 0)
			walk->unskip = rows_inverse(walk->skip);
		for (size_t k = 0; k < n_free; k++) {
			uint32_t steps =
				rows_multiply(free_rows[k] + FWD_ROWS - walk->at, walk->unskip);

			first = steps < least ? k : first;
			least = MIN(steps, least);
		}
		walk->at = walk_next(walk, free_rows[first]);
		rows[free_rows[first]].owner = walk->id;
		free_rows[first] = free_rows[--n_free];
	}
}

static struct table_walk *walks_new(
	const struct table_member *members, size_t n_members, const uint8_t seed[TABLE_SEED_BYTES])
{
	struct table_walk *walks = calloc(n_members, sizeof(*walks));

	for (size_t i = 0; walks && i < n_members; i++) {
		const struct addr *address = &members[i].address;

		walks[i] = (struct table_walk){
			.at = table_offset(seed, address),
			.skip = table_skip(seed, address),
			.id = members[i].id,
		};
	}
	return walks;
}

int table_fill(struct table_member *members, size_t n_members, const uint8_t seed[TABLE_SEED_BYTES],
	struct fwd_slot *rows)
{
	/* Rounding up adds less than one turn of each member to those below the limit. */
	const size_t room = FWD_ROWS + 2 * n_members;
	const size_t n_walked = FWD_ROWS - LAST_ROWS;
	_cleanup_free_ struct table_walk *walks = NULL;
	_cleanup_free_ uint64_t *turns = NULL;
	struct taken taken = { 0 };
	struct turn_scale scale;
	uint64_t *sorted;
	size_t n_turns;
	int r = table_check_members(members, n_members);

	if (r < 0)
		return r;
	if (n_members == 0) {
		for (size_t i = 0; i < FWD_ROWS; i++)
			rows[i].owner = 0;
		return 0;
	}
	walks = walks_new(members, n_members, seed);
	turns = reallocarray(NULL, 2 * room, sizeof(*turns));
	if (!walks || !turns)
		return -ENOMEM;
	scale = turn_scale(members, n_members);
	n_turns = turns_make(members, n_members, &scale, turns);
	sorted = turns_sort(turns, turns + room, n_turns, scale.limit);
	rows_take(walks, sorted, n_walked, &taken, rows);
	rows_take_last(walks, sorted + n_walked, LAST_ROWS, &taken, rows);
	return 0;
}
