/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counted references to an answer's bytes; see control_text.h. */
#include "common/control/control_text.h"

#include <assert.h>

struct control_text {
	char *bytes;
	size_t size_bytes;
	size_t n_references;
	size_t n_readers[CONTROL_PEER_N_];
};

struct control_text *control_text_new(char *bytes, size_t size_bytes)
{
	struct control_text *text = calloc(1, sizeof(*text));

	if (!text) {
		free(bytes);
		return NULL;
	}
	text->bytes = bytes;
	text->size_bytes = size_bytes;
	text->n_references = 1;
	return text;
}

/* Steals `answer`. */
static struct control_text *control_text_json(json_t *answer)
{
	char *line = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
	size_t size_bytes = line ? strlen(line) : 0;

	json_decref(answer);
	if (!line)
		return NULL;
	/* The line end takes the place of the terminating zero. */
	line[size_bytes++] = '\n';
	return control_text_new(line, size_bytes);
}

struct control_text *control_text_result(int status, json_t *result)
{
	json_t *answer = json_pack("{s:i}", "status", status);

	if (result && (!answer || json_object_set(answer, "result", result) < 0)) {
		json_decref(answer);
		answer = NULL;
	}
	json_decref(result);
	return control_text_json(answer);
}

struct control_text *control_text_error(int status, const char *words)
{
	/* Words that a client sent may be no UTF-8, and then no JSON. */
	json_t *error = json_string(words);

	if (!error)
		error = json_string("the request is not UTF-8");
	return control_text_json(json_pack("{s:i, s:o}", "status", status, "error", error));
}

struct control_text *control_text_ref(struct control_text *text)
{
	if (text)
		text->n_references++;
	return text;
}

struct control_text *control_text_unref(struct control_text *text)
{
	if (!text || --text->n_references > 0)
		return NULL;
	free(text->bytes);
	free(text);
	return NULL;
}

const char *control_text_bytes(const struct control_text *text, size_t *ret_size_bytes)
{
	*ret_size_bytes = text ? text->size_bytes : 0;
	return text ? text->bytes : NULL;
}

size_t control_text_enter(struct control_text *text, enum control_peer peer)
{
	return text && text->n_readers[peer]++ == 0 ? text->size_bytes : 0;
}

size_t control_text_leave(struct control_text *text, enum control_peer peer)
{
	size_t left_bytes = 0;

	if (!text)
		return 0;
	assert(text->n_readers[peer] > 0);
	if (--text->n_readers[peer] == 0)
		left_bytes = text->size_bytes;
	control_text_unref(text);
	return left_bytes;
}
