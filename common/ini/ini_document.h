/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration in effect, key by key with its place, as the verb `config` shows it. */
#pragma once

#include <jansson.h>

struct ini_report;

/*
 * An array with an object for each key of each section, set or not: section, name (null: the section has none), key,
 * value (null: neither set nor with a default), file and line (null: by default). NULL: no memory.
 */
json_t *ini_document(const struct ini_report *report);
