/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counters of one packet worker: one thread writes, any thread reads, nobody locks. Each number
 * only grows and is never torn. A verdict is not counted beside its reason but derived from it,
 * so that sums agree at every moment, whatever is being counted while they are read.
 */
#pragma once

#include "common/util.h"
#include "lb/engine/engine.h"

/* (service, backend) pairs that are counted apart; packets of more are in the totals alone. */
#define COUNTERS_PAIRS_MAX 98304u

struct counters;

/* All zero. -ENOMEM. */
int counters_new(struct counters **ret_counters);
struct counters *counters_free(struct counters *counters);
DEFINE_CLEANUP(struct counters *, counters_free)

/* For the writing thread. */
void counters_add_reason(struct counters *counters, enum fwd_reason reason, uint64_t n_pkts);
/*
 * Counts one decided frame: `size_bytes` of a forwarded one goes to its service and pair. A frame
 * that could not be sent is given with reason FWD_REASON_SEND_FAILED, and has its record still.
 */
void counters_add_frame(
	struct counters *counters, const struct fwd_result *result, uint32_t size_bytes);

/* For readers: add this worker's numbers to `*totals` (verdicts and received_pkts included). */
void counters_sum_totals(const struct counters *counters, struct engine_totals *totals);
void counters_sum_service(
	const struct counters *counters, uint16_t service, struct engine_service_counters *sum);
void counters_sum_pair(const struct counters *counters, uint16_t service, uint16_t backend,
	struct engine_pair_counters *sum);

/* What a reason counts as: what goes the slow path, and ends there, was dropped. */
enum fwd_verdict counters_verdict(enum fwd_reason reason);
/* The clients' numbers of SYNs since it was asked last, one bit each. */
uint64_t counters_take_clients(struct counters *counters, uint16_t service, uint16_t backend);
