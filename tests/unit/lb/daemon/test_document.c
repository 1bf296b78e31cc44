/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which kept document is believed. */
#include "lb/daemon/document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define BOOT  "7c9c2f4a-53d5-4d1c-9e1a-0c4b8a0d7e11"
#define OTHER "7c9c2f4a-53d5-4d1c-9e1a-0c4b8a0d7e12"

static uint64_t boot_id(const char *host_boot, long long saved_us, const char *now_boot)
{
	json_t *document = json_pack("{s:i, s:s, s:I, s:I}", "layout", 1, "host_boot", host_boot,
		"saved_us", (json_int_t)saved_us, "boot_id", (json_int_t)77);
	uint64_t id = document_boot_id(document, now_boot, 1000);

	json_decref(document);
	return id;
}

static void document_of_this_boot_is_believed(void **state)
{
	assert_int_equal(boot_id(BOOT, 1000, BOOT), 77);
	assert_int_equal(boot_id("7c9c2f4a53d54d1c9e1a0c4b8a0d7e11", 1000, BOOT), 77);
	assert_int_equal(boot_id("", 1000, ""), 77);
}

static void document_of_another_boot_is_not(void **state)
{
	assert_int_equal(boot_id(OTHER, 1000, BOOT), 0);
	assert_int_equal(boot_id("", 1000, BOOT), 0);
	assert_int_equal(boot_id(BOOT, 1000, ""), 0);
	assert_int_equal(boot_id("7c9c2f4a-53d5-4d1c-9e1a-0c4b8a0d7e1", 1000, BOOT), 0);
	assert_int_equal(document_boot_id(NULL, BOOT, 1000), 0);
}

static void document_from_the_future_is_of_another_boot(void **state)
{
	assert_int_equal(boot_id(BOOT, 1001, BOOT), 0);
	assert_int_equal(boot_id("", 1001, ""), 0);
	assert_int_equal(boot_id(BOOT, -1, BOOT), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(document_of_this_boot_is_believed),
		cmocka_unit_test(document_of_another_boot_is_not),
		cmocka_unit_test(document_from_the_future_is_of_another_boot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
