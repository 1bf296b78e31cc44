/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Maglev tables. Weights by Webster's apportionment: a member's turn number k is due at
 * (k + 1/2) / weight, and the earliest turn is next; so shares are as near to the weights as
 * whole rows allow at every moment of the filling, and equal weights alternate.
 */
#include "lb/table.h"

#include <sodium.h>

#include "lb/fwd/hash.h"

_Static_assert(TABLE_SEED_BYTES == crypto_shorthash_KEYBYTES, "the seed is SipHash's key");
_Static_assert(TABLE_SEED_BYTES >= crypto_generichash_BYTES_MIN, "BLAKE2b gives as few bytes");

void table_seed(const char *cluster_seed, uint8_t ret_seed[TABLE_SEED_BYTES])
{
	static const char domain[] = "dsr cluster-seed 1";
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, TABLE_SEED_BYTES);
	crypto_generichash_update(&state, (const uint8_t *)domain, sizeof(domain));
	crypto_generichash_update(&state, (const uint8_t *)cluster_seed, strlen(cluster_seed));
	crypto_generichash_final(&state, ret_seed, TABLE_SEED_BYTES);
}

/* A member's way through the rows, and its turns so far. */
struct table_walk {
	uint32_t at;
	uint32_t skip;
	uint32_t weight;
	uint32_t turns;
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

/* Whether the turn of `a` is due before that of `b`; of equal ones the smaller address's is. */
static bool table_is_before(const struct table_walk *walks, uint32_t a, uint32_t b)
{
	uint64_t due_a = (2 * (uint64_t)walks[a].turns + 1) * walks[b].weight;
	uint64_t due_b = (2 * (uint64_t)walks[b].turns + 1) * walks[a].weight;

	return due_a != due_b ? due_a < due_b : a < b;
}

/* Restores the heap of positions in `walks` from its element `at` downwards. */
static void table_sift(const struct table_walk *walks, uint32_t *heap, size_t len, size_t at)
{
	for (;;) {
		size_t first = at, left = 2 * at + 1;
		uint32_t moved;

		for (size_t child = left; child < left + 2 && child < len; child++)
			if (table_is_before(walks, heap[child], heap[first]))
				first = child;
		if (first == at)
			return;
		moved = heap[at];
		heap[at] = heap[first];
		heap[first] = moved;
		at = first;
	}
}

static int table_compare_members(const void *a, const void *b)
{
	return addr_compare(&((const struct table_member *)a)->address,
		&((const struct table_member *)b)->address);
}

static int table_check_members(struct table_member *members, size_t n_members)
{
	if (n_members > TABLE_MEMBERS_MAX)
		return -EINVAL;
	if (n_members > 0)
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

/* The member takes the first row of its permutation that is still free. */
static void table_take_row(struct table_walk *walk, struct fwd_slot *rows)
{
	for (;;) {
		struct fwd_slot *row = &rows[walk->at];

		walk->at += walk->skip;
		if (walk->at >= FWD_ROWS)
			walk->at -= FWD_ROWS;
		if (row->owner)
			continue;
		row->owner = walk->id;
		walk->turns++;
		return;
	}
}

int table_fill(struct table_member *members, size_t n_members, const uint8_t seed[TABLE_SEED_BYTES],
	struct fwd_slot *rows)
{
	_cleanup_free_ struct table_walk *walks = NULL;
	_cleanup_free_ uint32_t *heap = NULL;
	int r;

	r = table_check_members(members, n_members);
	if (r < 0)
		return r;
	walks = calloc(n_members + 1, sizeof(*walks));
	heap = calloc(n_members + 1, sizeof(*heap));
	if (!walks || !heap)
		return -ENOMEM;
	for (uint32_t i = 0; i < n_members; i++) {
		const struct addr *address = &members[i].address;

		heap[i] = i;
		walks[i] = (struct table_walk){
			.at = (uint32_t)(table_hash(seed, address, 'o') % FWD_ROWS),
			.skip = (uint32_t)(table_hash(seed, address, 's') % (FWD_ROWS - 1) + 1),
			.weight = members[i].weight,
			.id = members[i].id,
		};
	}
	for (size_t i = n_members / 2; i > 0; i--)
		table_sift(walks, heap, n_members, i - 1);
	for (size_t i = 0; i < FWD_ROWS; i++)
		rows[i].owner = 0;
	for (size_t i = 0; n_members > 0 && i < FWD_ROWS; i++) {
		table_take_row(&walks[heap[0]], rows);
		table_sift(walks, heap, n_members, 0);
	}
	return 0;
}

static uint32_t table_never_zero(uint32_t now_s)
{
	return now_s ? now_s : 1;
}

static void table_settle_row(struct fwd_slot *row)
{
	row->base = row->owner;
	row->seen_s = 0;
}

size_t table_inherit(struct fwd_slot *rows, const struct fwd_slot *old_rows, bool follow,
	table_alive_fn *alive, void *context, uint32_t now_s)
{
	size_t n_moving = 0;

	for (size_t i = 0; i < FWD_ROWS; i++) {
		struct fwd_slot *row = &rows[i];
		uint32_t old_seen_s = old_rows ? FWD_LOAD(&old_rows[i].seen_s) : 0;
		uint16_t base = old_rows ? FWD_LOAD(&old_rows[i].base) : 0;

		if (follow) {
			row->base = row->owner;
			row->seen_s = table_never_zero(now_s);
			n_moving++;
			continue;
		}
		if (!old_rows) {
			table_settle_row(row);
			continue;
		}
		if (base == 0 || !alive(base, context))
			base = row->owner;
		if (old_seen_s == 0 && base == row->owner) {
			table_settle_row(row);
			continue;
		}
		row->base = base;
		row->seen_s = old_seen_s ? old_seen_s : table_never_zero(now_s);
		n_moving++;
	}
	return n_moving;
}

size_t table_stir(struct fwd_slot *rows, uint32_t now_s)
{
	for (size_t i = 0; i < FWD_ROWS; i++)
		rows[i].seen_s = table_never_zero(now_s);
	return FWD_ROWS;
}

void table_carry_seen(struct fwd_slot *rows, const struct fwd_slot *old_rows)
{
	for (size_t i = 0; i < FWD_ROWS; i++) {
		uint32_t seen_s = FWD_LOAD(&rows[i].seen_s);
		uint32_t old_s = FWD_LOAD(&old_rows[i].seen_s);

		/* Only among moving rows, and only forward; the clock may wrap. */
		while (seen_s && old_s && (int32_t)(old_s - seen_s) > 0 &&
			!__atomic_compare_exchange_n(&rows[i].seen_s, &seen_s, old_s, false,
				__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			;
	}
}

static bool table_may_settle(const struct fwd_slot *row, uint32_t tcp_timeout_s, uint32_t now_s)
{
	/* The owner has come back to the base: whatever is not recorded is right already. */
	if (row->base == row->owner)
		return true;
	return (int32_t)(now_s - row->seen_s) > 0 && now_s - row->seen_s > tcp_timeout_s;
}

size_t table_settle(
	struct fwd_slot *rows, const uint8_t *disagrees, uint32_t tcp_timeout_s, uint32_t now_s)
{
	size_t n_moving = 0;

	for (size_t i = 0; i < FWD_ROWS; i++) {
		struct fwd_slot row = {
			.owner = rows[i].owner,
			.base = rows[i].base,
			.seen_s = FWD_LOAD(&rows[i].seen_s),
		};
		struct fwd_slot settled = { .owner = row.owner, .base = row.owner };

		if (row.seen_s == 0)
			continue;
		/* In one step: a packet that goes to the base meanwhile keeps the row moving. */
		if (disagrees[i / 8] >> i % 8 & 1 ||
			!table_may_settle(&row, tcp_timeout_s, now_s) ||
			!__atomic_compare_exchange(&rows[i], &row, &settled, false,
				__ATOMIC_RELEASE, __ATOMIC_RELAXED))
			n_moving++;
	}
	return n_moving;
}

size_t table_moving(const struct fwd_slot *rows)
{
	size_t n_moving = 0;

	for (size_t i = 0; i < FWD_ROWS; i++)
		n_moving += FWD_LOAD(&rows[i].seen_s) != 0;
	return n_moving;
}

size_t table_owned(const struct fwd_slot *rows, uint16_t id)
{
	size_t n_owned = 0;

	for (size_t i = 0; i < FWD_ROWS; i++)
		n_owned += rows[i].owner == id;
	return n_owned;
}

static void table_hash_number(crypto_generichash_state *state, uint32_t number)
{
	uint8_t bytes[4] = { (uint8_t)(number >> 24), (uint8_t)(number >> 16),
		(uint8_t)(number >> 8), (uint8_t)number };

	crypto_generichash_update(state, bytes, sizeof(bytes));
}

int table_digest(const struct table_member *members, size_t n_members, const struct fwd_slot *rows,
	char ret_digest[TABLE_DIGEST_LEN])
{
	static const char domain[] = "dsr table 1";
	_cleanup_free_ uint16_t *positions = calloc(FWD_ID_MAX + 1, sizeof(*positions));
	uint8_t hash[TABLE_SEED_BYTES];
	crypto_generichash_state state;

	if (!positions)
		return -ENOMEM;
	crypto_generichash_init(&state, NULL, 0, sizeof(hash));
	crypto_generichash_update(&state, (const uint8_t *)domain, sizeof(domain));
	for (size_t i = 0; i < n_members; i++) {
		positions[members[i].id] = (uint16_t)(i + 1);
		table_hash_number(&state, members[i].address.family == AF_INET6);
		crypto_generichash_update(
			&state, members[i].address.bytes, addr_size_bytes(&members[i].address));
		table_hash_number(&state, members[i].weight);
	}
	for (size_t i = 0; i < FWD_ROWS; i++)
		table_hash_number(&state, positions[rows[i].owner]);
	crypto_generichash_final(&state, hash, sizeof(hash));
	sodium_bin2hex(ret_digest, TABLE_DIGEST_LEN, hash, (TABLE_DIGEST_LEN - 1) / 2);
	return 0;
}
