/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of lb/keep: a directory for each test, in it a bpffs for maps, and flows to put into it.
 * Header only.
 */
#pragma once

#include <endian.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "lb/state/keep.h"
#include "lb/table/flow_seen.h"

#include "tests/unit/tools/temp_dir.h"

#define MAX_FLOWS 1000u
#define SERVICE   1u

static char directory[TEMP_DIR_BYTES];
static enum keep_backing backing; /* of open_keep() */
static bool is_pinned;            /* whether the directory has a bpffs */

static inline const char *path(const char *name)
{
	static char buffer[2 * TEMP_DIR_BYTES];

	snprintf(buffer, sizeof(buffer), "%s/%s", directory, name);
	return buffer;
}

/* Where flows and rows are. */
static inline const char *kept(const char *name)
{
	static char buffer[2 * TEMP_DIR_BYTES];

	snprintf(buffer, sizeof(buffer), "%s%s/%s", directory, is_pinned ? "/bpf" : "", name);
	return buffer;
}

/* Mounts of our own from here on, if maps can be pinned here; else the reason why not. */
static inline const char *why_no_pins(void)
{
	static struct why why = { 0 };

	if (!keep_maps_supported(&why))
		return why.text;
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return "no mount namespaces here";
	return NULL;
}

static inline void mount_pins(void)
{
	assert_int_equal(mkdir(path("bpf"), 0700), 0);
	assert_int_equal(mount("none", path("bpf"), "bpf", 0, "mode=0700"), 0);
}

static inline void unmount_pins(void)
{
	(void)umount2(path("bpf"), MNT_DETACH);
	(void)rmdir(path("bpf"));
}

static inline void remove_directory(void)
{
	unmount_pins();
	temp_dir_remove(directory);
}

static inline int setup(void **state)
{
	temp_dir_make(directory);
	if (is_pinned)
		mount_pins();
	return 0;
}

static inline int teardown(void **state)
{
	remove_directory();
	return 0;
}

static inline struct keep *open_keep(uint64_t max_flows, bool expect_fresh)
{
	struct why why = { 0 };
	struct keep *keep = NULL;
	bool fresh;
	int r = keep_open(
		&(struct keep_config){ directory, backing, max_flows }, &keep, &fresh, &why);

	if (r < 0)
		fail_msg("keep_open: %s", why.text);
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

static inline void assert_names(const char *name, bool is_there)
{
	struct stat status;

	assert_int_equal(lstat(kept(name), &status), is_there ? 0 : -1);
}

/* What has the name of something kept and is none. bpffs holds no files. */
static inline void make_name(const char *name)
{
	assert_int_equal(symlink("garbage", kept(name)), 0);
}

static inline void make_garbage(const char *name)
{
	FILE *file = fopen(path(name), "we");

	assert_non_null(file);
	for (unsigned int idx = 0; idx < 40000; idx++)
		fputc((int)(idx * 2654435761u >> 13 & 255), file);
	fclose(file);
}
