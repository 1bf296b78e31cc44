/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control plane's view of the flow table (lb/fwd/flow.h): sizes, listing, counting, purging,
 * and which rows of a table still have records that disagree. Reads while workers write: what
 * it sees may be a moment old, never torn.
 */
#pragma once

#include "common/addr.h"
#include "lb/fwd/flow.h"

struct flows_table {
	struct flow4_bucket *flow4; /* settings.flow4_buckets of them */
	struct flow6_bucket *flow6;
	uint32_t n_flow4;
	uint32_t n_flow6;
	/* The filter of flows seen (lb/fwd/seen.h): its control words, behind them both generations. */
	__u64 *seen;
	uint32_t n_seen; /* words of a generation; 0: there is no filter */
};

/*
 * Buckets for `max_flows` flows, in whole groups: of IPv4 24 bytes a flow, half as many entries again,
 * of IPv6 40 bytes, a quarter. When the table holds max_flows, less than 1.5 % of the IPv4 flows and
 * 8 % of the IPv6 flows find no room.
 */
uint32_t flows_buckets4(uint64_t max_flows);
uint32_t flows_buckets6(uint64_t max_flows);

/*
 * The dense part of the table (lb/fwd/flow.h): 3 MiB, which a CPU's share of the last cache holds. It
 * takes 196,608 IPv4 records. A table that is less than twice as long has none.
 */
#define FLOWS_DENSE_BUCKETS 49152u

/* Buckets that a flow's home is among, and those of its other group, of a table of so many buckets. */
void flows_homes(uint32_t n_buckets, bool is_crowded, __u32 ret_among[2]);
/*
 * Whether a table with so many live records is crowded: more than two thirds of what the dense part takes;
 * once it is, until there is less than an eighth, since what was recorded meanwhile lies far.
 */
bool flows_is_crowded(uint32_t n_buckets, uint32_t per_bucket, uint64_t n_live, bool was_crowded);

/* Timeouts by service, for aging. Absent service: the record is dead. */
typedef const struct fwd_service *flows_service_fn(uint16_t service, void *context);

/*
 * Estimates the live records of each family, flows and clients, by one bucket in 256, of a long table
 * fewer: exact to some hundredths where it matters. Of records whose service is absent none is live.
 */
void flows_estimate(const struct flows_table *table, flows_service_fn *service, void *context,
	uint32_t now_s, uint64_t *ret_live4, uint64_t *ret_live6);

struct flows_entry {
	struct addr client;
	uint16_t client_port; /* host byte order */
	uint16_t vip_port;
	uint16_t service;
	uint16_t backend;
	enum flow_state state;
	uint32_t idle_s;
};

typedef void flows_entry_fn(const struct flows_entry *entry, void *context);
/*
 * Calls back for every live record of a flow (not of persistence) in one bucket, IPv4's first, then IPv6's:
 * a walk must not hold up the main loop. `*bucket` becomes the next one; false: there is none, and
 * nothing was called.
 */
bool flows_each_in(const struct flows_table *table, uint64_t *bucket, flows_service_fn *service,
	void *service_context, uint32_t now_s, flows_entry_fn *fn, void *context);
/*
 * Frees those of one bucket's records, as flows_each_in() shows them, that are chosen, and then calls `freed` with each,
 * unless it is NULL. `is_chosen` may be asked again about a record that a worker renews meanwhile. Such a
 * flow's next packet finds none, and goes its way as one that never had any.
 */
typedef bool flows_choose_fn(const struct flows_entry *entry, void *context);
bool flows_free_in(const struct flows_table *table, uint64_t *bucket, flows_service_fn *service,
	void *service_context, uint32_t now_s, flows_choose_fn *is_chosen, flows_entry_fn *freed,
	void *context);
/* Whether the bucket, counted as in flows_each_in(), has no record at all: most buckets of most tables. */
bool flows_is_free(const struct flows_table *table, uint64_t bucket);
/*
 * Frees the records of one bucket, as flows_each_in(), that are void. To be called when a backend stops to
 * take a service's flows, after the snapshot that says so is in force: its records must not come to
 * life again with it, for their flows have gone elsewhere meanwhile.
 */
typedef bool flows_void_fn(uint16_t service, uint16_t backend, void *context);
void flows_purge_in(
	const struct flows_table *table, uint64_t bucket, flows_void_fn *is_void, void *context);
/* "syn", "established", "fin", "reset", "new"; of SCTP "init", "established", "shutdown", "abort" */
const char *flows_state_name(enum flow_state state);
bool flows_is_tcp(enum flow_state state);
/* A flow that said its farewell, or was cut off. */
bool flows_has_ended(enum flow_state state);
/* Of TCP or SCTP, and its client has not answered its server yet. */
bool flows_is_half_open(enum flow_state state);
/* "tcp", "udp", "sctp" */
const char *flows_protocol_name(enum flow_state state);
