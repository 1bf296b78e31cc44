/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See status_checks.h. Called by status.c. */
#include "lb/control/status_checks.h"

#include "common/os/clock.h"
#include "lb/config/service.h"
#include "lb/daemon/balancer.h"
#include "lb/registry/registry.h"

/* `vip` NULL: it is of the whole server. */
static void checks_add(json_t *checks, const char *name, const struct addr *vip, bool ok,
	const char *reason, uint64_t since_us)
{
	uint64_t now_us = clock_now_us();
	char text[ADDR_STRLEN];

	json_array_append_new(checks,
		json_pack("{s:s, s:s?, s:b, s:s, s:f}", "check", name, "vip",
			vip ? addr_format(vip, text) : NULL, "ok", ok, "reason", reason, "since_s",
			(double)(now_us - MIN(since_us, now_us)) / (double)US_PER_S));
}

static void checks_add_connections(json_t *checks,
	const struct config_virtual_server *virtual_server, const struct backend *backend)
{
	const uint16_t *ports = virtual_server->check_tcp.items;
	char name[sizeof("tcp:65535")];

	for (size_t i = 0; i < virtual_server->check_tcp.len; i++)
		for (size_t k = 0; k < backend->n_checks; k++) {
			const struct registry_check *check = &backend->checks[k];

			if (check->port != ports[i])
				continue;
			snprintf(name, sizeof(name), "tcp:%u", ports[i]);
			checks_add(checks, name, NULL, check->ok,
				check->known ? check->reason : "has not answered yet",
				check->since_us);
		}
}

/* What is asked of one service by way of its VIP. */
static void checks_add_paths(
	const struct balancer *balancer, size_t idx, const struct backend *backend, json_t *checks)
{
	const struct registry_service *service = &balancer->services->registry[idx];
	struct registry_check_view view;

	for (size_t i = 0; i <= service->n_requests; i++)
		if (registry_path_view(balancer->registry, backend, service, i, &view))
			checks_add(checks, i == 0 ? "path" : service->requests[i - 1].name,
				&service->vip, view.ok, view.reason.text, view.since_us);
}

json_t *status_checks(const struct balancer *balancer,
	const struct config_virtual_server *virtual_server, size_t first,
	const struct backend *backend)
{
	json_t *checks = json_array();
	struct registry_check_view view;

	if (virtual_server->check_agent && registry_agent_view(balancer->registry, backend, &view))
		checks_add(checks, "agent", NULL, view.ok, view.reason.text, view.since_us);
	checks_add_connections(checks, virtual_server, backend);
	for (size_t i = first; i < first + virtual_server->vips.len; i++)
		checks_add_paths(balancer, i, backend, checks);
	return checks;
}
