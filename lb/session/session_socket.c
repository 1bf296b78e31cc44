/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control protocol's sockets: see udp.h. A family that the host does not have is left out, as long
 * as one remains.
 */
#include "lb/session/session_socket.h"

#include <net/if.h>
#include <sys/socket.h>

#include "common/proto/proto.h"

/* Datagrams taken in one go before other sources of the loop have their turn. */
#define UDP_BATCH_LEN            64u
#define UDP_RECEIVE_BUFFER_BYTES (4 << 20)

struct udp {
	int fd[2]; /* IPv4, IPv6; -1: not there */
	sd_event_source *source[2];
	unsigned int ifindex; /* scope of link-local addresses */
	udp_receive_fn *fn;
	void *context;
};

struct udp *udp_free(struct udp *udp)
{
	if (!udp)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(udp->fd); i++) {
		sd_event_source_disable_unref(udp->source[i]);
		util_close(udp->fd[i]);
	}
	free(udp);
	return NULL;
}

static void udp_read_control(struct msghdr *message, struct udp_datagram *datagram)
{
	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
		header = CMSG_NXTHDR(message, header)) {
		const void *data = CMSG_DATA(header);
		int ttl;

		if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, data, sizeof(info));
			datagram->local =
				(struct addr){ .family = AF_INET, .ip4 = info.ipi_spec_dst };
		} else if (header->cmsg_level == IPPROTO_IPV6 &&
			header->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, data, sizeof(info));
			datagram->local =
				(struct addr){ .family = AF_INET6, .ip6 = info.ipi6_addr };
		} else if ((header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_TTL) ||
			(header->cmsg_level == IPPROTO_IPV6 &&
				header->cmsg_type == IPV6_HOPLIMIT)) {
			memcpy(&ttl, data, sizeof(ttl));
			datagram->ttl = (uint8_t)ttl;
		}
	}
}

/* One datagram: 1, or 0 when none is waiting. Longer ones arrive cut, one byte over the limit. */
static int udp_receive_one(struct udp *udp, int fd)
{
	uint8_t data[PROTO_MESSAGE_MAX + 1];
	uint8_t control[256];
	struct sockaddr_storage from;
	struct iovec part = { data, sizeof(data) };
	struct msghdr message = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct udp_datagram datagram = { .data = data };
	ssize_t size = recvmsg(fd, &message, MSG_DONTWAIT);

	if (size < 0)
		return errno == EINTR || errno == ECONNREFUSED ? 1 : 0;
	if (addr_from_sockaddr((struct sockaddr *)&from, &datagram.source) < 0)
		return 1;
	datagram.size_bytes = (size_t)size;
	udp_read_control(&message, &datagram);
	udp->fn(&datagram, udp->context);
	return 1;
}

static int udp_on_readable(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct udp *udp = context;

	for (unsigned int i = 0; i < UDP_BATCH_LEN; i++)
		if (udp_receive_one(udp, fd) == 0)
			break;
	return 0;
}

static int udp_set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? util_negative_errno() : 0;
}

static int udp_set_family_options(int fd, sa_family_t family)
{
	int r;

	if (family == AF_INET) {
		r = udp_set(fd, IPPROTO_IP, IP_TTL, PROTO_TTL);
		if (r == 0)
			r = udp_set(fd, IPPROTO_IP, IP_RECVTTL, 1);
		if (r == 0)
			r = udp_set(fd, IPPROTO_IP, IP_PKTINFO, 1);
		return r;
	}
	r = udp_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (r == 0)
		r = udp_set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, PROTO_TTL);
	if (r == 0)
		r = udp_set(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
	if (r == 0)
		r = udp_set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	return r;
}

static int udp_bind(const char *interface, const struct addr_port *listen, sa_family_t family,
	unsigned int ifindex, int *ret_fd)
{
	_cleanup_close_ int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_storage address;
	struct addr_port endpoint = *listen;
	socklen_t length;
	int r;

	if (fd < 0)
		return util_negative_errno();
	endpoint.addr.family = family;
	length = addr_to_sockaddr(&endpoint, ifindex, &address);
	r = udp_set_family_options(fd, family);
	if (r < 0)
		return r;
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface,
		    (socklen_t)strlen(interface) + 1) < 0)
		return util_negative_errno();
	/* A burst of a thousand registrations must fit; without the privilege the default serves. */
	if (udp_set(fd, SOL_SOCKET, SO_RCVBUFFORCE, UDP_RECEIVE_BUFFER_BYTES) < 0)
		(void)udp_set(fd, SOL_SOCKET, SO_RCVBUF, UDP_RECEIVE_BUFFER_BYTES);
	if (bind(fd, (struct sockaddr *)&address, length) < 0)
		return util_negative_errno();
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int udp_open(sd_event *event, const char *interface, const struct addr_port *listen,
	udp_receive_fn *fn, void *context, struct udp **ret_udp, char *ret_why)
{
	static const sa_family_t families[] = { AF_INET, AF_INET6 };
	_cleanup_(udp_freep) struct udp *udp = calloc(1, sizeof(*udp));
	int r = -EAFNOSUPPORT;

	if (!udp)
		return -ENOMEM;
	udp->fd[0] = udp->fd[1] = -1;
	udp->fn = fn;
	udp->context = context;
	udp->ifindex = if_nametoindex(interface);
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		if (listen->addr.family != AF_UNSPEC && listen->addr.family != families[i])
			continue;
		r = udp_bind(interface, listen, families[i], udp->ifindex, &udp->fd[i]);
		if (r == -EAFNOSUPPORT)
			continue;
		if (r == 0)
			r = sd_event_add_io(
				event, &udp->source[i], udp->fd[i], EPOLLIN, udp_on_readable, udp);
		/* What has arrived is heard before anybody is judged silent. */
		if (r >= 0)
			r = sd_event_source_set_priority(
				udp->source[i], SD_EVENT_PRIORITY_NORMAL - 10);
		if (r < 0)
			break;
	}
	if ((r < 0 && r != -EAFNOSUPPORT) || (udp->fd[0] < 0 && udp->fd[1] < 0)) {
		char text[ADDR_PORT_STRLEN];

		snprintf(ret_why, 256, "cannot listen on UDP %s on %s",
			addr_port_format(listen, text), interface);
		return r < 0 ? r : -EAFNOSUPPORT;
	}
	*ret_udp = TAKE_PTR(udp);
	return 0;
}

/* The control message that chooses the source address. */
static void udp_put_local(struct msghdr *message, const struct addr *local, unsigned int ifindex)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);

	if (local->family == AF_INET) {
		struct in_pktinfo info = { .ipi_spec_dst = local->ip4 };

		header->cmsg_level = IPPROTO_IP;
		header->cmsg_type = IP_PKTINFO;
		header->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(header), &info, sizeof(info));
		message->msg_controllen = CMSG_SPACE(sizeof(info));
	} else {
		struct in6_pktinfo info = { .ipi6_addr = local->ip6, .ipi6_ifindex = ifindex };

		header->cmsg_level = IPPROTO_IPV6;
		header->cmsg_type = IPV6_PKTINFO;
		header->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(header), &info, sizeof(info));
		message->msg_controllen = CMSG_SPACE(sizeof(info));
	}
}

int udp_send(struct udp *udp, const struct addr *local, const struct addr_port *target,
	const uint8_t *data, size_t size_bytes)
{
	int fd = udp->fd[target->addr.family == AF_INET6];
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo))] = { 0 };
	struct sockaddr_storage address;
	struct iovec part = { (void *)data, size_bytes };
	struct msghdr message = {
		.msg_name = &address,
		.msg_namelen = addr_to_sockaddr(target, udp->ifindex, &address),
		.msg_iov = &part,
		.msg_iovlen = 1,
	};

	if (fd < 0)
		return -EAFNOSUPPORT;
	if (local->family == target->addr.family) {
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		udp_put_local(&message, local, udp->ifindex);
	}
	if (sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return util_negative_errno();
	return 0;
}
