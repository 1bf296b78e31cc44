/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Publication's housekeeping: times of replaced pools; and a job in the walk through the flow table for all
 * that asks about records.
 */
#include "lb/publish/settle.h"

#include "lb/fwd/hash.h"
#include "lb/publish/flow_relocate.h"
#include "lb/publish/persist.h"
#include "lb/publish/schedule_make.h"

/* Pools in one part: a millisecond or two. */
#define SETTLE_STEP_POOLS  16u
#define SETTLE_CARRY_POOLS 32u

/*
 * Takes the times that late readers wrote into the replaced table, oldest ancestor first, and lets it go. One that other
 * services still read stays an ancestor, but those between it and this one go: else there were one more of them
 * with each publication. Returns from how many tables.
 */
static size_t settle_carry(struct pool *pool)
{
	struct pool *parent = pool->parent;
	size_t n_carried;

	if (!parent)
		return 0;
	n_carried = settle_carry(parent);
	if (parent->readers > 0)
		return n_carried;
	table_carry_seen(keep_rows_table(pool->rows)->rows, keep_rows_table(parent->rows)->rows);
	pool->parent = parent->parent ? pool_ref(parent->parent) : NULL;
	pool_unref(parent);
	return n_carried + 1;
}

/* ---- void records ---- */

static void settle_pair_key(uint16_t service, uint16_t backend, uint64_t ret_key[2])
{
	ret_key[0] = (uint64_t)service << 16 | backend;
	ret_key[1] = 0;
}

int settle_reserve(struct settle *settle, size_t n_purges)
{
	return hash_map_reserve(&settle->purges, n_purges);
}

void settle_purge(struct settle *settle, uint16_t service, uint16_t backend)
{
	uint64_t key[2];

	settle_pair_key(service, backend, key);
	(void)hash_map_put(&settle->purges, key, 1);
}

static bool settle_is_in(const struct hash_map *purges, uint16_t service, uint16_t backend)
{
	uint64_t key[2];
	uint32_t value;

	settle_pair_key(service, backend, key);
	return hash_map_get(purges, key, &value);
}

static bool settle_is_stranger(const struct settle *settle, uint16_t service, uint16_t backend)
{
	const struct pool_service *known = pool_service_find(settle->pools, service);
	uint32_t value;

	return known &&
		!hash_map_get(
			&settle->known, (uint64_t[2]){ (uintptr_t)known->pool, backend }, &value);
}

static bool settle_is_void(uint16_t service, uint16_t backend, void *context)
{
	const struct settle *settle = context;

	return settle_is_in(&settle->purging, service, backend) ||
		(settle->strangers && settle_is_stranger(settle, service, backend));
}

/* False: out of memory. */
static bool settle_strangers_begin(struct settle *settle)
{
	const struct pools *pools = settle->pools;

	hash_map_clear(&settle->known);
	for (size_t i = 0; i < pools->n_services; i++) {
		const struct pool *pool = pools->services[i].pool;

		for (size_t j = 0; j < pool->n_alive; j++)
			if (hash_map_put(&settle->known,
				    (uint64_t[2]){ (uintptr_t)pool, pool->alive[j] }, 1) < 0)
				return false;
	}
	return true;
}

static bool settle_is_noted(uint16_t service, uint16_t backend, void *context)
{
	return settle_is_in(context, service, backend);
}

static bool settle_purges_living(const struct hash_map *purges, const struct registry *registry)
{
	for (size_t i = 0; purges->n_used > 0 && i < purges->n_entries; i++) {
		const struct backend *backend =
			registry_backend(registry, (uint16_t)purges->entries[i].key[0]);

		if (purges->entries[i].used && backend && backend->takes_flows)
			return true;
	}
	return false;
}

void settle_purge_returning(struct settle *settle, const struct registry *registry)
{
	const struct flows_table *flows = keep_flows(settle->pools->keep);
	struct hash_map *both[] = { &settle->purges, &settle->purging };

	ARRAY_FOREACH (purges, both, ARRAY_LEN(both)) {
		if (!settle_purges_living(*purges, registry))
			continue;
		for (uint64_t i = 0; i < (uint64_t)flows->n_flow4 + flows->n_flow6; i++)
			flows_purge_in(flows, i, settle_is_noted, *purges);
		hash_map_clear(*purges);
	}
}

/* ---- rows ---- */

static void settle_note_record(
	const struct pools *pools, const struct snapshot *snapshot, const struct flows_entry *entry)
{
	const struct pool_service *service = pool_service_find(pools, entry->service);
	const struct fwd_service *forward = snapshot_service(snapshot, entry->service);
	struct fwd_addr client;
	uint8_t *bits;
	uint32_t row;

	/* Where every flow is recorded no row is asked about it. */
	if (!service || !forward || !service->pool->disagrees ||
		(forward->flags & FWD_SERVICE_RECORD_ALL))
		return;
	bits = service->pool->disagrees;
	snapshot_addr(&entry->client, &client);
	row = hash_row(snapshot_settings(snapshot), &client,
		forward->flags & FWD_SERVICE_HASH_SOURCE ? 0 : htobe16(entry->client_port));
	if (keep_rows_table(service->pool->rows)->rows[row].owner != entry->backend)
		bits[row / 8] |= (uint8_t)(1u << row % 8);
}

static void settle_rows_end(const struct pools *pools)
{
	for (size_t i = 0; i < pools->n_services; i++)
		free(TAKE_PTR(pools->services[i].pool->disagrees));
}

/* One bit map for each moving pool. */
static bool settle_rows_begin(const struct pools *pools)
{
	settle_rows_end(pools);
	for (size_t i = 0; i < pools->n_services; i++) {
		struct pool *pool = pools->services[i].pool;

		if (pool->moving == 0 || pool->disagrees)
			continue;
		pool->disagrees = calloc((FWD_ROWS + 7) / 8, 1);
		if (!pool->disagrees) {
			settle_rows_end(pools);
			return false;
		}
	}
	return true;
}

/* Settles some pools; false: there are no more. */
static bool settle_rows_some(struct settle *settle, uint32_t now_s)
{
	size_t n_settled = 0;

	for (; settle->service < settle->pools->n_services; settle->service++) {
		struct pool *pool = settle->pools->services[settle->service].pool;

		if (!pool->disagrees)
			continue;
		if (n_settled++ == SETTLE_STEP_POOLS)
			return true;
		pool->moving = table_settle(
			keep_rows_table(pool->rows), pool->disagrees, pool->timeout_s, now_s);
		free(TAKE_PTR(pool->disagrees));
	}
	return false;
}

/* ---- the walk ---- */

static void settle_each(const struct flows_entry *entry, void *context)
{
	const struct settle *settle = context;

	if (settle->holds)
		persist_hold_client(settle->snapshot, entry, settle->now_s);
	if (settle->counts)
		schedule_count_flow(settle->pools, entry);
	if (settle->settles)
		settle_note_record(settle->pools, settle->snapshot, entry);
}

/* Other pools and backends: what was counted is worth nothing, what is void stays so. */
static void settle_judge(struct settle *settle)
{
	if (settle->n_builds == settle->pools->n_builds)
		return;
	settle->n_builds = settle->pools->n_builds;
	settle->counts = settle->settles = settle->strangers = false;
	settle_rows_end(settle->pools);
}

static void settle_part(uint32_t now_s, void *context)
{
	struct settle *settle = context;

	settle->now_s = now_s;
	settle->snapshot = settle->current(settle->context);
	settle_judge(settle);
	if (!settle->snapshot)
		settle->holds = settle->counts = settle->settles = false;
	settle->job.each = settle->holds || settle->counts || settle->settles ? settle_each : NULL;
}

static void settle_begin(struct settle *settle, bool holds, bool counts, bool settles)
{
	settle->holds = holds;
	settle->counts = counts;
	settle->settles = settles && settle_rows_begin(settle->pools);
	settle->n_builds = settle->pools->n_builds;
	settle->service = 0;
	settle->purging = settle->purges;
	settle->purges = (struct hash_map){ 0 };
	settle->job.is_void =
		settle->purging.n_used > 0 || settle->strangers ? settle_is_void : NULL;
	if (counts)
		schedule_count_begin(settle->pools);
	flow_walk_join(settle->walk, &settle->job);
}

static bool settle_runs(const struct settle *settle)
{
	return settle->job.joined || settle->settles;
}

void settle_wake(struct settle *settle)
{
	if (!settle_runs(settle) && settle->purges.n_used > 0)
		settle_begin(settle, false, false, false);
}

static void settle_done(void *context)
{
	struct settle *settle = context;

	hash_map_clear(&settle->purging);
	hash_map_clear(&settle->known);
	settle_judge(settle);
	if (settle->counts)
		schedule_count_end(settle->pools);
	if (settle->strangers)
		settle->strangers_us = UINT64_MAX;
	settle->strangers = false;
	settle->counts = settle->holds = false;
	settle_wake(settle);
}

bool settle_step(struct settle *settle, uint64_t now_us)
{
	settle_judge(settle);
	if (!settle->job.joined && settle->settles)
		settle->settles = settle_rows_some(settle, (uint32_t)(now_us / US_PER_S));
	settle_wake(settle);
	return !settle->job.joined && settle->settles;
}

/* ---- the filter of flows seen ---- */

/* The longest time that a flow of UDP may be silent in any service; 0: there is no service. */
static uint32_t settle_udp_timeout_s(const struct pools *pools, const struct snapshot *current)
{
	uint32_t timeout_s = 0;

	for (size_t i = 0; i < pools->n_services; i++) {
		const struct fwd_service *service =
			snapshot_service(current, pools->services[i].id);

		if (service)
			timeout_s = MAX(timeout_s, service->udp_timeout_s);
	}
	return timeout_s;
}

static void settle_turn(struct settle *settle, const struct snapshot *current, uint32_t now_s)
{
	uint32_t timeout_s = settle_udp_timeout_s(settle->pools, current);

	if (timeout_s > 0)
		flow_seen_turn(keep_flows(settle->pools->keep), &settle->turn, timeout_s, now_s);
}

/* ---- the dense part ---- */

static const struct fwd_service *settle_service(uint16_t service, void *context)
{
	const struct snapshot *const *snapshot = context;

	return snapshot_service(*snapshot, service);
}

/* Whether a family's table has become crowded, or is no more; the dense part is then emptied. */
static bool settle_crowd(
	const struct snapshot *current, uint64_t n_live, bool is_ip6, uint32_t now_s, bool *crowded)
{
	const struct flows_table *flows = snapshot_flows(current);
	uint32_t n_buckets = is_ip6 ? flows->n_flow6 : flows->n_flow4;
	bool becomes = flows_is_crowded(
		n_buckets, is_ip6 ? FLOW6_PER_BUCKET : FLOW4_PER_BUCKET, n_live, *crowded);

	if (becomes == *crowded)
		return false;
	*crowded = becomes;
	if (becomes)
		(void)flow_relocate(current, is_ip6, now_s);
	return true;
}

/* True: publish anew. */
static bool settle_measure(struct pools *pools, const struct snapshot *current, uint32_t now_s)
{
	const struct snapshot *context = current;
	uint64_t n_live4, n_live6;
	bool changed;

	flows_estimate(
		snapshot_flows(current), settle_service, &context, now_s, &n_live4, &n_live6);
	changed = settle_crowd(current, n_live4, false, now_s, &pools->crowded4);
	changed |= settle_crowd(current, n_live6, true, now_s, &pools->crowded6);
	return changed;
}

bool settle_tick(struct settle *settle, uint64_t now_us)
{
	struct pools *pools = settle->pools;
	const struct snapshot *current = settle->current(settle->context);
	bool moving = false, settles, holds, counts;
	size_t n_carried = 0;

	for (size_t i = 0; i < pools->n_services; i++) {
		/* What is left is for the next time: it can wait. */
		if (n_carried < SETTLE_CARRY_POOLS)
			n_carried += settle_carry(pools->services[i].pool);
		moving |= pools->services[i].pool->moving > 0;
	}
	settles = moving && !pools->follow && now_us - settle->settled_us >= SETTLE_US;
	holds = current && persist_hold_wanted(pools, current);
	counts = current && schedule_count_wanted(pools);
	if (settle->strangers_us == 0)
		settle->strangers_us = now_us + SETTLE_STRANGERS_US;
	if (!settle_runs(settle) && current && now_us >= settle->strangers_us)
		settle->strangers = settle_strangers_begin(settle);
	if (!settle_runs(settle) && (settles || holds || counts || settle->strangers)) {
		settle_begin(settle, holds, counts, settles);
		settle->settled_us = settles ? now_us : settle->settled_us;
	}
	if (!current)
		return false;
	settle_turn(settle, current, (uint32_t)(now_us / US_PER_S));
	return settle_measure(pools, current, (uint32_t)(now_us / US_PER_S));
}

void settle_start(struct settle *settle)
{
	settle->job = (struct flow_walk_job){
		.part = settle_part, .done = settle_done, .context = settle
	};
}

void settle_stop(struct settle *settle)
{
	flow_walk_leave(settle->walk, &settle->job);
	hash_map_clear(&settle->purges);
	hash_map_clear(&settle->purging);
	hash_map_clear(&settle->known);
}
