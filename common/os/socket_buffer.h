/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much waits in a socket. */
#pragma once

#include "common/util.h"

/*
 * As large as wanted with CAP_NET_ADMIN, as large as net.core.rmem_max and wmem_max allow without, which is no error.
 * The kernel has as much again for what is its own (socket(7)). 0, or negative errno: no socket.
 */
int socket_buffer_set_receive(int fd, int size_bytes);
int socket_buffer_set_send(int fd, int size_bytes);
