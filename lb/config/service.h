/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Services: every virtual server at each of its VIPs, with an id that stays the same over reloads and
 * restarts, because flow records name it. Flattens a configuration for the registry and for
 * publication. Pure.
 */
#pragma once

#include <jansson.h>

#include "lb/config/model.h"
#include "lb/registry/backend.h"

struct service {
	uint16_t id;
	const struct config_virtual_server *virtual_server;
	struct addr vip;
};

struct service_list {
	struct service *items; /* in the order of virtual servers' names, then of their VIPs */
	size_t len;
	uint32_t *positions;               /* by id: position in items + 1; 0: none */
	struct registry_service *registry; /* the same, for registry_configure */
	struct registry_static *statics;
	size_t n_statics;
};

/* Remembers which id belongs to which virtual server and VIP, also of those that have gone. */
struct service_ids;

struct service_ids *service_ids_new(void);
struct service_ids *service_ids_free(struct service_ids *ids);
DEFINE_CLEANUP(struct service_ids *, service_ids_free)
/* To and from the kept document. A malformed entry is left out. */
json_t *service_ids_export(const struct service_ids *ids);
void service_ids_import(struct service_ids *ids, const json_t *document);

/* Calls back for the VIP of every service that ever had an id, also those that have gone. */
void service_ids_each(const struct service_ids *ids,
	void (*fn)(const struct addr *vip, void *context), void *context);

/*
 * Flattens; new services get new ids. The list points into `config`, which must outlive it.
 * -ENOSPC: more services than ids; -ENOMEM.
 */
int service_list_new(
	const struct config *config, struct service_ids *ids, struct service_list **ret_list);
struct service_list *service_list_free(struct service_list *list);
DEFINE_CLEANUP(struct service_list *, service_list_free)
/* NULL: no service has this id. */
const struct service *service_list_find(const struct service_list *list, uint16_t id);
/* The VIPs of all services, sorted and each once; to free. -ENOMEM. */
int service_list_vips(const struct service_list *list, struct addr **ret_vips, size_t *ret_len);
