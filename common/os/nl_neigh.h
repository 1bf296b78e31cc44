/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries of the kernel's neighbour table that nothing learned may change: looked for, made, deleted. */
#pragma once

#include "common/addr.h"
#include "common/os/nl.h"

struct nl_neigh {
	unsigned int ifindex;
	struct addr address;
	struct mac mac;   /* zero: none is known */
	bool fixed;       /* somebody set it, and no ARP or NA moves it */
	uint8_t protocol; /* who made it (rtm_protocol's numbers); 0: nobody says */
};

/* RTM_NEWNEIGH of a host: 0, -ENODATA (not of interest), -EBADMSG. The message itself must be whole (nl_message_ok()). */
int nl_neigh_parse(const struct nlmsghdr *message, struct nl_neigh *ret_neigh);
/* The begin of a request about one entry, and its fixed part, whose other fields are zero; see nl_request(). */
struct ndmsg;
struct nlmsghdr *nl_neigh_request(struct nl *nl, uint16_t type, uint16_t flags,
	unsigned int ifindex, const struct addr *address, struct ndmsg **ret_entry);
/* The kernel's entry of one neighbour. -ENOENT: there is none. */
int nl_neigh_query(struct nl *nl, unsigned int ifindex, const struct addr *address,
	struct nl_neigh *ret_neigh);
/* All entries of all interfaces, through `fn`. 0 or negative errno. */
int nl_neigh_dump(struct nl *nl, nl_message_fn *fn, void *context);
/* Makes the entry permanent and of this protocol, whatever it was. 0 or negative errno. */
int nl_neigh_pin(struct nl *nl, unsigned int ifindex, const struct addr *address,
	const struct mac *mac, uint8_t protocol);
/* Deletes the entry. -ENOENT: there is none. */
int nl_neigh_delete(struct nl *nl, unsigned int ifindex, const struct addr *address);
