/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Publication, second half: from chosen tables, services and backends to a snapshot.
 */
#include "lb/publish/snapshot_make.h"

#include "lb/fwd/clients.h"
#include "lb/publish/schedule_make.h"
#include "lb/publish/want.h"

/* Each prefix makes two beginnings, and each list one more. */
_Static_assert(2 * CONFIG_CLIENTS_MAX + CONFIG_VIRTUAL_SERVERS_MAX <= CLIENTS_BEGINNINGS &&
		CONFIG_VIRTUAL_SERVERS_MAX < CLIENTS_LISTS,
	"lists have room for all clients");

/* What the registry may hold, tables and snapshots have room for. */
_Static_assert(REGISTRY_BACKENDS_MAX <= TABLE_MEMBERS_MAX, "a table has room for all backends");
_Static_assert(REGISTRY_BACKENDS_MAX <= SNAPSHOT_BACKENDS_MAX, "and so has a snapshot");
_Static_assert(FWD_SERVICES_MAX <= SNAPSHOT_TABLES_MAX, "each service may have its own table");

/* A snapshot that held the table was freed. */
static void snapshot_make_release(void *context)
{
	struct pool *pool = context;

	pool->readers--;
	pool_unref(pool);
}

/* The smallest MTU of all that are there; where they differ, each backend's own counts. */
static void snapshot_make_links(
	const struct publish_links *links, struct fwd_settings *ret_settings)
{
	uint32_t longest_bytes = 0;

	ret_settings->mtu_bytes = UINT32_MAX;
	for (size_t i = 0; i < FWD_LINKS_MAX; i++) {
		const struct publish_link *from = &links->out[i];
		struct fwd_link *to = &ret_settings->links[i];

		if (from->ifindex == 0)
			continue;
		to->ifindex = from->ifindex;
		to->mtu_bytes = from->mtu_bytes;
		memcpy(to->mac, from->mac.bytes, MAC_LEN);
		ret_settings->mtu_bytes = MIN(ret_settings->mtu_bytes, from->mtu_bytes);
		longest_bytes = MAX(longest_bytes, from->mtu_bytes);
	}
	ret_settings->mtus_differ = ret_settings->mtu_bytes < longest_bytes;
}

static void snapshot_make_settings(const struct pools *pools, const struct publish_links *links,
	struct fwd_settings *ret_settings)
{
	const struct flows_table *flows = keep_flows(pools->keep);

	*ret_settings = (struct fwd_settings){
		.flow4_buckets = flows->n_flow4,
		.flow6_buckets = flows->n_flow6,
	};
	flows_homes(flows->n_flow4, pools->crowded4, ret_settings->flow4_among);
	flows_homes(flows->n_flow6, pools->crowded6, ret_settings->flow6_among);
	memcpy(ret_settings->slot_seed, pools->seed, sizeof(ret_settings->slot_seed));
	memcpy(ret_settings->flow_seed, keep_flow_seed(pools->keep),
		sizeof(ret_settings->flow_seed));
	memcpy(ret_settings->own_mac, links->own_mac.bytes, MAC_LEN);
	memcpy(ret_settings->named_mac, links->named_mac, FWD_NAMED_MAC_BYTES);
	snapshot_make_links(links, ret_settings);
}

static int snapshot_make_bindings(struct snapshot *snapshot, const struct service *service)
{
	const struct config_virtual_server *from = service->virtual_server;
	const struct config_port any = { 0, UINT16_MAX };
	const struct config_port *ports = from->ports.len ? from->ports.items : &any;
	size_t n_ports = from->ports.len ? from->ports.len : 1;
	static const struct {
		enum config_protocol protocol;
		uint8_t number;
	} protocols[] = { { CONFIG_TCP, FWD_PROTO_TCP }, { CONFIG_UDP, FWD_PROTO_UDP },
		{ CONFIG_SCTP, FWD_PROTO_SCTP } };
	int r = 0;

	ARRAY_FOREACH (each, protocols, ARRAY_LEN(protocols))
		for (size_t i = 0; r == 0 && i < n_ports; i++)
			if (config_serves(from, each->protocol))
				r = snapshot_add_binding(snapshot, &service->vip, each->number,
					ports[i].first, ports[i].last, service->id);
	if (r == 0 && from->protocol == CONFIG_ANY && from->ports.len == 0)
		r = snapshot_add_others(snapshot, &service->vip, service->id);
	return r;
}

static uint32_t whole_seconds(uint64_t us)
{
	return (uint32_t)MAX(us / US_PER_S, UINT64_C(1));
}

static uint16_t snapshot_make_flags(bool follow, const struct config_virtual_server *from)
{
	bool by_source = from->scheduler == CONFIG_SOURCE_HASH || from->hash == CONFIG_SOURCE_IP;

	return (uint16_t)((from->sessionless ? FWD_SERVICE_SESSIONLESS : 0) |
		(by_source ? FWD_SERVICE_HASH_SOURCE : 0) |
		(want_records_flows(from) ? FWD_SERVICE_RECORD_ALL : 0) |
		(from->drop_fragments ? FWD_SERVICE_DROP_FRAGMENTS : 0) |
		(follow ? FWD_SERVICE_RECORD_NEW : 0) |
		(from->scheduler == CONFIG_RR ? FWD_SERVICE_ROUND_ROBIN : 0) |
		(from->scheduler == CONFIG_LC ? FWD_SERVICE_LEAST_LOADED : 0));
}

/* A burst is what comes in 100 ms, one packet at least. */
static struct fwd_rate snapshot_make_rate(uint64_t per_s)
{
	uint64_t burst_pkts = MAX(per_s / 10, UINT64_C(1));

	return (struct fwd_rate){ (uint32_t)per_s, (uint32_t)burst_pkts };
}

/* The list of a virtual server that has one; once for all its VIPs, which follow each other. */
static int snapshot_make_clients(struct snapshot *snapshot, const struct service *service,
	const struct service *before, uint32_t *place)
{
	const struct ini_list *list = &service->virtual_server->clients;
	const struct config_client *from = list->items;
	_cleanup_free_ struct client_prefix *prefixes = NULL;

	if (before && before->virtual_server == service->virtual_server)
		return 0;
	*place = 0;
	if (list->len == 0)
		return 0;
	prefixes = calloc(list->len, sizeof(*prefixes));
	if (!prefixes)
		return -ENOMEM;
	for (size_t i = 0; i < list->len; i++)
		prefixes[i] = (struct client_prefix){ from[i].prefix, from[i].denied };
	return snapshot_add_clients(snapshot, prefixes, list->len, place);
}

static int snapshot_make_service(struct snapshot *snapshot, bool follow, uint32_t clients,
	const struct service *service, const struct pool *pool)
{
	const struct config_virtual_server *from = service->virtual_server;
	struct fwd_service to = {
		.persistence_s = from->persistence_us ? whole_seconds(from->persistence_us) : 0,
		.persistence_prefix4 = (uint8_t)from->persistence_prefix4,
		.persistence_prefix6 = (uint8_t)from->persistence_prefix6,
		.table = pool->snapshot_idx,
		.id = service->id,
		.flags = snapshot_make_flags(follow, from),
		.tcp_timeout_s = whole_seconds(from->tcp_timeout_us),
		.fin_timeout_s = whole_seconds(from->fin_timeout_us),
		.udp_timeout_s = whole_seconds(from->udp_timeout_us),
		.n_members = (uint32_t)pool->n_members,
		.clients = clients,
		.syn_rate = snapshot_make_rate(from->syn_rate),
		.syn_rate_source = snapshot_make_rate(from->syn_rate_source),
	};

	return snapshot_add_service(snapshot, &to);
}

/* Each pool once. */
static int snapshot_make_pool(struct snapshot *snapshot, uint64_t number, struct pool *pool)
{
	int r;

	if (pool->in_snapshot == number)
		return 0;
	r = snapshot_add_table(snapshot, keep_rows_table(pool->rows), keep_rows_map(pool->rows),
		snapshot_make_release, pool, &pool->snapshot_idx);
	if (r < 0)
		return r;
	pool->in_snapshot = number;
	pool_ref(pool)->readers++;
	return 0;
}

static int snapshot_make_services(struct snapshot *snapshot, const struct snapshot_request *request)
{
	uint32_t clients = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < request->services->len; i++) {
		const struct service *service = &request->services->items[i];
		const struct pool_service *built = &request->built[i];

		r = snapshot_make_pool(snapshot, request->pools->n_snapshots, built->pool);
		if (r == 0)
			r = snapshot_make_clients(
				snapshot, service, i > 0 ? service - 1 : NULL, &clients);
		if (r == 0)
			r = snapshot_make_service(
				snapshot, request->follow, clients, service, built->pool);
		if (r == 0)
			r = schedule_add(snapshot, built, service->virtual_server);
		if (r == 0 && request->links->active)
			r = snapshot_make_bindings(snapshot, service);
		else if (r == 0 && request->links->holds_vips)
			r = snapshot_add_vip(snapshot, &service->vip);
	}
	return r;
}

/* Beyond the room for pairs loops through the rest go unnoticed, and no more than that. */
static int snapshot_make_member(struct snapshot *snapshot, uint16_t service, uint16_t backend)
{
	int r = snapshot_add_member(snapshot, service, backend);

	return r == -ENOSPC ? 0 : r;
}

static int snapshot_make_members(struct snapshot *snapshot, const struct registry *registry,
	const struct backend *backend, const uint32_t *positions)
{
	size_t len = registry_memberships(registry, backend);
	int r = 0;

	for (size_t i = 0; r == 0 && i < len; i++) {
		struct registry_member member = registry_membership(registry, backend, i);

		if (positions[member.service] == 0)
			continue;
		r = snapshot_make_member(snapshot, member.service, backend->id);
		if (r == 0 && backend->takes_new && member.effective_weight == 0)
			snapshot_shut_member(snapshot, member.service, backend->id);
	}
	return r;
}

/* Whether it takes new flows in all of its services, in some (another weight, a backup, a ceiling), or in none. */
static uint8_t snapshot_make_backend_flags(
	const struct registry *registry, const struct backend *backend)
{
	size_t len = registry_memberships(registry, backend), n_new = 0;

	for (size_t i = 0; backend->takes_new && i < len; i++)
		n_new += registry_membership(registry, backend, i).effective_weight > 0;
	return (uint8_t)((backend->takes_flows ? FWD_BACKEND_FLOWS : 0) |
		(n_new > 0 ? FWD_BACKEND_NEW : 0) |
		(n_new > 0 && n_new < len ? FWD_BACKEND_NEW_SOME : 0) |
		(backend->status.second_chance ? FWD_BACKEND_PASSES_ON : 0) |
		(backend->source == BACKEND_AGENT ? FWD_BACKEND_NAMED : 0));
}

/*
 * Frames that a backend sends to its VIP are loops. An agent that says the MAC of a gateway must not have the
 * gateway's frames taken for its own; what would go back there is a loop all the same (lb/fwd/core.h).
 */
static bool snapshot_make_knows_mac(
	const struct publish_links *links, const struct backend *backend)
{
	if (backend->source != BACKEND_AGENT)
		return true;
	for (size_t i = 0; i < links->n_gateways; i++)
		if (mac_equal(&links->gateways[i], &backend->mac))
			return false;
	return true;
}

static int snapshot_make_backends(struct snapshot *snapshot, const struct registry *registry,
	const struct publish_links *links, const uint32_t *positions)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < registry_len(registry); i++) {
		const struct backend *backend = registry_backend_at(registry, i);
		size_t link = links->find(links->context, &backend->address);
		struct fwd_backend to = {
			.flags = snapshot_make_backend_flags(registry, backend),
			.link = (uint8_t)link,
		};

		/* Nothing can go there, or come from there, that we would know. */
		if (mac_is_zero(&backend->mac) || link >= FWD_LINKS_MAX ||
			links->out[link].ifindex == 0)
			continue;
		memcpy(to.mac, backend->mac.bytes, MAC_LEN);
		r = snapshot_add_backend(snapshot, backend->id, &to);
		if (r == 0)
			r = snapshot_make_members(snapshot, registry, backend, positions);
		if (r == 0 && snapshot_make_knows_mac(links, backend))
			r = snapshot_add_mac(snapshot, &backend->mac,
				(struct fwd_mac){ FWD_MAC_BACKEND, backend->id });
		if (r == -EEXIST) /* two addresses of one host share its MAC */
			r = 0;
	}
	return r;
}

static int snapshot_make_macs(struct snapshot *snapshot, const struct publish_links *links)
{
	const struct fwd_mac balancer = { FWD_MAC_BALANCER, 0 };
	int r = snapshot_add_mac(snapshot, &links->own_mac, balancer);

	/* Twice is once: devices of one trunk share a MAC. */
	ARRAY_FOREACH (link, links->out, FWD_LINKS_MAX)
		if (r == 0 && link->ifindex != 0)
			r = snapshot_add_mac(snapshot, &link->mac, balancer);
	return r;
}

int snapshot_make(const struct snapshot_request *request, struct snapshot **ret_snapshot)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = NULL;
	struct fwd_settings settings;
	int r;

	request->pools->n_snapshots++;
	snapshot_make_settings(request->pools, request->links, &settings);
	r = snapshot_new(&settings, keep_flows(request->pools->keep), &snapshot);
	if (r == 0)
		r = snapshot_make_macs(snapshot, request->links);
	if (r == 0)
		r = snapshot_make_services(snapshot, request);
	if (r == 0)
		r = snapshot_make_backends(
			snapshot, request->registry, request->links, request->services->positions);
	if (r < 0)
		return r;
	*ret_snapshot = TAKE_PTR(snapshot);
	return 0;
}
