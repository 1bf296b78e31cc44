/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts the established flows of hosts without an agent that have a ceiling (max-connections), in the walk through the flow table, and
 * tells the registry.
 */
#pragma once

#include "lb/registry/registry.h"

struct ceiling;
struct flow_walk;

/* Both outlive it. NULL: out of memory. */
struct ceiling *ceiling_new(struct registry *registry, struct flow_walk *walk);
struct ceiling *ceiling_free(struct ceiling *ceiling);
/* Each second: begins to count if anybody has a ceiling, and the count before has ended. */
void ceiling_check(struct ceiling *ceiling);
/*
 * After each part of the walk: tells the registry what was counted, once it is whole. A second later it would be as old as
 * that, and a burst so much longer. True: it told.
 */
bool ceiling_tell(struct ceiling *ceiling, uint64_t now_us);
