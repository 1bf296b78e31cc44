/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests by HTTP wait for the same jobs as those of the control socket: see paths.h. */
#include "lb/control/paths.h"

#include "common/control/control_text.h"
#include "common/http/http_common.h"
#include "lb/control/form/status_text.h"
#include "lb/control/status.h"
#include "lb/control/status_job.h"
#include "lb/daemon/balancer.h"

struct paths {
	const struct balancer *balancer;
	struct status_jobs *status, *metrics;
	struct http_common *common;
};

static void paths_metrics_gone(struct http_request *request, void *context)
{
	status_jobs_leave(((const struct paths *)context)->metrics, request);
}

static void paths_answer_metrics(struct control_text *text, void *context)
{
	http_answer(context, 200, &http_common_metrics, text);
}

static void paths_metrics(struct http_request *request, void *context)
{
	struct paths *paths = context;

	http_keep(request, paths_metrics_gone, paths);
	if (status_jobs_wait(paths->metrics, paths_answer_metrics, request) < 0)
		paths_answer_metrics(NULL, request);
}

static void paths_status_gone(struct http_request *request, void *context)
{
	status_jobs_leave(((const struct paths *)context)->status, request);
}

static void paths_answer_status(struct control_text *text, void *context)
{
	struct http_content content = http_common_json;

	content.skip_front_bytes = strlen(STATUS_TEXT_BEFORE);
	content.skip_back_bytes = strlen(STATUS_TEXT_AFTER);
	http_answer(context, 200, &content, text);
}

static void paths_status(struct http_request *request, void *context)
{
	struct paths *paths = context;

	http_keep(request, paths_status_gone, paths);
	if (status_jobs_wait(paths->status, paths_answer_status, request) < 0)
		paths_answer_status(NULL, request);
}

static bool paths_ready(void *context, struct why *ret_why)
{
	return status_is_ready(((const struct paths *)context)->balancer, NULL, ret_why);
}

static const struct http_common_calls paths_calls = { paths_metrics, paths_status, paths_ready };

int paths_new(struct balancer *balancer, struct status_jobs *status, struct status_jobs *metrics,
	struct paths **ret_paths)
{
	struct paths *paths = calloc(1, sizeof(*paths));
	int r;

	if (!paths)
		return -ENOMEM;
	paths->balancer = balancer;
	paths->status = status;
	paths->metrics = metrics;
	r = http_common_new(balancer->event, balancer->events, &paths_calls, paths, &paths->common);
	if (r < 0) {
		free(paths);
		return r;
	}
	*ret_paths = paths;
	return 0;
}

struct paths *paths_free(struct paths *paths)
{
	if (!paths)
		return NULL;
	http_common_free(paths->common);
	free(paths);
	return NULL;
}

struct http *paths_server(const struct paths *paths)
{
	return http_common_server(paths->common);
}
