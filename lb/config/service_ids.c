/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ids of services: see service_ids.h. Numbers rise, so that a record of a service that has gone names
 * nobody else for long; only when all were given once, those of the longest gone are given again.
 */
#include "lb/config/service_ids.h"

#include "common/grow.h"
#include "common/hash_map.h"
#include "lb/fwd/hash.h"

struct service_id {
	char *virtual_server;
	struct addr vip;
	uint16_t id;
	bool in_force;
	bool is_void;      /* no record names it */
	uint64_t asked_in; /* the last configuration that wanted it */
	uint64_t gone_at;  /* which change took it out of force; 0: it never was */
};

struct service_ids {
	struct service_id *items;
	size_t len;
	uint16_t last;
	uint64_t n_asked, n_changes;
	uint32_t at[FWD_ID_MAX + 1]; /* by id: position + 1; 0: nobody has it */
	struct hash_map by_key;      /* position + 1; of one whose id was given again, another's */
	/* Positions that can be given again, the longest gone first; made when one is needed. */
	size_t *reusable;
	size_t n_reusable, next_reusable;
};

struct service_ids *service_ids_new(void)
{
	return calloc(1, sizeof(struct service_ids));
}

struct service_ids *service_ids_free(struct service_ids *ids)
{
	if (!ids)
		return NULL;
	for (size_t i = 0; i < ids->len; i++)
		free(ids->items[i].virtual_server);
	free(ids->items);
	free(ids->reusable);
	hash_map_clear(&ids->by_key);
	free(ids);
	return NULL;
}

/* Configuration alone chooses names, so the hash needs no secret. */
static void service_ids_key(const char *virtual_server, const struct addr *vip, uint64_t ret_key[2])
{
	for (uint64_t half = 0; half < 2; half++) {
		uint64_t hash = hash_word(half, vip->family);

		for (size_t i = 0; i < sizeof(vip->bytes); i++)
			hash = hash_word(hash, vip->bytes[i]);
		for (const char *at = virtual_server; *at; at++)
			hash = hash_word(hash, (uint8_t)*at);
		ret_key[half] = hash_finish(hash, half);
	}
}

static struct service_id *service_ids_find(
	const struct service_ids *ids, const char *virtual_server, const struct addr *vip)
{
	struct service_id *item;
	uint32_t at = 0;
	uint64_t key[2];

	service_ids_key(virtual_server, vip, key);
	if (!hash_map_get(&ids->by_key, key, &at))
		return NULL;
	item = &ids->items[at - 1];
	return streq(item->virtual_server, virtual_server) && addr_equal(&item->vip, vip) ? item
											  : NULL;
}

/* Keys of names whose ids were given again stay in the map: made anew, it has none of them. */
static int service_ids_put_key(struct service_ids *ids, size_t position)
{
	struct hash_map made = { 0 };
	uint64_t key[2];
	int r = 0;

	if (ids->by_key.n_used > 2 * ids->len + 1024) {
		for (size_t i = 0; r == 0 && i < ids->len; i++) {
			service_ids_key(ids->items[i].virtual_server, &ids->items[i].vip, key);
			r = hash_map_put(&made, key, (uint32_t)i + 1);
		}
		if (r < 0) {
			hash_map_clear(&made);
			return r;
		}
		hash_map_clear(&ids->by_key);
		ids->by_key = made;
		return 0;
	}
	service_ids_key(ids->items[position].virtual_server, &ids->items[position].vip, key);
	return hash_map_put(&ids->by_key, key, (uint32_t)position + 1);
}

static bool service_ids_is_reusable(const struct service_ids *ids, const struct service_id *item)
{
	return !item->in_force && item->is_void && item->asked_in != ids->n_asked;
}

static void service_ids_forget_reusable(struct service_ids *ids)
{
	free(TAKE_PTR(ids->reusable));
	ids->n_reusable = ids->next_reusable = 0;
}

static int service_ids_compare_gone(const void *a, const void *b, void *context)
{
	const struct service_id *items = context;
	const struct service_id *left = &items[*(const size_t *)a];
	const struct service_id *right = &items[*(const size_t *)b];

	if (left->gone_at != right->gone_at)
		return left->gone_at < right->gone_at ? -1 : 1;
	return left->id - right->id;
}

static int service_ids_find_reusable(struct service_ids *ids)
{
	service_ids_forget_reusable(ids);
	ids->reusable = calloc(ids->len + 1, sizeof(*ids->reusable));
	if (!ids->reusable)
		return -ENOMEM;
	for (size_t i = 0; i < ids->len; i++)
		if (service_ids_is_reusable(ids, &ids->items[i]))
			ids->reusable[ids->n_reusable++] = i;
	qsort_r(ids->reusable, ids->n_reusable, sizeof(*ids->reusable), service_ids_compare_gone,
		ids->items);
	return 0;
}

/* The position of the longest gone, whose name goes. */
static int service_ids_reuse(struct service_ids *ids, size_t *ret_position)
{
	int r = ids->reusable ? 0 : service_ids_find_reusable(ids);

	if (r < 0)
		return r;
	if (ids->next_reusable == ids->n_reusable)
		return -ENOSPC;
	*ret_position = ids->reusable[ids->next_reusable++];
	free(TAKE_PTR(ids->items[*ret_position].virtual_server));
	return 0;
}

/* A position for one more: with a number that nobody had, or with that of the longest gone. */
static int service_ids_take_position(struct service_ids *ids, size_t *ret_position)
{
	uint32_t candidate = ids->last;

	if (ids->len == FWD_ID_MAX)
		return service_ids_reuse(ids, ret_position);
	if (GROW(ids->items, ids->len) < 0)
		return -ENOMEM;
	do
		candidate = candidate % FWD_ID_MAX + 1;
	while (ids->at[candidate]);
	ids->last = (uint16_t)candidate;
	ids->items[ids->len] = (struct service_id){ .id = (uint16_t)candidate };
	*ret_position = ids->len++;
	ids->at[candidate] = (uint32_t)ids->len;
	return 0;
}

static int service_ids_add(struct service_ids *ids, const char *virtual_server,
	const struct addr *vip, struct service_id **ret_item)
{
	_cleanup_free_ char *name = strdup(virtual_server);
	size_t position;
	int r;

	if (!name)
		return -ENOMEM;
	r = service_ids_take_position(ids, &position);
	if (r < 0)
		return r;
	ids->items[position] = (struct service_id){
		.virtual_server = TAKE_PTR(name),
		.vip = *vip,
		.id = ids->items[position].id,
		.is_void = true,
	};
	/* Without its key it is there, and not found: the number is lost until it is given again. */
	*ret_item = &ids->items[position];
	return service_ids_put_key(ids, position);
}

void service_ids_begin(struct service_ids *ids)
{
	ids->n_asked++;
	service_ids_forget_reusable(ids);
}

int service_ids_get(struct service_ids *ids, const char *virtual_server, const struct addr *vip,
	uint16_t *ret_id)
{
	struct service_id *item = service_ids_find(ids, virtual_server, vip);
	int r = item ? 0 : service_ids_add(ids, virtual_server, vip, &item);

	if (r < 0)
		return r;
	item->asked_in = ids->n_asked;
	*ret_id = item->id;
	return 0;
}

void service_ids_set_in_force(struct service_ids *ids, const bool in_force[FWD_ID_MAX + 1])
{
	ids->n_changes++;
	for (size_t i = 0; i < ids->len; i++) {
		struct service_id *item = &ids->items[i];
		bool was = item->in_force;

		item->in_force = in_force[item->id];
		if (item->in_force)
			item->is_void = false;
		else if (was || (!item->is_void && item->gone_at == 0))
			item->gone_at = ids->n_changes;
	}
	service_ids_forget_reusable(ids);
}

void service_ids_list_gone(const struct service_ids *ids, bool ret_is_gone[FWD_ID_MAX + 1])
{
	for (size_t i = 0; i < ids->len; i++)
		if (!ids->items[i].in_force && !ids->items[i].is_void)
			ret_is_gone[ids->items[i].id] = true;
}

void service_ids_set_void(struct service_ids *ids, uint16_t id)
{
	struct service_id *item = ids->at[id] ? &ids->items[ids->at[id] - 1] : NULL;

	if (!item || item->in_force)
		return;
	item->is_void = true;
	service_ids_forget_reusable(ids);
}

void service_ids_each(const struct service_ids *ids,
	void (*fn)(const struct addr *vip, void *context), void *context)
{
	for (size_t i = 0; i < ids->len; i++)
		fn(&ids->items[i].vip, context);
}

json_t *service_ids_export(const struct service_ids *ids)
{
	json_t *array = json_array();
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < ids->len; i++) {
		const struct service_id *item = &ids->items[i];
		json_t *entry = json_pack("{s:s, s:s, s:i}", "virtual_server", item->virtual_server,
			"vip", addr_format(&item->vip, text), "id", (int)item->id);

		if (entry && !item->in_force)
			(void)json_object_update_new(entry,
				json_pack("{s:I, s:b}", "gone", (json_int_t)item->gone_at, "void",
					item->is_void));
		json_array_append_new(array, entry);
	}
	return array;
}

void service_ids_import(struct service_ids *ids, const json_t *document)
{
	size_t idx;
	json_t *entry;

	json_array_foreach (document, idx, entry) {
		json_int_t gone = json_integer_value(json_object_get(entry, "gone"));
		const char *name, *text;
		struct service_id *item;
		struct addr vip;
		int id;

		if (json_unpack(entry, "{s:s, s:s, s:i}", "virtual_server", &name, "vip", &text,
			    "id", &id) < 0)
			continue;
		if (addr_parse(text, &vip) < 0 || id < 1 || id > (int)FWD_ID_MAX || ids->at[id])
			continue;
		if (service_ids_find(ids, name, &vip))
			continue;
		/* The next free number is this one. */
		ids->last = (uint16_t)(id - 1);
		if (service_ids_add(ids, name, &vip, &item) < 0)
			continue;
		item->gone_at = gone > 0 ? (uint64_t)gone : 0;
		item->is_void = json_is_true(json_object_get(entry, "void"));
		ids->n_changes = MAX(ids->n_changes, item->gone_at);
	}
}
