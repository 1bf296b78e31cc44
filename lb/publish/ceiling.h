/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts the flows of hosts without an agent that have a ceiling (max-connections), in the walk through the flow table, and
 * tells the registry.
 */
#pragma once

#include "lb/registry/registry.h"

struct ceiling;
struct flow_walk;

/* Both outlive it. NULL: out of memory. */
struct ceiling *ceiling_new(struct registry *registry, struct flow_walk *walk);
struct ceiling *ceiling_free(struct ceiling *ceiling);
/* Each second: tells what was counted, and begins anew if anybody has a ceiling. */
void ceiling_check(struct ceiling *ceiling, uint64_t now_us);
