/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps the list of the routes that stand: see vip_routes.h. */
#include "lb/daemon/vip_routes.h"

#include "common/log.h"
#include "lb/config/service.h"
#include "lb/link/neigh/neigh.h"

/* Looked at in one second: one request each, however many routes the host has. */
#define VIP_ROUTES_LOOKS 64u

struct vip_routes {
	struct neigh *neigh;
	size_t next;       /* to look at */
	bool failed;       /* and it was said */
	struct addr *vips; /* sorted */
	size_t len;
};

struct vip_routes *vip_routes_new(struct neigh *neigh)
{
	struct vip_routes *routes = calloc(1, sizeof(*routes));

	if (routes)
		routes->neigh = neigh;
	return routes;
}

struct vip_routes *vip_routes_free(struct vip_routes *routes)
{
	if (!routes)
		return NULL;
	free(routes->vips);
	free(routes);
	return NULL;
}

static int vip_routes_compare(const void *a, const void *b)
{
	return addr_compare(a, b);
}

static bool vip_routes_has(const struct addr *list, size_t len, const struct addr *addr)
{
	return len > 0 && bsearch(addr, list, len, sizeof(*list), vip_routes_compare) != NULL;
}

static void vip_routes_remove(struct vip_routes *routes, const struct addr *vip)
{
	int r = neigh_blackhole_remove(routes->neigh, vip);
	char text[ADDR_STRLEN];

	if (r < 0)
		(void)log_warning_errno(
			r, "cannot remove the blackhole route for %s", addr_format(vip, text));
}

static void vip_routes_add(struct vip_routes *routes, const struct addr *vip)
{
	int r = neigh_blackhole_add(routes->neigh, vip);
	char text[ADDR_STRLEN];

	if (r < 0)
		(void)log_warning_errno(r,
			"cannot add a blackhole route for %s: with IP forwarding on, this host's "
			"kernel may forward its packets a second time",
			addr_format(vip, text));
}

void vip_routes_set(struct vip_routes *routes, const struct service_list *services)
{
	struct addr *vips = NULL;
	size_t len = 0;

	if (services && service_list_vips(services, &vips, &len) < 0)
		return;
	for (size_t i = 0; i < routes->len; i++)
		if (!vip_routes_has(vips, len, &routes->vips[i]))
			vip_routes_remove(routes, &routes->vips[i]);
	neigh_blackholes_begin(routes->neigh);
	for (size_t i = 0; i < len; i++)
		if (!vip_routes_has(routes->vips, routes->len, &vips[i]))
			vip_routes_add(routes, &vips[i]);
	neigh_blackholes_end(routes->neigh);
	free(routes->vips);
	routes->vips = vips;
	routes->len = len;
}

void vip_routes_housekeeping(struct vip_routes *routes)
{
	size_t n_gone = 0;
	char text[ADDR_STRLEN];
	int r = 0;

	for (size_t i = 0; i < MIN(routes->len, (size_t)VIP_ROUTES_LOOKS) && r == 0; i++) {
		const struct addr *vip = &routes->vips[routes->next++ % routes->len];
		bool was_gone = false;

		r = neigh_blackhole_mend(routes->neigh, vip, &was_gone);
		n_gone += was_gone;
		if (r < 0 && !routes->failed)
			(void)log_warning_errno(r, "cannot put back the blackhole route for %s",
				addr_format(vip, text));
	}
	routes->failed = r < 0;
	if (n_gone > 0)
		log_warning("somebody removed blackhole routes for VIPs; %zu are put back", n_gone);
}

static void vip_routes_sweep_one(const struct addr *vip, void *context)
{
	struct vip_routes *routes = context;

	if (!vip_routes_has(routes->vips, routes->len, vip))
		(void)neigh_blackhole_remove(routes->neigh, vip);
}

void vip_routes_sweep(struct vip_routes *routes, const struct service_ids *ids)
{
	service_ids_each(ids, vip_routes_sweep_one, routes);
}
