/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A SYN flood of spoofed clients, at the balancer:
 *
 *	syn_storm INTERFACE BALANCER_MAC VIP:PORT COUNT RATE_HZ [fragment|datagram] [TAG…]
 *
 * Sends COUNT (at most COUNT_MAX) SYNs of different clients out of INTERFACE, RATE_HZ of them a second,
 * each of another address and port in 198.18.0.0/15 (RFC 2544: belongs to nobody). With
 * `fragment` they are first fragments of UDP datagrams of which no other fragment comes, two of each client,
 * one right after the other; with `datagram`, whole UDP datagrams. Behind the
 * addresses of Ethernet they carry the tags, the outer one first, as 0x81000007 (802.1Q, VLAN 7). A
 * machine that stalls is not made up for in bursts that no queue takes: it takes longer. SIGTERM ends it
 * early. For scenarios alone: it refuses to run where the interface has an address that is not one of
 * documentation's.
 * Ends with {"sent": 1000000, "refused": 0}: refused by the interface, and sent again later.
 */
#include "tests/harness/tool.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>

#define COUNT_MAX        10000000u
#define RATE_MAX_HZ      500000u
#define TICK_US          US_PER_MS
#define BATCH            64u
#define BURST_MIN        128u /* or what BURST_US asks for */
#define BURST_US         (4 * US_PER_MS)
#define TAGS_MAX         4u
#define SOURCES          (1u << 17) /* addresses in 198.18.0.0/15 */
#define SOURCE_FIRST     0xc6120000u
#define FRAGMENTED_BYTES 1024u /* of a datagram whose first fragment is sent */
#define DATAGRAM_BYTES   ((uint32_t)sizeof(struct tcphdr)) /* of a whole one, its header included */
#define DOCUMENT_NET     0xc0000200u /* 192.0.2.0/24 (RFC 5737), where scenarios live */
#define DOCUMENT_MASK    0xffffff00u

struct frame {
	struct ethhdr ethernet;
	struct iphdr ip;
	struct tcphdr
		tcp;     /* of a fragment the ports, and what reads as UDP's length and checksum */
	uint8_t data[4]; /* of fragments, which are as long as a multiple of eight (RFC 791 §3.1) */
} __attribute__((__packed__));

struct storm {
	int fd;
	struct frame pattern;
	struct frame frames[BATCH];
	struct mmsghdr messages[BATCH];
	struct iovec vectors[BATCH][3]; /* the addresses, the tags, the rest */
	__be32 tags[TAGS_MAX];
	size_t n_tags;
	bool fragments, datagrams;
	unsigned long sent, refused;
};

/* An interface of a scenario has addresses of 192.0.2.0/24 alone. */
static void check_place(const char *interface)
{
	struct ifaddrs *addresses = NULL;
	bool is_ours = false;

	if (getifaddrs(&addresses) < 0)
		err(1, "getifaddrs");
	for (const struct ifaddrs *at = addresses; at; at = at->ifa_next) {
		uint32_t ip;

		if (!streq(at->ifa_name, interface) || !at->ifa_addr ||
			at->ifa_addr->sa_family != AF_INET)
			continue;
		ip = ntohl(((const struct sockaddr_in *)at->ifa_addr)->sin_addr.s_addr);
		if ((ip & DOCUMENT_MASK) != DOCUMENT_NET)
			errx(64, "%s is no interface of a scenario", interface);
		is_ours = true;
	}
	freeifaddrs(addresses);
	if (!is_ours)
		errx(64, "%s is no interface of a scenario", interface);
}

static void storm_open(struct storm *storm, const char *interface)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET };
	struct ifreq request = { 0 };

	storm->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (storm->fd < 0)
		err(1, "socket");
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (ioctl(storm->fd, SIOCGIFHWADDR, &request) < 0)
		err(1, "%s", interface);
	memcpy(storm->pattern.ethernet.h_source, request.ifr_hwaddr.sa_data, ETH_ALEN);
	address.sll_ifindex = (int)if_nametoindex(interface);
	if (bind(storm->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "bind");
	for (size_t i = 0; i < BATCH; i++) {
		uint8_t *frame = (uint8_t *)&storm->frames[i];
		const size_t addresses_bytes = offsetof(struct ethhdr, h_proto);

		storm->vectors[i][0] = (struct iovec){ frame, addresses_bytes };
		storm->vectors[i][1] =
			(struct iovec){ storm->tags, storm->n_tags * sizeof(storm->tags[0]) };
		storm->vectors[i][2] = (struct iovec){ frame + addresses_bytes,
			sizeof(storm->frames[i]) - addresses_bytes -
				(storm->fragments ? 0 : sizeof(storm->frames[i].data)) };
		storm->messages[i].msg_hdr.msg_iov = storm->vectors[i];
		storm->messages[i].msg_hdr.msg_iovlen = ARRAY_LEN(storm->vectors[i]);
	}
}

static void storm_aim(struct storm *storm, const char *mac, const struct addr_port *vip)
{
	struct frame *pattern = &storm->pattern;
	uint8_t *to = pattern->ethernet.h_dest;

	if (vip->addr.family != AF_INET)
		errx(64, "IPv4 alone");
	if (sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &to[0], &to[1], &to[2], &to[3], &to[4],
		    &to[5]) != ETH_ALEN)
		errx(64, "%s: not a MAC address", mac);
	pattern->ethernet.h_proto = htons(ETH_P_IP);
	pattern->ip = (struct iphdr){
		.version = 4,
		.ihl = sizeof(pattern->ip) / 4,
		.tot_len = htons(sizeof(pattern->ip) + sizeof(pattern->tcp)),
		.ttl = 64,
		.protocol = IPPROTO_TCP,
	};
	memcpy(&pattern->ip.daddr, vip->addr.bytes, sizeof(pattern->ip.daddr));
	pattern->tcp = (struct tcphdr){
		.dest = htons(vip->port),
		.doff = sizeof(pattern->tcp) / 4,
		.syn = 1,
		.window = htons(64240),
	};
	if (!storm->fragments && !storm->datagrams)
		return;
	pattern->ip.protocol = IPPROTO_UDP;
	/* A checksum of 0 is none (RFC 768). */
	pattern->tcp = (struct tcphdr){ .dest = htons(vip->port),
		.seq = htonl((storm->fragments ? FRAGMENTED_BYTES : DATAGRAM_BYTES) << 16) };
	if (!storm->fragments)
		return;
	pattern->ip.frag_off = htons(IP_MF);
	pattern->ip.tot_len = htons(sizeof(*pattern) - sizeof(pattern->ethernet));
}

static uint32_t sum_words(uint32_t sum, const void *data, size_t size_bytes)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size_bytes; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	return sum;
}

static uint16_t sum_finish(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* Of client number n: no two have both address and port in common. */
static void frame_make(const struct storm *storm, unsigned long n, struct frame *ret_frame)
{
	struct frame frame = storm->pattern;
	uint32_t sum;

	if (storm->fragments) {
		frame.ip.id = htons((uint16_t)(1 + n % 2));
		n /= 2;
	}
	frame.ip.saddr = htonl(SOURCE_FIRST + (uint32_t)(n % SOURCES));
	frame.ip.check = sum_finish(sum_words(0, &frame.ip, sizeof(frame.ip)));
	frame.tcp.source = htons((uint16_t)(1024 + n / SOURCES * 7919 % 60000));
	*ret_frame = frame;
	if (storm->fragments || storm->datagrams)
		return;
	frame.tcp.seq = htonl((uint32_t)n * 2654435761u);
	sum = sum_words(IPPROTO_TCP + (uint32_t)sizeof(frame.tcp), &frame.ip.saddr, 8);
	frame.tcp.check = sum_finish(sum_words(sum, &frame.tcp, sizeof(frame.tcp)));
	*ret_frame = frame;
}

/* Returns how many went out. */
static unsigned long batch_send(struct storm *storm, unsigned long n_wanted)
{
	unsigned int n_batch = (unsigned int)MIN(n_wanted, (unsigned long)BATCH);
	int n_sent;

	for (unsigned int i = 0; i < n_batch; i++)
		frame_make(storm, storm->sent + i, &storm->frames[i]);
	n_sent = sendmmsg(storm->fd, storm->messages, n_batch, 0);
	if (n_sent < 0 && errno != ENOBUFS && errno != EAGAIN)
		err(1, "sendmmsg");
	n_sent = MAX(n_sent, 0);
	storm->refused += n_batch - (unsigned int)n_sent;
	storm->sent += (unsigned long)n_sent;
	return (unsigned long)n_sent;
}

static void storm_tags(struct storm *storm, char **arguments, int n_arguments)
{
	if (n_arguments > (int)TAGS_MAX)
		errx(64, "more than %u tags", TAGS_MAX);
	for (int i = 0; i < n_arguments; i++)
		storm->tags[storm->n_tags++] =
			htonl((uint32_t)tool_number(arguments[i], UINT32_MAX));
}

/* What is due, but for what a stall of this machine has let pass. */
static void storm_run(struct storm *storm, unsigned long count, unsigned long rate_hz)
{
	const unsigned long burst_max =
		MAX((unsigned long)BURST_MIN, rate_hz * BURST_US / US_PER_S);
	int timer_fd = tool_timer_fd(TICK_US), signal_fd = tool_signal_fd();
	struct pollfd told = { .fd = signal_fd, .events = POLLIN };
	uint64_t began_us = tool_now_us(CLOCK_MONOTONIC);

	while (storm->sent < count && poll(&told, 1, 0) == 0) {
		uint64_t passed_us = tool_now_us(CLOCK_MONOTONIC) - began_us;
		unsigned long due = MIN((unsigned long)(passed_us * rate_hz / US_PER_S), count);
		uint64_t rings;

		if (due > storm->sent + burst_max) {
			began_us += (due - storm->sent - burst_max) * US_PER_S / rate_hz;
			due = storm->sent + burst_max;
		}
		while (storm->sent < due && batch_send(storm, due - storm->sent) > 0)
			;
		/* Non-blocking: wait for its next tick. */
		if (poll(&(struct pollfd){ .fd = timer_fd, .events = POLLIN }, 1, 100) == 1)
			(void)!read(timer_fd, &rings, sizeof(rings));
	}
}

int main(int argc, char **argv)
{
	static struct storm storm;
	struct addr_port vip;
	unsigned long count, rate_hz;
	int n_words;

	if (argc < 6)
		errx(64,
			"usage: syn_storm INTERFACE BALANCER_MAC VIP:PORT COUNT RATE_HZ [fragment|datagram] "
			"[TAG…]");
	check_place(argv[1]);
	vip = tool_endpoint(argv[3]);
	count = tool_number(argv[4], COUNT_MAX);
	rate_hz = MAX(tool_number(argv[5], RATE_MAX_HZ), 1ul);
	storm.fragments = argc > 6 && streq(argv[6], "fragment");
	storm.datagrams = argc > 6 && streq(argv[6], "datagram");
	n_words = 6 + (storm.fragments || storm.datagrams);
	storm_tags(&storm, argv + n_words, argc - n_words);
	storm_open(&storm, argv[1]);
	storm_aim(&storm, argv[2], &vip);
	storm_run(&storm, count, rate_hz);
	printf("{\"sent\": %lu, \"refused\": %lu}\n", storm.sent, storm.refused);
	return 0;
}
