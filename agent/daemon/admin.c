/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One word in a file. Called by the daemon at start, at its end, and for each verb that changes it. */
#include "agent/daemon/admin.h"

#include <fcntl.h>

#define ADMIN_FILE_NAME "admin"
#define ADMIN_MAX_BYTES 32u

static int admin_path(const char *directory, const char *suffix, char **ret_path)
{
	return asprintf(ret_path, "%s/" ADMIN_FILE_NAME "%s", directory, suffix) < 0 ? -ENOMEM : 0;
}

int admin_load(const char *directory, enum report_admin *ret_admin, struct why *ret_why)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	char text[ADMIN_MAX_BYTES];
	ssize_t size_bytes;
	int r;

	r = admin_path(directory, "", &path);
	if (r < 0)
		return why_fail(ret_why, r, "out of memory");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		*ret_admin = REPORT_ENABLED;
		return 0;
	}
	size_bytes = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (size_bytes < 0) {
		r = util_negative_errno();
		return why_fail(ret_why, r, "cannot read %s: %s", path, strerror(-r));
	}
	text[size_bytes] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (report_admin_parse(text, ret_admin) < 0)
		return why_fail(ret_why, -EBADMSG, "%s is damaged", path);
	return 0;
}

int admin_store(const char *directory, enum report_admin admin)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_free_ char *path_new = NULL;
	_cleanup_close_ int fd = -1;
	int r;

	r = admin_path(directory, "", &path);
	if (r == 0)
		r = admin_path(directory, ".new", &path_new);
	if (r < 0)
		return r;
	if (admin == REPORT_ENABLED)
		return unlink(path) < 0 && errno != ENOENT ? util_negative_errno() : 0;
	fd = open(path_new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return util_negative_errno();
	/* Synced: after a power cut the name must not be that of an empty file, where the directory is on a disk. */
	if (dprintf(fd, "%s\n", report_admin_name(admin)) < 0 || fsync(fd) < 0)
		return util_negative_errno();
	return rename(path_new, path) < 0 ? util_negative_errno() : 0;
}
