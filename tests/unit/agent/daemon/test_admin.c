/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the administrator said, in a file. */
#include "agent/daemon/admin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/util.h"
#include "tests/unit/tools/temp_dir.h"

static void admin_word_outlives_the_daemon(void **state)
{
	char directory[TEMP_DIR_BYTES];
	enum report_admin admin = REPORT_ADMIN_N_;
	struct why why = { 0 };

	temp_dir_make(directory);
	assert_int_equal(admin_load(directory, &admin, &why), 0);
	assert_int_equal(admin, REPORT_ENABLED);
	assert_int_equal(admin_store(directory, REPORT_MAINT), 0);
	assert_int_equal(admin_load(directory, &admin, &why), 0);
	assert_int_equal(admin, REPORT_MAINT);
	assert_int_equal(admin_store(directory, REPORT_DRAIN), 0);
	assert_int_equal(admin_load(directory, &admin, &why), 0);
	assert_int_equal(admin, REPORT_DRAIN);
	assert_int_equal(admin_store(directory, REPORT_ENABLED), 0);
	assert_int_equal(admin_store(directory, REPORT_ENABLED), 0);
	assert_int_equal(admin_load(directory, &admin, &why), 0);
	assert_int_equal(admin, REPORT_ENABLED);
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(admin_store(directory, REPORT_DRAIN), -ENOENT);
}

static void admin_is_unknown_when_the_file_is_damaged(void **state)
{
	static const char *const texts[] = { "", "maint?\n", "enabledmaint\n", "\n" };
	char directory[TEMP_DIR_BYTES];
	enum report_admin admin = REPORT_ADMIN_N_;
	struct why why = { 0 };
	char path[TEMP_DIR_BYTES + 16];

	temp_dir_make(directory);
	snprintf(path, sizeof(path), "%s/admin", directory);
	ARRAY_FOREACH (text, texts, ARRAY_LEN(texts)) {
		temp_dir_write(directory, "admin", *text);
		assert_int_equal(admin_load(directory, &admin, &why), -EBADMSG);
		assert_non_null(strstr(why.text, "/admin is damaged"));
	}
	assert_int_equal(unlink(path), 0);
	/* Nothing that can be read, whoever reads it. */
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(admin_load(directory, &admin, &why), -EISDIR);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(symlink("admin", path), 0);
	assert_int_equal(admin_load(directory, &admin, &why), -ELOOP);
	assert_int_equal(admin, REPORT_ADMIN_N_);
	temp_dir_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(admin_is_unknown_when_the_file_is_damaged),
		cmocka_unit_test(admin_word_outlives_the_daemon),
	};

	return cmocka_run_group_tests_name("agent/admin", tests, NULL, NULL);
}
