/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See path_port.h. Called by path_probe.c. */
#include "lb/link/path/path_port.h"

#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* Above what services use, below the top of what the kernel gives to its own connections. */
#define FIRST_MIN 20480u
#define FIRST_MAX 61440u
#define ATTEMPTS  64u

/* Of both families where the host has IPv6. */
static int socket_open(int type, bool *ret_ip6)
{
	const int no = 0;
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);

	*ret_ip6 = fd >= 0;
	if (fd >= 0 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no)) == 0)
		return fd;
	util_close(fd);
	*ret_ip6 = false;
	return socket(AF_INET, type | SOCK_CLOEXEC, 0);
}

/*
 * A listener is what the kernel finds for a SYN-ACK, and its filter speaks before any answer is made
 * (net/ipv4/tcp_ipv4.c:tcp_v4_rcv); for a datagram a bound socket's does.
 */
static int port_bind(int type, const char *interface, uint16_t port, int *ret_fd)
{
	struct sock_filter nothing[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	const struct sock_fprog program = { ARRAY_LEN(nothing), nothing };
	const struct sockaddr_in any4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	const struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	bool ip6;
	_cleanup_close_ int fd = socket_open(type, &ip6);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface,
			(socklen_t)strlen(interface) + 1) < 0 ||
		bind(fd, ip6 ? (const void *)&any6 : (const void *)&any4,
			ip6 ? sizeof(any6) : sizeof(any4)) < 0 ||
		(type == SOCK_STREAM && listen(fd, 1) < 0))
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int ports_bind(struct path_ports *ports, const char *interface, uint16_t first)
{
	int r = 0;

	for (uint16_t i = 0; i < PATH_PORTS && r == 0; i++) {
		r = port_bind(SOCK_DGRAM, interface, first + i, &ports->fds[ports->n_fds]);
		ports->n_fds += r == 0;
		if (r == 0) {
			r = port_bind(SOCK_STREAM, interface, first + i, &ports->fds[ports->n_fds]);
			ports->n_fds += r == 0;
		}
	}
	if (r < 0)
		path_ports_close(ports);
	else
		ports->first = first;
	return r;
}

int path_ports_open(struct path_ports *ports, const char *interface, uint32_t random)
{
	const uint32_t n_blocks = (FIRST_MAX - FIRST_MIN) / PATH_PORTS;
	int r = -EADDRINUSE;

	for (uint32_t i = 0; i < ATTEMPTS && r == -EADDRINUSE; i++)
		r = ports_bind(ports, interface,
			(uint16_t)(FIRST_MIN + (random + i) % n_blocks * PATH_PORTS));
	return r;
}

void path_ports_close(struct path_ports *ports)
{
	for (size_t i = 0; i < ports->n_fds; i++)
		util_close(ports->fds[i]);
	*ports = (struct path_ports){ 0 };
}
