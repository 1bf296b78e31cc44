/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent as the document of `status --json`. */
#pragma once

#include <jansson.h>

struct agent;

/* NULL: out of memory. */
json_t *status_make(const struct agent *agent);
