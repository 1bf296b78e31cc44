/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Publication's housekeeping: times of replaced tables; and one walk through the flow table for all
 * that asks about records, in parts, so that a table of millions holds up no heartbeat.
 */
#include "lb/fwd/hash.h"
#include "lb/publish/flow_relocate.h"
#include "lb/publish/publish_internal.h"

/*
 * Takes the times that late readers wrote into the replaced table, oldest ancestor first. Returns from how
 * many tables.
 */
static size_t publish_carry(struct publish_table *table)
{
	struct publish_table *parent = table->parent;
	size_t n_carried;

	if (!parent)
		return 0;
	n_carried = publish_carry(parent);
	if (parent->parent || parent->readers > 0)
		return n_carried;
	table_carry_seen(keep_rows_table(table->rows)->rows, keep_rows_table(parent->rows)->rows);
	table->parent = publish_table_unref(parent);
	return n_carried + 1;
}

/* Buckets and tables in one part: a millisecond or two. */
#define PUBLISH_STEP_BUCKETS 16384u
#define PUBLISH_STEP_TABLES  16u
#define PUBLISH_CARRY_TABLES 32u

/* Void records. */

static void publish_pair_key(uint16_t service, uint16_t backend, uint64_t ret_key[2])
{
	ret_key[0] = (uint64_t)service << 16 | backend;
	ret_key[1] = 0;
}

void publish_purge_note(struct publish *publish, uint16_t service, uint16_t backend)
{
	uint64_t key[2];

	publish_pair_key(service, backend, key);
	(void)hash_map_put(&publish->purges, key, 1);
}

static bool publish_is_void(uint16_t service, uint16_t backend, void *context)
{
	uint64_t key[2];
	uint32_t value;

	publish_pair_key(service, backend, key);
	return hash_map_get(context, key, &value);
}

static void publish_purge_bucket(
	const struct publish *publish, struct hash_map *purges, uint64_t bucket)
{
	flows_purge_in(keep_flows(publish->keep), bucket, publish_is_void, purges);
}

static bool publish_purges_living(const struct hash_map *purges, const struct registry *registry)
{
	for (size_t i = 0; purges->n_used > 0 && i < purges->n_entries; i++) {
		const struct backend *backend =
			registry_backend(registry, (uint16_t)purges->entries[i].key[0]);

		if (purges->entries[i].used && backend && backend->takes_flows)
			return true;
	}
	return false;
}

void publish_purge_returning(struct publish *publish, const struct registry *registry)
{
	const struct flows_table *flows = keep_flows(publish->keep);
	struct hash_map *both[] = { &publish->purges, &publish->walk.purges };

	ARRAY_FOREACH (purges, both, ARRAY_LEN(both)) {
		if (!publish_purges_living(*purges, registry))
			continue;
		for (uint64_t i = 0; i < (uint64_t)flows->n_flow4 + flows->n_flow6; i++)
			publish_purge_bucket(publish, *purges, i);
		hash_map_clear(*purges);
	}
}

/* Settling. */

static void publish_note_record(const struct publish *publish, const struct snapshot *snapshot,
	const struct flows_entry *entry)
{
	const struct publish_service *service = publish_service_find(publish, entry->service);
	const struct fwd_service *forward = snapshot_service(snapshot, entry->service);
	struct fwd_addr client;
	uint8_t *bits;
	uint32_t row;

	/* Where every flow is recorded no row is asked about it. */
	if (!service || !forward || !service->table->disagrees ||
		(forward->flags & FWD_SERVICE_RECORD_TCP) || !flows_is_tcp(entry->state))
		return;
	bits = service->table->disagrees;
	snapshot_addr(&entry->client, &client);
	row = hash_row(snapshot_settings(snapshot), &client,
		forward->flags & FWD_SERVICE_HASH_SOURCE ? 0 : htobe16(entry->client_port));
	if (keep_rows_table(service->table->rows)->rows[row].owner != entry->backend)
		bits[row / 8] |= (uint8_t)(1u << row % 8);
}

static void publish_settle_end(const struct publish *publish)
{
	for (size_t i = 0; i < publish->n_services; i++)
		free(TAKE_PTR(publish->services[i].table->disagrees));
}

/* One bit map for each moving table. */
static bool publish_settle_begin(const struct publish *publish)
{
	publish_settle_end(publish);
	for (size_t i = 0; i < publish->n_services; i++) {
		struct publish_table *table = publish->services[i].table;

		if (table->moving == 0 || table->disagrees)
			continue;
		table->disagrees = calloc((FWD_ROWS + 7) / 8, 1);
		if (!table->disagrees) {
			publish_settle_end(publish);
			return false;
		}
	}
	return true;
}

/* Settles some tables; false: there are no more. */
static bool publish_settle_some(struct publish *publish, uint32_t now_s)
{
	size_t n_settled = 0;

	for (; publish->walk.service < publish->n_services; publish->walk.service++) {
		struct publish_table *table = publish->services[publish->walk.service].table;

		if (!table->disagrees)
			continue;
		if (n_settled++ == PUBLISH_STEP_TABLES)
			return true;
		table->moving = table_settle(keep_rows_table(table->rows), table->disagrees,
			table->tcp_timeout_s, now_s);
		free(TAKE_PTR(table->disagrees));
	}
	return false;
}

/* The walk. */

struct publish_visit {
	struct publish *publish;
	const struct snapshot *snapshot;
	uint32_t now_s;
};

static const struct fwd_service *publish_visit_service(uint16_t service, void *context)
{
	const struct publish_visit *visit = context;

	return snapshot_service(visit->snapshot, service);
}

static bool publish_visit_flow(const struct flows_entry *entry, void *context)
{
	const struct publish_visit *visit = context;
	const struct publish_walk *walk = &visit->publish->walk;

	if (walk->hold)
		publish_hold_client(visit->snapshot, entry, visit->now_s);
	if (walk->count)
		publish_count_flow(visit->publish, entry);
	if (walk->settle)
		publish_note_record(visit->publish, visit->snapshot, entry);
	return true;
}

static void publish_walk_begin(struct publish *publish, bool hold, bool count, bool settle)
{
	struct publish_walk *walk = &publish->walk;

	*walk = (struct publish_walk){
		.runs = true,
		.hold = hold,
		.count = count,
		.settle = settle && publish_settle_begin(publish),
		.n_builds = publish->n_builds,
		.purges = publish->purges,
	};
	publish->purges = (struct hash_map){ 0 };
	if (count)
		publish_count_begin(publish);
}

/* False: behind the last bucket. */
static bool publish_walk_some(
	struct publish *publish, const struct snapshot *snapshot, uint32_t now_s)
{
	const struct flows_table *flows = keep_flows(publish->keep);
	struct publish_walk *walk = &publish->walk;
	struct publish_visit visit = { publish, snapshot, now_s };
	bool looks = snapshot && (walk->hold || walk->count || walk->settle), more = true;

	for (unsigned int i = 0; more && i < PUBLISH_STEP_BUCKETS; i++) {
		if (walk->purges.n_used > 0)
			publish_purge_bucket(publish, &walk->purges, walk->bucket);
		if (looks)
			more = flows_each_in(flows, &walk->bucket, publish_visit_service, &visit,
				now_s, publish_visit_flow, &visit);
		else
			more = ++walk->bucket < (uint64_t)flows->n_flow4 + flows->n_flow6;
	}
	return more;
}

bool publish_step(struct publish *publish, const struct snapshot *current, uint64_t now_us)
{
	struct publish_walk *walk = &publish->walk;
	uint32_t now_s = (uint32_t)(now_us / US_PER_S);

	if (!walk->runs && publish->purges.n_used == 0)
		return false;
	if (!walk->runs)
		publish_walk_begin(publish, false, false, false);
	/* Other tables and backends: what was counted is worth nothing, what is void stays so. */
	if (walk->n_builds != publish->n_builds) {
		walk->count = walk->settle = false;
		publish_settle_end(publish);
	}
	if (publish_walk_some(publish, current, now_s))
		return true;
	hash_map_clear(&walk->purges);
	if (walk->count)
		publish_count_end(publish);
	walk->count = walk->hold = false;
	if (walk->settle && publish_settle_some(publish, now_s))
		return true;
	walk->runs = false;
	return publish->purges.n_used > 0;
}

/* Whether a family's table has become crowded, or is no more; what is near then moves. */
static bool publish_crowd(
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
static bool publish_measure(struct publish *publish, const struct snapshot *current, uint32_t now_s)
{
	struct publish_visit visit = { publish, current, now_s };
	uint64_t n_live4, n_live6;
	bool changed;

	flows_estimate(
		snapshot_flows(current), publish_visit_service, &visit, now_s, &n_live4, &n_live6);
	changed = publish_crowd(current, n_live4, false, now_s, &publish->crowded4);
	changed |= publish_crowd(current, n_live6, true, now_s, &publish->crowded6);
	return changed;
}

bool publish_tick(struct publish *publish, const struct snapshot *current, uint64_t now_us)
{
	bool moving = false, settle, hold, count, changed;
	size_t n_carried = 0;

	for (size_t i = 0; i < publish->n_services; i++) {
		/* What is left is for the next time: it can wait. */
		if (n_carried < PUBLISH_CARRY_TABLES)
			n_carried += publish_carry(publish->services[i].table);
		moving |= publish->services[i].table->moving > 0;
	}
	settle = moving && !publish->follow && now_us - publish->settled_us >= PUBLISH_SETTLE_US;
	hold = current && publish_hold_wanted(publish, current);
	count = current && publish_count_wanted(publish);
	if (!publish->walk.runs && (settle || hold || count)) {
		publish_walk_begin(publish, hold, count, settle);
		publish->settled_us = settle ? now_us : publish->settled_us;
	}
	changed = current && publish_measure(publish, current, (uint32_t)(now_us / US_PER_S));
	return changed || (publish->follow && publish_is_quiet(publish, now_us));
}
