/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Publication for persistence: a client's time does not run out while one of its flows lives. The
 * packet path restarts it with each new connection alone; this looks at living flows instead of at
 * every packet.
 */
#include "lb/publish/persist.h"

#include "lb/engine/port_user.h"
#include "lb/fwd/persist.h"

/* Longer than the time between two looks: SETTLE_US, or a little late. */
#define PERSIST_HOLD_S 6u

void persist_hold_client(
	const struct snapshot *snapshot, const struct flows_entry *entry, uint32_t now_s)
{
	struct fwd_port port = { .snapshot = snapshot, .now_s = now_s };
	const struct fwd_service *service = snapshot_service(snapshot, entry->service);
	struct persist persist = { 0 };
	struct fwd_addr client;
	uint32_t least_s;

	if (!service || service->persistence_s == 0 ||
		(flow_state_plain((__u8)entry->state) != FLOW_TCP_ESTABLISHED &&
			entry->state != FLOW_UDP_ESTABLISHED))
		return;
	snapshot_addr(&entry->client, &client);
	persist_find(&port, service, &client, entry->client.family == AF_INET6, now_s, &persist);
	/* Its flow was proven at another backend before the client came to this one: leave it. */
	if (!persist.found.at || flow_meta_backend(persist.found.meta) != entry->backend)
		return;
	/* May lie in the future, where persistence is shorter: a record from there is new. */
	least_s = now_s + PERSIST_HOLD_S - service->persistence_s;
	if (flow_meta_age_s(persist.found.meta, least_s) > 0)
		flow_update(&port, &persist.key, &persist.found,
			flow_meta(entry->service, entry->backend,
				flow_meta_state(persist.found.meta), least_s));
}

bool persist_hold_wanted(const struct pools *pools, const struct snapshot *snapshot)
{
	for (size_t i = 0; i < pools->n_services; i++) {
		const struct fwd_service *service =
			snapshot_service(snapshot, pools->services[i].id);

		if (service && service->persistence_s > 0)
			return true;
	}
	return false;
}
