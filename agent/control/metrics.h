/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's status document as Prometheus's text: the metrics dsr_agent_…, which dsr-agent(8) lists. Pure. */
#pragma once

#include <jansson.h>

#include "common/http/exposition.h"

/* The table, for the test that holds the manual page to it. */
const struct exposition_family *metrics_families(size_t *ret_len);
/* The text, to free; of a document of status_make(), borrowed. NULL: no memory. */
char *metrics_make(const json_t *document, size_t *ret_bytes);
