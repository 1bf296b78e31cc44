/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is particular to kept memory in maps: found by a pin or by its header while somebody in the
 * kernel (here: a descriptor) holds it, judged before it is trusted, moved from and to files.
 */
#include "lb/state/keep.h"

#include <linux/bpf.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/os/boot_id.h"
#include "lb/state/keep_map.h"
#include "tests/unit/lb/state/keep_fixture.h"

#define MORE_FLOWS (UINT64_C(5) * MAX_FLOWS)

static int call_bpf(enum bpf_cmd command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int element_call(enum bpf_cmd command, int map, uint32_t key, const void *value)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)map;
	attr.key = (uintptr_t)&key;
	attr.value = (uintptr_t)value;
	return call_bpf(command, &attr);
}

static int make_map(enum bpf_map_type type, uint32_t value_bytes, uint32_t n_entries, int inner_map)
{
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = type;
	attr.key_size = sizeof(uint32_t);
	attr.value_size = value_bytes;
	attr.max_entries = n_entries;
	if (type == BPF_MAP_TYPE_ARRAY_OF_MAPS)
		attr.inner_map_fd = (uint32_t)inner_map;
	else
		attr.map_flags = BPF_F_MMAPABLE;
	fd = call_bpf(BPF_MAP_CREATE, &attr);
	assert_true(fd >= 0);
	return fd;
}

static void pin(int map, const char *name)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.bpf_fd = (uint32_t)map;
	attr.pathname = (uintptr_t)kept(name);
	assert_int_equal(call_bpf(BPF_OBJ_PIN, &attr), 0);
}

/* As a program in the kernel holds a map: beyond the life of `keep`. */
static int hold(int map)
{
	int fd = fcntl(map, F_DUPFD_CLOEXEC, 0);

	assert_true(fd >= 0);
	return fd;
}

static void *map_whole(int map, size_t size_bytes)
{
	void *memory = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

/* ---- what a program sees ---- */

static void maps_have_flows_where_programs_look(void **state)
{
	struct keep *keep = open_keep(MAX_FLOWS, true);
	const struct flows_table *table = keep_flows(keep);
	const struct flow4 flow4 = flow4_make(1);
	const struct flow6 flow6 = flow6_make(2);
	uint32_t last = KEEP_MAP_FLOWS_FIRST + table->n_flow4 + table->n_flow6 - 1;
	uint32_t end = last + 1 + (uint32_t)(flow_seen_len(table->n_seen) / FLOW_BUCKET_WORDS);
	struct flow4_bucket bucket4;
	struct flow6_bucket bucket6;
	int map = keep_flows_map(keep);

	table->flow4[0].entries[1] = flow4;
	table->flow6[0].entries[1] = flow6;
	assert_int_equal(element_call(BPF_MAP_LOOKUP_ELEM, map, KEEP_MAP_FLOWS_FIRST, &bucket4), 0);
	assert_memory_equal(&bucket4.entries[1], &flow4, sizeof(flow4));
	assert_int_equal(element_call(BPF_MAP_LOOKUP_ELEM, map,
				 KEEP_MAP_FLOWS_FIRST + table->n_flow4, &bucket6),
		0);
	assert_memory_equal(&bucket6.entries[1], &flow6, sizeof(flow6));
	assert_int_equal(element_call(BPF_MAP_UPDATE_ELEM, map, last, &bucket6), 0);
	assert_memory_equal(&table->flow6[table->n_flow6 - 1].entries[1], &flow6, sizeof(flow6));
	/* Behind it the filter of flows seen, control words first. */
	assert_int_equal(element_call(BPF_MAP_UPDATE_ELEM, map, last + 1, &bucket6), 0);
	assert_memory_equal(table->seen, &bucket6, SEEN_CONTROL_WORDS * sizeof(__u64));
	assert_int_equal(element_call(BPF_MAP_UPDATE_ELEM, map, end - 1, &bucket6), 0);
	assert_memory_equal(
		table->seen + SEEN_CONTROL_WORDS + (size_t)2 * table->n_seen - FLOW_BUCKET_WORDS,
		&bucket6, sizeof(bucket6));
	assert_int_equal(element_call(BPF_MAP_UPDATE_ELEM, map, end, &bucket6), -1);
	keep_free(keep);
}

static void maps_share_all_rows_with_another_mapping(void **state)
{
	struct keep *keep = open_keep(MAX_FLOWS, true);
	size_t size_bytes = KEEP_MAP_ROWS_ENTRIES * sizeof(struct fwd_slot);
	struct fwd_table *table;
	struct fwd_slot *theirs;
	struct keep_rows *rows;
	size_t n = 0;

	assert_int_equal(keep_rows_new(keep_rows_list(keep), &rows), 0);
	table = keep_rows_table(rows);
	theirs = map_whole(keep_rows_map(rows), size_bytes);
	for (uint32_t row = 0; row < FWD_ROWS; row++)
		table->rows[row] = (struct fwd_slot){ (uint16_t)row, (uint16_t)~row, row };
	for (uint32_t row = 0; row < FWD_ROWS; row++)
		n += memcmp(&theirs[KEEP_MAP_ROWS_FIRST + row], &table->rows[row],
			     sizeof(*theirs)) == 0;
	assert_int_equal(n, FWD_ROWS);
	table->settled[FWD_ROWS - 1] = 78;
	assert_memory_equal(
		&theirs[KEEP_MAP_SETTLED_FIRST], table->settled, sizeof(table->settled));
	theirs[KEEP_MAP_ROWS_FIRST + FWD_ROWS - 1].owner = 77;
	assert_int_equal(table->rows[FWD_ROWS - 1].owner, 77);
	munmap(theirs, size_bytes);
	keep_rows_unref(rows);
	keep_free(keep);
}

static void maps_of_rows_fit_one_map_of_maps(void **state)
{
	struct keep *keep = open_keep(MAX_FLOWS, true);
	struct keep_rows *first, *second;
	int outer, map;

	assert_int_equal(keep_rows_new(keep_rows_list(keep), &first), 0);
	assert_int_equal(keep_rows_new(keep_rows_list(keep), &second), 0);
	outer = make_map(BPF_MAP_TYPE_ARRAY_OF_MAPS, sizeof(uint32_t), 2, keep_rows_map(first));
	map = keep_rows_map(second);
	assert_int_equal(element_call(BPF_MAP_UPDATE_ELEM, outer, 1, &map), 0);
	close(outer);
	keep_rows_unref(first);
	keep_rows_unref(second);
	keep_free(keep);
}

/* ---- not trusted ---- */

static void set_magic(struct keep_header *header)
{
	header->magic++;
}

static void set_layout(struct keep_header *header)
{
	header->layout++;
}

static void set_header_bytes(struct keep_header *header)
{
	header->header_bytes = 64;
}

static void set_file_bytes(struct keep_header *header)
{
	header->file_bytes += 64;
}

static void set_boot(struct keep_header *header)
{
	header->boot[0]++;
}

static void set_n_flow4(struct keep_header *header)
{
	header->n_flow4 = UINT32_MAX;
}

static void set_home(struct keep_header *header)
{
	header->home++;
}

static void set_name(struct keep_header *header)
{
	memset(header->name, 'x', sizeof(header->name));
}

static void (*const damages[])(struct keep_header *header) = {
	set_magic,
	set_layout,
	set_header_bytes,
	set_file_bytes,
	set_boot,
	set_n_flow4,
	set_home,
	set_name,
};

/* By pin as well as by header. */
static void maps_with_a_damaged_header_are_replaced(void **state)
{
	ARRAY_FOREACH (damage, damages, ARRAY_LEN(damages)) {
		struct keep *keep = open_keep(MAX_FLOWS, true);
		struct keep_header *header;
		int held = hold(keep_flows_map(keep));

		keep_flows(keep)->flow4[0].entries[0] = flow4_make(1);
		keep_free(keep);
		keep_free(open_keep(MAX_FLOWS, false));
		header = map_whole(held, KEEP_HEADER_BYTES);
		(*damage)(header);
		munmap(header, KEEP_HEADER_BYTES);
		keep = open_keep(MAX_FLOWS, true);
		assert_int_equal(keep_flows(keep)->flow4[0].entries[0].meta, 0);
		keep_free(keep);
		close(held);
		remove_directory();
		assert_int_equal(setup(state), 0);
	}
}

static void pin_other_map(void)
{
	int map = make_map(BPF_MAP_TYPE_ARRAY, 4, 4096, -1);

	assert_int_equal(unlink(kept("flows")), 0);
	pin(map, "flows");
	close(map);
}

static void give_to_another(void)
{
	assert_int_equal(chown(kept("flows"), 64501, 64501), 0);
}

static void open_to_all(void)
{
	assert_int_equal(chmod(kept("flows"), 0666), 0);
}

static void put_symlink(void)
{
	char aside[2 * TEMP_DIR_BYTES];

	snprintf(aside, sizeof(aside), "%s", kept("aside"));
	assert_int_equal(rename(kept("flows"), aside), 0);
	assert_int_equal(symlink(aside, kept("flows")), 0);
}

static void put_directory(void)
{
	assert_int_equal(unlink(kept("flows")), 0);
	assert_int_equal(mkdir(kept("flows"), 0700), 0);
}

static void pins_that_are_not_ours_are_replaced(void **state)
{
	static void (*const pranks[])(
		void) = { pin_other_map, give_to_another, open_to_all, put_symlink, put_directory };

	ARRAY_FOREACH (prank, pranks, ARRAY_LEN(pranks)) {
		struct keep *keep = open_keep(MAX_FLOWS, true);

		keep_flows(keep)->flow4[0].entries[0] = flow4_make(1);
		keep_free(keep);
		(*prank)();
		keep = open_keep(MAX_FLOWS, true);
		assert_int_equal(keep_flows(keep)->flow4[0].entries[0].meta, 0);
		keep_free(keep);
		keep_free(open_keep(MAX_FLOWS, false));
		remove_directory();
		assert_int_equal(setup(state), 0);
	}
}

static void rows_under_another_pin_are_refused(void **state)
{
	struct keep *keep = open_keep(MAX_FLOWS, true);
	struct keep_rows *rows;
	int map;

	assert_int_equal(keep_rows_new(keep_rows_list(keep), &rows), 0);
	map = hold(keep_rows_map(rows));
	pin(map, "rows-0000000000000009");
	close(map);
	assert_int_equal(unlink(kept("rows-0000000000000001")), 0);
	assert_int_equal(keep_rows_open(keep_rows_list(keep), 9, &rows), -EINVAL);
	assert_int_equal(keep_rows_open(keep_rows_list(keep), 10, &rows), -ENOENT);
	assert_int_equal(keep_rows_open(keep_rows_list(keep), 1, &rows), 0); /* open */
	keep_rows_unref(rows);
	keep_rows_unref(rows);
	keep_free(keep);
}

static void half_made_pins_are_removed(void **state)
{
	make_name("flows-new");
	make_name("rows-0000000000000001-new");
	keep_free(open_keep(MAX_FLOWS, true));
	assert_names("flows-new", false);
	assert_names("rows-0000000000000001-new", false);
}

/* ---- without a bpffs ---- */

static void maps_are_found_while_the_kernel_holds_them(void **state)
{
	struct keep *keep = open_keep(MAX_FLOWS, true);
	const struct flow4 flow = flow4_make(1);
	int held_flows = hold(keep_flows_map(keep)), held_rows;
	struct keep_rows *rows, *more;

	keep_flows(keep)->flow4[3].entries[1] = flow;
	assert_int_equal(keep_rows_new(keep_rows_list(keep), &rows), 0);
	keep_rows_table(rows)->rows[FWD_ROWS - 1].owner = 5;
	held_rows = hold(keep_rows_map(rows));
	keep_free(keep);
	keep_rows_unref(rows);
	keep = open_keep(MAX_FLOWS, false);
	assert_memory_equal(&keep_flows(keep)->flow4[3].entries[1], &flow, sizeof(flow));
	assert_int_equal(keep_rows_open(keep_rows_list(keep), 1, &rows), 0);
	assert_int_equal(keep_rows_table(rows)->rows[FWD_ROWS - 1].owner, 5);
	close(held_rows);
	close(held_flows);
	assert_int_equal(keep_rows_new(keep_rows_list(keep), &more), 0);
	assert_int_equal(keep_rows_id(more), 2);
	keep_rows_unref(more);
	keep_rows_unref(rows);
	keep_free(keep);
	keep_free(open_keep(MAX_FLOWS, true)); /* nobody held it */
}

static void the_newest_map_of_a_name_wins(void **state)
{
	struct keep *keep = open_keep(MAX_FLOWS, true);
	int old = hold(keep_flows_map(keep)), new;

	keep_free(keep);
	keep = open_keep(MORE_FLOWS, false);
	new = hold(keep_flows_map(keep));
	keep_flows(keep)->flow4[3].entries[1] = flow4_make(1);
	keep_free(keep);
	keep = open_keep(MORE_FLOWS, false);
	assert_int_equal(keep_flows(keep)->flow4[3].entries[1].meta, flow4_make(1).meta);
	keep_free(keep);
	close(new);
	close(old);
}

static void maps_of_another_directory_are_not_found(void **state)
{
	struct keep *keep = open_keep(MAX_FLOWS, true);
	int held = hold(keep_flows_map(keep));
	char first[TEMP_DIR_BYTES];

	keep_free(keep);
	memcpy(first, directory, sizeof(first));
	assert_int_equal(setup(state), 0);
	keep_free(open_keep(MAX_FLOWS, true));
	remove_directory();
	memcpy(directory, first, sizeof(first));
	keep_free(open_keep(MAX_FLOWS, false));
	/* The same path, and most likely the same inode: still another directory. */
	remove_directory();
	assert_int_equal(mkdir(directory, 0700), 0);
	keep_free(open_keep(MAX_FLOWS, true));
	close(held);
}

static void removed_rows_are_not_found_again(void **state)
{
	struct keep *keep = open_keep(MAX_FLOWS, true);
	int held = hold(keep_flows_map(keep)), held_rows;
	struct keep_rows *rows;

	keep_sweep(keep);
	assert_int_equal(keep_rows_new(keep_rows_list(keep), &rows), 0);
	held_rows = hold(keep_rows_map(rows));
	keep_rows_unref(rows);
	keep_free(keep);
	keep = open_keep(MAX_FLOWS, false);
	assert_int_equal(keep_rows_open(keep_rows_list(keep), 1, &rows), -ENOENT);
	keep_free(keep);
	close(held_rows);
	close(held);
}

/* A start that was killed while it made a map that the kernel holds nonetheless. */
static void half_made_maps_are_not_found(void **state)
{
	struct store_directory home = { .fd = -1, .pins_fd = -1 };
	uint32_t n_flow4 = flows_buckets4(MAX_FLOWS), n_flow6 = flows_buckets6(MAX_FLOWS);
	struct store_memory memory;
	struct keep_header header;
	int lock;

	keep_free(open_keep(MAX_FLOWS, true));
	lock = open(path("lock"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(lock, &home.home, sizeof(home.home), 0), sizeof(home.home));
	close(lock);
	assert_int_equal(boot_id_read(home.boot), 0);
	header = store_header_make(&home, KEEP_FLOWS_MAGIC, "flows",
		(n_flow4 + n_flow6) * sizeof(struct flow4_bucket));
	header.n_flow4 = n_flow4;
	header.n_flow6 = n_flow6;
	assert_int_equal(keep_map_store.new(&home, &header, &memory), 0);
	keep_free(open_keep(MAX_FLOWS, true));
	assert_int_equal(keep_map_store.commit(&home, &memory), 0);
	keep_free(open_keep(MAX_FLOWS, false));
	store_memory_unmap(&memory);
}

static void the_sweep_gives_up_unnamed_maps(void **state)
{
	struct keep *keep = open_keep(MAX_FLOWS, true);
	struct keep_rows *rows[2];
	int held[3] = { hold(keep_flows_map(keep)), -1, -1 };

	for (size_t idx = 0; idx < ARRAY_LEN(rows); idx++) {
		assert_int_equal(keep_rows_new(keep_rows_list(keep), &rows[idx]), 0);
		held[idx + 1] = hold(keep_rows_map(rows[idx]));
	}
	keep_free(keep);
	keep_rows_unref(rows[0]);
	keep_rows_unref(rows[1]);
	keep = open_keep(MAX_FLOWS, false);
	assert_int_equal(keep_rows_open(keep_rows_list(keep), 2, &rows[1]), 0);
	keep_sweep(keep);
	keep_free(keep);
	keep_rows_unref(rows[1]);
	keep = open_keep(MAX_FLOWS, false);
	assert_int_equal(keep_rows_open(keep_rows_list(keep), 1, &rows[0]), -ENOENT);
	assert_int_equal(keep_rows_open(keep_rows_list(keep), 2, &rows[1]), 0);
	keep_free(keep);
	keep_rows_unref(rows[1]);
	ARRAY_FOREACH (fd, held, ARRAY_LEN(held))
		close(*fd);
}

/* ---- from one store to the other ---- */

static struct keep *reopen(struct keep *keep, enum keep_backing wanted, uint64_t max_flows)
{
	keep_free(keep);
	backing = wanted;
	return open_keep(max_flows, false);
}

static void fill(struct keep *keep, struct keep_rows **ret_rows)
{
	keep_flows(keep)->flow4[3].entries[1] = flow4_make(1);
	keep_flows(keep)->flow6[2].entries[0] = flow6_make(2);
	assert_int_equal(keep_rows_new(keep_rows_list(keep), ret_rows), 0);
	keep_rows_table(*ret_rows)->rows[FWD_ROWS - 1].owner = 5;
}

static size_t n_records(const struct keep *keep)
{
	const struct flows_table *table = keep_flows(keep);
	size_t n = 0;

	for (uint32_t idx = 0; idx < table->n_flow4; idx++)
		ARRAY_FOREACH (flow, table->flow4[idx].entries, FLOW4_PER_BUCKET)
			n += flow->meta == flow4_make(1).meta;
	for (uint32_t idx = 0; idx < table->n_flow6; idx++)
		ARRAY_FOREACH (flow, table->flow6[idx].entries, FLOW6_PER_BUCKET)
			n += flow->meta == flow6_make(2).meta;
	return n;
}

static struct keep_rows *assert_kept(struct keep *keep, const uint64_t seed[2])
{
	struct keep_rows *rows;

	assert_memory_equal(keep_flow_seed(keep), seed, 2 * sizeof(seed[0]));
	assert_int_equal(n_records(keep), 2);
	assert_int_equal(keep_rows_open(keep_rows_list(keep), 1, &rows), 0);
	assert_int_equal(keep_rows_table(rows)->rows[FWD_ROWS - 1].owner, 5);
	assert_int_equal(keep_rows_map(rows) >= 0, backing == KEEP_MAPS);
	assert_int_equal(keep_flows_map(keep) >= 0, backing == KEEP_MAPS);
	return rows;
}

static void sweep_and_end(struct keep *keep, struct keep_rows *rows)
{
	keep_sweep(keep);
	keep_preserve(keep);
	keep_rows_unref(rows);
}

static void flows_and_rows_move_to_files_and_back(void **state)
{
	static const uint64_t sizes[] = { MAX_FLOWS, MORE_FLOWS, MAX_FLOWS };
	struct keep *keep = open_keep(MAX_FLOWS, true);
	struct keep_rows *rows;
	uint64_t seed[2];

	memcpy(seed, keep_flow_seed(keep), sizeof(seed));
	fill(keep, &rows);
	keep_preserve(keep);
	keep_rows_unref(rows);
	ARRAY_FOREACH (size, sizes, ARRAY_LEN(sizes)) {
		keep = reopen(keep, KEEP_FILES, *size);
		rows = assert_kept(keep, seed);
		assert_names("flows", true); /* until the sweep: a start that fails loses nothing */
		sweep_and_end(keep, rows);
		assert_names("flows", false);
		assert_names("rows-0000000000000001", false);
		assert_int_equal(access(path("flows"), F_OK), 0);
		keep = reopen(keep, KEEP_MAPS, *size);
		rows = assert_kept(keep, seed);
		assert_int_equal(access(path("flows"), F_OK), 0);
		sweep_and_end(keep, rows);
		assert_int_equal(access(path("flows"), F_OK), -1);
		assert_int_equal(access(path("rows-0000000000000001"), F_OK), -1);
		assert_names("rows-0000000000000001", true);
	}
	keep_free(keep);
}

static void maps_given_up_for_files_are_not_found_again(void **state)
{
	struct keep *keep = open_keep(MAX_FLOWS, true);
	int held = hold(keep_flows_map(keep));
	uint64_t seed[2];

	memcpy(seed, keep_flow_seed(keep), sizeof(seed));
	keep_flows(keep)->flow4[3].entries[1] = flow4_make(1);
	keep = reopen(keep, KEEP_FILES, MAX_FLOWS);
	assert_memory_equal(keep_flow_seed(keep), seed, sizeof(seed));
	assert_int_equal(n_records(keep), 1);
	keep_sweep(keep);
	/* Newer than what the map has, which a program that was left behind still holds. */
	keep_flows(keep)->flow6[2].entries[0] = flow6_make(2);
	keep = reopen(keep, KEEP_MAPS, MAX_FLOWS);
	assert_int_equal(n_records(keep), 2);
	keep_free(keep);
	close(held);
}

/* ---- permission ---- */

static void keep_capabilities(uint64_t wanted)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	for (size_t idx = 0; idx < ARRAY_LEN(data); idx++)
		data[idx].effective = data[idx].permitted = (uint32_t)(wanted >> 32 * idx);
	if (syscall(SYS_capset, &header, data) < 0)
		_exit(9);
}

static int in_child(int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Exit status: how fresh. */
static int open_with_units_capabilities(void)
{
	struct why why = { 0 };
	struct keep *keep;
	bool fresh;

	keep_capabilities(UINT64_C(1) << CAP_BPF | UINT64_C(1) << CAP_PERFMON);
	if (!keep_maps_supported(&why) ||
		keep_open(&(struct keep_config){ directory, KEEP_MAPS, MAX_FLOWS }, &keep, &fresh,
			&why) < 0)
		return 2;
	return fresh;
}

static void pins_need_no_more_than_the_units_capabilities(void **state)
{
	keep_free(open_keep(MAX_FLOWS, true));
	assert_int_equal(in_child(open_with_units_capabilities), 0);
}

static void who_may_not_look_for_maps_finds_none(void **state)
{
	struct keep *keep = open_keep(MAX_FLOWS, true);
	int held = hold(keep_flows_map(keep));

	keep_free(keep);
	assert_int_equal(in_child(open_with_units_capabilities), 1);
	close(held);
}

static int try_without_capabilities(void)
{
	struct why why = { 0 };

	keep_capabilities(0);
	return keep_maps_supported(&why) ? 1 : strstr(why.text, "CAP_BPF") ? 0 : 2;
}

static void missing_capability_is_named(void **state)
{
	FILE *file = fopen("/proc/sys/kernel/unprivileged_bpf_disabled", "re");
	int c = file ? fgetc(file) : EOF;

	if (file)
		fclose(file);
	if (c != '1' && c != '2') {
		print_message("skipped: everybody may make maps here\n");
		skip();
	}
	assert_int_equal(in_child(try_without_capabilities), 0);
}

/* ---- */

static int setup_in_maps(void **state)
{
	backing = KEEP_MAPS;
	return setup(state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_in_maps, teardown)
	const struct CMUnitTest pinned[] = {
		TEST(maps_have_flows_where_programs_look),
		TEST(maps_share_all_rows_with_another_mapping),
		TEST(maps_of_rows_fit_one_map_of_maps),
		TEST(maps_with_a_damaged_header_are_replaced),
		TEST(pins_that_are_not_ours_are_replaced),
		TEST(rows_under_another_pin_are_refused),
		TEST(half_made_pins_are_removed),
		TEST(flows_and_rows_move_to_files_and_back),
		TEST(pins_need_no_more_than_the_units_capabilities),
		TEST(missing_capability_is_named),
	};
	const struct CMUnitTest unpinned[] = {
		TEST(maps_with_a_damaged_header_are_replaced),
		TEST(maps_are_found_while_the_kernel_holds_them),
		TEST(the_newest_map_of_a_name_wins),
		TEST(maps_of_another_directory_are_not_found),
		TEST(removed_rows_are_not_found_again),
		TEST(half_made_maps_are_not_found),
		TEST(the_sweep_gives_up_unnamed_maps),
		TEST(maps_given_up_for_files_are_not_found_again),
		TEST(who_may_not_look_for_maps_finds_none),
	};
	const char *why = why_no_pins();
	int failed;

	if (why) {
		printf("skip: %s\n", why);
		return 77;
	}
	is_pinned = true;
	failed = cmocka_run_group_tests_name("keep in pinned maps", pinned, NULL, NULL);
	is_pinned = false;
	return failed + cmocka_run_group_tests_name("keep in maps", unpinned, NULL, NULL);
}
