/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verdict on one backend: from what is known of it to state, reason, weight for new flows and
 * whether existing flows may stay. The only writer of these fields.
 */
#pragma once

#include "lb/registry/entry.h"

/* To be called after every event that touched the entry. */
void health_judge(struct registry *registry, struct entry *entry, uint64_t now_us);
/* The service is not kept from this member by a reason of its own (struct registry_member). */
bool health_serves(const struct registry *registry, const struct entry *entry,
	const struct entry_service *member);
/* The backend failed, or took a better word back: what it needs to recover doubles. */
void health_note_flap(struct entry *entry, uint64_t now_us);
/* How many good answers a better word waits for after a flap: the first is free, each later one doubles them. */
uint32_t health_flap_answers(const struct registry *registry, const struct entry *entry);
/* Its agent is silent; or, where it has none, its neighbour or its path. */
bool health_is_silent(const struct registry *registry, const struct entry *entry);
/* By its agent's own words; `*ret_why` "" then. */
bool health_agent_is_well(
	const struct registry *registry, const struct entry *entry, struct why *ret_why);
/* When a backend that drains gives up the flows that it still has. */
uint64_t health_drain_end_us(const struct registry *registry, const struct entry *entry);
