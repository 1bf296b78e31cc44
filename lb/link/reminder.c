/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See reminder.h. */
#include "lb/link/reminder.h"

#include <linux/if_packet.h>
#include <sys/socket.h>

#include "lb/link/announce_frame.h"

int reminder_open(int *ret_fd)
{
	/* Protocol 0 receives nothing. */
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return util_negative_errno();
	*ret_fd = fd;
	return 0;
}

int reminder_send(int fd, unsigned int ifindex, const struct addr *address, const struct mac *own,
	const struct mac *to)
{
	const struct sockaddr_ll through = { .sll_family = AF_PACKET, .sll_ifindex = (int)ifindex };
	uint8_t frame[ANNOUNCE_FRAME_MAX_BYTES];
	size_t size_bytes = announce_frame_build(address, own, NULL, frame);

	/* A reply would not do: for a second after a forged one arp_process() takes no other (net/ipv4/arp.c). */
	memcpy(frame, to->bytes, MAC_LEN);
	if (sendto(fd, frame, size_bytes, MSG_DONTWAIT, (const struct sockaddr *)&through,
		    sizeof(through)) < 0)
		return util_negative_errno();
	return 0;
}
