/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events as JSON: see event.h. */
#include "common/events/event.h"

#include <jansson.h>
#include <time.h>

static const struct {
	const char *id, *kind;
} messages[] = {
#define EVENT_ROW(name, kind, id) [EVENT_##name] = { id, kind },
	EVENT_MESSAGES(EVENT_ROW)
#undef EVENT_ROW
};
_Static_assert(ARRAY_LEN(messages) == EVENT_MESSAGE_N_, "every message has its id");

const char *event_id(enum event_message message)
{
	return messages[message].id;
}

const char *event_kind(enum event_message message)
{
	return messages[message].kind;
}

bool event_is_strangers(const char *id)
{
	static const enum event_message strangers[] = { EVENT_REFUSED, EVENT_CLAIM, EVENT_VIP_HELD,
		EVENT_TABLES };

	for (size_t i = 0; i < ARRAY_LEN(strangers); i++)
		if (streq(id, event_id(strangers[i])))
			return true;
	return false;
}

bool event_is_known(const char *id, const char *kind)
{
	for (size_t i = 0; id && kind && i < ARRAY_LEN(messages); i++)
		if (streq(messages[i].id, id) && streq(messages[i].kind, kind))
			return true;
	return false;
}

const char *event_time_format(uint64_t realtime_us, char *buffer)
{
	time_t seconds = (time_t)(realtime_us / US_PER_S);
	struct tm parts = { 0 };
	char date[EVENT_TIME_BYTES - 8];

	(void)gmtime_r(&seconds, &parts);
	if (strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts) == 0)
		date[0] = '\0';
	snprintf(buffer, EVENT_TIME_BYTES, "%s.%03uZ", date,
		(unsigned int)(realtime_us / US_PER_MS % 1000));
	return buffer;
}

/* A terminal obeys control codes, those of two bytes (U+0080 to U+009F) too. */
static json_t *event_string(const char *text)
{
	char clean[EVENT_WORDS_BYTES];
	json_t *string;

	snprintf(clean, sizeof(clean), "%s", text);
	for (unsigned char *at = (unsigned char *)clean; *at; at++)
		if (*at < ' ' || *at == 0x7f || (*at == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0))
			*at = '?';
	string = json_string(clean);
	if (string)
		return string;
	for (char *at = clean; *at; at++)
		if ((unsigned char)*at >= 0x80)
			*at = '?';
	return json_string(clean);
}

static int event_put(json_t *json, const char *name, const char *text)
{
	char cut[EVENT_TEXT_BYTES];

	if (!text || text[0] == '\0')
		return 0;
	snprintf(cut, sizeof(cut), "%s", text);
	return json_object_set_new(json, name, event_string(cut));
}

static int event_put_services(json_t *json, const struct event *event)
{
	json_t *services;

	if (event->n_services == 0)
		return 0;
	services = json_array();
	for (size_t i = 0; i < MIN(event->n_services, (size_t)EVENT_SERVICES_MAX); i++)
		if (json_array_append_new(services, json_string(event->services[i])) < 0) {
			json_decref(services);
			return -1;
		}
	return json_object_set_new(json, "services", services);
}

static int event_fill(json_t *json, const struct event *event, const char *words)
{
	const struct {
		const char *name, *text;
	} texts[] = {
		{ "backend", event->backend },
		{ "virtual_server", event->virtual_server },
		{ "vip", event->vip },
		{ "address", event->address },
		{ "interface", event->interface },
	};
	int r = 0;

	ARRAY_FOREACH (each, texts, ARRAY_LEN(texts))
		r |= event_put(json, each->name, each->text);
	r |= event_put_services(json, event);
	r |= json_object_set_new(json, "old", event_string(event->old ? event->old : ""));
	r |= json_object_set_new(json, "new", event_string(event->now ? event->now : ""));
	r |= json_object_set_new(json, "reason", event_string(event->reason ? event->reason : ""));
	r |= json_object_set_new(json, "message", event_string(words));
	return r;
}

char *event_json(
	const struct event *event, uint64_t sequence, uint64_t realtime_us, const char *words)
{
	char time_text[EVENT_TIME_BYTES];
	json_t *json = json_pack("{s:I, s:s, s:s, s:s}", "sequence", (json_int_t)sequence, "time",
		event_time_format(realtime_us, time_text), "id", event_id(event->message), "event",
		event_kind(event->message));
	char *text = NULL;

	if (json && event_fill(json, event, words) == 0)
		text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	return text;
}
