/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A world for the tests of publication: the real registry, tables and kept files, two virtual
 * servers of real servers from the configuration, and a clock that the test sets.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lb/config/config.h"
#include "lb/publish/publish.h"
#include "lb/state/keep.h"
#include "lb/table/flow_walk.h"
#include "tests/unit/tools/temp_dir.h"

#define S(seconds) ((uint64_t)(seconds)*US_PER_S)
#define START_US   S(1000)

struct world {
	char directory[TEMP_DIR_BYTES];
	struct keep *keep;
	struct registry *registry;
	struct service_ids *ids;
	struct flow_walk *walk;
	struct publish *publish;
	struct config *config;
	struct service_list *services;
	struct publish_links links;
	struct snapshot *snapshot;
	const char *check; /* NULL: none */
	const char *more;  /* lines of the virtual servers; NULL: none */
	const char *first; /* words of the first real server's lines; NULL: none */
	uint64_t max_flows;
	uint8_t second_link_from; /* number of a host; 0: all are on the first */
};

static const struct addr_prefix subnet = {
	.addr = { .family = AF_INET, .bytes = { 192, 0, 2, 0 } },
	.len = 24,
};

/* Two virtual servers with the first `n` of these real servers each. */
static inline void world_configure(struct world *world, unsigned int n, uint64_t now_us)
{
	struct registry_config config = {
		.subnets = &subnet, .n_subnets = 1, .interval_us = 300000, .fall = 3, .rise = 2
	};
	struct config *old_config = world->config;
	struct service_list *old_services = world->services;
	struct ini_report *report = NULL;
	struct why why;
	char text[4096];
	int length = snprintf(text, sizeof(text), "[balancer]\ninterface = eth0\n");

	for (unsigned int server = 0; server < 2; server++) {
		length += snprintf(text + length, sizeof(text) - (size_t)length,
			"[virtual-server s%u]\nvip = 198.51.100.%u\nport = 80\ncheck = %s\n"
			"tcp-timeout = 60\n%s",
			server, 10 + server, world->check ? world->check : "none",
			world->more ? world->more : "");
		for (unsigned int i = 1; i <= n; i++)
			length += snprintf(text + length, sizeof(text) - (size_t)length,
				"real-server = 192.0.2.%u mac=02:00:00:00:00:%02x name=b%u %s\n", i,
				i, i, i == 1 && world->first ? world->first : "");
	}
	assert_int_equal(config_load_text("test", text, strlen(text), &world->config, &report), 0);
	ini_report_free(report);
	assert_int_equal(service_list_new(world->config, world->ids, &world->services), 0);
	config.services = world->services->registry;
	config.n_services = world->services->len;
	config.statics = world->services->statics;
	config.n_statics = world->services->n_statics;
	assert_int_equal(registry_configure(world->registry, &config, now_us, &why), 0);
	registry_tick(world->registry, now_us);
	service_list_free(old_services);
	config_free(old_config);
}

static inline void world_build(struct world *world, uint64_t now_us)
{
	const struct publish_request request = { world->services, world->registry, &world->links };
	struct snapshot *snapshot = NULL;

	assert_int_equal(publish_build(world->publish, &request, now_us, &snapshot), 0);
	snapshot_free(world->snapshot);
	world->snapshot = snapshot;
}

/* All backends are on the first link, but those from some host on, which are on the second. */
static inline size_t world_link_of(const void *context, const struct addr *address)
{
	const struct world *world = context;

	return world->second_link_from && address->bytes[3] >= world->second_link_from;
}

static inline const struct snapshot *world_snapshot(void *context)
{
	return ((const struct world *)context)->snapshot;
}

static inline const struct fwd_service *world_service(uint16_t service, void *context)
{
	const struct world *world = context;

	return world->snapshot ? snapshot_service(world->snapshot, service) : NULL;
}

/* What housekeeping leaves for later turns of the loop. */
static inline void walk(struct world *world, uint64_t now_us)
{
	bool more;

	do {
		more = flow_walk_step(world->walk, (uint32_t)(now_us / US_PER_S));
		more |= publish_step(world->publish, now_us);
	} while (more);
}

/* Housekeeping with all that it leaves for later turns of the loop. */
static inline bool tick(struct world *world, uint64_t now_us)
{
	bool again = publish_tick(world->publish, now_us);

	walk(world, now_us);
	return again;
}

static inline void world_open(struct world *world, bool expect_fresh)
{
	struct why why = { 0 };
	bool fresh;

	assert_int_equal(
		keep_open(&(struct keep_config){ world->directory, KEEP_FILES, world->max_flows },
			&world->keep, &fresh, &why),
		0);
	assert_int_equal(fresh, expect_fresh);
	world->registry = registry_new(7);
	world->ids = service_ids_new();
	world->walk = flow_walk_new(keep_flows(world->keep), world_service, NULL, world);
	world->publish = publish_new(&(struct publish_config){
		world->keep, world->walk, "", fresh, world_snapshot, world });
	world->links = (struct publish_links){
		.own_mac = { { 2, 0, 0, 0, 1, 1 } },
		.out = { { 1, { { 2, 0, 0, 0, 1, 1 } }, 1500 } },
		.find = world_link_of,
		.context = world,
		.active = true,
	};
}

static inline void world_close(struct world *world)
{
	keep_preserve(world->keep);
	snapshot_free(world->snapshot);
	publish_free(world->publish);
	flow_walk_free(world->walk);
	registry_free(world->registry);
	service_list_free(world->services);
	service_ids_free(world->ids);
	config_free(world->config);
	keep_free(world->keep);
	world->snapshot = NULL;
	world->services = NULL;
	world->config = NULL;
}

/* The balancer ends and starts again, with what it keeps; it knows no backend yet. */
static inline void world_restart(struct world *world)
{
	json_t *tables = publish_export(world->publish);
	json_t *ids = service_ids_export(world->ids);

	world_close(world);
	world_open(world, false);
	service_ids_import(world->ids, ids);
	publish_import(world->publish, tables);
	json_decref(tables);
	json_decref(ids);
}

static inline size_t owned(const struct world *world, uint16_t service, const char *name)
{
	return publish_owned(world->publish, service, registry_find(world->registry, name)->id);
}

static inline int setup_for(void **state, uint64_t max_flows)
{
	struct world *world = calloc(1, sizeof(*world));

	world->max_flows = max_flows;
	temp_dir_make(world->directory);
	world_open(world, true);
	*state = world;
	return 0;
}

static inline int setup(void **state)
{
	return setup_for(state, 1024);
}

static inline int teardown(void **state)
{
	struct world *world = *state;

	world_close(world);
	temp_dir_remove(world->directory);
	free(world);
	return 0;
}

static inline uint16_t service_at(const struct world *world, size_t idx)
{
	return world->services->items[idx].id;
}

static inline const struct fwd_slot *rows_of(const struct world *world, uint16_t service)
{
	return snapshot_slot(world->snapshot, snapshot_service(world->snapshot, service)->table, 0);
}

static inline uint16_t id_of(const struct world *world, const char *name)
{
	return registry_find(world->registry, name)->id;
}

/* Lets the balancer out of the time in which bases follow owners. */
static inline void quieten(struct world *world, unsigned int n)
{
	world_configure(world, n, START_US);
	world_build(world, START_US);
	world_build(world, START_US + S(10));
	assert_false(tick(world, START_US + S(10)));
	assert_int_equal(publish_moving(world->publish, service_at(world, 0)), 0);
}
