/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Log lines as they arrive on a stderr that is a pipe. */
#include "common/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
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
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
