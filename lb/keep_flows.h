/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moving flow records from one table to another of a different size, and mending a table whose
 * writers were killed. Pure: memory only. Called by lb/keep.
 */
#pragma once

#include "lb/flows.h"

/*
 * Puts every record of `from` that `to` does not hold into its bucket there; where the bucket is
 * full, the oldest record loses, unproven ones first. Workers may be using both tables
 * meanwhile. `seed` is that of both tables' index, now_s of CLOCK_MONOTONIC.
 */
void keep_flows_move(const struct flows_table *to, const struct flows_table *from,
	const uint64_t seed[2], uint32_t now_s);
/*
 * Frees entries that a killed worker was writing, or that name no state. Nobody else may be using
 * the table.
 */
void keep_flows_mend(const struct flows_table *table);
