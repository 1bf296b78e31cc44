/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The look-ups that the core needs and each target defines: the packet engine's worker, explain,
 * tests and fuzzers over user-space memory, the BPF programs over maps. They are declared here
 * as static: a target that forgets one does not compile. A target includes this header, defines
 * all of them, then includes core.h.
 *
 * None of them decides anything. NULL or 0 means "absent" and nothing else.
 */
#pragma once

#include "lb/fwd/flow.h"
#include "lb/fwd/frame.h"
#include "lb/fwd/types.h"

/* The target's context of one run: snapshot, worker, clock. Opaque to the core. */
struct fwd_port;
/* Of clients.h, which includes this. */
struct fwd_clients;

FWD_INLINE const struct fwd_settings *port_settings(struct fwd_port *port);
/* Seconds of CLOCK_MONOTONIC. */
FWD_INLINE __u32 port_now_s(struct fwd_port *port);
/* Nanoseconds of CLOCK_MONOTONIC, no older than the batch that the frame came in. */
FWD_INLINE __u64 port_now_ns(struct fwd_port *port);
FWD_INLINE const struct fwd_vip *port_vip(struct fwd_port *port, const struct fwd_addr *address);
/* The service whose range has the port (host byte order), in the chain of fwd_vip; 0: none. */
FWD_INLINE __u16 port_range(struct fwd_port *port, __u16 first, __u16 number);
/* The binding of an exact port, or NULL. */
FWD_INLINE const struct fwd_binding *port_binding(
	struct fwd_port *port, const struct fwd_addr *vip, __u32 proto, __be16 number);
FWD_INLINE const struct fwd_service *port_service_of(
	struct fwd_port *port, const struct fwd_binding *binding);
FWD_INLINE const struct fwd_service *port_service(struct fwd_port *port, __u16 id);
/* row < FWD_ROWS. The owner of a row that is known to be settled; 0: ask the row. */
FWD_INLINE __u16 port_settled(struct fwd_port *port, __u32 table, __u32 row);
/* row < FWD_ROWS. The row may be written (seen_s) unless the target only looks. */
FWD_INLINE struct fwd_slot *port_slot(struct fwd_port *port, __u32 table, __u32 row);
/* The lists of clients; NULL: no service has one. Asked of services with a list only. */
FWD_INLINE const struct fwd_clients *port_clients(struct fwd_port *port);
FWD_INLINE const struct fwd_backend *port_backend(struct fwd_port *port, __u16 id);
/* Whether the backend serves this service now, in whatever state. Asked on rare paths only. */
FWD_INLINE int port_is_member(struct fwd_port *port, __u16 service, __u16 backend);
/* Whether the backend, where it is FWD_BACKEND_NEW_SOME, takes new flows of this service. */
FWD_INLINE int port_takes_new(struct fwd_port *port, __u16 service, __u16 backend);
FWD_INLINE struct fwd_mac port_mac(struct fwd_port *port, const void *mac);
/* index < settings.flowN_buckets. */
FWD_INLINE struct flow4_bucket *port_flow4(struct fwd_port *port, __u32 index);
FWD_INLINE struct flow6_bucket *port_flow6(struct fwd_port *port, __u32 index);
/*
 * The words of the filter of flows seen (seen.h): index < SEEN_CONTROL_WORDS + 2 * settings.seen_words. NULL: there
 * is no filter.
 */
FWD_INLINE __u64 *port_seen(struct fwd_port *port, __u32 index);
/* The position of a service under rr or lc, shared by all CPUs; NULL: it has none. */
FWD_INLINE __u32 *port_position(struct fwd_port *port, const struct fwd_service *service);
/* The backend at place `at` of the order, < service->order_len; 0: none. */
FWD_INLINE __u16 port_order_backend(
	struct fwd_port *port, const struct fwd_service *service, __u32 at);
FWD_INLINE struct fwd_load *port_load(struct fwd_port *port, __u16 service, __u16 backend);
/* Buckets of rate.h, shared by all CPUs and kept over snapshots; NULL: not metered. */
FWD_INLINE __u64 *port_service_rate(struct fwd_port *port, __u16 service);
/* index < FWD_SOURCE_RATES. */
FWD_INLINE __u64 *port_source_rate(struct fwd_port *port, __u32 index);
/* True where the run must leave no trace (explain): no record, no time. */
FWD_INLINE int port_only_looks(struct fwd_port *port);
FWD_INLINE int port_fragment_get(struct fwd_port *port, const struct fwd_fragment_key *key,
	struct fwd_fragment *ret_fragment);
FWD_INLINE void port_fragment_put(struct fwd_port *port, const struct fwd_fragment_key *key,
	const struct fwd_fragment *fragment);
