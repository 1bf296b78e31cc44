/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Persistence of clients whose flows live goes on. Called by settle, in a walk through the flow table. */
#pragma once

#include "lb/engine/snapshot.h"
#include "lb/publish/pool.h"

/* Whether any service of the snapshot has persistence. */
bool persist_hold_wanted(const struct pools *pools, const struct snapshot *snapshot);
/* The client of a living flow: its time begins anew where it would run out before the next walk. */
void persist_hold_client(
	const struct snapshot *snapshot, const struct flows_entry *entry, uint32_t now_s);
