/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Those who follow have a place in the ring and no queue of their own: a slow one costs nothing, and misses what
 * has left the ring; see events_verb.h.
 */
#include "common/events/events_verb.h"

#include "common/control/control.h"
#include "common/control/control_text.h"

struct events_follower {
	struct events_verb *verb;
	struct events_follower *next, **link;
	struct control_request *request;
	struct events_watch *watch;
	uint64_t after; /* what it has been given */
	char *line;
};

struct events_verb {
	struct events *events;
	struct events_follower *followers;
};

struct events_verb *events_verb_new(struct events *events)
{
	struct events_verb *verb = calloc(1, sizeof(*verb));

	if (verb)
		verb->events = events;
	return verb;
}

static void events_follower_free(struct events_follower *follower)
{
	*follower->link = follower->next;
	if (follower->next)
		follower->next->link = follower->link;
	events_unwatch(follower->watch);
	free(follower->line);
	free(follower);
}

struct events_verb *events_verb_free(struct events_verb *verb)
{
	if (!verb)
		return NULL;
	while (verb->followers)
		events_follower_free(verb->followers);
	free(verb);
	return NULL;
}

static const char *events_follower_next(void *context)
{
	struct events_follower *follower = context;
	const char *json = events_next(follower->verb->events, follower->after, &follower->after);

	free(TAKE_PTR(follower->line));
	if (json && asprintf(&follower->line, "%s\n", json) < 0)
		follower->line = NULL;
	return follower->line;
}

static void events_follower_gone(struct control_request *request, void *context)
{
	events_follower_free(context);
}

static void events_follower_wake(void *context)
{
	const struct events_follower *follower = context;

	control_stream_wake(follower->request);
}

static void events_follow(struct events_verb *verb, struct control_request *request)
{
	struct events_follower *follower = calloc(1, sizeof(*follower));

	if (!follower) {
		control_fail(request, CONTROL_UNAVAILABLE, "out of memory");
		return;
	}
	*follower = (struct events_follower){
		.verb = verb,
		.next = verb->followers,
		.link = &verb->followers,
		.request = request,
	};
	if (follower->next)
		follower->next->link = &follower->next;
	verb->followers = follower;
	follower->watch = events_watch(verb->events, events_follower_wake, follower);
	if (follower->watch &&
		control_stream(request, events_follower_next, events_follower_gone, follower) == 0)
		return;
	events_follower_free(follower);
	control_fail(request, CONTROL_UNAVAILABLE,
		"too many clients follow already; end one, or ask without -f");
}

void events_verb_serve(
	struct events_verb *verb, struct control_request *request, const json_t *args)
{
	_cleanup_free_ char *line = NULL;
	struct control_text *text;
	size_t line_bytes = 0;
	uint64_t sequence = 0;
	const char *json;
	FILE *stream;

	if (json_is_true(json_object_get(args, "follow"))) {
		events_follow(verb, request);
		return;
	}
	stream = open_memstream(&line, &line_bytes);
	if (!stream) {
		control_fail(request, CONTROL_UNAVAILABLE, "out of memory");
		return;
	}
	fputs("{\"status\":0,\"result\":{\"events\":[", stream);
	for (const char *comma = ""; (json = events_next(verb->events, sequence, &sequence));
		comma = ",")
		fprintf(stream, "%s%s", comma, json);
	fputs("]}}\n", stream);
	if (fclose(stream) != 0) {
		control_fail(request, CONTROL_UNAVAILABLE, "out of memory");
		return;
	}
	text = control_text_new(TAKE_PTR(line), line_bytes);
	control_reply_text(request, text);
	control_text_unref(text);
}
