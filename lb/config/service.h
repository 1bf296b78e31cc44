/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Services: every virtual server at each of its VIPs, with its id. Flattens a configuration for the
 * registry and for publication. Pure.
 */
#pragma once

#include "lb/config/model.h"
#include "lb/config/service_ids.h"
#include "lb/registry/backend/backend.h"

struct service {
	uint16_t id;
	const struct config_virtual_server *virtual_server;
	struct addr vip;
};

#define SERVICE_TEXT_BYTES 80u

struct service_list {
	struct service *items; /* in the order of virtual servers' names, then of their VIPs */
	size_t len;
	uint32_t *positions;               /* by id: position in items + 1; 0: none */
	struct registry_service *registry; /* the same, for registry_configure */
	struct registry_port *ports;       /* of all virtual servers */
	struct registry_request *requests; /* likewise */
	struct registry_static *statics;
	size_t n_statics;
};

/*
 * Flattens; new services get new ids. The list points into `config`, which must outlive it.
 * -ENOSPC: more than FWD_SERVICES_MAX, or than there are ids; -ENOMEM.
 */
int service_list_new(
	const struct config *config, struct service_ids *ids, struct service_list **ret_list);
struct service_list *service_list_free(struct service_list *list);
DEFINE_CLEANUP(struct service_list *, service_list_free)
/*
 * "[198.51.100.10]:tcp:80" for each of its ports, "…:tcp:8000-8099" for a range, "…:any:0" where every port is served; at
 * most `room` of them. Returns how many.
 */
size_t service_format(
	const struct service *service, char (*ret_texts)[SERVICE_TEXT_BYTES], size_t room);
/* The list is what is forwarded by from now on; ids of others have gone. */
void service_list_set_in_force(const struct service_list *list, struct service_ids *ids);
/* NULL: no service has this id. */
const struct service *service_list_find(const struct service_list *list, uint16_t id);
/* The VIPs of all services, sorted and each once; to free. -ENOMEM. */
int service_list_vips(const struct service_list *list, struct addr **ret_vips, size_t *ret_len);
