/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Publication: see publish.h.
 *
 * A pool is shared by all services that have the same members, the same living backends and the
 * same history (they replaced the same pool), so bases stay right for each of them. Two settled pools
 * with the same members are equal, whatever their history: services meet again there.
 *
 * A build makes everything aside, and publish_commit(), which cannot fail, puts it in force at the end.
 */
#include "lb/publish/publish.h"

#include "common/hash_map.h"
#include "lb/publish/fill.h"
#include "lb/publish/pool.h"
#include "lb/publish/schedule_make.h"
#include "lb/publish/settle.h"
#include "lb/publish/snapshot_make.h"
#include "lb/publish/want.h"

struct publish {
	struct pools pools;
	struct settle settle;
	uint64_t changed_us; /* when membership last changed */
};

struct publish *publish_new(const struct publish_config *config)
{
	struct publish *publish = calloc(1, sizeof(*publish));

	if (!publish)
		return NULL;
	publish->pools.keep = config->keep;
	publish->pools.follow = config->fresh;
	table_seed(config->cluster_seed, publish->pools.seed);
	publish->settle.pools = &publish->pools;
	publish->settle.walk = config->walk;
	publish->settle.current = config->current;
	publish->settle.context = config->context;
	settle_start(&publish->settle);
	publish->pools.loads = scheduler_loads_new(keep_loads(config->keep));
	return publish->pools.loads ? publish : publish_free(publish);
}

struct publish *publish_free(struct publish *publish)
{
	if (!publish)
		return NULL;
	settle_stop(&publish->settle);
	pool_services_free(publish->pools.services, publish->pools.n_services);
	scheduler_loads_free(publish->pools.loads);
	free(publish);
	return NULL;
}

/* ---- the kept document ---- */

json_t *publish_export(const struct publish *publish)
{
	const struct pools *pools = &publish->pools;
	json_t *array = json_array();

	for (size_t i = 0; i < pools->n_services; i++)
		json_array_append_new(array,
			json_pack("{s:i, s:I, s:b}", "service", (int)pools->services[i].id, "rows",
				(json_int_t)keep_rows_id(pools->services[i].pool->rows), "records",
				pools->services[i].records));
	return array;
}

/* One that an earlier entry of the document has, or a new one; NULL: rows that cannot be used. */
static struct pool *publish_import_pool(
	const struct pools *pools, struct hash_map *by_rows, uint64_t rows_id)
{
	const uint64_t key[2] = { rows_id, 0 };
	struct pool *pool;
	uint32_t at;

	if (hash_map_get(by_rows, key, &at))
		return pool_ref(pools->services[at].pool);
	pool = pool_new();
	if (!pool)
		return NULL;
	if (keep_rows_open(keep_rows_list(pools->keep), rows_id, &pool->rows) < 0 ||
		hash_map_put(by_rows, key, (uint32_t)pools->n_services) < 0)
		return pool_unref(pool);
	pool->moving = table_moving(keep_rows_table(pool->rows)->rows);
	return pool;
}

void publish_import(struct publish *publish, const json_t *document)
{
	struct pools *pools = &publish->pools;
	struct hash_map by_rows = { 0 };
	/* Of a build that recorded every UDP flow: its settled rows say nothing of these. */
	bool all_recorded = flow_seen_is_new(keep_flows(pools->keep));
	size_t idx, len = json_array_size(document);
	json_t *item;

	if (pools->n_services > 0 || len == 0)
		return;
	pools->services = calloc(len, sizeof(*pools->services));
	if (!pools->services)
		return;
	json_array_foreach (document, idx, item) {
		struct pool *pool;
		json_int_t rows;
		int id, records = 0;

		if (json_unpack(item, "{s:i, s:I, s?b}", "service", &id, "rows", &rows, "records",
			    &records) < 0 ||
			id < 1 || id > (int)FWD_ID_MAX)
			continue;
		pool = publish_import_pool(pools, &by_rows, (uint64_t)rows);
		if (pool)
			pools->services[pools->n_services++] = (struct pool_service){
				.id = (uint16_t)id,
				.pool = pool,
				.records = records || all_recorded,
			};
	}
	pool_services_sort(pools->services, pools->n_services);
	hash_map_clear(&by_rows);
}

/* ---- pools ---- */

static bool publish_members_equal(const struct want *want, const struct pool *pool)
{
	if (want->n_members != pool->n_members)
		return false;
	for (size_t i = 0; i < want->n_members; i++) {
		const struct table_member *a = &want->members[i], *b = &pool->members[i];

		if (a->id != b->id || a->weight != b->weight ||
			!addr_equal(&a->address, &b->address))
			return false;
	}
	return true;
}

/* Of none there is no array to compare. */
static bool publish_alive_equal(const uint16_t *a, size_t n_a, const uint16_t *b, size_t n_b)
{
	return n_a == n_b && (n_a == 0 || memcmp(a, b, n_a * sizeof(*a)) == 0);
}

/* The same backends, whatever their weights: a ramp is no unrest. */
static bool publish_membership_equal(const struct pool *left, const struct pool *right)
{
	if (!left->known || left->n_members != right->n_members ||
		!publish_alive_equal(left->alive, left->n_alive, right->alive, right->n_alive))
		return false;
	for (size_t i = 0; i < left->n_members; i++)
		if (left->members[i].id != right->members[i].id)
			return false;
	return true;
}

static bool publish_pool_fits(const struct want *want, const struct pool *pool)
{
	return pool->known && want->fingerprint == pool->fingerprint &&
		want->timeout_s == pool->timeout_s &&
		publish_alive_equal(want->alive, want->n_alive, pool->alive, pool->n_alive) &&
		publish_members_equal(want, pool);
}

/* All of it but its rows, which fill_pools() makes. */
static int publish_pool_new(struct keep *keep, struct want *want, struct pool **ret_pool)
{
	_cleanup_(pool_unrefp) struct pool *pool = pool_new();
	int r;

	if (!pool)
		return -ENOMEM;
	pool->fingerprint = want->fingerprint;
	pool->known = true;
	pool->members = TAKE_PTR(want->members);
	pool->n_members = want->n_members;
	pool->alive = TAKE_PTR(want->alive);
	pool->n_alive = want->n_alive;
	pool->timeout_s = want->timeout_s;
	r = keep_rows_new(keep_rows_list(keep), &pool->rows);
	if (r < 0)
		return r;
	if (want->parent)
		pool->parent = pool_ref(want->parent);
	pool->stirred = want->stir;
	/* Until it is known better: so nobody takes it for settled. */
	pool->moving = FWD_ROWS;
	*ret_pool = TAKE_PTR(pool);
	return 0;
}

/* One build: what it is made of, and what it makes before anything is in force. */
struct publish_build {
	const struct publish *publish;
	const struct service_list *services;
	const struct registry *registry;
	uint32_t now_s;
	bool follow;
	struct pool_service *made; /* one for each of the services, in their order */
	struct schedule_changes changes;
	size_t n_purges; /* at most */

	struct pool **pools; /* each once */
	bool *is_fresh;      /* made by this build, of each */
	uint32_t *next;      /* position + 1 of another pool with the same fingerprint */
	size_t n_pools;
	struct pool **fresh; /* without rows yet */
	size_t n_fresh;
	struct hash_map by_fingerprint; /* position */
};

static void publish_build_clear(struct publish_build *build)
{
	schedule_undo(&build->changes);
	schedule_changes_clear(&build->changes);
	pool_services_free(build->made, build->services->len);
	free(build->pools);
	free(build->is_fresh);
	free(build->fresh);
	free(build->next);
	hash_map_clear(&build->by_fingerprint);
}

static int publish_build_note(struct publish_build *build, struct pool *pool, bool is_fresh)
{
	uint64_t key[2] = { pool->fingerprint, 0 };
	uint32_t other = 0;
	bool found = hash_map_get(&build->by_fingerprint, key, &other);

	build->pools[build->n_pools] = pool;
	build->is_fresh[build->n_pools] = is_fresh;
	build->next[build->n_pools] = found ? other + 1 : 0;
	return hash_map_put(&build->by_fingerprint, key, (uint32_t)build->n_pools++);
}

/* One of this build that means the same for this service; NULL: there is none. */
static struct pool *publish_build_find(
	const struct publish_build *build, const struct want *want, bool keeps)
{
	uint64_t key[2] = { want->fingerprint, 0 };
	uint32_t first = 0;

	if (!hash_map_get(&build->by_fingerprint, key, &first))
		return NULL;
	for (size_t at = first; at < build->n_pools; at = (size_t)build->next[at] - 1) {
		struct pool *pool = build->pools[at];
		/* One that was made before has had time to settle what moves for this service only now. */
		bool same_history = keeps ? pool == want->parent
					  : build->is_fresh[at] && pool->parent == want->parent;
		bool settled = pool->moving == 0 && (!want->parent || want->parent->moving == 0);

		if (pool->stirred == want->stir && (same_history || (keeps && settled)) &&
			publish_pool_fits(want, pool))
			return pool;
	}
	return NULL;
}

/*
 * The pool for one service: the one it has, where that still fits; one that another service of this build
 * has and that means the same for this one; else a new one. Gives a reference.
 */
static int publish_build_pool(
	struct publish_build *build, struct want *want, struct pool **ret_pool)
{
	bool keeps = want->parent && !want->stir && publish_pool_fits(want, want->parent);
	struct pool *pool = publish_build_find(build, want, keeps);
	int r = 0;

	if (pool) {
		*ret_pool = pool_ref(pool);
		return 0;
	}
	if (keeps)
		pool = pool_ref(want->parent);
	else
		r = publish_pool_new(build->publish->pools.keep, want, &pool);
	if (r < 0)
		return r;
	if (!keeps)
		build->fresh[build->n_fresh++] = pool;
	r = publish_build_note(build, pool, !keeps);
	if (r < 0) {
		pool_unref(pool);
		return r;
	}
	*ret_pool = pool;
	return 0;
}

static int publish_build_service(struct publish_build *build, size_t at, struct want *want)
{
	const struct pools *pools = &build->publish->pools;
	const struct service *service = &build->services->items[at];
	const struct pool_service *old = pool_service_find(pools, service->id);
	struct pool_service *made = &build->made[at];
	int r;

	made->id = service->id;
	made->records = want_records_flows(service->virtual_server);
	want->parent = old ? old->pool : NULL;
	want->stir = old && old->records && !made->records;
	r = publish_build_pool(build, want, &made->pool);
	if (r < 0)
		return r;
	if (old && old->pool != made->pool)
		build->n_purges += old->pool->n_alive;
	return schedule_make(pools->loads, old, service->virtual_server, made, &build->changes);
}

static int publish_build_services(struct publish_build *build)
{
	const struct fill_request request = { build->publish->pools.seed, build->follow,
		build->now_s };
	size_t len = build->services->len;
	struct want *wants = NULL;
	int r;

	build->made = calloc(len + 1, sizeof(*build->made));
	build->pools = calloc(len + 1, sizeof(struct pool *));
	build->is_fresh = calloc(len + 1, sizeof(*build->is_fresh));
	build->fresh = calloc(len + 1, sizeof(struct pool *));
	build->next = calloc(len + 1, sizeof(*build->next));
	if (!build->made || !build->pools || !build->is_fresh || !build->fresh || !build->next)
		return -ENOMEM;
	r = want_list_new(build->registry, build->services, &wants);
	for (size_t i = 0; r >= 0 && i < len; i++)
		r = publish_build_service(build, i, &wants[i]);
	if (r >= 0)
		r = fill_pools(&request, build->fresh, build->n_fresh);
	want_list_free(wants, len);
	return r;
}

/* ---- what was built comes in force: nothing here can fail ---- */

/* Remembers which records are void now: of backends that may hold flows of a service no more. */
static void publish_commit_purges(
	struct publish *publish, const struct pool *old_pool, const struct pool_service *made)
{
	struct table_ids alive;

	if (old_pool == made->pool || old_pool->n_alive == 0)
		return;
	pool_alive(made->pool, &alive);
	for (size_t i = 0; i < old_pool->n_alive; i++)
		if (!table_ids_have(&alive, old_pool->alive[i]))
			settle_purge(&publish->settle, made->id, old_pool->alive[i]);
}

static void publish_commit(struct publish *publish, struct publish_build *build, uint64_t now_us)
{
	struct pools *pools = &publish->pools;

	settle_purge_returning(&publish->settle, build->registry);
	for (size_t i = 0; i < build->services->len; i++) {
		const struct pool_service *made = &build->made[i];
		const struct pool_service *old = pool_service_find(pools, made->id);

		schedule_commit(
			build->registry, old, build->services->items[i].virtual_server, made);
		if (old)
			publish_commit_purges(publish, old->pool, made);
		if (!old || !publish_membership_equal(old->pool, made->pool))
			publish->changed_us = now_us;
	}
	build->changes.len = 0;
	pool_services_free(pools->services, pools->n_services);
	pools->services = TAKE_PTR(build->made);
	pools->n_services = build->services->len;
	pool_services_sort(pools->services, pools->n_services);
	pools->has_loads = schedule_count_wanted(pools);
	pools->follow = build->follow;
	pools->n_builds++;
	settle_wake(&publish->settle);
}

/* Membership has been quiet for long enough that bases need not follow owners any more. */
static bool publish_is_quiet(const struct publish *publish, uint64_t now_us)
{
	return publish->pools.follow && publish->changed_us > 0 &&
		now_us - publish->changed_us > PUBLISH_QUIET_US;
}

uint64_t publish_quiet_us(const struct publish *publish, uint64_t now_us)
{
	if (!publish->pools.follow || publish_is_quiet(publish, now_us))
		return UINT64_MAX;
	return publish->changed_us > 0 ? now_us - publish->changed_us : 0;
}

int publish_build(struct publish *publish, const struct publish_request *request, uint64_t now_us,
	struct snapshot **ret_snapshot)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = NULL;
	_cleanup_(publish_build_clear) struct publish_build build = {
		.publish = publish,
		.services = request->services,
		.registry = request->registry,
		.now_s = (uint32_t)(now_us / US_PER_S),
		.follow = publish->pools.follow && !publish_is_quiet(publish, now_us),
	};
	int r = publish_build_services(&build);

	if (r == 0)
		r = settle_reserve(&publish->settle, build.n_purges);
	if (r == 0)
		r = snapshot_make(
			&(struct snapshot_request){ &publish->pools, request->services,
				request->registry, build.made, request->links, build.follow },
			&snapshot);
	if (r < 0)
		return r;
	publish_commit(publish, &build, now_us);
	*ret_snapshot = TAKE_PTR(snapshot);
	return 0;
}

/* ---- housekeeping, and what others ask ---- */

bool publish_tick(struct publish *publish, uint64_t now_us)
{
	bool changed = settle_tick(&publish->settle, now_us);

	return changed || publish_is_quiet(publish, now_us);
}

bool publish_step(struct publish *publish, uint64_t now_us)
{
	return settle_step(&publish->settle, now_us);
}

void publish_report(
	struct publish *publish, const struct registry *registry, const struct backend *backend)
{
	schedule_report(&publish->pools, registry, backend);
}

const char *publish_digest(const struct publish *publish, uint16_t service)
{
	const struct pool_service *found = pool_service_find(&publish->pools, service);

	return found ? pool_digest(found->pool) : "";
}

bool publish_marks(const struct publish *publish, uint16_t service, uint32_t *ret_members,
	uint32_t *ret_weights)
{
	const struct pool_service *found = pool_service_find(&publish->pools, service);

	if (!found || found->scheduler || pool_digest(found->pool)[0] == '\0')
		return false;
	pool_marks(found->pool, ret_members, ret_weights);
	return true;
}

size_t publish_moving(const struct publish *publish, uint16_t service)
{
	const struct pool_service *found = pool_service_find(&publish->pools, service);

	return found ? found->pool->moving : 0;
}

size_t publish_owned(const struct publish *publish, uint16_t service, uint16_t backend)
{
	const struct pool_service *found = pool_service_find(&publish->pools, service);

	return found ? pool_owned(found->pool, backend) : 0;
}
