/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The status document in parts: with millions of flow records or thousands of virtual servers it
 * takes longer than heartbeats can wait. Each part is a millisecond or some; the loop does what else
 * there is in between. What changes meanwhile is seen in a part or not; a reload begins anew.
 */
#include "lb/control/status_internal.h"

#define STATUS_STEP_BUCKETS  16384u
#define STATUS_STEP_BACKENDS 1024u
#define STATUS_TEXT_BYTES    ((size_t)4096) /* at first */

struct status_job {
	struct status_job *next;
	struct control_request *request;
	struct status_counts counts;
	struct status_members members;
	uint64_t bucket;
	bool counted;         /* all buckets are */
	bool lists;           /* members are known, and virtual servers are being listed */
	size_t server, first; /* the next, and where its services begin */
	uint64_t config_generation;
	char *text; /* of the virtual servers, each followed by a comma */
	size_t text_bytes, room_bytes;
};

static void status_job_free(struct status_job *job)
{
	status_members_clear(&job->members);
	free(job->text);
	free(job->counts.items);
	free(job);
}

/* Takes it out of the daemon's list and frees it. */
static void status_job_end(struct daemon *daemon, struct status_job *job)
{
	struct status_job **link = &daemon->status_jobs;

	while (*link != job)
		link = &(*link)->next;
	*link = job->next;
	status_job_free(job);
}

void status_jobs_free(struct daemon *daemon)
{
	while (daemon->status_jobs)
		status_job_end(daemon, daemon->status_jobs);
}

static bool status_job_count(const struct flows_entry *entry, void *context)
{
	status_count_add(context, entry->service, entry->backend);
	return true;
}

static void status_job_walk(struct daemon *daemon, struct status_job *job)
{
	for (unsigned int i = 0; !job->counted && i < STATUS_STEP_BUCKETS; i++)
		job->counted =
			!flows_each_in(keep_flows(daemon->keep), &job->bucket, status_service,
				daemon, status_now_s(daemon), status_job_count, &job->counts);
}

static int status_job_begin_list(struct daemon *daemon, struct status_job *job)
{
	status_members_clear(&job->members);
	job->text_bytes = job->server = job->first = 0;
	job->config_generation = daemon->config_generation;
	job->lists = true;
	if (!job->text)
		job->text = malloc(STATUS_TEXT_BYTES);
	job->room_bytes = MAX(job->room_bytes, STATUS_TEXT_BYTES);
	return job->text ? status_members_make(daemon, &job->members) : -ENOMEM;
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
static int status_job_list(struct daemon *daemon, struct status_job *job, bool *ret_more)
{
	const struct config *config = daemon->config;
	size_t n_listed = 0;
	int r = 0;

	if (!job->lists || job->config_generation != daemon->config_generation)
		r = status_job_begin_list(daemon, job);
	while (r == 0 && job->server < config->n_virtual_servers &&
		n_listed < STATUS_STEP_BACKENDS) {
		const struct config_virtual_server *each = config->virtual_servers[job->server++];
		json_t *made = status_virtual_server(
			daemon, &job->counts, &job->members, each, job->first);

		n_listed += 1 + json_array_size(json_object_get(made, "backends"));
		job->first += each->vips.len;
		r = status_job_add(job, made);
	}
	*ret_more = job->server < config->n_virtual_servers;
	return r;
}

/* {…, "virtual_servers":[…]} */
static void status_job_answer(struct daemon *daemon, struct status_job *job)
{
	json_t *document = status_document(daemon, &job->counts, &job->members);
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

/* One part; false: the client has its answer, and the job is no more. */
static bool status_job_step(struct daemon *daemon, struct status_job *job)
{
	bool more = true;
	int r;

	if (!job->counted) {
		status_job_walk(daemon, job);
		if (!job->counted)
			return true;
	}
	r = status_job_list(daemon, job, &more);
	if (r == 0 && more)
		return true;
	if (r < 0)
		control_fail(job->request, CONTROL_UNAVAILABLE, "status: out of memory");
	else
		status_job_answer(daemon, job);
	status_job_end(daemon, job);
	return false;
}

bool status_step(struct daemon *daemon)
{
	struct status_job *next;

	for (struct status_job *job = daemon->status_jobs; job; job = next) {
		next = job->next;
		(void)status_job_step(daemon, job);
	}
	return daemon->status_jobs != NULL;
}

static void status_gone(struct control_request *request, void *context)
{
	struct daemon *daemon = context;

	for (struct status_job *job = daemon->status_jobs; job; job = job->next)
		if (job->request == request) {
			status_job_end(daemon, job);
			return;
		}
}

void status_begin(struct daemon *daemon, struct control_request *request)
{
	struct status_job *job = calloc(1, sizeof(*job));

	if (!job) {
		control_fail(request, CONTROL_UNAVAILABLE, "status: out of memory");
		return;
	}
	job->request = request;
	job->next = daemon->status_jobs;
	daemon->status_jobs = job;
	/* A small balancer answers at once. */
	if (!status_job_step(daemon, job))
		return;
	control_request_keep(request, status_gone, daemon);
	daemon_walk(daemon);
}

/* Waiting for a drain. */

static bool status_count_wait(const struct flows_entry *entry, void *context)
{
	struct daemon_wait *wait = context;

	wait->flows += entry->backend == wait->counted;
	return true;
}

bool status_count_waits(struct daemon *daemon)
{
	bool more = false;

	ARRAY_FOREACH (wait, daemon->waits, DAEMON_WAITS_MAX) {
		bool goes_on = wait->request && wait->counts;

		for (unsigned int i = 0; goes_on && i < STATUS_STEP_BUCKETS; i++)
			goes_on = flows_each_in(keep_flows(daemon->keep), &wait->bucket,
				status_service, daemon, status_now_s(daemon), status_count_wait,
				wait);
		wait->is_counted |= wait->request && wait->counts && !goes_on;
		wait->counts = goes_on;
		more |= goes_on;
	}
	return more;
}
