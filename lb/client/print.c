/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the looking verbs of dsr-lb print for people, in the manner of `ipvsadm -Ln` and
 * `networkctl`: from JSON documents to tables. Called by client.c; talks to nobody.
 */
#include "lb/client/print.h"

#include "common/cli/cli.h"
#include "common/cli/cli_table.h"
#include "lb/client/verdict.h"

static const char *print_string(const json_t *object, const char *name)
{
	const char *value = json_string_value(json_object_get(object, name));

	return value && value[0] ? value : "-";
}

static unsigned long long print_number(const json_t *object, const char *name)
{
	return (unsigned long long)json_integer_value(json_object_get(object, name));
}

const char *print_amount(unsigned long long value, char *buffer)
{
	static const char units[] = { 'k', 'M', 'G', 'T', 'P', 'E' };
	double scaled = (double)value;
	size_t idx = 0;

	if (value < 10000) {
		snprintf(buffer, PRINT_AMOUNT_BYTES, "%llu", value);
		return buffer;
	}
	for (scaled /= 1000; scaled >= 1000 && idx + 1 < sizeof(units); idx++)
		scaled /= 1000;
	snprintf(buffer, PRINT_AMOUNT_BYTES, "%.*f%c", scaled < 10 ? 1 : 0, scaled, units[idx]);
	return buffer;
}

static void print_cell_amount(struct cli_table *table, const json_t *object, const char *name)
{
	char buffer[PRINT_AMOUNT_BYTES];

	cli_table_cell(table, "%s", print_amount(print_number(object, name), buffer));
}

/* "198.51.100.10, 2001:db8::10", to free; NULL when there is no memory. */
static char *print_join(const json_t *array)
{
	char *joined = strdup("");
	size_t idx;
	const json_t *item;

	json_array_foreach ((json_t *)array, idx, item) {
		const char *text = json_string_value(item);
		char *longer = NULL;

		if (asprintf(&longer, "%s%s%s", joined ? joined : "", idx ? ", " : "",
			    text ? text : "") < 0)
			longer = NULL;
		free(joined);
		joined = longer;
	}
	return joined;
}

static void print_head(const json_t *document)
{
	const char *interface = print_string(document, "interface");
	_cleanup_free_ char *backends = print_join(json_object_get(document, "backend_interfaces"));
	const char *why = json_string_value(json_object_get(document, "inactive_reason"));
	const char *reason = json_string_value(json_object_get(document, "reason"));
	bool active = json_is_true(json_object_get(document, "active"));
	bool lingers = streq(print_string(document, "state"), "lingering");
	char age[CLI_AGE_BYTES];

	printf("dsr-lb %s, mode %s on %s", print_string(document, "version"),
		print_string(document, "mode"), interface);
	if (backends && backends[0] && !streq(backends, interface))
		printf(" (backends on %s)", backends);
	printf(", %s", active ? "active" : lingers ? "lingering" : "not active");
	if (!active && why && why[0])
		printf(" (%s)", why);
	if (lingers)
		printf(" for %s more",
			cli_format_age(
				json_number_value(json_object_get(document, "linger_left_s")),
				age));
	printf(", up %s, configuration %llu\n",
		cli_format_age(json_number_value(json_object_get(document, "uptime_s")), age),
		print_number(document, "config_generation"));
	if (reason && reason[0] && (!why || !why[0]))
		printf("warning: %s\n", reason);
}

/* Only those that happened: most of the reasons never do. */
static void print_counted(const char *title, const json_t *counters)
{
	bool begun = false;
	const char *name;
	const json_t *value;

	json_object_foreach ((json_t *)counters, name, value) {
		if (json_integer_value(value) <= 0)
			continue;
		printf("%s%s %lld", begun ? ", " : title, name,
			(long long)json_integer_value(value));
		begun = true;
	}
	if (begun)
		putchar('\n');
}

static void print_counters(const json_t *document)
{
	const json_t *packets = json_object_get(document, "packets");
	const json_t *flows = json_object_get(document, "flow_table");
	const json_t *control = json_object_get(document, "control");

	printf("packets: %llu received, %llu forwarded, %llu passed, %llu dropped\n",
		print_number(packets, "received"), print_number(packets, "forwarded"),
		print_number(packets, "passed"), print_number(packets, "dropped"));
	print_counted("dropped: ", json_object_get(document, "drops"));
	printf("flows: %llu of %llu recorded, %llu evicted\n", print_number(flows, "entries"),
		print_number(flows, "capacity"), print_number(flows, "evictions"));
	print_counted("second chance: ", json_object_get(document, "second_chance"));
	print_counted("refused messages: ", json_object_get(control, "rejected"));
}

/* Why and for how long: for whatever is not up; of what is up, the age alone. */
static void print_cell_since(struct cli_table *table, const json_t *backend)
{
	char age[CLI_AGE_BYTES];

	cli_table_cell(table, "%s",
		cli_format_age(json_number_value(json_object_get(backend, "since_s")), age));
}

static void print_cell_reason(struct cli_table *table, const json_t *backend)
{
	const char *reason = json_string_value(json_object_get(backend, "reason"));

	cli_table_cell(table, "%s", reason ? reason : "");
}

/* The weight that is in force stands behind the configured one where they differ. */
static void print_cell_weight(struct cli_table *table, const json_t *backend)
{
	const char *tier = json_is_true(json_object_get(backend, "backup")) ? " backup" : "";
	unsigned long long weight = print_number(backend, "weight");
	double effective = json_number_value(json_object_get(backend, "effective_weight"));

	if ((double)weight == effective)
		cli_table_cell(table, "%llu%s", weight, tier);
	else
		cli_table_cell(table, "%llu (%.7g)%s", weight, effective, tier);
}

/* Those that are up, all of them, and how many are needed where it is not one. */
static void print_cell_up(struct cli_table *table, const json_t *virtual_server)
{
	json_t *backends = json_object_get(virtual_server, "backends");
	unsigned long long minimum = print_number(virtual_server, "minimum");
	size_t idx, n_up = 0;
	const json_t *backend;

	json_array_foreach (backends, idx, backend)
		n_up += streq(print_string(backend, "state"), "up");
	if (minimum > 1)
		cli_table_cell(
			table, "%zu/%zu, minimum %llu", n_up, json_array_size(backends), minimum);
	else
		cli_table_cell(table, "%zu/%zu", n_up, json_array_size(backends));
}

static void print_backend_row(struct cli_table *table, const json_t *backend, const char *indent)
{
	cli_table_cell(table, "%s%s", indent, print_string(backend, "name"));
	cli_table_cell(table, "%s", print_string(backend, "address"));
	cli_table_state(table, print_string(backend, "state"));
	print_cell_since(table, backend);
	print_cell_weight(table, backend);
	cli_table_cell(table, "%.1f%%", 100 * json_number_value(json_object_get(backend, "share")));
	print_cell_amount(table, backend, "flows");
	print_cell_amount(table, backend, "established");
	print_cell_amount(table, backend, "packets");
	print_cell_amount(table, backend, "bytes");
	print_cell_reason(table, backend);
}

static void print_service_row(struct cli_table *table, const json_t *virtual_server)
{
	_cleanup_free_ char *vips = print_join(json_object_get(virtual_server, "vip"));
	const char *why = json_string_value(json_object_get(virtual_server, "ready_reason"));
	bool ready = json_is_true(json_object_get(virtual_server, "ready"));

	cli_table_cell(table, "%s", print_string(virtual_server, "name"));
	cli_table_cell(table, "%s port %s %s %s%s", vips ? vips : "-",
		print_string(virtual_server, "ports"), print_string(virtual_server, "protocol"),
		print_string(virtual_server, "scheduler"),
		json_is_true(json_object_get(virtual_server, "sessionless")) ? " sessionless" : "");
	cli_table_state(table, ready ? "ready" : "not ready");
	cli_table_cell(table, "%s", "");
	cli_table_cell(table, "%s", "");
	cli_table_cell(table, "%s", "");
	print_cell_amount(table, virtual_server, "flows");
	cli_table_cell(table, "%s", "");
	print_cell_amount(table, virtual_server, "packets");
	print_cell_amount(table, virtual_server, "bytes");
	cli_table_cell(table, "%s", why ? why : "");
}

/* Nothing else in the table says why the status is degraded by them. */
static void print_claims(const json_t *document)
{
	const json_t *claim;
	size_t idx;

	json_array_foreach (json_object_get(document, "claims"), idx, claim) {
		const char *backend = json_string_value(json_object_get(claim, "backend"));

		printf("%s is claimed by %s (%s), %llu times, last %.0f s ago\n",
			print_string(claim, "vip"), print_string(claim, "mac"),
			backend ? backend : "not a backend", print_number(claim, "count"),
			json_number_value(json_object_get(claim, "last_s")));
	}
}

static bool print_has_backend(const json_t *server, const char *name)
{
	const json_t *backend;
	size_t idx;

	json_array_foreach (json_object_get(server, "backends"), idx, backend)
		if (streq(print_string(backend, "name"), name))
			return true;
	return false;
}

/* Those that are up and yet have a reason; of the first virtual server that has them. */
static void print_odd_backends(const json_t *document, size_t server_idx)
{
	const json_t *servers = json_object_get(document, "virtual_servers");
	const json_t *server = json_array_get(servers, server_idx), *backend;
	size_t idx;

	json_array_foreach (json_object_get(server, "backends"), idx, backend) {
		const char *reason = print_string(backend, "reason");
		bool said = false;

		if (!streq(print_string(backend, "state"), "up") || streq(reason, "-"))
			continue;
		for (size_t before = 0; before < server_idx && !said; before++)
			said = print_has_backend(
				json_array_get(servers, before), print_string(backend, "name"));
		if (!said)
			printf("warning: backend %s: %s\n", print_string(backend, "name"), reason);
	}
}

static void print_differences(const json_t *document)
{
	const json_t *other, *difference;
	size_t idx, at;

	json_array_foreach (json_object_get(document, "balancers"), idx, other)
		json_array_foreach (json_object_get(other, "differences"), at, difference)
			printf("warning: virtual server %s: the table of the balancer %s %s\n",
				print_string(difference, "virtual_server"),
				print_string(other, "address"), print_string(difference, "words"));
}

/* Behind everything else, where they are seen. */
static void print_warnings(const json_t *document)
{
	const json_t *refused, *server;
	char age[CLI_AGE_BYTES];
	size_t idx;

	json_array_foreach (json_object_get(document, "virtual_servers"), idx, server)
		print_odd_backends(document, idx);

	json_array_foreach (json_object_get(document, "refusals"), idx, refused)
		printf("warning: %s: %s (%llu times, last %s ago)\n",
			print_string(refused, "address"), print_string(refused, "words"),
			print_number(refused, "count"),
			cli_format_age(json_number_value(json_object_get(refused, "last_s")), age));
	print_differences(document);
}

static const struct cli_column print_status_columns[] = {
	{ "NAME", false },
	{ "ADDRESS", false },
	{ "STATE", false },
	{ "SINCE", true },
	{ "WEIGHT", true },
	{ "SHARE", true },
	{ "FLOWS", true },
	{ "ESTABLISHED", true },
	{ "PACKETS", true },
	{ "BYTES", true },
	{ "REASON", false },
};

void print_status(const struct cli *cli, const json_t *document)
{
	struct cli_table *table =
		cli_table_new(cli, print_status_columns, ARRAY_LEN(print_status_columns));
	size_t server_idx, backend_idx;
	const json_t *server, *backend;

	if (cli->header) {
		char words[VERDICT_BYTES];

		(void)verdict_words(document, words, sizeof(words));
		printf("%s\n", words);
		print_head(document);
		print_counters(document);
		print_claims(document);
		putchar('\n');
	}
	json_array_foreach (json_object_get(document, "virtual_servers"), server_idx, server) {
		print_service_row(table, server);
		json_array_foreach (json_object_get(server, "backends"), backend_idx, backend)
			print_backend_row(table, backend, "  ");
	}
	cli_table_print_or(table, "no virtual server is configured");
	if (cli->header)
		print_warnings(document);
}

void print_virtual_servers(const struct cli *cli, const json_t *document)
{
	static const struct cli_column columns[] = {
		{ "NAME", false },
		{ "VIP", false },
		{ "PORT", false },
		{ "PROTOCOL", false },
		{ "SCHEDULER", false },
		{ "STATE", false },
		{ "UP", true },
		{ "FLOWS", true },
		{ "PACKETS", true },
		{ "BYTES", true },
		{ "DIGEST", false },
		{ "REASON", false },
	};
	struct cli_table *table = cli_table_new(cli, columns, ARRAY_LEN(columns));
	size_t server_idx;
	const json_t *server;

	json_array_foreach (json_object_get(document, "virtual_servers"), server_idx, server) {
		_cleanup_free_ char *vips = print_join(json_object_get(server, "vip"));
		const char *why = json_string_value(json_object_get(server, "ready_reason"));
		bool ready = json_is_true(json_object_get(server, "ready"));

		cli_table_cell(table, "%s", print_string(server, "name"));
		cli_table_cell(table, "%s", vips ? vips : "-");
		cli_table_cell(table, "%s", print_string(server, "ports"));
		cli_table_cell(table, "%s", print_string(server, "protocol"));
		cli_table_cell(table, "%s%s", print_string(server, "scheduler"),
			json_is_true(json_object_get(server, "sessionless")) ? ", sessionless"
									     : "");
		cli_table_state(table, ready ? "ready" : "not ready");
		print_cell_up(table, server);
		print_cell_amount(table, server, "flows");
		print_cell_amount(table, server, "packets");
		print_cell_amount(table, server, "bytes");
		cli_table_cell(table, "%s", print_string(server, "table_digest"));
		cli_table_cell(table, "%s", why ? why : "");
	}
	cli_table_print_or(table, "no virtual server is configured");
}

static void print_backend_line(
	struct cli_table *table, const char *virtual_server, const json_t *backend)
{
	unsigned long long rtt_us = print_number(backend, "heartbeat_rtt_us");

	cli_table_cell(table, "%s", virtual_server);
	cli_table_cell(table, "%s", print_string(backend, "name"));
	cli_table_cell(table, "%s", print_string(backend, "address"));
	cli_table_cell(table, "%s", print_string(backend, "mac"));
	cli_table_cell(table, "%s", print_string(backend, "source"));
	cli_table_state(table, print_string(backend, "state"));
	print_cell_since(table, backend);
	print_cell_weight(table, backend);
	cli_table_cell(table, "%.1f%%", 100 * json_number_value(json_object_get(backend, "share")));
	print_cell_amount(table, backend, "flows");
	print_cell_amount(table, backend, "established");
	if (rtt_us > 0)
		cli_table_cell(table, "%.1fms", (double)rtt_us / 1000);
	else
		cli_table_cell(table, "-");
	cli_table_cell(table, "%llu", print_number(backend, "heartbeats_missed"));
	print_cell_reason(table, backend);
}

int print_backends(const struct cli *cli, const json_t *document, const char *virtual_server)
{
	static const struct cli_column columns[] = {
		{ "VIRTUAL SERVER", false },
		{ "BACKEND", false },
		{ "ADDRESS", false },
		{ "MAC", false },
		{ "SOURCE", false },
		{ "STATE", false },
		{ "SINCE", true },
		{ "WEIGHT", true },
		{ "SHARE", true },
		{ "FLOWS", true },
		{ "ESTABLISHED", true },
		{ "RTT", true },
		{ "MISSED", true },
		{ "REASON", false },
	};
	struct cli_table *table = cli_table_new(cli, columns, ARRAY_LEN(columns));
	bool found = !virtual_server;
	size_t server_idx, backend_idx;
	const json_t *server, *backend;

	json_array_foreach (json_object_get(document, "virtual_servers"), server_idx, server) {
		const char *name = print_string(server, "name");

		if (virtual_server && !streq(virtual_server, name))
			continue;
		found = true;
		json_array_foreach (json_object_get(server, "backends"), backend_idx, backend)
			print_backend_line(table, name, backend);
	}
	cli_table_print_or(
		table, found ? "no backend has registered, and none is configured" : NULL);
	return found ? 0 : -ENOENT;
}

/* "192.0.2.1:80", "[2001:db8::1]:80" */
static void print_cell_endpoint(struct cli_table *table, const json_t *flow,
	const char *address_name, const char *port_name)
{
	const char *address = print_string(flow, address_name);
	bool brackets = strchr(address, ':') != NULL;

	cli_table_cell(table, "%s%s%s:%llu", brackets ? "[" : "", address, brackets ? "]" : "",
		print_number(flow, port_name));
}

void print_flows(const struct cli *cli, const json_t *flows)
{
	static const struct cli_column columns[] = {
		{ "PROTOCOL", false },
		{ "CLIENT", false },
		{ "VIP", false },
		{ "VIRTUAL SERVER", false },
		{ "BACKEND", false },
		{ "STATE", false },
		{ "IDLE", true },
	};
	struct cli_table *table = cli_table_new(cli, columns, ARRAY_LEN(columns));
	char age[CLI_AGE_BYTES];
	size_t idx;
	const json_t *flow;

	json_array_foreach ((json_t *)flows, idx, flow) {
		cli_table_cell(table, "%s", print_string(flow, "protocol"));
		print_cell_endpoint(table, flow, "client", "client_port");
		print_cell_endpoint(table, flow, "vip", "vip_port");
		cli_table_cell(table, "%s", print_string(flow, "virtual_server"));
		cli_table_cell(table, "%s", print_string(flow, "backend"));
		cli_table_cell(table, "%s", print_string(flow, "state"));
		cli_table_cell(table, "%s",
			cli_format_age(json_number_value(json_object_get(flow, "idle_s")), age));
	}
	cli_table_print_or(table,
		"no flow is recorded; under a hash scheduler the table remembers the others");
}

void print_explain(const struct cli *cli, const json_t *answer)
{
	const json_t *story = json_object_get(answer, "story"), *step;
	size_t idx;

	json_array_foreach ((json_t *)story, idx, step)
		printf("%2zu. %s\n", idx + 1, json_string_value(step));
}
