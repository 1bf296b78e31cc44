/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What outlives the daemon, in files and in maps: reopened after a kill, counted, swept, resized. */
#include "lb/state/keep.h"

#include <linux/magic.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "lb/fwd/hash.h"
#include "tests/unit/lb/state/keep_fixture.h"

/* Runs fn in a process that ends as by kill -9: no cleanup, no exit handler. */
static void in_killed_process(void (*fn)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		fn();
		raise(SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* The bucket in which the packet path looks for it first. */
static uint32_t home_of(const struct keep *keep, const struct fwd_addr *client, __be16 client_port,
	__be16 vip_port, uint32_t n_buckets)
{
	const uint64_t *seed = keep_flow_seed(keep);
	struct fwd_settings settings = { .flow_seed = { seed[0], seed[1] } };

	return hash_reduce(hash_flow(&settings, client, client_port, vip_port, SERVICE), n_buckets);
}

/* How often the packet path could find exactly this record. */
static size_t count4(const struct keep *keep, const struct flow4 *flow)
{
	const struct flows_table *table = keep_flows(keep);
	struct fwd_addr client = { { 0, 0, htobe32(0xffff), flow->client } };
	uint32_t idx = home_of(keep, &client, flow->client_port, flow->vip_port, table->n_flow4);
	size_t n = 0;

	for (uint32_t nth = 0; nth < FLOW_GROUP_BUCKETS; nth++)
		ARRAY_FOREACH (
			entry, table->flow4[flow_bucket_index(idx, nth)].entries, FLOW4_PER_BUCKET)
			n += memcmp(entry, flow, sizeof(*flow)) == 0;
	return n;
}

static void assert_found4(const struct keep *keep, const struct flow4 *flow)
{
	assert_int_equal(count4(keep, flow), 1);
}

static void assert_found6(const struct keep *keep, const struct flow6 *flow)
{
	const struct flows_table *table = keep_flows(keep);
	struct fwd_addr client;
	uint32_t idx;
	size_t n = 0;

	memcpy(client.word, flow->client, sizeof(client.word));
	idx = home_of(keep, &client, flow->client_port, flow->vip_port, table->n_flow6);
	for (uint32_t nth = 0; nth < FLOW_GROUP_BUCKETS; nth++)
		ARRAY_FOREACH (
			entry, table->flow6[flow_bucket_index(idx, nth)].entries, FLOW6_PER_BUCKET)
			n += memcmp(entry, flow, sizeof(*flow)) == 0;
	assert_int_equal(n, 1);
}

/* ---- opening ---- */

static void keep_starts_fresh_with_a_seed_of_its_own(void **state)
{
	struct keep *keep = open_keep(MAX_FLOWS, true);
	uint64_t seed[2];

	memcpy(seed, keep_flow_seed(keep), sizeof(seed));
	assert_true(seed[0] != 0 || seed[1] != 0);
	assert_int_equal(keep_flows(keep)->n_flow4, flows_buckets4(MAX_FLOWS));
	assert_int_equal(keep_flows(keep)->n_flow6, flows_buckets6(MAX_FLOWS));
	assert_int_equal(keep_flows(keep)->n_seen, flow_seen_words(MAX_FLOWS));
	assert_true(flow_seen_is_new(keep_flows(keep)));
	keep_free(keep);
	remove_directory();
	assert_int_equal(setup(state), 0);
	keep = open_keep(MAX_FLOWS, true);
	assert_memory_not_equal(keep_flow_seed(keep), seed, sizeof(seed));
	keep_free(keep);
}

static void keep_refuses_a_second_daemon(void **state)
{
	struct keep *keep = open_keep(MAX_FLOWS, true);
	struct keep *second = NULL;
	struct why why = { 0 };
	bool fresh;

	assert_int_equal(keep_open(&(struct keep_config){ directory, KEEP_FILES, MAX_FLOWS },
				 &second, &fresh, &why),
		-EBUSY);
	assert_non_null(strstr(why.text, "another daemon"));
	assert_null(second);
	keep_free(keep);
	keep_free(open_keep(MAX_FLOWS, false));
}

static void keep_says_what_directory_is_missing(void **state)
{
	struct keep *keep = NULL;
	struct why why = { 0 };
	bool fresh;

	assert_int_equal(keep_open(&(struct keep_config){ path("none"), KEEP_FILES, MAX_FLOWS },
				 &keep, &fresh, &why),
		-ENOENT);
	assert_non_null(strstr(why.text, path("none")));
}

/* ---- surviving ---- */

static uint64_t *shared; /* with killed processes */

static void fill_and_die(void)
{
	struct keep *keep = open_keep(MAX_FLOWS, true);
	json_t *document = json_pack("{s:i}", "answer", 42);
	struct keep_rows *rows;

	keep_flows(keep)->flow4[3].entries[1] = flow4_make(1);
	keep_flows(keep)->flow6[2].entries[0] = flow6_make(2);
	assert_int_equal(keep_rows_new(keep_rows_list(keep), &rows), 0);
	keep_rows_table(rows)->rows[FWD_ROWS - 1] = (struct fwd_slot){ 5, 6, 7 };
	assert_int_equal(keep_save_document(keep, document), 0);
	shared[0] = keep_rows_id(rows);
	memcpy(&shared[1], keep_flow_seed(keep), 2 * sizeof(uint64_t));
}

static void keep_loses_nothing_by_kill(void **state)
{
	const struct flow4 flow4 = flow4_make(1);
	const struct flow6 flow6 = flow6_make(2);
	struct keep_rows *rows;
	struct keep *keep;
	json_t *document;

	in_killed_process(fill_and_die);
	keep = open_keep(MAX_FLOWS, false);
	assert_memory_equal(keep_flow_seed(keep), &shared[1], 2 * sizeof(uint64_t));
	assert_memory_equal(&keep_flows(keep)->flow4[3].entries[1], &flow4, sizeof(flow4));
	assert_memory_equal(&keep_flows(keep)->flow6[2].entries[0], &flow6, sizeof(flow6));
	assert_int_equal(keep_rows_open(keep_rows_list(keep), shared[0], &rows), 0);
	assert_int_equal(keep_rows_table(rows)->rows[FWD_ROWS - 1].owner, 5);
	assert_int_equal(keep_rows_table(rows)->rows[FWD_ROWS - 1].base, 6);
	assert_int_equal(keep_rows_table(rows)->rows[FWD_ROWS - 1].seen_s, 7);
	document = keep_load_document(keep);
	assert_int_equal(json_integer_value(json_object_get(document, "answer")), 42);
	json_decref(document);
	keep_rows_unref(rows);
	keep_free(keep);
}

static void leave_half_written_entries(void)
{
	struct keep *keep = open_keep(MAX_FLOWS, true);
	struct flow4_bucket *bucket = &keep_flows(keep)->flow4[0];

	bucket->entries[0] = flow4_make(1);
	bucket->entries[1] = flow4_make(2);
	bucket->entries[1].meta = flow_meta(1, 2, FLOW_BUSY, 77);
	bucket->entries[2] = flow4_make(3);
	bucket->entries[2].meta = flow_meta(1, 2, FLOW_PERSIST + 1, 77);
	bucket->entries[3] = flow4_make(4);
	bucket->entries[3].meta = flow_meta(1, 2, FLOW_PERSIST, 77);
	keep_flows(keep)->flow6[0].entries[1] = flow6_make(4);
	keep_flows(keep)->flow6[0].entries[1].meta = flow_meta(1, 2, FLOW_BUSY, 77);
}

static void keep_frees_entries_of_killed_writers(void **state)
{
	struct flow4_bucket *bucket;
	struct keep *keep;

	in_killed_process(leave_half_written_entries);
	keep = open_keep(MAX_FLOWS, false);
	bucket = &keep_flows(keep)->flow4[0];
	assert_int_equal(flow_meta_state(bucket->entries[0].meta), FLOW_TCP_ESTABLISHED);
	/* The writer of an entry in a map may be a program, which goes on. */
	assert_int_equal(
		bucket->entries[1].meta, backing == KEEP_MAPS ? flow_meta(1, 2, FLOW_BUSY, 77) : 0);
	assert_int_equal(bucket->entries[2].meta, 0);
	assert_int_equal(flow_meta_state(bucket->entries[3].meta), FLOW_PERSIST);
	assert_int_equal(keep_flows(keep)->flow6[0].entries[1].meta,
		backing == KEEP_MAPS ? flow_meta(1, 2, FLOW_BUSY, 77) : 0);
	keep_free(keep);
}

/* ---- which boot ---- */

/* Twice; whether the second time nothing was found. */
static bool is_fresh_again(void)
{
	struct keep_config config = { directory, KEEP_FILES, MAX_FLOWS };
	struct keep *keep;
	bool fresh;

	if (keep_open(&config, &keep, &fresh, NULL) < 0 || !fresh)
		exit(2);
	keep_free(keep);
	if (keep_open(&config, &keep, &fresh, NULL) < 0)
		exit(2);
	keep_free(keep);
	return fresh;
}

/* In mounts of its own, where /proc/sys is hidden. */
static int without_boot(bool on_tmpfs)
{
	pid_t child = fork();
	int status = -1;

	if (child == 0) {
		if (unshare(CLONE_NEWNS) < 0 ||
			mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
			mount("none", "/proc/sys", "tmpfs", 0, NULL) < 0 ||
			(on_tmpfs && mount("none", directory, "tmpfs", 0, NULL) < 0))
			exit(3);
		exit(is_fresh_again());
	}
	assert_true(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void keep_believes_an_unknown_boot_on_tmpfs_alone(void **state)
{
	struct statfs status;
	int r = without_boot(true);

	if (r == 3) {
		print_message("skipped: no mount namespaces here\n");
		return;
	}
	assert_int_equal(r, 0);
	assert_int_equal(statfs(directory, &status), 0);
	if (status.f_type == TMPFS_MAGIC)
		print_message("skipped in part: %s is on tmpfs itself\n", directory);
	else
		assert_int_equal(without_boot(false), 1);
}

/* ---- rows ---- */

static void keep_rows_go_with_their_last_reference(void **state)
{
	struct keep *keep = open_keep(MAX_FLOWS, true);
	struct keep_rows *rows, *again;

	keep_sweep(keep);
	assert_int_equal(keep_rows_new(keep_rows_list(keep), &rows), 0);
	assert_int_equal(keep_rows_open(keep_rows_list(keep), keep_rows_id(rows), &again), 0);
	assert_ptr_equal(rows, again);
	keep_rows_unref(again);
	assert_names("rows-0000000000000001", true);
	keep_rows_unref(rows);
	assert_names("rows-0000000000000001", false);
	keep_free(keep);
}

static void keep_rows_stay_when_the_daemon_ends(void **state)
{
	struct keep *keep = open_keep(MAX_FLOWS, true);
	struct keep_rows *first, *second;

	assert_int_equal(keep_rows_new(keep_rows_list(keep), &first), 0);
	assert_int_equal(keep_rows_new(keep_rows_list(keep), &second), 0);
	keep_preserve(keep);
	keep_rows_unref(first);
	keep_free(keep);
	keep_rows_table(second)->rows[0].owner = 1; /* still mapped */
	keep_rows_unref(second);
	keep = open_keep(MAX_FLOWS, false);
	assert_int_equal(keep_rows_open(keep_rows_list(keep), 1, &first), 0);
	assert_int_equal(keep_rows_open(keep_rows_list(keep), 2, &second), 0);
	assert_int_equal(keep_rows_table(second)->rows[0].owner, 1);
	keep_rows_unref(first);
	keep_rows_unref(second);
	keep_free(keep);
}

/* The next start finds what the document names. */
static void keep_loses_no_rows_by_a_start_that_fails(void **state)
{
	struct keep *keep = open_keep(MAX_FLOWS, true);
	struct keep_rows *rows;

	keep_sweep(keep);
	assert_int_equal(keep_rows_new(keep_rows_list(keep), &rows), 0);
	keep_preserve(keep);
	keep_rows_unref(rows);
	keep_free(keep);
	keep = open_keep(MAX_FLOWS, false);
	assert_int_equal(keep_rows_open(keep_rows_list(keep), 1, &rows), 0);
	keep_rows_unref(rows);
	keep_free(keep);
	assert_names("rows-0000000000000001", true);
}

static void keep_gives_no_id_of_a_file_again(void **state)
{
	struct keep *keep = open_keep(MAX_FLOWS, true);
	struct keep_rows *rows;

	make_name("rows-00000000000000ff");
	keep_free(keep);
	keep = open_keep(MAX_FLOWS, false);
	assert_int_equal(keep_rows_new(keep_rows_list(keep), &rows), 0);
	assert_int_equal(keep_rows_id(rows), 256);
	keep_rows_unref(rows);
	keep_free(keep);
}

static void keep_sweeps_rows_that_nobody_has(void **state)
{
	struct keep *keep = open_keep(MAX_FLOWS, true);
	struct keep_rows *rows;

	make_name("rows-0000000000000007");
	make_name("rows-0000000000000008");
	make_name("rows-8");
	assert_int_equal(keep_rows_new(keep_rows_list(keep), &rows), 0);
	keep_sweep(keep);
	assert_names("rows-0000000000000007", false);
	assert_names("rows-0000000000000008", false);
	assert_names("rows-0000000000000001", true); /* open */
	assert_names("rows-8", true);                /* no name of ours */
	keep_rows_unref(rows);
	keep_free(keep);
}

/* ---- resizing ---- */

static struct keep *reopen_keep(struct keep *keep, uint64_t max_flows)
{
	keep_free(keep);
	return open_keep(max_flows, false);
}

static void keep_moves_records_to_a_table_of_another_size(void **state)
{
	static const uint64_t sizes[] = { 50000, 3000, 8000 };
	struct keep *keep = open_keep(MAX_FLOWS, true);
	const struct flow4 flow4 = flow4_make(1);
	const struct flow6 flow6 = flow6_make(2);
	uint64_t seed[2];

	memcpy(seed, keep_flow_seed(keep), sizeof(seed));
	keep_flows(keep)->flow4[3].entries[1] = flow4;
	keep_flows(keep)->flow6[2].entries[0] = flow6;
	ARRAY_FOREACH (size, sizes, ARRAY_LEN(sizes)) {
		keep = reopen_keep(keep, *size);
		assert_int_equal(keep_flows(keep)->n_flow4, flows_buckets4(*size));
		assert_int_equal(keep_flows(keep)->n_flow6, flows_buckets6(*size));
		assert_memory_equal(keep_flow_seed(keep), seed, sizeof(seed));
		assert_found4(keep, &flow4);
		assert_found6(keep, &flow6);
	}
	keep_free(keep);
}

/* As the packet path does: what finds home full lies elsewhere in its group. */
static void keep_moves_as_many_records_as_find_room(void **state)
{
	const uint32_t n_flows = 10 * MAX_FLOWS;
	struct keep *keep = open_keep(UINT64_C(10) * n_flows, true);
	uint32_t n_lost = 0;

	for (uint32_t client = 0; client < n_flows; client++)
		keep_flows(keep)->flow4[client].entries[0] = flow4_make(client);
	keep = reopen_keep(keep, n_flows);
	for (uint32_t client = 0; client < n_flows; client++) {
		const struct flow4 flow = flow4_make(client);

		n_lost += count4(keep, &flow) != 1;
	}
	assert_true(n_lost < n_flows * 15 / 1000);
	keep_free(keep);
}

/* Of two CPUs' records of a flow, and of flows on the same ports. */
static void keep_moves_the_later_of_a_flows_records(void **state)
{
	struct flow4 later = flow4_make(1), first = later, of_udp = later;

	later.meta = flow_meta(SERVICE, 3, FLOW_TCP_ESTABLISHED, 78);
	of_udp.meta = flow_meta(SERVICE, 4, FLOW_UDP_ESTABLISHED, 70);
	for (size_t later_at = 0; later_at < 2; later_at++) {
		struct keep *keep = open_keep(MAX_FLOWS, true);

		keep_flows(keep)->flow4[4 + later_at].entries[0] = later;
		keep_flows(keep)->flow4[5 - later_at].entries[0] = first;
		keep_flows(keep)->flow4[5].entries[1] = of_udp;
		keep = reopen_keep(keep, UINT64_C(5) * MAX_FLOWS);
		assert_found4(keep, &later);
		assert_found4(keep, &of_udp);
		assert_int_equal(count4(keep, &first), 0);
		keep_free(keep);
		remove_directory();
		assert_int_equal(setup(state), 0);
	}
}

static void keep_shrinks_to_what_fits(void **state)
{
	struct keep *keep = open_keep(20000, true);
	const struct flows_table *table = keep_flows(keep);
	size_t n = 0;

	for (uint32_t idx = 0; idx < table->n_flow4; idx++)
		ARRAY_FOREACH (flow, table->flow4[idx].entries, FLOW4_PER_BUCKET)
			*flow = flow4_make((uint32_t)++n);
	keep = reopen_keep(keep, MAX_FLOWS);
	n = 0;
	for (uint32_t idx = 0; idx < keep_flows(keep)->n_flow4; idx++)
		ARRAY_FOREACH (flow, keep_flows(keep)->flow4[idx].entries, FLOW4_PER_BUCKET)
			n += flow->meta != 0;
	assert_true(n > MAX_FLOWS); /* nearly every bucket is full */
	keep_free(keep);
}

/* Where the bucket is full, the oldest record loses, unproven ones first. */
static void keep_shrinks_by_what_matters_least(void **state)
{
	struct keep *keep = open_keep(UINT64_C(100) * MAX_FLOWS, true);
	const struct flows_table *table = keep_flows(keep);
	const struct flow4 proven = flow4_make(1);
	uint32_t client = 1;

	/* The last to be moved: every bucket is full by then. */
	table->flow4[table->n_flow4 - 1].entries[0] = proven;
	for (uint32_t idx = 0; idx < table->n_flow4 - 1; idx++)
		ARRAY_FOREACH (flow, table->flow4[idx].entries, FLOW4_PER_BUCKET) {
			*flow = flow4_make(++client);
			flow->meta = flow_meta(SERVICE, 2, FLOW_TCP_SYN, 77);
		}
	keep = reopen_keep(keep, MAX_FLOWS);
	assert_found4(keep, &proven);
	keep_free(keep);
}

/* What was marked in the current generation and the one before, and since when. */
static void keep_moves_the_filter_of_flows_seen(void **state)
{
	struct keep *keep = open_keep(MAX_FLOWS, true);
	const struct flows_table *table = keep_flows(keep);
	__u64 *words = table->seen + SEEN_CONTROL_WORDS;

	memset(words, 0, (size_t)2 * table->n_seen * sizeof(*words));
	table->seen[SEEN_GENERATION] = 7;
	table->seen[SEEN_STARTED_S] = 50;
	words[0] = 1;
	words[table->n_seen - 1] = 2;
	words[2 * table->n_seen - 1] = 4;
	keep = reopen_keep(keep, MAX_FLOWS);
	assert_int_equal(keep_flows(keep)->seen[SEEN_CONTROL_WORDS], 1);
	keep = reopen_keep(keep, 500000);
	table = keep_flows(keep);
	words = table->seen + SEEN_CONTROL_WORDS;
	assert_int_equal(table->n_seen, flow_seen_words(500000));
	assert_int_equal(table->seen[SEEN_GENERATION], 7);
	assert_int_equal(table->seen[SEEN_STARTED_S], 50);
	assert_false(flow_seen_is_new(table));
	assert_int_equal(words[0], 1);
	assert_int_equal(words[table->n_seen - 1], 2);
	assert_int_equal(words[2 * table->n_seen - 1], 4);
	keep_free(keep);
}

static void keep_leaves_flows_alone_when_the_size_is_the_same(void **state)
{
	struct keep *keep = open_keep(MAX_FLOWS, true);
	struct stat before, after;

	assert_int_equal(stat(kept("flows"), &before), 0);
	keep = reopen_keep(keep, MAX_FLOWS);
	assert_int_equal(stat(kept("flows"), &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	keep_free(keep);
}

/* ---- the document ---- */

static void keep_document_is_absent_at_first(void **state)
{
	struct keep *keep = open_keep(MAX_FLOWS, true);

	assert_null(keep_load_document(keep));
	keep_free(keep);
}

static void keep_document_is_private_and_replaced_whole(void **state)
{
	struct keep *keep = open_keep(MAX_FLOWS, true);
	struct stat status;

	for (int idx = 0; idx < 2; idx++) {
		json_t *document = json_pack("{s:i}", "n", idx);
		json_t *loaded;

		assert_int_equal(keep_save_document(keep, document), 0);
		loaded = keep_load_document(keep);
		assert_true(json_equal(document, loaded));
		json_decref(loaded);
		json_decref(document);
	}
	assert_int_equal(stat(path("state.json"), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(access(path("state.json.new"), F_OK), -1);
	keep_free(keep);
}

/* read(2) calls of this process so far, those for asking included; 0: the kernel does not count. */
static unsigned long n_reads(void)
{
	FILE *file = fopen("/proc/self/io", "re");
	unsigned long n = 0;

	if (!file)
		return 0;
	while (fscanf(file, "syscr: %lu", &n) == 0 && fscanf(file, "%*[^\n] ") != EOF)
		;
	fclose(file);
	return n;
}

static void keep_document_is_read_in_one_piece(void **state)
{
	struct keep *keep = open_keep(MAX_FLOWS, true);
	json_t *document = json_array(), *loaded;
	unsigned long before, after;

	for (int idx = 0; idx < 20000; idx++)
		json_array_append_new(document, json_sprintf("backend %d", idx));
	assert_int_equal(keep_save_document(keep, document), 0);
	before = n_reads();
	loaded = keep_load_document(keep);
	after = n_reads();
	assert_true(json_equal(document, loaded));
	if (before == 0)
		print_message("# the kernel does not count system calls\n");
	assert_true(before == 0 || after - before < 10);
	json_decref(loaded);
	json_decref(document);
	keep_free(keep);
}

static const char *why_no_maps;

static void keep_in_maps(void **state)
{
	print_message("skipped: %s\n", why_no_maps);
	skip();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(keep_starts_fresh_with_a_seed_of_its_own),
		TEST(keep_loses_nothing_by_kill),
		TEST(keep_frees_entries_of_killed_writers),
		TEST(keep_rows_go_with_their_last_reference),
		TEST(keep_rows_stay_when_the_daemon_ends),
		TEST(keep_believes_an_unknown_boot_on_tmpfs_alone),
		TEST(keep_loses_no_rows_by_a_start_that_fails),
		TEST(keep_gives_no_id_of_a_file_again),
		TEST(keep_sweeps_rows_that_nobody_has),
		TEST(keep_moves_records_to_a_table_of_another_size),
		TEST(keep_moves_as_many_records_as_find_room),
		TEST(keep_moves_the_later_of_a_flows_records),
		TEST(keep_shrinks_to_what_fits),
		TEST(keep_shrinks_by_what_matters_least),
		TEST(keep_moves_the_filter_of_flows_seen),
		TEST(keep_leaves_flows_alone_when_the_size_is_the_same),
	};
	const struct CMUnitTest directory_tests[] = {
		TEST(keep_refuses_a_second_daemon),
		TEST(keep_says_what_directory_is_missing),
		TEST(keep_document_is_absent_at_first),
		TEST(keep_document_is_private_and_replaced_whole),
		TEST(keep_document_is_read_in_one_piece),
	};
	const struct CMUnitTest no_tests[] = { cmocka_unit_test(keep_in_maps) };
	int failed;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 1;
	failed = cmocka_run_group_tests_name("keep", directory_tests, NULL, NULL);
	failed += cmocka_run_group_tests_name("keep in files", tests, NULL, NULL);
	why_no_maps = why_no_pins();
	if (why_no_maps)
		return failed + cmocka_run_group_tests_name("keep in maps", no_tests, NULL, NULL);
	backing = KEEP_MAPS;
	is_pinned = true;
	return failed + cmocka_run_group_tests_name("keep in maps", tests, NULL, NULL);
}
