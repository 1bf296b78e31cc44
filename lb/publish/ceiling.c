/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flows by backend and service: see ceiling.h. */
#include "lb/publish/ceiling.h"

#include "common/grow.h"
#include "common/hash_map.h"
#include "lb/table/flow_walk.h"

/* One backend in one service where it has a ceiling. */
struct ceiling_pair {
	uint16_t backend, service;
	uint32_t flows;
};

struct ceiling {
	struct registry *registry;
	struct flow_walk *walk;
	struct flow_walk_job job;
	bool is_counted; /* `pairs` are whole */
	struct ceiling_pair *pairs;
	size_t n_pairs;
	struct hash_map at; /* of a pair in `pairs` */
	bool concerns[UINT16_MAX +
		1]; /* by backend: it has a pair, so that others are not looked for */
};

static void ceiling_key(uint16_t backend, uint16_t service, uint64_t ret_key[2])
{
	ret_key[0] = (uint64_t)service << 16 | backend;
	ret_key[1] = 0;
}

/*
 * A flow that said its farewell burdens nobody. Nor does one of which nothing but its SYN or INIT was seen: the server's
 * kernel holds it back from who listens, and anybody can send it in the name of a client that is not there.
 */
static void ceiling_count(const struct flows_entry *entry, void *context)
{
	struct ceiling *ceiling = context;
	uint64_t key[2];
	uint32_t at;

	if (!ceiling->concerns[entry->backend] || flows_has_ended(entry->state) ||
		flows_is_half_open(entry->state))
		return;
	ceiling_key(entry->backend, entry->service, key);
	if (hash_map_get(&ceiling->at, key, &at))
		ceiling->pairs[at].flows++;
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

static void ceiling_forget(struct ceiling *ceiling)
{
	for (size_t i = 0; i < ceiling->n_pairs; i++)
		ceiling->concerns[ceiling->pairs[i].backend] = false;
	free(TAKE_PTR(ceiling->pairs));
	ceiling->n_pairs = 0;
	hash_map_clear(&ceiling->at);
	ceiling->is_counted = false;
}

struct ceiling *ceiling_free(struct ceiling *ceiling)
{
	if (!ceiling)
		return NULL;
	flow_walk_leave(ceiling->walk, &ceiling->job);
	ceiling_forget(ceiling);
	free(ceiling);
	return NULL;
}

static int ceiling_add(struct ceiling *ceiling, uint16_t backend, uint16_t service)
{
	uint64_t key[2];

	ceiling_key(backend, service, key);
	if (GROW(ceiling->pairs, ceiling->n_pairs) < 0 ||
		hash_map_put(&ceiling->at, key, (uint32_t)ceiling->n_pairs) < 0)
		return -ENOMEM;
	ceiling->pairs[ceiling->n_pairs++] =
		(struct ceiling_pair){ .backend = backend, .service = service };
	ceiling->concerns[backend] = true;
	return 0;
}

/* Without memory those that are found are counted, and the next time all are looked for again. */
static void ceiling_find(struct ceiling *ceiling)
{
	const struct registry *registry = ceiling->registry;
	int r = 0;

	for (size_t i = 0; i < registry_len(registry); i++) {
		const struct backend *backend = registry_backend_at(registry, i);
		size_t len = registry_memberships(registry, backend);

		for (size_t k = 0; r == 0 && backend->source == BACKEND_STATIC && k < len; k++) {
			struct registry_member member = registry_membership(registry, backend, k);

			if (member.max_connections > 0)
				r = ceiling_add(ceiling, backend->id, member.service);
		}
	}
}

static void ceiling_report(struct ceiling *ceiling, uint64_t now_us)
{
	ARRAY_FOREACH (pair, ceiling->pairs, ceiling->n_pairs)
		registry_count(ceiling->registry, pair->backend, pair->service, pair->flows);
	for (size_t i = 0; i < ceiling->n_pairs; i++)
		if (i + 1 == ceiling->n_pairs ||
			ceiling->pairs[i].backend != ceiling->pairs[i + 1].backend)
			registry_counted(ceiling->registry, ceiling->pairs[i].backend, now_us);
}

bool ceiling_tell(struct ceiling *ceiling, uint64_t now_us)
{
	if (!ceiling->is_counted)
		return false;
	ceiling_report(ceiling, now_us);
	ceiling_forget(ceiling);
	return true;
}

void ceiling_check(struct ceiling *ceiling)
{
	if (ceiling->job.joined)
		return;
	ceiling_forget(ceiling);
	ceiling_find(ceiling);
	if (ceiling->n_pairs > 0)
		flow_walk_join(ceiling->walk, &ceiling->job);
}
