/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moving flow records from one table to another of a different size, and mending a table whose
 * writers were killed. Pure: memory only. Called by lb/state/keep.
 */
#pragma once

#include "lb/table/flows.h"

/*
 * Puts every record of `from` into its groups of buckets of `to`, at home where there is room, unless it
 * is there; where both are full, the oldest record loses, unproven ones first. Nobody else may be using `to`; what is written
 * to `from` meanwhile is whole or left out. `seed` is that of both tables' index.
 */
void keep_flows_move(
	const struct flows_table *to, const struct flows_table *from, const uint64_t seed[2]);
/*
 * Frees entries that name no state, and those that a killed worker was writing: unless `is_shared`
 * with a program in the kernel, which may be writing them now (and is not killed half-way).
 */
void keep_flows_mend(const struct flows_table *table, bool is_shared);
