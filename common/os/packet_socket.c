/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See packet_socket.h. */
#include "common/os/packet_socket.h"

#include <linux/if_packet.h>
#include <sys/socket.h>

bool packet_socket_is_at(int fd, unsigned int ifindex)
{
	struct sockaddr_ll address = { 0 };
	socklen_t size_bytes = sizeof(address);

	return getsockname(fd, (struct sockaddr *)&address, &size_bytes) == 0 &&
		address.sll_ifindex == (int)ifindex;
}
