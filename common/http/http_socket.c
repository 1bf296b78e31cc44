/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See http_socket.h. */
#include "common/http/http_socket.h"

#include <netinet/in.h>
#include <sys/socket.h>

#define HTTP_BACKLOG 128

/* So that an address and all addresses may be listened at for the moment of a change. */
static void http_socket_share(int fd, bool share)
{
	const int value = share;

	if (fd >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &value, sizeof(value));
}

static int http_socket_bind(int fd, const struct addr_port *address)
{
	static const int one = 1;
	bool is_ipv6 = address->addr.family == AF_INET6;
	struct sockaddr_storage socket_address;
	socklen_t size_bytes = addr_to_sockaddr(address, 0, &socket_address);

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		return util_negative_errno();
	if (is_ipv6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0)
		return util_negative_errno();
	/* Also at an address that comes later: lo is down, or DHCP has not answered. */
	if (setsockopt(fd, is_ipv6 ? IPPROTO_IPV6 : IPPROTO_IP,
		    is_ipv6 ? IPV6_FREEBIND : IP_FREEBIND, &one, sizeof(one)) < 0)
		return util_negative_errno();
	if (bind(fd, (struct sockaddr *)&socket_address, size_bytes) < 0 ||
		listen(fd, HTTP_BACKLOG) < 0)
		return util_negative_errno();
	return 0;
}

bool http_socket_is_at(int fd, const struct addr_port *address)
{
	struct sockaddr_storage bound = { 0 };
	socklen_t size_bytes = sizeof(bound);
	struct addr_port own;

	return fd >= 0 && getsockname(fd, (struct sockaddr *)&bound, &size_bytes) == 0 &&
		addr_from_sockaddr((struct sockaddr *)&bound, &own) == 0 &&
		own.port == address->port && addr_equal(&own.addr, &address->addr);
}

int http_socket_listen(const struct addr_port *address, int before, int *ret_fd)
{
	_cleanup_close_ int fd = socket(
		address->addr.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	int r;

	if (fd < 0)
		return util_negative_errno();
	if (before >= 0) {
		http_socket_share(before, true);
		http_socket_share(fd, true);
	}
	r = http_socket_bind(fd, address);
	http_socket_share(before, false);
	if (r < 0)
		return r;
	http_socket_share(fd, false);
	*ret_fd = TAKE_FD(fd);
	return 0;
}
