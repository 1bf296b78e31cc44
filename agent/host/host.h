/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model of the real server's host: interfaces with their ARP settings, addresses, and what
 * the agent itself changed (so that it can undo exactly that). Plain data; observe.c fills it,
 * plan.c compares it, apply.c changes the kernel. Pure.
 */
#pragma once

#include <net/if.h>

#include "common/addr.h"
#include "common/util.h"

#define HOST_LINKS_MAX     16384u
#define HOST_ADDRESSES_MAX 65536u
#define HOST_VIPS_MAX      1024u /* PROTO_VIPS_MAX */
/* Those that are wanted, those that are kept, and as many that a reload puts in the place of either. */
#define HOST_ADDED_MAX ((size_t)3 * HOST_VIPS_MAX)

#define HOST_ARP_IGNORE   UINT32_C(1)
#define HOST_ARP_ANNOUNCE UINT32_C(2)

struct host_link {
	unsigned int ifindex;
	char name[IFNAMSIZ];
	bool up;       /* IFF_UP: without it the kernel delivers nothing to its addresses */
	bool arp;      /* answers ARP: not loopback, not IFF_NOARP */
	bool exempt;   /* its ARP settings are none of our business; host_mark_exempt() */
	bool has_inet; /* the kernel told its IPv4 settings; without them it speaks no IPv4 */
	struct mac mac;
	uint32_t arp_ignore; /* the interface's own values, full width */
	uint32_t arp_announce;
};

struct host_address {
	unsigned int ifindex;
	struct addr addr;
	uint8_t prefix_len;
	uint8_t scope;
	uint32_t flags;       /* IFA_F_… */
	char label[IFNAMSIZ]; /* IPv4 only */
};

/* The host as it is. */
struct host {
	struct host_link *links; /* by ascending ifindex, each once */
	size_t n_links;
	struct host_address *addresses;
	size_t n_addresses;
	uint32_t all_arp_ignore; /* conf/all: nobody can set them over netlink */
	uint32_t all_arp_announce;
};
/* Frees what the host holds and leaves it empty. */
void host_clear(struct host *host);
/* Puts the interface in its place, instead of the one with its index. -ENOMEM or -E2BIG. */
int host_put_link(struct host *host, const struct host_link *link);

/* The value that an interface was found with, before the agent's first change. */
struct host_original {
	unsigned int ifindex;
	char name[IFNAMSIZ];
	struct mac mac;
	uint32_t arp_ignore;
	uint32_t arp_announce;
};

/* An address that we put there. */
struct host_added {
	struct addr addr;
	unsigned int ifindex;
};

/* What the agent changed and must be able to undo after a crash; kept in a file. */
struct host_undo {
	struct host_original *originals; /* made by GROW(); up to HOST_LINKS_MAX */
	size_t n_originals;
	struct host_added added[HOST_ADDED_MAX];
	size_t n_added;
};

/* Frees what it holds and leaves it empty. */
void host_undo_clear(struct host_undo *undo);
/* -ENOMEM or -ENOSPC. */
int host_undo_add_original(struct host_undo *undo, const struct host_original *original);

/* What is wanted. */
struct host_wanted {
	struct addr vips[HOST_VIPS_MAX];
	size_t n_vips;
	unsigned int loopback_ifindex; /* of the `loopback` interface; 0: absent */
	char loopback[IFNAMSIZ];
	char *const *exempt; /* patterns of interfaces to leave alone; borrowed */
	size_t n_exempt;
	struct addr kept[HOST_VIPS_MAX]; /* wanted no longer, but connections may end */
	size_t n_kept;
	unsigned int balancer_ifindex; /* never exempt; 0: not known yet */
};

/* The interface with this index (a search over sorted links); NULL: absent. */
const struct host_link *host_link(const struct host *host, unsigned int ifindex);
/* The interface of this name; NULL: absent. */
const struct host_link *host_link_by_name(const struct host *host, const char *name);
/* The VIP on this interface, with the full prefix length; NULL: absent. */
const struct host_address *host_vip(
	const struct host *host, unsigned int ifindex, const struct addr *vip);
/* The prefix length of a host route to this address: 32 or 128. */
uint8_t host_full_prefix(const struct addr *addr);
/* Whether a pattern exempts an interface of this name. */
bool host_name_is_exempt(const struct host_wanted *wanted, const char *name);
/* Decides of every interface whether it is left alone. */
void host_mark_exempt(struct host *host, const struct host_wanted *wanted);
bool host_wants_ipv4(const struct host_wanted *wanted);

/*
 * The interface that a saved original belongs to; NULL: it has gone. An interface is known by its
 * index and, because an index can be used anew, by its name or its MAC, either of which may change.
 */
const struct host_link *host_link_of_original(
	const struct host *host, const struct host_original *original);
/* The saved original of an interface; NULL: never changed by us. */
const struct host_original *host_undo_original(
	const struct host_undo *undo, const struct host_link *link);
/* Whether this address on this interface was put there by us. */
bool host_undo_has_address(
	const struct host_undo *undo, unsigned int ifindex, const struct addr *addr);

/* max(all, interface), signed: what the kernel goes by (include/linux/inetdevice.h: IN_DEV_MAXCONF). */
uint32_t host_effective_ignore(const struct host *host, const struct host_link *link);
uint32_t host_effective_announce(const struct host *host, const struct host_link *link);
/*
 * 1 and 2 keep silence for a VIP on lo. 0 and 3–7 answer, 8 silences the real IP too, any other
 * number answers (net/ipv4/arp.c:arp_ignore, 6.18).
 */
bool host_ignore_is_right(uint32_t effective);
/* 2 alone (net/ipv4/arp.c:arp_solicit, 6.18: 0, 1 and unknown numbers may announce the VIP). */
bool host_announce_is_right(uint32_t effective);
/* Whether this interface answers no ARP for an address of another interface, nor announces one. */
bool host_link_is_silent(const struct host *host, const struct host_link *link);
