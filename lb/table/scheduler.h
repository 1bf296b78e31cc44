/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What rr and lc need of a service beside its rows: the order of backends, and counters that go on
 * when a snapshot is replaced. Built by publication, read and counted by every worker.
 */
#pragma once

#include "common/util.h"
#include "lb/fwd/types.h"
#include "lb/table/table.h"

/*
 * The memory that all services' loads and turns lie in, FWD_LOADS of them: `memory`, all zero, which
 * is the caller's and outlives this (a BPF engine's map), or of its own where that is NULL. Outlives
 * every scheduler. NULL: out of memory.
 */
struct scheduler_loads;
struct scheduler_loads *scheduler_loads_new(struct fwd_load *memory);
struct scheduler_loads *scheduler_loads_free(struct scheduler_loads *loads);
DEFINE_CLEANUP(struct scheduler_loads *, scheduler_loads_free)

/* Counters of one service. Its references are the main loop's, its numbers any thread's. */
struct scheduler;

/* `has_loads`: of lc. NULL: out of memory or of loads. */
struct scheduler *scheduler_new(struct scheduler_loads *loads, bool has_loads);
struct scheduler *scheduler_ref(struct scheduler *scheduler);
struct scheduler *scheduler_unref(struct scheduler *scheduler);
DEFINE_CLEANUP(struct scheduler *, scheduler_unref)

uint32_t *scheduler_position(struct scheduler *scheduler);
/* Where it lies among the loads: its `sent` is the position. */
uint16_t scheduler_position_place(const struct scheduler *scheduler);

bool scheduler_has_loads(const struct scheduler *scheduler);
/* Gives the backend a load, if it has none yet. -EINVAL: not of lc; -ENOSPC: FWD_LOADS are taken. */
int scheduler_add_load(struct scheduler *scheduler, uint16_t backend);
/* Takes it back, of a backend that no snapshot has asked about. Nothing happens where it has none. */
void scheduler_remove_load(struct scheduler *scheduler, uint16_t backend);
/* NULL: it has none. */
struct fwd_load *scheduler_load(struct scheduler *scheduler, uint16_t backend);
/* 0: it has none. */
uint16_t scheduler_load_place(const struct scheduler *scheduler, uint16_t backend);
/* What is established by a new report: what was sent before it is in there. */
void scheduler_report(struct scheduler *scheduler, uint16_t backend, uint32_t established);

/* Whether the backend's flows are counted in the flow table, because nobody reports them. */
void scheduler_set_counted(struct scheduler *scheduler, uint16_t backend, bool counted);
/* Counting: from nothing; one flow more of a counted backend; then the number is its report. */
void scheduler_count_begin(struct scheduler *scheduler);
void scheduler_count(struct scheduler *scheduler, uint16_t backend);
void scheduler_report_count(struct scheduler *scheduler, uint16_t backend);

/* Of one service: some weights of many services share the room of an image. */
#define SCHEDULER_ORDER_MAX 8192u

/*
 * The order of backends of weighted round robin, to free: by Webster's apportionment, so that a
 * member's turns are spread as evenly as whole turns allow, as many as the weights divided by
 * their greatest common divisor, or SCHEDULER_ORDER_MAX of them at most. Members as table_fill() takes them.
 * -ENOMEM.
 */
int scheduler_order(const struct table_member *members, size_t n_members, uint16_t **ret_order,
	uint32_t *ret_order_len);
