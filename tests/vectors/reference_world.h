/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What reference.c knows of the world of vectors.h: protocols, bindings, and who is taken. For it alone. */
#pragma once

#include "tests/vectors/reference.h"

enum {
	WEB = 1,
	DNS,
	WEB6,
	DNS6,
	ANY,
	ANY6,
	EMPTY,
	WHOLE,
	MOVING,
	CLOSED,
	CLOSED_SOURCE,
	METERED,
	CHOSEN,
	SHUNNED
};
enum { BASE_OF_MOVING = 1, OWNER_OF_MOVING = 2 };
enum {
	ICMP4 = 1,
	TCP = 6,
	UDP = 17,
	SCTP = 132,
	HOP = 0,
	ROUTING = 43,
	FRAGMENT = 44,
	AH = 51,
	ICMP6 = 58,
	DESTINATION = 60
};

#define LINK_MTU_BYTES 1500u
#define IP6_CHAIN_MAX  6u

static const uint8_t own_mac[6] = { 2, 0, 0, 0, 0, 1 };

/* One VIP's ports; a VIP's first line answers its echo requests. */
static const struct binding {
	bool is_ip6;
	uint8_t vip[16];
	uint8_t proto;
	uint16_t first_port, last_port;
	unsigned int service;
} bindings[] = {
	{ false, { 198, 51, 100, 10 }, TCP, 80, 80, WEB },
	{ false, { 198, 51, 100, 10 }, TCP, 443, 443, WEB },
	{ false, { 198, 51, 100, 10 }, TCP, 8000, 8100, WEB },
	{ false, { 198, 51, 100, 10 }, SCTP, 80, 80, WEB },
	{ false, { 198, 51, 100, 10 }, SCTP, 6000, 6100, WEB },
	{ false, { 198, 51, 100, 10 }, UDP, 53, 53, DNS },
	{ false, { 198, 51, 100, 10 }, UDP, 5000, 5999, DNS },
	{ true, { 0x20, 1, 0xd, 0xb8, [15] = 0x10 }, TCP, 80, 80, WEB6 },
	{ true, { 0x20, 1, 0xd, 0xb8, [15] = 0x10 }, SCTP, 80, 80, WEB6 },
	{ true, { 0x20, 1, 0xd, 0xb8, [15] = 0x10 }, UDP, 53, 53, DNS6 },
	{ false, { 198, 51, 100, 11 }, TCP, 0, 65535, ANY },
	{ false, { 198, 51, 100, 11 }, UDP, 0, 65535, ANY },
	{ false, { 198, 51, 100, 11 }, SCTP, 0, 65535, ANY },
	{ true, { 0x20, 1, 0xd, 0xb8, [15] = 0x11 }, TCP, 0, 65535, ANY6 },
	{ true, { 0x20, 1, 0xd, 0xb8, [15] = 0x11 }, UDP, 0, 65535, ANY6 },
	{ true, { 0x20, 1, 0xd, 0xb8, [15] = 0x11 }, SCTP, 0, 65535, ANY6 },
	{ false, { 198, 51, 100, 12 }, TCP, 80, 80, EMPTY },
	{ false, { 198, 51, 100, 13 }, UDP, 53, 53, WHOLE },
	{ false, { 198, 51, 100, 14 }, TCP, 80, 80, MOVING },
	{ false, { 198, 51, 100, 14 }, SCTP, 80, 80, MOVING },
	{ false, { 198, 51, 100, 14 }, UDP, 53, 53, MOVING },
	{ false, { 198, 51, 100, 15 }, TCP, 80, 80, CLOSED },
	{ false, { 198, 51, 100, 15 }, SCTP, 80, 80, CLOSED },
	{ true, { 0x20, 1, 0xd, 0xb8, [15] = 0x15 }, TCP, 80, 80, CLOSED },
	{ false, { 198, 51, 100, 16 }, TCP, 80, 80, CLOSED_SOURCE },
	{ false, { 198, 51, 100, 17 }, TCP, 80, 80, METERED },
	{ true, { 0x20, 1, 0xd, 0xb8, [15] = 0x17 }, TCP, 80, 80, METERED },
	{ false, { 198, 51, 100, 18 }, TCP, 80, 80, CHOSEN },
	{ false, { 198, 51, 100, 18 }, UDP, 53, 53, CHOSEN },
	{ true, { 0x20, 1, 0xd, 0xb8, [15] = 0x18 }, TCP, 80, 80, CHOSEN },
	{ true, { 0x20, 1, 0xd, 0xb8, [15] = 0x18 }, UDP, 53, 53, CHOSEN },
	{ false, { 198, 51, 100, 19 }, TCP, 80, 80, SHUNNED },
	{ false, { 198, 51, 100, 19 }, UDP, 53, 53, SHUNNED },
	{ true, { 0x20, 1, 0xd, 0xb8, [15] = 0x19 }, TCP, 80, 80, SHUNNED },
	{ true, { 0x20, 1, 0xd, 0xb8, [15] = 0x19 }, UDP, 53, 53, SHUNNED },
};

static bool same(const uint8_t *a, const uint8_t *b, size_t size_bytes)
{
	return memcmp(a, b, size_bytes) == 0;
}

static bool is_between(unsigned int number, unsigned int first, unsigned int last)
{
	return first <= number && number <= last;
}

/* The lists of clients, said in numbers. */
static bool is_taken(const struct reference_flow *flow)
{
	static const uint8_t ip4[2] = { 192, 0 }, ip6[4] = { 0x20, 1, 0xd, 0xb8 };
	const uint8_t *client = flow->client;
	unsigned int third = client[4] * 256u + client[5], fourth = client[6] * 256u + client[7];

	if (flow->service == CHOSEN && !flow->is_ip6)
		return same(client, ip4, 2) && client[2] < 4 &&
			(client[2] != 2 || client[3] == 17 || !is_between(client[3], 16, 23));
	if (flow->service == CHOSEN)
		return same(client, ip6, 4) && third < 16 && !(third == 8 && fourth == 1);
	if (flow->service == SHUNNED && !flow->is_ip6)
		return !same(client, ip4, 2) || client[2] != 2 || client[3] > 127;
	if (flow->service == SHUNNED)
		return !same(client, ip6, 4) || !is_between(third, 8, 11);
	return true;
}
