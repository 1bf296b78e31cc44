/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which clients a service takes, where its allow-clients and deny-clients say so: the longest prefix that
 * holds an address decides. Prefixes lie in each other or apart, so what they say together is a line of
 * addresses cut into pieces which are taken and refused in turn. A list is where these begin: the first
 * one taken, the first one behind it refused, and so on; an address is taken where an odd number of
 * them is not above it. That number is found in as many steps as its bits, whatever the prefixes.
 *
 * lb/engine/client_lists.c makes the lists. Like the image (image.h) they are memory without a pointer.
 */
#pragma once

#include "lb/fwd/types.h"
#include "lb/fwd/wire.h"

/* Powers of two, for indexes under a mask. */
#define CLIENTS_LISTS      16384u
#define CLIENTS_BEGINNINGS 65536u /* of each family */

/* In host byte order. */
struct clients_address6 {
	__u64 high, low;
};

/* Of one virtual server: places of its beginnings in each family, in rising order. */
struct clients_list {
	__u32 first4, len4;
	__u32 first6, len6;
};

struct fwd_clients {
	__u32 n_lists; /* with [0], which is nobody's: an empty list takes no client */
	__u32 n_from4, n_from6;
	__u32 pad;
	struct clients_list lists[CLIENTS_LISTS];
	__u32 from4[CLIENTS_BEGINNINGS]; /* host byte order */
	struct clients_address6 from6[CLIENTS_BEGINNINGS];
};
/* Kernels before 6.0 may refuse larger values of array maps. */
_Static_assert(sizeof(struct fwd_clients) <= 4u << 20, "one value of a map");

/* How many beginnings of the list are not above the address. */
FWD_INLINE __u32 clients_count4(
	const struct fwd_clients *clients, const struct clients_list *list, __u32 address)
{
	__u32 count = 0;

	for (__u32 step = CLIENTS_BEGINNINGS; step; step >>= 1) {
		__u32 next = fwd_some(count, address) + step;
		__u32 at = list->first4 + next - 1;

		if (next <= list->len4 && clients->from4[at & (CLIENTS_BEGINNINGS - 1)] <= address)
			count = next;
	}
	return count;
}

FWD_INLINE __u32 clients_count6(const struct fwd_clients *clients, const struct clients_list *list,
	const struct clients_address6 *address)
{
	__u32 count = 0;

	for (__u32 step = CLIENTS_BEGINNINGS; step; step >>= 1) {
		__u32 next = fwd_some(count, (__u32)address->low) + step;
		__u32 at = list->first6 + next - 1;
		const struct clients_address6 *from =
			&clients->from6[at & (CLIENTS_BEGINNINGS - 1)];

		if (next <= list->len6 &&
			(from->high < address->high ||
				(from->high == address->high && from->low <= address->low)))
			count = next;
	}
	return count;
}

/* Whether the list at that place takes the client. An IPv6 packet is of no IPv4 client, whatever it says. */
FWD_INLINE int clients_take(
	const struct fwd_clients *clients, __u32 place, const struct fwd_addr *client, int is_ip6)
{
	const struct clients_list *list = &clients->lists[place & (CLIENTS_LISTS - 1)];
	struct clients_address6 address;

	if (!is_ip6)
		return clients_count4(clients, list, WIRE_32(client->word[3])) & 1;
	address.high = (__u64)WIRE_32(client->word[0]) << 32 | WIRE_32(client->word[1]);
	address.low = (__u64)WIRE_32(client->word[2]) << 32 | WIRE_32(client->word[3]);
	return clients_count6(clients, list, &address) & 1;
}
