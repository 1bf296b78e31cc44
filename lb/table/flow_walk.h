/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One walk through the flow table for all who need every record: a table of millions is read in parts
 * that hold up no heartbeat, and each bucket is read once, however many wait for it. Who needs the records
 * joins with a job, is given every bucket once, from where the walk stands and round to there again,
 * and is told when it has had all. Called by the main loop; knows nobody who joins.
 */
#pragma once

#include "lb/table/flows.h"

/* Buckets in one part: a millisecond or two. */
#define FLOW_WALK_PART_BUCKETS 16384u

struct flow_walk;

/*
 * What somebody wants of the walk. The memory is the caller's and stands still while the job has joined.
 * All callbacks may join and leave, with this job and with others; none may call flow_walk_step().
 */
struct flow_walk_job {
	/* Before each part, or NULL: the job learns the time, and may leave. */
	void (*part)(uint32_t now_s, void *context);
	/* Records that are freed before anybody sees them, whichever it says; NULL: none. */
	flows_void_fn *is_void;
	/* Each live record of a flow; NULL: none. */
	void (*each)(const struct flows_entry *entry, void *context);
	/* After the last bucket, once; the job has left then, and may join again. NULL: nothing. */
	void (*done)(void *context);
	void *context; /* of these callbacks */

	/* The walk's; all zeros at first. */
	struct flow_walk_job *next;
	uint64_t begins; /* buckets that had been read when it joined */
	bool joined;
};

/*
 * `table` must outlive the walk. `service` says how long a record lives (absent service: the record is
 * dead), and `wake`, which may be NULL, that somebody has joined, so that flow_walk_step() is called
 * until it says that nobody waits: both with `context`. NULL: out of memory.
 */
struct flow_walk *flow_walk_new(const struct flows_table *table, flows_service_fn *service,
	void (*wake)(void *context), void *context);
/* Jobs that have joined are not told. */
struct flow_walk *flow_walk_free(struct flow_walk *walk);
DEFINE_CLEANUP(struct flow_walk *, flow_walk_free)

/* Joins; one that has joined begins anew. It is not called from inside. */
void flow_walk_join(struct flow_walk *walk, struct flow_walk_job *job);
/* Leaves without being told; nothing happens where it has not joined. */
void flow_walk_leave(struct flow_walk *walk, struct flow_walk_job *job);

/* Walks one part of the table for all who have joined. False: nobody waits any more. */
bool flow_walk_step(struct flow_walk *walk, uint32_t now_s);
