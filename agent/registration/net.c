/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UDP under sd-event. Called by the daemon. Must not know what a datagram means.
 */
#include "agent/registration/net.h"

#include <net/if.h>

#include "common/proto/proto.h"

/* In one turn of the loop, so that a flood of datagrams starves neither timers nor netlink. */
#define NET_DATAGRAMS_A_TURN 64u

struct net {
	int fd;
	struct net_options options;
	sd_event_source *source;
};

struct net *net_free(struct net *net)
{
	if (!net)
		return NULL;
	sd_event_source_disable_unref(net->source);
	util_close(net->fd);
	free(net);
	return NULL;
}

const struct addr_port *net_local(const struct net *net)
{
	return &net->options.local;
}

/* The generalised TTL security mechanism, RFC 5082: 255 as sent, and told as received. */
static int net_set_options(int fd, sa_family_t family)
{
	const int hops = PROTO_TTL;
	const int on = 1;
	int r;

	if (family == AF_INET) {
		r = setsockopt(fd, IPPROTO_IP, IP_TTL, &hops, sizeof(hops));
		if (r == 0)
			r = setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &on, sizeof(on));
	} else {
		r = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
		if (r == 0)
			r = setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof(hops));
		if (r == 0)
			r = setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof(on));
	}
	return r < 0 ? util_negative_errno() : 0;
}

static int net_hop_limit(struct msghdr *header)
{
	for (struct cmsghdr *item = CMSG_FIRSTHDR(header); item; item = CMSG_NXTHDR(header, item)) {
		bool told = (item->cmsg_level == IPPROTO_IP && item->cmsg_type == IP_TTL) ||
			(item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_HOPLIMIT);
		int hops;

		if (!told || item->cmsg_len < CMSG_LEN(sizeof(hops)))
			continue;
		memcpy(&hops, CMSG_DATA(item), sizeof(hops));
		return hops;
	}
	return -1;
}

/* False: nothing more is waiting. */
static bool net_receive_one(struct net *net)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int)) * 2];
	uint8_t data[PROTO_MESSAGE_MAX + 1];
	struct iovec vector = { data, sizeof(data) };
	struct sockaddr_storage address;
	struct msghdr header = {
		.msg_name = &address,
		.msg_namelen = sizeof(address),
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct addr_port source;
	ssize_t size_bytes;

	size_bytes = recvmsg(net->fd, &header, MSG_DONTWAIT);
	if (size_bytes < 0)
		return errno == EINTR;
	if (addr_from_sockaddr((const struct sockaddr *)&address, &source) < 0)
		return true;
	net->options.receive(
		net->options.context, &source, net_hop_limit(&header), data, (size_t)size_bytes);
	return true;
}

static int net_on_readable(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct net *net = context;

	/* A receiver that closes the socket would pull it from under this loop: it must not. */
	for (unsigned int n = 0; n < NET_DATAGRAMS_A_TURN; n++) {
		if (!net_receive_one(net))
			break;
	}
	return 0;
}

int net_open(sd_event *event, const struct net_options *options, struct net **ret_net)
{
	_cleanup_(net_freep) struct net *net = calloc(1, sizeof(*net));
	struct sockaddr_storage address;
	socklen_t size_bytes;
	int r;

	if (!net)
		return -ENOMEM;
	net->fd = socket(options->local.addr.family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (net->fd < 0)
		return util_negative_errno();
	net->options = *options;
	r = net_set_options(net->fd, options->local.addr.family);
	if (r < 0)
		return r;
	size_bytes = addr_to_sockaddr(&options->local, options->scope_ifindex, &address);
	if (bind(net->fd, (const struct sockaddr *)&address, size_bytes) < 0)
		return util_negative_errno();
	r = sd_event_add_io(event, &net->source, net->fd, EPOLLIN, net_on_readable, net);
	if (r < 0)
		return r;
	*ret_net = TAKE_PTR(net);
	return 0;
}

int net_send(
	struct net *net, const struct addr_port *destination, const void *data, size_t size_bytes)
{
	struct sockaddr_storage address;
	socklen_t length = addr_to_sockaddr(destination, net->options.scope_ifindex, &address);

	if (sendto(net->fd, data, size_bytes, MSG_DONTWAIT | MSG_NOSIGNAL,
		    (const struct sockaddr *)&address, length) < 0)
		return util_negative_errno();
	return 0;
}
