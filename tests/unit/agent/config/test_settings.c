/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `run` and `check-config` think of the key file. */
#include "agent/config/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <cmocka.h>

static void write_config(const char *path, const char *key_path)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	fprintf(file,
		"[agent]\nbalancer = 192.0.2.2\nvip = 198.51.100.10\nname = web1\nkey-file = %s\n",
		key_path);
	assert_int_equal(fclose(file), 0);
}

static void settings_without_a_key_file_are_wrong_for_check_config_too(void **state)
{
	char directory[] = "/tmp/dsr-test-settings.XXXXXX";
	char config_path[64], key_path[64];

	assert_non_null(mkdtemp(directory));
	snprintf(config_path, sizeof(config_path), "%s/agent.conf", directory);
	snprintf(key_path, sizeof(key_path), "%s/key", directory);
	write_config(config_path, key_path);
	for (int hidden = 0; hidden < 2; hidden++) {
		struct settings *settings = NULL;
		_cleanup_free_ char *text = NULL;

		assert_int_equal(settings_load(config_path, hidden, &settings, &text), -EINVAL);
		assert_null(settings);
		assert_non_null(strstr(text, "key-file: "));
		assert_null(strstr(text, "warning"));
	}
	assert_int_equal(unlink(config_path), 0);
	assert_int_equal(rmdir(directory), 0);
}

static void settings_with_a_hidden_key_file_are_a_warning(void **state)
{
	char directory[] = "/tmp/dsr-test-settings.XXXXXX";
	char config_path[64], key_path[64];
	struct settings *settings = NULL;
	_cleanup_free_ char *text = NULL;
	FILE *file;

	/* Root reads everything. */
	if (geteuid() != 0) {
		print_message("only root may become somebody else\n");
		skip();
	}
	assert_non_null(mkdtemp(directory));
	assert_int_equal(chmod(directory, 0755), 0);
	snprintf(config_path, sizeof(config_path), "%s/agent.conf", directory);
	snprintf(key_path, sizeof(key_path), "%s/key", directory);
	write_config(config_path, key_path);
	assert_int_equal(chmod(config_path, 0644), 0);
	file = fopen(key_path, "we");
	assert_non_null(file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(key_path, 0600), 0);
	/* access(2) goes by the real user. */
	assert_int_equal(setresuid(65534, 65534, 0), 0);
	assert_int_equal(settings_load(config_path, true, &settings, &text), 0);
	assert_int_equal(setresuid(0, 0, 0), 0);
	assert_non_null(strstr(text, "warning: key-file: "));
	settings_free(settings);
	assert_int_equal(unlink(key_path), 0);
	assert_int_equal(unlink(config_path), 0);
	assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_without_a_key_file_are_wrong_for_check_config_too),
		cmocka_unit_test(settings_with_a_hidden_key_file_are_a_warning),
	};

	return cmocka_run_group_tests_name("agent/settings", tests, NULL, NULL);
}
