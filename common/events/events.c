/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ring, its watchers and its lines in the log: see events.h. */
#include "common/events/events.h"

#include <assert.h>

#include "common/os/clock.h"

#define EVENTS_STRANGERS_MAX (EVENTS_KEPT_MAX / 4)
#define EVENTS_FIELDS_MAX    12u
#define EVENTS_FIELD_BYTES   (EVENT_TEXT_BYTES + 32u)

struct events_entry {
	uint64_t sequence;
	char *json;
	bool strangers; /* event_is_strangers() */
};

struct events_watch {
	struct events *events;
	struct events_watch *next, **link;
	events_watch_fn *fn;
	void *context;
};

struct events {
	char *directory;
	struct events_entry ring[EVENTS_KEPT_MAX];
	size_t first, len;
	size_t n_strangers;
	uint64_t last; /* sequence of the newest */
	int fd;        /* -1: what is raised is not kept */
	size_t n_lines;
	bool failed; /* the last could not be kept, and it was said */
	struct events_watch *watches;
	struct events_watch *calling; /* the next one to be called */
};

static struct events_entry *events_at(const struct events *events, size_t idx)
{
	return (struct events_entry *)&events->ring[(events->first + idx) % EVENTS_KEPT_MAX];
}

static void events_remove(struct events *events, size_t idx)
{
	struct events_entry gone = *events_at(events, idx);

	for (; idx > 0; idx--)
		*events_at(events, idx) = *events_at(events, idx - 1);
	events->first = (events->first + 1) % EVENTS_KEPT_MAX;
	events->len--;
	events->n_strangers -= gone.strangers;
	free(gone.json);
}

/* The oldest goes; but strangers, who could say more than all others, have a share that they cannot leave. */
static void events_make_room(struct events *events)
{
	size_t idx = 0;

	if (events->len < EVENTS_KEPT_MAX)
		return;
	while (events->n_strangers > EVENTS_STRANGERS_MAX && !events_at(events, idx)->strangers)
		idx++;
	events_remove(events, idx);
}

/* Takes the text of the entry. */
static void events_add(struct events *events, struct events_entry entry)
{
	events_make_room(events);
	*events_at(events, events->len++) = entry;
	events->n_strangers += entry.strangers;
	events->last = entry.sequence;
}

static void events_on_line(const struct events_line *line, void *context)
{
	char *json = strndup(line->text, line->text_bytes);

	if (json)
		events_add(context, (struct events_entry){ line->sequence, json, line->strangers });
}

/* ---- the file ---- */

static void events_say_not_kept(struct events *events, int error)
{
	if (error < 0 && !events->failed)
		(void)log_warning_errno(error,
			"events cannot be kept in %s; a restart would forget the latest",
			events->directory);
	events->failed = error < 0;
}

static int events_rewrite(struct events *events)
{
	char *lines[EVENTS_KEPT_MAX];
	int r, fd = -1;

	for (size_t i = 0; i < events->len; i++)
		lines[i] = events_at(events, i)->json;
	r = events_file_replace(events->directory, lines, events->len, &fd);
	if (r < 0)
		return r;
	util_close(events->fd);
	events->fd = fd;
	events->n_lines = events->len;
	return 0;
}

/* What could not be written whole is a torn line, which the next one must not be joined to. */
static void events_keep(struct events *events, const char *json)
{
	int r = -EBADF;

	if (events->fd >= 0 && !events->failed && events->n_lines < EVENTS_LINES_MAX)
		r = events_file_append(events->fd, json, strlen(json));
	if (r == 0)
		events->n_lines++;
	else
		r = events_rewrite(events);
	events_say_not_kept(events, r);
}

struct events *events_new(const char *directory)
{
	struct events *events = calloc(1, sizeof(*events));
	struct why why = { 0 };
	int r;

	if (!events)
		return NULL;
	events->fd = -1;
	events->directory = strdup(directory);
	if (!events->directory)
		return events_free(events);
	r = events_file_read(directory, events_on_line, events, &why);
	if (why.text[0])
		log_warning("%s%s", why.text, r < 0 ? "; events begin anew" : "");
	/* Written anew, so that a torn or damaged line is gone, and what was not ours is ours. */
	events_say_not_kept(events, events_rewrite(events));
	return events;
}

struct events *events_free(struct events *events)
{
	if (!events)
		return NULL;
	assert(!events->watches);
	for (size_t i = 0; i < events->len; i++)
		free(events_at(events, i)->json);
	util_close(events->fd);
	free(events->directory);
	free(events);
	return NULL;
}

/* ---- the log ---- */

struct events_fields {
	char text[EVENTS_FIELDS_MAX][EVENTS_FIELD_BYTES];
	const char *list[EVENTS_FIELDS_MAX + 1];
	size_t len;
};

static void events_field(struct events_fields *fields, const char *name, const char *value)
{
	char *text;

	if (!value || value[0] == '\0' || fields->len >= EVENTS_FIELDS_MAX)
		return;
	text = fields->text[fields->len];
	snprintf(text, sizeof(fields->text[0]), "%s=%s", name, value);
	fields->list[fields->len++] = text;
}

static void events_log(const struct event *event, const char *words)
{
	struct events_fields fields = { .len = 0 };

	events_field(&fields, "MESSAGE_ID", event_id(event->message));
	events_field(&fields, "DSR_EVENT", event_kind(event->message));
	events_field(&fields, "DSR_BACKEND", event->backend);
	events_field(&fields, "DSR_VIRTUAL_SERVER", event->virtual_server);
	events_field(&fields, "DSR_VIP", event->vip);
	events_field(&fields, "DSR_ADDRESS", event->address);
	events_field(&fields, "DSR_INTERFACE", event->interface);
	events_field(&fields, "DSR_OLD", event->old);
	events_field(&fields, "DSR_NEW", event->now);
	events_field(&fields, "DSR_REASON", event->reason);
	log_fields(event->level, fields.list, "%s", words);
}

/* ---- raising and reading ---- */

static void events_tell(struct events *events)
{
	for (struct events_watch *watch = events->watches; watch; watch = events->calling) {
		events->calling = watch->next;
		watch->fn(watch->context);
	}
	events->calling = NULL;
}

void events_raise(struct events *events, const struct event *event, const char *format, ...)
{
	char words[EVENT_WORDS_BYTES];
	va_list args;
	char *json;

	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	events_log(event, words);
	if (!events)
		return;
	json = event_json(event, events->last + 1, clock_realtime_us(), words);
	if (!json)
		return;
	events_add(events,
		(struct events_entry){
			events->last + 1, json, event_is_strangers(event_id(event->message)) });
	events_keep(events, json);
	events_tell(events);
}

const char *events_next(const struct events *events, uint64_t after, uint64_t *ret_sequence)
{
	size_t low = 0, high = events->len;
	const struct events_entry *entry;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (events_at(events, middle)->sequence > after)
			high = middle;
		else
			low = middle + 1;
	}
	if (low == events->len)
		return NULL;
	entry = events_at(events, low);
	*ret_sequence = entry->sequence;
	return entry->json;
}

uint64_t events_last(const struct events *events)
{
	return events->last;
}

struct events_watch *events_watch(struct events *events, events_watch_fn *fn, void *context)
{
	struct events_watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	*watch = (struct events_watch){ events, events->watches, &events->watches, fn, context };
	if (watch->next)
		watch->next->link = &watch->next;
	events->watches = watch;
	return watch;
}

struct events_watch *events_unwatch(struct events_watch *watch)
{
	if (!watch)
		return NULL;
	if (watch->events->calling == watch)
		watch->events->calling = watch->next;
	*watch->link = watch->next;
	if (watch->next)
		watch->next->link = watch->link;
	free(watch);
	return NULL;
}
