/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The balancer's interfaces and what its kernel does with frames of VIPs. Of struct facts; pure. */
#pragma once

struct doctor;

/* There, up, with a carrier, nobody's port. */
void checks_interface(const void *context, struct doctor *doctor);
/* A bond's mode. */
void checks_bond(const void *context, struct doctor *doctor);
/* The interfaces' MTUs against each other. */
void checks_mtu(const void *context, struct doctor *doctor);
/* On a router the kernel must not forward what comes for a VIP. */
void checks_forwarding(const void *context, struct doctor *doctor);
/* Reverse paths, where the balancer is its real servers' gateway. */
void checks_rp_filter(const void *context, struct doctor *doctor);
/* A VIP that is an address of this host. */
void checks_vip(const void *context, struct doctor *doctor);
/* Whether the next router is there, and whether anybody was heard of each VIP. */
void checks_router(const void *context, struct doctor *doctor);
/* Real servers that a MAC rewrite cannot reach. */
void checks_off_link(const void *context, struct doctor *doctor);
/* Router advertisements by which somebody could move backends to another interface. */
void checks_advertisements(const void *context, struct doctor *doctor);
