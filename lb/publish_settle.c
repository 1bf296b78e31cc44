/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Publication's housekeeping: times of replaced tables, void records, settling.
 */
#include "lb/fwd/hash.h"
#include "lb/publish_internal.h"

/* Takes the times that late readers wrote into the replaced table, oldest ancestor first. */
static void publish_carry(struct publish_table *table)
{
	struct publish_table *parent = table->parent;

	if (!parent)
		return;
	publish_carry(parent);
	if (parent->parent || parent->readers > 0)
		return;
	table_carry_seen(keep_rows_memory(table->rows), keep_rows_memory(parent->rows));
	table->parent = publish_table_unref(parent);
}

struct publish_settling {
	const struct publish *publish;
	const struct snapshot *snapshot;
	uint8_t **disagrees; /* by position in publish->services; those of a shared table are one */
};

static bool publish_note_record(const struct flows_entry *entry, void *context)
{
	const struct publish_settling *settling = context;
	const struct publish_service *service =
		publish_service_find(settling->publish, entry->service);
	const struct fwd_service *forward = snapshot_service(settling->snapshot, entry->service);
	const struct fwd_settings *settings = snapshot_settings(settling->snapshot);
	struct fwd_addr client;
	uint8_t *bits;
	uint32_t row;

	/* Where every flow is recorded no row is asked about it. */
	if (!service || !forward || service->table->moving == 0 ||
		(forward->flags & FWD_SERVICE_RECORD_TCP) || !flows_is_tcp(entry->state))
		return true;
	bits = settling->disagrees[service - settling->publish->services];
	snapshot_addr(&entry->client, &client);
	row = hash_row(settings, &client,
		forward->flags & FWD_SERVICE_HASH_SOURCE ? 0 : htobe16(entry->client_port));
	if (bits && keep_rows_memory(service->table->rows)[row].owner != entry->backend)
		bits[row / 8] |= (uint8_t)(1u << row % 8);
	return true;
}

static const struct fwd_service *publish_flow_service(uint16_t service, void *context)
{
	return snapshot_service(context, service);
}

/* One bitmap for each moving table, shared by its services. */
static int publish_settling_begin(const struct publish *publish, uint8_t **disagrees)
{
	for (size_t i = 0; i < publish->n_services; i++) {
		size_t same = 0;

		if (publish->services[i].table->moving == 0)
			continue;
		while (publish->services[same].table != publish->services[i].table)
			same++;
		disagrees[i] = same < i ? disagrees[same] : calloc((FWD_ROWS + 7) / 8, 1);
		if (!disagrees[i])
			return -ENOMEM;
	}
	return 0;
}

static void publish_settling_end(const struct publish *publish, uint8_t **disagrees)
{
	for (size_t i = 0; i < publish->n_services; i++) {
		for (size_t later = i + 1; disagrees[i] && later < publish->n_services; later++)
			if (disagrees[later] == disagrees[i])
				disagrees[later] = NULL;
		free(disagrees[i]);
	}
	free(disagrees);
}

static void publish_settle(struct publish *publish, const struct snapshot *snapshot, uint32_t now_s)
{
	uint8_t **disagrees = calloc(publish->n_services + 1, sizeof(*disagrees));
	struct publish_settling settling = { publish, snapshot, disagrees };

	if (!disagrees)
		return;
	if (publish_settling_begin(publish, disagrees) == 0) {
		flows_each(keep_flows(publish->keep), publish_flow_service, (void *)snapshot, now_s,
			publish_note_record, &settling);
		for (size_t i = 0; i < publish->n_services; i++) {
			struct publish_table *table = publish->services[i].table;

			if (disagrees[i] && table->moving > 0)
				table->moving = table_settle(keep_rows_memory(table->rows),
					disagrees[i], table->tcp_timeout_s, now_s);
		}
	}
	publish_settling_end(publish, disagrees);
}

void publish_purge(struct publish *publish)
{
	for (size_t i = 0; i < publish->n_purges; i++)
		flows_purge((struct flows_table *)keep_flows(publish->keep),
			publish->purges[i].service, publish->purges[i].backend);
	publish->n_purges = 0;
}

bool publish_tick(struct publish *publish, const struct snapshot *current, uint64_t now_us)
{
	bool moving = false;

	if (current)
		publish_hold_clients(publish, current, (uint32_t)(now_us / US_PER_S));
	if (current)
		publish_count_flows(publish, current, (uint32_t)(now_us / US_PER_S));
	for (size_t i = 0; i < publish->n_services; i++) {
		publish_carry(publish->services[i].table);
		moving |= publish->services[i].table->moving > 0;
	}
	publish_purge(publish);
	if (publish->follow)
		return publish_is_quiet(publish, now_us);
	if (moving && now_us - publish->settled_us >= PUBLISH_SETTLE_US) {
		publish->settled_us = now_us;
		publish_settle(publish, current, (uint32_t)(now_us / US_PER_S));
	}
	return false;
}
