/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See tables.h. */
#include "lb/watch/tables.h"

#include <endian.h>

#include "common/events/events.h"
#include "common/search.h"
#include "lb/config/service.h"
#include "lb/publish/publish.h"
#include "lb/session/session.h"

/* However many agents there are: ten thousand virtual servers are told in less than a minute. */
#define TABLES_PAUSE_US (5 * US_PER_MS)
/* Virtual servers without such a table are passed over, so many at once. */
#define TABLES_TRIES 64u

/* In one byte order, for balancers of both. */
static uint64_t tables_mix(uint64_t hash, uint64_t value)
{
	uint64_t word = htobe64(value);

	return util_fnv_64(hash, &word, sizeof(word));
}

/* Of all VIPs of a virtual server, whose services begin there. False: its flows do not go by its rows alone. */
static bool tables_make(
	const struct tables_parts *parts, size_t first, struct proto_table *ret_table)
{
	const struct service *services = parts->services->items;
	const struct config_virtual_server *virtual_server = services[first].virtual_server;
	struct proto_table table = { .digest = UTIL_FNV_64_BASIS };

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

static int tables_compare_name(const void *key, const void *element)
{
	return strcmp(key, ((const struct service *)element)->virtual_server->name);
}

static enum session_difference tables_compare(
	const struct tables_parts *parts, const struct proto_table *theirs)
{
	struct proto_table ours;
	size_t first;

	/* Services are in the order of virtual servers' names; the first of them is found. */
	if (!search_find(theirs->name, parts->services->items, parts->services->len,
		    sizeof(*parts->services->items), tables_compare_name, &first))
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

/* One that has no place now is looked at again when it is heard the next time. */
static bool tables_is_due(
	struct tables *tables, const struct addr *other, const char *name, uint64_t now_us)
{
	uint64_t key =
		util_fnv_64(util_fnv_64(UTIL_FNV_64_BASIS, other->bytes, sizeof(other->bytes)),
			name, strlen(name));
	struct tables_said *room = NULL;
	unsigned int n_said = 0;

	ARRAY_FOREACH (said, tables->said, ARRAY_LEN(tables->said)) {
		if (said->at_us == 0 || now_us - said->at_us >= TABLES_SAID_US)
			room = said;
		else
			n_said += said->key == key;
	}
	if (n_said >= TABLES_SAID_EACH_MAX)
		return false;
	if (!room)
		return false;
	room->key = key;
	room->at_us = MAX(now_us, (uint64_t)1);
	return true;
}

static void tables_tell(struct events *events, const char *agent, const struct addr *other,
	const char *name, enum session_difference difference)
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

	events_raise(events, &event, "virtual server %s: the table of the balancer %s %s (says %s)",
		name, address, words, agent);
}

void tables_told(struct tables *tables, const struct tables_parts *parts, const char *agent,
	const struct addr *other, const struct proto_table *table, uint64_t now_us)
{
	enum session_difference difference;
	struct session_others *others;

	if (!parts->services || session_is_local(parts->sessions, other))
		return;
	difference = tables_compare(parts, table);
	others = session_others(parts->sessions, now_us);
	if (!session_others_compare(
		    others, other, table->name, difference, parts->interval_us, now_us))
		return;
	if (difference != SESSION_SAME) {
		if (!tables_is_due(tables, other, table->name, now_us))
			return;
		session_others_said(others, other, table->name);
	}
	tables_tell(parts->events, agent, other, table->name, difference);
}
