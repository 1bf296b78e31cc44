/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A text for each family, joined at the end: see exposition.h. */
#include "common/http/exposition.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define EXPOSITION_ROOM_BYTES  ((size_t)1024) /* of a family, at first */
#define EXPOSITION_VALUE_BYTES 32u

struct exposition_text {
	char *bytes;
	size_t len, room;
};

struct exposition {
	const struct exposition_family *families;
	size_t n_families;
	bool spoilt;
	struct exposition_text texts[]; /* of each family, its samples */
};

struct exposition *exposition_new(const struct exposition_family *families, size_t n_families)
{
	struct exposition *exposition =
		calloc(1, sizeof(*exposition) + n_families * sizeof(exposition->texts[0]));

	if (!exposition)
		return NULL;
	exposition->families = families;
	exposition->n_families = n_families;
	return exposition;
}

struct exposition *exposition_free(struct exposition *exposition)
{
	if (!exposition)
		return NULL;
	for (size_t i = 0; i < exposition->n_families; i++)
		free(exposition->texts[i].bytes);
	free(exposition);
	return NULL;
}

static void exposition_text_clear(struct exposition_text *text)
{
	free(text->bytes);
}

static int exposition_append(struct exposition_text *text, const char *bytes, size_t size_bytes)
{
	if (text->room - text->len < size_bytes) {
		size_t room = MAX(2 * (text->room + size_bytes), EXPOSITION_ROOM_BYTES);
		char *larger = realloc(text->bytes, room);

		if (!larger)
			return -ENOMEM;
		text->bytes = larger;
		text->room = room;
	}
	memcpy(text->bytes + text->len, bytes, size_bytes);
	text->len += size_bytes;
	return 0;
}

static void exposition_put(
	struct exposition *exposition, size_t family, const char *bytes, size_t size_bytes)
{
	if (exposition_append(&exposition->texts[family], bytes, size_bytes) < 0)
		exposition->spoilt = true;
}

static void exposition_puts(struct exposition *exposition, size_t family, const char *words)
{
	exposition_put(exposition, family, words, strlen(words));
}

/* Bytes of the UTF-8 character (RFC 3629) that begins here; 0: none does. */
static size_t exposition_character(const unsigned char *at)
{
	size_t len = at[0] < 0x80                ? 1
		: at[0] >= 0xc2 && at[0] <= 0xdf ? 2
		: (at[0] & 0xf0) == 0xe0         ? 3
		: at[0] >= 0xf0 && at[0] <= 0xf4 ? 4
						 : 0;

	for (size_t i = 1; i < len; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	/* Not the shortest form, a surrogate, or beyond the last. */
	if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
		(at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
		return 0;
	return len;
}

static void exposition_put_value(struct exposition *exposition, size_t family, const char *value)
{
	const unsigned char *at = (const unsigned char *)value;

	while (*at) {
		size_t len = exposition_character(at);

		if (*at == '\n')
			exposition_put(exposition, family, "\\n", 2);
		else if (len == 0)
			exposition_put(exposition, family, "?", 1);
		else {
			if (*at == '\\' || *at == '"')
				exposition_put(exposition, family, "\\", 1);
			exposition_put(exposition, family, (const char *)at, len);
		}
		at += MAX(len, (size_t)1);
	}
}

static void exposition_put_labels(
	struct exposition *exposition, size_t family, const struct exposition_label *labels)
{
	const char *before = "{";

	for (const struct exposition_label *label = labels; label && label->name; label++) {
		exposition_puts(exposition, family, before);
		exposition_puts(exposition, family, label->name);
		exposition_puts(exposition, family, "=\"");
		exposition_put_value(exposition, family, label->value);
		before = "\",";
	}
	if (before[0] != '{')
		exposition_puts(exposition, family, "\"}");
}

static void exposition_add(struct exposition *exposition, size_t family,
	const struct exposition_label *labels, const char *value)
{
	exposition_puts(exposition, family, exposition->families[family].name);
	exposition_put_labels(exposition, family, labels);
	exposition_put(exposition, family, " ", 1);
	exposition_puts(exposition, family, value);
	exposition_put(exposition, family, "\n", 1);
}

void exposition_count(struct exposition *exposition, size_t family,
	const struct exposition_label *labels, uint64_t value)
{
	char text[EXPOSITION_VALUE_BYTES];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	exposition_add(exposition, family, labels, text);
}

void exposition_measure(struct exposition *exposition, size_t family,
	const struct exposition_label *labels, double value)
{
	char text[EXPOSITION_VALUE_BYTES];

	if (isfinite(value))
		snprintf(text, sizeof(text), "%.15g", value);
	else
		snprintf(text, sizeof(text), "%s",
			isnan(value)        ? "NaN"
				: value > 0 ? "+Inf"
					    : "-Inf");
	exposition_add(exposition, family, labels, text);
}

/* The lines that stand before a family's samples. */
static int exposition_head(const struct exposition_family *family, char **ret_head)
{
	static const char *const kinds[] = { "gauge", "counter" };

	return asprintf(ret_head, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help,
		family->name, kinds[family->kind]);
}

char *exposition_take(struct exposition *exposition, size_t *ret_bytes)
{
	_cleanup_(exposition_text_clear) struct exposition_text whole = { 0 };

	if (exposition->spoilt || exposition_append(&whole, "", 1) < 0)
		return NULL;
	whole.len = 0;
	for (size_t i = 0; i < exposition->n_families; i++) {
		const struct exposition_text *text = &exposition->texts[i];
		_cleanup_free_ char *head = NULL;
		int len;

		if (text->len == 0)
			continue;
		len = exposition_head(&exposition->families[i], &head);
		if (len < 0) {
			head = NULL;
			return NULL;
		}
		if (exposition_append(&whole, head, (size_t)len) < 0 ||
			exposition_append(&whole, text->bytes, text->len) < 0)
			return NULL;
	}
	*ret_bytes = whole.len;
	return TAKE_PTR(whole.bytes);
}
