/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Publication, second half: from chosen tables, services and backends to a snapshot.
 */
#include "lb/publish/publish_internal.h"

/* What the registry may hold, tables and snapshots have room for. */
_Static_assert(REGISTRY_BACKENDS_MAX <= TABLE_MEMBERS_MAX, "a table has room for all backends");
_Static_assert(REGISTRY_BACKENDS_MAX <= SNAPSHOT_BACKENDS_MAX, "and so has a snapshot");
_Static_assert(FWD_SERVICES_MAX <= SNAPSHOT_TABLES_MAX, "each service may have its own table");

/* A snapshot that held the table was freed. */
static void publish_table_release(void *context)
{
	struct publish_table *table = context;

	table->readers--;
	publish_table_unref(table);
}

static void publish_settings(const struct publish *publish, const struct publish_links *links,
	struct fwd_settings *ret_settings)
{
	const struct flows_table *flows = keep_flows(publish->keep);

	*ret_settings = (struct fwd_settings){
		.flow4_buckets = flows->n_flow4,
		.flow6_buckets = flows->n_flow6,
		.mtu_bytes = links->mtu_bytes,
	};
	flows_homes(flows->n_flow4, publish->crowded4, ret_settings->flow4_among);
	flows_homes(flows->n_flow6, publish->crowded6, ret_settings->flow6_among);
	memcpy(ret_settings->slot_seed, publish->seed, sizeof(ret_settings->slot_seed));
	memcpy(ret_settings->flow_seed, keep_flow_seed(publish->keep),
		sizeof(ret_settings->flow_seed));
	memcpy(ret_settings->own_mac, links->own_mac.bytes, MAC_LEN);
	memcpy(ret_settings->out_mac, links->out_mac.bytes, MAC_LEN);
}

static int publish_add_bindings(struct snapshot *snapshot, const struct service *service)
{
	const struct config_virtual_server *from = service->virtual_server;
	const struct config_port any = { 0, UINT16_MAX };
	const struct config_port *ports = from->ports.len ? from->ports.items : &any;
	size_t n_ports = from->ports.len ? from->ports.len : 1;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n_ports; i++) {
		if (from->protocol != CONFIG_UDP)
			r = snapshot_add_binding(snapshot, &service->vip, FWD_PROTO_TCP,
				ports[i].first, ports[i].last, service->id);
		if (r == 0 && from->protocol != CONFIG_TCP)
			r = snapshot_add_binding(snapshot, &service->vip, FWD_PROTO_UDP,
				ports[i].first, ports[i].last, service->id);
	}
	return r;
}

static uint32_t publish_seconds(uint64_t us)
{
	return (uint32_t)MAX(us / US_PER_S, UINT64_C(1));
}

static uint16_t publish_flags(
	const struct publish *publish, const struct config_virtual_server *from)
{
	bool by_source = from->scheduler == CONFIG_SOURCE_HASH || from->hash == CONFIG_SOURCE_IP;

	return (uint16_t)((from->sessionless ? FWD_SERVICE_SESSIONLESS : 0) |
		(by_source ? FWD_SERVICE_HASH_SOURCE : 0) |
		(publish_records(from) ? FWD_SERVICE_RECORD_TCP : 0) |
		(from->drop_fragments ? FWD_SERVICE_DROP_FRAGMENTS : 0) |
		(publish->follow ? FWD_SERVICE_RECORD_SYN : 0) |
		(from->scheduler == CONFIG_RR ? FWD_SERVICE_ROUND_ROBIN : 0) |
		(from->scheduler == CONFIG_LC ? FWD_SERVICE_LEAST_LOADED : 0));
}

/* A burst is what comes in 100 ms, one packet at least. */
static struct fwd_rate publish_rate(uint64_t per_s)
{
	uint64_t burst_pkts = MAX(per_s / 10, UINT64_C(1));

	return (struct fwd_rate){ (uint32_t)per_s, (uint32_t)burst_pkts };
}

static int publish_add_service(struct snapshot *snapshot, const struct publish *publish,
	const struct service *service, const struct publish_table *table, uint32_t table_idx)
{
	const struct config_virtual_server *from = service->virtual_server;
	struct fwd_service to = {
		.persistence_s = from->persistence_us ? publish_seconds(from->persistence_us) : 0,
		.persistence_prefix4 = (uint8_t)from->persistence_prefix4,
		.persistence_prefix6 = (uint8_t)from->persistence_prefix6,
		.table = table_idx,
		.id = service->id,
		.flags = publish_flags(publish, from),
		.tcp_timeout_s = publish_seconds(from->tcp_timeout_us),
		.fin_timeout_s = publish_seconds(from->fin_timeout_us),
		.udp_timeout_s = publish_seconds(from->udp_timeout_us),
		.n_members = (uint32_t)table->n_members,
		.syn_rate = publish_rate(from->syn_rate),
		.syn_rate_source = publish_rate(from->syn_rate_source),
	};

	return snapshot_add_service(snapshot, &to);
}

static int publish_add_services(struct snapshot *snapshot, const struct publish *publish,
	const struct service_list *services, const struct publish_service *built,
	const struct publish_links *links)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < services->len; i++) {
		struct publish_table *table = built[i].table;

		if (table->in_snapshot != publish->n_snapshots) {
			r = snapshot_add_table(snapshot, keep_rows_table(table->rows),
				keep_rows_map(table->rows), publish_table_release, table,
				&table->snapshot_idx);
			if (r < 0)
				break;
			table->in_snapshot = publish->n_snapshots;
			publish_table_ref(table)->readers++;
		}
		r = publish_add_service(
			snapshot, publish, &services->items[i], table, table->snapshot_idx);
		if (r == 0)
			r = publish_schedule_add(
				snapshot, &built[i], services->items[i].virtual_server);
		if (r == 0 && links->active)
			r = publish_add_bindings(snapshot, &services->items[i]);
	}
	return r;
}

/* Beyond the room for pairs loops through the rest go unnoticed, and no more than that. */
static int publish_add_member(struct snapshot *snapshot, uint16_t service, uint16_t backend)
{
	int r = snapshot_add_member(snapshot, service, backend);

	return r == -ENOSPC ? 0 : r;
}

static int publish_add_members(struct snapshot *snapshot, const struct registry *registry,
	const struct backend *backend, const uint32_t *positions)
{
	size_t len = registry_memberships(registry, backend);
	int r = 0;

	for (size_t i = 0; r == 0 && i < len; i++) {
		uint16_t service = registry_membership(registry, backend, i).service;

		if (positions[service] > 0)
			r = publish_add_member(snapshot, service, backend->id);
	}
	return r;
}

static int publish_add_backends(
	struct snapshot *snapshot, const struct registry *registry, const uint32_t *positions)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < registry_len(registry); i++) {
		const struct backend *backend = registry_backend_at(registry, i);
		struct fwd_backend to = {
			.flags = (uint16_t)((backend->takes_flows ? FWD_BACKEND_FLOWS : 0) |
				(backend->effective_weight > 0 ? FWD_BACKEND_NEW : 0)),
		};

		if (mac_is_zero(&backend->mac))
			continue; /* nothing can go there, or come from there, that we would know */
		memcpy(to.mac, backend->mac.bytes, MAC_LEN);
		r = snapshot_add_backend(snapshot, backend->id, &to);
		if (r == 0)
			r = publish_add_members(snapshot, registry, backend, positions);
		if (r == 0)
			r = snapshot_add_mac(snapshot, &backend->mac,
				(struct fwd_mac){ FWD_MAC_BACKEND, backend->id });
		if (r == -EEXIST) /* two addresses of one host share its MAC */
			r = 0;
	}
	return r;
}

static int publish_add_macs(struct snapshot *snapshot, const struct publish_links *links)
{
	const struct fwd_mac balancer = { FWD_MAC_BALANCER, 0 };
	int r = snapshot_add_mac(snapshot, &links->own_mac, balancer);

	if (r == 0 && !mac_equal(&links->own_mac, &links->out_mac))
		r = snapshot_add_mac(snapshot, &links->out_mac, balancer);
	return r;
}

int publish_snapshot_make(struct publish *publish, const struct service_list *services,
	const struct registry *registry, const struct publish_service *built,
	const struct publish_links *links, struct snapshot **ret_snapshot)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = NULL;
	struct fwd_settings settings;
	int r;

	publish->n_snapshots++;
	publish_settings(publish, links, &settings);
	r = snapshot_new(&settings, keep_flows(publish->keep), &snapshot);
	if (r == 0)
		r = publish_add_macs(snapshot, links);
	if (r == 0)
		r = publish_add_services(snapshot, publish, services, built, links);
	if (r == 0)
		r = publish_add_backends(snapshot, registry, services->positions);
	if (r < 0)
		return r;
	*ret_snapshot = TAKE_PTR(snapshot);
	return 0;
}
