/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of a daemon under systemd: signals reach the loop, credentials stand in for defaults. */
#include "common/os/systemd.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tests/unit/tools/temp_dir.h"

#define DEFAULT_PATH "/etc/product/key"

struct counts {
	unsigned int stops;
	unsigned int reloads;
};

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	((struct counts *)context)->stops++;
	return 0;
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	((struct counts *)context)->reloads++;
	return 0;
}

static void systemd_loop_hears_every_signal_of_a_daemon(void **state)
{
	static const int signals[] = { SIGTERM, SIGHUP, SIGINT };
	struct counts counts = { 0 };
	sd_event *event = NULL;

	assert_int_equal(systemd_new_loop(on_stop, on_reload, &counts, &event), 0);
	ARRAY_FOREACH (number, signals, ARRAY_LEN(signals)) {
		assert_int_equal(kill(getpid(), *number), 0);
		assert_true(sd_event_run(event, 5 * US_PER_S) > 0);
	}
	assert_int_equal(counts.stops, 2);
	assert_int_equal(counts.reloads, 1);
	sd_event_unref(event);
}

static void assert_key_path(const char *configured, const char *want)
{
	_cleanup_free_ char *path = NULL;

	assert_int_equal(systemd_key_path(configured, DEFAULT_PATH, "key", &path), 0);
	assert_string_equal(path, want);
}

static void systemd_key_path_is_the_configured_one_without_credentials(void **state)
{
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
	assert_key_path(DEFAULT_PATH, DEFAULT_PATH);
	assert_key_path("/other", "/other");
}

static void systemd_key_path_is_the_credential_in_the_defaults_place(void **state)
{
	char directory[TEMP_DIR_BYTES], credential[TEMP_DIR_BYTES + 8];

	temp_dir_make(directory);
	snprintf(credential, sizeof(credential), "%s/key", directory);
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", directory, 1), 0);
	assert_key_path(DEFAULT_PATH, DEFAULT_PATH); /* the unit was given none */
	temp_dir_write(directory, "key", "");
	assert_key_path(DEFAULT_PATH, credential);
	assert_key_path("/other", "/other");
	temp_dir_remove(directory);
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(systemd_loop_hears_every_signal_of_a_daemon),
		cmocka_unit_test(systemd_key_path_is_the_configured_one_without_credentials),
		cmocka_unit_test(systemd_key_path_is_the_credential_in_the_defaults_place),
	};

	return cmocka_run_group_tests_name("systemd", tests, NULL, NULL);
}
