/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the looking verbs of dsr-lb print for people, in the manner of `ipvsadm -Ln` and
 * `networkctl`: from JSON documents to tables. Called by client.c; talks to nobody.
 */
#include "lb/client/print.h"

#include "common/cli/cli.h"
#include "common/cli/cli_table.h"
#include "common/cli/cli_text.h"
#include "lb/client/print_warnings.h"
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

/* "lingering for 2min more", "not active (why)" */
static void print_activity(const json_t *document, char *buffer, size_t size_bytes)
{
	const char *why = json_string_value(json_object_get(document, "inactive_reason"));
	bool says_why = why && why[0];
	char age[CLI_AGE_BYTES];

	if (json_is_true(json_object_get(document, "active")))
		snprintf(buffer, size_bytes, "active");
	else if (!streq(print_string(document, "state"), "lingering"))
		snprintf(buffer, size_bytes, "not active%s%s%s", says_why ? " (" : "",
			says_why ? why : "", says_why ? ")" : "");
	else
		snprintf(buffer, size_bytes, "lingering%s%s%s for %s more", says_why ? " (" : "",
			says_why ? why : "", says_why ? ")" : "",
			cli_format_age(
				json_number_value(json_object_get(document, "linger_left_s")),
				age));
}

static void print_head(const struct cli *cli, const json_t *document)
{
	const char *interface = print_string(document, "interface");
	_cleanup_free_ char *backends = print_join(json_object_get(document, "backend_interfaces"));
	bool others = backends && backends[0] && !streq(backends, interface);
	char activity[VERDICT_BYTES], age[CLI_AGE_BYTES];

	print_activity(document, activity, sizeof(activity));
	cli_text_say(cli, "dsr-lb %s, mode %s on %s%s%s%s, %s, up %s, configuration %llu",
		print_string(document, "version"), print_string(document, "mode"), interface,
		others ? " (backends on " : "", others ? backends : "", others ? ")" : "", activity,
		cli_format_age(json_number_value(json_object_get(document, "uptime_s")), age),
		print_number(document, "config_generation"));
}

/* Only those that happened: most of the reasons never do. */
static void print_counted(const struct cli *cli, const char *title, const json_t *counters)
{
	_cleanup_free_ char *line = NULL;
	const char *name;
	const json_t *value;

	json_object_foreach ((json_t *)counters, name, value) {
		char *longer = NULL;

		if (json_integer_value(value) <= 0)
			continue;
		if (asprintf(&longer, "%s%s%s %lld", line ? line : title, line ? ", " : "", name,
			    (long long)json_integer_value(value)) < 0)
			return;
		free(line);
		line = longer;
	}
	if (line)
		cli_text_say(cli, "%s", line);
}

static void print_counters(const struct cli *cli, const json_t *document)
{
	const json_t *packets = json_object_get(document, "packets");
	const json_t *flows = json_object_get(document, "flow_table");
	const json_t *control = json_object_get(document, "control");

	cli_text_say(cli, "packets: %llu received, %llu forwarded, %llu passed, %llu dropped",
		print_number(packets, "received"), print_number(packets, "forwarded"),
		print_number(packets, "passed"), print_number(packets, "dropped"));
	print_counted(cli, "dropped: ", json_object_get(document, "drops"));
	cli_text_say(cli, "flows: %llu of %llu recorded, %llu evicted",
		print_number(flows, "entries"), print_number(flows, "capacity"),
		print_number(flows, "evictions"));
	print_counted(cli, "second chance: ", json_object_get(document, "second_chance"));
	print_counted(cli, "refused messages: ", json_object_get(control, "rejected"));
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

/* Of all backends of a virtual server, what one's part is of. */
struct print_sums {
	double packets, weight;
};

static struct print_sums print_sums_of(const json_t *virtual_server)
{
	struct print_sums sums = { 0 };
	const json_t *backend;
	size_t idx;

	json_array_foreach (json_object_get(virtual_server, "backends"), idx, backend) {
		sums.packets += json_number_value(json_object_get(backend, "packets"));
		sums.weight += json_number_value(json_object_get(backend, "effective_weight"));
	}
	return sums;
}

static void print_cell_part(
	struct cli_table *table, const json_t *backend, const char *name, double sum)
{
	if (sum > 0)
		cli_table_cell(table, "%.1f%%",
			100 * json_number_value(json_object_get(backend, name)) / sum);
	else
		cli_table_cell(table, "-");
}

/* What it has against what it should have. */
static void print_cells_share(
	struct cli_table *table, const json_t *backend, const struct print_sums *sums)
{
	print_cell_weight(table, backend);
	print_cell_part(table, backend, "effective_weight", sums->weight);
	print_cell_part(table, backend, "packets", sums->packets);
	cli_table_cell(table, "%.1f%%", 100 * json_number_value(json_object_get(backend, "share")));
}

static void print_backend_row(
	struct cli_table *table, const json_t *backend, const struct print_sums *sums)
{
	cli_table_cell(table, "  %s", print_string(backend, "name"));
	cli_table_cell(table, "%s", print_string(backend, "address"));
	cli_table_state(table, print_string(backend, "state"));
	print_cell_since(table, backend);
	print_cells_share(table, backend, sums);
	print_cell_amount(table, backend, "flows");
	print_cell_amount(table, backend, "established");
	print_cell_amount(table, backend, "packets");
	print_cell_amount(table, backend, "bytes");
	print_cell_reason(table, backend);
}

static void print_cells_empty(struct cli_table *table, unsigned int n_cells)
{
	for (unsigned int i = 0; i < n_cells; i++)
		cli_table_cell(table, "%s", "");
}

/* What it serves, and how, as ipvsadm's first level says it. */
static void print_cell_service(struct cli_table *table, const json_t *virtual_server)
{
	_cleanup_free_ char *vips = print_join(json_object_get(virtual_server, "vip"));

	cli_table_words(table, "%s port %s %s %s%s", vips ? vips : "-",
		print_string(virtual_server, "ports"), print_string(virtual_server, "protocol"),
		print_string(virtual_server, "scheduler"),
		json_is_true(json_object_get(virtual_server, "sessionless")) ? " sessionless" : "");
}

static void print_cell_ready(struct cli_table *table, const json_t *virtual_server)
{
	bool ready = json_is_true(json_object_get(virtual_server, "ready"));

	cli_table_state(table, ready ? "ready" : "not ready");
}

static void print_cell_ready_reason(struct cli_table *table, const json_t *virtual_server)
{
	const char *why = json_string_value(json_object_get(virtual_server, "ready_reason"));

	cli_table_cell(table, "%s", why ? why : "");
}

static void print_service_row(struct cli_table *table, const json_t *virtual_server)
{
	cli_table_cell(table, "%s", print_string(virtual_server, "name"));
	print_cell_service(table, virtual_server);
	print_cell_ready(table, virtual_server);
	print_cells_empty(table, 5);
	print_cell_amount(table, virtual_server, "flows");
	print_cells_empty(table, 1);
	print_cell_amount(table, virtual_server, "packets");
	print_cell_amount(table, virtual_server, "bytes");
	print_cell_ready_reason(table, virtual_server);
}

static const struct cli_column print_status_columns[] = {
	{ .title = "NAME" },
	{ "ADDRESS", .drop = 2 },
	{ .title = "STATE" },
	{ "SINCE", .right = true, .drop = 1 },
	{ "WEIGHT", .right = true },
	{ "WEIGHT%", .right = true, .extra = true, .drop = 9 },
	{ "TRAFFIC%", .right = true, .extra = true, .drop = 8 },
	{ "SHARE", .right = true, .drop = 3 },
	{ "FLOWS", .right = true, .drop = 6 },
	{ "ESTABLISHED", .right = true, .drop = 4 },
	{ "PACKETS", .right = true, .drop = 5 },
	{ "BYTES", .right = true, .drop = 7 },
	{ .title = "REASON" },
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
		cli_text_say(cli, "%s", words);
		print_head(cli, document);
		print_counters(cli, document);
		putchar('\n');
	}
	json_array_foreach (json_object_get(document, "virtual_servers"), server_idx, server) {
		const struct print_sums sums = print_sums_of(server);

		print_service_row(table, server);
		json_array_foreach (json_object_get(server, "backends"), backend_idx, backend)
			print_backend_row(table, backend, &sums);
	}
	cli_table_print_or(table, "no virtual server is configured");
	if (cli->header)
		print_warnings(cli, document);
}

void print_virtual_servers(const struct cli *cli, const json_t *document)
{
	static const struct cli_column columns[] = {
		{ .title = "NAME" },
		{ "VIP", .drop = 2 },
		{ "PORT", .drop = 3 },
		{ "PROTOCOL", .drop = 4 },
		{ "SCHEDULER", .drop = 5 },
		{ .title = "STATE" },
		{ "UP", .right = true },
		{ "FLOWS", .right = true, .drop = 6 },
		{ "PACKETS", .right = true, .drop = 1 },
		{ "BYTES", .right = true, .drop = 7 },
		{ "DIGEST", .drop = 8 },
		{ .title = "REASON" },
	};
	struct cli_table *table = cli_table_new(cli, columns, ARRAY_LEN(columns));
	size_t server_idx;
	const json_t *server;

	json_array_foreach (json_object_get(document, "virtual_servers"), server_idx, server) {
		_cleanup_free_ char *vips = print_join(json_object_get(server, "vip"));

		cli_table_cell(table, "%s", print_string(server, "name"));
		cli_table_words(table, "%s", vips ? vips : "-");
		cli_table_cell(table, "%s", print_string(server, "ports"));
		cli_table_cell(table, "%s", print_string(server, "protocol"));
		cli_table_cell(table, "%s%s", print_string(server, "scheduler"),
			json_is_true(json_object_get(server, "sessionless")) ? ", sessionless"
									     : "");
		print_cell_ready(table, server);
		print_cell_up(table, server);
		print_cell_amount(table, server, "flows");
		print_cell_amount(table, server, "packets");
		print_cell_amount(table, server, "bytes");
		cli_table_cell(table, "%s", print_string(server, "table_digest"));
		print_cell_ready_reason(table, server);
	}
	cli_table_print_or(table, "no virtual server is configured");
}

/* Behind the name of its virtual server where one stands in each row. */
static const struct cli_column print_backends_columns[] = {
	{ .title = "VIRTUAL SERVER" },
	{ .title = "BACKEND" },
	{ "ADDRESS", .drop = 2 },
	{ "MAC", .drop = 10 },
	{ "SOURCE", .drop = 9 },
	{ .title = "STATE" },
	{ "SINCE", .right = true, .drop = 1 },
	{ "WEIGHT", .right = true },
	{ "WEIGHT%", .right = true, .extra = true, .drop = 6 },
	{ "TRAFFIC%", .right = true, .extra = true, .drop = 5 },
	{ "SHARE", .right = true, .drop = 3 },
	{ "FLOWS", .right = true, .drop = 5 },
	{ "ESTABLISHED", .right = true, .drop = 4 },
	{ "RTT", .right = true, .drop = 7 },
	{ "MISSED", .right = true, .drop = 8 },
	{ .title = "REASON" },
};

static void print_backend_cells(
	struct cli_table *table, const json_t *backend, const struct print_sums *sums)
{
	unsigned long long rtt_us = print_number(backend, "heartbeat_rtt_us");

	cli_table_cell(table, "%s", print_string(backend, "address"));
	cli_table_cell(table, "%s", print_string(backend, "mac"));
	cli_table_cell(table, "%s", print_string(backend, "source"));
	cli_table_state(table, print_string(backend, "state"));
	print_cell_since(table, backend);
	print_cells_share(table, backend, sums);
	print_cell_amount(table, backend, "flows");
	print_cell_amount(table, backend, "established");
	if (rtt_us > 0)
		cli_table_cell(table, "%.1fms", (double)rtt_us / 1000);
	else
		cli_table_cell(table, "-");
	cli_table_cell(table, "%llu", print_number(backend, "heartbeats_missed"));
	print_cell_reason(table, backend);
}

static void print_backends_service(struct cli_table *table, const json_t *server)
{
	cli_table_cell(table, "%s", print_string(server, "name"));
	print_cell_service(table, server);
	print_cells_empty(table, 2);
	print_cell_ready(table, server);
	print_cells_empty(table, 5);
	print_cell_amount(table, server, "flows");
	print_cells_empty(table, 3);
	print_cell_ready_reason(table, server);
}

/* `two_levels`: below a row of the virtual server, and not behind its name. */
static void print_backends_of(struct cli_table *table, const json_t *server, bool two_levels)
{
	const json_t *backends = json_object_get(server, "backends"), *backend;
	const struct print_sums sums = print_sums_of(server);
	size_t idx;

	if (two_levels && json_array_size(backends) > 0)
		print_backends_service(table, server);
	json_array_foreach ((json_t *)backends, idx, backend) {
		if (!two_levels)
			cli_table_cell(table, "%s", print_string(server, "name"));
		cli_table_cell(
			table, "%s%s", two_levels ? "  -> " : "", print_string(backend, "name"));
		print_backend_cells(table, backend, &sums);
	}
}

int print_backends(const struct cli *cli, const json_t *document, const char *virtual_server)
{
	bool two_levels = cli->columns > 0; /* scripts want all of it in each line */
	struct cli_table *table = cli_table_new(cli, print_backends_columns + two_levels,
		ARRAY_LEN(print_backends_columns) - two_levels);
	bool found = !virtual_server;
	size_t idx;
	const json_t *server;

	json_array_foreach (json_object_get(document, "virtual_servers"), idx, server) {
		if (virtual_server && !streq(virtual_server, print_string(server, "name")))
			continue;
		found = true;
		print_backends_of(table, server, two_levels);
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
		{ "PROTOCOL", .drop = 3 },
		{ .title = "CLIENT" },
		{ "VIP", .drop = 1 },
		{ "VIRTUAL SERVER", .drop = 4 },
		{ .title = "BACKEND" },
		{ .title = "STATE" },
		{ "IDLE", .right = true, .drop = 2 },
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
