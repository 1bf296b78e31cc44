/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables: what a new one inherits from the old one (the bases of just-enough tracking), settling, shares
 * and the digest. Pure: memory is the caller's, time an argument.
 */
#pragma once

#include "common/addr.h"
#include "lb/fwd/types.h"

#define TABLE_MEMBERS_MAX 4096u
#define TABLE_WEIGHT_MAX  (UINT16_MAX * 100u) /* in percent of a backend's weight: slow start */
#define TABLE_SEED_BYTES  16u
#define TABLE_DIGEST_LEN  17u /* 16 hex digits and the end */

struct table_member {
	struct addr address; /* identity: the same on every balancer */
	uint16_t id;         /* this balancer's name for it: goes into the rows */
	/*
	 * 1–TABLE_WEIGHT_MAX, effective; members of weight 0 are left out by the caller. Only the ratios
	 * count: all weights times the same number give the same rows.
	 */
	uint32_t weight;
};

/* The 16-byte seed of a cluster-seed string ("" is a constant of the product). */
void table_seed(const char *cluster_seed, uint8_t ret_seed[TABLE_SEED_BYTES]);

/* The greatest number that divides all weights; 0: there are no members. */
uint32_t table_weight_divisor(const struct table_member *members, size_t n_members);

/* A set of backend ids, a bit each; zeroed is empty. */
struct table_ids {
	uint64_t words[(FWD_ID_MAX + 64) / 64];
};

static inline void table_ids_add(struct table_ids *ids, uint16_t id)
{
	ids->words[id / 64] |= UINT64_C(1) << id % 64;
}

static inline bool table_ids_have(const struct table_ids *ids, uint16_t id)
{
	return ids->words[id / 64] >> id % 64 & 1;
}

/* Writes `settled` from the rows, of a table that nobody reads yet; outside for tests and the benchmark. */
void table_list_settled(struct fwd_table *table);
/*
 * Gives every row its base, from the table that it replaces: the old base where that is `alive` (the
 * backend may still hold flows of this table's services), else the owner (what was only there has moved). A row is moving (seen_s not 0) when its owner is not
 * the base now, and stays moving when it was, also back at its base: records may disagree. With no
 * old table (NULL) all rows are settled. With `follow` (a balancer that starts with nothing, see
 * FWD_SERVICE_RECORD_NEW) all bases are the owners, and all rows are moving. A row that begins to
 * move gets seen_s = now_s. Returns the number of moving rows.
 */
size_t table_inherit(struct fwd_table *table, const struct fwd_slot *old_rows, bool follow,
	const struct table_ids *alive, uint32_t now_s);
/*
 * Makes every row move, where records may disagree with rows that look settled: of a service that
 * recorded every flow, and does no more. Returns the number of moving rows.
 */
size_t table_stir(struct fwd_table *table, uint32_t now_s);
/* Carries later `seen_s` of the replaced table over, when its last reader has gone. */
void table_carry_seen(struct fwd_slot *rows, const struct fwd_slot *old_rows);

/*
 * Settles moving rows: those to whose base no packet went for timeout_s (or whose owner is the
 * base), and for which `disagrees` (one bit a row, FWD_ROWS bits: a live flow record names another
 * backend than the owner) is not set. Returns the number still moving. Workers may run meanwhile.
 */
size_t table_settle(
	struct fwd_table *table, const uint8_t *disagrees, uint32_t timeout_s, uint32_t now_s);
size_t table_moving(const struct fwd_slot *rows);

/* Rows owned by each id; 0: by nobody. */
void table_count(const struct fwd_slot *rows, uint32_t ret_n_owned[FWD_ID_MAX + 1]);
/*
 * 64 bits of hash over members' addresses, weights and rows (as positions among the
 * sorted members, so that ids, which differ between balancers, do not count), in hex. Members
 * as table_fill() sorted them. -ENOMEM.
 */
int table_digest(const struct table_member *members, size_t n_members, const struct fwd_slot *rows,
	char ret_digest[TABLE_DIGEST_LEN]);
