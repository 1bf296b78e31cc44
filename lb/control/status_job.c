/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One job for all who wait: see status_job.h. */
#include "lb/control/status_job.h"

#include "common/control/control_text.h"
#include "common/os/idle.h"
#include "lb/config/model.h"
#include "lb/control/form/form.h"
#include "lb/control/status.h"
#include "lb/control/status_count.h"
#include "lb/daemon/balancer.h"
#include "lb/table/flow_walk.h"

#define STATUS_STEP_BACKENDS 1024u

/* One who waits for the answer. */
struct status_waiter {
	struct status_waiter *next;
	status_answer_fn *fn;
	void *context;
};

struct status_job {
	struct status_jobs *jobs;
	struct status_waiter *waiters;
	struct status_counts counts;
	struct status_members members;
	struct flow_walk_job walk;
	bool counted;         /* all flow records are */
	bool lists;           /* members are known, and virtual servers are being listed */
	size_t server, first; /* the next, and where its services begin */
	uint64_t config_generation;
	void *made; /* of the form, so far; NULL: nothing */
};

struct status_jobs {
	struct balancer *balancer;
	const struct status_form *form;
	struct status_job *job; /* NULL: none */
	struct status_waiter
		*waiters; /* who came when it had begun: the next one is for them all */
};

static struct status_waiter *status_waiters_free(struct status_waiter *waiters)
{
	while (waiters) {
		struct status_waiter *next = waiters->next;

		free(waiters);
		waiters = next;
	}
	return NULL;
}

static void status_job_free(struct status_job *job)
{
	status_waiters_free(job->waiters);
	status_members_clear(&job->members);
	if (job->made)
		job->jobs->form->free(job->made);
	status_counts_clear(&job->counts);
	free(job);
}

static void status_job_count(const struct flows_entry *entry, void *context)
{
	struct status_job *job = context;

	status_count_add(&job->counts, entry->service, entry->backend);
}

static void status_job_counted(void *context)
{
	struct status_job *job = context;

	job->counted = true;
	idle_wake(job->jobs->balancer->idle);
}

static int status_job_begin_made(const struct balancer *balancer, struct status_job *job)
{
	const struct status_form *form = job->jobs->form;
	json_t *document = status_document(balancer, &job->counts, &job->members);

	if (job->made)
		form->free(job->made);
	job->made = document ? form->begin(balancer, document) : NULL;
	json_decref(document);
	return job->made ? 0 : -ENOMEM;
}

static int status_job_begin_list(const struct balancer *balancer, struct status_job *job)
{
	int r;

	status_members_clear(&job->members);
	job->server = job->first = 0;
	job->config_generation = balancer->config_generation;
	job->lists = true;
	r = status_members_make(balancer, &job->members);
	return r < 0 ? r : status_job_begin_made(balancer, job);
}

/* Steals `server`. */
static int status_job_add(struct status_job *job, json_t *server)
{
	int r = server ? job->jobs->form->add(job->made, server) : -ENOMEM;

	json_decref(server);
	return r;
}

/* Some virtual servers; `*ret_more`: there are others. */
static int status_job_list(const struct balancer *balancer, struct status_job *job, bool *ret_more)
{
	const struct config *config = balancer->config;
	size_t n_listed = 0;
	int r = 0;

	if (!job->lists || job->config_generation != balancer->config_generation)
		r = status_job_begin_list(balancer, job);
	while (r == 0 && job->server < config->n_virtual_servers &&
		n_listed < STATUS_STEP_BACKENDS) {
		const struct config_virtual_server *each = config->virtual_servers[job->server++];
		json_t *made = status_virtual_server(
			balancer, &job->counts, &job->members, each, job->first);

		n_listed += 1 + json_array_size(json_object_get(made, "backends"));
		job->first += each->vips.len;
		r = status_job_add(job, made);
	}
	*ret_more = job->server < config->n_virtual_servers;
	return r;
}

/* All who wait have the same text, once. */
static void status_job_answer(struct status_job *job, int r)
{
	struct control_text *text = r < 0 ? NULL : job->jobs->form->end(job->made);

	while (job->waiters) {
		struct status_waiter *waiter = job->waiters;

		job->waiters = waiter->next;
		waiter->fn(text, waiter->context);
		free(waiter);
	}
	control_text_unref(text);
}

static void status_jobs_start(struct status_jobs *jobs)
{
	struct status_job *job = calloc(1, sizeof(*job));

	if (!job) {
		struct status_job none = { 0 };

		none.waiters = TAKE_PTR(jobs->waiters);
		status_job_answer(&none, -ENOMEM);
		return;
	}
	job->jobs = jobs;
	job->waiters = TAKE_PTR(jobs->waiters);
	job->walk = (struct flow_walk_job){
		.each = status_job_count,
		.done = status_job_counted,
		.context = job,
	};
	jobs->job = job;
	flow_walk_join(jobs->balancer->flow_walk, &job->walk);
}

/* The job is no more; the next one begins if somebody waits for it. */
static void status_job_end(struct status_jobs *jobs)
{
	flow_walk_leave(jobs->balancer->flow_walk, &jobs->job->walk);
	status_job_free(TAKE_PTR(jobs->job));
	if (jobs->waiters)
		status_jobs_start(jobs);
}

/* One part; with the last one the clients have their answer. */
static bool status_jobs_step(void *context)
{
	struct status_jobs *jobs = context;
	struct status_job *job = jobs->job;
	bool more = true;
	int r;

	if (!job || !job->counted)
		return false;
	r = status_job_list(jobs->balancer, job, &more);
	if (r == 0 && more)
		return true;
	status_job_answer(job, r);
	status_job_end(jobs);
	return jobs->job && jobs->job->counted;
}

int status_jobs_new(
	struct balancer *balancer, const struct status_form *form, struct status_jobs **ret_jobs)
{
	struct status_jobs *jobs = calloc(1, sizeof(*jobs));
	int r;

	if (!jobs)
		return -ENOMEM;
	jobs->balancer = balancer;
	jobs->form = form;
	r = idle_add(balancer->idle, status_jobs_step, jobs);
	if (r < 0) {
		free(jobs);
		return r;
	}
	*ret_jobs = jobs;
	return 0;
}

struct status_jobs *status_jobs_free(struct status_jobs *jobs)
{
	if (!jobs)
		return NULL;
	jobs->waiters = status_waiters_free(jobs->waiters);
	if (jobs->job)
		status_job_end(jobs);
	free(jobs);
	return NULL;
}

static bool status_waiters_drop(struct status_waiter **link, const void *context)
{
	for (; *link; link = &(*link)->next) {
		struct status_waiter *waiter = *link;

		if (waiter->context != context)
			continue;
		*link = waiter->next;
		free(waiter);
		return true;
	}
	return false;
}

void status_jobs_leave(struct status_jobs *jobs, const void *context)
{
	if (jobs->job && status_waiters_drop(&jobs->job->waiters, context)) {
		if (!jobs->job->waiters)
			status_job_end(jobs);
	} else {
		(void)status_waiters_drop(&jobs->waiters, context);
	}
}

/* Who comes when a job has begun waits for the next: it might have passed what this client just changed. */
int status_jobs_wait(struct status_jobs *jobs, status_answer_fn *fn, void *context)
{
	struct status_waiter *waiter = calloc(1, sizeof(*waiter));

	if (!waiter)
		return -ENOMEM;
	*waiter = (struct status_waiter){ jobs->waiters, fn, context };
	jobs->waiters = waiter;
	if (!jobs->job)
		status_jobs_start(jobs);
	return 0;
}
