/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "Did you mean …?" by edit distance between short words. Pure.
 */
#pragma once

#include "common/util.h"

#define SUGGEST_WORD_MAX_BYTES 64u /* longer words resemble nothing */

/* A limit for suggest_is_nearer(): a third of the letters, at least two, may differ. */
size_t suggest_limit(const char *word);
/* Whether the candidate is nearer than `*distance_max`, which becomes its distance. */
bool suggest_is_nearer(const char *wanted, const char *candidate, size_t *distance_max);
