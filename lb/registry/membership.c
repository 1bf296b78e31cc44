/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See membership.h. Changes nothing but its own views. */
#include "lb/registry/membership.h"

#include <netinet/in.h>

#include "common/grow.h"
#include "common/search.h"
#include "lb/registry/entry.h"

/* A service by its VIP, and by the name of its virtual server. */
struct membership_key {
	const struct registry_service *service;
	uint16_t idx;
};

static int compare_vips(const void *a, const void *b)
{
	const struct membership_key *left = a, *right = b;
	int order = addr_compare(&left->service->vip, &right->service->vip);

	return order ? order : (int)left->idx - (int)right->idx;
}

static int compare_virtual_servers(const void *a, const void *b)
{
	const struct membership_key *left = a, *right = b;
	int order = strcmp(left->service->virtual_server, right->service->virtual_server);

	return order ? order : (int)left->idx - (int)right->idx;
}

static int compare_lines(const void *a, const void *b)
{
	const struct registry_static *const *left = a, *const *right = b;

	return addr_compare(&(*left)->address, &(*right)->address);
}

void membership_clear(struct membership *membership)
{
	free(membership->by_vip);
	free(membership->by_name);
	free(membership->lines);
	free(membership->service_at);
	*membership = (struct membership){ 0 };
}

int membership_make(const struct registry_config *config, struct membership *ret_membership)
{
	struct membership made = {
		.by_vip = calloc(config->n_services + 1, sizeof(*made.by_vip)),
		.by_name = calloc(config->n_services + 1, sizeof(*made.by_name)),
		.lines = calloc(config->n_statics + 1, sizeof(struct registry_static *)),
		.service_at = calloc(UINT16_MAX + 1, sizeof(*made.service_at)),
	};

	if (!made.by_vip || !made.by_name || !made.lines || !made.service_at) {
		membership_clear(&made);
		return -ENOMEM;
	}
	for (size_t i = 0; i < config->n_services; i++) {
		made.by_vip[i] = (struct membership_key){ &config->services[i], (uint16_t)i };
		made.by_name[i] = made.by_vip[i];
		made.service_at[config->services[i].id] = (uint32_t)i + 1;
	}
	for (size_t i = 0; i < config->n_statics; i++)
		made.lines[i] = &config->statics[i];
	made.n_services = config->n_services;
	made.n_lines = config->n_statics;
	qsort(made.by_vip, made.n_services, sizeof(*made.by_vip), compare_vips);
	qsort(made.by_name, made.n_services, sizeof(*made.by_name), compare_virtual_servers);
	qsort(made.lines, made.n_lines, sizeof(struct registry_static *), compare_lines);
	*ret_membership = made;
	return 0;
}

bool membership_on_link(const struct registry_config *config, const struct addr *address)
{
	for (size_t i = 0; i < config->n_subnets; i++)
		if (addr_in_prefix(address, &config->subnets[i]))
			return true;
	return false;
}

size_t membership_service(const struct membership *membership, uint16_t id)
{
	uint32_t at = membership->service_at ? membership->service_at[id] : 0;

	return at ? at - 1 : SIZE_MAX;
}

/* The first key that is not before `key`, of those that differ by more than their idx. */
static size_t lower_bound(const struct membership_key *keys, size_t len, search_compare_fn *compare,
	const struct registry_service *service)
{
	const struct membership_key key = { service, 0 };

	return search_position(&key, keys, len, sizeof(*keys), compare);
}

size_t membership_of_vip(
	const struct membership *membership, const struct addr *vip, size_t *ret_end)
{
	const struct registry_service service = { .vip = *vip };
	size_t first =
		lower_bound(membership->by_vip, membership->n_services, compare_vips, &service);
	size_t end = first;

	while (end < membership->n_services &&
		addr_equal(&membership->by_vip[end].service->vip, vip))
		end++;
	*ret_end = end;
	return first;
}

const struct registry_service *membership_at(const struct membership *membership, size_t position)
{
	return membership->by_vip[position].service;
}

/* Services that were found, in a growing array. */
struct found {
	struct entry_service *services;
	size_t len;
};

static int found_add(
	struct found *found, uint16_t idx, uint16_t vip, const struct registry_static *line)
{
	int r = GROW(found->services, found->len);

	if (r == 0)
		found->services[found->len++] =
			(struct entry_service){ .idx = idx, .vip = vip, .line = line };
	return r;
}

/* In the order of the configuration; as an agent before as a static, an earlier VIP before a later. */
static int compare_found(const void *a, const void *b)
{
	const struct entry_service *left = a, *right = b;

	return left->idx != right->idx ? (int)left->idx - (int)right->idx
				       : (int)left->vip - (int)right->vip;
}

bool membership_allows(const struct registry_service *service, const struct addr *address)
{
	bool allowed = service->n_allow == 0;

	for (size_t i = 0; i < service->n_allow && !allowed; i++)
		allowed = addr_in_prefix(address, &service->allow[i]);
	return allowed;
}

/* As an agent: the service takes agents, this one may come, and it has the VIP. */
static int find_as_agent(const struct membership *membership, const struct registry_config *config,
	const struct entry *entry, struct found *found)
{
	const struct backend *backend = &entry->backend;
	int r = 0;

	if (backend->source != BACKEND_AGENT || !membership_on_link(config, &backend->address))
		return 0;
	for (uint16_t i = 0; i < backend->status.n_vips; i++) {
		size_t end,
			at = membership_of_vip(membership, &backend->status.vips[i].address, &end);

		for (; r == 0 && at < end; at++) {
			const struct membership_key *key = &membership->by_vip[at];

			if (key->service->use_agents &&
				membership_allows(key->service, &backend->address))
				r = found_add(found, key->idx, i, NULL);
		}
	}
	return r;
}

/* All services of the virtual server of one line. */
static int find_by_line(const struct membership *membership, const struct registry_static *line,
	struct found *found)
{
	const struct registry_service service = { .virtual_server = line->virtual_server };
	size_t at = lower_bound(
		membership->by_name, membership->n_services, compare_virtual_servers, &service);
	int r = 0;

	for (; r == 0 && at < membership->n_services &&
		streq(membership->by_name[at].service->virtual_server, line->virtual_server);
		at++)
		r = found_add(found, membership->by_name[at].idx, ENTRY_NO_VIP, line);
	return r;
}

/* As a real-server of its virtual servers, for VIPs of both families: it is one MAC. */
static int find_as_static(
	const struct membership *membership, const struct entry *entry, struct found *found)
{
	const struct registry_static static_ = { .address = entry->backend.address };
	const struct registry_static *key = &static_;
	size_t at;
	int r = 0;

	if (!entry->is_static)
		return 0;
	at = search_position(&key, membership->lines, membership->n_lines,
		sizeof(struct registry_static *), compare_lines);
	for (; r == 0 && at < membership->n_lines &&
		addr_equal(&membership->lines[at]->address, &entry->backend.address);
		at++)
		r = find_by_line(membership, membership->lines[at], found);
	return r;
}

/* One piece of memory: all services, then the paths of each. NULL: out of memory. */
static struct entry_service *lay_out(const struct found *found)
{
	struct entry_service *services =
		calloc(found->len + 1, sizeof(*services) + ENTRY_PATHS * sizeof(struct entry_path));
	struct entry_path *paths;

	if (!services)
		return NULL;
	paths = (void *)&services[found->len];
	for (size_t i = 0; i < found->len; i++) {
		services[i] = found->services[i];
		services[i].paths = &paths[i * ENTRY_PATHS];
	}
	return services;
}

int membership_find(const struct membership *membership, const struct registry_config *config,
	const struct entry *entry, struct entry_service **ret_services, size_t *ret_n_services)
{
	struct found found = { 0 };
	struct entry_service *services = NULL;
	size_t len = 0;
	int r = find_as_agent(membership, config, entry, &found);

	if (r == 0)
		r = find_as_static(membership, entry, &found);
	if (r == 0 && found.len > 0)
		qsort(found.services, found.len, sizeof(*found.services), compare_found);
	/* As an agent it is a member by its VIP; what the line says of the virtual server holds all the same. */
	for (size_t i = 0; r == 0 && i < found.len; i++)
		if (len == 0 || found.services[len - 1].idx != found.services[i].idx)
			found.services[len++] = found.services[i];
		else if (found.services[i].line)
			found.services[len - 1].line = found.services[i].line;
	found.len = len;
	if (r == 0) {
		services = lay_out(&found);
		r = services ? 0 : -ENOMEM;
	}
	free(found.services);
	if (r < 0)
		return r;
	*ret_services = services;
	*ret_n_services = len;
	return 0;
}

void membership_mark_served(struct entry *entry)
{
	struct backend_status *status = &entry->backend.status;

	ARRAY_FOREACH (vip, status->vips, status->n_vips)
		vip->served = false;
	for (size_t i = 0; i < entry->n_services; i++)
		if (entry->services[i].vip < status->n_vips)
			status->vips[entry->services[i].vip].served = true;
}

static int compare_idx(const void *key, const void *element)
{
	const struct entry_service *member = element;
	size_t idx = *(const size_t *)key;

	return idx < member->idx ? -1 : idx > member->idx;
}

const struct entry_service *membership_in(const struct entry *entry, size_t service_idx)
{
	size_t at;

	return search_find(&service_idx, entry->services, entry->n_services,
		       sizeof(*entry->services), compare_idx, &at)
		? &entry->services[at]
		: NULL;
}

/*
 * Of several ports, as of passive FTP, none need be open; a virtual server of any protocol may be one of any of
 * them. Their connections are counted, and UDP has none. Of SCTP an agent knows nothing: it is told of its ports as of
 * some that need not be open, since its VIP is one that is served.
 */
static void ask_service(const struct registry_service *service, const struct entry_service *member,
	struct ports *asked)
{
	static const struct registry_port any = { 1, UINT16_MAX };
	const struct registry_port *ports = service->n_ports > 0 ? service->ports : &any;
	size_t n_ports = MAX(service->n_ports, (size_t)1);
	bool is_unknown = service->sctp && !service->tcp && !service->udp;

	for (size_t i = 0; i < n_ports; i++) {
		bool counts = ports[i].first != ports[i].last || (service->tcp && service->udp) ||
			is_unknown;
		struct proto_port port = { member->vip, IPPROTO_TCP, ports[i].first, ports[i].last,
			counts };

		if (service->tcp || is_unknown)
			(void)ports_add(asked, &port, member->idx);
		port.protocol = IPPROTO_UDP;
		if (service->udp && !counts)
			(void)ports_add(asked, &port, member->idx);
	}
}

/* As many as can be told: from the others its path is not probed. */
static void set_sources(const struct registry_config *config, struct entry *entry)
{
	struct addr sources[PROTO_SOURCES_MAX];
	size_t len = 0;

	for (unsigned int near = 2; near-- > 0;)
		for (size_t i = 0; i < config->n_sources && len < ARRAY_LEN(sources); i++) {
			bool is_near = !config->source_subnets ||
				addr_in_prefix(&entry->backend.address, &config->source_subnets[i]);

			if (is_near == (near == 1))
				sources[len++] = config->sources[i];
		}
	ports_set_sources(&entry->asked, sources, len);
}

void membership_ask(const struct registry_config *config, struct entry *entry)
{
	const struct ports former = entry->asked;

	ports_clear(&entry->asked);
	for (size_t i = 0; i < entry->n_services; i++) {
		const struct entry_service *member = &entry->services[i];
		const struct registry_service *service = &config->services[member->idx];

		if (member->vip != ENTRY_NO_VIP && service->use_agents)
			ask_service(service, member, &entry->asked);
	}
	set_sources(config, entry);
	ports_carry(&entry->asked, &former);
}
