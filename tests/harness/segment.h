/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ARP and neighbour discovery by raw frames, as the programs that ask and forge them share it: the
 * socket and the fixed bytes. Written apart from lb/link/announce_frame.c on purpose: these programs judge it. The checksum
 * alone is the same; who answers such a frame is a kernel, which has its own.
 */
#pragma once

#include "tests/harness/tool.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/ip6.h>
#include <sys/ioctl.h>

#include "common/packet/checksum.h"

struct arp_frame {
	struct ethhdr eth;
	struct ether_arp arp;
} __attribute__((packed));

/* A neighbour solicitation or advertisement (RFC 4861 §4.3, §4.4) with one link-layer address. */
struct neighbour_frame {
	struct ethhdr eth;
	struct ip6_hdr ip6;
	struct nd_neighbor_advert neighbour; /* a solicitation has the same layout, flags 0 */
	struct nd_opt_hdr option;
	uint8_t option_mac[ETH_ALEN];
} __attribute__((packed));

/* A packet socket on `interface` and the interface's own MAC. `protocol` 0 receives nothing, and waits to send. */
static inline int segment_open(const char *interface, uint16_t protocol, struct mac *ret_own)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(protocol) };
	struct ifreq request = { 0 };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | (protocol ? SOCK_NONBLOCK : 0),
		htons(protocol));

	if (fd < 0)
		err(1, "packet socket");
	address.sll_ifindex = (int)if_nametoindex(interface);
	if (address.sll_ifindex == 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "%s", interface);
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		err(1, "%s: no MAC", interface);
	memcpy(ret_own->bytes, request.ifr_hwaddr.sa_data, MAC_LEN);
	return fd;
}

/* An ARP frame (RFC 826) of `operation` from `own`, which says that it is at `mac`. */
static inline struct arp_frame segment_arp(
	uint16_t operation, const struct mac *own, const struct mac *mac)
{
	struct arp_frame frame = {
		.eth = { .h_proto = htons(ETH_P_ARP) },
		.arp.ea_hdr = { .ar_hrd = htons(ARPHRD_ETHER),
			.ar_pro = htons(ETH_P_IP),
			.ar_hln = ETH_ALEN,
			.ar_pln = 4,
			.ar_op = htons(operation) },
	};

	memcpy(frame.eth.h_source, own->bytes, MAC_LEN);
	memcpy(frame.arp.arp_sha, mac->bytes, MAC_LEN);
	return frame;
}

/* The pseudo-header of RFC 8200 §8.1 goes in first. */
static inline void segment_checksum(struct neighbour_frame *frame)
{
	const size_t size_bytes = sizeof(*frame) - offsetof(struct neighbour_frame, neighbour);
	const uint8_t *bytes =
		(const uint8_t *)frame + offsetof(struct neighbour_frame, ip6.ip6_src);
	uint64_t sum;

	frame->neighbour.nd_na_cksum = 0;
	sum = checksum_add(
		IPPROTO_ICMPV6 + size_bytes, bytes, 2 * sizeof(struct in6_addr) + size_bytes);
	frame->neighbour.nd_na_cksum = htons(checksum_finish(sum));
}

/* A neighbour frame of `type` about `target` from `own`, with `mac` in option `option`. Its addresses are 0. */
static inline struct neighbour_frame segment_neighbour(uint8_t type, uint8_t option,
	const struct addr *target, const struct mac *own, const struct mac *mac)
{
	struct neighbour_frame frame = {
		.eth = { .h_proto = htons(ETH_P_IPV6) },
		.ip6 = { .ip6_hops = 255, .ip6_nxt = IPPROTO_ICMPV6 },
		.option = { .nd_opt_type = option, .nd_opt_len = 1 },
	};

	frame.ip6.ip6_vfc = 6 << 4;
	frame.ip6.ip6_plen = htons(sizeof(frame) - offsetof(struct neighbour_frame, neighbour));
	frame.neighbour.nd_na_type = type;
	memcpy(&frame.neighbour.nd_na_target, target->bytes, sizeof(struct in6_addr));
	memcpy(frame.eth.h_source, own->bytes, MAC_LEN);
	memcpy(frame.option_mac, mac->bytes, MAC_LEN);
	return frame;
}
