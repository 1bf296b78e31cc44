/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See http_events.h. */
#include "common/http/http_events.h"

#include <stdio.h>

#include "common/control/control_text.h"
#include "common/events/events.h"
#include "common/http/http.h"

#define HTTP_EVENTS_TYPE "text/event-stream"

struct http_follower {
	struct events *events;
	struct http_request *request;
	struct events_watch *watch;
	uint64_t after; /* what it has been given */
	char *text;
};

static const char *http_follower_next(void *context)
{
	struct http_follower *follower = context;
	const char *json = events_next(follower->events, follower->after, &follower->after);

	free(TAKE_PTR(follower->text));
	if (json &&
		asprintf(&follower->text, "id: %llu\ndata: %s\n\n",
			(unsigned long long)follower->after, json) < 0)
		follower->text = NULL;
	return follower->text;
}

static void http_follower_free(struct http_follower *follower)
{
	events_unwatch(follower->watch);
	free(follower->text);
	free(follower);
}

static void http_follower_gone(struct http_request *request, void *context)
{
	http_follower_free(context);
}

static void http_follower_wake(void *context)
{
	const struct http_follower *follower = context;

	http_stream_wake(follower->request);
}

/* Where to go on; what was never told of is of an earlier ring, and then all is told. */
static uint64_t http_events_after(const struct http_request *request, const struct events *events)
{
	const char *text = http_header(request, "Last-Event-ID");
	unsigned long long sequence;
	char *end;

	if (!text || text[0] < '0' || text[0] > '9')
		return 0;
	errno = 0;
	sequence = strtoull(text, &end, 10);
	return errno || *end || sequence > events_last(events) ? 0 : sequence;
}

static void http_events_head(struct http_request *request)
{
	static const struct http_content content = { .type = HTTP_EVENTS_TYPE };
	struct control_text *text = control_text_new(strdup(""), 0);

	http_answer(request, 200, &content, text);
	control_text_unref(text);
}

void http_events_serve(struct http_request *request, struct events *events)
{
	struct http_follower *follower;

	if (http_is_head(request)) {
		http_events_head(request);
		return;
	}
	follower = calloc(1, sizeof(*follower));
	if (!follower) {
		http_say(request, 503, "out of memory");
		return;
	}
	follower->events = events;
	follower->request = request;
	follower->after = http_events_after(request, events);
	follower->watch = events_watch(events, http_follower_wake, follower);
	if (follower->watch &&
		http_stream(request, HTTP_EVENTS_TYPE, http_follower_next, http_follower_gone,
			follower) == 0)
		return;
	http_follower_free(follower);
	http_say(request, 503, "%u clients follow already; end one", HTTP_STREAMS_MAX);
}
