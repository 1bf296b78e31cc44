/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts about the start of the daemon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lb/daemon/balancer.h"
#include "lb/daemon/daemon.h"

#define SERVERS    8000
#define SPARE_SIZE (512u << 10) /* far less than that many need */

static int no_verbs(struct balancer *balancer, void **ret_context)
{
	return -ENOSYS;
}

static void write_config(int fd)
{
	dprintf(fd, "[balancer]\ninterface = dsr-none\nkey-file = /nonexistent\n");
	for (int i = 0; i < SERVERS; i++)
		dprintf(fd, "[virtual-server v%d]\nvip = 10.%d.%d.1\n", i, i / 256, i % 256);
}

static void limit_memory(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");
	struct rlimit limit;

	if (!file || fscanf(file, "%lu", &pages) != 1)
		_exit(99);
	fclose(file);
	limit.rlim_cur = limit.rlim_max = pages * (unsigned long)sysconf(_SC_PAGESIZE) + SPARE_SIZE;
	if (setrlimit(RLIMIT_AS, &limit) < 0)
		_exit(99);
}

/* 78 is what the unit never restarts: only for what an administrator must mend. */
static void want_of_memory_is_said_and_no_fault_of_the_configuration(void **state)
{
	const struct daemon_verbs verbs = { .start = no_verbs };
	char path[] = "/tmp/dsr-test-daemon-XXXXXX", said[4096] = "";
	const struct balancer_paths paths = { path, "/nonexistent/run" };
	int fd = mkstemp(path), pipe_fds[2], status;
	size_t len = 0;
	ssize_t got;
	pid_t pid;

	assert_true(fd >= 0);
	write_config(fd);
	close(fd);
	assert_int_equal(pipe(pipe_fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(pipe_fds[1], STDERR_FILENO);
		limit_memory();
		_exit(daemon_run(&paths, false, &verbs));
	}
	close(pipe_fds[1]);
	while ((got = read(pipe_fds[0], said + len, sizeof(said) - 1 - len)) > 0)
		len += (size_t)got;
	close(pipe_fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	unlink(path);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EXIT_FAILURE);
	assert_non_null(strstr(said, "out of memory"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(want_of_memory_is_said_and_no_fault_of_the_configuration),
	};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	puts("skipped: a sanitizer's own memory leaves no room for a limit");
	return 77;
#endif
	return cmocka_run_group_tests(tests, NULL, NULL);
}
