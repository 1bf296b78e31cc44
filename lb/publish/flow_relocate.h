/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Empties the dense part of the flow table (lb/fwd/flow.h), where records of a table that is nearly empty
 * lie close together, before the table is said to be crowded: they go to where they will be looked for first.
 * Called by settle.
 */
#pragma once

#include "lb/engine/snapshot.h"

/*
 * Moves the live records of the family's dense part to their groups behind it, while workers and
 * programs forward by `snapshot`, by which the dense part is looked at first (else nothing moves). One that
 * finds no void entry there stays, and is found all the same. Takes some tens of milliseconds for a
 * full part. Returns how many moved.
 */
size_t flow_relocate(const struct snapshot *snapshot, bool is_ip6, uint32_t now_s);
