/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one line that says whether all is well. */
#pragma once

#include <jansson.h>

#include "common/util.h"

#define VERDICT_BYTES 512u

/*
 * From the daemon's `status` document: "All is well: …", or what is wrong and what to do about it. Returns whether it is
 * well. `buffer` gets it, cut at `size_bytes`.
 */
bool verdict_words(const json_t *document, char *buffer, size_t size_bytes);
