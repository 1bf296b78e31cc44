/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The running balancer: its configuration and its parts, all under one event loop and in one thread; the
 * engine's workers are the only other threads, and touch none of this. A part is opaque and says what
 * others may know by its _status() function. daemon.c makes and frees them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct balancer_paths {
	const char *config;
	const char *runtime_dir;
};

struct balancer {
	sd_event *event;
	struct balancer_paths paths;
	uint64_t started_us; /* monotonic, as all times here */
	uint64_t boot_id;    /* of this balancer's memory: kept as long as the backends are */

	/* The configuration in force; written by reload alone. */
	struct config *config;
	struct ini_report *report; /* its effective lines */
	struct service_ids *service_ids;
	struct service_list *services;
	uint64_t config_generation;

	/* Of the rooms below. */
	struct keep *keep;
	struct flow_walk *flow_walk;
	struct publish *publish;
	struct gone_services *gone_services;
	struct ceiling *ceiling;
	struct registry *registry;
	struct sessions *sessions;
	struct neigh *neigh;       /* the host's, and the clients' interface */
	struct segments *segments; /* the backends' interfaces */
	struct announce *announce;
	struct route_announce *route_announce;
	struct tcp_checks *tcp_checks;
	struct events *events;   /* NULL until the runtime folder is ours: only logged */
	struct control *control; /* NULL until everything else stands */
	struct http *http;       /* of the room above, which frees it */

	/* Of this room. */
	struct idle *idle;
	struct dataplane *dataplane;
	struct role *role;
	struct vip_routes *vip_routes;
	struct drain_waits *drain_waits;
	struct update *update;
	struct actions *actions;
	struct agents *agents;
	struct path_checks *path_checks;
	struct leaks *leaks;
	struct losses *losses;
	struct reload *reload;
};

/* A timer that is not set, of lower priority than messages. 0 or negative errno; the caller unrefs it. */
int balancer_timer_new(
	sd_event *event, sd_event_time_handler_t fn, void *context, sd_event_source **ret_timer);
/* Once, at that time. */
void balancer_timer_set(sd_event_source *timer, uint64_t when_us);
