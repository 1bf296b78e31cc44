/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A SYN flood of spoofed clients, at the balancer:
 *
 *	syn_storm INTERFACE BALANCER_MAC VIP:PORT COUNT RATE_HZ [fragment|datagram|spoiled|repeated] [TAG…]
 *
 * Sends COUNT (at most PACE_COUNT_MAX) SYNs of different clients out of INTERFACE, RATE_HZ of them a second,
 * each of another address and port in 198.18.0.0/15 (RFC 2544: belongs to nobody). With
 * `fragment` they are first fragments of UDP datagrams of which no other fragment comes, two of each client,
 * one right after the other; with `datagram`, whole UDP datagrams; with `spoiled`, SYNs whose checksum is wrong, which no
 * kernel answers; with `repeated`, the same REPEATED SYNs again and again. Behind the
 * addresses of Ethernet they carry the tags, the outer one first, as 0x81000007 (802.1Q, VLAN 7). A
 * machine that stalls is not made up for in bursts that no queue takes: it takes longer. SIGTERM ends it
 * early. For scenarios alone: it refuses to run where the interface has an address that is not one of
 * documentation's.
 * Ends with {"sent": 1000000, "refused": 0}: refused by the interface, and sent again later.
 */
#include "tests/harness/pace.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/ioctl.h>

#include "common/packet/checksum.h"

#define BURST_MIN        128u /* or what BURST_US asks for */
#define BURST_US         (4 * US_PER_MS)
#define TAGS_MAX         4u
#define SOURCES          (1u << 17) /* addresses in 198.18.0.0/15 */
#define SOURCE_FIRST     0xc6120000u
#define REPEATED         90u
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
	struct pace pace;
	struct frame pattern;
	struct frame frames[PACE_BATCH];
	struct iovec vectors[PACE_BATCH][3]; /* the addresses, the tags, the rest */
	__be32 tags[TAGS_MAX];
	size_t n_tags;
	bool fragments, datagrams, spoiled, repeated;
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

	storm->pace.fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (storm->pace.fd < 0)
		err(1, "socket");
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (ioctl(storm->pace.fd, SIOCGIFHWADDR, &request) < 0)
		err(1, "%s", interface);
	memcpy(storm->pattern.ethernet.h_source, request.ifr_hwaddr.sa_data, ETH_ALEN);
	address.sll_ifindex = (int)if_nametoindex(interface);
	if (bind(storm->pace.fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "bind");
	for (size_t i = 0; i < PACE_BATCH; i++) {
		uint8_t *frame = (uint8_t *)&storm->frames[i];
		const size_t addresses_bytes = offsetof(struct ethhdr, h_proto);

		storm->vectors[i][0] = (struct iovec){ frame, addresses_bytes };
		storm->vectors[i][1] =
			(struct iovec){ storm->tags, storm->n_tags * sizeof(storm->tags[0]) };
		storm->vectors[i][2] = (struct iovec){ frame + addresses_bytes,
			sizeof(storm->frames[i]) - addresses_bytes -
				(storm->fragments ? 0 : sizeof(storm->frames[i].data)) };
		storm->pace.messages[i].msg_hdr.msg_iov = storm->vectors[i];
		storm->pace.messages[i].msg_hdr.msg_iovlen = ARRAY_LEN(storm->vectors[i]);
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

/* Of client number n: no two have both address and port in common. */
static void frame_make(const struct storm *storm, unsigned long n, struct frame *ret_frame)
{
	struct frame frame = storm->pattern;
	uint64_t sum;

	if (storm->fragments) {
		frame.ip.id = htons((uint16_t)(1 + n % 2));
		n /= 2;
	}
	if (storm->repeated)
		n %= REPEATED;
	frame.ip.saddr = htonl(SOURCE_FIRST + (uint32_t)(n % SOURCES));
	frame.ip.check = htons(checksum_of(&frame.ip, sizeof(frame.ip)));
	frame.tcp.source = htons((uint16_t)(1024 + n / SOURCES * 7919 % 60000));
	*ret_frame = frame;
	if (storm->fragments || storm->datagrams)
		return;
	frame.tcp.seq = htonl((uint32_t)n * 2654435761u);
	sum = checksum_add(IPPROTO_TCP + sizeof(frame.tcp), &frame.ip.saddr, 8);
	frame.tcp.check = htons(checksum_finish(checksum_add(sum, &frame.tcp, sizeof(frame.tcp))) ^
		(storm->spoiled ? 0x1234 : 0));
	*ret_frame = frame;
}

static void storm_make(void *context, unsigned long n, unsigned int slot)
{
	struct storm *storm = context;

	frame_make(storm, n, &storm->frames[slot]);
}

static void storm_tags(struct storm *storm, char **arguments, int n_arguments)
{
	if (n_arguments > (int)TAGS_MAX)
		errx(64, "more than %u tags", TAGS_MAX);
	for (int i = 0; i < n_arguments; i++)
		storm->tags[storm->n_tags++] =
			htonl((uint32_t)tool_number(arguments[i], UINT32_MAX));
}

int main(int argc, char **argv)
{
	static struct storm storm;
	struct addr_port vip;
	int n_words;

	if (argc < 6)
		errx(64,
			"usage: syn_storm INTERFACE BALANCER_MAC VIP:PORT COUNT RATE_HZ "
			"[fragment|datagram|spoiled|repeated] [TAG…]");
	check_place(argv[1]);
	vip = tool_endpoint(argv[3]);
	pace_set(&storm.pace, argv[4], argv[5], BURST_US, BURST_MIN);
	storm.pace.make = storm_make;
	storm.pace.context = &storm;
	storm.fragments = argc > 6 && streq(argv[6], "fragment");
	storm.datagrams = argc > 6 && streq(argv[6], "datagram");
	storm.spoiled = argc > 6 && streq(argv[6], "spoiled");
	storm.repeated = argc > 6 && streq(argv[6], "repeated");
	n_words = 6 + (storm.fragments || storm.datagrams || storm.spoiled || storm.repeated);
	storm_tags(&storm, argv + n_words, argc - n_words);
	storm_open(&storm, argv[1]);
	storm_aim(&storm, argv[2], &vip);
	pace_run(&storm.pace);
	printf("{\"sent\": %lu, \"refused\": %lu}\n", storm.pace.sent, storm.pace.refused);
	return 0;
}
