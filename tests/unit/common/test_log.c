/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Log lines as they arrive on a stderr that is a pipe. */
#include "common/log.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <cmocka.h>

static int saved_stderr = -1;
static int pipe_read = -1;

static int capture(void **state)
{
	int ends[2];

	saved_stderr = dup(STDERR_FILENO);
	if (saved_stderr < 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	pipe_read = ends[0];
	if (dup2(ends[1], STDERR_FILENO) < 0)
		return -1;
	close(ends[1]);
	log_open("test");
	log_set_level(LOG_LEVEL_INFO);
	return 0;
}

static int release(void **state)
{
	dup2(saved_stderr, STDERR_FILENO);
	saved_stderr = util_close(saved_stderr);
	pipe_read = util_close(pipe_read);
	return 0;
}

/* What was written so far; "" for nothing. */
static const char *captured(void)
{
	static char text[8192];
	ssize_t len = read(pipe_read, text, sizeof(text) - 1);

	text[len > 0 ? len : 0] = '\0';
	return text;
}

static void log_names_program_level_and_error(void **state)
{
	log_info("started");
	assert_string_equal(captured(), "test: started\n");
	log_warning("slow %d", 3);
	assert_string_equal(captured(), "test: warning: slow 3\n");
	assert_int_equal(log_errno(-ENOENT, "cannot open %s", "x"), -ENOENT);
	assert_string_equal(captured(), "test: error: cannot open x: No such file or directory\n");
	assert_int_equal(log_errno(EPERM, "no"), -EPERM);
	assert_string_equal(captured(), "test: error: no: Operation not permitted\n");
}

static void log_keeps_silent_below_its_level(void **state)
{
	log_debug("unseen");
	assert_string_equal(captured(), "");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("seen");
	assert_string_equal(captured(), "test: debug: seen\n");
	log_set_level(LOG_LEVEL_ERROR);
	log_warning("unseen");
	assert_string_equal(captured(), "");
}

static void log_keeps_a_message_on_one_line(void **state)
{
	log_info("a\nb\x1b[0m\t\x7f");
	assert_string_equal(captured(), "test: a?b?[0m??\n");
}

static void log_cuts_a_message_that_is_too_long(void **state)
{
	char text[4096];
	const char *line;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_errno(-ENOENT, "%s", text);
	line = captured();
	assert_in_range(strlen(line), 2048, 2048 + 64);
	assert_int_equal(line[strlen(line) - 1], '\n');
}

static void log_leaves_fields_out_of_stderr(void **state)
{
	log_fields(LOG_LEVEL_INFO, LOG_FIELDS("DSR_BACKEND=web1"), "backend is up");
	assert_string_equal(captured(), "test: backend is up\n");
}

static void log_keeps_errno(void **state)
{
	errno = ENOTTY;
	log_info("x");
	assert_int_equal(errno, ENOTTY);
	captured();
}

/* ---- of a daemon ---- */

/* In a process of its own, for what log_never_wait() changes stays: exit status 0 as wanted, 77 not permitted here. */
static void in_daemon(int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)alarm(10);
		log_never_wait();
		_exit(fn());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("skipped: no mount namespaces here\n");
		skip();
	}
	if (WIFSIGNALED(status))
		fail_msg("it ended by signal %d", WTERMSIG(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Until there is no room for a line: a pipe has 64 KiB. */
static void fill(void)
{
	for (unsigned int n = 0; n < 20000; n++)
		log_info("line %u of a log that nobody reads", n);
}

static int with_a_full_pipe(void)
{
	char text[65536];
	ssize_t len;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0 || dup2(ends[1], STDERR_FILENO) < 0)
		return 2;
	close(ends[1]);
	log_open("test");
	fill();
	if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
		return 3;
	/* Those that found room are whole. */
	do {
		len = read(ends[0], text, sizeof(text));
		if (len > 0 && text[len - 1] != '\n')
			return 4;
	} while (len > 0);
	log_info("heard");
	len = read(ends[0], text, sizeof(text) - 1);
	text[len > 0 ? len : 0] = '\0';
	if (!strstr(text, "test: warning: the log took no lines: 1") ||
		!strstr(text, " are lost\ntest: heard\n"))
		return 5;
	log_info("again");
	len = read(ends[0], text, sizeof(text) - 1);
	text[len > 0 ? len : 0] = '\0';
	return streq(text, "test: again\n") ? 0 : 6;
}

static void log_that_nobody_reads_holds_nobody_up(void **state)
{
	in_daemon(with_a_full_pipe);
}

static int with_a_reader_that_has_gone(void)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0 || dup2(ends[1], STDERR_FILENO) < 0)
		return 2;
	close(ends[1]);
	close(ends[0]);
	log_open("test");
	fill();
	return 0;
}

static void log_whose_reader_has_gone_ends_nobody(void **state)
{
	in_daemon(with_a_reader_that_has_gone);
}

/* A journald of ours, at its place in a mount namespace of ours. */
static int journal_open(int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX,
		.sun_path = "/run/systemd/journal/socket" };
	struct stat status;
	char text[64];
	int ends[2];

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("none", "/run", "tmpfs", 0, NULL) < 0)
		return 77;
	*ret_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (mkdir("/run/systemd", 0700) < 0 || mkdir("/run/systemd/journal", 0700) < 0 ||
		bind(*ret_fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return 2;
	/* Its stream, which nobody reads either. */
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0 || dup2(ends[1], STDERR_FILENO) < 0 ||
		fstat(STDERR_FILENO, &status) < 0)
		return 3;
	snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)status.st_dev,
		(unsigned long long)status.st_ino);
	if (setenv("JOURNAL_STREAM", text, 1) < 0)
		return 4;
	log_open("test");
	return 0;
}

/* Each field with the length of its value, in eight bytes, the lowest first. */
static int with_a_journal(void)
{
	static const char wanted[] = "MESSAGE\n\x10\0\0\0\0\0\0\0backend is up: 1\n"
				     "PRIORITY\n\x01\0\0\0\0\0\0\0"
				     "6\n"
				     "SYSLOG_IDENTIFIER\n\x04\0\0\0\0\0\0\0test\n"
				     "DSR_REASON\n\x05\0\0\0\0\0\0\0a\nb=c\n";
	char text[4096];
	ssize_t len;
	int fd, r = journal_open(&fd);

	if (r != 0)
		return r;
	log_fields(LOG_LEVEL_INFO, LOG_FIELDS("DSR_REASON=a\nb=c"), "backend is up: %d", 1);
	len = recv(fd, text, sizeof(text), 0);
	return len == (ssize_t)sizeof(wanted) - 1 && memcmp(text, wanted, sizeof(wanted) - 1) == 0
		? 0
		: 5;
}

static void log_speaks_the_journals_protocol(void **state)
{
	in_daemon(with_a_journal);
}

static int with_a_journal_that_is_stopped(void)
{
	char text[4096];
	int fd, r = journal_open(&fd);

	if (r != 0)
		return r;
	fill();
	/* It reads again. */
	while (recv(fd, text, sizeof(text), 0) > 0)
		;
	log_info("heard");
	return recv(fd, text, sizeof(text), 0) > 0 ? 0 : 6;
}

static void log_to_a_journal_that_is_stopped_holds_nobody_up(void **state)
{
	in_daemon(with_a_journal_that_is_stopped);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			log_names_program_level_and_error, capture, release),
		cmocka_unit_test_setup_teardown(log_keeps_silent_below_its_level, capture, release),
		cmocka_unit_test_setup_teardown(log_keeps_a_message_on_one_line, capture, release),
		cmocka_unit_test_setup_teardown(
			log_cuts_a_message_that_is_too_long, capture, release),
		cmocka_unit_test_setup_teardown(log_leaves_fields_out_of_stderr, capture, release),
		cmocka_unit_test_setup_teardown(log_keeps_errno, capture, release),
		cmocka_unit_test(log_that_nobody_reads_holds_nobody_up),
		cmocka_unit_test(log_whose_reader_has_gone_ends_nobody),
		cmocka_unit_test(log_speaks_the_journals_protocol),
		cmocka_unit_test(log_to_a_journal_that_is_stopped_holds_nobody_up),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
