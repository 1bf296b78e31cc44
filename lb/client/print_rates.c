/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two levels, as ipvsadm has them: see print_rates.h. */
#include "lb/client/print_rates.h"

#include "common/cli/cli.h"
#include "common/cli/cli_table.h"
#include "lb/client/print.h"

static const char *const rates_names[] = { "syns", "packets", "bytes" };

static const char *rates_string(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "-";
}

static const json_t *rates_find(const json_t *list, const char *name)
{
	const json_t *item;
	size_t idx;

	json_array_foreach ((json_t *)list, idx, item) {
		if (streq(rates_string(item, "name"), name))
			return item;
	}
	return NULL;
}

struct rates {
	struct cli_table *table;
	bool of_time; /* a second */
	double seconds;
};

/* Of counters that began anew nothing is known. */
static void rates_cells(const struct rates *rates, const json_t *before, const json_t *now)
{
	char amount[PRINT_AMOUNT_BYTES];

	ARRAY_FOREACH (name, rates_names, ARRAY_LEN(rates_names)) {
		double value = json_number_value(json_object_get(now, *name));

		if (rates->of_time)
			value = (value - json_number_value(json_object_get(before, *name))) /
				rates->seconds;
		if (value < 0 || (rates->of_time && !before))
			cli_table_cell(rates->table, "-");
		else
			cli_table_cell(rates->table, "%s",
				print_amount((unsigned long long)(value + 0.5), amount));
	}
}

static void rates_server(const struct rates *rates, const json_t *before, const json_t *server)
{
	const json_t *backends_before = json_object_get(before, "backends"), *backend;
	size_t idx;

	cli_table_cell(rates->table, "%s", rates_string(server, "name"));
	cli_table_cell(rates->table, "%s", "");
	rates_cells(rates, before, server);
	json_array_foreach (json_object_get(server, "backends"), idx, backend) {
		cli_table_cell(rates->table, "  -> %s", rates_string(backend, "name"));
		cli_table_cell(rates->table, "%s", rates_string(backend, "address"));
		rates_cells(
			rates, rates_find(backends_before, rates_string(backend, "name")), backend);
	}
}

static void rates_add(const json_t *before, json_t *now, double seconds)
{
	char member[32];

	ARRAY_FOREACH (name, rates_names, ARRAY_LEN(rates_names)) {
		double grown = json_number_value(json_object_get(now, *name)) -
			json_number_value(json_object_get(before, *name));

		snprintf(member, sizeof(member), "%s_per_s", *name);
		json_object_set_new(now, member,
			before && grown >= 0 ? json_real(grown / seconds) : json_null());
	}
}

void print_rates_add(const json_t *before, json_t *document, double seconds)
{
	size_t server_idx, backend_idx;
	json_t *server, *backend;

	json_array_foreach (json_object_get(document, "virtual_servers"), server_idx, server) {
		const json_t *server_before = rates_find(
			json_object_get(before, "virtual_servers"), rates_string(server, "name"));

		rates_add(server_before, server, seconds);
		json_array_foreach (json_object_get(server, "backends"), backend_idx, backend)
			rates_add(rates_find(json_object_get(server_before, "backends"),
					  rates_string(backend, "name")),
				backend, seconds);
	}
}

int print_rates(const struct cli *cli, const json_t *before, const json_t *document, double seconds,
	const char *virtual_server)
{
	static const struct cli_column stats_columns[] = { { .title = "NAME" },
		{ "ADDRESS", .drop = 1 }, { "SYNS", .right = true }, { "INPKTS", .right = true },
		{ "INBYTES", .right = true } };
	static const struct cli_column rate_columns[] = { { .title = "NAME" },
		{ "ADDRESS", .drop = 1 }, { "SYNS/S", .right = true }, { "INPPS", .right = true },
		{ "INBPS", .right = true } };
	const json_t *servers = json_object_get(document, "virtual_servers"), *server;
	struct rates rates = {
		.table = cli_table_new(
			cli, before ? rate_columns : stats_columns, ARRAY_LEN(stats_columns)),
		.of_time = before,
		.seconds = seconds,
	};
	bool found = !virtual_server;
	size_t idx;

	json_array_foreach ((json_t *)servers, idx, server) {
		const char *name = rates_string(server, "name");

		if (virtual_server && !streq(virtual_server, name))
			continue;
		found = true;
		rates_server(&rates, rates_find(json_object_get(before, "virtual_servers"), name),
			server);
	}
	cli_table_print(rates.table);
	return found ? 0 : -ENOENT;
}
