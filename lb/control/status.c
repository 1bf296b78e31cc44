/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the balancer says of itself: the document of `status --json` (schema 1), the flows it
 * records, and readiness. Called by the control socket's verbs; changes nothing.
 */
#include <sodium.h>

#include "lb/control/status_internal.h"
#include "lb/link/claims.h"
#include "lb/table/table.h"

#define STATUS_SCHEMA 1
/* In one answer, so that no listing holds up heartbeats: some 10 ms of work at most. */
#define STATUS_FLOWS_MAX   1024u
#define STATUS_BUCKETS_MAX 16384u

const struct fwd_service *status_service(uint16_t service, void *context)
{
	const struct daemon *daemon = context;

	return daemon->engine
		? snapshot_service(daemon->engine_ops->current(daemon->engine), service)
		: NULL;
}

uint32_t status_now_s(const struct daemon *daemon)
{
	return (uint32_t)(daemon_now(daemon) / US_PER_S);
}

/* One backend in one virtual server, summed over its VIPs. */
struct status_sum {
	uint64_t packets, bytes, flows, established;
	size_t owned;          /* rows, over all VIPs */
	uint32_t ramp_percent; /* of the weight, in slow start */
	bool serves;
};

static uint64_t status_established(const struct backend *backend, const struct addr *vip)
{
	for (size_t i = 0; i < backend->status.n_vips; i++)
		if (backend->source == BACKEND_AGENT && addr_equal(&backend->vips[i], vip))
			return backend->status.vips[i].established;
	return 0;
}

static void status_sum_backend(struct daemon *daemon, const struct status_counts *counts,
	const struct config_virtual_server *virtual_server, size_t first,
	const struct backend *backend, struct status_sum *ret_sum)
{
	struct status_sum sum = { .ramp_percent = 100 };

	for (size_t i = first; i < first + virtual_server->vips.len; i++) {
		const struct service *service = &daemon->services->items[i];
		const struct registry_service *registry = &daemon->services->registry[i];
		struct engine_pair_counters pair = { 0 };

		if (!registry_is_member(daemon->registry, backend, registry))
			continue;
		sum.serves = true;
		sum.ramp_percent = registry_ramp_percent(daemon->registry, backend, registry);
		sum.owned += publish_owned(daemon->publish, service->id, backend->id);
		sum.flows += status_count_of(counts, service->id, backend->id);
		sum.established += status_established(backend, &service->vip);
		if (daemon->engine)
			daemon->engine_ops->pair_counters(
				daemon->engine, service->id, backend->id, &pair);
		sum.packets += pair.packets;
		sum.bytes += pair.bytes;
	}
	*ret_sum = sum;
}

/* A whole number where it is one: in slow start a weight of 1 is 0.2 at first. */
static json_t *status_effective_weight(uint32_t weight, uint32_t ramp_percent)
{
	uint64_t percent = (uint64_t)weight * ramp_percent;

	if (percent % 100 == 0)
		return json_integer((json_int_t)(percent / 100));
	return json_real((double)percent / 100);
}

static json_t *status_backend(struct daemon *daemon, const struct backend *backend,
	const struct status_sum *sum, size_t n_vips)
{
	char address[ADDR_STRLEN], mac[MAC_STRLEN];
	uint64_t since_us = daemon_now(daemon) - MIN(backend->since_us, daemon_now(daemon));

	return json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:f, s:s, s:I, s:o, s:f, s:I, s:I, s:I, s:I, s:I, "
		"s:I}",
		"name", backend->name, "address", addr_format(&backend->address, address), "mac",
		mac_is_zero(&backend->mac) ? "" : mac_format(&backend->mac, mac), "state",
		backend_state_name(backend->state), "reason", backend->reason, "since_s",
		(double)since_us / (double)US_PER_S, "source", backend_source_name(backend->source),
		"weight", (json_int_t)backend->weight, "effective_weight",
		status_effective_weight(backend->effective_weight, sum->ramp_percent), "share",
		(double)sum->owned / (double)FWD_ROWS / (double)n_vips, "packets",
		(json_int_t)sum->packets, "bytes", (json_int_t)sum->bytes, "flows",
		(json_int_t)sum->flows, "established", (json_int_t)sum->established,
		"heartbeat_rtt_us", (json_int_t)backend->rtt_us, "heartbeats_missed",
		(json_int_t)backend->heartbeats_missed);
}

static json_t *status_vips(const struct config_virtual_server *virtual_server)
{
	const struct addr *vips = virtual_server->vips.items;
	json_t *array = json_array();
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < virtual_server->vips.len; i++)
		json_array_append_new(array, json_string(addr_format(&vips[i], text)));
	return array;
}

/*
 * One digest for a virtual server: that of its table where all its VIPs share one, else a hash over
 * those of its VIPs in their order.
 */
static void status_digest(const struct daemon *daemon,
	const struct config_virtual_server *virtual_server, size_t first_service,
	char ret_digest[TABLE_DIGEST_LEN])
{
	unsigned char hash[8];
	crypto_generichash_state state;
	const char *first = NULL;
	bool same = true;

	crypto_generichash_init(&state, NULL, 0, crypto_generichash_BYTES_MIN);
	for (size_t i = first_service; i < first_service + virtual_server->vips.len; i++) {
		const char *digest = publish_digest(daemon->publish, daemon->services->items[i].id);

		first = first ? first : digest;
		same = same && streq(first, digest);
		crypto_generichash_update(&state, (const unsigned char *)digest, strlen(digest));
	}
	if (first && same) {
		snprintf(ret_digest, TABLE_DIGEST_LEN, "%s", first);
		return;
	}
	unsigned char whole[crypto_generichash_BYTES_MIN];

	crypto_generichash_final(&state, whole, sizeof(whole));
	memcpy(hash, whole, sizeof(hash));
	sodium_bin2hex(ret_digest, TABLE_DIGEST_LEN, hash, sizeof(hash));
}

/*
 * Backends of a virtual server that are up: at the VIP that has the most, and at the one that has
 * the fewest. One that is silent but kept gets flows for want of a better, and is not counted.
 */
struct status_usable {
	size_t most, fewest;
};

static struct status_usable status_usable(const struct status_members *members,
	const struct config_virtual_server *virtual_server, size_t first)
{
	struct status_usable usable = { .fewest = SIZE_MAX };

	for (size_t i = first; i < first + virtual_server->vips.len; i++) {
		usable.most = MAX(usable.most, (size_t)members->n_usable[i]);
		usable.fewest = MIN(usable.fewest, (size_t)members->n_usable[i]);
	}
	return usable;
}

static bool status_virtual_server_is_ready(const struct daemon *daemon,
	const struct status_members *members, const struct config_virtual_server *virtual_server,
	size_t first, char *ret_why, size_t size_bytes)
{
	if (!daemon->engine) {
		snprintf(ret_why, size_bytes, "no packet engine: %s", daemon->engine_reason);
		return false;
	}
	for (size_t i = 0; i < 2; i++) {
		const struct neigh_link *link =
			i ? neigh_backend_link(daemon->neigh) : neigh_client_link(daemon->neigh);

		if (link->running)
			continue;
		snprintf(ret_why, size_bytes, "interface %s is down", link->name);
		return false;
	}
	if (!daemon->active) {
		snprintf(ret_why, size_bytes, "not active: %s", daemon->inactive_reason);
		return false;
	}
	if (status_usable(members, virtual_server, first).most == 0) {
		snprintf(ret_why, size_bytes, "virtual server %s has no usable backend",
			virtual_server->name);
		return false;
	}
	return true;
}

bool status_is_ready(
	struct daemon *daemon, const char *virtual_server, char *ret_why, size_t size_bytes)
{
	_cleanup_(status_members_clear) struct status_members members = { 0 };
	bool found = false;
	size_t first = 0;

	if (status_members_make(daemon, &members) < 0) {
		snprintf(ret_why, size_bytes, "out of memory");
		return false;
	}
	for (size_t i = 0; i < daemon->config->n_virtual_servers; i++) {
		const struct config_virtual_server *each = daemon->config->virtual_servers[i];
		size_t of_each = first;

		first += each->vips.len;
		if (virtual_server && !streq(virtual_server, each->name))
			continue;
		found = true;
		if (!status_virtual_server_is_ready(
			    daemon, &members, each, of_each, ret_why, size_bytes))
			return false;
	}
	if (!found)
		snprintf(ret_why, size_bytes, "no virtual server %s",
			virtual_server ? virtual_server : "is configured");
	return found;
}

static int status_compare_positions(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return left < right ? -1 : left > right;
}

/* The backends of all its services, each once, in the order of names; `*ret_flows`: of all. */
static json_t *status_backends(struct daemon *daemon, const struct status_counts *counts,
	const struct status_members *members, const struct config_virtual_server *virtual_server,
	size_t first, uint64_t *ret_flows)
{
	size_t begin = members->begins[first];
	size_t len = members->begins[first + virtual_server->vips.len] - begin;
	_cleanup_free_ uint32_t *positions = calloc(len + 1, sizeof(*positions));
	json_t *backends = json_array();

	*ret_flows = 0;
	if (!positions)
		return backends;
	memcpy(positions, &members->positions[begin], len * sizeof(*positions));
	if (virtual_server->vips.len > 1)
		qsort(positions, len, sizeof(*positions), status_compare_positions);
	for (size_t i = 0; i < len; i++) {
		const struct backend *backend =
			registry_backend(daemon->registry, members->ids[positions[i]]);
		struct status_sum sum;

		/* In a later part some may have left. */
		if (!backend || (i > 0 && positions[i] == positions[i - 1]))
			continue;
		status_sum_backend(daemon, counts, virtual_server, first, backend, &sum);
		if (!sum.serves)
			continue;
		*ret_flows += sum.flows;
		json_array_append_new(
			backends, status_backend(daemon, backend, &sum, virtual_server->vips.len));
	}
	return backends;
}

json_t *status_virtual_server(struct daemon *daemon, const struct status_counts *counts,
	const struct status_members *members, const struct config_virtual_server *virtual_server,
	size_t first)
{
	struct engine_service_counters total = { 0 };
	char digest[TABLE_DIGEST_LEN];
	char why[DAEMON_REASON_BYTES] = "";
	_cleanup_free_ char *ports = config_ports_format(virtual_server);
	uint64_t flows = 0;
	size_t moving = 0;
	json_t *backends;
	bool ready;

	for (size_t i = first; i < first + virtual_server->vips.len; i++) {
		struct engine_service_counters counters = { 0 };

		moving += publish_moving(daemon->publish, daemon->services->items[i].id);
		if (!daemon->engine)
			continue;
		daemon->engine_ops->service_counters(
			daemon->engine, daemon->services->items[i].id, &counters);
		total.packets += counters.packets;
		total.bytes += counters.bytes;
		total.syns += counters.syns;
	}
	backends = status_backends(daemon, counts, members, virtual_server, first, &flows);
	status_digest(daemon, virtual_server, first, digest);
	ready = status_virtual_server_is_ready(
		daemon, members, virtual_server, first, why, sizeof(why));
	return json_pack(
		"{s:s, s:o, s:s, s:s, s:s, s:b, s:b, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:o}",
		"name", virtual_server->name, "vip", status_vips(virtual_server), "ports",
		ports ? ports : "", "protocol", config_protocol_name(virtual_server->protocol),
		"scheduler", config_scheduler_name(virtual_server->scheduler), "sessionless",
		virtual_server->sessionless, "ready", ready, "ready_reason", why, "table_digest",
		digest, "packets", (json_int_t)total.packets, "bytes", (json_int_t)total.bytes,
		"flows", (json_int_t)flows, "syns", (json_int_t)total.syns, "moving_slots",
		(json_int_t)moving, "backends", backends);
}

static json_t *status_drops(const struct engine_totals *totals)
{
	static const struct {
		const char *name;
		enum fwd_verdict verdict;
	} reasons[] = {
#define STATUS_REASON(id, name, verdict, text) { name, verdict },
		FWD_REASONS(STATUS_REASON)
#undef STATUS_REASON
	};
	json_t *drops = json_object();

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].verdict == FWD_DROP || reasons[i].verdict == FWD_EXCEPTION)
			json_object_set_new(drops, reasons[i].name,
				json_integer((json_int_t)totals->reason_pkts[i]));
	return drops;
}

static json_t *status_control(const struct daemon *daemon)
{
	const struct session_counters *counters = session_counters(daemon->sessions);
	json_t *rejected = json_object();

	for (int i = SESSION_ACCEPTED + 1; i < SESSION_REFUSAL_N_; i++)
		json_object_set_new(rejected, session_refusal_name((enum session_refusal)i),
			json_integer((json_int_t)counters->rejected[i]));
	return json_pack("{s:I, s:I, s:o}", "received", (json_int_t)counters->received, "accepted",
		(json_int_t)counters->accepted, "rejected", rejected);
}

/* What `status` exits with: 0 all well, 1 degraded, 2 no service. */
static int status_health(struct daemon *daemon, const struct status_members *members)
{
	bool degraded = false;
	size_t first = 0;

	if (!daemon->engine || !neigh_client_link(daemon->neigh)->running ||
		!neigh_backend_link(daemon->neigh)->running)
		return 2;
	for (size_t i = 0; i < daemon->config->n_virtual_servers; i++) {
		const struct config_virtual_server *each = daemon->config->virtual_servers[i];
		struct status_usable usable = status_usable(members, each, first);

		first += each->vips.len;
		if (usable.most == 0)
			return 2;
		degraded |= usable.fewest == 0;
	}
	for (size_t i = 0; i < registry_len(daemon->registry); i++)
		degraded |= registry_backend_at(daemon->registry, i)->state != BACKEND_UP;
	/* On standby by design is well; kept from being active by something wrong is not. */
	degraded |= !daemon->active && daemon->guarded;
	degraded |= daemon->active &&
		claims_live(announce_claims(daemon->announce), daemon_now(daemon));
	return degraded ? 1 : 0;
}

/* The name of the backend with this MAC; NULL: none. */
static const char *status_owner(const struct daemon *daemon, const struct mac *mac)
{
	for (size_t i = 0; i < registry_len(daemon->registry); i++)
		if (mac_equal(&registry_backend_at(daemon->registry, i)->mac, mac))
			return registry_backend_at(daemon->registry, i)->name;
	return NULL;
}

static json_t *status_claims(const struct daemon *daemon)
{
	const struct claims *claims = announce_claims(daemon->announce);
	uint64_t now_us = daemon_now(daemon);
	json_t *array = json_array();
	char vip[ADDR_STRLEN], mac[MAC_STRLEN];

	ARRAY_FOREACH (claim, claims->items, claims->len)
		(void)json_array_append_new(array,
			json_pack("{s:s, s:s, s:s?, s:I, s:f}", "vip",
				addr_format(&claim->vip, vip), "mac", mac_format(&claim->mac, mac),
				"backend", status_owner(daemon, &claim->mac), "count",
				(json_int_t)claim->count, "last_s",
				(double)(now_us - MIN(now_us, claim->last_us)) / (double)US_PER_S));
	return array;
}

static json_t *status_packets(const struct engine_totals *totals)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "received", (json_int_t)totals->received_pkts,
		"forwarded", (json_int_t)totals->verdict_pkts[FWD_FORWARD], "passed",
		(json_int_t)totals->verdict_pkts[FWD_PASS], "dropped",
		(json_int_t)totals->verdict_pkts[FWD_DROP]);
}

static json_t *status_fragments(const struct engine_totals *totals)
{
	return json_pack("{s:I, s:I, s:I}", "held", (json_int_t)totals->fragments_held, "released",
		(json_int_t)totals->fragments_released, "expired",
		(json_int_t)totals->fragments_expired);
}

static json_t *status_answers(const struct engine_totals *totals)
{
	return json_pack("{s:I, s:I}", "sent", (json_int_t)totals->answers_sent, "limited",
		(json_int_t)totals->answers_limited);
}

static json_t *status_flow_table(const struct daemon *daemon, const struct status_counts *counts,
	const struct engine_totals *totals)
{
	const struct flows_table *flows = keep_flows(daemon->keep);
	uint64_t capacity = (uint64_t)flows->n_flow4 * FLOW4_PER_BUCKET +
		(uint64_t)flows->n_flow6 * FLOW6_PER_BUCKET;

	return json_pack("{s:I, s:I, s:I, s:I}", "entries", (json_int_t)counts->total, "capacity",
		(json_int_t)capacity, "evictions", (json_int_t)totals->evictions, "unrecorded",
		(json_int_t)totals->unrecorded);
}

static json_t *status_publications(const struct daemon *daemon)
{
	const struct daemon_publications *publications = &daemon->publications;

	return json_pack("{s:I, s:I, s:I}", "count", (json_int_t)publications->n, "last_us",
		(json_int_t)publications->last_us, "longest_us",
		(json_int_t)publications->longest_us);
}

json_t *status_document(struct daemon *daemon, const struct status_counts *counts,
	const struct status_members *members)
{
	struct engine_totals totals;

	forward_totals(daemon, &totals);
	return json_pack(
		"{s:i, s:s, s:f, s:s, s:s, s:s, s:s, s:b, s:s, s:I, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"schema", STATUS_SCHEMA, "version", DSR_VERSION, "uptime_s",
		(double)(daemon_now(daemon) - daemon->started_us) / (double)US_PER_S, "interface",
		daemon->config->interface, "backend_interface", daemon->config->backend_interface,
		"mode", daemon->engine_ops->name, "mode_reason", daemon->engine_reason, "active",
		daemon->active && daemon->engine, "inactive_reason", daemon->inactive_reason,
		"config_generation", (json_int_t)daemon->config_generation, "health",
		status_health(daemon, members), "packets", status_packets(&totals), "drops",
		status_drops(&totals), "flow_table", status_flow_table(daemon, counts, &totals),
		"fragments", status_fragments(&totals), "icmp_answers", status_answers(&totals),
		"control", status_control(daemon), "publications", status_publications(daemon),
		"claims", status_claims(daemon));
}

/* Flows. */

struct status_flow_list {
	struct daemon *daemon;
	const char *virtual_server; /* NULL: all */
	json_t *array;
};

static bool status_list_flow(const struct flows_entry *entry, void *context)
{
	struct status_flow_list *list = context;
	const struct service *service = service_list_find(list->daemon->services, entry->service);
	const struct backend *backend = registry_backend(list->daemon->registry, entry->backend);
	char client[ADDR_STRLEN], vip[ADDR_STRLEN];

	if (!service ||
		(list->virtual_server &&
			!streq(service->virtual_server->name, list->virtual_server)))
		return true;
	json_array_append_new(list->array,
		json_pack("{s:s, s:i, s:s, s:i, s:s, s:s, s:s, s:s, s:I}", "client",
			addr_format(&entry->client, client), "client_port", (int)entry->client_port,
			"vip", addr_format(&service->vip, vip), "vip_port", (int)entry->vip_port,
			"protocol", flows_is_tcp(entry->state) ? "tcp" : "udp", "virtual_server",
			service->virtual_server->name, "backend", backend ? backend->name : "",
			"state", flows_state_name(entry->state), "idle_s",
			(json_int_t)entry->idle_s));
	return true;
}

json_t *status_flows(struct daemon *daemon, const char *virtual_server, uint64_t bucket)
{
	struct status_flow_list list = { daemon, virtual_server, json_array() };
	uint64_t last = bucket + MIN(UINT64_MAX - bucket, (uint64_t)STATUS_BUCKETS_MAX);
	bool more = true;

	while (more && bucket < last && json_array_size(list.array) < STATUS_FLOWS_MAX)
		more = flows_each_in(keep_flows(daemon->keep), &bucket, status_service, daemon,
			status_now_s(daemon), status_list_flow, &list);
	return json_pack("{s:o, s:o}", "flows", list.array, "next",
		more ? json_integer((json_int_t)bucket) : json_null());
}

uint64_t status_established_flows(const struct backend *backend)
{
	uint64_t flows = 0;

	for (size_t i = 0; i < backend->status.n_vips; i++)
		flows += backend->status.vips[i].established;
	return flows;
}
