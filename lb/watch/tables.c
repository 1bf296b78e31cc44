/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See tables.h. */
#include "lb/watch/tables.h"

#include "common/events/events.h"
#include "lb/config/service.h"
#include "lb/publish/publish.h"
#include "lb/session/session.h"

/* However many agents there are: ten thousand virtual servers are told in less than a minute. */
#define TABLES_PAUSE_US (5 * US_PER_MS)
/* Virtual servers without such a table are passed over, so many at once. */
#define TABLES_TRIES 64u

/* FNV-1a, over words. */
#define TABLES_BASIS UINT64_C(14695981039346656037)
#define TABLES_PRIME UINT64_C(1099511628211)

static uint64_t tables_mix(uint64_t hash, uint64_t value)
{
	return (hash ^ value) * TABLES_PRIME;
}

/* Of all VIPs of a virtual server, whose services begin there. False: its flows do not go by its rows alone. */
static bool tables_make(
	const struct tables_parts *parts, size_t first, struct proto_table *ret_table)
{
	const struct service *services = parts->services->items;
	const struct config_virtual_server *virtual_server = services[first].virtual_server;
	struct proto_table table = { .digest = TABLES_BASIS };

	for (size_t i = first; i < first + virtual_server->vips.len; i++) {
		uint16_t id = services[i].id;
		uint32_t members, weights;

		if (!publish_marks(parts->publish, id, &members, &weights))
			return false;
		table.digest = tables_mix(
			table.digest, strtoull(publish_digest(parts->publish, id), NULL, 16));
		table.members = (uint32_t)tables_mix(table.members, members);
		table.weights = (uint32_t)tables_mix(table.weights, weights);
	}
	snprintf(table.name, sizeof(table.name), "%s", virtual_server->name);
	snprintf(table.version, sizeof(table.version), "%s", DSR_VERSION);
	*ret_table = table;
	return true;
}

bool tables_next(struct tables *tables, const struct tables_parts *parts, uint64_t now_us,
	struct proto_table *ret_table)
{
	const struct service_list *services = parts->services;

	if (!services || now_us - tables->told_us < TABLES_PAUSE_US)
		return false;
	for (size_t tries = 0; tries < TABLES_TRIES && services->len > 0; tries++) {
		/* After a reload it may point anywhere. */
		size_t first = tables->next < services->len ? tables->next : 0;

		while (first > 0 &&
			services->items[first - 1].virtual_server ==
				services->items[first].virtual_server)
			first--;
		tables->next = first + services->items[first].virtual_server->vips.len;
		if (tables_make(parts, first, ret_table)) {
			tables->told_us = now_us;
			return true;
		}
	}
	return false;
}

/* Services are in the order of virtual servers' names. */
static bool tables_find(const struct service_list *services, const char *name, size_t *ret_first)
{
	size_t low = 0, high = services->len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(services->items[middle].virtual_server->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_first = low;
	return low < services->len && streq(services->items[low].virtual_server->name, name);
}

static enum session_difference tables_compare(
	const struct tables_parts *parts, const struct proto_table *theirs)
{
	struct proto_table ours;
	size_t first;

	if (!tables_find(parts->services, theirs->name, &first))
		return SESSION_DIFFERS_MISSING;
	if (!tables_make(parts, first, &ours) || ours.digest == theirs->digest)
		return SESSION_SAME;
	if (ours.members != theirs->members)
		return SESSION_DIFFERS_MEMBERS;
	if (ours.weights != theirs->weights)
		return SESSION_DIFFERS_WEIGHTS;
	return streq(ours.version, theirs->version) ? SESSION_DIFFERS_SEED
						    : SESSION_DIFFERS_VERSION;
}

static void tables_tell(struct events *events, const struct addr *other, const char *name,
	enum session_difference difference)
{
	bool same = difference == SESSION_SAME;
	const char *words = session_difference_words(difference);
	char address[ADDR_STRLEN];
	const struct event event = {
		.message = EVENT_TABLES,
		.level = same ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
		.virtual_server = name,
		.address = addr_format(other, address),
		.old = same ? "differs" : "same",
		.now = same ? "same" : "differs",
		.reason = words,
	};

	events_raise(events, &event, "virtual server %s: the table of the balancer %s %s", name,
		address, words);
}

void tables_told(const struct tables_parts *parts, const struct addr *other,
	const struct proto_table *table, uint64_t now_us)
{
	enum session_difference difference;

	if (!parts->services || session_is_local(parts->sessions, other))
		return;
	difference = tables_compare(parts, table);
	if (session_others_compare(session_others(parts->sessions, now_us), other, table->name,
		    difference, parts->interval_us, now_us))
		tables_tell(parts->events, other, table->name, difference);
}
