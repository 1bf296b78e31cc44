/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The whole flow table at once, where no main loop waits. */
#pragma once

#include "lb/table/flows.h"

static inline void flows_all(const struct flows_table *table, flows_service_fn *service,
	void *service_context, uint32_t now_s, flows_entry_fn *fn, void *context)
{
	uint64_t bucket = 0;

	while (flows_each_in(table, &bucket, service, service_context, now_s, fn, context))
		;
}

struct flows_all_of {
	uint16_t service; /* 0: any */
	uint16_t backend;
};

static inline bool flows_all_is_void(uint16_t service, uint16_t backend, void *context)
{
	const struct flows_all_of *of = context;

	return backend == of->backend && (of->service == 0 || service == of->service);
}

static inline void flows_all_purge(
	const struct flows_table *table, uint16_t service, uint16_t backend)
{
	struct flows_all_of of = { service, backend };

	for (uint64_t i = 0; i < (uint64_t)table->n_flow4 + table->n_flow6; i++)
		flows_purge_in(table, i, flows_all_is_void, &of);
}
