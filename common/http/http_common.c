/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See http_common.h. */
#include "common/http/http_common.h"

#include "common/control/control_text.h"
#include "common/http/exposition.h"
#include "common/http/http_events.h"
#include "common/page/page.h"

struct http_common {
	struct http *http;
	struct events *events;
	const struct http_common_calls *calls;
	void *context;
	struct control_text *page;
	char policy[PAGE_POLICY_BYTES];
};

const struct http_content http_common_json = { .type = "application/json" };
const struct http_content http_common_metrics = { .type = EXPOSITION_TYPE };

static void http_common_page(struct http_request *request, void *context)
{
	const struct http_common *common = context;
	const struct http_content content = { .type = PAGE_TYPE, .policy = common->policy };

	http_answer(request, 200, &content, common->page);
}

static void http_common_health(struct http_request *request, void *context)
{
	http_say(request, 200, "ok");
}

static void http_common_ready(struct http_request *request, void *context)
{
	const struct http_common *common = context;
	struct why why = { 0 };

	if (common->calls->ready(common->context, &why))
		http_say(request, 200, "ready");
	else
		http_say(request, 503, "not ready: %s", why.text);
}

static void http_common_say_metrics(struct http_request *request, void *context)
{
	const struct http_common *common = context;

	common->calls->metrics(request, common->context);
}

static void http_common_status(struct http_request *request, void *context)
{
	const struct http_common *common = context;

	common->calls->status(request, common->context);
}

static void http_common_events(struct http_request *request, void *context)
{
	const struct http_common *common = context;

	http_events_serve(request, common->events);
}

static const struct http_path http_common_paths[] = {
	{ "/", http_common_page },
	{ "/healthz", http_common_health },
	{ "/readyz", http_common_ready },
	{ "/metrics", http_common_say_metrics },
	{ "/api/v1/status", http_common_status },
	{ "/api/v1/events", http_common_events },
};

int http_common_new(sd_event *event, struct events *events, const struct http_common_calls *calls,
	void *context, struct http_common **ret_common)
{
	_cleanup_(http_common_freep) struct http_common *common = calloc(1, sizeof(*common));
	char *page;
	size_t page_bytes;
	int r;

	if (!common)
		return -ENOMEM;
	common->events = events;
	common->calls = calls;
	common->context = context;
	page = page_make(common->policy, &page_bytes);
	common->page = page ? control_text_new(page, page_bytes) : NULL;
	if (!common->page)
		return -ENOMEM;
	r = http_new(event, http_common_paths, ARRAY_LEN(http_common_paths), common, &common->http);
	if (r < 0)
		return r;
	*ret_common = TAKE_PTR(common);
	return 0;
}

struct http_common *http_common_free(struct http_common *common)
{
	if (!common)
		return NULL;
	http_free(common->http);
	control_text_unref(common->page);
	free(common);
	return NULL;
}

struct http *http_common_server(const struct http_common *common)
{
	return common->http;
}
