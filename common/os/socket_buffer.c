/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See socket_buffer.h. */
#include "common/os/socket_buffer.h"

#include <sys/socket.h>

static int socket_buffer_set(int fd, int force_option, int option, int size_bytes)
{
	if (setsockopt(fd, SOL_SOCKET, force_option, &size_bytes, sizeof(size_bytes)) == 0)
		return 0;
	return setsockopt(fd, SOL_SOCKET, option, &size_bytes, sizeof(size_bytes)) < 0
		? util_negative_errno()
		: 0;
}

int socket_buffer_set_receive(int fd, int size_bytes)
{
	return socket_buffer_set(fd, SO_RCVBUFFORCE, SO_RCVBUF, size_bytes);
}

int socket_buffer_set_send(int fd, int size_bytes)
{
	return socket_buffer_set(fd, SO_SNDBUFFORCE, SO_SNDBUF, size_bytes);
}
