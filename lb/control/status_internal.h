/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of status share: status.c makes the document, status_count.c counts for it,
 * status_job.c makes it in parts. Nobody else includes this.
 */
#pragma once

#include "lb/daemon/daemon.h"
#include "lb/table/flows.h"

/* Flow records by service and backend: open addressing, grown at half full. */
struct status_count;
struct status_counts {
	struct status_count *items;
	size_t capacity; /* a power of two */
	size_t len;
	uint64_t total;
};
/* Counts one; without memory counts are too low. */
void status_count_add(struct status_counts *counts, uint16_t service, uint16_t backend);
uint64_t status_count_of(const struct status_counts *counts, uint16_t service, uint16_t backend);

/* Who belongs to which service: one walk over the backends instead of one for each service. */
struct status_members {
	const struct service_list *services;
	uint32_t *begins;    /* of each service in `positions`, and the end */
	uint32_t *positions; /* of backends in the order of names, when this was made */
	uint16_t *ids;       /* of the backend that was at a position then */
	uint32_t *n_usable;  /* of each service: backends that are up and serve it */
};
/* -ENOMEM. */
int status_members_make(const struct daemon *daemon, struct status_members *ret_members);
void status_members_clear(struct status_members *members);

/* For aging: the service as it is forwarded now. Context: the daemon. */
const struct fwd_service *status_service(uint16_t service, void *context);
uint32_t status_now_s(const struct daemon *daemon);

/* One virtual server, whose services begin at `first`. */
json_t *status_virtual_server(struct daemon *daemon, const struct status_counts *counts,
	const struct status_members *members, const struct config_virtual_server *virtual_server,
	size_t first);
/* The document without them. */
json_t *status_document(struct daemon *daemon, const struct status_counts *counts,
	const struct status_members *members);
