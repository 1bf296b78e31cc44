/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as the file of kept events: what is taken is a whole event with a sequence that grows, and what was
 * taken is taken again when it is written anew.
 */
#include "common/events/event.h"
#include "common/events/events_file.h"

#include <jansson.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct taken {
	uint64_t last;
	size_t n;
	char *text;
	size_t text_bytes;
};

static void take(const struct events_line *line, void *context)
{
	struct taken *taken = context;
	json_t *json = json_loadb(line->text, line->text_bytes, 0, NULL);

	if (!json || line->sequence <= taken->last || line->sequence >= EVENT_SEQUENCE_MAX ||
		line->text_bytes >= EVENT_LINE_MAX || memchr(line->text, '\n', line->text_bytes) ||
		!json_is_string(json_object_get(json, "message")))
		abort();
	json_decref(json);
	taken->last = line->sequence;
	taken->n++;
	taken->text = realloc(taken->text, taken->text_bytes + line->text_bytes + 1);
	if (!taken->text)
		abort();
	memcpy(taken->text + taken->text_bytes, line->text, line->text_bytes);
	taken->text[taken->text_bytes + line->text_bytes] = '\n';
	taken->text_bytes += line->text_bytes + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct taken first = { 0 }, again = { 0 };

	(void)events_file_parse((const char *)data, size, take, &first);
	if (events_file_parse(first.text, first.text_bytes, take, &again) != 0 ||
		again.n != first.n)
		abort();
	free(first.text);
	free(again.text);
	return 0;
}
