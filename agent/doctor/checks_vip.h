/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether the VIPs are where they must be, and nowhere else. Of struct facts; pure. */
#pragma once

struct doctor;

/* Each VIP on the loopback interface, as a host address. */
void checks_vip(const void *context, struct doctor *doctor);
/* A VIP with another prefix length makes a whole subnet this host's. */
void checks_vip_prefix(const void *context, struct doctor *doctor);
/* A VIP on another interface, too. */
void checks_vip_place(const void *context, struct doctor *doctor);
/* A VIP that somebody else put there by an alias, lo:0. */
void checks_vip_alias(const void *context, struct doctor *doctor);
