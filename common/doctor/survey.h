/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What netlink tells of this host at one moment: interfaces with their settings, addresses, routes and
 * neighbours. Needs no privilege. For the doctors, which look once.
 */
#pragma once

#include <linux/ip.h>
#include <net/if.h>

#include "common/addr.h"

#define SURVEY_ITEMS_MAX  65536u /* of each list; what is more is not looked at */
#define SURVEY_KIND_BYTES 16u
#define SURVEY_NAME_BYTES 64u

struct survey_link {
	unsigned int ifindex;
	char name[IFNAMSIZ];          /* printable ASCII */
	char kind[SURVEY_KIND_BYTES]; /* "bond", "veth"; "": of a card, or lo */
	unsigned int flags;           /* IFF_… */
	uint32_t mtu_bytes;
	unsigned int master; /* index of the bridge or bond whose port it is; 0: none's */
	uint32_t xdp_id;     /* of the XDP program there; 0: none */
	bool has_bond_mode;
	uint8_t bond_mode;
	bool has_conf4;
	uint32_t conf4[IPV4_DEVCONF_MAX]; /* at IPV4_DEVCONF_X - 1: the interface's own values */
	bool proxy_ndp;
	bool takes_redirects6; /* of ICMPv6 */
	bool takes_prefixes6;  /* of router advertisements: makes addresses of them */
};

struct survey_address {
	unsigned int ifindex;
	struct addr addr;
	uint8_t prefix_len;
	bool lasting; /* without a lifetime */
};

struct survey_route {
	struct addr_prefix
		destination;  /* address AF_UNSPEC with len 0: never; all zeros: default */
	struct addr gateway;  /* AF_UNSPEC: on the link */
	unsigned int ifindex; /* of the first way, where there are several; 0: none */
	uint8_t type;         /* RTN_… */
	uint8_t protocol;     /* RTPROT_… */
	uint32_t table;       /* RT_TABLE_… */
	uint32_t priority;    /* less is preferred */
	uint32_t mtu_bytes;   /* 0: the interface's */
};

struct survey_neighbour {
	struct addr addr;
	unsigned int ifindex;
	struct mac mac;  /* zero: not known */
	uint16_t state;  /* NUD_… */
	bool is_proxied; /* answered for by this host */
};

/* At tc's ingress: all of one kind and priority together. */
struct survey_filter {
	char kind[SURVEY_KIND_BYTES]; /* "bpf", "u32" */
	char name
		[SURVEY_NAME_BYTES]; /* of the first program; "": of another kind, or it has none */
	uint32_t priority;           /* less is first; what `tc` calls pref */
};

struct survey {
	struct survey_link *links;
	size_t n_links;
	struct survey_address *addresses;
	size_t n_addresses;
	struct survey_route *routes;
	size_t n_routes;
	struct survey_neighbour *neighbours;
	size_t n_neighbours;
};

/* 0 with `*ret_survey`, to be cleared by the caller; or negative errno. */
int survey_make(struct survey *ret_survey);
/*
 * By which route the kernel would send to `to`, from the address `from` (AF_UNSPEC: whichever) with all its
 * rules and tables: gateway, interface and MTU are told. 0, -ENETUNREACH, or another negative errno.
 */
int survey_ask(const struct addr *to, const struct addr *from, struct survey_route *ret_route);
/*
 * The filters of the interface's ingress (clsact, or the qdisc ingress) in the order in which frames come to them, but
 * none that only others lead to (chains). 0 with `*ret_filters`, to be freed by the caller; or negative errno.
 */
int survey_filters(unsigned int ifindex, struct survey_filter **ret_filters, size_t *ret_n_filters);
/* Frees what it holds and leaves it empty. */
void survey_clear(struct survey *survey);

/* NULL: absent. */
const struct survey_link *survey_link(const struct survey *survey, unsigned int ifindex);
const struct survey_link *survey_link_by_name(const struct survey *survey, const char *name);
/* The preferred default route of the main table; NULL: there is none. */
const struct survey_route *survey_default_route(const struct survey *survey, sa_family_t family);
/* Whether this own address has the other one in its subnet. */
bool survey_is_in_subnet(const struct survey_address *address, const struct addr *addr);
/* Whether an address of the interface (0: any) has this one in its subnet. */
bool survey_is_on_link(const struct survey *survey, unsigned int ifindex, const struct addr *addr);
/* NULL: the kernel does not know it there. */
const struct survey_neighbour *survey_neighbour(
	const struct survey *survey, unsigned int ifindex, const struct addr *addr);
/* An interface's own value of a setting, IPV4_DEVCONF_…; 0 where the kernel does not tell. */
uint32_t survey_conf4(const struct survey_link *link, unsigned int setting);
