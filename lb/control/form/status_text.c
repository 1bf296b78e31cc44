/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As text it takes a fourth of the memory, and need not be written all at once: see status_text.h. */
#include "lb/control/form/status_text.h"

#include "common/control/control_text.h"

#define STATUS_TEXT_BYTES ((size_t)4096)         /* at first */
#define STATUS_TEXT_END   "]}" STATUS_TEXT_AFTER /* of virtual servers, result and answer */

/* Of the answer so far; each virtual server is followed by a comma. */
struct status_text {
	char *bytes;
	size_t len, room_bytes;
};

static void status_text_free(void *context)
{
	struct status_text *text = context;

	free(text->bytes);
	free(text);
}

static int status_text_append(struct status_text *text, const char *bytes, size_t size_bytes)
{
	if (text->room_bytes - text->len < size_bytes) {
		size_t room_bytes = MAX(2 * (text->room_bytes + size_bytes), STATUS_TEXT_BYTES);
		char *larger = realloc(text->bytes, room_bytes);

		if (!larger)
			return -ENOMEM;
		text->bytes = larger;
		text->room_bytes = room_bytes;
	}
	memcpy(text->bytes + text->len, bytes, size_bytes);
	text->len += size_bytes;
	return 0;
}

/* {"status":0,"result":{…,"virtual_servers":[ */
static void *status_text_begin(const struct balancer *balancer, const json_t *document)
{
	static const char after[] = ",\"virtual_servers\":[";
	_cleanup_free_ char *head = json_dumps(document, JSON_COMPACT);
	struct status_text *text = head ? calloc(1, sizeof(*text)) : NULL;

	if (!text)
		return NULL;
	/* The head's last brace comes later. */
	if (status_text_append(text, STATUS_TEXT_BEFORE, strlen(STATUS_TEXT_BEFORE)) == 0 &&
		status_text_append(text, head, strlen(head) - 1) == 0 &&
		status_text_append(text, after, strlen(after)) == 0)
		return text;
	status_text_free(text);
	return NULL;
}

static int status_text_add(void *context, const json_t *server)
{
	_cleanup_free_ char *line = json_dumps(server, JSON_COMPACT);
	int r = line ? status_text_append(context, line, strlen(line)) : -ENOMEM;

	return r < 0 ? r : status_text_append(context, ",", 1);
}

/* In no more room than it takes. */
static struct control_text *status_text_end(void *context)
{
	struct status_text *text = context;
	char *exact;

	text->len -= text->bytes[text->len - 1] == ',';
	if (status_text_append(text, STATUS_TEXT_END, strlen(STATUS_TEXT_END)) < 0)
		return NULL;
	exact = realloc(text->bytes, text->len);
	if (exact)
		text->bytes = exact;
	return control_text_new(TAKE_PTR(text->bytes), text->len);
}

const struct status_form status_text_form = {
	.begin = status_text_begin,
	.add = status_text_add,
	.end = status_text_end,
	.free = status_text_free,
};
