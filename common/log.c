/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Logging; the contract is in the header. A message is formatted once into a fixed buffer and
 * leaves in one system call, so that lines of several threads never mix.
 */
#include "common/log.h"

#include <endian.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>

#define LOG_MESSAGE_BYTES 2048u /* longer messages are cut */
#define LOG_LINE_BYTES    (LOG_MESSAGE_BYTES + 128u)
#define LOG_FIELDS_MAX    16u
#define LOG_NAME_MAX      64u
#define LOG_FIELD_PARTS   5u /* of the journal's datagram, for each field */
#define LOG_JOURNAL_PATH  "/run/systemd/journal/socket"

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
static int log_journal_fd = -1; /* to the journal's socket; -1: to stderr */
static bool log_waits = true;
static atomic_ulong log_lost; /* lines, since the last one that was written */
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
	log_journal_fd = util_close(log_journal_fd);
	if (log_stderr_is_journal())
		log_journal_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

void log_never_wait(void)
{
	log_waits = false;
	(void)signal(SIGPIPE, SIG_IGN);
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

/* One field of a datagram: its name, and a value that may have any bytes. */
struct log_field {
	const char *text; /* NAME=value */
	uint64_t value_bytes;
};

static struct iovec log_part(const void *data, size_t size_bytes)
{
	return (struct iovec){ .iov_base = (void *)data, .iov_len = size_bytes };
}

/*
 * The journal's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL), each value with its length before it. Not
 * sd_journal_sendv(): its socket blocks (systemd 252, journal_fd()), so that it waits for ever for a journald that
 * reads no more.
 */
static int log_send_journal(struct log_field *fields, size_t n_fields)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = LOG_JOURNAL_PATH };
	struct iovec parts[LOG_FIELD_PARTS * (LOG_FIELDS_MAX + 4)];
	struct msghdr message = {
		.msg_name = &address,
		.msg_namelen = sizeof(address),
		.msg_iov = parts,
	};

	ARRAY_FOREACH (field, fields, n_fields) {
		size_t name_bytes = strcspn(field->text, "=");
		const char *value = field->text + name_bytes + (field->text[name_bytes] == '=');
		size_t value_bytes = strlen(value);

		field->value_bytes = htole64(value_bytes);
		parts[message.msg_iovlen++] = log_part(field->text, name_bytes);
		parts[message.msg_iovlen++] = log_part("\n", 1);
		parts[message.msg_iovlen++] =
			log_part(&field->value_bytes, sizeof(field->value_bytes));
		parts[message.msg_iovlen++] = log_part(value, value_bytes);
		parts[message.msg_iovlen++] = log_part("\n", 1);
	}
	return sendmsg(log_journal_fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int log_write_journal(
	enum log_level level, int error, const char *const *fields, const char *message_field)
{
	struct log_field all[LOG_FIELDS_MAX + 4];
	char priority[32], identifier[LOG_NAME_MAX + 32], number[32];
	size_t n = 0;

	snprintf(priority, sizeof(priority), "PRIORITY=%d", log_levels[level].priority);
	snprintf(identifier, sizeof(identifier), "SYSLOG_IDENTIFIER=%s", log_program);
	all[n++] = (struct log_field){ .text = message_field };
	all[n++] = (struct log_field){ .text = priority };
	all[n++] = (struct log_field){ .text = identifier };
	if (error != 0) {
		snprintf(number, sizeof(number), "ERRNO=%d", error);
		all[n++] = (struct log_field){ .text = number };
	}
	for (; fields && *fields && n < ARRAY_LEN(all); fields++)
		all[n++] = (struct log_field){ .text = *fields };
	return log_send_journal(all, n);
}

/*
 * Whether a line finds room at once: a pipe that can be written takes a page, a stream more than that. One whose
 * reader has gone has room, too: the write says so.
 */
static bool log_has_room(void)
{
	struct pollfd stderr_now = { .fd = STDERR_FILENO, .events = POLLOUT };

	return log_waits || poll(&stderr_now, 1, 0) != 0;
}

/* A log that cannot be written has nobody left to be told: short writes and errors end here. */
static void log_write_line(enum log_level level, const char *message)
{
	char line[LOG_LINE_BYTES];
	int len;

	len = snprintf(
		line, sizeof(line), "%s: %s%s\n", log_program, log_levels[level].prefix, message);
	if (write(STDERR_FILENO, line, MIN((size_t)len, sizeof(line) - 1)) < 0)
		return;
}

static void log_write_stderr(enum log_level level, const char *message)
{
	char words[64];
	unsigned long lost;

	if (!log_has_room()) {
		atomic_fetch_add(&log_lost, 1);
		return;
	}
	lost = atomic_exchange(&log_lost, 0);
	if (lost > 0) {
		snprintf(words, sizeof(words), "the log took no lines: %lu are lost", lost);
		log_write_line(LOG_LEVEL_WARNING, words);
		/* The room was for one of them. */
		if (!log_has_room()) {
			atomic_fetch_add(&log_lost, 1);
			return;
		}
	}
	log_write_line(level, message);
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
		if (log_journal_fd < 0 || log_write_journal(level, error, fields, field) < 0)
			log_write_stderr(level, message);
	}
	errno = saved;
	return -error;
}
