/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Binding and removing: see control_path.h. */
#include "common/control/control_path.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>

/* Removes the file of a daemon that is no more. -EADDRINUSE: one is there and listens. */
static int control_path_remove_stale(const struct sockaddr_un *address)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat file;

	if (fd < 0)
		return -errno;
	if (lstat(address->sun_path, &file) < 0)
		return errno == ENOENT ? 0 : -errno;
	/* Somebody else's file of this name is not ours to remove. */
	if (!S_ISSOCK(file.st_mode))
		return -EEXIST;
	/* EAGAIN is a full backlog, EACCES another user's socket: both are served. */
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
		errno != ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(address->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

static int control_path_make(int fd, const char *directory, struct control_path *path)
{
	_cleanup_free_ char *lock_path = NULL;
	_cleanup_close_ int lock = -1;
	int r;

	/* Of two daemons that start at once, the second must see the first one's socket served. */
	if (asprintf(&lock_path, "%s/%s", directory, CONTROL_LOCK_NAME) < 0)
		return -ENOMEM;
	lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock < 0 || flock(lock, LOCK_EX) < 0)
		return -errno;
	r = control_path_remove_stale(&path->address);
	if (r < 0)
		return r;
	/*
	 * The mode is set before the name exists (af_unix.c:unix_bind takes the socket's own mode,
	 * less the umask), then widened for the group: never open to others in between.
	 */
	if (fchmod(fd, 0660) < 0 ||
		bind(fd, (const struct sockaddr *)&path->address, sizeof(path->address)) < 0)
		return -errno;
	if (lstat(path->address.sun_path, &path->file) < 0)
		return -errno;
	if (chmod(path->address.sun_path, 0660) < 0 || listen(fd, SOMAXCONN) < 0)
		return -errno;
	return 0;
}

int control_path_bind(int fd, const char *directory, struct control_path *ret_path)
{
	struct control_path path = { .address = { .sun_family = AF_UNIX } };
	size_t room_bytes = sizeof(path.address.sun_path);
	int r = snprintf(
		path.address.sun_path, room_bytes, "%s/%s", directory, CONTROL_SOCKET_NAME);

	if (r < 0 || (size_t)r >= room_bytes)
		return -ENAMETOOLONG;
	r = control_path_make(fd, directory, &path);
	/* Also half done, so that what was bound is removed. */
	*ret_path = path;
	return r;
}

/* The file may be another daemon's by now; only the one that we made is removed. */
void control_path_remove(const struct control_path *path)
{
	struct stat file;

	if (path->file.st_ino != 0 && lstat(path->address.sun_path, &file) == 0 &&
		file.st_ino == path->file.st_ino && file.st_dev == path->file.st_dev)
		(void)unlink(path->address.sun_path);
}
