/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control plane's side of the filter of flows seen (lb/fwd/seen.h): its size, its beginning, another size,
 * and the turns of its generations. Packets are marked meanwhile. Pure: memory only.
 */
#pragma once

#include "lb/table/flows.h"

/*
 * Words of a generation for `max_flows` flows: 8 bits a flow, and 128 KiB at least. When so many are marked, one
 * new flow in 27 counts as an old one.
 */
uint32_t flow_seen_words(uint64_t max_flows);
/* Words of the whole filter, whose generations have so many; 0 for none. */
uint64_t flow_seen_len(uint32_t n_seen);

/*
 * A filter that nobody has marked: until the first turn every flow counts as seen, since nobody knows which
 * were. Its memory is zero before.
 */
void flow_seen_start(const struct flows_table *table);
/* Whether it has only been started: what flows did before is not in it. False without a filter. */
bool flow_seen_is_new(const struct flows_table *table);
/*
 * Takes over all marks and times into a filter of the same or another size, which is zero before and not in use
 * yet: each flow that `from` knows is known to `to`. Without a filter in `from` it is started.
 */
void flow_seen_move(const struct flows_table *to, const struct flows_table *from);

/* What a turn has done so far; {0} at first. */
struct flow_seen_turn {
	uint64_t n_cleared; /* words of the former generation */
	bool clears;
};

/*
 * Turns the generations when the marked one is older than the longest time that a flow may be silent; to be
 * called about once a second, with the seconds of CLOCK_MONOTONIC. Clears some megabytes at a call, so a long filter turns
 * some calls later: a late turn forgets nothing. Nor does a stop of the process anywhere in between, a restart
 * with or without its last words, or a time from the future.
 */
void flow_seen_turn(const struct flows_table *table, struct flow_seen_turn *turn,
	uint32_t timeout_s, uint32_t now_s);
