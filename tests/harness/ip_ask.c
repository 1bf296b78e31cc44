/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets of any IP protocol, of which the kernel knows nothing, and their answers:
 *
 *	ip_ask FROM TO PROTOCOL COUNT SIZE_BYTES WAIT_MS
 *	ip_ask answer NAME PROTOCOL ADDRESS…
 *
 * The first sends COUNT packets with SIZE_BYTES behind their IP header, one after the other, echo requests where PROTOCOL
 * is 1 or 58, an SCTP association from port 5000 to 5060, as far as it can be seen, where it is 132, and waits for the answer of each that long. It prints {"asked": 10, "answered": 10, "servers":
 * {"web1": 10}}; who answers an echo says no name and counts as "echo". The second answers
 * each packet to one of its addresses with its name, until it is killed.
 */
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>

#include "common/packet/checksum.h"
#include "tests/harness/servers.h"

#define COUNT_MAX        100000u
#define PACKET_MAX_BYTES 16000u
#define SIZE_MIN_BYTES   16u
#define WAIT_MS_MAX      60000u
#define SOCKETS_MAX      8u

struct asker {
	int fd, protocol;
	bool is_ip6, is_echo;
	uint8_t packet[PACKET_MAX_BYTES];
	size_t size_bytes;
	int wait_ms;
	unsigned long answered;
	struct servers servers;
};

/* A raw socket at the address. */
static int raw_socket(const struct addr *address, int protocol)
{
	struct addr_port endpoint = { .addr = *address };
	struct sockaddr_storage sockaddr;
	socklen_t length = addr_to_sockaddr(&endpoint, 0, &sockaddr);
	int fd = socket(address->family, SOCK_RAW | SOCK_CLOEXEC, protocol);

	if (fd < 0 || bind(fd, (struct sockaddr *)&sockaddr, length) < 0)
		err(1, "raw socket of protocol %d", protocol);
	return fd;
}

/* What is behind the IP header, which IPv4 delivers with it; its size, or negative. */
static ssize_t payload_of(uint8_t *buffer, ssize_t size_bytes, bool is_ip6, uint8_t **ret_payload)
{
	size_t header_bytes = is_ip6 || size_bytes < 1 ? 0 : (size_t)(buffer[0] & 15) * 4;

	*ret_payload = buffer + header_bytes;
	return size_bytes - (ssize_t)header_bytes;
}

/* Ports, a tag, no checksum, and a chunk: INIT, then DATA (RFC 9260 §3). */
static void fill_sctp(uint8_t *packet, unsigned long number)
{
	const uint8_t header[16] = { 5000 >> 8, 5000 & 255, 5060 >> 8,
		5060 & 255, [12] = number == 0 ? 1 : 0, [15] = 20 };

	memcpy(packet, header, sizeof(header));
}

static void fill(struct asker *asker, unsigned long number)
{
	const struct icmphdr echo = {
		.type = asker->is_ip6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO,
		.un.echo = { htons((uint16_t)getpid()), htons((uint16_t)number) },
	};
	uint16_t checksum;

	memset(asker->packet, 'x', asker->size_bytes);
	if (asker->protocol == IPPROTO_SCTP)
		fill_sctp(asker->packet, number);
	if (!asker->is_echo)
		return;
	memcpy(asker->packet, &echo, sizeof(echo));
	if (asker->is_ip6)
		return;
	checksum = htons(checksum_of(asker->packet, asker->size_bytes));
	memcpy(asker->packet + offsetof(struct icmphdr, checksum), &checksum, sizeof(checksum));
}

/* Whether it is an answer to that packet; its server's name. */
static bool is_answer(const struct asker *asker, const uint8_t *payload, ssize_t size_bytes,
	unsigned long number, char name[SERVERS_NAME_BYTES])
{
	struct icmphdr echo;

	if (!asker->is_echo) {
		snprintf(name, SERVERS_NAME_BYTES, "%.*s", (int)MAX(size_bytes, 0),
			(const char *)payload);
		return true;
	}
	snprintf(name, SERVERS_NAME_BYTES, "echo");
	if (size_bytes < (ssize_t)sizeof(echo))
		return false;
	memcpy(&echo, payload, sizeof(echo));
	return echo.type == (asker->is_ip6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY) &&
		echo.un.echo.id == htons((uint16_t)getpid()) &&
		echo.un.echo.sequence == htons((uint16_t)number);
}

static void ask(struct asker *asker, unsigned long number)
{
	uint64_t end_us = tool_now_us(CLOCK_MONOTONIC) + (uint64_t)asker->wait_ms * US_PER_MS;
	uint8_t buffer[PACKET_MAX_BYTES + 64], *payload;
	uint64_t now_us;

	fill(asker, number);
	if (send(asker->fd, asker->packet, asker->size_bytes, 0) < 0)
		err(1, "send");
	while ((now_us = tool_now_us(CLOCK_MONOTONIC)) < end_us) {
		struct pollfd poll_fd = { .fd = asker->fd, .events = POLLIN };
		char name[SERVERS_NAME_BYTES];
		ssize_t size_bytes;

		if (poll(&poll_fd, 1, (int)((end_us - now_us) / US_PER_MS) + 1) < 1)
			continue;
		size_bytes = payload_of(buffer, recv(asker->fd, buffer, sizeof(buffer), 0),
			asker->is_ip6, &payload);
		if (!is_answer(asker, payload, size_bytes, number, name))
			continue;
		servers_count(&asker->servers, name);
		asker->answered++;
		return;
	}
}

static int ask_all(char **argv)
{
	static struct asker asker;
	struct addr from = tool_address(argv[0]);
	struct addr_port to = { .addr = tool_address(argv[1]) };
	unsigned long count = tool_number(argv[3], COUNT_MAX);
	struct sockaddr_storage sockaddr;
	socklen_t length = addr_to_sockaddr(&to, 0, &sockaddr);

	asker.protocol = (int)tool_number(argv[2], 255);
	asker.is_ip6 = from.family == AF_INET6;
	asker.is_echo = asker.protocol == (asker.is_ip6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	asker.size_bytes = tool_number(argv[4], PACKET_MAX_BYTES);
	asker.size_bytes = MAX(asker.size_bytes, (size_t)SIZE_MIN_BYTES);
	asker.wait_ms = (int)tool_number(argv[5], WAIT_MS_MAX);
	asker.fd = raw_socket(&from, asker.protocol);
	/* Connected: only answers that come from the address that was asked are heard. */
	if (connect(asker.fd, (struct sockaddr *)&sockaddr, length) < 0)
		err(1, "connect");
	for (unsigned long number = 0; number < count; number++)
		ask(&asker, number);
	printf("{\"asked\": %lu, \"answered\": %lu, \"servers\": ", count, asker.answered);
	servers_print(&asker.servers);
	printf("}\n");
	return 0;
}

static void answer(int fd, bool is_ip6, const char *name)
{
	struct sockaddr_storage from;
	socklen_t length = sizeof(from);
	uint8_t buffer[PACKET_MAX_BYTES + 64];

	if (recvfrom(fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &length) < 0)
		return;
	/* Of a raw socket the port is the protocol, and must be or be 0 (net/ipv6/raw.c). */
	if (is_ip6)
		((struct sockaddr_in6 *)&from)->sin6_port = 0;
	if (sendto(fd, name, strlen(name), 0, (struct sockaddr *)&from, length) < 0)
		warn("sendto");
}

static int answer_all(int argc, char **argv)
{
	int protocol = (int)tool_number(argv[1], 255);
	struct pollfd fds[SOCKETS_MAX];
	bool is_ip6[SOCKETS_MAX];
	nfds_t len = 0;

	for (int i = 2; i < argc && len < SOCKETS_MAX; i++, len++) {
		struct addr address = tool_address(argv[i]);

		is_ip6[len] = address.family == AF_INET6;
		fds[len] = (struct pollfd){ raw_socket(&address, protocol), POLLIN, 0 };
	}
	/* The one line that whoever started it waits for. */
	printf("{\"answers\": %lu}\n", (unsigned long)len);
	(void)fflush(stdout);
	for (;;) {
		if (poll(fds, len, -1) < 0)
			err(1, "poll");
		for (nfds_t i = 0; i < len; i++)
			if (fds[i].revents & POLLIN)
				answer(fds[i].fd, is_ip6[i], argv[0]);
	}
}

int main(int argc, char **argv)
{
	if (argc >= 5 && streq(argv[1], "answer"))
		return answer_all(argc - 2, argv + 2);
	if (argc != 7)
		errx(64,
			"usage: ip_ask FROM TO PROTOCOL COUNT SIZE_BYTES WAIT_MS | "
			"answer NAME PROTOCOL ADDRESS...");
	return ask_all(argv + 1);
}
