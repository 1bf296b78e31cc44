/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The boot's id is the kernel's, and the same for everybody. */
#include "common/os/boot_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <systemd/sd-id128.h>

static void boot_id_is_what_systemd_knows(void **state)
{
	char text[BOOT_ID_BYTES];
	sd_id128_t ours, boot;

	assert_int_equal(boot_id_read(text), 0);
	assert_int_equal(sd_id128_from_string(text, &ours), 0);
	assert_int_equal(sd_id128_get_boot(&boot), 0);
	assert_true(sd_id128_equal(ours, boot));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(boot_id_is_what_systemd_knows) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
