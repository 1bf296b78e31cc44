/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See frame_socket.h. */
#include "lb/link/frame_socket.h"

#include <endian.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include "common/util.h"

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

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
		bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}
