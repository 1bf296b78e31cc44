/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UDP under sd-event. Called by the daemon. Must not know what a datagram means.
 */
#include "agent/registration/net.h"

#include "common/proto/proto.h"

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

static int net_on_readable(sd_event_source *source, int fd, uint32_t events, void *context)
{
	const struct net *net = context;
	uint8_t data[PROTO_MESSAGE_MAX + 1];

	(void)udp_receive(fd, data, sizeof(data), net->options.receive, net->options.context);
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
	net->fd = -1;
	net->options = *options;
	r = udp_open(options->local.addr.family, PROTO_TTL, false, &net->fd);
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
	return udp_send(net->fd, NULL, destination, net->options.scope_ifindex, data, size_bytes);
}
