/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether answers find their way to clients, and frames theirs to here. Of struct facts; pure. */
#pragma once

struct doctor;

/* The way to clients that are not on the link: there is one, and not through a balancer. */
void checks_route(const void *context, struct doctor *doctor);
/* Strict rp_filter where requests arrive, and answers leave by another interface. */
void checks_rp_filter(const void *context, struct doctor *doctor);
/* ICMP redirects that are taken: no fault. */
void checks_redirects(const void *context, struct doctor *doctor);
/* The MTU of the interface where requests arrive against that of the way to clients. */
void checks_mtu(const void *context, struct doctor *doctor);
/* Balancers that are reached by way of a gateway. */
void checks_off_link(const void *context, struct doctor *doctor);
/* Settings of TCP that break what a real server must do. */
void checks_tcp(const void *context, struct doctor *doctor);
