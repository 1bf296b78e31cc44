/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients of a control socket that never read:
 *
 *	silent_clients DIRECTORY root|guest COUNT [REQUEST]
 *
 * Opens COUNT connections to the control socket in DIRECTORY, as root or as a user who is no more than
 * a member of the socket's group, says the request (a line of JSON) on each, or nothing, and reads no answer.
 * Each line on standard input is answered by {"connected": COUNT}. Ends with its standard input, or at SIGTERM.
 */
#include "tests/harness/tool.h"

#include <grp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/control/control.h"

#define COUNT_MAX 4000u
#define GUEST_UID 65534u

/* Looked up from the directory, since a guest may not reach it by its path. */
static void become(const char *directory, const char *user)
{
	struct stat status;
	struct rlimit files = { COUNT_MAX + 64, COUNT_MAX + 64 };

	if (chdir(directory) < 0 || stat(CONTROL_SOCKET_NAME, &status) < 0)
		err(1, "%s", directory);
	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		err(1, "setrlimit");
	if (streq(user, "root"))
		return;
	if (!streq(user, "guest"))
		errx(64, "%s: root or guest", user);
	if (setgroups(1, &status.st_gid) < 0 || setgid(GUEST_UID) < 0 || setuid(GUEST_UID) < 0)
		err(1, "cannot become a guest");
}

static bool client_open(const char *request)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = CONTROL_SOCKET_NAME };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		err(1, "socket");
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		return false;
	}
	/* The connection stays open until the end. */
	return !request ||
		(send(fd, request, strlen(request), MSG_NOSIGNAL) > 0 &&
			send(fd, "\n", 1, MSG_NOSIGNAL) > 0);
}

int main(int argc, char **argv)
{
	unsigned long count, n_connected = 0;
	char line[64];

	if (argc < 4 || argc > 5)
		errx(64, "usage: silent_clients DIRECTORY root|guest COUNT [REQUEST]");
	count = tool_number(argv[3], COUNT_MAX);
	become(argv[1], argv[2]);
	for (unsigned long i = 0; i < count; i++)
		n_connected += client_open(argc > 4 ? argv[4] : NULL);
	while (fgets(line, sizeof(line), stdin)) {
		printf("{\"connected\": %lu}\n", n_connected);
		fflush(stdout);
	}
	return 0;
}
