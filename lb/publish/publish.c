/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Publication: see publish.h.
 *
 * A table is shared by all services that have the same members, the same living backends and the
 * same history (they replaced the same table), so bases stay right for each of them. Two
 * settled tables with the same members are equal, whatever their history: services meet again
 * there. Tables are counted: by the services that use them, by the snapshots that hold them,
 * and by the successor that still waits for their last times.
 */
#include "lb/publish/publish.h"

#include "lb/publish/publish_internal.h"

struct publish_table *publish_table_unref(struct publish_table *table)
{
	if (!table || --table->refs > 0)
		return NULL;
	publish_table_unref(table->parent);
	keep_rows_unref(table->rows);
	free(table->members);
	free(table->alive);
	free(table->shares);
	free(table->disagrees);
	free(table);
	return NULL;
}
struct publish_table *publish_table_ref(struct publish_table *table)
{
	table->refs++;
	return table;
}

struct publish *publish_new(struct keep *keep, const char *cluster_seed, bool fresh)
{
	struct publish *publish = calloc(1, sizeof(*publish));

	if (!publish)
		return NULL;
	publish->loads = scheduler_loads_new(keep_loads(keep));
	if (!publish->loads)
		return publish_free(publish);
	publish->keep = keep;
	publish->follow = fresh;
	table_seed(cluster_seed, publish->seed);
	return publish;
}

static void publish_services_drop(struct publish_service *services, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		publish_table_unref(services[i].table);
		scheduler_unref(services[i].schedule);
	}
	free(services);
}

struct publish *publish_free(struct publish *publish)
{
	if (!publish)
		return NULL;
	publish_services_drop(publish->services, publish->n_services);
	scheduler_loads_free(publish->loads);
	hash_map_clear(&publish->purges);
	hash_map_clear(&publish->walk.purges);
	free(publish);
	return NULL;
}

static int publish_service_compare(const void *a, const void *b)
{
	const struct publish_service *left = a, *right = b;

	return (int)left->id - (int)right->id;
}

const struct publish_service *publish_service_find(const struct publish *publish, uint16_t service)
{
	struct publish_service key = { .id = service };

	if (publish->n_services == 0)
		return NULL;
	return bsearch(
		&key, publish->services, publish->n_services, sizeof(key), publish_service_compare);
}

/* The kept document. */

json_t *publish_export(const struct publish *publish)
{
	json_t *array = json_array();

	for (size_t i = 0; i < publish->n_services; i++)
		json_array_append_new(array,
			json_pack("{s:i, s:I, s:b}", "service", (int)publish->services[i].id,
				"rows", (json_int_t)keep_rows_id(publish->services[i].table->rows),
				"records", publish->services[i].records));
	return array;
}

static struct publish_table *publish_find_rows(const struct publish *publish, uint64_t rows_id)
{
	for (size_t i = 0; i < publish->n_services; i++)
		if (keep_rows_id(publish->services[i].table->rows) == rows_id)
			return publish->services[i].table;
	return NULL;
}

static struct publish_table *publish_table_open(struct publish *publish, uint64_t rows_id)
{
	struct publish_table *table = publish_find_rows(publish, rows_id);

	if (table)
		return publish_table_ref(table);
	table = calloc(1, sizeof(*table));
	if (!table)
		return NULL;
	table->refs = 1;
	if (keep_rows_open(keep_rows_list(publish->keep), rows_id, &table->rows) < 0) {
		free(table);
		return NULL;
	}
	table->moving = table_moving(keep_rows_table(table->rows)->rows);
	return table;
}

void publish_import(struct publish *publish, const json_t *document)
{
	size_t idx, len = json_array_size(document);
	json_t *item;

	if (publish->n_services > 0 || len == 0)
		return;
	publish->services = calloc(len, sizeof(*publish->services));
	if (!publish->services)
		return;
	json_array_foreach (document, idx, item) {
		struct publish_table *table;
		json_int_t rows;
		int id, records = 0;

		if (json_unpack(item, "{s:i, s:I, s?b}", "service", &id, "rows", &rows, "records",
			    &records) < 0 ||
			id < 1 || id > (int)FWD_ID_MAX)
			continue;
		table = publish_table_open(publish, (uint64_t)rows);
		if (table)
			publish->services[publish->n_services++] = (struct publish_service){
				.id = (uint16_t)id, .table = table, .records = records
			};
	}
	qsort(publish->services, publish->n_services, sizeof(*publish->services),
		publish_service_compare);
}

/* Tables. */

static bool publish_members_equal(
	const struct publish_want *want, const struct publish_table *table)
{
	if (want->n_members != table->n_members)
		return false;
	for (size_t i = 0; i < want->n_members; i++) {
		const struct table_member *a = &want->members[i], *b = &table->members[i];

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
static bool publish_membership_equal(
	const struct publish_table *left, const struct publish_table *right)
{
	if (!left->known || left->n_members != right->n_members ||
		!publish_alive_equal(left->alive, left->n_alive, right->alive, right->n_alive))
		return false;
	for (size_t i = 0; i < left->n_members; i++)
		if (left->members[i].id != right->members[i].id)
			return false;
	return true;
}

static bool publish_table_fits(const struct publish_want *want, const struct publish_table *table)
{
	return table->known && want->fingerprint == table->fingerprint &&
		want->tcp_timeout_s == table->tcp_timeout_s &&
		publish_alive_equal(want->alive, want->n_alive, table->alive, table->n_alive) &&
		publish_members_equal(want, table);
}

static void publish_alive_ids(const uint16_t *alive, size_t n_alive, struct table_ids *ret_ids)
{
	memset(ret_ids, 0, sizeof(*ret_ids));
	for (size_t i = 0; i < n_alive; i++)
		table_ids_add(ret_ids, alive[i]);
}

/* All of it but its rows, which publish_fill() makes. */
static int publish_table_new(
	struct publish *publish, struct publish_want *want, struct publish_table **ret_table)
{
	_cleanup_(publish_table_unrefp) struct publish_table *table = calloc(1, sizeof(*table));
	int r;

	if (!table)
		return -ENOMEM;
	table->refs = 1;
	table->fingerprint = want->fingerprint;
	table->known = true;
	table->members = TAKE_PTR(want->members);
	table->n_members = want->n_members;
	table->alive = TAKE_PTR(want->alive);
	table->n_alive = want->n_alive;
	table->tcp_timeout_s = want->tcp_timeout_s;
	r = keep_rows_new(keep_rows_list(publish->keep), &table->rows);
	if (r < 0)
		return r;
	if (want->parent)
		table->parent = publish_table_ref(want->parent);
	table->stirred = want->stir;
	/* Until it is known better: so nobody takes it for settled. */
	table->moving = FWD_ROWS;
	*ret_table = TAKE_PTR(table);
	return 0;
}

/* The tables of one build, each once, found by what their wants looked like. */
struct publish_built {
	struct publish_table **tables;
	uint32_t *next; /* position + 1 of another table with the same fingerprint */
	size_t len;
	struct publish_table **fresh; /* without rows yet */
	size_t n_fresh;
	struct hash_map by_fingerprint; /* position */
};

static void publish_built_clear(struct publish_built *built)
{
	free(built->tables);
	free(built->fresh);
	free(built->next);
	hash_map_clear(&built->by_fingerprint);
}

static int publish_built_add(struct publish_built *built, struct publish_table *table)
{
	uint64_t key[2] = { table->fingerprint, 0 };
	uint32_t other = 0;
	bool found = hash_map_get(&built->by_fingerprint, key, &other);

	built->tables[built->len] = table;
	built->next[built->len] = found ? other + 1 : 0;
	return hash_map_put(&built->by_fingerprint, key, (uint32_t)built->len++);
}

/*
 * The table for one service: the one it has, where that still fits; one that another service of
 * this build has and that means the same for this one; else a new one. Gives a reference.
 */
static int publish_table_get(struct publish *publish, struct publish_want *want,
	struct publish_built *built, struct publish_table **ret_table)
{
	bool keeps = want->parent && !want->stir && publish_table_fits(want, want->parent);
	uint64_t key[2] = { want->fingerprint, 0 };
	struct publish_table *table;
	uint32_t first = 0;
	int r;

	if (!hash_map_get(&built->by_fingerprint, key, &first))
		first = UINT32_MAX;
	for (size_t at = (size_t)first; at < built->len; at = (size_t)built->next[at] - 1) {
		bool same_history, settled;

		table = built->tables[at];
		same_history = keeps ? table == want->parent : table->parent == want->parent;
		settled = table->moving == 0 && (!want->parent || want->parent->moving == 0);
		if (table->stirred == want->stir && (same_history || (keeps && settled)) &&
			publish_table_fits(want, table)) {
			*ret_table = publish_table_ref(table);
			return 0;
		}
	}
	if (keeps) {
		table = publish_table_ref(want->parent);
	} else {
		r = publish_table_new(publish, want, &table);
		if (r < 0)
			return r;
		built->fresh[built->n_fresh++] = table;
	}
	r = publish_built_add(built, table);
	if (r < 0) {
		publish_table_unref(table);
		return r;
	}
	*ret_table = table;
	return 0;
}

/* Everything of one service of this build. */
static int publish_service_build(struct publish *publish, const struct service *service,
	const struct registry *registry, struct publish_want *want, struct publish_built *built,
	struct publish_service *ret_service)
{
	const struct publish_service *old = publish_service_find(publish, service->id);
	int r;

	ret_service->id = service->id;
	ret_service->records = publish_records(service->virtual_server);
	want->parent = old ? old->table : NULL;
	want->stir = old && old->records && !ret_service->records;
	r = publish_table_get(publish, want, built, &ret_service->table);
	if (r < 0)
		return r;
	return publish_schedule_make(publish, registry, old, service->virtual_server, ret_service);
}

static int publish_services_build(struct publish *publish, const struct service_list *services,
	const struct registry *registry, uint32_t now_s, struct publish_service **ret_services)
{
	_cleanup_(publish_built_clear) struct publish_built built = {
		.tables = calloc(services->len + 1, sizeof(struct publish_table *)),
		.fresh = calloc(services->len + 1, sizeof(struct publish_table *)),
		.next = calloc(services->len + 1, sizeof(*built.next)),
	};
	struct publish_service *made = calloc(services->len + 1, sizeof(*made));
	struct publish_want *wants = NULL;
	int r = made && built.tables && built.fresh && built.next ? 0 : -ENOMEM;

	if (r >= 0)
		r = publish_wants_new(registry, services, &wants);
	for (size_t i = 0; r >= 0 && i < services->len; i++)
		r = publish_service_build(
			publish, &services->items[i], registry, &wants[i], &built, &made[i]);
	if (r >= 0)
		r = publish_fill(publish, built.fresh, built.n_fresh, now_s);
	publish_wants_free(wants, services->len);
	if (r < 0) {
		if (made)
			publish_services_drop(made, services->len);
		return r;
	}
	*ret_services = made;
	return 0;
}

/* Remembers which records are void now: of backends that may hold flows of a service no more. */
static void publish_note_purges(struct publish *publish, const struct publish_table *old_table,
	const struct publish_service *built)
{
	struct table_ids alive;

	if (old_table == built->table || old_table->n_alive == 0)
		return;
	publish_alive_ids(built->table->alive, built->table->n_alive, &alive);
	for (size_t i = 0; i < old_table->n_alive; i++)
		/* Without memory the record stays until its timeout; the core ignores it meanwhile. */
		if (!table_ids_have(&alive, old_table->alive[i]))
			publish_purge_note(publish, built->id, old_table->alive[i]);
}

static void publish_take(
	struct publish *publish, struct publish_service *built, size_t n_built, uint64_t now_us)
{
	for (size_t i = 0; i < n_built; i++) {
		const struct publish_service *old = publish_service_find(publish, built[i].id);

		if (old)
			publish_note_purges(publish, old->table, &built[i]);
		if (!old || !publish_membership_equal(old->table, built[i].table))
			publish->changed_us = now_us;
	}
	publish_services_drop(publish->services, publish->n_services);
	publish->services = built;
	publish->n_services = n_built;
	publish->n_builds++;
	qsort(built, n_built, sizeof(*built), publish_service_compare);
}

bool publish_is_quiet(const struct publish *publish, uint64_t now_us)
{
	return publish->follow && publish->changed_us > 0 &&
		now_us - publish->changed_us > PUBLISH_QUIET_US;
}

int publish_build(struct publish *publish, const struct service_list *services,
	const struct registry *registry, const struct publish_links *links, uint64_t now_us,
	struct snapshot **ret_snapshot)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = NULL;
	struct publish_service *built = NULL;
	int r;

	publish_purge_returning(publish, registry);
	if (publish_is_quiet(publish, now_us))
		publish->follow = false;
	r = publish_services_build(
		publish, services, registry, (uint32_t)(now_us / US_PER_S), &built);
	if (r < 0)
		return r;
	r = publish_snapshot_make(publish, services, registry, built, links, &snapshot);
	if (r < 0) {
		publish_services_drop(built, services->len);
		return r;
	}
	publish_take(publish, built, services->len, now_us);
	*ret_snapshot = TAKE_PTR(snapshot);
	return 0;
}

const char *publish_digest(const struct publish *publish, uint16_t service)
{
	const struct publish_service *found = publish_service_find(publish, service);
	struct publish_table *table = found ? found->table : NULL;

	if (!table)
		return "";
	/* Made when somebody asks: not while clients wait for the table. */
	if (table->digest[0] == '\0' && table->known)
		(void)table_digest(table->members, table->n_members,
			keep_rows_table(table->rows)->rows, table->digest);
	return table->digest;
}

size_t publish_moving(const struct publish *publish, uint16_t service)
{
	const struct publish_service *found = publish_service_find(publish, service);

	return found ? found->table->moving : 0;
}

/* Owners do not change while a table lives, so rows are counted once. */
static int publish_table_share_out(struct publish_table *table)
{
	_cleanup_free_ uint32_t *n_owned = calloc(FWD_ID_MAX + 1, sizeof(*n_owned));
	size_t len = 0;

	if (!n_owned)
		return -ENOMEM;
	table_count(keep_rows_table(table->rows)->rows, n_owned);
	for (size_t id = 1; id <= FWD_ID_MAX; id++)
		len += n_owned[id] > 0;
	table->shares = calloc(len + 1, sizeof(*table->shares));
	if (!table->shares)
		return -ENOMEM;
	for (size_t id = 1; id <= FWD_ID_MAX; id++)
		if (n_owned[id] > 0)
			table->shares[table->n_shares++] =
				(struct publish_share){ n_owned[id], (uint16_t)id };
	return 0;
}

static int publish_share_compare(const void *a, const void *b)
{
	const struct publish_share *left = a, *right = b;

	return (int)left->id - (int)right->id;
}

size_t publish_owned(const struct publish *publish, uint16_t service, uint16_t backend)
{
	const struct publish_service *found = publish_service_find(publish, service);
	const struct publish_share key = { .id = backend }, *share = NULL;

	if (!found || (!found->table->shares && publish_table_share_out(found->table) < 0))
		return 0;
	if (found->table->n_shares > 0)
		share = bsearch(&key, found->table->shares, found->table->n_shares, sizeof(key),
			publish_share_compare);
	return share ? share->n_rows : 0;
}
