/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All of it is made at once: an agent has few things to tell. See paths.h. */
#include "agent/control/paths.h"

#include "agent/control/metrics.h"
#include "agent/control/status.h"
#include "agent/daemon/agent.h"
#include "agent/daemon/summary.h"
#include "common/control/control_text.h"
#include "common/http/http_common.h"

static void paths_answer(struct http_request *request, const struct http_content *content,
	char *bytes, size_t size_bytes)
{
	struct control_text *text = bytes ? control_text_new(bytes, size_bytes) : NULL;

	http_answer(request, 200, content, text);
	control_text_unref(text);
}

static void paths_metrics(struct http_request *request, void *context)
{
	json_t *document = status_make(context);
	size_t size_bytes = 0;
	char *bytes = document ? metrics_make(document, &size_bytes) : NULL;

	json_decref(document);
	paths_answer(request, &http_common_metrics, bytes, size_bytes);
}

static void paths_status(struct http_request *request, void *context)
{
	json_t *document = status_make(context);
	char *bytes = document ? json_dumps(document, JSON_COMPACT) : NULL;

	json_decref(document);
	paths_answer(request, &http_common_json, bytes, bytes ? strlen(bytes) : 0);
}

/* A host that takes new connections. */
static bool paths_ready(void *context, struct why *ret_why)
{
	return streq(summary_state(context, ret_why), "up");
}

static const struct http_common_calls paths_calls = { paths_metrics, paths_status, paths_ready };

int paths_start(struct agent *agent)
{
	return http_common_new(agent->event, agent->events, &paths_calls, agent, &agent->http);
}
