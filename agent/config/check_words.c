/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text → words. Called by check_spec.c. Must not know what the words are for. */
#include "agent/config/check_words.h"

#define WORDS_BLANKS    " \t"
#define WORDS_OPERATORS "|&;<>()$`"

/* The word that is being read; it never grows longer than the text. */
struct words_reader {
	const char *rest;
	char *word;
	size_t len;
};

static void words_put(struct words_reader *reader, char byte)
{
	reader->word[reader->len++] = byte;
}

/* Behind an opening quote; a backslash takes the next byte as it is, but for single quotes. */
static int words_read_quoted(struct words_reader *reader, char quote, struct why *ret_why)
{
	for (; *reader->rest && *reader->rest != quote; reader->rest++) {
		if (*reader->rest == '\\' && quote == '"' && reader->rest[1])
			reader->rest++;
		words_put(reader, *reader->rest);
	}
	if (*reader->rest != quote)
		return why_fail(ret_why, -EINVAL, "a quote (%c) is not closed", quote);
	reader->rest++;
	return 0;
}

static int words_read(struct words_reader *reader, struct why *ret_why)
{
	int r;

	reader->len = 0;
	while (*reader->rest && !strchr(WORDS_BLANKS, *reader->rest)) {
		char byte = *reader->rest++;

		if (byte == '"' || byte == '\'') {
			r = words_read_quoted(reader, byte, ret_why);
			if (r < 0)
				return r;
		} else if (byte == '\\' && *reader->rest) {
			words_put(reader, *reader->rest++);
		} else if (strchr(WORDS_OPERATORS, byte)) {
			return why_fail(ret_why, -EINVAL,
				"'%c' means nothing without a shell; quote it, or write "
				"exec:/bin/sh -c '…'",
				byte);
		} else {
			words_put(reader, byte);
		}
	}
	words_put(reader, '\0');
	return 0;
}

int check_words_split(const char *text, char ***ret_words, struct why *ret_why)
{
	_cleanup_(check_words_freep) char **words = calloc(CHECK_WORDS_MAX + 1, sizeof(*words));
	_cleanup_free_ char *buffer = malloc(strlen(text) + 1);
	struct words_reader reader = { .rest = text, .word = buffer };
	size_t n_words = 0;
	int r;

	if (!words || !buffer)
		return -ENOMEM;
	for (;;) {
		reader.rest += strspn(reader.rest, WORDS_BLANKS);
		if (!*reader.rest)
			break;
		if (n_words == CHECK_WORDS_MAX)
			return why_fail(ret_why, -EINVAL,
				"more than %u words; put them into a script", CHECK_WORDS_MAX);
		r = words_read(&reader, ret_why);
		if (r < 0)
			return r;
		words[n_words] = strdup(buffer);
		if (!words[n_words])
			return -ENOMEM;
		n_words++;
	}
	*ret_words = TAKE_PTR(words);
	return 0;
}

char **check_words_free(char **words)
{
	for (char **word = words; word && *word; word++)
		free(*word);
	free(words);
	return NULL;
}
