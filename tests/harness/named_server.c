/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server that says who it is and then repeats what it hears:
 *
 *	named_server NAME ADDRESS:PORT…
 *
 * On TCP it greets each connection with "NAME\n" and echoes; on UDP it answers each datagram with
 * "NAME " and the datagram. It binds addresses that the host does not have yet (IP_FREEBIND), as
 * a VIP comes and goes. Runs until it is ended.
 */
#include "tests/harness/tool.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#define ENDPOINTS_MAX 32

/* What a descriptor is, in the upper half of its epoll key. */
enum kind { KIND_LISTENER, KIND_CONNECTION, KIND_DATAGRAM };

static uint64_t key_make(enum kind kind, int fd)
{
	return (uint64_t)kind << 32 | (uint32_t)fd;
}

static int endpoint_open(const struct addr_port *endpoint, int type)
{
	struct sockaddr_storage address;
	socklen_t length = addr_to_sockaddr(endpoint, 0, &address);
	int on = 1;
	int fd = socket(address.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		err(1, "socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) < 0 ||
		(address.ss_family == AF_INET6 &&
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
		bind(fd, (struct sockaddr *)&address, length) < 0)
		err(1, "cannot bind port %u", endpoint->port);
	if (type == SOCK_STREAM && listen(fd, 4096) < 0)
		err(1, "listen");
	return fd;
}

static void greet(int epoll_fd, int listener_fd, const char *greeting)
{
	int on = 1;
	int fd;

	while ((fd = accept4(listener_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		if (send(fd, greeting, strlen(greeting), MSG_NOSIGNAL) < 0)
			close(fd);
		else
			tool_watch(epoll_fd, fd, EPOLLIN, key_make(KIND_CONNECTION, fd));
	}
}

/* Questions are short: an answer that does not fit ends the connection, and the asker sees it. */
static void echo(int fd)
{
	char buffer[4096];
	ssize_t size_bytes = recv(fd, buffer, sizeof(buffer), 0);

	if (size_bytes < 0 && errno == EAGAIN)
		return;
	if (size_bytes <= 0 || send(fd, buffer, (size_t)size_bytes, MSG_NOSIGNAL) != size_bytes)
		close(fd);
}

/* The answer leaves from the address that was asked: a wildcard socket would choose another. */
static void answer(int fd, const char *name)
{
	char buffer[2048];
	struct sockaddr_storage from;
	socklen_t length = sizeof(from);
	size_t name_len = (size_t)snprintf(buffer, sizeof(buffer), "%.1023s ", name);
	ssize_t size_bytes;

	size_bytes = recvfrom(fd, buffer + name_len, sizeof(buffer) - name_len, 0,
		(struct sockaddr *)&from, &length);
	if (size_bytes >= 0)
		(void)sendto(fd, buffer, name_len + (size_t)size_bytes, 0, (struct sockaddr *)&from,
			length);
}

int main(int argc, char **argv)
{
	struct rlimit files = { 65536, 65536 };
	struct epoll_event events[64];
	char greeting[64];
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

	if (argc < 3 || argc - 2 > ENDPOINTS_MAX || strlen(argv[1]) > 60)
		errx(64, "usage: named_server NAME ADDRESS:PORT…");
	(void)setrlimit(RLIMIT_NOFILE, &files);
	snprintf(greeting, sizeof(greeting), "%s\n", argv[1]);
	for (int i = 2; i < argc; i++) {
		struct addr_port endpoint = tool_endpoint(argv[i]);
		int stream_fd = endpoint_open(&endpoint, SOCK_STREAM);
		int datagram_fd = endpoint_open(&endpoint, SOCK_DGRAM);

		tool_watch(epoll_fd, stream_fd, EPOLLIN, key_make(KIND_LISTENER, stream_fd));
		tool_watch(epoll_fd, datagram_fd, EPOLLIN, key_make(KIND_DATAGRAM, datagram_fd));
	}
	for (;;) {
		int n_events = epoll_wait(epoll_fd, events, ARRAY_LEN(events), -1);

		if (n_events < 0 && errno != EINTR)
			err(1, "epoll_wait");
		for (int i = 0; i < n_events; i++) {
			int fd = (int)(uint32_t)events[i].data.u64;

			switch ((enum kind)(events[i].data.u64 >> 32)) {
			case KIND_LISTENER:
				greet(epoll_fd, fd, greeting);
				break;
			case KIND_CONNECTION:
				echo(fd);
				break;
			case KIND_DATAGRAM:
				answer(fd, argv[1]);
				break;
			}
		}
	}
}
