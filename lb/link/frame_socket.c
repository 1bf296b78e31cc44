/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See frame_socket.h. */
#include "lb/link/frame_socket.h"

#include <endian.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/os/socket_buffer.h"
#include "common/util.h"

/*
 * Nine hundred answers at least, which come at once to as many questions: the kernel counts a short frame for a kilobyte,
 * or, once XDP has seen it, for a page.
 */
#define FRAME_SOCKET_RECEIVE_BUFFER_BYTES (2 << 20)

int frame_socket_open(unsigned int ifindex, uint16_t ethertype, struct sock_filter *filter,
	size_t filter_len, int *ret_fd)
{
	/* Protocol 0 receives nothing: no frame slips in before the filter is there. */
	_cleanup_close_ int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const struct sock_fprog program = { (unsigned short)filter_len, filter };
	const struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htobe16(ethertype),
		.sll_ifindex = (int)ifindex,
	};

	if (fd < 0)
		return -errno;
	(void)socket_buffer_set_receive(fd, FRAME_SOCKET_RECEIVE_BUFFER_BYTES);
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
		bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

void frame_groups_clear(struct frame_groups *groups)
{
	for (size_t idx = 0; idx < groups->n_fds; idx++)
		util_close(groups->fds[idx]);
	free(groups->fds);
	*groups = (struct frame_groups){ 0 };
}

int frame_groups_grow(struct frame_groups *groups, int family, int type, int *ret_fd)
{
	int *larger = realloc(groups->fds, (groups->n_fds + 1) * sizeof(*larger));
	int fd;

	*ret_fd = -1;
	if (!larger)
		return -ENOMEM;
	groups->fds = larger;
	fd = socket(family, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	groups->fds[groups->n_fds++] = fd;
	*ret_fd = fd;
	return 0;
}

int frame_groups_join_mld(
	struct frame_groups *groups, int *fd, unsigned int ifindex, const struct in6_addr *group)
{
	const struct ipv6_mreq request = { *group, ifindex };

	for (int attempt = 0; attempt < 2; attempt++) {
		int r;

		if (setsockopt(*fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof(request)) ==
				0 ||
			errno == EADDRINUSE) /* another VIP has the same last 24 bits */
			return 0;
		/* A socket's memberships are limited by optmem_max; the next one has room. */
		if (errno != ENOMEM && errno != ENOBUFS)
			return -errno;
		r = frame_groups_grow(groups, AF_INET6, SOCK_DGRAM, fd);
		if (r < 0)
			return r;
	}
	return -ENOBUFS;
}
