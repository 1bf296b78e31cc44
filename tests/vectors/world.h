/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The world of the vectors as a snapshot, for runners that have one. Rows are owned by backends 1–3
 * in turn, so the owner of any row is plain; rows of VECTOR_MOVING belong to 2 with base 1. Fails
 * by assert(): the world is ours.
 */
#pragma once

#include <arpa/inet.h>
#include <assert.h>

#include "lb/engine/rates.h"
#include "lb/engine/snapshot.h"
#include "lb/table/flow_seen.h"
#include "lb/table/table.h"
#include "tests/vectors/vectors.h"

/* Far from 0 and from any wrap; in the middle of a row's quiet time. */
#define VECTOR_NOW_S 100000u
/* Of a generation of the filter of flows seen, which knows none at first. */
#define VECTOR_SEEN_WORDS ((size_t)1024)

struct vector_world {
	struct fwd_table rows;
	struct fwd_table moving_rows;
	struct fwd_table no_rows;
	struct flow4_bucket flow4[64];
	struct flow6_bucket flow6[64];
	__u64 seen[SEEN_CONTROL_WORDS + 2 * VECTOR_SEEN_WORDS];
	__u64 service_rates[FWD_ID_MAX + 1];
	__u64 source_rates[FWD_SOURCE_RATES];
};

static inline struct rates vector_world_rates(struct vector_world *world)
{
	return (struct rates){ world->service_rates, world->source_rates };
}

enum vector_rows {
	VECTOR_ROWS,
	VECTOR_ROWS_MOVING,
	VECTOR_ROWS_NONE, /* of who has no backend */
	VECTOR_ROWS_N_
};

/* Where a world's rows and flows lie: its own memory, or maps of the kernel. */
struct vector_memory {
	struct fwd_table *rows[VECTOR_ROWS_N_];
	int rows_maps[VECTOR_ROWS_N_]; /* -1: no map */
	struct flows_table flows;
	unsigned int out; /* index of the interface to backends, where there is one */
};

static inline struct vector_memory vector_world_memory(struct vector_world *world)
{
	return (struct vector_memory){
		.rows = { &world->rows, &world->moving_rows, &world->no_rows },
		.rows_maps = { -1, -1, -1 },
		.flows = { .flow4 = world->flow4,
			.flow6 = world->flow6,
			.n_flow4 = ARRAY_LEN(world->flow4),
			.n_flow6 = ARRAY_LEN(world->flow6),
			.seen = world->seen,
			.n_seen = VECTOR_SEEN_WORDS },
	};
}

/* The owner of a row. */
static inline uint16_t vector_world_owner(uint32_t row)
{
	return (uint16_t)(row % 3 + 1);
}

/* Rows and flows as they are before each vector. */
static inline void vector_memory_reset(const struct vector_memory *memory)
{
	memset(memory->flows.flow4, 0, memory->flows.n_flow4 * sizeof(*memory->flows.flow4));
	memset(memory->flows.flow6, 0, memory->flows.n_flow6 * sizeof(*memory->flows.flow6));
	memset(memory->flows.seen, 0, flow_seen_len(memory->flows.n_seen) * sizeof(__u64));
	for (uint32_t i = 0; i < FWD_ROWS; i++) {
		uint16_t owner = vector_world_owner(i);

		memory->rows[VECTOR_ROWS]->rows[i] = (struct fwd_slot){ owner, owner, 0 };
		memory->rows[VECTOR_ROWS_MOVING]->rows[i] =
			(struct fwd_slot){ 2, 1, VECTOR_NOW_S - 10 };
		memory->rows[VECTOR_ROWS_NONE]->rows[i] = (struct fwd_slot){ 0 };
	}
	ARRAY_FOREACH (table, memory->rows, VECTOR_ROWS_N_)
		table_list_settled(*table);
}

static inline void vector_world_reset(struct vector_world *world)
{
	const struct vector_memory memory = vector_world_memory(world);

	memset(world, 0, sizeof(*world));
	vector_memory_reset(&memory);
}

static inline void vector_world_bind(struct snapshot *snapshot, const char *vip, uint8_t proto,
	uint16_t first_port, uint16_t last_port, uint16_t service)
{
	struct addr addr = { .family = strchr(vip, ':') ? AF_INET6 : AF_INET };
	int r = inet_pton(addr.family, vip, addr.bytes);

	assert(r == 1);
	r = snapshot_add_binding(snapshot, &addr, proto, first_port, last_port, service);
	assert(r == 0);
	(void)r;
}

/* Every protocol, and every port. */
static inline void vector_world_bind_all(
	struct snapshot *snapshot, const char *vip, uint16_t service)
{
	struct addr addr;
	int r = addr_parse(vip, &addr);

	vector_world_bind(snapshot, vip, FWD_PROTO_TCP, 0, UINT16_MAX, service);
	vector_world_bind(snapshot, vip, FWD_PROTO_UDP, 0, UINT16_MAX, service);
	vector_world_bind(snapshot, vip, FWD_PROTO_SCTP, 0, UINT16_MAX, service);
	r |= snapshot_add_others(snapshot, &addr, service);
	assert(r == 0);
	(void)r;
}

static inline void vector_world_meter(struct fwd_service *service)
{
	static const struct fwd_rate closed = { 1, 0 }, one = { 1, 1 }, two = { 1, 2 };

	if (service->id == VECTOR_CLOSED || service->id == VECTOR_CLOSED_SOURCE)
		service->syn_rate = closed;
	if (service->id == VECTOR_CLOSED_SOURCE)
		service->syn_rate_source = closed;
	if (service->id == VECTOR_METERED) {
		service->syn_rate = two;
		service->syn_rate_source = one;
	}
}

/* allow-clients and deny-clients of CHOSEN, deny-clients of SHUNNED; each in its order. */
static inline uint32_t vector_world_clients(struct snapshot *snapshot, unsigned int service)
{
	static const struct {
		const char *prefix;
		bool denied;
	} chosen[] = {
		{ "192.0.0.0/22", false },
		{ "192.0.2.16/29", true },
		{ "192.0.2.17/32", false },
		{ "2001:db8::/44", false },
		{ "2001:db8:8:1::/64", true },
	}, shunned[] = {
		{ "192.0.2.0/25", true },
		{ "2001:db8:8::/46", true },
	};
	size_t len = service == VECTOR_CHOSEN ? ARRAY_LEN(chosen)
		: service == VECTOR_SHUNNED   ? ARRAY_LEN(shunned)
					      : 0;
	struct client_prefix prefixes[ARRAY_LEN(chosen)];
	uint32_t place = 0;
	int r = 0;

	for (size_t i = 0; i < len; i++) {
		bool is_chosen = service == VECTOR_CHOSEN;

		prefixes[i].denied = is_chosen ? chosen[i].denied : shunned[i].denied;
		r |= addr_prefix_parse(
			is_chosen ? chosen[i].prefix : shunned[i].prefix, &prefixes[i].prefix);
	}
	if (len > 0)
		r |= snapshot_add_clients(snapshot, prefixes, len, &place);
	assert(r == 0);
	(void)r;
	return place;
}

static inline void vector_world_add_services(
	struct snapshot *snapshot, const uint32_t tables[VECTOR_ROWS_N_])
{
	for (unsigned int id = 1; id < VECTOR_SERVICE_N_; id++) {
		struct fwd_service service = {
			.id = (uint16_t)id,
			.table = tables[id == VECTOR_MOVING  ? VECTOR_ROWS_MOVING
					: id == VECTOR_EMPTY ? VECTOR_ROWS_NONE
							     : VECTOR_ROWS],
			.tcp_timeout_s = 900,
			.fin_timeout_s = 120,
			.udp_timeout_s = 300,
			.n_members = id == VECTOR_EMPTY ? 0 : 3,
			.clients = vector_world_clients(snapshot, id),
		};
		int r;

		if (id == VECTOR_ANY || id == VECTOR_ANY6)
			service.flags = FWD_SERVICE_SESSIONLESS | FWD_SERVICE_HASH_SOURCE;
		if (id == VECTOR_WHOLE)
			service.flags = FWD_SERVICE_DROP_FRAGMENTS;
		vector_world_meter(&service);
		r = snapshot_add_service(snapshot, &service);
		assert(r == 0);
		(void)r;
		for (uint16_t backend = 1; backend <= 3 && id != VECTOR_EMPTY; backend++)
			snapshot_add_member(snapshot, (uint16_t)id, backend);
	}
}

static inline void vector_world_add_macs(struct snapshot *snapshot)
{
	static const enum vector_mac balancers[] = { VECTOR_MAC_OWN, VECTOR_MAC_OUT,
		VECTOR_MAC_PEER };
	struct mac mac;

	ARRAY_FOREACH (balancer, balancers, ARRAY_LEN(balancers)) {
		memcpy(mac.bytes, vector_mac_bytes(*balancer), sizeof(mac.bytes));
		snapshot_add_mac(snapshot, &mac, (struct fwd_mac){ FWD_MAC_BALANCER, 0 });
	}
	for (uint16_t id = 1; id <= VECTOR_BACKENDS; id++) {
		struct fwd_backend backend = { .flags = FWD_BACKEND_FLOWS };

		if (id == 1)
			backend.flags |= FWD_BACKEND_PASSES_ON | FWD_BACKEND_NAMED;
		if (id == 2)
			backend.flags |= FWD_BACKEND_NAMED;
		memcpy(mac.bytes, vector_mac_bytes(VECTOR_MAC_BACKEND1 + id - 1),
			sizeof(mac.bytes));
		memcpy(backend.mac, mac.bytes, sizeof(backend.mac));
		snapshot_add_backend(snapshot, id, &backend);
		snapshot_add_mac(snapshot, &mac, (struct fwd_mac){ FWD_MAC_BACKEND, id });
	}
}

/* A snapshot over this memory, which has been reset and outlives it. */
static inline struct snapshot *vector_memory_snapshot(const struct vector_memory *memory)
{
	struct fwd_settings settings = {
		.slot_seed = { 0x0123456789abcdef, 0xfedcba9876543210 },
		.flow_seed = { 0x1122334455667788, 0x8877665544332211 },
		.mtu_bytes = VECTOR_MTU_BYTES,
	};
	struct snapshot *snapshot = NULL;
	uint32_t tables[VECTOR_ROWS_N_];
	int r;

	/* As of a table with a dense part: a quarter of it. */
	settings.flow4_among[0] = memory->flows.n_flow4 / 16 * FLOW_GROUP_BUCKETS;
	settings.flow4_among[1] = memory->flows.n_flow4;
	settings.flow6_among[0] = memory->flows.n_flow6 / 16 * FLOW_GROUP_BUCKETS;
	settings.flow6_among[1] = memory->flows.n_flow6;
	memcpy(settings.own_mac, vector_mac_bytes(VECTOR_MAC_OWN), FWD_MAC_BYTES);
	memcpy(settings.named_mac, vector_mac_bytes(VECTOR_MAC_NAMED2), FWD_NAMED_MAC_BYTES);
	settings.links[0].ifindex = memory->out;
	memcpy(settings.links[0].mac, vector_mac_bytes(VECTOR_MAC_OUT), FWD_MAC_BYTES);
	r = snapshot_new(&settings, &memory->flows, &snapshot);
	assert(r == 0);
	(void)r;
	for (unsigned int i = 0; i < VECTOR_ROWS_N_; i++)
		snapshot_add_table(
			snapshot, memory->rows[i], memory->rows_maps[i], NULL, NULL, &tables[i]);
	vector_world_add_services(snapshot, tables);
	vector_world_add_macs(snapshot);
	vector_world_bind(snapshot, "198.51.100.10", 6, 80, 80, VECTOR_WEB);
	vector_world_bind(snapshot, "198.51.100.10", 6, 443, 443, VECTOR_WEB);
	vector_world_bind(snapshot, "198.51.100.10", 6, 8000, 8100, VECTOR_WEB);
	vector_world_bind(snapshot, "198.51.100.10", 132, 80, 80, VECTOR_WEB);
	vector_world_bind(snapshot, "198.51.100.10", 132, 6000, 6100, VECTOR_WEB);
	vector_world_bind(snapshot, "198.51.100.10", 17, 53, 53, VECTOR_DNS);
	vector_world_bind(snapshot, "198.51.100.10", 17, 5000, 5999, VECTOR_DNS);
	vector_world_bind(snapshot, "2001:db8::10", 6, 80, 80, VECTOR_WEB6);
	vector_world_bind(snapshot, "2001:db8::10", 132, 80, 80, VECTOR_WEB6);
	vector_world_bind(snapshot, "2001:db8::10", 17, 53, 53, VECTOR_DNS6);
	vector_world_bind_all(snapshot, "198.51.100.11", VECTOR_ANY);
	vector_world_bind_all(snapshot, "2001:db8::11", VECTOR_ANY6);
	vector_world_bind(snapshot, "198.51.100.12", 6, 80, 80, VECTOR_EMPTY);
	vector_world_bind(snapshot, "198.51.100.13", 17, 53, 53, VECTOR_WHOLE);
	vector_world_bind(snapshot, "198.51.100.14", 6, 80, 80, VECTOR_MOVING);
	vector_world_bind(snapshot, "198.51.100.14", 132, 80, 80, VECTOR_MOVING);
	vector_world_bind(snapshot, "198.51.100.14", 17, 53, 53, VECTOR_MOVING);
	vector_world_bind(snapshot, "198.51.100.15", 6, 80, 80, VECTOR_CLOSED);
	vector_world_bind(snapshot, "198.51.100.15", 132, 80, 80, VECTOR_CLOSED);
	vector_world_bind(snapshot, "2001:db8::15", 6, 80, 80, VECTOR_CLOSED);
	vector_world_bind(snapshot, "198.51.100.16", 6, 80, 80, VECTOR_CLOSED_SOURCE);
	vector_world_bind(snapshot, "198.51.100.17", 6, 80, 80, VECTOR_METERED);
	vector_world_bind(snapshot, "2001:db8::17", 6, 80, 80, VECTOR_METERED);
	vector_world_bind(snapshot, "198.51.100.18", 6, 80, 80, VECTOR_CHOSEN);
	vector_world_bind(snapshot, "198.51.100.18", 17, 53, 53, VECTOR_CHOSEN);
	vector_world_bind(snapshot, "2001:db8::18", 6, 80, 80, VECTOR_CHOSEN);
	vector_world_bind(snapshot, "2001:db8::18", 17, 53, 53, VECTOR_CHOSEN);
	vector_world_bind(snapshot, "198.51.100.19", 6, 80, 80, VECTOR_SHUNNED);
	vector_world_bind(snapshot, "198.51.100.19", 17, 53, 53, VECTOR_SHUNNED);
	vector_world_bind(snapshot, "2001:db8::19", 6, 80, 80, VECTOR_SHUNNED);
	vector_world_bind(snapshot, "2001:db8::19", 17, 53, 53, VECTOR_SHUNNED);
	return snapshot;
}

static inline struct snapshot *vector_world_snapshot(struct vector_world *world)
{
	const struct vector_memory memory = vector_world_memory(world);

	return vector_memory_snapshot(&memory);
}
