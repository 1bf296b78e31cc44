/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records of services that have gone: see gone_services.h. */
#include "lb/publish/gone_services.h"

#include "lb/config/service_ids.h"
#include "lb/engine/snapshot.h"
#include "lb/table/flow_walk.h"

struct gone_services {
	struct flow_walk *walk;
	struct service_ids *ids;
	struct flow_walk_job job;
	bool freed[FWD_ID_MAX + 1];   /* by id: this walk frees its records */
	bool is_gone[FWD_ID_MAX + 1]; /* as it is now: room to ask in */
};

/* One that came back has new records: they must stay. */
static void gone_services_ask(struct gone_services *gone)
{
	memset(gone->is_gone, 0, sizeof(gone->is_gone));
	service_ids_list_gone(gone->ids, gone->is_gone);
}

static void gone_services_part(uint32_t now_s, void *context)
{
	struct gone_services *gone = context;

	gone_services_ask(gone);
	for (size_t id = 1; id <= FWD_ID_MAX; id++)
		gone->freed[id] &= gone->is_gone[id];
}

static bool gone_services_is_void(uint16_t service, uint16_t backend, void *context)
{
	const struct gone_services *gone = context;

	return gone->freed[service];
}

static void gone_services_done(void *context)
{
	struct gone_services *gone = context;

	gone_services_part(0, gone);
	for (uint32_t id = 1; id <= FWD_ID_MAX; id++)
		if (gone->freed[id])
			service_ids_set_void(gone->ids, (uint16_t)id);
}

struct gone_services *gone_services_new(struct flow_walk *walk, struct service_ids *ids)
{
	struct gone_services *gone = calloc(1, sizeof(*gone));

	if (!gone)
		return NULL;
	gone->walk = walk;
	gone->ids = ids;
	gone->job = (struct flow_walk_job){
		.part = gone_services_part,
		.is_void = gone_services_is_void,
		.done = gone_services_done,
		.context = gone,
	};
	return gone;
}

struct gone_services *gone_services_free(struct gone_services *gone)
{
	if (!gone)
		return NULL;
	flow_walk_leave(gone->walk, &gone->job);
	free(gone);
	return NULL;
}

void gone_services_look(struct gone_services *gone, const struct snapshot *current)
{
	bool any = false;

	if (gone->job.joined || !current)
		return;
	gone_services_ask(gone);
	for (uint32_t id = 1; id <= FWD_ID_MAX; id++) {
		gone->freed[id] = gone->is_gone[id] && !snapshot_service(current, (uint16_t)id);
		any |= gone->freed[id];
	}
	if (any)
		flow_walk_join(gone->walk, &gone->job);
}
