/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which servers answered, and how often. */
#pragma once

#include "tests/harness/tool.h"

#define SERVERS_MAX        64u
#define SERVERS_NAME_BYTES 64u

/* Zeroed: none yet. */
struct servers {
	char names[SERVERS_MAX][SERVERS_NAME_BYTES];
	unsigned long counts[SERVERS_MAX];
	size_t len;
};

static inline void servers_count(struct servers *servers, const char *name)
{
	size_t idx = 0;

	while (idx < servers->len && !streq(servers->names[idx], name))
		idx++;
	if (idx == SERVERS_MAX)
		errx(1, "more than %u servers", SERVERS_MAX);
	if (idx == servers->len)
		snprintf(servers->names[servers->len++], SERVERS_NAME_BYTES, "%s", name);
	servers->counts[idx]++;
}

/* {"web1": 33, "web2": 34} */
static inline void servers_print(const struct servers *servers)
{
	printf("{");
	for (size_t idx = 0; idx < servers->len; idx++)
		printf("%s\"%s\": %lu", idx > 0 ? ", " : "", servers->names[idx],
			servers->counts[idx]);
	printf("}");
}
