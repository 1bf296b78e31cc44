/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A snapshot: everything an engine needs to forward, immutable once built, but for the flow table
 * and the rows it points to. The control plane builds one and publishes it; workers read it
 * without locks. Pure: memory only.
 */
#pragma once

#include "common/addr.h"
#include "lb/engine/client_lists.h"
#include "lb/table/flows.h"
#include "lb/fwd/types.h"
#include "lb/table/scheduler.h"

#define SNAPSHOT_TABLES_MAX   16384u
#define SNAPSHOT_BACKENDS_MAX 8192u

struct snapshot;
struct fwd_clients;
struct fwd_image;

/* Starts a snapshot with these settings; flow memory is the caller's and outlives the snapshot. */
int snapshot_new(const struct fwd_settings *settings, const struct flows_table *flows,
	struct snapshot **ret_snapshot);
/* What engines begin with: it knows no MAC of its own, so the core passes every frame as not ours. -ENOMEM. */
int snapshot_new_empty(struct snapshot **ret_snapshot);
struct snapshot *snapshot_free(struct snapshot *snapshot);
DEFINE_CLEANUP(struct snapshot *, snapshot_free)

/*
 * Adds a table; `map` is the descriptor of the map whose memory its rows are, borrowed
 * as long as the snapshot lives, or -1. `release(context)` is called when the snapshot is freed.
 * Returns the table's index for services in `*ret_table`. -ENOSPC at SNAPSHOT_TABLES_MAX, -ENOMEM.
 */
int snapshot_add_table(struct snapshot *snapshot, struct fwd_table *rows, int map,
	void (*release)(void *context), void *context, uint32_t *ret_table);
/*
 * -EEXIST: the id is taken. -EINVAL: id 0, or for a backend a zero MAC: who has none yet must be in
 * no table. -ENOSPC: FWD_SERVICES_MAX or SNAPSHOT_BACKENDS_MAX. -ENOMEM.
 */
int snapshot_add_service(struct snapshot *snapshot, const struct fwd_service *service);
/*
 * Adds a list of clients: their prefixes as client_lists_add() takes them. Gives the place for services in
 * `*ret_place`; one that has a place judges by it. -ENOSPC: CLIENTS_LISTS, or too many prefixes; -ENOMEM.
 */
int snapshot_add_clients(struct snapshot *snapshot, const struct client_prefix *prefixes,
	size_t len, uint32_t *ret_place);
/*
 * Gives a service (added already) under rr or lc its order, which is copied, and its counters, of
 * which it takes a reference. -ENOENT: no such service. -EEXIST: it has them. -ENOSPC: there is no
 * room for so many different orders.
 */
int snapshot_add_schedule(struct snapshot *snapshot, uint16_t service, const uint16_t *order,
	uint32_t order_len, struct scheduler *schedule);
int snapshot_add_backend(struct snapshot *snapshot, uint16_t id, const struct fwd_backend *backend);
/*
 * The backend serves the service (whatever its state): for loop detection, and lc. Twice is once.
 * -ENOSPC: too many pairs.
 */
int snapshot_add_member(struct snapshot *snapshot, uint16_t service, uint16_t backend);
/*
 * A member of the service takes no new flows there, though it does elsewhere (FWD_BACKEND_NEW_SOME). Nothing happens where
 * there was no room for the pair.
 */
void snapshot_shut_member(struct snapshot *snapshot, uint16_t service, uint16_t backend);
/* The last word on a MAC counts, but a balancer's is never taken for a backend's. -ENOSPC: too many. */
int snapshot_add_mac(struct snapshot *snapshot, const struct mac *mac, struct fwd_mac kind);
/*
 * Binds VIP, protocol (FWD_PROTO_TCP, _UDP or _SCTP) and ports first–last (0–65535: any; one port:
 * exact; else a range) to a service. -EEXIST: bound already, or a range overlaps one; -ENOSPC: more
 * than FWD_RANGES_MAX; -EINVAL: another protocol, first > last, or no such service; -ENOMEM.
 * ICMP echo is answered by the backends of the VIP's first service.
 */
int snapshot_add_binding(struct snapshot *snapshot, const struct addr *vip, uint8_t proto,
	uint16_t first_port, uint16_t last_port, uint16_t service);
/* A VIP to which nothing need be bound: what is for it is no business of the host's own stack. */
int snapshot_add_vip(struct snapshot *snapshot, const struct addr *vip);
/* Binds all protocols without ports to the service, to which all ports of TCP are bound. -EINVAL: they are not. */
int snapshot_add_others(struct snapshot *snapshot, const struct addr *vip, uint16_t service);

/* What a BPF engine copies; and which maps it needs besides. */
const struct fwd_image *snapshot_image(const struct snapshot *snapshot);
/* NULL: no list was added. */
const struct fwd_clients *snapshot_clients(const struct snapshot *snapshot);
size_t snapshot_tables_len(const struct snapshot *snapshot);
int snapshot_table_map(const struct snapshot *snapshot, uint32_t table);

/* Look-ups: the user-space half of lb/fwd/port.h. Any thread, once everything is added. */
const struct fwd_settings *snapshot_settings(const struct snapshot *snapshot);
const struct fwd_vip *snapshot_vip(const struct snapshot *snapshot, const struct fwd_addr *address);
const struct fwd_service *snapshot_service(const struct snapshot *snapshot, uint16_t id);
/* The place of a row's settled owner; NULL: no such table or row. */
const uint16_t *snapshot_settled(const struct snapshot *snapshot, uint32_t table, uint32_t row);
struct fwd_slot *snapshot_slot(const struct snapshot *snapshot, uint32_t table, uint32_t row);
const struct fwd_backend *snapshot_backend(const struct snapshot *snapshot, uint16_t id);
bool snapshot_is_member(const struct snapshot *snapshot, uint16_t service, uint16_t backend);
/* False: shut. */
bool snapshot_takes_new(const struct snapshot *snapshot, uint16_t service, uint16_t backend);
const struct flows_table *snapshot_flows(const struct snapshot *snapshot);

uint32_t *snapshot_position(const struct snapshot *snapshot, uint16_t service);
struct fwd_load *snapshot_load(const struct snapshot *snapshot, uint16_t service, uint16_t backend);

void snapshot_addr(const struct addr *addr, struct fwd_addr *ret_addr);
