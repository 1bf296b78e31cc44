/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the status document to Prometheus's text, to the letter; and the table that INTERFACE names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/addr.h"
#include "lb/control/form/metrics.h"
#include "lb/registry/backend/backend.h"
#include "tests/unit/tools/manual.h"

static char *text_of(struct exposition *exposition)
{
	size_t size_bytes;
	char *bytes = exposition_take(exposition, &size_bytes);
	char *text = strndup(bytes, size_bytes);

	free(bytes);
	exposition_free(exposition);
	return text;
}

static struct exposition *exposition_of_all(void)
{
	size_t n_families;
	const struct exposition_family *families = metrics_families(&n_families);

	return exposition_new(families, n_families);
}

/* Without the lines of help and type. */
static void assert_samples(struct exposition *exposition, const char *expected)
{
	char *text = text_of(exposition), *samples = calloc(1, strlen(text) + 2);

	for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
		if (line[0] && line[0] != '#')
			strcat(strcat(samples, line), "\n");
	assert_string_equal(samples, expected);
	free(samples);
	free(text);
}

static void metrics_are_the_document(void **state)
{
	json_t *document = json_loads(
		"{\"version\":\"1.2\",\"mode\":\"tc\",\"interface\":\"eth0\",\"active\":true,\"ready\":false,"
		"\"config_last_reload\":{\"successful\":false,\"success_time_s\":1795949263.125},"
		"\"packets\":{\"received\":10,\"forwarded\":7,\"passed\":2,\"dropped\":1},"
		"\"drops\":{\"no-backend\":1,\"syn-rate\":0},"
		"\"flow_table\":{\"entries\":5,\"capacity\":1000,\"evictions\":3},"
		"\"fragments\":{\"held\":4},"
		"\"control\":{\"received\":9,\"accepted\":8,\"rejected\":{\"key\":1}}}",
		0, NULL);
	struct exposition *exposition = exposition_of_all();

	metrics_add_document(exposition, document);
	assert_samples(exposition,
		"dsr_build_info{version=\"1.2\"} 1\n"
		"dsr_engine_info{mode=\"tc\",interface=\"eth0\"} 1\n"
		"dsr_active 1\n"
		"dsr_ready 0\n"
		"dsr_config_last_reload_successful 0\n"
		"dsr_config_last_reload_success_timestamp_seconds 1795949263.125\n"
		"dsr_received_packets_total 10\n"
		"dsr_forwarded_packets_total 7\n"
		"dsr_passed_packets_total 2\n"
		"dsr_dropped_packets_total{reason=\"no-backend\"} 1\n"
		"dsr_dropped_packets_total{reason=\"syn-rate\"} 0\n"
		"dsr_flows 5\n"
		"dsr_flows_max 1000\n"
		"dsr_flow_evictions_total 3\n"
		"dsr_fragments_held 4\n"
		"dsr_control_messages_total{result=\"accepted\"} 8\n"
		"dsr_control_messages_total{result=\"key\"} 1\n");
	json_decref(document);
}

static const char server_json[] =
	"{\"name\":\"web\",\"packets\":7,\"bytes\":700,\"syns\":2,\"ready\":true,"
	"\"minimum\":2,\"moving_slots\":6,\"table_digest\":\"ab12\",\"backends\":["
	"{\"name\":\"web1\",\"state\":\"up\",\"packets\":7,\"bytes\":700,\"syns\":2,"
	"\"accepted\":1,\"established\":3,\"weight\":2,\"effective_weight\":0.4,\"share\":0.75},"
	"{\"name\":\"s\\\"1\",\"state\":\"down\",\"packets\":0,\"bytes\":0,\"syns\":0,"
	"\"accepted\":null,\"established\":0,\"weight\":1,\"effective_weight\":0,\"share\":0}]}";

static const char server_samples[] =
	"dsr_virtual_server_packets_total{virtual_server=\"web\"} 7\n"
	"dsr_virtual_server_bytes_total{virtual_server=\"web\"} 700\n"
	"dsr_virtual_server_syns_total{virtual_server=\"web\"} 2\n"
	"dsr_virtual_server_ready{virtual_server=\"web\"} 1\n"
	"dsr_virtual_server_minimum{virtual_server=\"web\"} 2\n"
	"dsr_virtual_server_backends{virtual_server=\"web\",state=\"pending\"} 0\n"
	"dsr_virtual_server_backends{virtual_server=\"web\",state=\"up\"} 1\n"
	"dsr_virtual_server_backends{virtual_server=\"web\",state=\"drain\"} 0\n"
	"dsr_virtual_server_backends{virtual_server=\"web\",state=\"maint\"} 0\n"
	"dsr_virtual_server_backends{virtual_server=\"web\",state=\"down\"} 1\n"
	"dsr_table_info{virtual_server=\"web\",digest=\"ab12\"} 1\n"
	"dsr_moving_slots{virtual_server=\"web\"} 6\n";

#define WEB1 "{virtual_server=\"web\",backend=\"web1\"} "
#define S1   "{virtual_server=\"web\",backend=\"s\\\"1\"} "
static const char backend_samples[] =
	"dsr_backend_packets_total" WEB1 "7\n"
	"dsr_backend_packets_total" S1 "0\n"
	"dsr_backend_bytes_total" WEB1 "700\n"
	"dsr_backend_bytes_total" S1 "0\n"
	"dsr_backend_syns_total" WEB1 "2\n"
	"dsr_backend_syns_total" S1 "0\n"
	"dsr_backend_accepted_total" WEB1 "1\n" /* of the other it is not known */
	"dsr_backend_established_connections" WEB1 "3\n"
	"dsr_backend_established_connections" S1 "0\n"
	"dsr_backend_weight" WEB1 "2\n"
	"dsr_backend_weight" S1 "1\n"
	"dsr_backend_effective_weight" WEB1 "0.4\n"
	"dsr_backend_effective_weight" S1 "0\n"
	"dsr_backend_share_ratio" WEB1 "0.75\n"
	"dsr_backend_share_ratio" S1 "0\n";

static void metrics_are_each_virtual_server(void **state)
{
	json_t *server = json_loads(server_json, 0, NULL);
	struct exposition *exposition = exposition_of_all();
	char expected[8192];

	metrics_add_server(exposition, server, true);
	snprintf(expected, sizeof(expected), "%s%s", server_samples, backend_samples);
	assert_samples(exposition, expected);
	json_decref(server);
}

static void metrics_leave_backends_out(void **state)
{
	json_t *server = json_loads(server_json, 0, NULL);
	struct exposition *exposition = exposition_of_all();

	metrics_add_server(exposition, server, false);
	assert_samples(exposition, server_samples);
	json_decref(server);
}

#define OF_WEB1 "{backend=\"web1\"} "
static const char agent_samples[] =
	"dsr_backend_state{backend=\"web1\",state=\"pending\"} 0\n"
	"dsr_backend_state{backend=\"web1\",state=\"up\"} 0\n"
	"dsr_backend_state{backend=\"web1\",state=\"drain\"} 0\n"
	"dsr_backend_state{backend=\"web1\",state=\"maint\"} 0\n"
	"dsr_backend_state{backend=\"web1\",state=\"down\"} 1\n"
	"dsr_backend_state_changes_total" OF_WEB1 "7\n"
	"dsr_backend_state_since_timestamp_seconds" OF_WEB1 "1795949260.625\n"
	"dsr_backend_heartbeat_rtt_seconds" OF_WEB1 "0.000437\n"
	"dsr_backend_heartbeats_missed" OF_WEB1 "3\n"
	"dsr_backend_info{backend=\"web1\",address=\"192.0.2.11\",mac=\"02:00:00:00:00:0b\",source=\"agent\"} 1\n";

/* Clocks count in microseconds, metrics in seconds; of the two clocks one is since the boot. */
static void metrics_are_each_backend(void **state)
{
	struct backend web1 = {
		.name = "web1",
		.mac = { { 2, 0, 0, 0, 0, 11 } },
		.source = BACKEND_AGENT,
		.state = BACKEND_DOWN,
		.since_us = 500 * US_PER_S,
		.n_state_changes = 7,
		.heartbeats_missed = 3,
		.rtt_us = 437,
	};
	struct exposition *exposition = exposition_of_all();

	assert_int_equal(addr_parse("192.0.2.11", &web1.address), 0);
	metrics_add_backend(
		exposition, &web1, 502 * US_PER_S + US_PER_S / 2, 1795949263125 * US_PER_MS);
	assert_samples(exposition, agent_samples);
}

/* Of one without an agent there are no heartbeats, and of one that never answered there is no round trip. */
static void metrics_leave_out_what_is_not_known(void **state)
{
	struct backend agent = { .name = "web1", .source = BACKEND_AGENT },
		       fixed = { .name = "web2", .source = BACKEND_STATIC };
	struct exposition *exposition = exposition_of_all();
	char *text;

	metrics_add_backend(exposition, &agent, US_PER_S, US_PER_S);
	metrics_add_backend(exposition, &fixed, US_PER_S, US_PER_S);
	text = text_of(exposition);
	assert_non_null(strstr(text, "\ndsr_backend_heartbeats_missed{backend=\"web1\"} 0\n"));
	assert_null(strstr(text, "\ndsr_backend_heartbeats_missed{backend=\"web2\"}"));
	assert_null(strstr(text, "\ndsr_backend_heartbeat_rtt_seconds{"));
	free(text);
}

/* A page that names no metric of the table, or too few, lies. */
static void metrics_are_in_the_manual(void **state)
{
	size_t n_families;
	const struct exposition_family *families = metrics_families(&n_families);

	assert_manual_names("man/dsr-lb.8.scd", families, n_families);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(metrics_are_the_document),
		cmocka_unit_test(metrics_are_each_virtual_server),
		cmocka_unit_test(metrics_leave_backends_out),
		cmocka_unit_test(metrics_are_each_backend),
		cmocka_unit_test(metrics_leave_out_what_is_not_known),
		cmocka_unit_test(metrics_are_in_the_manual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
