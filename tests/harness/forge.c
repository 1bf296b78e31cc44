/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stranger on the segment who says that an address is at some MAC:
 *
 *	forge INTERFACE ADDRESS MAC TO_MAC TO_ADDRESS [COUNT [RATE_HZ [vary|as]]]
 *
 * An ARP reply (RFC 826) for an IPv4 ADDRESS, a solicited neighbour advertisement with the override flag
 * (RFC 4861 §4.4) for an IPv6 one, sent to TO_MAC for TO_ADDRESS; a broadcast TO_MAC and ADDRESS itself
 * as TO_ADDRESS make the ARP gratuitous, and a TO_ADDRESS of ff02::1 the advertisement unsolicited. The
 * Ethernet source stays the interface's own, as switches learn from it. With `vary` the last two bytes
 * of MAC count up; with `as` it is the Ethernet source, too, and switches learn that. Once a RATE_HZ-th of a second, one at once.
 */
#include "tests/harness/segment.h"

#define FORGE_COUNT_MAX   100000u
#define FORGE_RATE_MAX_HZ 10000u

struct forge {
	int fd;
	struct mac own, mac, to_mac;
	struct addr address, to_address;
};

static void forge_send(const struct forge *forge, const void *frame, size_t size_bytes)
{
	if (send(forge->fd, frame, size_bytes, 0) != (ssize_t)size_bytes)
		err(1, "send");
}

static void forge_arp(const struct forge *forge)
{
	struct arp_frame frame = segment_arp(ARPOP_REPLY, &forge->own, &forge->mac);

	memcpy(frame.eth.h_dest, forge->to_mac.bytes, MAC_LEN);
	memcpy(frame.arp.arp_spa, forge->address.bytes, 4);
	memcpy(frame.arp.arp_tha, forge->to_mac.bytes, MAC_LEN);
	memcpy(frame.arp.arp_tpa, forge->to_address.bytes, 4);
	forge_send(forge, &frame, sizeof(frame));
}

static void forge_advertisement(const struct forge *forge)
{
	struct neighbour_frame frame = segment_neighbour(ND_NEIGHBOR_ADVERT, ND_OPT_TARGET_LINKADDR,
		&forge->address, &forge->own, &forge->mac);
	bool solicited = !IN6_IS_ADDR_MULTICAST(&forge->to_address.ip6);

	memcpy(frame.eth.h_dest, forge->to_mac.bytes, MAC_LEN);
	memcpy(&frame.ip6.ip6_src, forge->address.bytes, 16);
	memcpy(&frame.ip6.ip6_dst, forge->to_address.bytes, 16);
	frame.neighbour.nd_na_flags_reserved =
		ND_NA_FLAG_OVERRIDE | (solicited ? ND_NA_FLAG_SOLICITED : 0);
	segment_checksum(&frame);
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
			"[vary|as]]]");
	forge_read(&forge, argv);
	count = argc > 6 ? tool_number(argv[6], FORGE_COUNT_MAX) : 1;
	rate_hz = argc > 7 ? tool_number(argv[7], FORGE_RATE_MAX_HZ) : 1;
	if (rate_hz == 0)
		errx(64, "no rate");
	forge.fd = segment_open(argv[1], 0, &forge.own);
	if (argc > 8 && streq(argv[8], "as"))
		forge.own = forge.mac;
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
