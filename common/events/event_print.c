/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines from an event's JSON: see event_print.h. */
#include "common/events/event_print.h"

#include "common/events/event.h"

static const char *const format_names[] = {
	[EVENT_FORMAT_TEXT] = "text",
	[EVENT_FORMAT_KEEPALIVED] = "keepalived",
};
_Static_assert(ARRAY_LEN(format_names) == EVENT_FORMAT_N_, "every format has its name");

bool event_format_parse(const char *name, enum event_format *ret_format)
{
	for (size_t i = 0; i < ARRAY_LEN(format_names); i++)
		if (streq(name, format_names[i])) {
			*ret_format = (enum event_format)i;
			return true;
		}
	return false;
}

static const char *event_member(const json_t *event, const char *name)
{
	const char *text = json_string_value(json_object_get(event, name));

	return text ? text : "";
}

static void event_print_text(const json_t *event, FILE *out)
{
	(void)fprintf(out, "%s %s\n", event_member(event, "time"), event_member(event, "message"));
}

/* keepalived knows up and down alone: who takes no new connections is down. */
static const char *event_change(const json_t *event, const char *good)
{
	bool before = streq(event_member(event, "old"), good);
	bool after = streq(event_member(event, "new"), good);

	return before == after ? NULL : after ? "UP" : "DOWN";
}

/* The real server has the port of its service: DSR translates none. */
static void event_print_real_server(
	const json_t *event, const char *service, const char *change, FILE *out)
{
	const char *end = strchr(service, ']');

	if (end)
		(void)fprintf(out, "RS [%s]%s %s %s\n", event_member(event, "address"), end + 1,
			service, change);
}

static void event_print_keepalived(const json_t *event, FILE *out)
{
	const char *id = event_member(event, "id"), *change = NULL;
	bool is_backend =
		streq(id, event_id(EVENT_BACKEND_STATE)) || streq(id, event_id(EVENT_BACKEND_LEFT));
	const json_t *services = json_object_get(event, "services");

	if (is_backend)
		change = event_change(event, "up");
	else if (streq(id, event_id(EVENT_VIRTUAL_SERVER)))
		change = event_change(event, "ready");
	for (size_t i = 0; change && i < json_array_size(services); i++) {
		const char *service = json_string_value(json_array_get(services, i));

		if (service && is_backend)
			event_print_real_server(event, service, change, out);
		else if (service)
			(void)fprintf(out, "VS %s %s\n", service, change);
	}
}

char *event_print(const json_t *event, enum event_format format)
{
	char *text = NULL;
	size_t text_bytes = 0;
	FILE *out = open_memstream(&text, &text_bytes);

	if (!out)
		return NULL;
	if (format == EVENT_FORMAT_KEEPALIVED)
		event_print_keepalived(event, out);
	else
		event_print_text(event, out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
