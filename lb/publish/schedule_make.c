/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Publication for rr and lc: the order of turns, and what lc knows of its backends. Agents report
 * what is established; what a static holds is counted in the flow table.
 */
#include "lb/publish/publish_internal.h"

bool publish_records(const struct config_virtual_server *virtual_server)
{
	return virtual_server->scheduler == CONFIG_RR || virtual_server->scheduler == CONFIG_LC ||
		virtual_server->persistence_us > 0;
}

/* Agents report connections of TCP. */
static bool publish_is_reported(
	const struct config_virtual_server *virtual_server, const struct backend *backend)
{
	return backend->source == BACKEND_AGENT && virtual_server->protocol != CONFIG_UDP;
}

/* A member that is new to lc is counted from nothing, whatever an older one of its id left. */
static void publish_loads_reset(
	const struct publish_table *old_table, const struct publish_service *built)
{
	const struct publish_table *table = built->table;

	struct table_ids known = { 0 };

	for (size_t i = 0; old_table && i < old_table->n_members; i++)
		table_ids_add(&known, old_table->members[i].id);
	for (size_t i = 0; i < table->n_members; i++)
		if (!table_ids_have(&known, table->members[i].id))
			scheduler_report(built->schedule, table->members[i].id, 0);
}

int publish_schedule_make(struct publish *publish, const struct registry *registry,
	const struct publish_service *old, const struct config_virtual_server *virtual_server,
	struct publish_service *built)
{
	bool least = virtual_server->scheduler == CONFIG_LC;

	if (!least && virtual_server->scheduler != CONFIG_RR)
		return 0;
	if (old && old->schedule && scheduler_has_loads(old->schedule) == least)
		built->schedule = scheduler_ref(old->schedule);
	else
		built->schedule = scheduler_new(publish->loads, least);
	if (!built->schedule)
		return -ENOMEM;
	built->reported = virtual_server->protocol != CONFIG_UDP;
	for (size_t i = 0; least && i < built->table->n_members; i++) {
		const struct table_member *member = &built->table->members[i];
		int r = scheduler_add_load(built->schedule, member->id);

		if (r < 0)
			return r;
		FWD_STORE(&scheduler_load(built->schedule, member->id)->weight, member->weight);
		scheduler_set_counted(built->schedule, member->id,
			!publish_is_reported(
				virtual_server, registry_backend(registry, member->id)));
	}
	if (least && (!old || old->table != built->table))
		publish_loads_reset(old ? old->table : NULL, built);
	return 0;
}

int publish_schedule_add(struct snapshot *snapshot, const struct publish_service *built,
	const struct config_virtual_server *virtual_server)
{
	const struct publish_table *table = built->table;
	_cleanup_free_ uint16_t *turns = NULL;
	uint32_t n_turns = 0;
	int r;

	if (!built->schedule)
		return 0;
	if (virtual_server->scheduler == CONFIG_RR) {
		r = scheduler_order(table->members, table->n_members, &turns, &n_turns);
		if (r < 0)
			return r;
	} else {
		turns = calloc(table->n_members + 1, sizeof(*turns));
		if (!turns)
			return -ENOMEM;
		for (size_t i = 0; i < table->n_members; i++)
			turns[n_turns++] = table->members[i].id;
	}
	return snapshot_add_schedule(snapshot, built->id, turns, n_turns, built->schedule);
}

static bool publish_has_loads(const struct publish_service *service)
{
	return service && service->schedule && scheduler_has_loads(service->schedule);
}

/* Every agent's every word comes here: only what the backend belongs to is looked at. */
void publish_report(
	struct publish *publish, const struct registry *registry, const struct backend *backend)
{
	size_t len = registry_memberships(registry, backend);

	for (size_t i = 0; i < len; i++) {
		struct registry_member member = registry_membership(registry, backend, i);
		const struct publish_service *found = publish_service_find(publish, member.service);

		if (member.vip != REGISTRY_NO_VIP && publish_has_loads(found) && found->reported)
			scheduler_report(found->schedule, backend->id,
				(uint32_t)MIN(
					backend->status.vips[member.vip].established, UINT32_MAX));
	}
}

bool publish_count_wanted(const struct publish *publish)
{
	for (size_t i = 0; i < publish->n_services; i++)
		if (publish_has_loads(&publish->services[i]))
			return true;
	return false;
}

/* A walk that was given up may have left its counts. */
void publish_count_begin(const struct publish *publish)
{
	for (size_t i = 0; i < publish->n_services; i++)
		if (publish_has_loads(&publish->services[i]))
			scheduler_count_begin(publish->services[i].schedule);
}

/* A flow that said its farewell burdens nobody. */
void publish_count_flow(const struct publish *publish, const struct flows_entry *entry)
{
	const struct publish_service *service = publish_service_find(publish, entry->service);

	if (publish_has_loads(service) && entry->state != FLOW_TCP_FIN &&
		entry->state != FLOW_TCP_RESET)
		scheduler_count(service->schedule, entry->backend);
}

void publish_count_end(const struct publish *publish)
{
	for (size_t i = 0; i < publish->n_services; i++) {
		const struct publish_service *service = &publish->services[i];

		for (size_t k = 0; publish_has_loads(service) && k < service->table->n_members; k++)
			scheduler_report_count(service->schedule, service->table->members[k].id);
	}
}
