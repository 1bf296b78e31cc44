/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For tests of lb/keep: a directory for each test, and flows to put into it. Header only. */
#pragma once

#include <endian.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "lb/keep.h"

#define MAX_FLOWS  1000u
#define SERVICE    1u
#define WHY_BYTES  256u
#define PATH_BYTES 128u

static char directory[PATH_BYTES];

static inline const char *path(const char *name)
{
	static char buffer[2 * PATH_BYTES];

	snprintf(buffer, sizeof(buffer), "%s/%s", directory, name);
	return buffer;
}

static inline void remove_directory(void)
{
	char command[PATH_BYTES + 16];

	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	assert_int_equal(system(command), 0);
}

static inline int setup(void **state)
{
	snprintf(directory, sizeof(directory), "%s/keep-XXXXXX",
		getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	return mkdtemp(directory) ? 0 : -1;
}

static inline int teardown(void **state)
{
	remove_directory();
	return 0;
}

static inline struct keep *open_keep(uint64_t max_flows, bool expect_fresh)
{
	char why[WHY_BYTES] = "";
	struct keep *keep = NULL;
	bool fresh;
	int r = keep_open(directory, max_flows, &keep, &fresh, why);

	if (r < 0)
		fail_msg("keep_open: %s", why);
	assert_int_equal(fresh, expect_fresh);
	return keep;
}

static inline struct flow4 flow4_make(uint32_t client)
{
	return (struct flow4){ .client = htobe32(client),
		.client_port = htobe16(1234),
		.vip_port = htobe16(80),
		.meta = flow_meta(SERVICE, 2, FLOW_TCP_ESTABLISHED, 77) };
}

static inline struct flow6 flow6_make(uint32_t client)
{
	return (struct flow6){ .client = { 1, 2, 3, htobe32(client) },
		.client_port = htobe16(9),
		.vip_port = htobe16(80),
		.meta = flow_meta(SERVICE, 2, FLOW_TCP_ESTABLISHED, 77) };
}

static inline void make_garbage(const char *name)
{
	FILE *file = fopen(path(name), "we");

	assert_non_null(file);
	for (unsigned int idx = 0; idx < 40000; idx++)
		fputc((int)(idx * 2654435761u >> 13 & 255), file);
	fclose(file);
}
