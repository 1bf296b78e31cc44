/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration as a value: see model.h. Virtual servers stand in the order of their names. */
#include "lb/config/model.h"

#include "common/grow.h"
#include "common/search.h"

const char *const config_protocol_names[] = { "tcp", "udp", "sctp", "any", NULL };
const char *const config_scheduler_names[] = { "maglev", "source-hash", "rr", "lc", NULL };

static struct config_virtual_server *virtual_server_free(struct config_virtual_server *server)
{
	struct config_real_server *real_servers;
	struct config_url *urls;

	if (!server)
		return NULL;
	real_servers = server->real_servers.items;
	for (size_t i = 0; i < server->real_servers.len; i++)
		free(real_servers[i].name);
	ini_list_clear(&server->real_servers);
	ini_list_clear(&server->vips);
	ini_list_clear(&server->ports);
	ini_list_clear(&server->check_tcp);
	urls = server->check_http.items;
	for (size_t i = 0; i < server->check_http.len; i++)
		free(urls[i].text);
	ini_list_clear(&server->check_http);
	free(server->check_payload.data);
	free(server->check_expect.data);
	ini_list_clear(&server->clients);
	ini_list_clear(&server->allow);
	free(server->name);
	free(server);
	return NULL;
}
DEFINE_CLEANUP(struct config_virtual_server *, virtual_server_free)

static int virtual_server_compare(const void *key, const void *element)
{
	return strcmp(key, (*(struct config_virtual_server *const *)element)->name);
}

static bool virtual_server_find(const struct config *config, const char *name, size_t *ret_position)
{
	return search_find(name, config->virtual_servers, config->n_virtual_servers,
		sizeof(struct config_virtual_server *), virtual_server_compare, ret_position);
}

const struct config_virtual_server *config_virtual_server_find(
	const struct config *config, const char *name)
{
	size_t position;

	return virtual_server_find(config, name, &position) ? config->virtual_servers[position]
							    : NULL;
}

struct config_virtual_server *config_virtual_server_get(struct config *config, const char *name)
{
	_cleanup_(virtual_server_freep) struct config_virtual_server *server = NULL;
	struct config_virtual_server **at;
	size_t position;

	if (virtual_server_find(config, name, &position))
		return config->virtual_servers[position];
	if (config->n_virtual_servers == CONFIG_VIRTUAL_SERVERS_MAX) {
		errno = ENOSPC;
		return NULL;
	}
	server = calloc(1, sizeof(*server));
	if (server)
		server->name = strdup(name);
	if (!server || !server->name ||
		GROW(config->virtual_servers, config->n_virtual_servers) < 0) {
		errno = ENOMEM;
		return NULL;
	}
	at = &config->virtual_servers[position];
	memmove(at + 1, at,
		(config->n_virtual_servers - position) * sizeof(struct config_virtual_server *));
	config->n_virtual_servers++;
	*at = server;
	return TAKE_PTR(server);
}

const char *config_backend_interface(const struct config *config, size_t idx)
{
	return ((char *const *)config->backend_interfaces.items)[idx];
}

struct config *config_free(struct config *config)
{
	if (!config)
		return NULL;
	for (size_t i = 0; i < config->n_virtual_servers; i++)
		virtual_server_free(config->virtual_servers[i]);
	free(config->virtual_servers);
	free(config->interface);
	ini_list_clear_strings(&config->backend_interfaces);
	free(config->key_file);
	free(config->cluster_seed);
	free(config);
	return NULL;
}

const char *config_scheduler_name(enum config_scheduler scheduler)
{
	return (size_t)scheduler < ARRAY_LEN(config_scheduler_names) - 1
		? config_scheduler_names[scheduler]
		: "unknown";
}

bool config_serves(
	const struct config_virtual_server *virtual_server, enum config_protocol protocol)
{
	return virtual_server->protocol == CONFIG_ANY || virtual_server->protocol == protocol;
}

const char *config_protocol_name(enum config_protocol protocol)
{
	return (size_t)protocol < ARRAY_LEN(config_protocol_names) - 1
		? config_protocol_names[protocol]
		: "unknown";
}

char *config_ports_format(const struct config_virtual_server *virtual_server)
{
	/* "65535-65535, " is the longest item. */
	size_t room = virtual_server->ports.len * sizeof("65535-65535, ") + sizeof("any");
	const struct config_port *ports = virtual_server->ports.items;
	char *text = malloc(room);
	size_t used = 0;

	if (!text)
		return NULL;
	snprintf(text, room, "any");
	for (size_t i = 0; i < virtual_server->ports.len; i++) {
		used += (size_t)snprintf(
			text + used, room - used, "%s%u", i ? ", " : "", ports[i].first);
		if (ports[i].last != ports[i].first)
			used += (size_t)snprintf(text + used, room - used, "-%u", ports[i].last);
	}
	return text;
}
