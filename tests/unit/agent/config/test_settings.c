/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `run` and `check-config` think of the key file. */
#include "agent/config/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tests/unit/tools/temp_dir.h"

#define HEX16 "0123456789abcdef"
#define HEX64 HEX16 HEX16 HEX16 HEX16

static void write_config(const char *directory)
{
	char text[256];

	snprintf(text, sizeof(text),
		"[agent]\nbalancer = 192.0.2.2\nvip = 198.51.100.10\nname = web1\nkey-file = %s/key\n",
		directory);
	temp_dir_write(directory, "agent.conf", text);
}

/* The line begins with where the configuration names the key file. */
static void assert_place(const char *text, const char *directory)
{
	char expected[128];

	snprintf(expected, sizeof(expected), "%s/agent.conf:5: key-file: ", directory);
	assert_memory_equal(text, expected, strlen(expected));
}

static void settings_without_a_key_file_are_wrong_for_check_config_too(void **state)
{
	static const enum settings_keys keys[] = { SETTINGS_RUN, SETTINGS_CHECK };
	char directory[TEMP_DIR_BYTES], config_path[TEMP_DIR_BYTES + 16];
	_cleanup_(settings_freep) struct settings *without = NULL;
	_cleanup_free_ char *nothing = NULL;

	temp_dir_make(directory);
	snprintf(config_path, sizeof(config_path), "%s/agent.conf", directory);
	write_config(directory);
	for (size_t idx = 0; idx < ARRAY_LEN(keys); idx++) {
		struct settings *settings = NULL;
		_cleanup_free_ char *text = NULL;

		assert_int_equal(settings_load(config_path, keys[idx], &settings, &text), -EINVAL);
		assert_null(settings);
		assert_place(text, directory);
	}
	assert_int_equal(settings_load(config_path, SETTINGS_NO_KEYS, &without, &nothing), 0);
	assert_null(without->keys);
	assert_null(nothing);
	temp_dir_remove(directory);
}

/* A value that is refused, what two say together, and the key file; not a default that was not meant. */
static void settings_tell_every_error_in_one_run(void **state)
{
	static const struct {
		const char *key_file;
		bool is_judged;
	} cases[] = { { "key-file = /nonexistent/key", true }, { "key-file =", false },
		{ "kye-file = /nonexistent/key", false } };
	char directory[TEMP_DIR_BYTES], config_path[TEMP_DIR_BYTES + 16], config[256];

	temp_dir_make(directory);
	snprintf(config_path, sizeof(config_path), "%s/agent.conf", directory);
	ARRAY_FOREACH (each, cases, ARRAY_LEN(cases)) {
		struct settings *settings = NULL;
		_cleanup_free_ char *text = NULL;

		snprintf(config, sizeof(config),
			"[agent]\nbalancer = 192.0.2.2\nvip = 192.0.2.2\nweight = many\n%s\n",
			each->key_file);
		temp_dir_write(directory, "agent.conf", config);
		assert_int_equal(
			settings_load(config_path, SETTINGS_CHECK, &settings, &text), -EINVAL);
		assert_non_null(strstr(text, "agent.conf:4: weight: "));
		assert_non_null(strstr(text, "agent.conf:2: balancer: 192.0.2.2 is also a vip"));
		assert_int_equal(strstr(text, "key: cannot open") != NULL, each->is_judged);
	}
	temp_dir_remove(directory);
}

static void settings_with_a_key_file_of_another_are_wrong_but_for_root(void **state)
{
	char directory[TEMP_DIR_BYTES], config_path[TEMP_DIR_BYTES + 16], path[TEMP_DIR_BYTES + 16];
	_cleanup_(settings_freep) struct settings *settings = NULL;
	_cleanup_free_ char *text = NULL, *nothing = NULL;

	if (geteuid() != 0) {
		print_message("only root may become somebody else\n");
		skip();
	}
	temp_dir_make(directory);
	assert_int_equal(chmod(directory, 0755), 0);
	snprintf(config_path, sizeof(config_path), "%s/agent.conf", directory);
	snprintf(path, sizeof(path), "%s/key", directory);
	write_config(directory);
	assert_int_equal(chmod(config_path, 0644), 0);
	temp_dir_write(directory, "key", "main hex:" HEX64 "\n");
	assert_int_equal(seteuid(65534), 0);
	assert_int_equal(settings_load(config_path, SETTINGS_CHECK, &settings, &text), -EINVAL);
	assert_int_equal(seteuid(0), 0);
	assert_place(text, directory);
	/* The daemon's own file, which root looks at as the daemon would. */
	assert_int_equal(chown(path, 65534, 65534), 0);
	assert_int_equal(settings_load(config_path, SETTINGS_CHECK, &settings, &nothing), 0);
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
		assert_int_equal(settings_load(config_path, SETTINGS_RUN, &settings, &text),
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
		cmocka_unit_test(settings_tell_every_error_in_one_run),
		cmocka_unit_test(settings_with_a_key_file_of_another_are_wrong_but_for_root),
		cmocka_unit_test(settings_refuse_the_derived_key_of_another),
	};

	return cmocka_run_group_tests_name("agent/settings", tests, NULL, NULL);
}
