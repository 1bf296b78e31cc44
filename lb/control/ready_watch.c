/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compares readiness with what it was: see ready_watch.h. */
#include "lb/control/ready_watch.h"

#include "common/events/events.h"
#include "common/os/clock.h"
#include "lb/config/service.h"
#include "lb/control/status.h"
#include "lb/daemon/balancer.h"
#include "lb/daemon/update.h"

#define READY_WATCH_US US_PER_S

struct ready_watch {
	struct balancer *balancer;
	sd_event_source *post, *timer;
	uint64_t changes; /* at the last look */
	json_t *told;     /* virtual server → whether it was ready */
};

static size_t ready_watch_services(const struct balancer *balancer, const char *virtual_server,
	char (*ret_texts)[SERVICE_TEXT_BYTES])
{
	const struct service_list *services = balancer->services;
	size_t len = 0;

	for (size_t i = 0; i < services->len; i++)
		if (streq(services->items[i].virtual_server->name, virtual_server))
			len += service_format(
				&services->items[i], &ret_texts[len], EVENT_SERVICES_MAX - len);
	return len;
}

static void ready_watch_tell(
	const struct balancer *balancer, const char *virtual_server, bool ready, const char *reason)
{
	char texts[EVENT_SERVICES_MAX][SERVICE_TEXT_BYTES];
	const struct event event = {
		.message = EVENT_VIRTUAL_SERVER,
		.level = ready ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
		.virtual_server = virtual_server,
		.old = ready ? "not ready" : "ready",
		.now = ready ? "ready" : "not ready",
		.reason = reason,
		.services = texts,
		.n_services = ready_watch_services(balancer, virtual_server, texts),
	};

	events_raise(balancer->events, &event, "virtual server %s: %s -> %s%s%s", virtual_server,
		event.old, event.now, reason[0] ? ": " : "", reason);
}

static void ready_watch_on_ready(
	const char *virtual_server, bool ready, const char *reason, void *context)
{
	const struct ready_watch *watch = context;
	const json_t *before = json_object_get(watch->told, virtual_server);

	if (before && json_is_true(before) == ready)
		return;
	(void)json_object_set_new(watch->told, virtual_server, json_boolean(ready));
	if (before)
		ready_watch_tell(watch->balancer, virtual_server, ready, reason);
}

/* Those that are no longer configured; one of the same name that comes later is another. */
static void ready_watch_forget(const struct ready_watch *watch)
{
	const char *name;
	json_t *value;
	void *next;

	json_object_foreach_safe(watch->told, next, name, value)
	{
		if (!config_virtual_server_find(watch->balancer->config, name))
			(void)json_object_del(watch->told, name);
	}
}

static int ready_watch_compare(const void *a, const void *b)
{
	return addr_compare(a, b);
}

/* The VIPs all of whose virtual servers are ready. Without memory what was handed over stands. */
static void ready_watch_hand_over(const struct ready_watch *watch)
{
	const struct service_list *services = watch->balancer->services;
	struct addr *vips = NULL, *unready = calloc(services->len + 1, sizeof(*unready));
	size_t n_vips = 0, n_unready = 0, n_ready = 0;

	if (!unready || service_list_vips(services, &vips, &n_vips) < 0) {
		free(unready);
		return;
	}
	for (size_t i = 0; i < services->len; i++)
		if (!json_is_true(
			    json_object_get(watch->told, services->items[i].virtual_server->name)))
			unready[n_unready++] = services->items[i].vip;
	qsort(unready, n_unready, sizeof(*unready), ready_watch_compare);
	for (size_t i = 0; i < n_vips; i++)
		if (!bsearch(&vips[i], unready, n_unready, sizeof(*unready), ready_watch_compare))
			vips[n_ready++] = vips[i];
	free(unready);
	update_take_ready(watch->balancer->update, vips, n_ready);
}

static void ready_watch_look(struct ready_watch *watch)
{
	watch->changes = update_status(watch->balancer->update).changes;
	status_each_ready(watch->balancer, ready_watch_on_ready, watch);
	if (watch->balancer->config->announce == CONFIG_ANNOUNCE_ROUTE)
		ready_watch_hand_over(watch);
	if (json_object_size(watch->told) > watch->balancer->config->n_virtual_servers)
		ready_watch_forget(watch);
}

static int ready_watch_on_post(sd_event_source *source, void *context)
{
	struct ready_watch *watch = context;

	if (watch->changes != update_status(watch->balancer->update).changes)
		ready_watch_look(watch);
	return 0;
}

static int ready_watch_on_timer(sd_event_source *source, uint64_t due_us, void *context)
{
	ready_watch_look(context);
	balancer_timer_set(source, clock_now_us() + READY_WATCH_US);
	return 0;
}

int ready_watch_new(struct balancer *balancer, struct ready_watch **ret_watch)
{
	_cleanup_(ready_watch_freep) struct ready_watch *watch = calloc(1, sizeof(*watch));
	int r;

	if (!watch)
		return -ENOMEM;
	watch->balancer = balancer;
	watch->told = json_object();
	r = watch->told ? 0 : -ENOMEM;
	if (r >= 0)
		r = sd_event_add_post(balancer->event, &watch->post, ready_watch_on_post, watch);
	if (r >= 0)
		r = balancer_timer_new(balancer->event, ready_watch_on_timer, watch, &watch->timer);
	if (r < 0)
		return r;
	balancer_timer_set(watch->timer, clock_now_us() + READY_WATCH_US);
	*ret_watch = TAKE_PTR(watch);
	return 0;
}

struct ready_watch *ready_watch_free(struct ready_watch *watch)
{
	if (!watch)
		return NULL;
	sd_event_source_disable_unref(watch->post);
	sd_event_source_disable_unref(watch->timer);
	json_decref(watch->told);
	free(watch);
	return NULL;
}
