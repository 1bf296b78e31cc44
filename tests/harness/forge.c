/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stranger on the segment who says that an address is at some MAC:
 *
 *	forge INTERFACE ADDRESS MAC TO_MAC TO_ADDRESS [COUNT [RATE_HZ [vary]]]
 *
 * An ARP reply (RFC 826) for an IPv4 ADDRESS, a solicited neighbour advertisement with the override flag
 * (RFC 4861 §4.4) for an IPv6 one, sent to TO_MAC for TO_ADDRESS; a broadcast TO_MAC and ADDRESS itself
 * as TO_ADDRESS make the ARP gratuitous, and a TO_ADDRESS of ff02::1 the advertisement unsolicited. The
 * Ethernet source stays the interface's own, as switches learn from it. With `vary` the last two bytes
 * of MAC count up. Once a RATE_HZ-th of a second, one at once.
 */
#include "tests/harness/tool.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/ip6.h>
#include <sys/ioctl.h>

#define FORGE_COUNT_MAX   100000u
#define FORGE_RATE_MAX_HZ 10000u

struct forge {
	int fd;
	struct mac own, mac, to_mac;
	struct addr address, to_address;
};

struct arp_frame {
	struct ethhdr eth;
	struct ether_arp arp;
} __attribute__((packed));

struct advertisement_frame {
	struct ethhdr eth;
	struct ip6_hdr ip6;
	struct nd_neighbor_advert advert;
	struct nd_opt_hdr option;
	uint8_t option_mac[ETH_ALEN];
} __attribute__((packed));

static void forge_open(struct forge *forge, const char *interface)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET };
	struct ifreq request = { 0 };

	/* Protocol 0 receives nothing. */
	forge->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	address.sll_ifindex = (int)if_nametoindex(interface);
	if (forge->fd < 0 || address.sll_ifindex == 0 ||
		bind(forge->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "%s", interface);
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (ioctl(forge->fd, SIOCGIFHWADDR, &request) < 0)
		err(1, "%s: no MAC", interface);
	memcpy(forge->own.bytes, request.ifr_hwaddr.sa_data, MAC_LEN);
}

static void forge_send(const struct forge *forge, const void *frame, size_t size_bytes)
{
	if (send(forge->fd, frame, size_bytes, 0) != (ssize_t)size_bytes)
		err(1, "send");
}

static void forge_arp(const struct forge *forge)
{
	struct arp_frame frame = {
		.eth = { .h_proto = htons(ETH_P_ARP) },
		.arp.ea_hdr = { .ar_hrd = htons(ARPHRD_ETHER),
			.ar_pro = htons(ETH_P_IP),
			.ar_hln = ETH_ALEN,
			.ar_pln = 4,
			.ar_op = htons(ARPOP_REPLY) },
	};

	memcpy(frame.eth.h_dest, forge->to_mac.bytes, MAC_LEN);
	memcpy(frame.eth.h_source, forge->own.bytes, MAC_LEN);
	memcpy(frame.arp.arp_sha, forge->mac.bytes, MAC_LEN);
	memcpy(frame.arp.arp_spa, forge->address.bytes, 4);
	memcpy(frame.arp.arp_tha, forge->to_mac.bytes, MAC_LEN);
	memcpy(frame.arp.arp_tpa, forge->to_address.bytes, 4);
	forge_send(forge, &frame, sizeof(frame));
}

/* RFC 1071; the pseudo-header of RFC 8200 §8.1 goes in first. */
static uint16_t forge_checksum(const uint8_t *addresses, const uint8_t *bytes, size_t size_bytes)
{
	uint32_t sum = (uint32_t)size_bytes + IPPROTO_ICMPV6;

	for (size_t i = 0; i < 2 * sizeof(struct in6_addr); i += 2)
		sum += (uint32_t)addresses[i] << 8 | addresses[i + 1];
	for (size_t i = 0; i + 1 < size_bytes; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static void forge_advertisement(const struct forge *forge)
{
	const size_t payload_bytes =
		sizeof(struct advertisement_frame) - offsetof(struct advertisement_frame, advert);
	struct advertisement_frame frame = {
		.eth = { .h_proto = htons(ETH_P_IPV6) },
		.ip6 = { .ip6_hops = 255, .ip6_nxt = IPPROTO_ICMPV6 },
		.option = { .nd_opt_type = ND_OPT_TARGET_LINKADDR, .nd_opt_len = 1 },
	};
	const uint8_t *bytes = (const uint8_t *)&frame;
	bool solicited = !IN6_IS_ADDR_MULTICAST(&forge->to_address.ip6);

	memcpy(frame.eth.h_dest, forge->to_mac.bytes, MAC_LEN);
	memcpy(frame.eth.h_source, forge->own.bytes, MAC_LEN);
	frame.ip6.ip6_vfc = 6 << 4;
	frame.ip6.ip6_plen = htons((uint16_t)payload_bytes);
	memcpy(&frame.ip6.ip6_src, forge->address.bytes, 16);
	memcpy(&frame.ip6.ip6_dst, forge->to_address.bytes, 16);
	frame.advert.nd_na_type = ND_NEIGHBOR_ADVERT;
	frame.advert.nd_na_flags_reserved =
		ND_NA_FLAG_OVERRIDE | (solicited ? ND_NA_FLAG_SOLICITED : 0);
	memcpy(&frame.advert.nd_na_target, forge->address.bytes, 16);
	memcpy(frame.option_mac, forge->mac.bytes, MAC_LEN);
	frame.advert.nd_na_cksum =
		forge_checksum(bytes + offsetof(struct advertisement_frame, ip6.ip6_src),
			bytes + offsetof(struct advertisement_frame, advert), payload_bytes);
	forge_send(forge, &frame, sizeof(frame));
}

/* Unlike mac_parse() this takes groups and the broadcast too. */
static struct mac forge_mac(const char *text)
{
	struct mac mac;
	uint8_t *bytes = mac.bytes;
	char end;

	if (sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", &bytes[0], &bytes[1], &bytes[2],
		    &bytes[3], &bytes[4], &bytes[5], &end) != MAC_LEN)
		errx(64, "%s: not a MAC", text);
	return mac;
}

static void forge_read(struct forge *forge, char **argv)
{
	forge->address = tool_address(argv[2]);
	forge->to_address = tool_address(argv[5]);
	forge->mac = forge_mac(argv[3]);
	forge->to_mac = forge_mac(argv[4]);
	if (forge->address.family != forge->to_address.family)
		errx(64, "%s, %s: two families", argv[2], argv[5]);
}

int main(int argc, char **argv)
{
	struct forge forge = { .fd = -1 };
	unsigned long count, rate_hz;
	bool vary = argc > 8 && streq(argv[8], "vary");

	if (argc < 6 || argc > 9)
		errx(64,
			"usage: forge INTERFACE ADDRESS MAC TO_MAC TO_ADDRESS [COUNT [RATE_HZ "
			"[vary]]]");
	forge_read(&forge, argv);
	count = argc > 6 ? tool_number(argv[6], FORGE_COUNT_MAX) : 1;
	rate_hz = argc > 7 ? tool_number(argv[7], FORGE_RATE_MAX_HZ) : 1;
	if (rate_hz == 0)
		errx(64, "no rate");
	forge_open(&forge, argv[1]);
	for (unsigned long i = 0; i < count; i++) {
		const uint64_t gap_us = US_PER_S / rate_hz;
		const struct timespec gap = { (time_t)(gap_us / US_PER_S),
			(long)(gap_us % US_PER_S * NS_PER_US) };

		if (i > 0)
			(void)nanosleep(&gap, NULL);
		if (vary) {
			forge.mac.bytes[4] = (uint8_t)(i >> 8);
			forge.mac.bytes[5] = (uint8_t)i;
		}
		if (forge.address.family == AF_INET)
			forge_arp(&forge);
		else
			forge_advertisement(&forge);
	}
	return 0;
}
