/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See answers.h. Judges nothing. */
#include "agent/doctor/answers.h"

#include <linux/filter.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <net/ethernet.h>
#include <poll.h>
#include <sys/socket.h>

#include "common/os/clock.h"

#define ANSWERS_BYTES      128u /* of a packet: IPv4 with all its options, and TCP's header */
#define ANSWERS_TCP_BYTES  20u
#define ANSWERS_IP4_BYTES  20u
#define ANSWERS_IP6_BYTES  40u
#define ANSWERS_PROTOCOL_4 9u /* where each family has it */
#define ANSWERS_PROTOCOL_6 6u
#define ANSWERS_SYN        0x02u
#define ANSWERS_RST        0x04u
#define ANSWERS_ACK        0x10u

/* TCP with SYN or RST, from the IP header on; an extension header hides it, which no client's SYN has. */
static struct sock_filter answers_filter[] = {
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
	BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x40, 0, 5),
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ANSWERS_PROTOCOL_4),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 8),
	BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
	BPF_STMT(BPF_LD | BPF_B | BPF_IND, 13),
	BPF_JUMP(BPF_JMP | BPF_JA, 4, 0, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x60, 0, 4),
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ANSWERS_PROTOCOL_6),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 2),
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ANSWERS_IP6_BYTES + 13),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, ANSWERS_SYN | ANSWERS_RST, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, 0),
	BPF_STMT(BPF_RET | BPF_K, ANSWERS_BYTES),
};

static int answers_open(int *ret_fd)
{
	const struct sock_fprog program = { ARRAY_LEN(answers_filter), answers_filter };
	/* Nothing comes before the filter is there. */
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const struct sockaddr_ll all = { .sll_family = AF_PACKET,
		.sll_protocol = htobe16(ETH_P_ALL) };
	int r;

	if (fd < 0)
		return util_negative_errno();
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
		bind(fd, (const struct sockaddr *)&all, sizeof(all)) < 0) {
		r = util_negative_errno();
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

/* Both ends, and where TCP begins; 0: it is not such a packet. */
static size_t answers_parse(const uint8_t *packet, size_t size_bytes, struct addr_port *ret_from,
	struct addr_port *ret_to)
{
	bool is_ip4 = size_bytes >= ANSWERS_IP4_BYTES && packet[0] >> 4 == 4;
	size_t offset = is_ip4 ? (packet[0] & 0x0fu) * (size_t)4 : ANSWERS_IP6_BYTES;
	size_t address_bytes = is_ip4 ? 4 : 16, at = is_ip4 ? 12 : 8;

	if (offset < ANSWERS_IP4_BYTES || size_bytes < offset + ANSWERS_TCP_BYTES)
		return 0;
	*ret_from = *ret_to = (struct addr_port){ .addr.family = is_ip4 ? AF_INET : AF_INET6 };
	memcpy(ret_from->addr.bytes, packet + at, address_bytes);
	memcpy(ret_to->addr.bytes, packet + at + address_bytes, address_bytes);
	ret_from->port = (uint16_t)(packet[offset] << 8 | packet[offset + 1]);
	ret_to->port = (uint16_t)(packet[offset + 2] << 8 | packet[offset + 3]);
	return offset;
}

static struct answers_place *answers_find(
	struct answers_place *places, size_t n_places, const struct addr_port *wanted)
{
	ARRAY_FOREACH (place, places, n_places)
		if (place->place.port == wanted->port &&
			addr_equal(&place->place.addr, &wanted->addr))
			return place;
	return NULL;
}

/* A SYN's answer: SYN-ACK, or a reset, which has sequence number 0 then (RFC 9293 §3.10.7.1). */
static bool answers_is_answer(const uint8_t *tcp)
{
	static const uint8_t zero[4];
	uint8_t flags = tcp[13] & (ANSWERS_SYN | ANSWERS_RST | ANSWERS_ACK);

	return flags == (ANSWERS_SYN | ANSWERS_ACK) ||
		(flags == (ANSWERS_RST | ANSWERS_ACK) && memcmp(tcp + 4, zero, 4) == 0);
}

static void answers_take(struct answers_place *places, size_t n_places, const uint8_t *packet,
	size_t size_bytes, bool is_outgoing)
{
	struct addr_port from, to;
	size_t offset = answers_parse(packet, size_bytes, &from, &to);
	struct answers_place *place;
	const uint8_t *tcp = packet + offset;

	if (offset == 0)
		return;
	place = answers_find(places, n_places, is_outgoing ? &from : &to);
	if (!place)
		return;
	if (is_outgoing)
		place->is_answered |= answers_is_answer(tcp);
	else if ((tcp[13] & (ANSWERS_SYN | ANSWERS_ACK)) == ANSWERS_SYN && !place->asked_us)
		place->asked_us = clock_now_us();
}

/* What is there to read; not of the loopback, whose packets never left this host. */
static void answers_read(int fd, struct answers_place *places, size_t n_places)
{
	uint8_t packet[ANSWERS_BYTES];

	for (;;) {
		struct sockaddr_ll from = { 0 };
		socklen_t from_bytes = sizeof(from);
		ssize_t n = recvfrom(
			fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &from_bytes);

		if (n < 0)
			return;
		if (from.sll_hatype != ARPHRD_LOOPBACK)
			answers_take(places, n_places, packet, (size_t)n,
				from.sll_pkttype == PACKET_OUTGOING);
	}
}

/* When there is nothing more to be learnt. */
static uint64_t answers_end_us(
	const struct answers_place *places, size_t n_places, uint64_t begin_us)
{
	uint64_t end_us = begin_us;

	ARRAY_FOREACH (place, places, n_places)
		if (!place->is_answered)
			end_us = MAX(end_us,
				place->asked_us ? place->asked_us + ANSWERS_WAIT_US
						: begin_us + ANSWERS_LOOK_US);
	return end_us;
}

int answers_look(struct answers_place *places, size_t n_places)
{
	uint64_t begin_us = clock_now_us(), now_us;
	int fd, r;

	if (n_places == 0)
		return 0;
	r = answers_open(&fd);
	if (r < 0)
		return r;
	while ((now_us = clock_now_us()) < answers_end_us(places, n_places, begin_us)) {
		struct pollfd waits = { .fd = fd, .events = POLLIN };
		uint64_t left_us = answers_end_us(places, n_places, begin_us) - now_us;

		(void)poll(&waits, 1, (int)(left_us / US_PER_MS) + 1);
		answers_read(fd, places, n_places);
	}
	close(fd);
	ARRAY_FOREACH (place, places, n_places)
		place->is_asked = place->asked_us && place->asked_us + ANSWERS_WAIT_US <= now_us;
	return 0;
}
