/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks each backend, at its MAC alone and at random times, whether it has the VIPs that it serves: one that says so
 * would draw the clients' frames past the balancer. IPv4 by ARP requests, IPv6 by neighbour solicitations, on the
 * backend interface. Sockets and times; what an answer proves is leak_judge.c's. Under sd-event. Needs CAP_NET_RAW.
 */
#pragma once

#include <systemd/sd-event.h>

#include "common/addr.h"

#define LEAK_WATCH_ANSWER_US (200 * US_PER_MS) /* later ones prove nothing */
#define LEAK_WATCH_LATE_US \
	(1000 * US_PER_MS) /* and still later ones answer nothing that was asked */
#define LEAK_WATCH_GAP_US \
	(4 * US_PER_MS)            /* between two questions, however many backends there are */
#define LEAK_WATCH_OPEN_MAX  1024u /* questions that are open; more are not asked */
#define LEAK_WATCH_LIARS_MAX 64u   /* MACs that answer what was not asked; more count as all */

struct leak_watch;

/* One backend and a VIP that it must not answer for. */
struct leak_watch_target {
	uint16_t backend; /* id */
	struct addr address;
	struct mac mac;
	struct addr vip;
};

struct leak_watch_callbacks {
	/* The next to be asked, all backends and their VIPs in turn; false: there is none. */
	bool (*next)(void *context, struct leak_watch_target *ret_target);
	/* Others' answers are of no interest. */
	bool (*is_vip)(void *context, const struct addr *address);
	/* It answers for the VIP; NULL: for none any more. May call leak_watch_forget(). */
	void (*leaks)(uint16_t backend, const struct addr *vip, void *context);
};

struct leak_watch_config {
	unsigned int ifindex; /* 0: nobody is asked */
	struct mac mac;       /* own */
	const struct addr *addresses;
	const struct addr_prefix *subnets; /* of each address */
	size_t n_addresses;
	size_t n_backends;
	uint64_t interval_us; /* in which each backend is asked twice, if they are not too many */
};

int leak_watch_start(sd_event *event, const struct leak_watch_callbacks *callbacks, void *context,
	struct leak_watch **ret_watch);
struct leak_watch *leak_watch_free(struct leak_watch *watch);
DEFINE_CLEANUP(struct leak_watch *, leak_watch_free)
/* What is to be asked from now on; call again when the link changed, and each second. 0 or negative errno. */
int leak_watch_set(struct leak_watch *watch, const struct leak_watch_config *config);
/* Asks this one soon: it is new, or somebody says that it answers. */
void leak_watch_ask(struct leak_watch *watch, const struct leak_watch_target *target);
/* The backend is gone, or has another MAC; no callback comes of it. */
void leak_watch_forget(struct leak_watch *watch, uint16_t backend);
