/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rate limits of the control plane: a token bucket in one number, and a fixed table of buckets
 * for strangers. The table refuses a new source when its set is full of busy ones; it never
 * evicts, so a flood of invented addresses costs only newcomers. Pure.
 */
#pragma once

#include "common/addr.h"
#include "common/util.h"

#define SESSION_LIMIT_WAYS 16u
#define SESSION_LIMIT_SETS 256u
/* Strangers known at a time; more are refused. */
#define SESSION_LIMIT_SOURCES   (SESSION_LIMIT_WAYS * SESSION_LIMIT_SETS)
#define SESSION_LIMIT_KEY_BYTES 16u

/*
 * The generic cell rate algorithm (ITU-T I.371): `due_us` is when the bucket is full again.
 * Zeroed is a full bucket, and a bucket whose time has passed is as good as a new one.
 */
struct session_limit_bucket {
	uint64_t due_us;
};

/* Takes one token of `rate` a second with bursts of `burst`; false: none is left. */
_must_check_ bool session_limit_take(
	struct session_limit_bucket *bucket, uint32_t rate, uint32_t burst, uint64_t now_us);

/* HELLOs, which anybody can forge, use up nothing of what REGISTERs and PARTs with a valid challenge have. */
enum session_limit_kind {
	SESSION_LIMIT_HELLO,
	SESSION_LIMIT_REGISTER,
	SESSION_LIMIT_PART,
	SESSION_LIMIT_KIND_N_
};

struct session_limit_source {
	struct addr addr;
	struct session_limit_bucket buckets[SESSION_LIMIT_KIND_N_];
};

/* Zeroed but for the key, which is random: outsiders must not choose their set. */
struct session_limit_table {
	uint8_t key[SESSION_LIMIT_KEY_BYTES];
	struct session_limit_source sources[SESSION_LIMIT_SETS][SESSION_LIMIT_WAYS];
};

/* The same for a source's own bucket; false too when there is no room for a new source. */
_must_check_ bool session_limit_take_source(struct session_limit_table *table,
	const struct addr *source, enum session_limit_kind kind, uint32_t rate, uint32_t burst,
	uint64_t now_us);

/* A keyed hash of an address, for every table that outsiders fill. */
uint64_t session_limit_hash(const uint8_t key[SESSION_LIMIT_KEY_BYTES], const struct addr *addr);
