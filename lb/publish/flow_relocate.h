/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes room in the near part of the flow table before it is said to be crowded (lb/fwd/flow.h): its
 * records go to where they will be looked for first.
 */
#pragma once

#include "lb/engine/snapshot.h"

/*
 * Moves the live records of the family's near part to their groups in the whole table, while workers and
 * programs forward by `snapshot`, by which near is looked at first (else nothing moves). One that
 * finds no void entry there stays, and is found all the same. Takes some tens of milliseconds for a
 * full part. Returns how many moved.
 */
size_t flow_relocate(const struct snapshot *snapshot, bool is_ip6, uint32_t now_s);
