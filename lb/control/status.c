/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON of the parts' states: see status.h. */
#include "lb/control/status.h"

#include <sodium.h>

#include "common/os/clock.h"
#include "lb/config/service.h"
#include "lb/control/status_checks.h"
#include "lb/control/status_count.h"
#include "lb/control/status_warnings.h"
#include "lb/daemon/agents.h"
#include "lb/daemon/balancer.h"
#include "lb/daemon/dataplane.h"
#include "lb/daemon/reload.h"
#include "lb/daemon/role.h"
#include "lb/daemon/update.h"
#include "lb/link/announce.h"
#include "lb/link/claims.h"
#include "lb/link/neigh/segments.h"
#include "lb/publish/publish.h"
#include "lb/session/session.h"
#include "lb/table/table.h"
#include "lb/state/keep.h"

#define STATUS_SCHEMA 1
/* In which real servers that are there register with a balancer that came, and others' tables are told. */
#define STATUS_JOIN_US (2 * US_PER_S)
/* In one answer, so that no listing holds up heartbeats: some 10 ms of work at most. */
#define STATUS_FLOWS_MAX   1024u
#define STATUS_BUCKETS_MAX 16384u

/* One backend in one virtual server, summed over its VIPs. */
struct status_sum {
	uint64_t packets, bytes, syns, accepted, flows, established;
	bool is_counted;               /* `accepted` is known */
	size_t owned;                  /* rows, over all VIPs */
	struct registry_member member; /* at the VIP where it has the most of its weight */
	bool serves;
};

/* A member by a real-server line alone may have an agent with that VIP all the same. */
static uint64_t status_established(
	const struct backend *backend, const struct registry_member *member, const struct addr *vip)
{
	const struct backend_vip *its = agent_status_vip(&backend->status, member->vip);

	if (its)
		return its->established;
	for (size_t i = 0; i < backend->status.n_vips; i++)
		if (backend->source == BACKEND_AGENT &&
			addr_equal(&backend->status.vips[i].address, vip))
			return backend->status.vips[i].established;
	return 0;
}

static void status_sum_backend(const struct balancer *balancer, const struct status_counts *counts,
	const struct config_virtual_server *virtual_server, size_t first,
	const struct backend *backend, struct status_sum *ret_sum)
{
	struct status_sum sum = { 0 };

	for (size_t i = first; i < first + virtual_server->vips.len; i++) {
		const struct service *service = &balancer->services->items[i];
		const struct registry_service *registry = &balancer->services->registry[i];
		struct engine_pair_counters pair;
		struct registry_member member;
		uint64_t accepted;

		if (!registry_member_of(balancer->registry, backend, registry, &member))
			continue;
		if (!sum.serves || member.effective_weight > sum.member.effective_weight)
			sum.member = member;
		sum.serves = true;
		sum.owned += publish_owned(balancer->publish, service->id, backend->id);
		sum.flows += status_count_of(counts, service->id, backend->id);
		sum.established += status_established(backend, &member, &service->vip);
		dataplane_pair_counters(balancer->dataplane, service->id, backend->id, &pair);
		sum.packets += pair.packets;
		sum.bytes += pair.bytes;
		sum.syns += pair.syns;
		if (registry_accepted(balancer->registry, backend, registry, &accepted)) {
			sum.accepted += accepted;
			sum.is_counted = true;
		}
	}
	*ret_sum = sum;
}

/* A whole number where it is one: in slow start a weight of 1 is 0.2 at first. */
static json_t *status_effective_weight(const struct registry_member *member)
{
	uint64_t percent = (uint64_t)member->effective_weight * member->ramp_percent;

	if (percent % 100 == 0)
		return json_integer((json_int_t)(percent / 100));
	return json_real((double)percent / 100);
}

static json_t *status_backend(const struct balancer *balancer, const struct backend *backend,
	const struct status_sum *sum, size_t n_vips)
{
	char address[ADDR_STRLEN], mac[MAC_STRLEN];
	uint64_t now_us = clock_now_us();
	uint64_t since_us = now_us - MIN(backend->since_us, now_us);
	const struct neigh_link *link = segments_link_of(balancer->segments, &backend->address);

	return json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:f, s:I, s:s, s:b, s:I, s:o, s:f, s:I, s:I, s:I, s:o, s:I, s:I, "
		"s:I, s:I, s:I, s:b}",
		"name", backend->name, "version", backend->version, "address",
		addr_format(&backend->address, address), "mac",
		mac_is_zero(&backend->mac) ? "" : mac_format(&backend->mac, mac), "interface",
		link ? link->name : "", "state", backend_state_name(backend->state), "reason",
		backend->reason, "since_s", (double)since_us / (double)US_PER_S, "state_changes",
		(json_int_t)backend->n_state_changes, "source",
		backend_source_name(backend->source), "backup", sum->member.is_backup, "weight",
		(json_int_t)sum->member.weight, "effective_weight",
		status_effective_weight(&sum->member), "share",
		(double)sum->owned / (double)FWD_ROWS / (double)n_vips, "packets",
		(json_int_t)sum->packets, "bytes", (json_int_t)sum->bytes, "syns",
		(json_int_t)sum->syns, "accepted",
		sum->is_counted ? json_integer((json_int_t)sum->accepted) : json_null(), "flows",
		(json_int_t)sum->flows, "established", (json_int_t)sum->established,
		"max_connections", (json_int_t)sum->member.max_connections, "heartbeat_rtt_us",
		(json_int_t)backend->rtt_us, "heartbeats_missed",
		(json_int_t)backend->heartbeats_missed, "second_chance",
		(int)backend->status.second_chance);
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
static void status_digest(const struct balancer *balancer,
	const struct config_virtual_server *virtual_server, size_t first_service,
	char ret_digest[TABLE_DIGEST_LEN])
{
	unsigned char hash[8];
	crypto_generichash_state state;
	const char *first = NULL;
	bool same = true;

	crypto_generichash_init(&state, NULL, 0, crypto_generichash_BYTES_MIN);
	for (size_t i = first_service; i < first_service + virtual_server->vips.len; i++) {
		const char *digest =
			publish_digest(balancer->publish, balancer->services->items[i].id);

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
 * What a virtual server has for new flows, at the VIP where it has the most. One that is silent but kept gets flows for
 * want of a better, and is not counted.
 */
struct status_usable {
	struct registry_tier best;
	size_t fewest; /* backends, backups too, at the VIP that has the fewest */
};

static size_t status_usable_len(const struct registry_tier *tier)
{
	return (size_t)tier->n_usable + tier->n_backups;
}

static bool status_is_better(const struct registry_tier *tier, const struct registry_tier *than)
{
	if (tier->is_enough != than->is_enough)
		return tier->is_enough;
	if (tier->n_usable != than->n_usable)
		return tier->n_usable > than->n_usable;
	return tier->n_backups > than->n_backups;
}

static struct status_usable status_usable(const struct registry_tier *tiers,
	const struct config_virtual_server *virtual_server, size_t first)
{
	struct status_usable usable = { .best = tiers[first], .fewest = SIZE_MAX };

	for (size_t i = first; i < first + virtual_server->vips.len; i++) {
		if (status_is_better(&tiers[i], &usable.best))
			usable.best = tiers[i];
		usable.fewest = MIN(usable.fewest, status_usable_len(&tiers[i]));
	}
	return usable;
}

static uint32_t status_backups_in_use(const struct registry_tier *tier)
{
	return tier->is_enough ? 0 : tier->n_backups;
}

/* One of the interfaces to backends that is not up; NULL: all are. */
static const struct neigh_link *status_down_link(const struct balancer *balancer)
{
	for (size_t i = 0; i < SEGMENTS_MAX; i++) {
		const struct neigh_link *link = segments_link(balancer->segments, i);

		if (link && !link->running)
			return link;
	}
	return NULL;
}

/* None of them is. */
static bool status_is_cut_off(const struct balancer *balancer)
{
	for (size_t i = 0; i < SEGMENTS_MAX; i++) {
		const struct neigh_link *link = segments_link(balancer->segments, i);

		if (link && link->running)
			return false;
	}
	return true;
}

/* Whether this balancer could forward at all, if it were active. */
static bool status_serves(const struct balancer *balancer, struct why *ret_why)
{
	const struct neigh_link *clients = neigh_client_link(balancer->neigh);
	const struct neigh_link *down = status_down_link(balancer);
	struct dataplane_status dataplane = dataplane_status(balancer->dataplane);
	struct role_status role = role_status(balancer->role);

	if (!dataplane.is_running) {
		why_set(ret_why, "no packet engine: %s", dataplane.reason);
		return false;
	}
	if (!clients->running || status_is_cut_off(balancer)) {
		why_set(ret_why, "interface %s is down",
			clients->running ? down->name : clients->name);
		return false;
	}
	/* One whose address is elsewhere could. */
	if (role.standby || role.guarded)
		why_set(ret_why, "not active: %s", role.reason);
	return !role.standby && !role.guarded;
}

/*
 * Whether a balancer that started with nothing has who serves the virtual server, as far as can be known: routers share
 * flows of others out to it at once, and those of servers that are still about to register would be reset. No longer than bases
 * follow owners, as nobody may be like another balancer at all.
 */
static bool status_has_joined(const struct balancer *balancer,
	const struct config_virtual_server *virtual_server, struct why *ret_why)
{
	uint64_t now_us = clock_now_us(), quiet_us = publish_quiet_us(balancer->publish, now_us);
	const struct addr *other;
	char text[ADDR_STRLEN];

	if (balancer->config->announce != CONFIG_ANNOUNCE_ROUTE || quiet_us == UINT64_MAX)
		return true;
	other = session_others_find_other(
		session_others(balancer->sessions, now_us), virtual_server->name);
	if (other)
		why_set(ret_why,
			"just started, and the balancer %s has another table of virtual server %s",
			addr_format(other, text), virtual_server->name);
	else if (quiet_us < MAX(STATUS_JOIN_US, 4 * balancer->config->heartbeat_interval_us))
		why_set(ret_why, "just started, and real servers of virtual server %s may follow",
			virtual_server->name);
	else
		return true;
	return false;
}

static bool status_virtual_server_is_ready(const struct balancer *balancer,
	const struct registry_tier *tiers, const struct config_virtual_server *virtual_server,
	size_t first, struct why *ret_why)
{
	struct registry_tier tier;

	if (!status_serves(balancer, ret_why))
		return false;
	tier = status_usable(tiers, virtual_server, first).best;
	if (tier.is_enough)
		return status_has_joined(balancer, virtual_server, ret_why);
	if (status_usable_len(&tier) == 0)
		status_warnings_unserved(virtual_server->name, &tier, ret_why);
	else
		why_set(ret_why,
			"virtual server %s has %u usable backends of the %u that are its minimum, and "
			"%u backups in use",
			virtual_server->name, tier.n_usable, tier.minimum,
			status_backups_in_use(&tier));
	return false;
}

bool status_is_ready(
	const struct balancer *balancer, const char *virtual_server, struct why *ret_why)
{
	_cleanup_free_ struct registry_tier *tiers = status_tiers(balancer);
	const struct config *config = balancer->config;
	bool found = false;
	size_t first = 0;

	if (!tiers) {
		why_set(ret_why, "out of memory");
		return false;
	}
	for (size_t i = 0; i < config->n_virtual_servers; i++) {
		const struct config_virtual_server *each = config->virtual_servers[i];
		size_t of_each = first;

		first += each->vips.len;
		if (virtual_server && !streq(virtual_server, each->name))
			continue;
		found = true;
		if (!status_virtual_server_is_ready(balancer, tiers, each, of_each, ret_why))
			return false;
	}
	if (!found)
		why_set(ret_why, "no virtual server %s",
			virtual_server ? virtual_server : "is configured");
	return found;
}

void status_each_ready(const struct balancer *balancer, status_ready_fn *fn, void *context)
{
	_cleanup_free_ struct registry_tier *tiers = status_tiers(balancer);
	const struct config *config = balancer->config;
	size_t first = 0;

	if (!tiers)
		return;
	for (size_t i = 0; i < config->n_virtual_servers; i++) {
		const struct config_virtual_server *each = config->virtual_servers[i];
		struct why why = { 0 };
		bool ready = status_virtual_server_is_ready(balancer, tiers, each, first, &why);

		first += each->vips.len;
		fn(each->name, ready, ready ? "" : why.text, context);
	}
}

static int status_compare_positions(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return left < right ? -1 : left > right;
}

/* The backends of all its services, each once, in the order of names; `*ret_flows`: of all. */
static json_t *status_backends(const struct balancer *balancer, const struct status_counts *counts,
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
			registry_backend(balancer->registry, members->ids[positions[i]]);
		struct status_sum sum;
		json_t *made;

		/* In a later part some may have left. */
		if (!backend || (i > 0 && positions[i] == positions[i - 1]))
			continue;
		status_sum_backend(balancer, counts, virtual_server, first, backend, &sum);
		if (!sum.serves)
			continue;
		*ret_flows += sum.flows;
		made = status_backend(balancer, backend, &sum, virtual_server->vips.len);
		json_object_set_new(
			made, "checks", status_checks(balancer, virtual_server, first, backend));
		json_array_append_new(backends, made);
	}
	return backends;
}

json_t *status_virtual_server(const struct balancer *balancer, const struct status_counts *counts,
	const struct status_members *members, const struct config_virtual_server *virtual_server,
	size_t first)
{
	struct engine_service_counters total = { 0 };
	char digest[TABLE_DIGEST_LEN];
	struct why why = { 0 };
	_cleanup_free_ char *ports = config_ports_format(virtual_server);
	struct registry_tier tier = status_usable(members->tiers, virtual_server, first).best;
	uint64_t flows = 0;
	size_t moving = 0;
	json_t *backends;
	bool ready;

	for (size_t i = first; i < first + virtual_server->vips.len; i++) {
		struct engine_service_counters counters;

		moving += publish_moving(balancer->publish, balancer->services->items[i].id);
		dataplane_service_counters(
			balancer->dataplane, balancer->services->items[i].id, &counters);
		total.packets += counters.packets;
		total.bytes += counters.bytes;
		total.syns += counters.syns;
	}
	backends = status_backends(balancer, counts, members, virtual_server, first, &flows);
	status_digest(balancer, virtual_server, first, digest);
	ready = status_virtual_server_is_ready(
		balancer, members->tiers, virtual_server, first, &why);
	/* This balancer could serve it: to be active elsewhere would make nothing better. */
	if (ready)
		(void)status_warnings_held(balancer, virtual_server, &why);
	return json_pack(
		"{s:s, s:o, s:s, s:s, s:s, s:b, s:b, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}",
		"name", virtual_server->name, "vip", status_vips(virtual_server), "ports",
		ports ? ports : "", "protocol", config_protocol_name(virtual_server->protocol),
		"scheduler", config_scheduler_name(virtual_server->scheduler), "sessionless",
		virtual_server->sessionless, "ready", ready, "ready_reason", why.text,
		"table_digest", digest, "packets", (json_int_t)total.packets, "bytes",
		(json_int_t)total.bytes, "flows", (json_int_t)flows, "syns", (json_int_t)total.syns,
		"moving_slots", (json_int_t)moving, "minimum", (json_int_t)tier.minimum,
		"backups_in_use", (json_int_t)status_backups_in_use(&tier), "announced",
		status_warnings_announced(balancer, virtual_server), "backends", backends);
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
		if (reasons[i].verdict == FWD_DROP || reasons[i].verdict == FWD_SLOW_PATH)
			json_object_set_new(drops, reasons[i].name,
				json_integer((json_int_t)totals->reason_pkts[i]));
	return drops;
}

static json_t *status_control(const struct balancer *balancer)
{
	const struct session_counters *counters = session_counters(balancer->sessions);
	struct agents_status agents = agents_status(balancer->agents);
	json_t *rejected = json_object();

	for (int i = SESSION_ACCEPTED + 1; i < SESSION_REFUSAL_N_; i++)
		json_object_set_new(rejected, session_refusals_name((enum session_refusal)i),
			json_integer((json_int_t)counters->rejected[i]));
	return json_pack("{s:I, s:I, s:o, s:b, s:s}", "received", (json_int_t)counters->received,
		"accepted", (json_int_t)counters->accepted, "rejected", rejected, "listening",
		agents.is_listening, "listening_reason", agents.reason);
}

/* What `status` exits with: 0 all well, 1 degraded, 2 no service. */
static int status_health(const struct balancer *balancer, const struct status_members *members)
{
	struct role_status role = role_status(balancer->role);
	struct why held = { 0 };
	bool degraded = false;
	size_t first = 0;

	if (!dataplane_status(balancer->dataplane).is_running ||
		!neigh_client_link(balancer->neigh)->running || status_is_cut_off(balancer))
		return 2;
	for (size_t i = 0; i < balancer->config->n_virtual_servers; i++) {
		const struct config_virtual_server *each = balancer->config->virtual_servers[i];
		struct status_usable usable = status_usable(members->tiers, each, first);

		first += each->vips.len;
		if (status_usable_len(&usable.best) == 0)
			return 2;
		degraded |= usable.fewest == 0 || !usable.best.is_enough;
		degraded |= status_warnings_held(balancer, each, &held);
	}
	for (size_t i = 0; i < registry_len(balancer->registry); i++)
		degraded |= registry_backend_at(balancer->registry, i)->state != BACKEND_UP;
	/* On standby by design is well; kept from being active by something wrong is not. */
	degraded |= role.guarded || !agents_status(balancer->agents).is_listening;
	degraded |= status_down_link(balancer) != NULL;
	degraded |= role.active && claims_live(announce_claims(balancer->announce), clock_now_us());
	degraded |= session_others_differ(session_others(balancer->sessions, clock_now_us()));
	return degraded ? 1 : 0;
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

static json_t *status_flow_table(const struct balancer *balancer,
	const struct status_counts *counts, const struct engine_totals *totals)
{
	const struct flows_table *flows = keep_flows(balancer->keep);
	uint64_t capacity = (uint64_t)flows->n_flow4 * FLOW4_PER_BUCKET +
		(uint64_t)flows->n_flow6 * FLOW6_PER_BUCKET;

	return json_pack("{s:I, s:I, s:I, s:I}", "entries", (json_int_t)counts->total, "capacity",
		(json_int_t)capacity, "evictions", (json_int_t)totals->evictions, "unrecorded",
		(json_int_t)totals->unrecorded);
}

static json_t *status_second_chance(const struct engine_totals *totals)
{
	return json_pack("{s:I}", "named", (json_int_t)totals->named);
}

static json_t *status_last_reload(const struct balancer *balancer)
{
	struct reload_status reload = reload_status(balancer->reload);
	uint64_t success_ms = reload.success_us / US_PER_MS;

	return json_pack("{s:b, s:f}", "successful", reload.successful, "success_time_s",
		(double)success_ms / 1000);
}

static json_t *status_publications(const struct balancer *balancer)
{
	struct update_status update = update_status(balancer->update);

	return json_pack("{s:I, s:I, s:I}", "count", (json_int_t)update.n, "last_us",
		(json_int_t)update.last_us, "longest_us", (json_int_t)update.longest_us);
}

static double status_linger_left_s(const struct role_status *role)
{
	uint64_t now_us = clock_now_us();

	return (double)(MAX(role->until_us, now_us) - now_us) / (double)US_PER_S;
}

static json_t *status_backend_interfaces(const struct config *config)
{
	json_t *array = json_array();

	for (size_t i = 0; i < config->backend_interfaces.len; i++)
		json_array_append_new(array, json_string(config_backend_interface(config, i)));
	return array;
}

json_t *status_document(const struct balancer *balancer, const struct status_counts *counts,
	const struct status_members *members)
{
	struct dataplane_status dataplane = dataplane_status(balancer->dataplane);
	struct role_status role = role_status(balancer->role);
	const char *advice = update_status(balancer->update).advice;
	struct engine_totals totals;
	struct why why = { 0 };

	dataplane_totals(balancer->dataplane, &totals);
	return json_pack(
		"{s:i, s:s, s:i, s:s, s:f, s:s, s:s, s:o, s:s, s:s, s:b, s:b, s:s, s:f, s:s, s:s, s:I, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
		"s:o, s:o, s:o, s:o}",
		"schema", STATUS_SCHEMA, "version", DSR_VERSION, "pid", (int)getpid(),
		"config_file", balancer->paths.config, "uptime_s",
		(double)(clock_now_us() - balancer->started_us) / (double)US_PER_S, "interface",
		balancer->config->interface, "backend_interface",
		config_backend_interface(balancer->config, 0), "backend_interfaces",
		status_backend_interfaces(balancer->config), "mode", dataplane.mode, "mode_reason",
		dataplane.reason, "active", role.active && dataplane.is_running, "ready",
		status_is_ready(balancer, NULL, &why), "state", role_state_name(role.state),
		"linger_left_s", status_linger_left_s(&role), "inactive_reason", role.reason,
		"reason", role.reason[0] ? role.reason : advice, "config_generation",
		(json_int_t)balancer->config_generation, "health", status_health(balancer, members),
		"packets", status_packets(&totals), "drops", status_drops(&totals), "flow_table",
		status_flow_table(balancer, counts, &totals), "fragments",
		status_fragments(&totals), "icmp_answers", status_answers(&totals), "second_chance",
		status_second_chance(&totals), "control", status_control(balancer), "publications",
		status_publications(balancer), "config_last_reload", status_last_reload(balancer),
		"claims", status_warnings_claims(balancer), "refusals",
		status_warnings_refusals(balancer), "balancers",
		status_warnings_balancers(balancer));
}

/* Flows. */

bool status_flow_is_meant(const struct balancer *balancer, const struct status_flow_filter *filter,
	const struct flows_entry *entry)
{
	const struct service *service = service_list_find(balancer->services, entry->service);

	return service &&
		(!filter->virtual_server ||
			streq(service->virtual_server->name, filter->virtual_server)) &&
		(!filter->client || addr_in_prefix(&entry->client, filter->client)) &&
		(filter->backend == 0 || entry->backend == filter->backend);
}

struct status_flow_list {
	const struct balancer *balancer;
	const struct status_flow_filter *filter;
	json_t *array;
};

static void status_list_flow(const struct flows_entry *entry, void *context)
{
	struct status_flow_list *list = context;
	const struct service *service = service_list_find(list->balancer->services, entry->service);
	const struct backend *backend = registry_backend(list->balancer->registry, entry->backend);
	char client[ADDR_STRLEN], vip[ADDR_STRLEN];

	if (json_array_size(list->array) >= list->filter->limit ||
		!status_flow_is_meant(list->balancer, list->filter, entry))
		return;
	json_array_append_new(list->array,
		json_pack("{s:s, s:i, s:s, s:i, s:s, s:s, s:s, s:s, s:I}", "client",
			addr_format(&entry->client, client), "client_port", (int)entry->client_port,
			"vip", addr_format(&service->vip, vip), "vip_port", (int)entry->vip_port,
			"protocol", flows_protocol_name(entry->state), "virtual_server",
			service->virtual_server->name, "backend", backend ? backend->name : "",
			"state", flows_state_name(entry->state), "idle_s",
			(json_int_t)entry->idle_s));
}

uint64_t status_flows_end(uint64_t bucket)
{
	return bucket + MIN(UINT64_MAX - bucket, (uint64_t)STATUS_BUCKETS_MAX);
}

json_t *status_flows(
	const struct balancer *balancer, const struct status_flow_filter *filter, uint64_t bucket)
{
	struct status_flow_list list = { balancer, filter, json_array() };
	uint64_t last = status_flows_end(bucket), most = MIN(filter->limit, STATUS_FLOWS_MAX);
	bool more = true;

	while (more && bucket < last && json_array_size(list.array) < most)
		more = flows_each_in(keep_flows(balancer->keep), &bucket, dataplane_service,
			balancer->dataplane, (uint32_t)(clock_now_us() / US_PER_S),
			status_list_flow, &list);
	return json_pack("{s:o, s:o}", "flows", list.array, "next",
		more ? json_integer((json_int_t)bucket) : json_null());
}
