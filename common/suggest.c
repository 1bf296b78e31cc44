/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Suggestions for misspelt words of a configuration file.
 */
#include "common/suggest.h"

/* The smallest number of inserted, deleted, changed or swapped letters between two short words. */
static size_t ini_edit_distance(const char *a, const char *b)
{
	size_t rows[3][SUGGEST_WORD_MAX_BYTES + 1];
	size_t a_len = strlen(a), b_len = strlen(b);

	if (a_len > SUGGEST_WORD_MAX_BYTES || b_len > SUGGEST_WORD_MAX_BYTES)
		return SIZE_MAX;
	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *now = rows[i % 3], *before = rows[(i + 2) % 3];
		const size_t *earlier = rows[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t change = before[j - 1] + (a[i - 1] != b[j - 1]);
			size_t one_letter = MIN(before[j], now[j - 1]) + 1;

			now[j] = MIN(change, one_letter);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = MIN(now[j], earlier[j - 2] + 1);
		}
	}
	return rows[a_len % 3][b_len];
}

bool suggest_is_nearer(const char *wanted, const char *candidate, size_t *distance_max)
{
	size_t distance = ini_edit_distance(wanted, candidate);

	if (distance >= *distance_max || distance >= strlen(candidate))
		return false;
	*distance_max = distance;
	return true;
}

size_t suggest_limit(const char *word)
{
	return MAX(strlen(word) / 3, (size_t)2) + 1;
}
