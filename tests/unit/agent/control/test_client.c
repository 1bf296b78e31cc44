/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the verb `check-config` thinks of second-chance = yes, on kernels that have it, lack it, or do not say. */
#include "agent/control/client.h"

#include <sys/wait.h>

#include "agent/chance/chance.h"
#include "common/control/control.h"
#include "tests/unit/tools/refuse_bpf.h"
#include "tests/unit/tools/temp_dir.h"

#define HEX16 "0123456789abcdef"
#define HEX64 HEX16 HEX16 HEX16 HEX16

/* `error` 0: the kernel as it is. Returns the exit status; what was said is in the directory's file `said`. */
static int check_config(const char *directory, int error)
{
	char config[TEMP_DIR_BYTES + 16], said[TEMP_DIR_BYTES + 16];
	char program[] = "dsr-agent", verb[] = "check-config", option[] = "--config";
	char *argv[] = { program, verb, option, config, NULL };
	pid_t child;
	int status;

	snprintf(config, sizeof(config), "%s/agent.conf", directory);
	snprintf(said, sizeof(said), "%s/said", directory);
	child = fork();
	if (child == 0) {
		if (!freopen(said, "w", stderr) || (error && !refuse_bpf(REFUSE_BPF_ALL, error)))
			_exit(255);
		status = client_main(4, argv, NULL);
		fflush(stderr);
		_exit(status);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void said_in(const char *directory, char ret_said[512])
{
	char path[TEMP_DIR_BYTES + 16];
	FILE *file;
	size_t size;

	snprintf(path, sizeof(path), "%s/said", directory);
	file = fopen(path, "re");
	assert_non_null(file);
	size = fread(ret_said, 1, 511, file);
	ret_said[size] = '\0';
	fclose(file);
}

static void write_config(const char *directory, const char *second_chance)
{
	char text[512];

	snprintf(text, sizeof(text),
		"[agent]\nbalancer = 192.0.2.2\nvip = 198.51.100.10\nname = web1\nkey-file = %s/key\n"
		"second-chance = %s\n",
		directory, second_chance);
	temp_dir_write(directory, "agent.conf", text);
	temp_dir_write(directory, "key", "main hex:" HEX64 "\n");
}

static void check_config_refuses_a_second_chance_where_the_kernel_lacks_it(void **state)
{
	char directory[TEMP_DIR_BYTES], said[512], expected[256];
	struct why why = { 0 };

	if (chance_probe(&why) == -EOPNOTSUPP) {
		print_message("%s\n", why.text);
		skip();
	}
	temp_dir_make(directory);
	write_config(directory, "yes");
	assert_int_equal(check_config(directory, ENOSYS), CONTROL_CONFIG);
	assert_int_equal(CONTROL_CONFIG, 78);
	said_in(directory, said);
	snprintf(expected, sizeof(expected),
		"%s/agent.conf:6: second-chance: the kernel refuses the program of second chance: %s; write no\n",
		directory, strerror(ENOSYS));
	assert_string_equal(said, expected);
	/* Without the option nobody asks. */
	write_config(directory, "no");
	assert_int_equal(check_config(directory, ENOSYS), 0);
	said_in(directory, said);
	assert_string_equal(said, "");
	temp_dir_remove(directory);
}

/* Who may not load a program cannot know; the daemon says what it lacks when it starts. */
static void check_config_lets_a_second_chance_pass_where_it_may_not_ask(void **state)
{
	char directory[TEMP_DIR_BYTES], said[512];
	struct why why = { 0 };
	int r = chance_probe(&why);

	if (r == -EOPNOTSUPP) {
		print_message("%s\n", why.text);
		skip();
	}
	temp_dir_make(directory);
	write_config(directory, "yes");
	assert_int_equal(check_config(directory, EPERM), 0);
	said_in(directory, said);
	assert_string_equal(said, "");
	assert_int_equal(check_config(directory, 0), r == 0 || r == -EPERM ? 0 : CONTROL_CONFIG);
	temp_dir_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_config_refuses_a_second_chance_where_the_kernel_lacks_it),
		cmocka_unit_test(check_config_lets_a_second_chance_pass_where_it_may_not_ask),
	};

	return cmocka_run_group_tests_name("agent/client", tests, NULL, NULL);
}
