/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must be taken back, after a power cut at any moment of its change: as it was before or after, and never damaged. */
#include "agent/host/undo_log.h"

#include "tests/unit/tools/power_cut.h"

#define IDENTITY "boot/1"
#define LARGE    40u /* originals that take more than a few sectors */

struct counts {
	size_t of[LARGE + 1];
};

static int store(const char *directory, uint32_t n_originals)
{
	struct host_undo undo = { 0 };
	int r = 0;

	for (uint32_t i = 0; i < n_originals && r == 0; i++) {
		struct host_original original = {
			.ifindex = i + 1, .arp_ignore = i, .arp_announce = 2
		};

		snprintf(original.name, sizeof(original.name), "eth%u", i);
		r = host_undo_add_original(&undo, &original);
	}
	if (r == 0)
		r = undo_log_store(directory, IDENTITY, &undo);
	host_undo_clear(&undo);
	return r;
}

static int store_large(const char *directory)
{
	return store(directory, LARGE);
}

static void load(const char *directory, bool all_was_done, void *context)
{
	struct counts *counts = context;
	struct host_undo undo = { 0 };

	assert_int_equal(undo_log_load(directory, IDENTITY, &undo), 0);
	assert_in_range(undo.n_originals, 0, LARGE);
	counts->of[undo.n_originals]++;
	for (uint32_t i = 0; i < undo.n_originals; i++)
		assert_int_equal(undo.originals[i].arp_ignore, i);
	host_undo_clear(&undo);
}

static void undo_log_is_the_former_or_the_new_after_a_cut(void **state)
{
	for (uint32_t before = 0; before < 2; before++) {
		struct counts counts = { { 0 } };
		char directory[TEMP_DIR_BYTES];
		struct power_cut *cut;
		size_t n;

		temp_dir_make(directory);
		if (before > 0)
			assert_int_equal(store(directory, before), 0);
		cut = power_cut_record(directory, store_large);
		n = power_cut_each(cut, load, &counts);
		print_message("%zu worlds\n", n);
		assert_true(counts.of[before] > 0 && counts.of[LARGE] > 0);
		assert_int_equal(counts.of[before] + counts.of[LARGE], n);
		power_cut_free(cut);
		temp_dir_remove(directory);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(undo_log_is_the_former_or_the_new_after_a_cut),
	};

	return cmocka_run_group_tests_name("agent/undo_log_cut", tests, NULL, NULL);
}
