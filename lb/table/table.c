/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of a table: see table.h; table_fill.c chooses the owners of its rows. */
#include "lb/table/table.h"

#include <sodium.h>

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

uint32_t table_weight_divisor(const struct table_member *members, size_t n_members)
{
	uint32_t divisor = 0;

	for (size_t i = 0; i < n_members; i++)
		for (uint32_t rest = members[i].weight; rest;) {
			uint32_t next = divisor % rest;

			divisor = rest;
			rest = next;
		}
	return divisor;
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

void table_list_settled(struct fwd_table *table)
{
	for (size_t i = 0; i < FWD_ROWS; i++)
		table->settled[i] = table->rows[i].seen_s ? 0 : table->rows[i].owner;
}

static size_t table_follow(struct fwd_table *table, uint32_t now_s)
{
	for (size_t i = 0; i < FWD_ROWS; i++)
		table->rows[i].base = table->rows[i].owner;
	return table_stir(table, now_s);
}

size_t table_inherit(struct fwd_table *table, const struct fwd_slot *old_rows, bool follow,
	const struct table_ids *alive, uint32_t now_s)
{
	size_t n_moving = 0;

	if (follow)
		return table_follow(table, now_s);
	for (size_t i = 0; i < FWD_ROWS; i++) {
		struct fwd_slot *row = &table->rows[i];
		uint32_t old_seen_s = old_rows ? FWD_LOAD(&old_rows[i].seen_s) : 0;
		uint16_t base = old_rows ? FWD_LOAD(&old_rows[i].base) : 0;

		if (base == 0 || !table_ids_have(alive, base))
			base = row->owner;
		if (old_seen_s == 0 && base == row->owner) {
			table_settle_row(row);
			continue;
		}
		row->base = base;
		row->seen_s = old_seen_s ? old_seen_s : table_never_zero(now_s);
		n_moving++;
	}
	table_list_settled(table);
	return n_moving;
}

size_t table_stir(struct fwd_table *table, uint32_t now_s)
{
	for (size_t i = 0; i < FWD_ROWS; i++)
		table->rows[i].seen_s = table_never_zero(now_s);
	table_list_settled(table);
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

static bool table_may_settle(const struct fwd_slot *row, uint32_t timeout_s, uint32_t now_s)
{
	/* The owner has come back to the base: whatever is not recorded is right already. */
	if (row->base == row->owner)
		return true;
	return (int32_t)(now_s - row->seen_s) > 0 && now_s - row->seen_s > timeout_s;
}

size_t table_settle(
	struct fwd_table *table, const uint8_t *disagrees, uint32_t timeout_s, uint32_t now_s)
{
	struct fwd_slot *rows = table->rows;
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
		if (disagrees[i / 8] >> i % 8 & 1 || !table_may_settle(&row, timeout_s, now_s) ||
			!__atomic_compare_exchange(&rows[i], &row, &settled, false,
				__ATOMIC_RELEASE, __ATOMIC_RELAXED))
			n_moving++;
		else
			__atomic_store_n(&table->settled[i], row.owner, __ATOMIC_RELEASE);
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

void table_count(const struct fwd_slot *rows, uint32_t ret_n_owned[FWD_ID_MAX + 1])
{
	memset(ret_n_owned, 0, (FWD_ID_MAX + 1) * sizeof(*ret_n_owned));
	for (size_t i = 0; i < FWD_ROWS; i++)
		ret_n_owned[rows[i].owner]++;
}

static void table_put_number(uint8_t *bytes, uint32_t number)
{
	bytes[0] = (uint8_t)(number >> 24);
	bytes[1] = (uint8_t)(number >> 16);
	bytes[2] = (uint8_t)(number >> 8);
	bytes[3] = (uint8_t)number;
}

static void table_hash_number(crypto_generichash_state *state, uint32_t number)
{
	uint8_t bytes[4];

	table_put_number(bytes, number);
	crypto_generichash_update(state, bytes, sizeof(bytes));
}

/* Many at once: the hash takes a call of four bytes as long as one of a hundred. */
static void table_hash_rows(
	crypto_generichash_state *state, const struct fwd_slot *rows, const uint16_t *positions)
{
	uint8_t bytes[4096];
	size_t used = 0;

	for (size_t i = 0; i < FWD_ROWS; i++) {
		table_put_number(bytes + used, positions[rows[i].owner]);
		used += 4;
		if (used < sizeof(bytes) && i + 1 < FWD_ROWS)
			continue;
		crypto_generichash_update(state, bytes, used);
		used = 0;
	}
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
	table_hash_rows(&state, rows, positions);
	crypto_generichash_final(&state, hash, sizeof(hash));
	sodium_bin2hex(ret_digest, TABLE_DIGEST_LEN, hash, (TABLE_DIGEST_LEN - 1) / 2);
	return 0;
}
