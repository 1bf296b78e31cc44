/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The socket's file: bound in place of one that nobody serves, and removed when it is ours. */
#pragma once

#include <sys/stat.h>
#include <sys/un.h>

#include "common/util.h"

#define CONTROL_SOCKET_NAME "control.sock"
#define CONTROL_LOCK_NAME   "control.lock" /* held while the socket file is looked at and replaced */

struct control_path {
	struct sockaddr_un address;
	struct stat file; /* the socket file that we made: no other is removed */
};

/*
 * Binds and listens. 0; -EADDRINUSE: somebody serves there; -ENAMETOOLONG: the path does not fit a Unix socket's
 * address; other negative errno.
 */
int control_path_bind(int fd, const char *directory, struct control_path *ret_path);
void control_path_remove(const struct control_path *path);
