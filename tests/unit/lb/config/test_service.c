/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Services: ids are stable over reloads, restarts and reordering, and new for what is new.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lb/config/config.h"
#include "lb/config/service.h"

#define HEAD "[balancer]\ninterface = eth0\n"
#define WEB  "[virtual-server web]\nvip = 198.51.100.10, 2001:db8::10\nport = 80\n"
#define DNS  "[virtual-server dns]\nvip = 198.51.100.11\nport = 53\nprotocol = udp\n"

static struct config *load(const char *text)
{
	struct ini_report *report = NULL;
	struct config *config = NULL;

	assert_int_equal(config_load_text("test", text, strlen(text), &config, &report), 0);
	ini_report_free(report);
	return config;
}

static uint16_t id_of(const struct service_list *list, const char *name, const char *vip)
{
	struct addr addr;

	assert_int_equal(addr_parse(vip, &addr), 0);
	for (size_t i = 0; i < list->len; i++)
		if (streq(list->items[i].virtual_server->name, name) &&
			addr_equal(&list->items[i].vip, &addr))
			return list->items[i].id;
	return 0;
}

static void service_is_one_for_each_vip(void **state)
{
	_cleanup_(config_freep) struct config *config = load(HEAD WEB DNS);
	_cleanup_(service_ids_freep) struct service_ids *ids = service_ids_new();
	_cleanup_(service_list_freep) struct service_list *list = NULL;

	assert_int_equal(service_list_new(config, ids, &list), 0);
	assert_int_equal(list->len, 3);
	for (size_t i = 0; i < list->len; i++) {
		assert_int_not_equal(list->items[i].id, 0);
		assert_ptr_equal(service_list_find(list, list->items[i].id), &list->items[i]);
		assert_int_equal(list->registry[i].id, list->items[i].id);
		assert_string_equal(
			list->registry[i].virtual_server, list->items[i].virtual_server->name);
	}
	assert_null(service_list_find(list, 999));
}

/* What check-config lets through must start; what it would not, does not. */
static void services_are_no_more_than_their_limit(void **state)
{
	_cleanup_(config_freep) struct config *config = load(HEAD WEB);
	_cleanup_(service_ids_freep) struct service_ids *ids = service_ids_new();
	struct ini_list *vips = &config->virtual_servers[0]->vips;
	struct service_list *list = NULL;
	size_t len = vips->len;

	vips->len = FWD_SERVICES_MAX + 1;
	assert_int_equal(service_list_new(config, ids, &list), -ENOSPC);
	vips->len = len;
	assert_null(list);
}

static void service_is_probed_at_its_first_port(void **state)
{
	static const struct {
		const char *lines;
		enum registry_path path;
		uint16_t port;
	} cases[] = {
		{ "port = 80, 443\ncheck = agent\n", REGISTRY_PATH_NONE, 0 },
		{ "port = 8000-8010, 80\ncheck = path\n", REGISTRY_PATH_TCP, 8000 },
		{ "port = 53\nprotocol = any\ncheck = path\n", REGISTRY_PATH_TCP, 53 },
		{ "port = 53\nprotocol = udp\ncheck = path\n", REGISTRY_PATH_UDP, 53 },
		{ "port = 53\nprotocol = sctp\ncheck = path\n", REGISTRY_PATH_ECHO, 0 },
		{ "check = path\n", REGISTRY_PATH_ECHO, 0 },
	};

	ARRAY_FOREACH (test, cases, ARRAY_LEN(cases)) {
		_cleanup_(service_ids_freep) struct service_ids *ids = service_ids_new();
		_cleanup_(service_list_freep) struct service_list *list = NULL;
		_cleanup_(config_freep) struct config *config = NULL;
		char text[256];

		snprintf(text, sizeof(text), HEAD "[virtual-server web]\nvip = 198.51.100.10\n%s",
			test->lines);
		config = load(text);
		assert_int_equal(service_list_new(config, ids, &list), 0);
		assert_int_equal(list->registry[0].path, test->path);
		assert_int_equal(list->registry[0].path_port, test->port);
	}
}

static void service_has_the_requests_of_its_virtual_server(void **state)
{
	_cleanup_(service_ids_freep) struct service_ids *ids = service_ids_new();
	_cleanup_(service_list_freep) struct service_list *list = NULL;
	_cleanup_(config_freep) struct config *config =
		load(HEAD "[virtual-server any]\nvip = 198.51.100.12\n"
			  "check = http://a:8080/x\n" WEB
			  "check = path, http://www.example.org/health, http://b:1/y?z\n" DNS);

	assert_int_equal(service_list_new(config, ids, &list), 0);
	assert_int_equal(list->len, 4);
	assert_int_equal(list->registry[0].n_requests, 1);
	assert_int_equal(list->registry[0].requests[0].port, 8080);
	assert_int_equal(list->registry[0].path, REGISTRY_PATH_NONE);
	assert_int_equal(list->registry[1].n_requests, 0);
	for (size_t i = 2; i < 4; i++) {
		const struct registry_service *web = &list->registry[i];

		assert_int_equal(web->n_requests, 2);
		assert_string_equal(web->requests[0].name, "http://www.example.org/health");
		assert_string_equal(web->requests[0].target, "/health");
		assert_int_equal(web->requests[0].port, 80);
		assert_string_equal(web->requests[1].target, "/y?z");
		assert_int_equal(web->requests[1].port, 1);
		assert_int_equal(web->path, REGISTRY_PATH_TCP);
		assert_false(web->use_agents);
	}
}

static void service_keeps_its_id_over_reload_and_restart(void **state)
{
	_cleanup_(config_freep) struct config *first = load(HEAD WEB DNS);
	_cleanup_(config_freep) struct config *second = load(HEAD DNS);
	_cleanup_(config_freep) struct config *third = load(HEAD DNS WEB);
	_cleanup_(service_ids_freep) struct service_ids *ids = service_ids_new();
	_cleanup_(service_ids_freep) struct service_ids *restarted = service_ids_new();
	struct service_list *list = NULL;
	uint16_t web4, web6, dns;
	json_t *kept;

	assert_int_equal(service_list_new(first, ids, &list), 0);
	web4 = id_of(list, "web", "198.51.100.10");
	web6 = id_of(list, "web", "2001:db8::10");
	dns = id_of(list, "dns", "198.51.100.11");
	service_list_free(list);

	assert_int_equal(service_list_new(second, ids, &list), 0);
	assert_int_equal(id_of(list, "dns", "198.51.100.11"), dns);
	service_list_free(list);

	kept = service_ids_export(ids);
	service_ids_import(restarted, kept);
	json_decref(kept);
	assert_int_equal(service_list_new(third, restarted, &list), 0);
	assert_int_equal(id_of(list, "web", "198.51.100.10"), web4);
	assert_int_equal(id_of(list, "web", "2001:db8::10"), web6);
	assert_int_equal(id_of(list, "dns", "198.51.100.11"), dns);
	service_list_free(list);
}

static void service_ignores_damaged_entries(void **state)
{
	static const char text[] =
		"[{\"virtual_server\": \"web\", \"vip\": \"198.51.100.10\", \"id\": 0},"
		" {\"virtual_server\": \"web\", \"vip\": \"nonsense\", \"id\": 4},"
		" {\"virtual_server\": 7, \"vip\": \"198.51.100.10\", \"id\": 5},"
		" {\"virtual_server\": \"web\", \"vip\": \"198.51.100.10\", \"id\": 70000},"
		" {\"virtual_server\": \"web\", \"vip\": \"198.51.100.10\", \"id\": 9},"
		" {\"virtual_server\": \"dns\", \"vip\": \"198.51.100.11\", \"id\": 9}, 3]";
	_cleanup_(config_freep) struct config *config = load(HEAD WEB DNS);
	_cleanup_(service_ids_freep) struct service_ids *ids = service_ids_new();
	_cleanup_(service_list_freep) struct service_list *list = NULL;
	json_t *document = json_loads(text, 0, NULL);

	assert_non_null(document);
	service_ids_import(ids, document);
	service_ids_import(ids, NULL);
	json_decref(document);
	assert_int_equal(service_list_new(config, ids, &list), 0);
	assert_int_equal(id_of(list, "web", "198.51.100.10"), 9);
	assert_int_not_equal(id_of(list, "dns", "198.51.100.11"), 9);
}

static void service_statics_carry_their_virtual_server(void **state)
{
	_cleanup_(config_freep) struct config *config = load(HEAD WEB
		"check = none\nreal-server = 192.0.2.7 weight=3 name=old mac=02:00:00:00:00:07\n");
	_cleanup_(service_ids_freep) struct service_ids *ids = service_ids_new();
	_cleanup_(service_list_freep) struct service_list *list = NULL;

	assert_int_equal(service_list_new(config, ids, &list), 0);
	assert_int_equal(list->n_statics, 1);
	assert_string_equal(list->statics[0].name, "old");
	assert_string_equal(list->statics[0].virtual_server, "web");
	assert_int_equal(list->statics[0].weight, 3);
	assert_int_equal(list->statics[0].mac.bytes[5], 7);
	assert_true(list->statics[0].no_check);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(service_is_one_for_each_vip),
		cmocka_unit_test(services_are_no_more_than_their_limit),
		cmocka_unit_test(service_is_probed_at_its_first_port),
		cmocka_unit_test(service_has_the_requests_of_its_virtual_server),
		cmocka_unit_test(service_keeps_its_id_over_reload_and_restart),
		cmocka_unit_test(service_ignores_damaged_entries),
		cmocka_unit_test(service_statics_carry_their_virtual_server),
	};

	return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
