/* SPDX-License-Identifier: GPL-2.0-or-later */
/* losses.c: what the registry is told. What is a loss is in test_loss_judge.c. */
#include "lb/watch/losses.h"

#include "common/os/clock.h"
#include "lb/config/service.h"
#include "tests/unit/lb/registry/registry_world.h"

#define LIMIT_US (10 * US_PER_S)

static const struct registry_port http = { 80, 80 };

struct watch {
	struct world world;
	struct service service;
	uint32_t positions[2];
	struct service_list list, *services;
	sd_event *event;
	struct losses *losses;
	unsigned int n_counts, n_changed;
};

/* Nobody sends anything. */
static void watch_on_count(
	uint16_t service, uint16_t backend, struct losses_count *ret_count, void *context)
{
	struct watch *watch = context;

	assert_int_equal(service, watch->service.id);
	assert_int_equal(backend, world_backend(&watch->world, "win")->id);
	watch->n_counts++;
	*ret_count = (struct losses_count){ 0 };
}

static void watch_on_change(void *context)
{
	struct watch *watch = context;

	watch->n_changed++;
	watch->world.now_us = clock_now_us();
	world_drain_actions(&watch->world);
}

/* A static that is up in web, whose path is not probed. */
static int watch_open(void **state)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	const struct addr address = world_addr("192.0.2.50");
	const struct mac mac = world_mac(0x50);
	struct world *world;

	assert_non_null(watch);
	world = &watch->world;
	world_open(world);
	world->now_us = clock_now_us();
	world->services[0].tcp = true;
	world->services[0].ports = &http;
	world->services[0].n_ports = 1;
	world_static(world, "web", "win", "192.0.2.50");
	world_configure(world);
	registry_neighbour(world->registry, &address, &mac, world->now_us);
	world_drain_actions(world);
	assert_int_equal(world_backend(world, "win")->state, BACKEND_UP);
	watch->service.id = world->services[0].id;
	watch->positions[watch->service.id] = 1;
	watch->list = (struct service_list){ .items = &watch->service,
		.len = 1,
		.positions = watch->positions,
		.registry = world->services };
	watch->services = &watch->list;
	assert_true(sd_event_new(&watch->event) >= 0);
	*state = watch;
	return 0;
}

static int watch_close(void **state)
{
	struct watch *watch = *state;

	losses_free(watch->losses);
	sd_event_unref(watch->event);
	world_close(&watch->world);
	free(watch);
	return 0;
}

static void begin(struct watch *watch)
{
	const struct losses_parts parts = { .event = watch->event,
		.registry = watch->world.registry,
		.services = &watch->services,
		.count = watch_on_count,
		.changed = watch_on_change,
		.context = watch };

	assert_int_equal(losses_new(&parts, &watch->losses), 0);
}

/* Until everybody was looked at so often. */
static void look(struct watch *watch, unsigned int times)
{
	const uint64_t end_us = clock_now_us() + LIMIT_US;

	while (watch->n_counts < times && clock_now_us() < end_us)
		assert_true(sd_event_run(watch->event, LIMIT_US) >= 0);
	assert_int_equal(watch->n_counts, times);
}

/* As after a reload that put its services at other places: what was known of its losses is gone. */
static void losses_end_what_was_lost_before_they_began(void **state)
{
	struct watch *watch = *state;
	struct world *world = &watch->world;
	const struct registry_loss loss = { world_backend(world, "win")->id, watch->service.id,
		20 };

	assert_true(registry_lost(world->registry, &loss, world->now_us));
	world_drain_actions(world);
	assert_int_equal(world_backend(world, "win")->state, BACKEND_DOWN);
	begin(watch);
	look(watch, 1);
	assert_int_equal(watch->n_changed, 1);
	assert_int_equal(world_backend(world, "win")->state, BACKEND_UP);
}

static void losses_say_nothing_of_who_is_well(void **state)
{
	struct watch *watch = *state;

	begin(watch);
	look(watch, 2);
	assert_int_equal(watch->n_changed, 0);
	assert_int_equal(world_backend(&watch->world, "win")->state, BACKEND_UP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define FACT(name) cmocka_unit_test_setup_teardown(name, watch_open, watch_close)
		FACT(losses_end_what_was_lost_before_they_began),
		FACT(losses_say_nothing_of_who_is_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
