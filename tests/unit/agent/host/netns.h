/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small acts on interfaces of the current network namespace, for the live tests of this room. */
#pragma once

#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <cmocka.h>

#include "common/addr.h"

static inline struct addr netns_addr(const char *text)
{
	struct addr parsed;

	assert_int_equal(addr_parse(text, &parsed), 0);
	return parsed;
}

static inline void netns_set_up(const char *interface)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { 0 };

	assert_true(fd >= 0);
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
}

static inline void netns_add_address(const char *interface, const char *text, int prefix_len)
{
	struct nl_sock *socket = nl_socket_alloc();
	struct rtnl_addr *address = rtnl_addr_alloc();
	struct addr value = netns_addr(text);
	struct nl_addr *local = nl_addr_build(value.family, value.bytes, addr_size_bytes(&value));

	assert_int_equal(nl_connect(socket, NETLINK_ROUTE), 0);
	nl_addr_set_prefixlen(local, prefix_len);
	rtnl_addr_set_ifindex(address, (int)if_nametoindex(interface));
	assert_int_equal(rtnl_addr_set_local(address, local), 0);
	assert_int_equal(rtnl_addr_add(socket, address, NLM_F_CREATE | NLM_F_EXCL), 0);
	nl_addr_put(local);
	rtnl_addr_put(address);
	nl_socket_free(socket);
}

/* A veth pair eth0 – peer0, both here. */
static inline void netns_add_veth(void)
{
	struct nl_sock *socket = nl_socket_alloc();

	assert_int_equal(nl_connect(socket, NETLINK_ROUTE), 0);
	assert_int_equal(rtnl_link_veth_add(socket, "eth0", "peer0", getpid()), 0);
	nl_socket_free(socket);
}

/* Another name, another namespace (a descriptor; -1: none), or neither: away with it. */
static inline void netns_change_link(const char *interface, const char *new_name, int namespace_fd)
{
	struct nl_sock *socket = nl_socket_alloc();
	struct rtnl_link *link = rtnl_link_alloc();
	struct rtnl_link *changes = rtnl_link_alloc();

	assert_int_equal(nl_connect(socket, NETLINK_ROUTE), 0);
	rtnl_link_set_ifindex(link, (int)if_nametoindex(interface));
	if (new_name)
		rtnl_link_set_name(changes, new_name);
	if (namespace_fd >= 0)
		rtnl_link_set_ns_fd(changes, namespace_fd);
	if (new_name || namespace_fd >= 0)
		assert_int_equal(rtnl_link_change(socket, link, changes, 0), 0);
	else
		assert_int_equal(rtnl_link_delete(socket, link), 0);
	rtnl_link_put(link);
	rtnl_link_put(changes);
	nl_socket_free(socket);
}
