/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The counters of an engine in the kernel: see engine_ops.totals and its neighbours. */
#pragma once

#include <stdint.h>

struct engine;
struct engine_pair_counters;
struct engine_service_counters;
struct engine_totals;

void count_totals(struct engine *engine, struct engine_totals *ret_totals);
void count_service(
	struct engine *engine, uint16_t service, struct engine_service_counters *ret_counters);
void count_pair(struct engine *engine, uint16_t service, uint16_t backend,
	struct engine_pair_counters *ret_counters);
uint64_t count_take_clients(struct engine *engine, uint16_t service, uint16_t backend);
