/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listening sockets of the HTTP surface. Called by http.c. */
#pragma once

#include "common/addr.h"

/* Whether this socket (-1: none) is bound there. */
bool http_socket_is_at(int fd, const struct addr_port *address);
/*
 * A listening socket, also at an address that this host does not have yet, and also where `before` (-1: none), which it is
 * to replace, has the port. 0 or negative errno.
 */
int http_socket_listen(const struct addr_port *address, int before, int *ret_fd);
