/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Publication for rr and lc: the order of turns, and what lc knows of its backends. Agents report
 * what is established; what a static holds is counted in the flow table.
 */
#include "lb/publish_internal.h"

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

	for (size_t i = 0; i < table->n_members; i++) {
		uint16_t id = table->members[i].id;
		bool known = false;

		for (size_t k = 0; old_table && !known && k < old_table->n_members; k++)
			known = old_table->members[k].id == id;
		if (!known)
			schedule_report(built->schedule, id, 0);
	}
}

int publish_schedule_make(struct publish *publish, const struct registry *registry,
	const struct publish_service *old, const struct config_virtual_server *virtual_server,
	struct publish_service *built)
{
	bool least = virtual_server->scheduler == CONFIG_LC;

	if (!least && virtual_server->scheduler != CONFIG_RR)
		return 0;
	if (old && old->schedule && schedule_has_loads(old->schedule) == least)
		built->schedule = schedule_ref(old->schedule);
	else
		built->schedule = schedule_new(publish->loads, least);
	if (!built->schedule)
		return -ENOMEM;
	for (size_t i = 0; least && i < built->table->n_members; i++) {
		const struct table_member *member = &built->table->members[i];
		int r = schedule_add_load(built->schedule, member->id);

		if (r < 0)
			return r;
		FWD_STORE(&schedule_load(built->schedule, member->id)->weight, member->weight);
		schedule_set_counted(built->schedule, member->id,
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
		r = schedule_turns(table->members, table->n_members, &turns, &n_turns);
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
	return service && service->schedule && schedule_has_loads(service->schedule);
}

void publish_report(struct publish *publish, const struct service_list *services,
	const struct registry *registry, const struct backend *backend)
{
	for (size_t s = 0; s < services->len; s++) {
		const struct service *service = &services->items[s];
		const struct publish_service *found;

		if (service->virtual_server->scheduler != CONFIG_LC ||
			!publish_is_reported(service->virtual_server, backend))
			continue;
		found = publish_service_find(publish, service->id);
		for (size_t i = 0; publish_has_loads(found) && i < backend->status.n_vips; i++)
			if (addr_equal(&backend->vips[i], &service->vip) &&
				registry_belongs(registry, backend, &services->registry[s]))
				schedule_report(found->schedule, backend->id,
					(uint32_t)MIN(
						backend->status.vips[i].established, UINT32_MAX));
	}
}

struct publish_counting {
	const struct publish *publish;
	const struct snapshot *snapshot;
};

static const struct fwd_service *publish_counted_service(uint16_t service, void *context)
{
	const struct publish_counting *counting = context;

	return snapshot_service(counting->snapshot, service);
}

/* A flow that said its farewell burdens nobody. */
static bool publish_count_flow(const struct flows_entry *entry, void *context)
{
	const struct publish_counting *counting = context;
	const struct publish_service *service =
		publish_service_find(counting->publish, entry->service);

	if (publish_has_loads(service) && entry->state != FLOW_TCP_FIN &&
		entry->state != FLOW_TCP_RESET)
		schedule_count(service->schedule, entry->backend);
	return true;
}

void publish_count_flows(
	const struct publish *publish, const struct snapshot *snapshot, uint32_t now_s)
{
	struct publish_counting counting = { publish, snapshot };
	bool wanted = false;

	for (size_t i = 0; i < publish->n_services; i++)
		wanted |= publish_has_loads(&publish->services[i]);
	if (!wanted)
		return;
	flows_each(keep_flows(publish->keep), publish_counted_service, &counting, now_s,
		publish_count_flow, &counting);
	for (size_t i = 0; i < publish->n_services; i++) {
		const struct publish_service *service = &publish->services[i];

		for (size_t k = 0; publish_has_loads(service) && k < service->table->n_members; k++)
			schedule_report_count(service->schedule, service->table->members[k].id);
	}
}
