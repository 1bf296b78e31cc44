/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses as values: IPv4 and IPv6 hosts, prefixes, endpoints and MACs, with exact text
 * parsers and formatters. Pure.
 */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "common/util.h"

#define MAC_LEN     6u
#define MAC_STRLEN  sizeof("00:00:00:00:00:00")
#define ADDR_STRLEN INET6_ADDRSTRLEN
/* "[addr]:port" and "addr/len" fit too. */
#define ADDR_PORT_STRLEN (INET6_ADDRSTRLEN + sizeof("[]:65535"))

struct mac {
	uint8_t bytes[MAC_LEN];
};

/* family is AF_INET, AF_INET6, or AF_UNSPEC for "none"; unused bytes are zero (so memcmp works). */
struct addr {
	sa_family_t family;
	union {
		uint8_t bytes[16];
		struct in_addr ip4;
		struct in6_addr ip6;
	};
};

struct addr_prefix {
	struct addr addr; /* host bits are zero */
	uint8_t len;      /* bits: 0–32 or 0–128 */
};

struct addr_port {
	struct addr addr; /* AF_UNSPEC: any address */
	uint16_t port;    /* host byte order; 0: not given */
};

/* Numeric addresses only, never names; ::ffff:192.0.2.1 is read as IPv4. 0, or -EINVAL. */
int addr_parse(const char *text, struct addr *ret_addr);
/* "192.0.2.0/24", or a bare address (full length). Host bits set: -EINVAL. */
int addr_prefix_parse(const char *text, struct addr_prefix *ret_prefix);
/*
 * "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80"; with `port_only_allowed` also
 * "7377" and ":7377". Port 1–65535. 0, or -EINVAL.
 */
int addr_port_parse(const char *text, bool port_only_allowed, struct addr_port *ret_endpoint);
/* Six colon- or hyphen-separated hex pairs; multicast and all-zero are -EINVAL. */
int mac_parse(const char *text, struct mac *ret_mac);

/* Format into `buffer` (ADDR_STRLEN, ADDR_PORT_STRLEN, MAC_STRLEN) and return it; "" for AF_UNSPEC. */
const char *addr_format(const struct addr *addr, char *buffer);
const char *addr_port_format(const struct addr_port *endpoint, char *buffer);
const char *mac_format(const struct mac *mac, char *buffer);

bool addr_equal(const struct addr *a, const struct addr *b);
/* Total order: family, then bytes. */
int addr_compare(const struct addr *a, const struct addr *b);
/* Total order: the address, then the length, so that a prefix stands behind those that hold it. */
int addr_prefix_compare(const struct addr_prefix *a, const struct addr_prefix *b);
bool addr_in_prefix(const struct addr *addr, const struct addr_prefix *prefix);
/* A host on some network: not unspecified, multicast, broadcast or loopback. */
bool addr_is_unicast(const struct addr *addr);
bool addr_is_link_local6(const struct addr *addr);
/* The number of bytes of an address of this family: 4 or 16. */
size_t addr_size_bytes(const struct addr *addr);
bool mac_equal(const struct mac *a, const struct mac *b);
bool mac_is_zero(const struct mac *mac);

/* Socket addresses. IPv4-mapped IPv6 becomes IPv4. -EAFNOSUPPORT for other families. */
int addr_from_sockaddr(const struct sockaddr *address, struct addr_port *ret_endpoint);
/*
 * `scope_ifindex` is used for link-local IPv6 only. AF_UNSPEC becomes the IPv6 wildcard, which a
 * socket without IPV6_V6ONLY serves for IPv4 too. Returns the length to pass to the kernel.
 */
socklen_t addr_to_sockaddr(const struct addr_port *endpoint, unsigned int scope_ifindex,
	struct sockaddr_storage *ret_address);

/* ---- many look-ups among many ---- */

struct addr_index_item {
	const struct addr *addr;
	size_t idx; /* of its element in the array */
};

/*
 * The addresses of an array in their order, for as long as the array is as it was: of addresses, or of structs that have
 * one each. Zeroed: of no array.
 */
struct addr_index {
	struct addr_index_item *items; /* equal ones in the order of the array */
	size_t len;
};

/* Of an array whose elements, of so many bytes, have their address at this offset. -ENOMEM. To be cleared. */
int addr_index_make(const void *array, size_t len, size_t element_bytes, size_t offset_bytes,
	struct addr_index *ret_index);
void addr_index_clear(struct addr_index *index);
/* The position among the items of the first that is equal; len: none is. Those that are equal too follow it. */
size_t addr_index_find(const struct addr_index *index, const struct addr *addr);
bool addr_index_has(const struct addr_index *index, const struct addr *addr);
