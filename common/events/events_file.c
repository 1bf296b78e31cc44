/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of JSON, read and appended: see events_file.h. */
#include "common/events/events_file.h"

#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "common/events/event.h"
#include "common/read_all.h"

#define EVENTS_FILE_NEW EVENTS_FILE_NAME ".new"

static const char *events_string(const json_t *json, const char *name)
{
	return json_string_value(json_object_get(json, name));
}

/* False: it is no event. */
static bool events_file_judge(struct events_line *line)
{
	static const char *const needed[] = { "time", "old", "new", "reason", "message" };
	json_int_t sequence;
	const char *id;
	json_t *json;
	bool good;

	if (line->text_bytes >= EVENT_LINE_MAX)
		return false;
	json = json_loadb(line->text, line->text_bytes, JSON_REJECT_DUPLICATES, NULL);
	sequence = json_integer_value(json_object_get(json, "sequence"));
	id = events_string(json, "id");
	good = sequence > 0 && sequence < (json_int_t)EVENT_SEQUENCE_MAX &&
		event_is_known(id, events_string(json, "event"));
	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		good = good && events_string(json, needed[i]);
	if (good) {
		line->sequence = (uint64_t)sequence;
		line->strangers = event_is_strangers(id);
	}
	json_decref(json);
	return good;
}

size_t events_file_parse(const char *text, size_t text_bytes, events_line_fn *fn, void *context)
{
	uint64_t last = 0;
	size_t n_bad = 0;
	const char *end;

	while (text_bytes > 0 && (end = memchr(text, '\n', text_bytes))) {
		struct events_line line = { .text = text, .text_bytes = (size_t)(end - text) };

		if (events_file_judge(&line) && line.sequence > last) {
			last = line.sequence;
			fn(&line, context);
		} else {
			n_bad++;
		}
		text_bytes -= line.text_bytes + 1;
		text = end + 1;
	}
	return n_bad;
}

static char *events_file_path(const char *directory, const char *name)
{
	char *path = NULL;

	return asprintf(&path, "%s/%s", directory, name) < 0 ? NULL : path;
}

/* What another user could have put there is not believed. */
static int events_file_check(const char *path, int fd, size_t *ret_size_bytes, struct why *ret_why)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return why_errno(ret_why, util_negative_errno(), path);
	if (!S_ISREG(status.st_mode))
		return why_fail(ret_why, -EINVAL, "%s is no regular file", path);
	if (status.st_uid != geteuid())
		return why_fail(ret_why, -EPERM, "%s belongs to another user", path);
	if (status.st_size > (off_t)EVENTS_FILE_BYTES)
		return why_fail(
			ret_why, -EFBIG, "%s is longer than %u MiB", path, EVENTS_FILE_BYTES >> 20);
	*ret_size_bytes = (size_t)status.st_size;
	return 0;
}

int events_file_read(const char *directory, events_line_fn *fn, void *context, struct why *ret_why)
{
	_cleanup_free_ char *path = events_file_path(directory, EVENTS_FILE_NAME);
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -1;
	size_t size_bytes = 0, text_bytes = 0, n_bad;
	int r;

	ret_why->text[0] = '\0';
	if (!path)
		return why_fail(ret_why, -ENOMEM, "out of memory");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? 0 : why_errno(ret_why, util_negative_errno(), path);
	r = events_file_check(path, fd, &size_bytes, ret_why);
	if (r < 0)
		return r;
	text = malloc(size_bytes + 1);
	if (!text)
		return why_fail(ret_why, -ENOMEM, "out of memory");
	r = read_all(fd, text, size_bytes, &text_bytes);
	if (r < 0)
		return why_errno(ret_why, r, path);
	n_bad = events_file_parse(text, text_bytes, fn, context);
	if (n_bad > 0)
		why_set(ret_why, "%s: %zu lines are no events, and were left out", path, n_bad);
	return 0;
}

int events_file_append(int fd, const char *line, size_t line_bytes)
{
	struct iovec parts[] = {
		{ .iov_base = (void *)line, .iov_len = line_bytes },
		{ .iov_base = (void *)"\n", .iov_len = 1 },
	};
	ssize_t n = writev(fd, parts, ARRAY_LEN(parts));

	if (n < 0)
		return util_negative_errno();
	return (size_t)n == line_bytes + 1 ? 0 : -ENOSPC;
}

int events_file_replace(const char *directory, char *const *lines, size_t n_lines, int *ret_fd)
{
	_cleanup_free_ char *path = events_file_path(directory, EVENTS_FILE_NAME);
	_cleanup_free_ char *path_new = events_file_path(directory, EVENTS_FILE_NEW);
	_cleanup_close_ int fd = -1;
	int r = 0;

	if (!path || !path_new)
		return -ENOMEM;
	(void)unlink(path_new);
	fd = open(path_new, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return util_negative_errno();
	for (size_t i = 0; i < n_lines && r == 0; i++)
		r = events_file_append(fd, lines[i], strlen(lines[i]));
	/* The old ones are on the disk, if it is one: they stay there over a power cut, too. */
	if (r == 0 && (fsync(fd) < 0 || rename(path_new, path) < 0))
		r = util_negative_errno();
	if (r < 0) {
		(void)unlink(path_new);
		return r;
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}
