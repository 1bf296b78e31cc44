/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Services: see service.h. An id is looked up by name and VIP among all that were ever given;
 * rising numbers, so that a record of a service that has gone names nobody else for long.
 */
#include "lb/config/service.h"

#include "lb/fwd/hash.h"
#include "common/hash_map.h"
#include "lb/engine/snapshot.h"

struct service_id {
	char *virtual_server;
	struct addr vip;
	uint16_t id;
};

struct service_ids {
	struct service_id *items;
	size_t len;
	uint16_t last;
	bool taken[FWD_ID_MAX + 1];
	struct hash_map by_key; /* position + 1 of the newest with this hash of name and VIP */
	uint32_t *next;         /* position + 1 of an older one with the same */
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
	free(ids->next);
	hash_map_clear(&ids->by_key);
	free(ids);
	return NULL;
}

/* Configuration alone chooses names, so the hash needs no secret. */
static void service_id_key(const char *virtual_server, const struct addr *vip, uint64_t ret_key[2])
{
	uint64_t hash = vip->family;

	for (size_t i = 0; i < sizeof(vip->bytes); i++)
		hash = hash_word(hash, vip->bytes[i]);
	for (const char *at = virtual_server; *at; at++)
		hash = hash_word(hash, (uint8_t)*at);
	ret_key[0] = hash_finish(hash, 0);
	ret_key[1] = 0;
}

static int service_ids_add(
	struct service_ids *ids, const char *virtual_server, const struct addr *vip, uint16_t id)
{
	struct service_id *items = reallocarray(ids->items, ids->len + 1, sizeof(*items));
	uint32_t *next, older = 0;
	uint64_t key[2];
	char *name;

	if (!items)
		return -ENOMEM;
	ids->items = items;
	next = reallocarray(ids->next, ids->len + 1, sizeof(*next));
	if (!next)
		return -ENOMEM;
	ids->next = next;
	service_id_key(virtual_server, vip, key);
	(void)hash_map_get(&ids->by_key, key, &older);
	name = strdup(virtual_server);
	if (!name || hash_map_put(&ids->by_key, key, (uint32_t)ids->len + 1) < 0) {
		free(name);
		return -ENOMEM;
	}
	next[ids->len] = older;
	items[ids->len++] = (struct service_id){ name, *vip, id };
	ids->taken[id] = true;
	ids->last = id;
	return 0;
}

/* The next number that no service ever had; numbers come back after all 65535 were given. */
static int service_ids_next(struct service_ids *ids, uint16_t *ret_id)
{
	uint32_t candidate = ids->last;

	for (uint32_t tries = 0; tries < FWD_ID_MAX; tries++) {
		candidate = candidate % FWD_ID_MAX + 1;
		if (!ids->taken[candidate]) {
			*ret_id = (uint16_t)candidate;
			return 0;
		}
	}
	return -ENOSPC;
}

static int service_ids_get(struct service_ids *ids, const char *virtual_server,
	const struct addr *vip, uint16_t *ret_id)
{
	uint32_t at = 0;
	uint64_t key[2];
	uint16_t id;
	int r;

	service_id_key(virtual_server, vip, key);
	(void)hash_map_get(&ids->by_key, key, &at);
	for (; at > 0; at = ids->next[at - 1]) {
		const struct service_id *item = &ids->items[at - 1];

		if (!streq(item->virtual_server, virtual_server) || !addr_equal(&item->vip, vip))
			continue;
		*ret_id = item->id;
		return 0;
	}
	r = service_ids_next(ids, &id);
	if (r < 0)
		return r;
	r = service_ids_add(ids, virtual_server, vip, id);
	if (r < 0)
		return r;
	*ret_id = id;
	return 0;
}

json_t *service_ids_export(const struct service_ids *ids)
{
	json_t *array = json_array();
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < ids->len; i++)
		json_array_append_new(array,
			json_pack("{s:s, s:s, s:i}", "virtual_server", ids->items[i].virtual_server,
				"vip", addr_format(&ids->items[i].vip, text), "id",
				(int)ids->items[i].id));
	return array;
}

void service_ids_each(const struct service_ids *ids,
	void (*fn)(const struct addr *vip, void *context), void *context)
{
	for (size_t i = 0; i < ids->len; i++)
		fn(&ids->items[i].vip, context);
}

void service_ids_import(struct service_ids *ids, const json_t *document)
{
	size_t idx;
	json_t *item;

	json_array_foreach (document, idx, item) {
		const char *name, *text;
		struct addr vip;
		int id;

		if (json_unpack(item, "{s:s, s:s, s:i}", "virtual_server", &name, "vip", &text,
			    "id", &id) < 0)
			continue;
		if (addr_parse(text, &vip) < 0 || id < 1 || id > (int)FWD_ID_MAX)
			continue;
		if (!ids->taken[id])
			(void)service_ids_add(ids, name, &vip, (uint16_t)id);
	}
}

static void service_fill_registry(const struct service *service, struct registry_service *ret)
{
	const struct config_virtual_server *from = service->virtual_server;

	*ret = (struct registry_service){
		.id = service->id,
		.virtual_server = from->name,
		.vip = service->vip,
		.allow = from->allow.items,
		.n_allow = from->allow.len,
		.use_agents = from->check_agent,
		.tcp_ports = from->check_tcp.items,
		.n_tcp_ports = from->check_tcp.len,
		.check_interval_us = from->check_interval_us,
		.check_timeout_us = from->check_timeout_us,
		.check_fall = from->check_fall,
		.check_rise = from->check_rise,
		.drain_timeout_us = from->drain_timeout_us,
		.slow_start_us = from->slow_start_us,
		.drop_on_all_down = from->drop_on_all_down,
	};
}

static void service_fill_statics(const struct config *config, struct registry_static *statics)
{
	size_t idx = 0;

	for (size_t v = 0; v < config->n_virtual_servers; v++) {
		const struct config_virtual_server *virtual_server = config->virtual_servers[v];
		const struct config_real_server *servers = virtual_server->real_servers.items;

		for (size_t i = 0; i < virtual_server->real_servers.len; i++) {
			struct registry_static *to = &statics[idx++];

			*to = (struct registry_static){
				.address = servers[i].address,
				.mac = servers[i].mac,
				.weight = servers[i].weight,
				.virtual_server = virtual_server->name,
				.no_check = virtual_server->check_none,
			};
			snprintf(to->name, sizeof(to->name), "%s", servers[i].name);
		}
	}
}

static int service_list_count(const struct config *config, struct service_list *list)
{
	for (size_t v = 0; v < config->n_virtual_servers; v++) {
		list->len += config->virtual_servers[v]->vips.len;
		list->n_statics += config->virtual_servers[v]->real_servers.len;
	}
	return list->len > SNAPSHOT_SERVICES_MAX ? -ENOSPC : 0;
}

int service_list_new(
	const struct config *config, struct service_ids *ids, struct service_list **ret_list)
{
	_cleanup_(service_list_freep) struct service_list *list = calloc(1, sizeof(*list));
	size_t idx = 0;
	int r;

	if (!list)
		return -ENOMEM;
	r = service_list_count(config, list);
	if (r < 0)
		return r;
	list->items = calloc(list->len + 1, sizeof(*list->items));
	list->registry = calloc(list->len + 1, sizeof(*list->registry));
	list->statics = calloc(list->n_statics + 1, sizeof(*list->statics));
	list->positions = calloc(FWD_ID_MAX + 1, sizeof(*list->positions));
	if (!list->items || !list->registry || !list->statics || !list->positions)
		return -ENOMEM;
	for (size_t v = 0; v < config->n_virtual_servers; v++) {
		const struct config_virtual_server *virtual_server = config->virtual_servers[v];
		const struct addr *vips = virtual_server->vips.items;

		for (size_t i = 0; i < virtual_server->vips.len; i++, idx++) {
			struct service *service = &list->items[idx];

			service->virtual_server = virtual_server;
			service->vip = vips[i];
			r = service_ids_get(ids, virtual_server->name, &vips[i], &service->id);
			if (r < 0)
				return r;
			list->positions[service->id] = (uint32_t)idx + 1;
			service_fill_registry(service, &list->registry[idx]);
		}
	}
	service_fill_statics(config, list->statics);
	*ret_list = TAKE_PTR(list);
	return 0;
}

struct service_list *service_list_free(struct service_list *list)
{
	if (!list)
		return NULL;
	free(list->items);
	free(list->positions);
	free(list->registry);
	free(list->statics);
	free(list);
	return NULL;
}

const struct service *service_list_find(const struct service_list *list, uint16_t id)
{
	return list->positions[id] ? &list->items[list->positions[id] - 1] : NULL;
}

static int service_compare_vips(const void *a, const void *b)
{
	return addr_compare(a, b);
}

int service_list_vips(const struct service_list *list, struct addr **ret_vips, size_t *ret_len)
{
	struct addr *vips = calloc(list->len + 1, sizeof(*vips));
	size_t len = 0;

	if (!vips)
		return -ENOMEM;
	for (size_t i = 0; i < list->len; i++)
		vips[i] = list->items[i].vip;
	qsort(vips, list->len, sizeof(*vips), service_compare_vips);
	for (size_t i = 0; i < list->len; i++)
		if (len == 0 || !addr_equal(&vips[len - 1], &vips[i]))
			vips[len++] = vips[i];
	*ret_vips = vips;
	*ret_len = len;
	return 0;
}
