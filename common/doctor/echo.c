/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ICMP echo by the kernel's ping sockets, which are for everybody where ping_group_range says so, else by raw
 * ones. Called by the doctors' facts. Judges nothing.
 */
#include "common/doctor/echo.h"

#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <poll.h>

#include "common/os/clock.h"
#include "common/packet/checksum.h"

#define ECHO_TRIES       3u
#define ECHO_SMALL_BYTES 64u
#define ECHO_IP4_BYTES   20u
#define ECHO_IP6_BYTES   40u

/* The header of an echo message, the same in both families. */
struct echo_header {
	uint8_t type, code;
	uint16_t checksum;
	uint16_t id;
	uint16_t sequence; /* 2 × the target's position, + 1 for the full one; network order */
};

struct echo_socket {
	sa_family_t family;
	bool is_raw; /* gets others' answers, too, and in IPv4 with their IP header */
	int fd;
};

static int echo_open(sa_family_t family, struct echo_socket *ret_socket)
{
	int protocol = family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	int probe = IP_PMTUDISC_PROBE, probe6 = IPV6_PMTUDISC_PROBE;
	struct echo_socket s = { .family = family };

	s.fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	if (s.fd < 0) {
		s.is_raw = true;
		s.fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	}
	if (s.fd < 0)
		return util_negative_errno();
	/* As long as the interface takes, whatever is known of the path. */
	if (family == AF_INET)
		(void)setsockopt(s.fd, IPPROTO_IP, IP_MTU_DISCOVER, &probe, sizeof(probe));
	else
		(void)setsockopt(s.fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &probe6, sizeof(probe6));
	*ret_socket = s;
	return 0;
}

static void echo_send(
	const struct echo_socket *s, const struct echo_target *target, size_t idx, bool is_full)
{
	_Alignas(struct echo_header) uint8_t buffer[ECHO_MTU_MAX] = { 0 };
	struct echo_header *header = (void *)buffer;
	struct addr_port to = { .addr = target->addr };
	size_t size_bytes = ECHO_SMALL_BYTES;
	struct sockaddr_storage address;
	socklen_t address_bytes = addr_to_sockaddr(&to, 0, &address);

	if (is_full)
		size_bytes = MIN(target->mtu_bytes, ECHO_MTU_MAX) -
			(s->family == AF_INET ? ECHO_IP4_BYTES : ECHO_IP6_BYTES);
	size_bytes &= ~(size_t)1;
	header->type = s->family == AF_INET ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
	header->id = (uint16_t)getpid();
	header->sequence = htons((uint16_t)(2 * idx + is_full));
	/* In IPv6 the kernel computes it. */
	if (s->family == AF_INET)
		header->checksum = htons(checksum_of(buffer, size_bytes));
	(void)sendto(s->fd, buffer, size_bytes, 0, (struct sockaddr *)&address, address_bytes);
}

static void echo_send_all(
	const struct echo_socket *s, const struct echo_target *targets, size_t n_targets)
{
	for (size_t idx = 0; idx < n_targets; idx++) {
		if (targets[idx].addr.family != s->family)
			continue;
		if (!targets[idx].answers)
			echo_send(s, &targets[idx], idx, false);
		if (!targets[idx].answers_full)
			echo_send(s, &targets[idx], idx, true);
	}
}

/* What is there to read; an answer is one of the address that was asked. */
static void echo_receive(const struct echo_socket *s, struct echo_target *targets, size_t n_targets)
{
	uint8_t type = s->family == AF_INET ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY;
	_Alignas(struct echo_header) uint8_t buffer[ECHO_MTU_MAX];

	for (;;) {
		struct sockaddr_storage address;
		socklen_t address_bytes = sizeof(address);
		ssize_t n = recvfrom(s->fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&address,
			&address_bytes);
		size_t skip = s->is_raw && s->family == AF_INET ? 4u * (buffer[0] & 0xfu) : 0;
		struct echo_header header;
		struct addr_port from;
		size_t sequence;

		if (n < 0)
			return;
		if ((size_t)n < skip + sizeof(header) ||
			addr_from_sockaddr((struct sockaddr *)&address, &from) < 0)
			continue;
		memcpy(&header, buffer + skip, sizeof(header));
		sequence = ntohs(header.sequence);
		if (header.type != type || sequence / 2 >= n_targets ||
			(s->is_raw && header.id != (uint16_t)getpid()) ||
			!addr_equal(&from.addr, &targets[sequence / 2].addr))
			continue;
		if (sequence & 1)
			targets[sequence / 2].answers_full = true;
		else
			targets[sequence / 2].answers = true;
	}
}

static bool echo_is_over(const struct echo_target *targets, size_t n_targets, sa_family_t family)
{
	ARRAY_FOREACH (target, targets, n_targets) {
		if (target->addr.family == family && !(target->answers && target->answers_full))
			return false;
	}
	return true;
}

static void echo_ask(const struct echo_socket *s, struct echo_target *targets, size_t n_targets)
{
	for (unsigned int try = 0; try < ECHO_TRIES; try++) {
		uint64_t end_us = clock_now_us() + ECHO_WAIT_US / ECHO_TRIES;
		uint64_t now_us;

		echo_send_all(s, targets, n_targets);
		while ((now_us = clock_now_us()) < end_us) {
			struct pollfd waits = { .fd = s->fd, .events = POLLIN };

			(void)poll(&waits, 1, (int)((end_us - now_us) / US_PER_MS) + 1);
			echo_receive(s, targets, n_targets);
			if (echo_is_over(targets, n_targets, s->family))
				return;
		}
	}
}

int echo_probe(struct echo_target *targets, size_t n_targets)
{
	static const sa_family_t families[] = { AF_INET, AF_INET6 };

	for (size_t idx = 0; idx < ARRAY_LEN(families); idx++) {
		struct echo_socket s;
		int r;

		if (echo_is_over(targets, n_targets, families[idx]))
			continue;
		r = echo_open(families[idx], &s);
		if (r < 0)
			return r;
		echo_ask(&s, targets, n_targets);
		close(s.fd);
	}
	return 0;
}
