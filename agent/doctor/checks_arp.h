/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether this host is silent about its VIPs: ARP and neighbour discovery. Of struct facts; pure. */
#pragma once

struct doctor;

/* arp_ignore and arp_announce of each interface, and of `all`. */
void checks_arp(const void *context, struct doctor *doctor);
/* The same of `default`, for interfaces that come later. */
void checks_arp_default(const void *context, struct doctor *doctor);
/* proxy_arp, which answers for what this host only forwards. */
void checks_proxy_arp(const void *context, struct doctor *doctor);
/* proxy_ndp, the same of IPv6. */
void checks_proxy_ndp(const void *context, struct doctor *doctor);
