/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Called by the sockets of both daemons' control protocol. */
#include "common/os/udp.h"

#include <sys/socket.h>

/* What the kernel may tell of a datagram: the address that it was sent to, and the hop limit. */
#define UDP_CONTROL_BYTES (CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int)))

static int udp_set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? util_negative_errno() : 0;
}

int udp_open(sa_family_t family, int hop_limit, bool tell_local, int *ret_fd)
{
	_cleanup_close_ int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = 0;

	if (fd < 0)
		return util_negative_errno();
	if (family == AF_INET) {
		r = udp_set(fd, IPPROTO_IP, IP_TTL, hop_limit);
		if (r == 0)
			r = udp_set(fd, IPPROTO_IP, IP_RECVTTL, 1);
		if (r == 0)
			r = udp_set(fd, IPPROTO_IP, IP_PKTINFO, tell_local);
	} else {
		r = udp_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
		if (r == 0)
			r = udp_set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, hop_limit);
		if (r == 0)
			r = udp_set(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
		if (r == 0)
			r = udp_set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, tell_local);
	}
	if (r < 0)
		return r;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static bool udp_is_control(const struct cmsghdr *item, int level, int type, size_t size_bytes)
{
	return item->cmsg_level == level && item->cmsg_type == type &&
		item->cmsg_len >= CMSG_LEN(size_bytes);
}

/* What was cut (MSG_CTRUNC) is not known: a part may be missing, or half there. */
static void udp_read_control(struct msghdr *message, struct udp_datagram *datagram)
{
	datagram->hop_limit = UDP_HOP_LIMIT_UNKNOWN;
	if (message->msg_flags & MSG_CTRUNC)
		return;
	for (struct cmsghdr *item = CMSG_FIRSTHDR(message); item;
		item = CMSG_NXTHDR(message, item)) {
		const void *data = CMSG_DATA(item);

		if (udp_is_control(item, IPPROTO_IP, IP_TTL, sizeof(int)) ||
			udp_is_control(item, IPPROTO_IPV6, IPV6_HOPLIMIT, sizeof(int))) {
			memcpy(&datagram->hop_limit, data, sizeof(int));
		} else if (udp_is_control(
				   item, IPPROTO_IP, IP_PKTINFO, sizeof(struct in_pktinfo))) {
			struct in_pktinfo info;

			memcpy(&info, data, sizeof(info));
			datagram->local =
				(struct addr){ .family = AF_INET, .ip4 = info.ipi_spec_dst };
		} else if (udp_is_control(
				   item, IPPROTO_IPV6, IPV6_PKTINFO, sizeof(struct in6_pktinfo))) {
			struct in6_pktinfo info;

			memcpy(&info, data, sizeof(info));
			datagram->local =
				(struct addr){ .family = AF_INET6, .ip6 = info.ipi6_addr };
		}
	}
}

/* False: nothing more is waiting. */
static bool udp_receive_one(
	int fd, uint8_t *buffer, size_t size_bytes, udp_receive_fn *receive, void *context)
{
	_Alignas(struct cmsghdr) uint8_t control[UDP_CONTROL_BYTES];
	struct sockaddr_storage address;
	struct iovec part = { buffer, size_bytes };
	struct msghdr message = {
		.msg_name = &address,
		.msg_namelen = sizeof(address),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct udp_datagram datagram = { .data = buffer };
	ssize_t size = recvmsg(fd, &message, MSG_DONTWAIT);

	if (size < 0)
		return errno == EINTR || errno == ECONNREFUSED;
	if (addr_from_sockaddr((const struct sockaddr *)&address, &datagram.source) < 0)
		return true;
	datagram.size_bytes = (size_t)size;
	udp_read_control(&message, &datagram);
	receive(&datagram, context);
	return true;
}

bool udp_receive(int fd, uint8_t *buffer, size_t size_bytes, udp_receive_fn *receive, void *context)
{
	for (unsigned int n = 0; n < UDP_DATAGRAMS_A_TURN; n++)
		if (!udp_receive_one(fd, buffer, size_bytes, receive, context))
			return true;
	return false;
}

/* The control message that chooses the source address. */
static void udp_put_local(
	struct msghdr *message, const struct addr *local, unsigned int scope_ifindex)
{
	struct cmsghdr *item = CMSG_FIRSTHDR(message);

	if (local->family == AF_INET) {
		const struct in_pktinfo info = { .ipi_spec_dst = local->ip4 };

		item->cmsg_level = IPPROTO_IP;
		item->cmsg_type = IP_PKTINFO;
		item->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(item), &info, sizeof(info));
		message->msg_controllen = CMSG_SPACE(sizeof(info));
	} else {
		const struct in6_pktinfo info = { .ipi6_addr = local->ip6,
			.ipi6_ifindex = scope_ifindex };

		item->cmsg_level = IPPROTO_IPV6;
		item->cmsg_type = IPV6_PKTINFO;
		item->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(item), &info, sizeof(info));
		message->msg_controllen = CMSG_SPACE(sizeof(info));
	}
}

int udp_send(int fd, const struct addr *local, const struct addr_port *target,
	unsigned int scope_ifindex, const void *data, size_t size_bytes)
{
	_Alignas(struct cmsghdr) uint8_t control[UDP_CONTROL_BYTES] = { 0 };
	struct sockaddr_storage address;
	struct iovec part = { (void *)data, size_bytes };
	struct msghdr message = {
		.msg_name = &address,
		.msg_namelen = addr_to_sockaddr(target, scope_ifindex, &address),
		.msg_iov = &part,
		.msg_iovlen = 1,
	};

	if (local && local->family == target->addr.family) {
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		udp_put_local(&message, local, scope_ifindex);
	}
	return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? util_negative_errno() : 0;
}
