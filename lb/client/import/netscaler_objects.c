/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Objects of a NetScaler, found by their names: see netscaler_objects.h. */
#include "lb/client/import/netscaler_objects.h"

#include <strings.h>

#include "common/grow.h"

static void object_free(struct netscaler_object *object)
{
	ARRAY_FOREACH (each, object->members, object->n_members)
		free(each->server);
	ARRAY_FOREACH (each, object->bindings, object->n_bindings)
		free(each->name);
	free(object->members);
	free(object->bindings);
	free(object->name);
	free(object->type);
	free(object->mode);
	free(object->method);
	free(object->persistence);
	free(object->backup);
	free(object->mask4);
	free(object->mask6);
	free(object->request);
	free(object);
}

void netscaler_objects_clear(struct netscaler_objects *objects)
{
	for (size_t i = 0; i < objects->n_items; i++)
		object_free(objects->items[i]);
	free(objects->items);
	hash_map_clear(&objects->by_name);
}

/* FNV-1a of the name in small letters, from two beginnings; whoever is found is compared by name, too. */
static void make_key(enum netscaler_kind kind, const char *name, uint64_t key[2])
{
	key[0] = UINT64_C(0xcbf29ce484222325);
	key[1] = UINT64_C(0x9ae16a3b2f90404f) + (uint64_t)kind;
	for (; *name; name++) {
		unsigned char byte = (unsigned char)*name;

		if (byte >= 'A' && byte <= 'Z')
			byte = (unsigned char)(byte - 'A' + 'a');
		for (size_t i = 0; i < 2; i++)
			key[i] = (key[i] ^ byte) * UINT64_C(0x100000001b3);
	}
}

struct netscaler_object *netscaler_object_find(
	const struct netscaler_objects *objects, enum netscaler_kind kind, const char *name)
{
	struct netscaler_object *object;
	uint64_t key[2];
	uint32_t idx;

	make_key(kind, name, key);
	if (!hash_map_get(&objects->by_name, key, &idx))
		return NULL;
	object = objects->items[idx];
	return object->kind == kind && strcasecmp(object->name, name) == 0 ? object : NULL;
}

struct netscaler_object *netscaler_object_add(struct netscaler_objects *objects,
	enum netscaler_kind kind, const char *name, unsigned int line)
{
	struct netscaler_object *object = netscaler_object_find(objects, kind, name);
	uint64_t key[2];

	if (object)
		return object;
	object = calloc(1, sizeof(*object));
	if (!object)
		return NULL;
	*object = (struct netscaler_object){ .kind = kind, .name = strdup(name), .line = line };
	make_key(kind, name, key);
	if (!object->name || GROW(objects->items, objects->n_items) < 0 ||
		hash_map_put(&objects->by_name, key, (uint32_t)objects->n_items) < 0) {
		object_free(object);
		return NULL;
	}
	objects->items[objects->n_items++] = object;
	return object;
}

int netscaler_bind(
	struct netscaler_object *object, const char *name, uint64_t weight, unsigned int line)
{
	char *copy = strdup(name);

	if (!copy || GROW(object->bindings, object->n_bindings) < 0) {
		free(copy);
		return -ENOMEM;
	}
	object->bindings[object->n_bindings++] = (struct netscaler_binding){ copy, weight, line };
	return 0;
}

struct netscaler_member *netscaler_member_add(struct netscaler_object *service, unsigned int line)
{
	struct netscaler_member *member;

	if (GROW(service->members, service->n_members) < 0)
		return NULL;
	member = &service->members[service->n_members++];
	*member = (struct netscaler_member){ .weight = 1, .line = line };
	return member;
}
