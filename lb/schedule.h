/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What rr and lc need of a service beside its rows: the order of turns, and counters that go on
 * when a snapshot is replaced. Built by publication, read and counted by every worker.
 */
#pragma once

#include "common/util.h"
#include "lb/fwd/types.h"
#include "lb/table.h"

/* Counters of one service. Its references are the main loop's, its numbers any thread's. */
struct schedule;

/* `loads`: with room for the load of every backend id (lc). NULL: out of memory. */
struct schedule *schedule_new(bool loads);
struct schedule *schedule_ref(struct schedule *schedule);
struct schedule *schedule_unref(struct schedule *schedule);
DEFINE_CLEANUP(struct schedule *, schedule_unref)

uint32_t *schedule_turn(struct schedule *schedule);
/* NULL: this schedule has none. */
struct fwd_load *schedule_load(struct schedule *schedule, uint16_t backend);
/* What is established by a new report: what was sent before it is in there. */
void schedule_report(struct schedule *schedule, uint16_t backend, uint32_t established);

/* Whether the backend's flows are counted in the flow table, because nobody reports them. */
void schedule_set_counted(struct schedule *schedule, uint16_t backend, bool counted);
/* Counting: one flow more of a counted backend; then the number is its report. */
void schedule_count(struct schedule *schedule, uint16_t backend);
void schedule_report_count(struct schedule *schedule, uint16_t backend);

/*
 * The order of turns of weighted round robin, to free: by Webster's apportionment, so that a
 * member's turns are spread as evenly as whole turns allow, as many as the weights divided by
 * their greatest common divisor, or FWD_ROWS of them at most. Members as table_fill() takes them.
 * -ENOMEM.
 */
int schedule_turns(const struct table_member *members, size_t n_members, uint16_t **ret_turns,
	uint32_t *ret_n_turns);
