/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Logging; the contract is in the header. A message is formatted once into a fixed buffer and
 * leaves in one system call, so that lines of several threads never mix.
 */
#include "common/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#define LOG_MESSAGE_BYTES 2048u /* longer messages are cut */
#define LOG_LINE_BYTES    (LOG_MESSAGE_BYTES + 128u)
#define LOG_FIELDS_MAX    16u
#define LOG_NAME_MAX      64u

struct log_level_words {
	const char *prefix; /* on stderr */
	int priority;       /* of syslog */
};

static const struct log_level_words log_levels[] = {
	[LOG_LEVEL_ERROR] = { "error: ", LOG_ERR },
	[LOG_LEVEL_WARNING] = { "warning: ", LOG_WARNING },
	[LOG_LEVEL_INFO] = { "", LOG_INFO },
	[LOG_LEVEL_DEBUG] = { "debug: ", LOG_DEBUG },
};
_Static_assert(ARRAY_LEN(log_levels) == LOG_LEVEL_N_, "every level has its words");

/* Written by log_open() before there are threads. */
static char log_program[LOG_NAME_MAX] = "dsr";
static bool log_to_journal;
static _Atomic enum log_level log_level_now = LOG_LEVEL_INFO;

/*
 * The service manager says in JOURNAL_STREAM which device and inode the journal's stream has
 * (systemd.exec(5)). A child of a service may have the variable but another stderr, hence the look.
 */
static bool log_stderr_is_journal(void)
{
	const char *text = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat status;

	if (!text || sscanf(text, "%llu:%llu", &device, &inode) != 2)
		return false;
	if (fstat(STDERR_FILENO, &status) < 0)
		return false;
	return status.st_dev == device && status.st_ino == inode;
}

void log_open(const char *program)
{
	snprintf(log_program, sizeof(log_program), "%s", program);
	log_to_journal = log_stderr_is_journal();
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&log_level_now, level, memory_order_relaxed);
}

/* Names and reasons come from other hosts: none of them may begin a line of its own. */
static void log_make_one_line(char *text)
{
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == '\177')
			*at = '?';
}

static _printf_(4, 0) void log_format(
	char *buffer, size_t size_bytes, int error, const char *format, va_list args)
{
	char text[128];
	size_t len;

	vsnprintf(buffer, size_bytes, format, args);
	len = strlen(buffer);
	if (error != 0)
		snprintf(buffer + len, size_bytes - len, ": %s",
			strerror_r(error, text, sizeof(text)));
	log_make_one_line(buffer);
}

static struct iovec log_field(const char *text)
{
	return (struct iovec){ .iov_base = (void *)text, .iov_len = strlen(text) };
}

static int log_write_journal(
	enum log_level level, int error, const char *const *fields, const char *message_field)
{
	struct iovec parts[LOG_FIELDS_MAX + 4];
	char priority[32], identifier[LOG_NAME_MAX + 32], number[32];
	size_t n_parts = 0;

	snprintf(priority, sizeof(priority), "PRIORITY=%d", log_levels[level].priority);
	snprintf(identifier, sizeof(identifier), "SYSLOG_IDENTIFIER=%s", log_program);
	parts[n_parts++] = log_field(message_field);
	parts[n_parts++] = log_field(priority);
	parts[n_parts++] = log_field(identifier);
	if (error != 0) {
		snprintf(number, sizeof(number), "ERRNO=%d", error);
		parts[n_parts++] = log_field(number);
	}
	for (; fields && *fields && n_parts < ARRAY_LEN(parts); fields++)
		parts[n_parts++] = log_field(*fields);
	return sd_journal_sendv(parts, (int)n_parts);
}

/* A log that cannot be written has nobody left to be told: short writes and errors end here. */
static void log_write_stderr(enum log_level level, const char *message)
{
	char line[LOG_LINE_BYTES];
	int len;

	len = snprintf(
		line, sizeof(line), "%s: %s%s\n", log_program, log_levels[level].prefix, message);
	if (write(STDERR_FILENO, line, MIN((size_t)len, sizeof(line) - 1)) < 0)
		return;
}

int log_write(enum log_level level, int error, const char *const *fields, const char *format, ...)
{
	static const char name[] = "MESSAGE=";
	char field[sizeof(name) + LOG_MESSAGE_BYTES] = "MESSAGE=";
	char *message = field + sizeof(name) - 1;
	int saved = errno;
	va_list args;

	error = abs(error);
	if (level <= atomic_load_explicit(&log_level_now, memory_order_relaxed)) {
		va_start(args, format);
		log_format(message, LOG_MESSAGE_BYTES, error, format, args);
		va_end(args);
		if (!log_to_journal || log_write_journal(level, error, fields, field) < 0)
			log_write_stderr(level, message);
	}
	errno = saved;
	return -error;
}
