/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UDP under sd-event. Called by the daemon. Must not know what a datagram means.
 */
#include "agent/registration/net.h"

#include "common/log.h"
#include "common/os/clock.h"
#include "common/os/idle.h"
#include "common/os/socket_buffer.h"
#include "common/proto/proto.h"

#define NET_RECEIVE_BYTES (4 << 20) /* what comes until a flood is known as one */
#define NET_TELL_US       (60 * US_PER_S)

struct net {
	int fd;
	struct net_options options;
	sd_event_source *source;
	struct addr expected[UDP_ADMIT_MAX];
	size_t n_expected;
	uint64_t counted_us; /* since when */
	uint32_t n_received; /* in this second */
	bool guarded;
	sd_event_source *guard; /* ends it */
	uint64_t told_us;       /* 0: never */
};

struct net *net_free(struct net *net)
{
	if (!net)
		return NULL;
	sd_event_source_disable_unref(net->source);
	sd_event_source_disable_unref(net->guard);
	util_close(net->fd);
	free(net);
	return NULL;
}

const struct addr_port *net_local(const struct net *net)
{
	return &net->options.local;
}

static int net_admit_expected(const struct net *net)
{
	return udp_admit(
		net->fd, net->options.local.addr.family, net->expected, net->n_expected, PROTO_TTL);
}

static void net_guard(struct net *net, uint64_t now_us)
{
	if (net->guarded || net_admit_expected(net) < 0)
		return;
	net->guarded = true;
	(void)sd_event_source_set_time_relative(net->guard, net->options.guard_us);
	(void)sd_event_source_set_enabled(net->guard, SD_EVENT_ONESHOT);
	if (net->told_us && now_us - net->told_us < NET_TELL_US)
		return;
	net->told_us = now_us;
	log_warning("more than %u datagrams a second arrive: only balancers are heard, and others' "
		    "messages not counted, for %llu s at a time",
		net->options.flood_hz, (unsigned long long)(net->options.guard_us / US_PER_S));
}

static int net_on_guarded(sd_event_source *source, uint64_t due_us, void *context)
{
	struct net *net = context;

	udp_admit_all(net->fd);
	net->guarded = false;
	net->counted_us = clock_now_us();
	net->n_received = 0;
	return 0;
}

void net_expect(struct net *net, const struct addr *sources, size_t n_sources)
{
	net->n_expected = MIN(n_sources, (size_t)UDP_ADMIT_MAX);
	for (size_t i = 0; i < net->n_expected; i++)
		net->expected[i] = sources[i];
	/* One that is new is heard at once: better everybody than not that one. */
	if (net->guarded && net_admit_expected(net) < 0) {
		udp_admit_all(net->fd);
		net->guarded = false;
	}
}

bool net_is_guarded(const struct net *net)
{
	return net->guarded;
}

static void net_on_datagram(const struct udp_datagram *datagram, void *context)
{
	struct net *net = context;

	net->n_received++;
	net->options.receive(datagram, net->options.context);
}

static int net_on_readable(sd_event_source *source, int fd, uint32_t events, void *context)
{
	uint64_t now_us = clock_now_us();
	uint8_t data[PROTO_MESSAGE_MAX + 1];
	struct net *net = context;

	if (now_us - net->counted_us >= US_PER_S) {
		net->counted_us = now_us;
		net->n_received = 0;
	}
	idle_if_crowded(source, !udp_receive(fd, data, sizeof(data), net_on_datagram, net),
		SD_EVENT_PRIORITY_NORMAL);
	if (net->n_received > net->options.flood_hz)
		net_guard(net, now_us);
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
	if (net->options.flood_hz == 0)
		net->options.flood_hz = NET_FLOOD_HZ;
	if (net->options.guard_us == 0)
		net->options.guard_us = NET_GUARD_US;
	r = udp_open(options->local.addr.family, PROTO_TTL, false, &net->fd);
	if (r < 0)
		return r;
	/* Without the privilege the default serves. */
	(void)socket_buffer_set_receive(net->fd, NET_RECEIVE_BYTES);
	size_bytes = addr_to_sockaddr(&options->local, options->scope_ifindex, &address);
	if (bind(net->fd, (const struct sockaddr *)&address, size_bytes) < 0)
		return util_negative_errno();
	r = sd_event_add_io(event, &net->source, net->fd, EPOLLIN, net_on_readable, net);
	if (r >= 0)
		r = sd_event_add_time_relative(
			event, &net->guard, CLOCK_MONOTONIC, 0, 0, net_on_guarded, net);
	if (r >= 0)
		r = sd_event_source_set_enabled(net->guard, SD_EVENT_OFF);
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
