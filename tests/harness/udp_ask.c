/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks named_server over UDP, each question from a port of its own and each asked twice:
 *
 *	udp_ask ADDRESS:PORT COUNT
 *
 * Prints {"asked": 100, "answered": 100, "moved": 0, "servers": {"web1": 33, …}}: moved are those
 * whose second question was answered by another server than their first.
 */
#include "tests/harness/servers.h"

#define COUNT_MAX 1000u
#define WAIT_US   (3 * US_PER_S)

struct asker {
	struct sockaddr_storage address;
	socklen_t length;
	unsigned long answered, moved;
	struct servers servers;
};

/* The server's name, or "" after WAIT_US without an answer. */
static void ask(struct asker *asker, int fd, char name[SERVERS_NAME_BYTES])
{
	struct timeval wait = { .tv_sec = WAIT_US / US_PER_S };
	ssize_t size_bytes;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	name[0] = '\0';
	if (send(fd, "who", 3, 0) != 3)
		return;
	size_bytes = recv(fd, name, SERVERS_NAME_BYTES - 1, 0);
	name[MAX(size_bytes, 0)] = '\0';
	name[strcspn(name, " ")] = '\0';
}

static void ask_twice(struct asker *asker)
{
	char first[SERVERS_NAME_BYTES], second[SERVERS_NAME_BYTES];
	_cleanup_close_ int fd = socket(asker->address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	/* Connected: only answers that come from the address that was asked are heard. */
	if (fd < 0 || connect(fd, (struct sockaddr *)&asker->address, asker->length) < 0)
		err(1, "socket");
	ask(asker, fd, first);
	if (first[0] == '\0')
		return;
	asker->answered++;
	servers_count(&asker->servers, first);
	ask(asker, fd, second);
	asker->moved += !streq(first, second);
}

int main(int argc, char **argv)
{
	static struct asker asker;
	struct addr_port endpoint;
	unsigned long count;

	if (argc != 3)
		errx(64, "usage: udp_ask ADDRESS:PORT COUNT");
	endpoint = tool_endpoint(argv[1]);
	count = tool_number(argv[2], COUNT_MAX);
	asker.length = addr_to_sockaddr(&endpoint, 0, &asker.address);
	for (unsigned long n = 0; n < count; n++)
		ask_twice(&asker);
	printf("{\"asked\": %lu, \"answered\": %lu, \"moved\": %lu, \"servers\": ", count,
		asker.answered, asker.moved);
	servers_print(&asker.servers);
	printf("}\n");
	return 0;
}
