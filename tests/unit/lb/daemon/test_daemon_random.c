/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A start that gets no random bytes: it ends, and frees what it has read. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/proto/auth.h"
#include "lb/daemon/balancer.h"
#include "lb/daemon/daemon.h"
#include "tests/unit/tools/namespace.h"
#include "tests/unit/tools/temp_dir.h"

#define KEY "k1 hex:abababababababababababababababababababababababababababababababab\n"

enum { CHILD_FAILED_WELL, CHILD_FAILED_OTHERWISE, CHILD_LEAKED, CHILD_ASKED_LESS_OFTEN };

static int n_json;            /* that nobody has freed */
static unsigned int fails_at; /* calls until one fails; 0: none fails any more */

/* In place of libc's. Libraries, whose calls have flags, do without. */
ssize_t getrandom(void *buffer, size_t size_bytes, unsigned int flags)
{
	if (flags == 0 && fails_at > 0 && --fails_at == 0) {
		errno = ENOSYS;
		return -1;
	}
	return syscall(SYS_getrandom, buffer, size_bytes, flags);
}

static void *json_take(size_t size_bytes)
{
	void *memory = malloc(size_bytes);

	n_json += memory != NULL;
	return memory;
}

static void json_give(void *memory)
{
	n_json -= memory != NULL;
	free(memory);
}

static int no_verbs(struct balancer *balancer, void **ret_context)
{
	return -ENOSYS;
}

static int start_without_random(const char *directory, unsigned int call)
{
	const struct daemon_verbs verbs = { .start = no_verbs };
	char config_path[2 * TEMP_DIR_BYTES];
	const struct balancer_paths paths = { config_path, directory };
	int status;

	snprintf(config_path, sizeof(config_path), "%s/lb.conf", directory);
	json_set_alloc_funcs(json_take, json_give);
	fails_at = call;
	status = daemon_run(&paths, false, &verbs);
	if (fails_at > 0)
		return CHILD_ASKED_LESS_OFTEN;
	if (status != EXIT_FAILURE)
		return CHILD_FAILED_OTHERWISE;
	return n_json == 0 ? CHILD_FAILED_WELL : CHILD_LEAKED;
}

/* Of another boot: so a start asks for random bytes while it has this in hand. */
static void write_files(const char *directory)
{
	char text[512];

	temp_dir_write(directory, "keys", KEY);
	snprintf(text, sizeof(text),
		"[balancer]\ninterface = dsr-none\nmode = packet\nkey-file = %s/keys\n"
		"[virtual-server web]\nvip = 198.51.100.10\nport = 80\n",
		directory);
	temp_dir_write(directory, "lb.conf", text);
	temp_dir_write(directory, "state.json",
		"{\"layout\": 1, \"host_boot\": \"another\", \"boot_id\": 7, \"backends\": [{}]}");
}

static void start_without_random_bytes_frees_what_it_read(void **state)
{
	char directory[TEMP_DIR_BYTES];
	unsigned int call = 0;
	int status;

	if (!namespace_make())
		skip();
	assert_int_equal(auth_init(), 0);
	do {
		pid_t pid;

		temp_dir_make(directory);
		write_files(directory);
		fflush(NULL);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			_exit(start_without_random(directory, call + 1));
		call++;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		temp_dir_remove(directory);
	} while (WEXITSTATUS(status) == CHILD_FAILED_WELL && call < 100);
	assert_int_equal(WEXITSTATUS(status), CHILD_ASKED_LESS_OFTEN);
	/* The directory's identity, the flow table's seed, the id of this start, the seed of sessions. */
	assert_in_range(call, 5, 99);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(start_without_random_bytes_frees_what_it_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
