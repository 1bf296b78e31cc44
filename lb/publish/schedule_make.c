/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Publication for rr and lc: the order of backends (whose position the workers share), and what lc knows of its backends. Agents report
 * what is established; what a static holds is counted in the flow table.
 */
#include "lb/publish/schedule_make.h"

#include "common/grow.h"

static bool schedule_has_loads(const struct pool_service *service)
{
	return service && service->scheduler && scheduler_has_loads(service->scheduler);
}

/* Agents report connections of TCP. */
static bool schedule_is_reported(
	const struct config_virtual_server *virtual_server, const struct backend *backend)
{
	return backend->source == BACKEND_AGENT && config_serves(virtual_server, CONFIG_TCP);
}

/* A load for each member; those of a scheduler that is in use are noted. */
static int schedule_add_loads(
	const struct pool_service *built, bool in_use, struct schedule_changes *changes)
{
	for (size_t i = 0; i < built->pool->n_members; i++) {
		uint16_t backend = built->pool->members[i].id;
		int r = 0;

		if (scheduler_load(built->scheduler, backend))
			continue;
		if (in_use)
			r = GROW(changes->items, changes->len);
		if (r == 0)
			r = scheduler_add_load(built->scheduler, backend);
		if (r < 0)
			return r;
		if (in_use)
			changes->items[changes->len++] =
				(struct schedule_change){ built->scheduler, backend };
	}
	return 0;
}

int schedule_make(struct scheduler_loads *loads, const struct pool_service *old,
	const struct config_virtual_server *virtual_server, struct pool_service *built,
	struct schedule_changes *changes)
{
	bool least = virtual_server->scheduler == CONFIG_LC;
	bool in_use = old && old->scheduler && scheduler_has_loads(old->scheduler) == least;

	if (!least && virtual_server->scheduler != CONFIG_RR)
		return 0;
	built->scheduler = in_use ? scheduler_ref(old->scheduler) : scheduler_new(loads, least);
	if (!built->scheduler)
		return -ENOMEM;
	built->reported = config_serves(virtual_server, CONFIG_TCP);
	return least ? schedule_add_loads(built, in_use, changes) : 0;
}

void schedule_undo(struct schedule_changes *changes)
{
	for (size_t i = 0; i < changes->len; i++)
		scheduler_remove_load(changes->items[i].scheduler, changes->items[i].backend);
	changes->len = 0;
}

void schedule_changes_clear(struct schedule_changes *changes)
{
	free(changes->items);
	*changes = (struct schedule_changes){ 0 };
}

/* A member that is new to lc is counted from nothing, whatever an older one of its id left. */
static void schedule_reset_loads(const struct pool *old_pool, const struct pool_service *built)
{
	const struct pool *pool = built->pool;
	struct table_ids known = { 0 };

	for (size_t i = 0; old_pool && i < old_pool->n_members; i++)
		table_ids_add(&known, old_pool->members[i].id);
	for (size_t i = 0; i < pool->n_members; i++)
		if (!table_ids_have(&known, pool->members[i].id))
			scheduler_report(built->scheduler, pool->members[i].id, 0);
}

void schedule_commit(const struct registry *registry, const struct pool_service *old,
	const struct config_virtual_server *virtual_server, const struct pool_service *built)
{
	if (!schedule_has_loads(built))
		return;
	for (size_t i = 0; i < built->pool->n_members; i++) {
		const struct table_member *member = &built->pool->members[i];

		FWD_STORE(&scheduler_load(built->scheduler, member->id)->weight, member->weight);
		scheduler_set_counted(built->scheduler, member->id,
			!schedule_is_reported(
				virtual_server, registry_backend(registry, member->id)));
	}
	if (!old || old->pool != built->pool)
		schedule_reset_loads(old ? old->pool : NULL, built);
}

int schedule_add(struct snapshot *snapshot, const struct pool_service *built,
	const struct config_virtual_server *virtual_server)
{
	const struct pool *pool = built->pool;
	_cleanup_free_ uint16_t *order = NULL;
	uint32_t order_len = 0;
	int r;

	if (!built->scheduler)
		return 0;
	if (virtual_server->scheduler == CONFIG_RR) {
		r = scheduler_order(pool->members, pool->n_members, &order, &order_len);
		if (r < 0)
			return r;
	} else {
		order = calloc(pool->n_members + 1, sizeof(*order));
		if (!order)
			return -ENOMEM;
		for (size_t i = 0; i < pool->n_members; i++)
			order[order_len++] = pool->members[i].id;
	}
	return snapshot_add_schedule(snapshot, built->id, order, order_len, built->scheduler);
}

/* Every agent's every word comes here: only what the backend belongs to is looked at, and only if anything counts. */
void schedule_report(
	const struct pools *pools, const struct registry *registry, const struct backend *backend)
{
	size_t len = pools->has_loads ? registry_memberships(registry, backend) : 0;

	for (size_t i = 0; i < len; i++) {
		struct registry_member member = registry_membership(registry, backend, i);
		const struct pool_service *found = pool_service_find(pools, member.service);

		const struct backend_vip *vip = agent_status_vip(&backend->status, member.vip);

		if (vip && schedule_has_loads(found) && found->reported)
			scheduler_report(found->scheduler, backend->id, vip->established);
	}
}

bool schedule_count_wanted(const struct pools *pools)
{
	for (size_t i = 0; i < pools->n_services; i++)
		if (schedule_has_loads(&pools->services[i]))
			return true;
	return false;
}

/* A walk that was given up may have left its counts. */
void schedule_count_begin(const struct pools *pools)
{
	for (size_t i = 0; i < pools->n_services; i++)
		if (schedule_has_loads(&pools->services[i]))
			scheduler_count_begin(pools->services[i].scheduler);
}

/* A flow that said its farewell burdens nobody. */
void schedule_count_flow(const struct pools *pools, const struct flows_entry *entry)
{
	const struct pool_service *service = pool_service_find(pools, entry->service);

	if (schedule_has_loads(service) && !flows_has_ended(entry->state))
		scheduler_count(service->scheduler, entry->backend);
}

void schedule_count_end(const struct pools *pools)
{
	for (size_t i = 0; i < pools->n_services; i++) {
		const struct pool_service *service = &pools->services[i];

		for (size_t k = 0; schedule_has_loads(service) && k < service->pool->n_members; k++)
			scheduler_report_count(service->scheduler, service->pool->members[k].id);
	}
}
