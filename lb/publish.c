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
#include "lb/publish.h"

#include "lb/publish_internal.h"

/* What a service's table must be like. */
struct publish_want {
	struct table_member *members;
	size_t n_members;
	uint16_t *alive;
	size_t n_alive;
	uint32_t tcp_timeout_s;
	struct publish_table *parent;
	bool stir; /* the service has records that its rows know nothing of */
};

struct publish_table *publish_table_unref(struct publish_table *table)
{
	if (!table || --table->refs > 0)
		return NULL;
	publish_table_unref(table->parent);
	keep_rows_unref(table->rows);
	free(table->members);
	free(table->alive);
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
	publish->loads = schedule_loads_new(keep_loads(keep));
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
		schedule_unref(services[i].schedule);
	}
	free(services);
}

struct publish *publish_free(struct publish *publish)
{
	if (!publish)
		return NULL;
	publish_services_drop(publish->services, publish->n_services);
	schedule_loads_free(publish->loads);
	free(publish->purges);
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

bool publish_names_rows(uint64_t id, void *publish)
{
	return publish_find_rows(publish, id) != NULL;
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
	if (keep_rows_open(publish->keep, rows_id, &table->rows) < 0) {
		free(table);
		return NULL;
	}
	table->moving = table_moving(keep_rows_memory(table->rows));
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

/* What each service wants. */

static void publish_want_clear(struct publish_want *want)
{
	free(want->members);
	free(want->alive);
	*want = (struct publish_want){ 0 };
}

static int publish_id_compare(const void *a, const void *b)
{
	return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

static int publish_member_compare(const void *a, const void *b)
{
	const struct table_member *left = a, *right = b;

	return addr_compare(&left->address, &right->address);
}

static uint32_t publish_member_percent(const struct registry *registry,
	const struct registry_service *service, const struct table_member *member)
{
	return registry_ramp_percent(registry, registry_backend(registry, member->id), service);
}

/*
 * Slow start. While one member ramps, the weights of all are in percent, so that also a weight of 1
 * has its 20 %; that alone moves no row, because only ratios count. Else they are as
 * configured, and the digest is the one that it was before.
 */
static void publish_want_ramp(const struct registry *registry,
	const struct registry_service *service, struct publish_want *want)
{
	bool ramps = false;

	for (size_t i = 0; i < want->n_members; i++)
		ramps |= publish_member_percent(registry, service, &want->members[i]) < 100;
	for (size_t i = 0; ramps && i < want->n_members; i++)
		want->members[i].weight *=
			publish_member_percent(registry, service, &want->members[i]);
}

static int publish_want_make(const struct registry *registry, const struct service_list *services,
	size_t idx, struct publish_want *ret_want)
{
	const struct service *service = &services->items[idx];
	size_t len = registry_len(registry);
	uint64_t tcp_timeout_s = service->virtual_server->tcp_timeout_us / US_PER_S;
	struct publish_want want = {
		.members = calloc(len + 1, sizeof(*want.members)),
		.alive = calloc(len + 1, sizeof(*want.alive)),
	};

	want.tcp_timeout_s = (uint32_t)MAX(tcp_timeout_s, UINT64_C(1));
	if (!want.members || !want.alive) {
		publish_want_clear(&want);
		return -ENOMEM;
	}
	for (size_t i = 0; i < len; i++) {
		const struct backend *backend = registry_backend_at(registry, i);

		if (!registry_serves(registry, backend, &services->registry[idx]))
			continue;
		if (backend->takes_flows)
			want.alive[want.n_alive++] = backend->id;
		if (backend->effective_weight > 0)
			want.members[want.n_members++] = (struct table_member){ backend->address,
				backend->id, backend->effective_weight };
	}
	publish_want_ramp(registry, &services->registry[idx], &want);
	qsort(want.members, want.n_members, sizeof(*want.members), publish_member_compare);
	qsort(want.alive, want.n_alive, sizeof(*want.alive), publish_id_compare);
	*ret_want = want;
	return 0;
}

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

/* The same backends, whatever their weights: a ramp is no unrest. */
static bool publish_membership_equal(
	const struct publish_table *left, const struct publish_table *right)
{
	if (!left->known || left->n_members != right->n_members ||
		left->n_alive != right->n_alive ||
		memcmp(left->alive, right->alive, left->n_alive * sizeof(*left->alive)) != 0)
		return false;
	for (size_t i = 0; i < left->n_members; i++)
		if (left->members[i].id != right->members[i].id)
			return false;
	return true;
}

static bool publish_table_fits(const struct publish_want *want, const struct publish_table *table)
{
	return table->known && want->tcp_timeout_s == table->tcp_timeout_s &&
		want->n_alive == table->n_alive &&
		memcmp(want->alive, table->alive, want->n_alive * sizeof(*want->alive)) == 0 &&
		publish_members_equal(want, table);
}

static bool publish_is_alive(uint16_t backend, void *context)
{
	const struct publish_table *table = context;

	return table->n_alive > 0 &&
		bsearch(&backend, table->alive, table->n_alive, sizeof(*table->alive),
			publish_id_compare) != NULL;
}

static int publish_table_new(struct publish *publish, struct publish_want *want, uint32_t now_s,
	struct publish_table **ret_table)
{
	_cleanup_(publish_table_unrefp) struct publish_table *table = calloc(1, sizeof(*table));
	const struct fwd_slot *old_rows = NULL;
	struct fwd_slot *rows;
	int r;

	if (!table)
		return -ENOMEM;
	table->refs = 1;
	table->known = true;
	table->members = TAKE_PTR(want->members);
	table->n_members = want->n_members;
	table->alive = TAKE_PTR(want->alive);
	table->n_alive = want->n_alive;
	table->tcp_timeout_s = want->tcp_timeout_s;
	r = keep_rows_new(publish->keep, &table->rows);
	if (r < 0)
		return r;
	rows = keep_rows_memory(table->rows);
	r = table_fill(table->members, table->n_members, publish->seed, rows);
	if (r < 0)
		return r;
	if (want->parent) {
		table->parent = publish_table_ref(want->parent);
		old_rows = keep_rows_memory(want->parent->rows);
	}
	table->stirred = want->stir;
	table->moving =
		table_inherit(rows, old_rows, publish->follow, publish_is_alive, table, now_s);
	if (table->stirred)
		table->moving = table_stir(rows, now_s);
	table_digest(table->members, table->n_members, rows, table->digest);
	*ret_table = TAKE_PTR(table);
	return 0;
}

/*
 * The table for one service: the one it has, where that still fits; one that another service of
 * this build has and that means the same for this one; else a new one. Gives a reference.
 */
static int publish_table_get(struct publish *publish, struct publish_want *want,
	const struct publish_service *built, size_t n_built, uint32_t now_s,
	struct publish_table **ret_table)
{
	bool keeps = want->parent && !want->stir && publish_table_fits(want, want->parent);

	for (size_t i = n_built; i > 0; i--) {
		struct publish_table *table = built[i - 1].table;
		bool same_history = keeps ? table == want->parent : table->parent == want->parent;
		bool settled = table->moving == 0 && (!want->parent || want->parent->moving == 0);

		if ((i < n_built && table == built[i].table) || table->stirred != want->stir)
			continue;
		if ((same_history || (keeps && settled)) && publish_table_fits(want, table)) {
			*ret_table = publish_table_ref(table);
			return 0;
		}
	}
	if (keeps) {
		*ret_table = publish_table_ref(want->parent);
		return 0;
	}
	return publish_table_new(publish, want, now_s, ret_table);
}

static int publish_services_build(struct publish *publish, const struct service_list *services,
	const struct registry *registry, uint32_t now_s, struct publish_service **ret_built)
{
	struct publish_service *built = calloc(services->len + 1, sizeof(*built));
	int r = built ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < services->len; i++) {
		const struct publish_service *old =
			publish_service_find(publish, services->items[i].id);
		struct publish_want want;

		built[i].id = services->items[i].id;
		r = publish_want_make(registry, services, i, &want);
		if (r < 0)
			break;
		want.parent = old ? old->table : NULL;
		built[i].records = publish_records(services->items[i].virtual_server);
		want.stir = old && old->records && !built[i].records;
		r = publish_table_get(publish, &want, built, i, now_s, &built[i].table);
		publish_want_clear(&want);
		if (r == 0)
			r = publish_schedule_make(publish, registry, old,
				services->items[i].virtual_server, &built[i]);
	}
	if (r < 0 && built) {
		publish_services_drop(built, services->len);
		return r;
	}
	*ret_built = built;
	return r;
}

/* Remembers which records are void now: of backends that may hold flows of a service no more. */
static void publish_note_purges(struct publish *publish, const struct publish_table *old_table,
	const struct publish_service *built)
{
	if (old_table == built->table)
		return;
	for (size_t i = 0; i < old_table->n_alive; i++) {
		struct publish_purge *purges;

		if (publish_is_alive(old_table->alive[i], built->table))
			continue;
		purges = realloc(publish->purges, (publish->n_purges + 1) * sizeof(*purges));
		if (!purges)
			return; /* the record stays until its timeout; the core ignores it meanwhile */
		publish->purges = purges;
		purges[publish->n_purges++] =
			(struct publish_purge){ built->id, old_table->alive[i] };
	}
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

	/* A backend that comes back now must not lose the records of its new flows to its former end. */
	publish_purge(publish);
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

	return found ? found->table->digest : "";
}

size_t publish_moving(const struct publish *publish, uint16_t service)
{
	const struct publish_service *found = publish_service_find(publish, service);

	return found ? found->table->moving : 0;
}

size_t publish_owned(const struct publish *publish, uint16_t service, uint16_t backend)
{
	const struct publish_service *found = publish_service_find(publish, service);

	return found ? table_owned(keep_rows_memory(found->table->rows), backend) : 0;
}
