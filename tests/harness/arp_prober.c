/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks who has a VIP, again and again, and records every MAC that says "I have":
 *
 *	arp_prober INTERFACE VIP [RATE_HZ]
 *
 * ARP requests (RFC 826) for an IPv4 VIP, neighbour solicitations (RFC 4861 §4.3) for an IPv6
 * one, each to everybody. Ends at SIGTERM with one line of JSON:
 * {"asked": 5000, "answers": {"02:00:00:00:00:01": 4999}}. Any frame that claims the VIP counts,
 * gratuitous ones too. Written apart from lb/link/announce.c on purpose: it is what judges it.
 */
#include "tests/harness/segment.h"

#include <arpa/inet.h>

#define MACS_MAX 64u

enum { KEY_FRAME, KEY_TIMER, KEY_SIGNAL };

struct answer {
	struct mac mac;
	unsigned long count;
};

struct prober {
	int fd;
	unsigned int ifindex;
	struct mac own;
	struct in_addr own_ip4;
	struct addr vip;
	unsigned long asked;
	struct answer answers[MACS_MAX];
	size_t n_answers;
};

static void prober_open(struct prober *prober, const char *interface)
{
	struct ifreq request = { 0 };

	prober->fd = segment_open(interface, ETH_P_ALL, &prober->own);
	prober->ifindex = if_nametoindex(interface);
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (ioctl(prober->fd, SIOCGIFADDR, &request) == 0)
		prober->own_ip4 = ((struct sockaddr_in *)(void *)&request.ifr_addr)->sin_addr;
}

static void prober_send(const struct prober *prober, const void *frame, size_t size_bytes)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET, .sll_ifindex = (int)prober->ifindex, .sll_halen = ETH_ALEN
	};

	/* A full queue loses a question; the count of questions stays what was tried. */
	(void)sendto(
		prober->fd, frame, size_bytes, 0, (struct sockaddr *)&address, sizeof(address));
}

static void ask_arp(const struct prober *prober)
{
	struct arp_frame frame = segment_arp(ARPOP_REQUEST, &prober->own, &prober->own);

	memset(frame.eth.h_dest, 0xff, ETH_ALEN);
	memcpy(frame.arp.arp_spa, &prober->own_ip4, 4);
	memcpy(frame.arp.arp_tpa, &prober->vip.ip4, 4);
	prober_send(prober, &frame, sizeof(frame));
}

static void ask_neighbour(const struct prober *prober)
{
	struct neighbour_frame frame = segment_neighbour(ND_NEIGHBOR_SOLICIT,
		ND_OPT_SOURCE_LINKADDR, &prober->vip, &prober->own, &prober->own);
	struct in6_addr source = { .s6_addr = { 0xfe, 0x80 } };
	struct in6_addr group = { .s6_addr = { 0xff, 2, [11] = 1, [12] = 0xff } };

	memcpy(&source.s6_addr[8], "\x02\0\0\xff\xfe\0\0\x7f", 8);
	memcpy(&group.s6_addr[13], &prober->vip.bytes[13], 3);
	memcpy(frame.eth.h_dest, "\x33\x33\xff", 3);
	memcpy(&frame.eth.h_dest[3], &prober->vip.bytes[13], 3);
	frame.ip6.ip6_src = source;
	frame.ip6.ip6_dst = group;
	segment_checksum(&frame);
	prober_send(prober, &frame, sizeof(frame));
}

static void prober_ask(struct prober *prober)
{
	prober->asked++;
	if (prober->vip.family == AF_INET)
		ask_arp(prober);
	else
		ask_neighbour(prober);
}

static void prober_record(struct prober *prober, const uint8_t *mac)
{
	ARRAY_FOREACH (answer, prober->answers, prober->n_answers) {
		if (memcmp(answer->mac.bytes, mac, MAC_LEN) == 0) {
			answer->count++;
			return;
		}
	}
	if (prober->n_answers == MACS_MAX)
		errx(1, "more than %u MACs claim the VIP", MACS_MAX);
	memcpy(prober->answers[prober->n_answers].mac.bytes, mac, MAC_LEN);
	prober->answers[prober->n_answers++].count = 1;
}

/* Whoever names the VIP as its own, in a reply or unasked. */
static void prober_judge(struct prober *prober, const uint8_t *frame, size_t size_bytes)
{
	const struct ethhdr *eth = (const void *)frame;
	struct arp_frame arp;
	struct nd_neighbor_advert advert;
	const size_t advert_at = sizeof(*eth) + sizeof(struct ip6_hdr);

	if (size_bytes < sizeof(*eth) || memcmp(eth->h_source, prober->own.bytes, MAC_LEN) == 0)
		return;
	if (prober->vip.family == AF_INET && eth->h_proto == htons(ETH_P_ARP) &&
		size_bytes >= sizeof(arp)) {
		memcpy(&arp, frame, sizeof(arp));
		if (memcmp(arp.arp.arp_spa, &prober->vip.ip4, 4) == 0)
			prober_record(prober, arp.arp.arp_sha);
	}
	if (prober->vip.family == AF_INET6 && eth->h_proto == htons(ETH_P_IPV6) &&
		size_bytes >= advert_at + sizeof(advert)) {
		memcpy(&advert, frame + advert_at, sizeof(advert));
		if (frame[sizeof(*eth) + offsetof(struct ip6_hdr, ip6_nxt)] == IPPROTO_ICMPV6 &&
			advert.nd_na_type == ND_NEIGHBOR_ADVERT &&
			memcmp(&advert.nd_na_target, &prober->vip.ip6, 16) == 0)
			prober_record(prober, eth->h_source);
	}
}

static void prober_read(struct prober *prober)
{
	uint8_t frame[2048];
	ssize_t size_bytes;

	while ((size_bytes = recv(prober->fd, frame, sizeof(frame), 0)) > 0)
		prober_judge(prober, frame, (size_t)size_bytes);
}

static void prober_print(const struct prober *prober)
{
	char text[MAC_STRLEN];

	printf("{\"asked\": %lu, \"answers\": {", prober->asked);
	for (size_t i = 0; i < prober->n_answers; i++)
		printf("%s\"%s\": %lu", i > 0 ? ", " : "",
			mac_format(&prober->answers[i].mac, text), prober->answers[i].count);
	printf("}}\n");
}

int main(int argc, char **argv)
{
	struct prober prober = { .fd = -1 };
	struct epoll_event event;
	unsigned long rate_hz = argc > 3 ? tool_number(argv[3], 100000) : 1000;
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int timer_fd;

	if (argc < 3 || argc > 4 || rate_hz == 0)
		errx(64, "usage: arp_prober INTERFACE VIP [RATE_HZ]");
	prober.vip = tool_address(argv[2]);
	prober_open(&prober, argv[1]);
	timer_fd = tool_timer_fd(US_PER_S / rate_hz);
	tool_watch(epoll_fd, prober.fd, EPOLLIN, KEY_FRAME);
	tool_watch(epoll_fd, timer_fd, EPOLLIN, KEY_TIMER);
	tool_watch(epoll_fd, tool_signal_fd(), EPOLLIN, KEY_SIGNAL);
	while (epoll_wait(epoll_fd, &event, 1, -1) >= 0 || errno == EINTR) {
		if (event.data.u64 == KEY_SIGNAL)
			break;
		if (event.data.u64 == KEY_FRAME)
			prober_read(&prober);
		/* A late timer asks once for each time that it should have rung. */
		for (uint64_t n = event.data.u64 == KEY_TIMER ? tool_timer_rang(timer_fd) : 0;
			n > 0; n--)
			prober_ask(&prober);
	}
	prober_print(&prober);
	return 0;
}
