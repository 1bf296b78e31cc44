/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text in and text out: see text.h. */
#include "lb/client/import/text.h"

#include "common/grow.h"

#define TEXT_ROOM_BYTES 256u

/* Room for so many bytes more, and the zero byte. */
static bool reserve(struct text *text, size_t size_bytes)
{
	size_t room_bytes = text->room_bytes ? text->room_bytes : TEXT_ROOM_BYTES;
	char *data;

	while (room_bytes - text->size_bytes <= size_bytes)
		room_bytes *= 2;
	if (text->failed || room_bytes == text->room_bytes)
		return !text->failed;
	data = realloc(text->data, room_bytes);
	if (!data) {
		text->failed = true;
		return false;
	}
	text->data = data;
	text->room_bytes = room_bytes;
	return true;
}

void text_add(struct text *text, const char *data, size_t size_bytes)
{
	if (!reserve(text, size_bytes))
		return;
	memcpy(text->data + text->size_bytes, data, size_bytes);
	text->size_bytes += size_bytes;
	text->data[text->size_bytes] = '\0';
}

void text_format(struct text *text, const char *format, ...)
{
	_cleanup_free_ char *made = NULL;
	va_list args;
	int size_bytes;

	va_start(args, format);
	size_bytes = vasprintf(&made, format, args);
	va_end(args);
	if (size_bytes < 0) {
		made = NULL;
		text->failed = true;
		return;
	}
	text_add(text, made, (size_t)size_bytes);
}

void text_clear(struct text *text)
{
	free(text->data);
	*text = (struct text){ 0 };
}

struct text_lines text_lines(const char *data, size_t size_bytes)
{
	static const char mark[] = "\xef\xbb\xbf"; /* what some editors put before UTF-8 */

	if (size_bytes >= strlen(mark) && memcmp(data, mark, strlen(mark)) == 0)
		return (struct text_lines){ data + strlen(mark), data + size_bytes, 0 };
	return (struct text_lines){ data, data + size_bytes, 0 };
}

bool text_next_line(struct text_lines *lines, const char **ret_line, size_t *ret_size_bytes,
	struct why *ret_why)
{
	size_t left_bytes = (size_t)(lines->end - lines->data);
	const char *newline = left_bytes > 0 ? memchr(lines->data, '\n', left_bytes) : NULL;
	size_t size_bytes = newline ? (size_t)(newline - lines->data) : left_bytes;

	if (left_bytes == 0)
		return false;
	lines->number++;
	if (size_bytes > TEXT_LINE_BYTES_MAX || memchr(lines->data, '\0', size_bytes)) {
		why_set(ret_why, "line %u: %s", lines->number,
			size_bytes > TEXT_LINE_BYTES_MAX ? "is too long"
							 : "has a zero byte: this is no text");
		return false;
	}
	*ret_line = lines->data;
	lines->data += size_bytes + (newline ? 1 : 0);
	if (size_bytes > 0 && (*ret_line)[size_bytes - 1] == '\r')
		size_bytes--;
	*ret_size_bytes = size_bytes;
	return true;
}

void text_words_clear(struct text_words *words)
{
	free(words->items);
	free(words->storage);
	*words = (struct text_words){ 0 };
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\f' || byte == '\v';
}

/* One word, without its quotes, to `*to`; NULL: a quote has no end. */
static const char *copy_word(const char *at, const char *end, char **to)
{
	char quote = '\0';

	for (; at < end && (quote || !is_blank(*at)); at++) {
		if (quote == '"' && *at == '\\' && at + 1 < end)
			*(*to)++ = *++at;
		else if (quote && *at == quote)
			quote = '\0';
		else if (!quote && (*at == '"' || *at == '\''))
			quote = *at;
		else
			*(*to)++ = *at;
	}
	*(*to)++ = '\0';
	return quote ? NULL : at;
}

int text_split(
	const char *line, size_t size_bytes, struct text_words *ret_words, struct why *ret_why)
{
	_cleanup_free_ char *storage = malloc(size_bytes + 2);
	_cleanup_free_ char **items = NULL;
	const char *at = line, *end = line + size_bytes;
	char *to = storage;
	size_t len = 0;

	/* A word is no longer than its source but for the zero byte, which a blank or the end stands for. */
	if (!storage)
		return -ENOMEM;
	for (;;) {
		while (at < end && is_blank(*at))
			at++;
		if (at == end)
			break;
		if (len == TEXT_WORDS_MAX)
			return why_fail(ret_why, -EINVAL, "has more than %u words", TEXT_WORDS_MAX);
		if (GROW(items, len) < 0)
			return -ENOMEM;
		items[len++] = to;
		at = copy_word(at, end, &to);
		if (!at)
			return why_fail(ret_why, -EINVAL, "a quote has no end");
	}
	*ret_words = (struct text_words){ TAKE_PTR(items), len, TAKE_PTR(storage) };
	return 0;
}

bool text_number(const char *text, uint64_t max, uint64_t *ret_number)
{
	uint64_t number = 0;
	const char *next = text;

	for (; *next >= '0' && *next <= '9' && number <= max; next++)
		number = number * 10 + (uint64_t)(*next - '0');
	if (next == text || *next != '\0' || number > max)
		return false;
	*ret_number = number;
	return true;
}
