/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who owns each row of a table. Pure.
 *
 * Maglev: Eisenbud et al., NSDI 2016 §3.4. Permutations come from a SipHash of the member's
 * address under the cluster seed, members are taken in address order, and a member with weight w
 * takes turns in proportion to w: the same set gives the same rows on every balancer, whatever
 * the order of joining.
 */
#pragma once

#include "lb/table/table.h"

/*
 * Writes the owner of each of the FWD_ROWS rows; base and seen_s are left alone. Members are
 * sorted in place by address. No members: all owners 0. -EINVAL: more than TABLE_MEMBERS_MAX, a
 * weight or id of 0, a weight over TABLE_WEIGHT_MAX, an address twice. -ENOMEM.
 */
int table_fill(struct table_member *members, size_t n_members, const uint8_t seed[TABLE_SEED_BYTES],
	struct fwd_slot *rows);

/* Row number `step` of the member's permutation, by its definition: for tests of table_fill(). */
uint32_t table_permutation(
	const struct addr *address, const uint8_t seed[TABLE_SEED_BYTES], uint64_t step);
