/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the administrator said, after a power cut at any moment of its change: the former word or the new one, never another. */
#include "agent/daemon/admin.h"

#include "tests/unit/tools/power_cut.h"

struct words {
	enum report_admin before, after;
	size_t n_before, n_after;
};

static void load(const char *directory, bool all_was_done, void *context)
{
	enum report_admin admin = REPORT_ADMIN_N_;
	struct words *words = context;
	struct why why = { 0 };

	if (admin_load(directory, &admin, &why) < 0)
		fail_msg("%s", why.text);
	assert_true(admin == words->before || admin == words->after);
	words->n_before += admin == words->before;
	words->n_after += admin == words->after;
}

static int store_drain(const char *directory)
{
	return admin_store(directory, REPORT_DRAIN);
}

static int store_maint(const char *directory)
{
	return admin_store(directory, REPORT_MAINT);
}

static int store_enabled(const char *directory)
{
	return admin_store(directory, REPORT_ENABLED);
}

static void admin_word_is_the_former_or_the_new_after_a_cut(void **state)
{
	static const struct {
		enum report_admin before, after;
		int (*store)(const char *directory);
	} changes[] = {
		{ REPORT_ENABLED, REPORT_DRAIN, store_drain },
		{ REPORT_DRAIN, REPORT_MAINT, store_maint },
		{ REPORT_MAINT, REPORT_ENABLED, store_enabled },
	};

	ARRAY_FOREACH (change, changes, ARRAY_LEN(changes)) {
		struct words words = { .before = change->before, .after = change->after };
		char directory[TEMP_DIR_BYTES];
		struct power_cut *cut;

		temp_dir_make(directory);
		assert_int_equal(admin_store(directory, change->before), 0);
		cut = power_cut_record(directory, change->store);
		print_message("%zu worlds\n", power_cut_each(cut, load, &words));
		assert_true(words.n_before > 0 && words.n_after > 0);
		power_cut_free(cut);
		temp_dir_remove(directory);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(admin_word_is_the_former_or_the_new_after_a_cut),
	};

	return cmocka_run_group_tests_name("agent/admin_cut", tests, NULL, NULL);
}
