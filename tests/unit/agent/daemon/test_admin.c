/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the administrator said, in a file. */
#include "agent/daemon/admin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/util.h"

static void admin_word_outlives_the_daemon(void **state)
{
	char directory[] = "/tmp/dsr-test-admin.XXXXXX";

	assert_non_null(mkdtemp(directory));
	assert_int_equal(admin_load(directory), REPORT_ENABLED);
	assert_int_equal(admin_store(directory, REPORT_MAINT), 0);
	assert_int_equal(admin_load(directory), REPORT_MAINT);
	assert_int_equal(admin_store(directory, REPORT_DRAIN), 0);
	assert_int_equal(admin_load(directory), REPORT_DRAIN);
	assert_int_equal(admin_store(directory, REPORT_ENABLED), 0);
	assert_int_equal(admin_store(directory, REPORT_ENABLED), 0);
	assert_int_equal(admin_load(directory), REPORT_ENABLED);
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(admin_store(directory, REPORT_DRAIN), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(admin_word_outlives_the_daemon),
	};

	return cmocka_run_group_tests_name("agent/admin", tests, NULL, NULL);
}
