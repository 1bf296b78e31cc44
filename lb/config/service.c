/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Services: see service.h. */
#include "lb/config/service.h"

/*
 * The first port stands for all; where every port is served none is known to, and echo is. It stands for SCTP, too,
 * which the balancer does not speak.
 */
static void service_fill_path(
	const struct config_virtual_server *from, struct registry_service *ret)
{
	const struct config_port *ports = from->ports.items;

	if (!from->check_path)
		return;
	ret->path = from->ports.len == 0 || from->protocol == CONFIG_SCTP ? REGISTRY_PATH_ECHO
		: from->protocol == CONFIG_UDP                            ? REGISTRY_PATH_UDP
									  : REGISTRY_PATH_TCP;
	ret->path_port = ret->path == REGISTRY_PATH_ECHO ? 0 : ports[0].first;
}

static void service_fill_registry(const struct service *service, const struct registry_port *ports,
	const struct registry_request *requests, struct registry_service *ret)
{
	const struct config_virtual_server *from = service->virtual_server;

	*ret = (struct registry_service){
		.id = service->id,
		.virtual_server = from->name,
		.vip = service->vip,
		.allow = from->allow.items,
		.n_allow = from->allow.len,
		.use_agents = from->check_agent,
		.tcp = config_serves(from, CONFIG_TCP),
		.udp = config_serves(from, CONFIG_UDP),
		.sctp = config_serves(from, CONFIG_SCTP),
		.ports = ports,
		.n_ports = from->ports.len,
		.tcp_ports = from->check_tcp.items,
		.n_tcp_ports = from->check_tcp.len,
		.requests = requests,
		.n_requests = from->check_http.len,
		.check_interval_us = from->check_interval_us,
		.check_timeout_us = from->check_timeout_us,
		.check_fall = from->check_fall,
		.check_rise = from->check_rise,
		.drain_timeout_us = from->drain_timeout_us,
		.slow_start_us = from->slow_start_us,
		.drop_on_all_down = from->drop_on_all_down,
		.minimum = from->minimum.number,
		.is_minimum_percent = from->minimum.is_percent,
	};
	service_fill_path(from, ret);
}

static void service_fill_statics(const struct config *config, struct registry_static *statics)
{
	size_t idx = 0;

	for (size_t v = 0; v < config->n_virtual_servers; v++) {
		const struct config_virtual_server *virtual_server = config->virtual_servers[v];
		const struct config_real_server *servers = virtual_server->real_servers.items;

		for (size_t i = 0; i < virtual_server->real_servers.len; i++) {
			struct registry_static *to = &statics[idx++];

			*to = (struct registry_static){
				.address = servers[i].address,
				.mac = servers[i].mac,
				.weight = servers[i].weight,
				.max_connections = servers[i].max_connections,
				.is_backup = servers[i].is_backup,
				.virtual_server = virtual_server->name,
				.no_check = virtual_server->check_none,
			};
			snprintf(to->name, sizeof(to->name), "%s", servers[i].name);
		}
	}
}

/* Those of the virtual servers one after the other. */
static int service_make_ports(const struct config *config, struct service_list *list)
{
	size_t len = 0, idx = 0;

	for (size_t v = 0; v < config->n_virtual_servers; v++)
		len += config->virtual_servers[v]->ports.len;
	list->ports = calloc(len + 1, sizeof(*list->ports));
	if (!list->ports)
		return -ENOMEM;
	for (size_t v = 0; v < config->n_virtual_servers; v++) {
		const struct ini_list *ports = &config->virtual_servers[v]->ports;

		ARRAY_FOREACH (port, (const struct config_port *)ports->items, ports->len)
			list->ports[idx++] = (struct registry_port){ port->first, port->last };
	}
	return 0;
}

static int service_make_requests(const struct config *config, struct service_list *list)
{
	size_t len = 0, idx = 0;

	for (size_t v = 0; v < config->n_virtual_servers; v++)
		len += config->virtual_servers[v]->check_http.len;
	list->requests = calloc(len + 1, sizeof(*list->requests));
	if (!list->requests)
		return -ENOMEM;
	for (size_t v = 0; v < config->n_virtual_servers; v++) {
		const struct config_virtual_server *server = config->virtual_servers[v];
		const struct config_port *ports = server->ports.items;
		const struct config_url *urls = server->check_http.items;

		for (size_t i = 0; i < server->check_http.len; i++)
			list->requests[idx++] =
				(struct registry_request){ urls[i].text, urls[i].parts.target,
					urls[i].parts.port ? urls[i].parts.port : ports[0].first };
	}
	return 0;
}

static int service_list_count(const struct config *config, struct service_list *list)
{
	for (size_t v = 0; v < config->n_virtual_servers; v++) {
		list->len += config->virtual_servers[v]->vips.len;
		list->n_statics += config->virtual_servers[v]->real_servers.len;
	}
	return list->len > FWD_SERVICES_MAX ? -ENOSPC : 0;
}

int service_list_new(
	const struct config *config, struct service_ids *ids, struct service_list **ret_list)
{
	_cleanup_(service_list_freep) struct service_list *list = calloc(1, sizeof(*list));
	size_t idx = 0, n_ports = 0, n_requests = 0;
	int r;

	if (!list)
		return -ENOMEM;
	r = service_list_count(config, list);
	if (r == 0)
		r = service_make_ports(config, list);
	if (r == 0)
		r = service_make_requests(config, list);
	if (r < 0)
		return r;
	list->items = calloc(list->len + 1, sizeof(*list->items));
	list->registry = calloc(list->len + 1, sizeof(*list->registry));
	list->statics = calloc(list->n_statics + 1, sizeof(*list->statics));
	list->positions = calloc(FWD_ID_MAX + 1, sizeof(*list->positions));
	if (!list->items || !list->registry || !list->statics || !list->positions)
		return -ENOMEM;
	service_ids_begin(ids);
	for (size_t v = 0; v < config->n_virtual_servers; v++) {
		const struct config_virtual_server *virtual_server = config->virtual_servers[v];
		const struct addr *vips = virtual_server->vips.items;

		for (size_t i = 0; i < virtual_server->vips.len; i++, idx++) {
			struct service *service = &list->items[idx];

			service->virtual_server = virtual_server;
			service->vip = vips[i];
			r = service_ids_get(ids, virtual_server->name, &vips[i], &service->id);
			if (r < 0)
				return r;
			list->positions[service->id] = (uint32_t)idx + 1;
			service_fill_registry(service, &list->ports[n_ports],
				&list->requests[n_requests], &list->registry[idx]);
		}
		n_ports += virtual_server->ports.len;
		n_requests += virtual_server->check_http.len;
	}
	service_fill_statics(config, list->statics);
	*ret_list = TAKE_PTR(list);
	return 0;
}

struct service_list *service_list_free(struct service_list *list)
{
	if (!list)
		return NULL;
	free(list->items);
	free(list->positions);
	free(list->registry);
	free(list->ports);
	free(list->requests);
	free(list->statics);
	free(list);
	return NULL;
}

const struct service *service_list_find(const struct service_list *list, uint16_t id)
{
	return list->positions[id] ? &list->items[list->positions[id] - 1] : NULL;
}

static int service_compare_vips(const void *a, const void *b)
{
	return addr_compare(a, b);
}

int service_list_vips(const struct service_list *list, struct addr **ret_vips, size_t *ret_len)
{
	struct addr *vips = calloc(list->len + 1, sizeof(*vips));
	size_t len = 0;

	if (!vips)
		return -ENOMEM;
	for (size_t i = 0; i < list->len; i++)
		vips[i] = list->items[i].vip;
	qsort(vips, list->len, sizeof(*vips), service_compare_vips);
	for (size_t i = 0; i < list->len; i++)
		if (len == 0 || !addr_equal(&vips[len - 1], &vips[i]))
			vips[len++] = vips[i];
	*ret_vips = vips;
	*ret_len = len;
	return 0;
}

void service_list_set_in_force(const struct service_list *list, struct service_ids *ids)
{
	bool in_force[FWD_ID_MAX + 1] = { false };

	for (size_t i = 0; i < list->len; i++)
		in_force[list->items[i].id] = true;
	service_ids_set_in_force(ids, in_force);
}

size_t service_format(
	const struct service *service, char (*ret_texts)[SERVICE_TEXT_BYTES], size_t room)
{
	const struct config_virtual_server *server = service->virtual_server;
	const struct config_port any = { 0 }, *ports = server->ports.items;
	size_t len = server->ports.len;
	char vip[ADDR_STRLEN];

	if (len == 0) {
		ports = &any;
		len = 1;
	}
	len = MIN(len, room);
	for (size_t i = 0; i < len; i++) {
		char range[16] = "";

		if (ports[i].last != ports[i].first)
			snprintf(range, sizeof(range), "-%u", ports[i].last);
		snprintf(ret_texts[i], SERVICE_TEXT_BYTES, "[%s]:%s:%u%s",
			addr_format(&service->vip, vip), config_protocol_name(server->protocol),
			ports[i].first, range);
	}
	return len;
}
