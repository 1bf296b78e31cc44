/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One job for each client that waits: see status_job.h. */
#include "lb/control/status_job.h"

#include "common/control/control.h"
#include "common/os/idle.h"
#include "lb/config/model.h"
#include "lb/control/status.h"
#include "lb/control/status_count.h"
#include "lb/daemon/balancer.h"
#include "lb/table/flow_walk.h"

#define STATUS_STEP_BACKENDS 1024u
#define STATUS_TEXT_BYTES    ((size_t)4096) /* at first */

struct status_job {
	struct status_job *next;
	struct status_jobs *jobs;
	struct control_request *request;
	struct status_counts counts;
	struct status_members members;
	struct flow_walk_job walk;
	bool counted;         /* all flow records are */
	bool lists;           /* members are known, and virtual servers are being listed */
	size_t server, first; /* the next, and where its services begin */
	uint64_t config_generation;
	char *text; /* of the virtual servers, each followed by a comma */
	size_t text_bytes, room_bytes;
};

struct status_jobs {
	struct balancer *balancer;
	struct status_job *first;
};

static void status_job_free(struct status_job *job)
{
	status_members_clear(&job->members);
	free(job->text);
	status_counts_clear(&job->counts);
	free(job);
}

/* Takes it out of the list and frees it. */
static void status_job_end(struct status_jobs *jobs, struct status_job *job)
{
	struct status_job **link = &jobs->first;

	while (*link != job)
		link = &(*link)->next;
	*link = job->next;
	flow_walk_leave(jobs->balancer->flow_walk, &job->walk);
	status_job_free(job);
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

static int status_job_begin_list(const struct balancer *balancer, struct status_job *job)
{
	status_members_clear(&job->members);
	job->text_bytes = job->server = job->first = 0;
	job->config_generation = balancer->config_generation;
	job->lists = true;
	if (!job->text)
		job->text = malloc(STATUS_TEXT_BYTES);
	job->room_bytes = MAX(job->room_bytes, STATUS_TEXT_BYTES);
	return job->text ? status_members_make(balancer, &job->members) : -ENOMEM;
}

/* Steals `server`. As text it takes a fourth of the memory, and need not be written all at once. */
static int status_job_add(struct status_job *job, json_t *server)
{
	_cleanup_free_ char *text = server ? json_dumps(server, JSON_COMPACT) : NULL;
	size_t size_bytes = text ? strlen(text) : 0;

	json_decref(server);
	if (!text)
		return -ENOMEM;
	/* Its comma; and the end of the document may be a byte longer than that. */
	if (job->room_bytes - job->text_bytes < size_bytes + 2) {
		size_t room_bytes = 2 * (job->room_bytes + size_bytes + 2);
		char *larger = realloc(job->text, room_bytes);

		if (!larger)
			return -ENOMEM;
		job->text = larger;
		job->room_bytes = room_bytes;
	}
	memcpy(job->text + job->text_bytes, text, size_bytes);
	job->text[job->text_bytes + size_bytes] = ',';
	job->text_bytes += size_bytes + 1;
	return 0;
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

/* {…, "virtual_servers":[…]} */
static void status_job_answer(const struct balancer *balancer, struct status_job *job)
{
	json_t *document = status_document(balancer, &job->counts, &job->members);
	_cleanup_free_ char *head = document ? json_dumps(document, JSON_COMPACT) : NULL;
	_cleanup_free_ char *object = NULL;

	json_decref(document);
	/* Its last brace comes later, and so does the end of the array. */
	if (!head ||
		asprintf(&object, "%.*s,\"virtual_servers\":[", (int)strlen(head) - 1, head) < 0) {
		control_fail(job->request, CONTROL_UNAVAILABLE, "status: out of memory");
		return;
	}
	job->text_bytes -= job->text_bytes > 0;
	memcpy(job->text + job->text_bytes, "]}", 2);
	control_reply_text(job->request, object, job->text, job->text_bytes + 2);
}

/* One part; with the last one the client has its answer, and the job is no more. */
static void status_job_step(struct status_jobs *jobs, struct status_job *job)
{
	bool more = true;
	int r;

	r = status_job_list(jobs->balancer, job, &more);
	if (r == 0 && more)
		return;
	if (r < 0)
		control_fail(job->request, CONTROL_UNAVAILABLE, "status: out of memory");
	else
		status_job_answer(jobs->balancer, job);
	status_job_end(jobs, job);
}

static bool status_jobs_step(void *context)
{
	struct status_jobs *jobs = context;
	struct status_job *next;
	bool more = false;

	for (struct status_job *job = jobs->first; job; job = next) {
		next = job->next;
		if (job->counted)
			status_job_step(jobs, job);
	}
	for (const struct status_job *job = jobs->first; job; job = job->next)
		more |= job->counted;
	return more;
}

int status_jobs_new(struct balancer *balancer, struct status_jobs **ret_jobs)
{
	struct status_jobs *jobs = calloc(1, sizeof(*jobs));
	int r;

	if (!jobs)
		return -ENOMEM;
	jobs->balancer = balancer;
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
	while (jobs && jobs->first)
		status_job_end(jobs, jobs->first);
	free(jobs);
	return NULL;
}

static void status_job_gone(struct control_request *request, void *context)
{
	struct status_jobs *jobs = context;

	for (struct status_job *job = jobs->first; job; job = job->next)
		if (job->request == request) {
			status_job_end(jobs, job);
			return;
		}
}

void status_jobs_begin(struct status_jobs *jobs, struct control_request *request)
{
	struct status_job *job = calloc(1, sizeof(*job));

	if (!job) {
		control_fail(request, CONTROL_UNAVAILABLE, "status: out of memory");
		return;
	}
	job->jobs = jobs;
	job->request = request;
	job->walk = (struct flow_walk_job){
		.each = status_job_count,
		.done = status_job_counted,
		.context = job,
	};
	job->next = jobs->first;
	jobs->first = job;
	control_request_keep(request, status_job_gone, jobs);
	flow_walk_join(jobs->balancer->flow_walk, &job->walk);
}
