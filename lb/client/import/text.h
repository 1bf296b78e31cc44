/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text in and text out: bytes that grow, lines of a file, and words of a line. What the readers of other
 * balancers' configurations and the writer of ours have in common. Pure.
 */
#pragma once

#include "common/why.h"

#define TEXT_LINE_BYTES_MAX 65536u
#define TEXT_WORDS_MAX      4096u /* of a line */

/* Grows; once memory was missing, `failed` stays true and nothing more is added. All zeros is empty. */
struct text {
	char *data; /* with a zero byte behind it; NULL while empty */
	size_t size_bytes, room_bytes;
	bool failed;
};

void text_add(struct text *text, const char *data, size_t size_bytes);
_printf_(2, 3) void text_format(struct text *text, const char *format, ...);
void text_clear(struct text *text);
static inline void text_clearp(struct text *text)
{
	text_clear(text);
}

/* Lines of a text, which need not end with a newline; a CR before the newline is no part of them. */
struct text_lines {
	const char *data, *end;
	unsigned int number; /* of the last one that was returned, from 1 */
};

struct text_lines text_lines(const char *data, size_t size_bytes);
/*
 * Returns the next one and its length. False at the end, and where a line is no text (a zero byte) or longer than
 * TEXT_LINE_BYTES_MAX: `ret_why` says so then, with the line's number, and is left alone otherwise.
 */
bool text_next_line(struct text_lines *lines, const char **ret_line, size_t *ret_size_bytes,
	struct why *ret_why);

struct text_words {
	char **items; /* of `storage` */
	size_t len;
	char *storage;
};

void text_words_clear(struct text_words *words);
static inline void text_words_clearp(struct text_words *words)
{
	text_words_clear(words);
}

/*
 * Splits by blanks. Between " or ' blanks belong to the word; behind a backslash within " any byte does.
 * 0; -EINVAL with `ret_why` (a quote without its end, too many words); -ENOMEM.
 */
int text_split(
	const char *line, size_t size_bytes, struct text_words *ret_words, struct why *ret_why);

/* Digits alone, at most `max`. */
bool text_number(const char *text, uint64_t max, uint64_t *ret_number);
