/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The boot's id is the kernel's, and the same for everybody. */
#include "common/os/boot_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

static void boot_id_is_what_systemd_knows(void **state)
{
	char text[BOOT_ID_BYTES];
	sd_id128_t ours, boot;

	assert_int_equal(boot_id_read(text), 0);
	assert_int_equal(sd_id128_from_string(text, &ours), 0);
	assert_int_equal(sd_id128_get_boot(&boot), 0);
	assert_true(sd_id128_equal(ours, boot));
}

/* As a unit with ProcSubset=pid has it: zeros would be the same boot for ever. */
static void boot_id_is_unknown_where_proc_is_hidden(void **state)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		char text[BOOT_ID_BYTES] = "left";

		if (unshare(CLONE_NEWNS) < 0 ||
			mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
			mount("none", "/proc/sys", "tmpfs", 0, NULL) < 0)
			_exit(77);
		_exit(boot_id_read(text) < 0 && text[0] == '\0' ? EXIT_SUCCESS : EXIT_FAILURE);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		print_message("skipped: no mount namespaces here\n");
	else
		assert_int_equal(WEXITSTATUS(status), EXIT_SUCCESS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(boot_id_is_what_systemd_knows),
		cmocka_unit_test(boot_id_is_unknown_where_proc_is_hidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
