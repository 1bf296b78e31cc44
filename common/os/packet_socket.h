/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What packet sockets have in common, whoever reads them. */
#pragma once

#include "common/util.h"

/*
 * Whether a packet socket is still bound to this interface. One that was taken away and came back with the same index,
 * as from another network namespace, left the socket bound to nothing, without a word after the first ENETDOWN
 * (net/packet/af_packet.c:packet_notifier, NETDEV_UNREGISTER).
 */
bool packet_socket_is_at(int fd, unsigned int ifindex);
