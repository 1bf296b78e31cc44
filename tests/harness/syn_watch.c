/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Notes when connections to a VIP begin to reach a host:
 *
 *	syn_watch INTERFACE VIP [PROBER]
 *
 * Those that come from the address PROBER are no clients'.
 *
 * A packet socket stands before every filter of the host, so a server that drops everything is
 * still watched. Each line on stdin is answered by one of JSON, counted from the start:
 * {"syns": 12, "first_us": …, "last_us": …}, in microseconds of the real-time clock, stamped by
 * the kernel on arrival. Ends at the end of stdin.
 */
#include "tests/harness/tool.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>

enum { KEY_FRAME, KEY_COMMAND };

struct watch {
	int fd;
	struct addr vip, prober; /* AF_UNSPEC: there is none */
	unsigned long syns;
	uint64_t first_us, last_us;
};

static void watch_open(struct watch *watch, const char *interface)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int on = 1;

	watch->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
	address.sll_ifindex = (int)if_nametoindex(interface);
	if (watch->fd < 0 || address.sll_ifindex == 0 ||
		setsockopt(watch->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) < 0 ||
		setsockopt(watch->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) < 0 ||
		bind(watch->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "%s", interface);
}

/* A TCP SYN without ACK to the VIP; options and extension headers are not expected here. */
static bool is_syn(const struct watch *watch, const uint8_t *frame, size_t size_bytes)
{
	const bool v4 = watch->vip.family == AF_INET;
	const size_t tcp_at = ETH_HLEN + (v4 ? sizeof(struct iphdr) : sizeof(struct ip6_hdr));
	const size_t to_at =
		ETH_HLEN + (v4 ? offsetof(struct iphdr, daddr) : offsetof(struct ip6_hdr, ip6_dst));
	const size_t from_at =
		ETH_HLEN + (v4 ? offsetof(struct iphdr, saddr) : offsetof(struct ip6_hdr, ip6_src));
	const size_t proto_at = ETH_HLEN +
		(v4 ? offsetof(struct iphdr, protocol) : offsetof(struct ip6_hdr, ip6_nxt));
	uint16_t type;
	uint8_t flags;

	if (size_bytes < tcp_at + sizeof(struct tcphdr))
		return false;
	memcpy(&type, frame + 12, sizeof(type));
	flags = frame[tcp_at + 13];
	if (watch->prober.family == watch->vip.family &&
		memcmp(frame + from_at, watch->prober.bytes, addr_size_bytes(&watch->prober)) == 0)
		return false;
	return type == htons(v4 ? ETH_P_IP : ETH_P_IPV6) && frame[proto_at] == IPPROTO_TCP &&
		memcmp(frame + to_at, watch->vip.bytes, addr_size_bytes(&watch->vip)) == 0 &&
		(flags & TH_SYN) && !(flags & TH_ACK);
}

static uint64_t stamp_of(struct msghdr *message)
{
	struct timespec stamp;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&stamp, CMSG_DATA(c), sizeof(stamp));
		return (uint64_t)stamp.tv_sec * US_PER_S + (uint64_t)stamp.tv_nsec / NS_PER_US;
	}
	return tool_now_us(CLOCK_REALTIME);
}

static void watch_read(struct watch *watch)
{
	uint8_t frame[256], control[256];
	struct iovec part = { frame, sizeof(frame) };
	struct sockaddr_ll from;
	ssize_t size_bytes;

	for (;;) {
		struct msghdr message = { .msg_name = &from,
			.msg_namelen = sizeof(from),
			.msg_iov = &part,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control) };

		size_bytes = recvmsg(watch->fd, &message, MSG_TRUNC);
		if (size_bytes < 0)
			return;
		/* A frame to another host, flooded by the switch, did not reach this one. */
		if (from.sll_pkttype != PACKET_HOST ||
			!is_syn(watch, frame, MIN((size_t)size_bytes, sizeof(frame))))
			continue;
		watch->last_us = stamp_of(&message);
		if (watch->syns++ == 0)
			watch->first_us = watch->last_us;
	}
}

/* False at the end of stdin. */
static bool watch_answer(struct watch *watch)
{
	char command[64];

	if (read(STDIN_FILENO, command, sizeof(command)) <= 0)
		return false;
	watch_read(watch);
	printf("{\"syns\": %lu, \"first_us\": %llu, \"last_us\": %llu}\n", watch->syns,
		(unsigned long long)watch->first_us, (unsigned long long)watch->last_us);
	fflush(stdout);
	return true;
}

int main(int argc, char **argv)
{
	struct watch watch = { .fd = -1 };
	struct epoll_event event;
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

	if (argc != 3 && argc != 4)
		errx(64, "usage: syn_watch INTERFACE VIP [PROBER]");
	watch.vip = tool_address(argv[2]);
	if (argc == 4)
		watch.prober = tool_address(argv[3]);
	watch_open(&watch, argv[1]);
	tool_watch(epoll_fd, watch.fd, EPOLLIN, KEY_FRAME);
	tool_watch(epoll_fd, STDIN_FILENO, EPOLLIN, KEY_COMMAND);
	for (;;) {
		if (epoll_wait(epoll_fd, &event, 1, -1) < 0) {
			if (errno == EINTR)
				continue;
			err(1, "epoll_wait");
		}
		if (event.data.u64 == KEY_FRAME)
			watch_read(&watch);
		else if (!watch_answer(&watch))
			return 0;
	}
}
