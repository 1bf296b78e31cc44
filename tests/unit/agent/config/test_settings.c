/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `run` and `check-config` think of the key file. */
#include "agent/config/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tests/unit/tools/temp_dir.h"

static void write_config(const char *directory)
{
	char text[256];

	snprintf(text, sizeof(text),
		"[agent]\nbalancer = 192.0.2.2\nvip = 198.51.100.10\nname = web1\nkey-file = %s/key\n",
		directory);
	temp_dir_write(directory, "agent.conf", text);
}

/* The line begins with where the configuration names the key file. */
static void assert_place(const char *text, const char *before, const char *directory)
{
	char expected[128];

	snprintf(expected, sizeof(expected), "%s%s/agent.conf:5: key-file: ", before, directory);
	assert_memory_equal(text, expected, strlen(expected));
}

static void settings_without_a_key_file_are_wrong_for_check_config_too(void **state)
{
	char directory[TEMP_DIR_BYTES], config_path[TEMP_DIR_BYTES + 16];

	temp_dir_make(directory);
	snprintf(config_path, sizeof(config_path), "%s/agent.conf", directory);
	write_config(directory);
	for (int hidden = 0; hidden < 2; hidden++) {
		struct settings *settings = NULL;
		_cleanup_free_ char *text = NULL;

		assert_int_equal(settings_load(config_path, hidden, &settings, &text), -EINVAL);
		assert_null(settings);
		assert_place(text, "", directory);
		assert_null(strstr(text, "warning"));
	}
	temp_dir_remove(directory);
}

static void settings_with_a_hidden_key_file_are_a_warning(void **state)
{
	char directory[TEMP_DIR_BYTES], config_path[TEMP_DIR_BYTES + 16];
	struct settings *settings = NULL;
	_cleanup_free_ char *text = NULL;

	/* Root reads everything. */
	if (geteuid() != 0) {
		print_message("only root may become somebody else\n");
		skip();
	}
	temp_dir_make(directory);
	assert_int_equal(chmod(directory, 0755), 0);
	snprintf(config_path, sizeof(config_path), "%s/agent.conf", directory);
	write_config(directory);
	assert_int_equal(chmod(config_path, 0644), 0);
	temp_dir_write(directory, "key", "");
	/* access(2) goes by the real user. */
	assert_int_equal(setresuid(65534, 65534, 0), 0);
	assert_int_equal(settings_load(config_path, true, &settings, &text), 0);
	assert_int_equal(setresuid(0, 0, 0), 0);
	assert_place(text, "warning: ", directory);
	settings_free(settings);
	temp_dir_remove(directory);
}

static void settings_refuse_the_derived_key_of_another(void **state)
{
	static const char *const lines[] = { "main/web1", "main/web2" };
	char directory[TEMP_DIR_BYTES], config_path[TEMP_DIR_BYTES + 16], expected[128], key[256];

	temp_dir_make(directory);
	snprintf(config_path, sizeof(config_path), "%s/agent.conf", directory);
	write_config(directory);
	for (size_t idx = 0; idx < ARRAY_LEN(lines); idx++) {
		_cleanup_(settings_freep) struct settings *settings = NULL;
		_cleanup_free_ char *text = NULL;

		snprintf(key, sizeof(key), "%s hex:%064d\n", lines[idx], 7);
		temp_dir_write(directory, "key", key);
		assert_int_equal(settings_load(config_path, false, &settings, &text),
			idx == 0 ? 0 : -EINVAL);
		if (idx == 0)
			continue;
		snprintf(expected, sizeof(expected), "%s/agent.conf:4: name: key main/web2",
			directory);
		assert_memory_equal(text, expected, strlen(expected));
	}
	temp_dir_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_without_a_key_file_are_wrong_for_check_config_too),
		cmocka_unit_test(settings_with_a_hidden_key_file_are_a_warning),
		cmocka_unit_test(settings_refuse_the_derived_key_of_another),
	};

	return cmocka_run_group_tests_name("agent/settings", tests, NULL, NULL);
}
