/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lb/fwd/port.h over user-space memory: a snapshot and a fragment table. Included, and so
 * compiled in, by the packet engine's worker, explain, tests and fuzzers. A worker keeps one struct
 * fwd_port and sets snapshot and the time before each batch.
 */
#pragma once

#include "lb/engine/fragments.h"
#include "lb/fwd/image.h"
#include "lb/fwd/port.h"
#include "lb/engine/rates.h"
#include "lb/engine/snapshot.h"

struct fwd_port {
	const struct snapshot *snapshot;
	struct fragments *fragments; /* shared by workers; NULL: none is known */
	struct rates rates;          /* shared by workers */
	__u64 now_ns;                /* of CLOCK_MONOTONIC; */
	__u32 now_s;                 /* the same in seconds */
	int only_looks;              /* leave no trace: explain */
	/* Of the runs since the caller cleared it: */
	int noted_first;                  /* the fate of a first fragment was noted */
	struct fwd_fragment_key datagram; /* of the fragment looked up or noted last */
};

FWD_INLINE const struct fwd_settings *port_settings(struct fwd_port *port)
{
	return snapshot_settings(port->snapshot);
}

FWD_INLINE __u32 port_now_s(struct fwd_port *port)
{
	return port->now_s;
}

FWD_INLINE __u64 port_now_ns(struct fwd_port *port)
{
	return port->now_ns;
}

FWD_INLINE const struct fwd_vip *port_vip(struct fwd_port *port, const struct fwd_addr *address)
{
	return image_vip(snapshot_image(port->snapshot), address);
}

FWD_INLINE __u16 port_range(struct fwd_port *port, __u16 first, __u16 number)
{
	return (__u16)image_range(snapshot_image(port->snapshot), first, number);
}

FWD_INLINE const struct fwd_binding *port_binding(
	struct fwd_port *port, const struct fwd_addr *vip, __u32 proto, __be16 number)
{
	return image_binding(snapshot_image(port->snapshot), vip, proto, number);
}

FWD_INLINE const struct fwd_service *port_service_of(
	struct fwd_port *port, const struct fwd_binding *binding)
{
	return image_service_of(snapshot_image(port->snapshot), binding);
}

FWD_INLINE const struct fwd_service *port_service(struct fwd_port *port, __u16 id)
{
	return image_service(snapshot_image(port->snapshot), id);
}

FWD_INLINE __u16 port_settled(struct fwd_port *port, __u32 table, __u32 row)
{
	const __u16 *owner = snapshot_settled(port->snapshot, table, row);

	return owner ? FWD_LOAD(owner) : 0;
}

FWD_INLINE struct fwd_slot *port_slot(struct fwd_port *port, __u32 table, __u32 row)
{
	return snapshot_slot(port->snapshot, table, row);
}

FWD_INLINE const struct fwd_clients *port_clients(struct fwd_port *port)
{
	return snapshot_clients(port->snapshot);
}

FWD_INLINE const struct fwd_backend *port_backend(struct fwd_port *port, __u16 id)
{
	return image_backend(snapshot_image(port->snapshot), id);
}

FWD_INLINE int port_is_member(struct fwd_port *port, __u16 service, __u16 backend)
{
	return snapshot_is_member(port->snapshot, service, backend);
}

FWD_INLINE int port_takes_new(struct fwd_port *port, __u16 service, __u16 backend)
{
	return snapshot_takes_new(port->snapshot, service, backend);
}

FWD_INLINE struct fwd_mac port_mac(struct fwd_port *port, const void *mac)
{
	return image_mac(snapshot_image(port->snapshot), mac);
}

FWD_INLINE struct flow4_bucket *port_flow4(struct fwd_port *port, __u32 index)
{
	const struct flows_table *flows = snapshot_flows(port->snapshot);

	return index < flows->n_flow4 ? &flows->flow4[index] : NULL;
}

FWD_INLINE struct flow6_bucket *port_flow6(struct fwd_port *port, __u32 index)
{
	const struct flows_table *flows = snapshot_flows(port->snapshot);

	return index < flows->n_flow6 ? &flows->flow6[index] : NULL;
}

FWD_INLINE __u64 *port_seen(struct fwd_port *port, __u32 index)
{
	const struct flows_table *flows = snapshot_flows(port->snapshot);

	return flows->n_seen ? &flows->seen[index] : NULL;
}

FWD_INLINE __u32 *port_position(struct fwd_port *port, const struct fwd_service *service)
{
	return snapshot_position(port->snapshot, service->id);
}

FWD_INLINE __u16 port_order_backend(
	struct fwd_port *port, const struct fwd_service *service, __u32 at)
{
	return image_order_backend(snapshot_image(port->snapshot), service, at);
}

FWD_INLINE struct fwd_load *port_load(struct fwd_port *port, __u16 service, __u16 backend)
{
	return snapshot_load(port->snapshot, service, backend);
}

FWD_INLINE __u64 *port_service_rate(struct fwd_port *port, __u16 service)
{
	return port->rates.services ? &port->rates.services[service] : NULL;
}

FWD_INLINE __u64 *port_source_rate(struct fwd_port *port, __u32 index)
{
	return port->rates.sources ? &port->rates.sources[index] : NULL;
}

FWD_INLINE int port_only_looks(struct fwd_port *port)
{
	return port->only_looks;
}

FWD_INLINE int port_fragment_get(struct fwd_port *port, const struct fwd_fragment_key *key,
	struct fwd_fragment *ret_fragment)
{
	port->datagram = *key;
	return port->fragments && fragments_get(port->fragments, key, ret_fragment);
}

FWD_INLINE void port_fragment_put(struct fwd_port *port, const struct fwd_fragment_key *key,
	const struct fwd_fragment *fragment)
{
	port->datagram = *key;
	port->noted_first = 1;
	if (port->fragments)
		fragments_put(port->fragments, key, fragment);
}
