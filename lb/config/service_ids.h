/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which id belongs to which virtual server and VIP: the same over reloads and restarts, because flow records
 * name it. Ids of services that have gone are remembered for when they come back, until all numbers were
 * given; then the one that went first is given again, but never while records may name it. Pure.
 */
#pragma once

#include <jansson.h>

#include "common/addr.h"
#include "common/util.h"
#include "lb/fwd/types.h"

struct service_ids;

/* NULL: no memory. */
struct service_ids *service_ids_new(void);
struct service_ids *service_ids_free(struct service_ids *ids);
DEFINE_CLEANUP(struct service_ids *, service_ids_free)

/* Before the ids of another configuration are asked for: those asked for from here on stay apart. */
void service_ids_begin(struct service_ids *ids);
/*
 * The service's id, 1–FWD_ID_MAX; a new one where it has none. -ENOSPC: all are in force or still named by
 * records; -ENOMEM.
 */
int service_ids_get(struct service_ids *ids, const char *virtual_server, const struct addr *vip,
	uint16_t *ret_id);
/* These are in force now and no others: by id. The others have gone, in whatever order of ids. */
void service_ids_set_in_force(struct service_ids *ids, const bool in_force[FWD_ID_MAX + 1]);
/* Marks those that have gone and that records may name; touches no other mark. */
void service_ids_list_gone(const struct service_ids *ids, bool ret_is_gone[FWD_ID_MAX + 1]);
/* No record names it any more, nor will one before it is in force again. */
void service_ids_set_void(struct service_ids *ids, uint16_t id);

/* Calls back for the VIP of every service that has an id, also of those that have gone. */
void service_ids_each(const struct service_ids *ids,
	void (*fn)(const struct addr *vip, void *context), void *context);

/* To and from the kept document. A malformed entry is left out. NULL: no memory. */
json_t *service_ids_export(const struct service_ids *ids);
void service_ids_import(struct service_ids *ids, const json_t *document);
