/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A storm of small frames on a balancer's segment:
 *
 *	link_storm INTERFACE BALANCER_MAC hello KEY_ID BALANCER COUNT RATE_HZ [SOURCE]   HELLOs, for which it makes challenges
 *	link_storm INTERFACE BALANCER_MAC arp VIP COUNT RATE_HZ                 who has it?
 *	link_storm INTERFACE BALANCER_MAC na VIP6 COUNT RATE_HZ                 neighbour advertisements for addresses beside it
 *	link_storm INTERFACE BALANCER_MAC echo VIP COUNT RATE_HZ                echo requests
 *
 * Each frame is of another of a thousand sources: 200 addresses of 192.0.2.0/24 with five ports each (or MACs); HELLOs
 * are of SOURCE alone, where that is given. A machine that
 * stalls is not made up for in bursts. SIGTERM ends it early. For scenarios alone, like syn_storm. Ends with
 * {"sent": 100000, "refused": 0, "took_ms": 1000}.
 */
#include "tests/harness/pace.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>

#include "common/packet/checksum.h"
#include "common/proto/proto.h"

#define FRAME_BYTES   (ETH_HLEN + sizeof(struct iphdr) + sizeof(struct udphdr) + PROTO_MESSAGE_MAX)
#define BURST_US      (10 * US_PER_MS)
#define DOCUMENT_NET  0xc0000200u /* 192.0.2.0/24 (RFC 5737) */
#define ADDRESSES     200u
#define FIRST_ADDRESS 50u
#define SOURCES       1000u

struct storm {
	struct pace pace;
	uint8_t own_mac[ETH_ALEN], balancer_mac[ETH_ALEN];
	struct addr target;
	struct addr source; /* AF_UNSPEC: many */
	const char *key_id;
	void (*make)(struct storm *storm, unsigned long n);
	uint8_t frame[FRAME_BYTES];
	size_t frame_bytes;
	struct iovec vectors[PACE_BATCH];
	uint8_t frames[PACE_BATCH][FRAME_BYTES];
};

/* Appends to the frame that is being made. */
static void *put(struct storm *storm, const void *data, size_t size_bytes)
{
	uint8_t *at = storm->frame + storm->frame_bytes;

	memcpy(at, data, size_bytes);
	storm->frame_bytes += size_bytes;
	return at;
}

static void put_ethernet(struct storm *storm, const uint8_t *to, const uint8_t *from, uint16_t type)
{
	storm->frame_bytes = 0;
	put(storm, to, ETH_ALEN);
	put(storm, from, ETH_ALEN);
	put(storm, &(uint16_t){ htons(type) }, 2);
}

static uint32_t source_of(unsigned long n)
{
	return htonl(DOCUMENT_NET + FIRST_ADDRESS + (uint32_t)(n % ADDRESSES));
}

static void put_ip(struct storm *storm, unsigned long n, uint8_t protocol, size_t payload_bytes)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = sizeof(ip) / 4,
		.tot_len = htons((uint16_t)(sizeof(ip) + payload_bytes)),
		.ttl = PROTO_TTL,
		.protocol = protocol,
		.saddr = storm->source.family == AF_INET ? storm->source.ip4.s_addr : source_of(n),
	};

	memcpy(&ip.daddr, storm->target.bytes, sizeof(ip.daddr));
	ip.check = htons(checksum_of(&ip, sizeof(ip)));
	put_ethernet(storm, storm->balancer_mac, storm->own_mac, ETHERTYPE_IP);
	put(storm, &ip, sizeof(ip));
}

static void make_hello(struct storm *storm, unsigned long n)
{
	struct proto_message message = { .version = PROTO_VERSION_1, .type = PROTO_HELLO };
	uint8_t payload[PROTO_MESSAGE_MAX];
	int size_bytes;

	snprintf(message.hello.key_id, sizeof(message.hello.key_id), "%s", storm->key_id);
	memcpy(message.hello.nonce_agent, &n, sizeof(n));
	message.hello.nonce_agent[PROTO_NONCE_BYTES - 1] = 1;
	size_bytes = proto_write(&message, payload);
	if (size_bytes < 0)
		errx(1, "no HELLO");
	put_ip(storm, n, IPPROTO_UDP, sizeof(struct udphdr) + (size_t)size_bytes);
	/* A checksum of 0 is none (RFC 768). */
	put(storm,
		&(struct udphdr){ .source = htons((uint16_t)(20000 + n % SOURCES / ADDRESSES)),
			.dest = htons(PROTO_PORT),
			.len = htons((uint16_t)(sizeof(struct udphdr) + (size_t)size_bytes)) },
		sizeof(struct udphdr));
	put(storm, payload, (size_t)size_bytes);
}

static void make_echo(struct storm *storm, unsigned long n)
{
	struct icmphdr icmp = { .type = ICMP_ECHO, .un.echo = { htons((uint16_t)n), htons(1) } };

	icmp.checksum = htons(checksum_of(&icmp, sizeof(icmp)));
	put_ip(storm, n, IPPROTO_ICMP, sizeof(icmp));
	put(storm, &icmp, sizeof(icmp));
}

static void make_arp(struct storm *storm, unsigned long n)
{
	static const uint8_t all[ETH_ALEN] = { 255, 255, 255, 255, 255, 255 };
	const uint8_t mac[ETH_ALEN] = { 2, 0, 0, 9, (uint8_t)(n % SOURCES >> 8),
		(uint8_t)(n % SOURCES) };

	put_ethernet(storm, all, mac, ETHERTYPE_ARP);
	put(storm, "\0\1\10\0\6\4\0\1", 8);
	put(storm, mac, sizeof(mac));
	put(storm, &(uint32_t){ source_of(n) }, 4);
	put(storm, "\0\0\0\0\0\0", ETH_ALEN);
	put(storm, storm->target.bytes, 4);
}

static void make_na(struct storm *storm, unsigned long n)
{
	static const uint8_t all[ETH_ALEN] = { 0x33, 0x33, 0, 0, 0, 1 };
	const uint8_t mac[ETH_ALEN] = { 2, 0, 0, 9, (uint8_t)(n % SOURCES >> 8),
		(uint8_t)(n % SOURCES) };
	struct nd_neighbor_advert advert = { .nd_na_hdr.icmp6_type = ND_NEIGHBOR_ADVERT };
	struct ip6_hdr ip = {
		.ip6_flow = htonl(6u << 28), .ip6_nxt = IPPROTO_ICMPV6, .ip6_hlim = 255
	};
	uint8_t option[8] = { ND_OPT_TARGET_LINKADDR, 1 };
	uint64_t sum = IPPROTO_ICMPV6 + sizeof(advert) + sizeof(option);
	uint8_t *at;
	uint16_t check;

	advert.nd_na_flags_reserved = ND_NA_FLAG_OVERRIDE;
	memcpy(&advert.nd_na_target, storm->target.bytes, sizeof(advert.nd_na_target));
	advert.nd_na_target.s6_addr[14] = (uint8_t)(1 + n % SOURCES / 256);
	advert.nd_na_target.s6_addr[15] = (uint8_t)n;
	memcpy(option + 2, mac, sizeof(mac));
	ip.ip6_plen = htons(sizeof(advert) + sizeof(option));
	ip.ip6_src = advert.nd_na_target;
	inet_pton(AF_INET6, "ff02::1", &ip.ip6_dst);
	put_ethernet(storm, all, mac, ETHERTYPE_IPV6);
	put(storm, &ip, sizeof(ip));
	at = put(storm, &advert, sizeof(advert));
	put(storm, option, sizeof(option));
	sum = checksum_add(sum, &ip.ip6_src, sizeof(ip.ip6_src) + sizeof(ip.ip6_dst));
	sum = checksum_add(sum, at, sizeof(advert) + sizeof(option));
	check = htons(checksum_finish(sum));
	memcpy(at + 2, &check, sizeof(check));
}

static void storm_open(struct storm *storm, const char *interface)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET };
	struct ifreq request = { 0 };
	struct in_addr own;

	storm->pace.fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (storm->pace.fd < 0 || ioctl(storm->pace.fd, SIOCGIFHWADDR, &request) < 0)
		err(1, "%s", interface);
	memcpy(storm->own_mac, request.ifr_hwaddr.sa_data, ETH_ALEN);
	if (ioctl(storm->pace.fd, SIOCGIFADDR, &request) < 0)
		err(1, "%s: no address", interface);
	own = ((struct sockaddr_in *)(void *)&request.ifr_addr)->sin_addr;
	if ((ntohl(own.s_addr) & 0xffffff00u) != DOCUMENT_NET)
		errx(64, "%s is no interface of a scenario", interface);
	address.sll_ifindex = (int)if_nametoindex(interface);
	if (bind(storm->pace.fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "bind");
	for (size_t i = 0; i < PACE_BATCH; i++) {
		storm->vectors[i].iov_base = storm->frames[i];
		storm->pace.messages[i].msg_hdr.msg_iov = &storm->vectors[i];
		storm->pace.messages[i].msg_hdr.msg_iovlen = 1;
	}
}

static void storm_make(void *context, unsigned long n, unsigned int slot)
{
	struct storm *storm = context;

	storm->make(storm, n);
	memcpy(storm->frames[slot], storm->frame, storm->frame_bytes);
	storm->vectors[slot].iov_len = storm->frame_bytes;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int family;
		void (*make)(struct storm *storm, unsigned long n);
	} kinds[] = {
		{ "hello", AF_INET, make_hello },
		{ "arp", AF_INET, make_arp },
		{ "na", AF_INET6, make_na },
		{ "echo", AF_INET, make_echo },
	};
	static struct storm storm;
	uint8_t *to = storm.balancer_mac;
	int next = 4;

	if (argc < 7)
		errx(64,
			"usage: link_storm INTERFACE BALANCER_MAC hello|arp|na|echo [KEY_ID] TARGET COUNT RATE_HZ");
	if (sscanf(argv[2], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &to[0], &to[1], &to[2], &to[3], &to[4],
		    &to[5]) != ETH_ALEN)
		errx(64, "%s: not a MAC address", argv[2]);
	storm_open(&storm, argv[1]);
	if (streq(argv[3], "hello"))
		storm.key_id = argv[next++];
	if (storm.key_id && argc == next + 4)
		storm.source = tool_address(argv[--argc]);
	ARRAY_FOREACH (kind, kinds, ARRAY_LEN(kinds)) {
		if (!streq(kind->name, argv[3]) || argc != next + 3)
			continue;
		storm.make = kind->make;
		storm.target = tool_address(argv[next]);
		if (storm.target.family != kind->family)
			errx(64, "%s: the wrong family", argv[next]);
	}
	if (!storm.make)
		errx(64, "%s: no such storm", argv[3]);
	storm.pace.make = storm_make;
	storm.pace.context = &storm;
	pace_set(&storm.pace, argv[next + 1], argv[next + 2], BURST_US, PACE_BATCH);
	pace_run(&storm.pace);
	printf("{\"sent\": %lu, \"refused\": %lu, \"took_ms\": %llu}\n", storm.pace.sent,
		storm.pace.refused, (unsigned long long)(storm.pace.took_us / US_PER_MS));
	return 0;
}
