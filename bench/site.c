/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a site of many balancers and real servers costs, by the product's own tables and messages (doc/site.md):
 *
 *	site [SERVERS [BALANCERS [CONNECTIONS]]]
 *
 * SERVERS (2500; at most TABLE_MEMBERS_MAX) are those of one cell, which BALANCERS (8) serve, with so many open
 * CONNECTIONS (2000000) in it. Prints a Markdown table; nothing in it is a measurement but the times.
 */
#include <err.h>
#include <math.h>
#include <stdarg.h>
#include <time.h>

#include "common/proto/proto.h"
#include "lb/table/table_fill.h"

#define INTERVAL_S    0.3  /* heartbeat-interval */
#define LIFE_S        60.0 /* of a connection, on average */
#define TCP_TIMEOUT_S 900.0
#define SKEW_S        0.1 /* between the first and the last balancer that hears of a change */
#define TRIES         20u
#define HEADERS_BYTES 46u /* Ethernet with its check sequence, IPv4, UDP */

struct site {
	size_t n_servers;
	unsigned int n_balancers;
	double connections;
	struct table_member members[TABLE_MEMBERS_MAX + 1];
	uint8_t seed[TABLE_SEED_BYTES];
	double fill_ms;
};

/* What becomes of rows and connections when membership changes. */
struct change {
	double rows;      /* share of rows with another owner */
	double blameless; /* of those, rows whose former owner is still there */
};

static struct fwd_table before, after;
static uint32_t owned[FWD_ID_MAX + 1];

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static struct table_member member(size_t number)
{
	return (struct table_member){
		.address = { .family = AF_INET,
			.bytes = { 10, (uint8_t)(number >> 16), (uint8_t)(number >> 8),
				(uint8_t)number } },
		.id = (uint16_t)(number + 1),
		.weight = 1,
	};
}

/* Of the servers but one (a number that is none: of all), and with one more if wanted. */
static void fill(struct site *site, struct fwd_table *table, size_t without, bool with_more)
{
	size_t len = 0;
	double begin_ms;

	for (size_t i = 0; i < site->n_servers + with_more; i++)
		if (i != without)
			site->members[len++] = member(i);
	begin_ms = now_ms();
	if (table_fill(site->members, len, site->seed, table->rows) < 0)
		errx(1, "the table cannot be made");
	site->fill_ms = now_ms() - begin_ms;
}

static void row(const char *what, const char *format, ...)
	__attribute__((__format__(__printf__, 2, 3)));
static void row(const char *what, const char *format, ...)
{
	va_list args;

	printf("| %s | ", what);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	puts(" |");
}

static void tell_shares(const struct site *site)
{
	double mean = (double)FWD_ROWS / (double)site->n_servers, square = 0;
	double each = site->connections / (double)site->n_servers;
	uint32_t most = 0;

	table_count(before.rows, owned);
	for (size_t i = 1; i <= site->n_servers; i++) {
		most = MAX(most, owned[i]);
		square += ((double)owned[i] - mean) * ((double)owned[i] - mean);
	}
	row("rows of a server: mean, most", "%.1f, %u (%.1f %% over)", mean, most,
		100 * ((double)most / mean - 1));
	/* Which connections come is chance beside it. */
	row("its connections: mean, standard deviation", "%.0f, %.1f %%", each,
		100 * sqrt(square / (double)site->n_servers / mean / mean + 1 / each));
}

/* Between the whole cell and `after`, from which a server (its number) may have gone. */
static struct change compare(size_t gone)
{
	struct change change = { 0 };

	for (size_t i = 0; i < FWD_ROWS; i++) {
		bool moved = before.rows[i].owner != after.rows[i].owner;

		change.rows += moved;
		change.blameless += moved && before.rows[i].owner != gone + 1;
	}
	change.rows /= FWD_ROWS;
	change.blameless /= FWD_ROWS;
	return change;
}

/* The mean over some servers, each for itself. */
static struct change one_leaves(struct site *site)
{
	struct change sum = { 0 };

	for (unsigned int i = 0; i < TRIES; i++) {
		size_t gone = site->n_servers * i / TRIES;
		struct change one;

		fill(site, &after, gone, false);
		one = compare(gone);
		sum.rows += one.rows / TRIES;
		sum.blameless += one.blameless / TRIES;
	}
	return sum;
}

static struct change one_joins(struct site *site)
{
	fill(site, &after, SIZE_MAX, true);
	return compare(site->n_servers);
}

static void tell_change(const struct site *site, const char *what, struct change change)
{
	const double begun_s = site->connections / LIFE_S;
	/* Those of rows that move, as long as they do: until their base was silent so long. */
	double records = begun_s * change.rows * MIN(LIFE_S, TCP_TIMEOUT_S);
	char name[64];

	snprintf(name, sizeof(name), "%s: rows that move", what);
	row(name, "%.3f %%, %.3f %% of them of living servers", 100 * change.rows,
		change.rows > 0 ? 100 * change.blameless / change.rows : 0.0);
	snprintf(name, sizeof(name), "%s: records needed, on all balancers", what);
	row(name, "%.0f", records);
	snprintf(name, sizeof(name), "%s: connections begun while balancers differ", what);
	row(name, "%.2f", begun_s * SKEW_S * change.rows);
}

static size_t size_of(struct proto_message *message)
{
	static uint8_t buffer[PROTO_MESSAGE_MAX];
	int size;

	message->version = PROTO_VERSION;
	size = proto_write(message, buffer);
	if (size < 0)
		errx(1, "a message cannot be written");
	return (size_t)size + HEADERS_BYTES;
}

static void tell_control(const struct site *site)
{
	struct proto_message heartbeat = { .type = PROTO_HEARTBEAT };
	struct proto_message answer = { .type = PROTO_ANSWER };
	double rate = (double)site->n_servers / INTERVAL_S;
	double bytes;

	heartbeat.session = (struct proto_session){ 1, 1, 0 };
	answer.report.session = (struct proto_session){ 1, 1, 1 };
	answer.report.status = (struct proto_status){
		.weight = 1, .n_vips = 1, .vips = { { .present = true, .silent = true } }
	};
	bytes = (double)(size_of(&heartbeat) + size_of(&answer));
	row("heartbeats of a balancer", "%.0f /s, %.1f Mb/s with their answers", rate,
		rate * bytes * 8 / 1e6);
	row("heartbeats at a server", "%.1f /s of %u balancers, %.0f kb/s",
		site->n_balancers / INTERVAL_S, site->n_balancers,
		site->n_balancers / INTERVAL_S * bytes * 8 / 1e3);
}

static void tell_memory(void)
{
	row("a table",
		"%.0f KiB, of all virtual servers with the same members and weights; 2 while it is replaced",
		(double)sizeof(struct fwd_table) / 1024);
	row("a million flow records", "%.0f MiB (IPv4; four of 64 bytes)", 1e6 / 4 * 64 / 1048576);
}

int main(int argc, char **argv)
{
	static struct site site = { .n_servers = 2500, .n_balancers = 8, .connections = 2e6 };

	if (argc > 1)
		site.n_servers = strtoul(argv[1], NULL, 10);
	if (argc > 2)
		site.n_balancers = (unsigned int)strtoul(argv[2], NULL, 10);
	if (argc > 3)
		site.connections = strtod(argv[3], NULL);
	if (site.n_servers < 2 || site.n_servers > TABLE_MEMBERS_MAX - 1 || site.n_balancers == 0 ||
		site.connections < 1)
		errx(64, "site [SERVERS (2-%u) [BALANCERS [CONNECTIONS]]]", TABLE_MEMBERS_MAX - 1);
	table_seed("", site.seed);
	fill(&site, &before, SIZE_MAX, false);
	printf("| of a cell of %zu servers, %u balancers, %.0f connections | |\n|---|---|\n",
		site.n_servers, site.n_balancers, site.connections);
	tell_shares(&site);
	tell_change(&site, "one leaves", one_leaves(&site));
	tell_change(&site, "one joins", one_joins(&site));
	tell_control(&site);
	tell_memory();
	row("a new table takes", "%.1f ms of a processor", site.fill_ms);
	return 0;
}
