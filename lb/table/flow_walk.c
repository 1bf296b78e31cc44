/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See flow_walk.h. Buckets are counted on and on; a job has had all when as many were read as there are. */
#include "lb/table/flow_walk.h"

#include <assert.h>

struct flow_walk {
	const struct flows_table *table;
	flows_service_fn *service;
	void (*wake)(void *context);
	void *context;
	struct flow_walk_job *jobs;
	struct flow_walk_job *cursor; /* the next that is called; one that leaves steps aside */
	uint64_t bucket;              /* the next */
	uint64_t n_read;              /* buckets, since the walk was made */
	bool is_stepping;
};

struct flow_walk *flow_walk_new(const struct flows_table *table, flows_service_fn *service,
	void (*wake)(void *context), void *context)
{
	struct flow_walk *walk = calloc(1, sizeof(*walk));

	if (walk)
		*walk = (struct flow_walk){
			.table = table, .service = service, .wake = wake, .context = context
		};
	return walk;
}

struct flow_walk *flow_walk_free(struct flow_walk *walk)
{
	if (!walk)
		return NULL;
	while (walk->jobs)
		flow_walk_leave(walk, walk->jobs);
	free(walk);
	return NULL;
}

void flow_walk_join(struct flow_walk *walk, struct flow_walk_job *job)
{
	flow_walk_leave(walk, job);
	job->joined = true;
	job->begins = walk->n_read;
	job->next = walk->jobs;
	walk->jobs = job;
	if (walk->wake)
		walk->wake(walk->context);
}

void flow_walk_leave(struct flow_walk *walk, struct flow_walk_job *job)
{
	struct flow_walk_job **link = &walk->jobs;

	if (!job->joined)
		return;
	while (*link != job)
		link = &(*link)->next;
	*link = job->next;
	if (walk->cursor == job)
		walk->cursor = job->next;
	job->joined = false;
}

/* The first job, then the next one, whoever joins or leaves meanwhile; NULL: all were called. */
static struct flow_walk_job *flow_walk_next(struct flow_walk *walk)
{
	struct flow_walk_job *job = walk->cursor;

	if (job)
		walk->cursor = job->next;
	return job;
}

#define FLOW_WALK_FOREACH(walk, job) \
	for (struct flow_walk_job *job = ((walk)->cursor = (walk)->jobs, flow_walk_next(walk)); \
		job; job = flow_walk_next(walk))

/* One that joined while this bucket is looked at begins with the next. */
static bool flow_walk_has_begun(const struct flow_walk *walk, const struct flow_walk_job *job)
{
	return job->begins < walk->n_read;
}

static bool flow_walk_is_void(uint16_t service, uint16_t backend, void *context)
{
	struct flow_walk *walk = context;

	FLOW_WALK_FOREACH(walk, job)
	if (job->is_void && flow_walk_has_begun(walk, job) &&
		job->is_void(service, backend, job->context))
		return true;
	return false;
}

static void flow_walk_give(const struct flows_entry *entry, void *context)
{
	struct flow_walk *walk = context;

	FLOW_WALK_FOREACH(walk, job)
	if (job->each && flow_walk_has_begun(walk, job))
		job->each(entry, job->context);
}

static void flow_walk_end_some(struct flow_walk *walk, uint64_t n_buckets)
{
	FLOW_WALK_FOREACH(walk, job)
	{
		if (walk->n_read - job->begins < n_buckets)
			continue;
		flow_walk_leave(walk, job);
		if (job->done)
			job->done(job->context);
	}
}

/* What this part's jobs want: some only free records, some only read. */
static void flow_walk_wants(const struct flow_walk *walk, bool *ret_purges, bool *ret_reads)
{
	*ret_purges = *ret_reads = false;
	for (const struct flow_walk_job *job = walk->jobs; job; job = job->next) {
		*ret_purges |= job->is_void != NULL;
		*ret_reads |= job->each != NULL;
	}
}

static void flow_walk_bucket(struct flow_walk *walk, uint32_t now_s)
{
	uint64_t bucket = walk->bucket;
	bool purges, reads;

	flow_walk_wants(walk, &purges, &reads);
	walk->n_read++;
	if (purges)
		flows_purge_in(walk->table, bucket, flow_walk_is_void, walk);
	if (reads)
		(void)flows_each_in(walk->table, &bucket, walk->service, walk->context, now_s,
			flow_walk_give, walk);
}

bool flow_walk_step(struct flow_walk *walk, uint32_t now_s)
{
	uint64_t n_buckets = (uint64_t)walk->table->n_flow4 + walk->table->n_flow6;

	assert(!walk->is_stepping);
	walk->is_stepping = true;
	FLOW_WALK_FOREACH(walk, job)
	if (job->part)
		job->part(now_s, job->context);
	flow_walk_end_some(walk, n_buckets);
	for (unsigned int i = 0; n_buckets > 0 && walk->jobs && i < FLOW_WALK_PART_BUCKETS; i++) {
		if (flows_is_free(walk->table, walk->bucket))
			walk->n_read++;
		else
			flow_walk_bucket(walk, now_s);
		if (++walk->bucket >= n_buckets)
			walk->bucket = 0;
		flow_walk_end_some(walk, n_buckets);
	}
	walk->is_stepping = false;
	return walk->jobs != NULL;
}
