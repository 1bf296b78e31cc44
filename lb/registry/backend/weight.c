/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See weight.h. A word for all is kept apart, so that a farm of which nothing is said costs no memory. */
#include "lb/registry/backend/weight.h"

#include "common/grow.h"
#include "common/search.h"

int weight_parse(const char *text, struct weight_word *ret_word)
{
	struct weight_word word = { .kind = WEIGHT_NUMBER };
	const char *digit = text;

	if (streq(text, "configured")) {
		*ret_word = (struct weight_word){ .kind = WEIGHT_CONFIGURED };
		return 0;
	}
	for (; *digit >= '0' && *digit <= '9'; digit++) {
		word.number = 10 * word.number + (uint32_t)(*digit - '0');
		if (word.number > WEIGHT_PERCENT_MAX)
			return -EINVAL;
	}
	if (digit == text)
		return -EINVAL;
	if (streq(digit, "%"))
		word.kind = WEIGHT_PERCENT;
	else if (*digit != '\0' || word.number > WEIGHT_MAX)
		return -EINVAL;
	*ret_word = word;
	return 0;
}

const char *weight_format(struct weight_word word, char buffer[WEIGHT_TEXT_BYTES])
{
	if (word.kind == WEIGHT_CONFIGURED)
		snprintf(buffer, WEIGHT_TEXT_BYTES, "configured");
	else
		snprintf(buffer, WEIGHT_TEXT_BYTES, "%u%s", word.number,
			word.kind == WEIGHT_PERCENT ? "%" : "");
	return buffer;
}

static int compare_named(const void *key, const void *element)
{
	return strcmp(key, ((const struct weight_named *)element)->virtual_server);
}

static bool find(const struct weight_words *words, const char *virtual_server, size_t *ret_at)
{
	return search_find(virtual_server, words->named, words->n_named, sizeof(*words->named),
		compare_named, ret_at);
}

static int say_named(
	struct weight_words *words, const char *virtual_server, const struct weight_word *word)
{
	struct weight_named *at;
	size_t position;

	if (!find(words, virtual_server, &position)) {
		if (words->n_named == WEIGHT_NAMED_MAX)
			return -ENOSPC;
		if (GROW(words->named, words->n_named) < 0)
			return -ENOMEM;
		at = &words->named[position];
		memmove(at + 1, at, (words->n_named++ - position) * sizeof(*at));
		*at = (struct weight_named){ 0 };
		snprintf(at->virtual_server, sizeof(at->virtual_server), "%s", virtual_server);
	}
	words->named[position].word = *word;
	return 0;
}

int weight_say(
	struct weight_words *words, const char *virtual_server, const struct weight_word *word)
{
	if (virtual_server)
		return say_named(words, virtual_server, word);
	weight_clear(words);
	words->all = *word;
	return 0;
}

bool weight_is_said(const struct weight_words *words)
{
	for (size_t i = 0; i < words->n_named; i++)
		if (words->named[i].word.kind != WEIGHT_CONFIGURED)
			return true;
	return words->all.kind != WEIGHT_CONFIGURED;
}

uint32_t weight_of(
	const struct weight_words *words, const char *virtual_server, uint32_t configured)
{
	struct weight_word word = words->all;
	uint64_t weight = configured;
	size_t position;

	if (words->n_named > 0 && find(words, virtual_server, &position))
		word = words->named[position].word;
	if (word.kind == WEIGHT_NUMBER)
		return word.number;
	if (word.kind == WEIGHT_PERCENT) {
		weight = (weight * word.number + 50) / 100;
		if (word.number > 0 && configured > 0)
			weight = MAX(weight, UINT64_C(1));
	}
	return (uint32_t)MIN(weight, (uint64_t)WEIGHT_MAX);
}

int weight_copy(const struct weight_words *words, struct weight_words *ret_words)
{
	struct weight_words copy = { .all = words->all };

	for (size_t i = 0; i < words->n_named; i++) {
		if (GROW(copy.named, copy.n_named) < 0) {
			weight_clear(&copy);
			return -ENOMEM;
		}
		copy.named[copy.n_named++] = words->named[i];
	}
	*ret_words = copy;
	return 0;
}

void weight_clear(struct weight_words *words)
{
	free(words->named);
	*words = (struct weight_words){ 0 };
}
