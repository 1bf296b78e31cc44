/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A farm as our configuration: see farm_write.h. Keys that say what is the default anyway are left out. */
#include "lb/client/import/farm_write.h"

#include <inttypes.h>
#include <limits.h>

#define VIPS_OF_A_LINE 8u /* a line has 1024 bytes */

struct place {
	const struct farm_note *note;
	size_t idx; /* in the order in which they were made */
};

static int compare_places(const void *a, const void *b)
{
	const struct place *left = a, *right = b;

	if (left->note->line != right->note->line)
		return left->note->line < right->note->line ? -1 : 1;
	return left->idx < right->idx ? -1 : left->idx > right->idx;
}

/* Those of lines up to `line`; one that says the same as another of its line is left out. */
static void write_notes(const struct place *places, size_t n_notes, unsigned int line, size_t *next,
	struct text *text)
{
	for (; *next < n_notes && places[*next].note->line <= line; ++*next) {
		const struct farm_note *note = places[*next].note;
		bool said = false;

		for (size_t i = *next; i-- > 0 && places[i].note->line == note->line && !said;)
			said = streq(places[i].note->text, note->text);
		if (!said)
			text_format(text, "# not translated: %u: %s\n", note->line, note->text);
	}
}

static void write_time(struct text *text, const char *key, uint64_t number, const char *unit)
{
	if (number > 0)
		text_format(text, "%s = %" PRIu64 "%s\n", key, number, unit);
}

static void write_milliseconds(struct text *text, const char *key, uint64_t number)
{
	write_time(text, key, number % 1000 ? number : number / 1000, number % 1000 ? "ms" : "s");
}

static void write_binding(const struct farm_server *server, struct text *text)
{
	char address[ADDR_STRLEN];

	for (size_t i = 0; i < server->n_vips; i++)
		text_format(text, "%s%s",
			i % VIPS_OF_A_LINE == 0 ? i ? "\nvip = " : "vip = " : ", ",
			addr_format(&server->vips[i], address));
	if (server->port > 0)
		text_format(text, "\nport = %u\n", server->port);
	else
		text_format(text, "\nport = any\n");
	text_format(text, "protocol = %s\n", server->protocol);
}

static void write_choice(const struct farm_server *server, struct text *text)
{
	text_format(text, "scheduler = %s\n", config_scheduler_names[server->scheduler]);
	if (server->scheduler == CONFIG_MAGLEV && server->hash == CONFIG_SOURCE_IP)
		text_format(text, "hash = source-ip\n");
	if (server->sessionless)
		text_format(text, "sessionless = yes\n");
	write_time(text, "persistence", server->persistence_s, "s");
	if (server->persistence_s > 0 && (server->prefix4 || server->prefix6))
		text_format(text, "persistence-prefix = %u, %u\n",
			server->prefix4 ? server->prefix4 : 32,
			server->prefix6 ? server->prefix6 : 128);
	write_time(text, "tcp-timeout", server->tcp_timeout_s, "s");
	write_time(text, "fin-timeout", server->fin_timeout_s, "s");
	write_time(text, "udp-timeout", server->udp_timeout_s, "s");
}

static void write_checks(const struct farm_server *server, struct text *text)
{
	if (server->check_none && server->n_checks == 0)
		text_format(text, "check = none\n");
	else if (server->n_checks > 0)
		text_format(text, "check = agent, path\n");
	for (size_t i = 0; i < server->n_checks; i++)
		text_format(text, "check = %s\n", server->checks[i]);
	write_milliseconds(text, "check-interval", server->check_interval_ms);
	write_milliseconds(text, "check-timeout", server->check_timeout_ms);
	if (server->check_fall > 0)
		text_format(text, "check-fall = %u\n", server->check_fall);
	if (server->check_rise > 0)
		text_format(text, "check-rise = %u\n", server->check_rise);
}

static void write_real_server(const struct farm_real_server *each, struct text *text)
{
	char address[ADDR_STRLEN];

	text_format(text, "real-server = %s", addr_format(&each->address, address));
	if (each->name[0])
		text_format(text, " name=%s", each->name);
	if (each->weight != 1)
		text_format(text, " weight=%" PRIu64, each->weight);
	if (each->backup)
		text_format(text, " backup");
	if (each->max_connections > 0)
		text_format(text, " max-connections=%" PRIu64, each->max_connections);
	text_format(text, "\n");
}

static void write_server(const struct farm_server *server, struct text *text)
{
	text_format(text, "[virtual-server %s]\n", server->name);
	write_binding(server, text);
	write_choice(server, text);
	write_checks(server, text);
	if (server->minimum > 1 || server->minimum_percent)
		text_format(text, "minimum = %u%s\n", server->minimum,
			server->minimum_percent ? "%" : "");
	ARRAY_FOREACH (each, server->real_servers, server->n_real_servers)
		if (!each->dropped)
			write_real_server(each, text);
}

void farm_write(const struct farm *farm, const char *source, struct text *ret_text)
{
	_cleanup_free_ struct place *places = calloc(farm->n_notes + 1, sizeof(*places));
	size_t next = 0;

	if (!places) {
		ret_text->failed = true;
		return;
	}
	for (size_t i = 0; i < farm->n_notes; i++)
		places[i] = (struct place){ &farm->notes[i], i };
	qsort(places, farm->n_notes, sizeof(*places), compare_places);
	text_format(ret_text,
		"# Made from %s by dsr-lb import. [balancer] is not part of it: see dsr-lb.conf(5).\n",
		source);
	for (size_t i = 0; i < farm->n_servers; i++) {
		const struct farm_server *server = farm->servers[i];

		if (server->dropped)
			continue;
		text_format(ret_text, "\n");
		write_notes(places, farm->n_notes, server->last_line, &next, ret_text);
		write_server(server, ret_text);
	}
	if (next < farm->n_notes)
		text_format(ret_text, "\n");
	write_notes(places, farm->n_notes, UINT_MAX, &next, ret_text);
}
