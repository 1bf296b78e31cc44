/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether an engine's interface is there and up, as its health says it. Header only. */
#pragma once

#include <net/if.h>
#include <sys/ioctl.h>

#include "common/util.h"

/* By any socket `fd`. 0; -ENETDOWN: it is down; -ENODEV: gone. */
static inline int link_check(int fd, unsigned int ifindex)
{
	struct ifreq request = { .ifr_ifindex = (int)ifindex };

	if (ioctl(fd, SIOCGIFNAME, &request) < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return -ENODEV;
	return request.ifr_flags & IFF_UP ? 0 : -ENETDOWN;
}
