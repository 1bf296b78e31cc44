/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rtnetlink for route_plan.h: see route_announce.h. */
#include "lb/link/route_announce.h"

#include <linux/rtnetlink.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/log.h"
#include "common/os/clock.h"
#include "common/os/nl.h"
#include "lb/link/neigh/neigh_request.h"
#include "lb/link/route_plan.h"

struct route_announce {
	sd_event *event;
	struct nl *requests;
	struct nl *
		events; /* NULL until a route is wanted: a router's host has many changes of routes */
	sd_event_source *events_source;
	sd_event_source *timer;
	struct route_plan plan;
	bool anew; /* what stands must be read */
	bool said; /* that it cannot be read */
};

/* Whether the route is of the kind that is made here. */
static bool route_announce_is_ours(const struct neigh_route_message *route)
{
	return route->table == RT_TABLE_MAIN && route->type == RTN_BLACKHOLE &&
		route->protocol == ROUTE_ANNOUNCE_PROTOCOL &&
		route->prefix_len == addr_size_bytes(&route->destination) * 8;
}

static int route_announce_on_route(const struct nlmsghdr *message, void *context)
{
	struct route_announce *routes = context;
	struct neigh_route_message route;

	if (neigh_parse_route(message, &route) < 0 || !route_announce_is_ours(&route))
		return 0;
	return route_plan_stands(&routes->plan, &route.destination);
}

static int route_announce_read(struct route_announce *routes)
{
	static const sa_family_t families[] = { AF_INET, AF_INET6 };
	int r = 0;

	route_plan_begin(&routes->plan);
	for (size_t i = 0; i < ARRAY_LEN(families) && r == 0; i++)
		r = neigh_dump_blackholes(
			routes->requests, families[i], route_announce_on_route, routes);
	return r;
}

static void route_announce_add(
	struct route_announce *routes, struct route_plan_entry *entry, uint64_t now_us)
{
	bool was_blocked = entry->blocked;
	char text[ADDR_STRLEN];
	int r = nl_transact(routes->requests,
		neigh_request_blackhole(routes->requests, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL,
			&entry->vip, ROUTE_ANNOUNCE_PROTOCOL));

	route_plan_added(entry, r == 0, now_us);
	if (r == 0 || was_blocked)
		return;
	if (r == -EEXIST)
		log_warning(
			"cannot announce %s by a route: somebody else's route to it is in the main table",
			addr_format(&entry->vip, text));
	else
		(void)log_warning_errno(
			r, "cannot announce %s by a route", addr_format(&entry->vip, text));
}

/* The kernel compares type and protocol: net/ipv4/fib_trie.c:fib_table_delete, 6.1. */
static void route_announce_remove(struct route_announce *routes, struct route_plan_entry *entry)
{
	char text[ADDR_STRLEN];
	int r = nl_transact(routes->requests,
		neigh_request_blackhole(
			routes->requests, RTM_DELROUTE, 0, &entry->vip, ROUTE_ANNOUNCE_PROTOCOL));

	if (r < 0 && r != -ESRCH)
		(void)log_warning_errno(
			r, "cannot withdraw the route to %s", addr_format(&entry->vip, text));
	route_plan_removed(entry);
}

static void route_announce_arm(struct route_announce *routes, uint64_t due_us)
{
	(void)sd_event_source_set_time(routes->timer, due_us);
	(void)sd_event_source_set_enabled(
		routes->timer, due_us == ROUTE_PLAN_NEVER_US ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static void route_announce_run(struct route_announce *routes)
{
	uint64_t now_us = clock_now_us();
	int r = routes->anew ? route_announce_read(routes) : 0;

	routes->anew = r < 0;
	if (r < 0 && !routes->said)
		(void)log_warning_errno(r, "cannot read routes; trying again");
	routes->said = r < 0;
	ARRAY_FOREACH (entry, routes->plan.items, routes->plan.len) {
		enum route_plan_action action = route_plan_next(entry, now_us);

		if (action == ROUTE_PLAN_ADD)
			route_announce_add(routes, entry, now_us);
		else if (action == ROUTE_PLAN_REMOVE)
			route_announce_remove(routes, entry);
	}
	route_plan_tidy(&routes->plan, now_us);
	route_announce_arm(routes,
		routes->anew ? now_us + ROUTE_PLAN_PACE_US : route_plan_due_us(&routes->plan));
}

static int route_announce_on_timer(sd_event_source *source, uint64_t due_us, void *context)
{
	route_announce_run(context);
	return 0;
}

/* What differs from what is known here; own changes come back as events, too. */
static int route_announce_on_message(const struct nlmsghdr *message, void *context)
{
	struct route_announce *routes = context;
	const struct route_plan_entry *entry;
	struct neigh_route_message route;

	if (neigh_parse_route(message, &route) < 0 || route.table != RT_TABLE_MAIN ||
		route.prefix_len != addr_size_bytes(&route.destination) * 8)
		return 0;
	entry = route_plan_find(&routes->plan, &route.destination);
	if (route_announce_is_ours(&route))
		routes->anew |= route.gone ? entry && entry->standing : !entry || !entry->standing;
	else
		routes->anew |= entry && (entry->standing || entry->blocked);
	return 0;
}

static int route_announce_on_events(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct route_announce *routes = context;
	int r = nl_read_events(routes->events, route_announce_on_message, routes);

	routes->anew |= r < 0;
	if (routes->anew)
		route_announce_arm(
			routes, clock_now_us() + (r < 0 && r != -ENOBUFS ? ROUTE_PLAN_PACE_US : 0));
	return 0;
}

static int route_announce_follow(struct route_announce *routes)
{
	static const unsigned int groups[] = { RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, 0 };
	int r;

	if (routes->events)
		return 0;
	r = nl_open_events(NETLINK_ROUTE, groups, &routes->events);
	if (r < 0)
		return r;
	routes->anew = true;
	return sd_event_add_io(routes->event, &routes->events_source, nl_fd(routes->events),
		EPOLLIN, route_announce_on_events, routes);
}

static void route_announce_unfollow(struct route_announce *routes)
{
	sd_event_source_disable_unref(routes->events_source);
	routes->events_source = NULL;
	routes->events = nl_free(routes->events);
}

int route_announce_set(struct route_announce *routes, const struct addr *vips, size_t n_vips)
{
	int r = route_plan_want(&routes->plan, vips, n_vips);

	if (r == 0 && n_vips > 0)
		r = route_announce_follow(routes);
	else if (n_vips == 0)
		route_announce_unfollow(routes);
	route_announce_run(routes);
	return r;
}

int route_announce_start(sd_event *event, struct route_announce **ret_routes)
{
	_cleanup_(route_announce_freep) struct route_announce *routes = calloc(1, sizeof(*routes));
	const int on = 1;
	int r;

	if (!routes)
		return -ENOMEM;
	routes->event = sd_event_ref(event);
	r = nl_open(NETLINK_ROUTE, &routes->requests);
	if (r < 0)
		return r;
	(void)setsockopt(
		nl_fd(routes->requests), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	r = sd_event_add_time(
		event, &routes->timer, CLOCK_MONOTONIC, 0, 0, route_announce_on_timer, routes);
	if (r >= 0)
		r = sd_event_source_set_enabled(routes->timer, SD_EVENT_OFF);
	if (r < 0)
		return r;
	routes->anew = true;
	*ret_routes = TAKE_PTR(routes);
	return 0;
}

struct route_announce *route_announce_free(struct route_announce *routes)
{
	if (!routes)
		return NULL;
	ARRAY_FOREACH (entry, routes->plan.items, routes->plan.len)
		if (entry->standing)
			route_announce_remove(routes, entry);
	route_announce_unfollow(routes);
	sd_event_source_disable_unref(routes->timer);
	nl_free(routes->requests);
	sd_event_unref(routes->event);
	route_plan_clear(&routes->plan);
	free(routes);
	return NULL;
}
