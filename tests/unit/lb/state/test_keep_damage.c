/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What outlives the daemon is not trusted: damaged and foreign files, and no room for new ones. */
#include "lb/state/keep.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "lb/state/keep_layout.h"
#include "tests/unit/lb/state/keep_fixture.h"

static void overwrite(const char *name, off_t offset, const void *data, size_t size_bytes)
{
	int fd = open(path(name), O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, size_bytes, offset), size_bytes);
	close(fd);
}

static void damage_empty(const char *name)
{
	assert_int_equal(truncate(path(name), 0), 0);
}

static void damage_cut_in_header(const char *name)
{
	assert_int_equal(truncate(path(name), 20), 0);
}

static void damage_cut_at_header(const char *name)
{
	assert_int_equal(truncate(path(name), 4096), 0);
}

static void damage_cut_one_byte(const char *name)
{
	struct stat status;

	assert_int_equal(stat(path(name), &status), 0);
	assert_int_equal(truncate(path(name), status.st_size - 1), 0);
}

static void damage_lengthen(const char *name)
{
	struct stat status;

	assert_int_equal(stat(path(name), &status), 0);
	assert_int_equal(truncate(path(name), status.st_size + 4096), 0);
}

static void damage_magic(const char *name)
{
	overwrite(name, 0, "X", 1);
}

static void damage_layout(const char *name)
{
	overwrite(name, 8, &(uint32_t){ KEEP_LAYOUT + 1 }, sizeof(uint32_t));
}

static void damage_boot(const char *name)
{
	overwrite(name, 24, "another-boot", 12);
}

static void damage_mode(const char *name)
{
	assert_int_equal(chmod(path(name), 0644), 0);
}

static void damage_link(const char *name)
{
	char aside[2 * TEMP_DIR_BYTES];

	snprintf(aside, sizeof(aside), "%s", path("aside"));
	assert_int_equal(rename(path(name), aside), 0);
	assert_int_equal(symlink(aside, path(name)), 0);
}

static void damage_fifo(const char *name)
{
	assert_int_equal(unlink(path(name)), 0);
	assert_int_equal(mkfifo(path(name), 0600), 0);
}

static void damage_directory(const char *name)
{
	assert_int_equal(unlink(path(name)), 0);
	assert_int_equal(mkdir(path(name), 0700), 0);
}

static void (*const damages[])(const char *name) = {
	damage_empty,
	damage_cut_in_header,
	damage_cut_at_header,
	damage_cut_one_byte,
	damage_lengthen,
	damage_magic,
	damage_layout,
	damage_boot,
	damage_mode,
	damage_link,
	damage_fifo,
	damage_directory,
	make_garbage,
};

/* As a build left it that recorded every UDP flow: its records are worth all that they were. */
static void keep_takes_a_flow_table_without_a_filter(void **state)
{
	struct keep *keep = open_keep(MAX_FLOWS, true);
	uint64_t seed[2],
		size_bytes = KEEP_HEADER_BYTES +
		(keep_flows(keep)->n_flow4 + (uint64_t)keep_flows(keep)->n_flow6) *
			sizeof(struct flow4_bucket);
	const struct flow4 flow = flow4_make(1);
	size_t n = 0;

	keep_flows(keep)->flow4[0].entries[0] = flow;
	memcpy(seed, keep_flow_seed(keep), sizeof(seed));
	keep_free(keep);
	overwrite(
		"flows", offsetof(struct keep_header, n_seen), &(uint32_t){ 0 }, sizeof(uint32_t));
	overwrite(
		"flows", offsetof(struct keep_header, file_bytes), &size_bytes, sizeof(size_bytes));
	assert_int_equal(truncate(path("flows"), (off_t)size_bytes), 0);
	keep = open_keep(MAX_FLOWS, false);
	assert_memory_equal(keep_flow_seed(keep), seed, sizeof(seed));
	assert_int_equal(keep_flows(keep)->n_seen, flow_seen_words(MAX_FLOWS));
	assert_true(flow_seen_is_new(keep_flows(keep)));
	for (uint32_t i = 0; i < keep_flows(keep)->n_flow4; i++)
		ARRAY_FOREACH (entry, keep_flows(keep)->flow4[i].entries, FLOW4_PER_BUCKET)
			n += memcmp(entry, &flow, sizeof(flow)) == 0;
	assert_int_equal(n, 1);
	/* All counts as seen. */
	for (uint32_t i = 0; i < keep_flows(keep)->n_seen; i++)
		assert_int_equal(
			keep_flows(keep)->seen[SEEN_CONTROL_WORDS + keep_flows(keep)->n_seen + i],
			UINT64_MAX);
	keep_free(keep);
}

static void keep_replaces_damaged_flow_table(void **state)
{
	ARRAY_FOREACH (damage, damages, ARRAY_LEN(damages)) {
		struct keep *keep = open_keep(MAX_FLOWS, true);

		keep_flows(keep)->flow4[0].entries[0] = flow4_make(1);
		keep_free(keep);
		(*damage)("flows");
		keep = open_keep(MAX_FLOWS, true);
		assert_int_equal(keep_flows(keep)->n_flow4, flows_buckets4(MAX_FLOWS));
		assert_int_equal(keep_flows(keep)->flow4[0].entries[0].meta, 0);
		keep_free(keep);
		keep_free(open_keep(MAX_FLOWS, false));
		assert_int_equal(unlink(path("flows")), 0);
	}
}

/* The header's own numbers must agree with each other, whatever the size of the file. */
static void keep_refuses_header_that_contradicts_itself(void **state)
{
	keep_free(open_keep(MAX_FLOWS, true));
	overwrite("flows", 64, &(uint32_t){ UINT32_MAX }, sizeof(uint32_t));
	keep_free(open_keep(MAX_FLOWS, true));
}

static void keep_refuses_damaged_rows(void **state)
{
	struct keep *keep = open_keep(MAX_FLOWS, true);
	char name[TEMP_DIR_BYTES];

	ARRAY_FOREACH (damage, damages, ARRAY_LEN(damages)) {
		struct keep_rows *rows;
		uint64_t id;

		assert_int_equal(keep_rows_new(keep_rows_list(keep), &rows), 0);
		id = keep_rows_id(rows);
		keep_preserve(keep);
		keep_rows_unref(rows);
		snprintf(name, sizeof(name), "rows-%016llx", (unsigned long long)id);
		(*damage)(name);
		assert_int_equal(keep_rows_open(keep_rows_list(keep), id, &rows), -EINVAL);
	}
	keep_free(keep);
}

static void keep_refuses_rows_under_another_name(void **state)
{
	struct keep *keep = open_keep(MAX_FLOWS, true);
	char target[2 * TEMP_DIR_BYTES];
	struct keep_rows *rows;

	assert_int_equal(keep_rows_new(keep_rows_list(keep), &rows), 0);
	assert_int_equal(keep_rows_id(rows), 1);
	snprintf(target, sizeof(target), "%s", path("rows-0000000000000009"));
	assert_int_equal(rename(path("rows-0000000000000001"), target), 0);
	keep_rows_unref(rows);
	assert_int_equal(keep_rows_open(keep_rows_list(keep), 9, &rows), -EINVAL);
	assert_int_equal(keep_rows_open(keep_rows_list(keep), 10, &rows), -ENOENT);
	keep_free(keep);
}

static void keep_removes_half_made_files(void **state)
{
	make_garbage("flows.new");
	make_garbage("state.json.new");
	keep_free(open_keep(MAX_FLOWS, true));
	assert_int_equal(access(path("flows.new"), F_OK), -1);
	assert_int_equal(access(path("state.json.new"), F_OK), -1);
}

static void keep_document_that_is_damaged_is_absent(void **state)
{
	ARRAY_FOREACH (damage, damages, ARRAY_LEN(damages)) {
		struct keep *keep = open_keep(MAX_FLOWS, damage == damages);
		json_t *document =
			json_pack("{s:s}", "key", "a value that takes more than 30 bytes");

		assert_int_equal(keep_save_document(keep, document), 0);
		/* Some of them damage nothing in a document without a header. */
		if (*damage != damage_cut_at_header && *damage != damage_layout &&
			*damage != damage_boot) {
			(*damage)("state.json");
			assert_null(keep_load_document(keep));
		}
		assert_int_equal(keep_save_document(keep, document), 0);
		json_decref(document);
		keep_free(keep);
	}
}

/* ---- no room ---- */

/* Exit status: 0 as wanted, 77 not permitted here. */
static int run_without_room(void)
{
	struct why why = { 0 };
	struct keep *keep = NULL;
	struct keep_rows *rows;
	bool fresh;
	int r;

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("none", directory, "tmpfs", 0, "size=1m") < 0)
		return 77;
	r = keep_open(&(struct keep_config){ directory, KEEP_FILES, 1000000 }, &keep, &fresh, &why);
	if (r != -ENOSPC || !strstr(why.text, "max-flows"))
		return 1;
	r = keep_open(
		&(struct keep_config){ directory, KEEP_FILES, MAX_FLOWS }, &keep, &fresh, &why);
	if (r < 0)
		return 2;
	do
		r = keep_rows_new(keep_rows_list(keep), &rows);
	while (r == 0);
	return r == -ENOSPC ? 0 : 3;
}

/* A mapping without blocks would be a SIGBUS on the packet path. */
static void keep_says_when_there_is_no_room(void **state)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(run_without_room());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("skipped: no mount namespaces here\n");
		skip();
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(keep_replaces_damaged_flow_table),
		TEST(keep_takes_a_flow_table_without_a_filter),
		TEST(keep_refuses_header_that_contradicts_itself),
		TEST(keep_refuses_damaged_rows),
		TEST(keep_refuses_rows_under_another_name),
		TEST(keep_removes_half_made_files),
		TEST(keep_document_that_is_damaged_is_absent),
		TEST(keep_says_when_there_is_no_room),
	};

	return cmocka_run_group_tests_name("keep_damage", tests, NULL, NULL);
}
