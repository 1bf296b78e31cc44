/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ids of services: none is given to two, all numbers serve, and the one that went first is given again
 * when no record names it.
 */
#include "lb/config/service_ids.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define BATCH_LEN 13000u /* five of them leave 535 of 65,535 numbers */

static struct addr address(uint32_t number)
{
	return (struct addr){ .family = AF_INET,
		.bytes = { 10, number >> 16, number >> 8, number } };
}

/* Asks for a configuration of new services; returns how many got an id. */
static unsigned int ask(struct service_ids *ids, uint32_t first, unsigned int len, bool *in_force)
{
	unsigned int n_given = 0;

	service_ids_begin(ids);
	for (uint32_t i = first; i < first + len; i++) {
		struct addr vip = address(i);
		uint16_t id = 0;

		if (service_ids_get(ids, "web", &vip, &id) < 0)
			continue;
		assert_int_not_equal(id, 0);
		assert_false(in_force[id]);
		in_force[id] = true;
		n_given++;
	}
	return n_given;
}

static void configure(struct service_ids *ids, uint32_t first, unsigned int len)
{
	bool in_force[FWD_ID_MAX + 1] = { false };

	assert_int_equal(ask(ids, first, len, in_force), len);
	service_ids_set_in_force(ids, in_force);
}

static void set_all_void(struct service_ids *ids)
{
	bool is_gone[FWD_ID_MAX + 1] = { false };

	service_ids_list_gone(ids, is_gone);
	for (uint32_t id = 1; id <= FWD_ID_MAX; id++)
		if (is_gone[id])
			service_ids_set_void(ids, (uint16_t)id);
}

static uint16_t id_of(struct service_ids *ids, uint32_t number)
{
	struct addr vip = address(number);
	uint16_t id = 0;

	assert_int_equal(service_ids_get(ids, "web", &vip, &id), 0);
	return id;
}

static void service_ids_come_back_when_no_record_names_them(void **state)
{
	_cleanup_(service_ids_freep) struct service_ids *ids = service_ids_new();
	bool in_force[FWD_ID_MAX + 1] = { false };

	for (uint32_t batch = 0; batch < 5; batch++)
		configure(ids, batch * BATCH_LEN, BATCH_LEN);
	/* Records may name those that have gone: a configuration of new ones is refused. */
	assert_int_equal(ask(ids, 5 * BATCH_LEN, BATCH_LEN, in_force), FWD_ID_MAX - 5 * BATCH_LEN);
	set_all_void(ids);
	configure(ids, 5 * BATCH_LEN, BATCH_LEN);
	/* And for ever. */
	for (uint32_t batch = 6; batch < 16; batch++) {
		set_all_void(ids);
		configure(ids, batch * BATCH_LEN, BATCH_LEN);
	}
}

static void service_ids_give_that_of_the_longest_gone(void **state)
{
	_cleanup_(service_ids_freep) struct service_ids *ids = service_ids_new();
	uint16_t first, second;

	configure(ids, 0, FWD_SERVICES_MAX);
	first = id_of(ids, 7);
	for (uint32_t batch = 1; batch < 4; batch++)
		configure(ids, batch * FWD_SERVICES_MAX, FWD_SERVICES_MAX);
	second = id_of(ids, FWD_SERVICES_MAX);
	/* Three are left: whatever has gone may be given again after them. */
	configure(ids, 4 * FWD_SERVICES_MAX, 3);
	service_ids_set_void(ids, second);
	service_ids_set_void(ids, first);
	service_ids_begin(ids);
	assert_int_equal(id_of(ids, 1000000), first);
	assert_int_equal(id_of(ids, 1000001), second);
	service_ids_begin(ids);
	/* Nobody has the old names any more. */
	assert_int_equal(id_of(ids, 1000000), first);
}

static void service_ids_of_one_configuration_are_apart(void **state)
{
	_cleanup_(service_ids_freep) struct service_ids *ids = service_ids_new();
	bool in_force[FWD_ID_MAX + 1] = { false };

	/* A refused configuration was never in force: the next may have its numbers, but each once. */
	for (uint32_t batch = 0; batch < 5; batch++) {
		bool refused[FWD_ID_MAX + 1] = { false };

		assert_int_equal(ask(ids, batch * BATCH_LEN, BATCH_LEN, refused), BATCH_LEN);
	}
	assert_int_equal(ask(ids, 5 * BATCH_LEN, BATCH_LEN, in_force), BATCH_LEN);
}

static void service_ids_remember_over_a_restart_who_is_void(void **state)
{
	_cleanup_(service_ids_freep) struct service_ids *ids = service_ids_new();
	_cleanup_(service_ids_freep) struct service_ids *restarted = service_ids_new();
	uint16_t gone, kept;
	json_t *document;

	configure(ids, 0, FWD_SERVICES_MAX);
	gone = id_of(ids, 0);
	kept = id_of(ids, 1);
	for (uint32_t batch = 1; batch < 4; batch++)
		configure(ids, batch * FWD_SERVICES_MAX, FWD_SERVICES_MAX);
	configure(ids, 4 * FWD_SERVICES_MAX, 3);
	service_ids_set_void(ids, gone);
	document = service_ids_export(ids);
	service_ids_import(restarted, document);
	json_decref(document);
	service_ids_begin(restarted);
	assert_int_equal(id_of(restarted, 1), kept);
	assert_int_equal(id_of(restarted, 1000000), gone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(service_ids_come_back_when_no_record_names_them),
		cmocka_unit_test(service_ids_give_that_of_the_longest_gone),
		cmocka_unit_test(service_ids_of_one_configuration_are_apart),
		cmocka_unit_test(service_ids_remember_over_a_restart_who_is_void),
	};

	return cmocka_run_group_tests_name("service_ids", tests, NULL, NULL);
}
