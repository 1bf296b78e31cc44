/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flows by backend: see ceiling.h. */
#include "lb/publish/ceiling.h"

#include "lb/table/flow_walk.h"

struct ceiling {
	struct registry *registry;
	struct flow_walk *walk;
	struct flow_walk_job job;
	bool is_counted;                /* `flows` is whole */
	uint32_t flows[UINT16_MAX + 1]; /* by backend, while a walk runs */
};

/* A flow that said its farewell burdens nobody. */
static void ceiling_count(const struct flows_entry *entry, void *context)
{
	struct ceiling *ceiling = context;

	if (!flows_has_ended(entry->state))
		ceiling->flows[entry->backend]++;
}

static bool ceiling_applies(const struct backend *backend)
{
	return backend->source == BACKEND_STATIC && backend->max_connections > 0;
}

static void ceiling_done(void *context)
{
	struct ceiling *ceiling = context;

	ceiling->is_counted = true;
}

struct ceiling *ceiling_new(struct registry *registry, struct flow_walk *walk)
{
	struct ceiling *ceiling = calloc(1, sizeof(*ceiling));

	if (!ceiling)
		return NULL;
	ceiling->registry = registry;
	ceiling->walk = walk;
	ceiling->job = (struct flow_walk_job){
		.each = ceiling_count, .done = ceiling_done, .context = ceiling
	};
	return ceiling;
}

struct ceiling *ceiling_free(struct ceiling *ceiling)
{
	if (!ceiling)
		return NULL;
	flow_walk_leave(ceiling->walk, &ceiling->job);
	free(ceiling);
	return NULL;
}

void ceiling_check(struct ceiling *ceiling, uint64_t now_us)
{
	bool applies = false;

	if (ceiling->job.joined)
		return;
	for (size_t i = 0; i < registry_len(ceiling->registry); i++) {
		const struct backend *backend = registry_backend_at(ceiling->registry, i);

		if (!ceiling_applies(backend))
			continue;
		applies = true;
		if (ceiling->is_counted)
			registry_count(ceiling->registry, backend->id, ceiling->flows[backend->id],
				now_us);
	}
	ceiling->is_counted = false;
	if (!applies)
		return;
	memset(ceiling->flows, 0, sizeof(ceiling->flows));
	flow_walk_join(ceiling->walk, &ceiling->job);
}
