/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control plane without a network, for bench/control and scenarios:
 *
 *	control_bench tables
 *	control_bench publish DIRECTORY
 *	control_bench reload DIRECTORY VIRTUAL_SERVERS
 *	control_bench memory DIRECTORY
 *	control_bench digest FIRST_ADDRESS FROM TO
 *
 * `tables`: one Maglev table of 10 to 4,000 members. `publish`: 1,000 backends in 100 pools of
 * different members, of which one leaves all. `reload`: a configuration of so many virtual servers
 * is read, compared and published. `memory`: of flows and backends, by the difference of two sizes.
 * Each prints rows {"name", "value", "unit", "limit"}, one a line; limit null where none is set.
 * DIRECTORY is an empty runtime directory on a tmpfs, which is filled. `digest`: of the table of the
 * agents with these numbers, as tests/harness/agents.c has them.
 *
 * Times are the least of several tries: other programs on the same CPUs make them longer.
 */
#include "tests/harness/tool.h"

#include <stdarg.h>
#include <sys/resource.h>

#include "lb/config/config.h"
#include "lb/publish/publish.h"
#include "lb/state/keep.h"
#include "lb/table/flow_walk.h"
#include "lb/table/table_fill.h"

#define BACKENDS      1000u
#define POOLS         100u
#define TRIES         5u
#define TABLE_TRIES   10u
#define START_US      (1000 * US_PER_S)
#define FIRST_BACKEND 0x0a000001u /* 10.0.0.1 */

struct world {
	struct keep *keep;
	struct registry *registry;
	struct service_ids *ids;
	struct publish *publish;
	struct config *config;
	struct service_list *services;
	struct publish_links links;
	struct flow_walk *walk;
	struct snapshot *snapshot;
	uint64_t now_us;
};

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void row(const char *name, double value, const char *unit, double limit)
{
	printf("{\"name\": \"%s\", \"value\": %.3f, \"unit\": \"%s\", ", name, value, unit);
	if (limit > 0)
		printf("\"limit\": %g}\n", limit);
	else
		printf("\"limit\": null}\n");
}

static struct addr backend_address(size_t idx)
{
	return (struct addr){ .family = AF_INET,
		.ip4.s_addr = htobe32(FIRST_BACKEND + (uint32_t)idx) };
}

/* ---- tables ---- */

static double table_ms(size_t n_members)
{
	_cleanup_free_ struct table_member *members = calloc(n_members, sizeof(*members));
	_cleanup_free_ struct fwd_slot *rows = calloc(FWD_ROWS, sizeof(*rows));
	uint8_t seed[TABLE_SEED_BYTES];
	double begin_ms, best_ms = 1e9;

	if (!members || !rows)
		errx(1, "out of memory");
	table_seed("", seed);
	for (size_t try = 0; try < TABLE_TRIES; try++) {
		for (size_t i = 0; i < n_members; i++)
			members[i] = (struct table_member){ backend_address(i), (uint16_t)(i + 1),
				(uint32_t)(1 + (i + try) % 100) };
		begin_ms = now_ms();
		if (table_fill(members, n_members, seed, rows) < 0)
			errx(1, "no table of %zu members", n_members);
		best_ms = MIN(best_ms, now_ms() - begin_ms);
	}
	return best_ms;
}

static int bench_tables(void)
{
	static const size_t sizes[] = { 10, 100, 1000, 4000 };

	ARRAY_FOREACH (size, sizes, ARRAY_LEN(sizes)) {
		char name[64];

		snprintf(name, sizeof(name), "table of %zu backends with 100 weights", *size);
		row(name, table_ms(*size), "ms", 10);
	}
	return 0;
}

/* ---- a world without a network ---- */

/* All backends are on the first link. */
static size_t world_link_of(const void *context, const struct addr *address)
{
	return 0;
}

static const struct snapshot *world_snapshot(void *context)
{
	return ((const struct world *)context)->snapshot;
}

static const struct fwd_service *world_service(uint16_t service, void *context)
{
	const struct world *world = context;

	return world->snapshot ? snapshot_service(world->snapshot, service) : NULL;
}

static void world_open(struct world *world, const char *directory)
{
	struct why why = { 0 };
	bool fresh;

	world->now_us = START_US;
	if (keep_open(&(struct keep_config){ directory, KEEP_FILES, 1024 }, &world->keep, &fresh,
		    &why) < 0)
		errx(1, "%s", why.text);
	world->registry = registry_new(7);
	world->ids = service_ids_new();
	world->walk = flow_walk_new(keep_flows(world->keep), world_service, NULL, world);
	world->publish = publish_new(&(struct publish_config){
		world->keep, world->walk, "", false, world_snapshot, world });
	world->links = (struct publish_links){
		.own_mac = { { 2, 0, 0, 0, 1, 1 } },
		.out = { { 1, { { 2, 0, 0, 0, 1, 1 } }, 1500 } },
		.find = world_link_of,
		.active = true,
	};
	if (!world->registry || !world->ids || !world->publish)
		errx(1, "out of memory");
}

static void world_close(struct world *world)
{
	snapshot_free(world->snapshot);
	publish_free(world->publish);
	flow_walk_free(world->walk);
	registry_free(world->registry);
	service_list_free(world->services);
	service_ids_free(world->ids);
	config_free(world->config);
	keep_free(world->keep);
}

/* Times of the steps of a reload. */
struct reload_times {
	double config_ms, services_ms, registry_ms;
};

static void world_reload(struct world *world, const char *text, struct reload_times *ret_times)
{
	static const struct addr_prefix subnet = { { .family = AF_INET, .bytes = { 10 } }, 8 };
	struct registry_config config = {
		.subnets = &subnet, .n_subnets = 1, .interval_us = 300000, .fall = 3, .rise = 2
	};
	struct config *old_config = world->config;
	struct service_list *old_services = world->services;
	struct ini_report *report = NULL;
	struct why why = { 0 };
	double begin_ms = now_ms(), parsed_ms, listed_ms;

	if (config_load_text("bench", text, strlen(text), &world->config, &report) < 0)
		errx(1, "%s", report ? ini_report_line(report, 0) : "out of memory");
	ini_report_free(report);
	parsed_ms = now_ms();
	if (service_list_new(world->config, world->ids, &world->services) < 0)
		errx(1, "no services");
	listed_ms = now_ms();
	config.services = world->services->registry;
	config.n_services = world->services->len;
	config.statics = world->services->statics;
	config.n_statics = world->services->n_statics;
	if (registry_configure(world->registry, &config, world->now_us, &why) < 0)
		errx(1, "%s", why.text);
	registry_tick(world->registry, world->now_us);
	*ret_times = (struct reload_times){ parsed_ms - begin_ms, listed_ms - parsed_ms,
		now_ms() - listed_ms };
	service_list_free(old_services);
	config_free(old_config);
}

/* Builds and hands over; then the replaced snapshot goes, as no worker would read it. */
static double world_build_ms(struct world *world)
{
	const struct publish_request request = { world->services, world->registry, &world->links };
	struct snapshot *snapshot = NULL;
	double begin_ms = now_ms();

	if (publish_build(world->publish, &request, world->now_us, &snapshot) < 0)
		errx(1, "no snapshot");
	snapshot_free(world->snapshot);
	world->snapshot = snapshot;
	(void)publish_tick(world->publish, world->now_us);
	return now_ms() - begin_ms;
}

/* A growing text. */
struct text {
	char *data;
	size_t len, room;
};

_printf_(2, 3) static void text_add(struct text *text, const char *format, ...)
{
	va_list args;

	if (text->room - text->len < 256) {
		text->room = MAX(2 * text->room, (size_t)65536);
		text->data = realloc(text->data, text->room);
		if (!text->data)
			errx(1, "out of memory");
	}
	va_start(args, format);
	text->len +=
		(size_t)vsnprintf(text->data + text->len, text->room - text->len, format, args);
	va_end(args);
}

/* ---- publish ---- */

/* Pool p has all backends but each hundredth, beginning with number p: all pools differ. */
static void pools_text(struct text *text)
{
	text_add(text, "[balancer]\ninterface = eth0\n");
	for (unsigned int pool = 0; pool < POOLS; pool++) {
		text_add(text,
			"[virtual-server pool%u]\nvip = 198.51.100.%u\nport = 80\ncheck = none\n",
			pool, pool + 1);
		for (unsigned int i = 0; i < BACKENDS; i++) {
			char address[ADDR_STRLEN];

			if (i % POOLS == pool && i > 0)
				continue;
			addr_format(&(struct addr){ .family = AF_INET,
					    .ip4.s_addr = htobe32(FIRST_BACKEND + i) },
				address);
			text_add(text, "real-server = %s mac=02:00:00:00:%02x:%02x weight=%u\n",
				address, i >> 8, i & 255, 1 + i % 7);
		}
	}
}

static int bench_publish(const char *directory)
{
	struct world world = { 0 };
	struct text text = { 0 };
	struct reload_times times;
	double leave_ms = 1e9, join_ms = 1e9, same_ms = 1e9, first_ms;

	world_open(&world, directory);
	pools_text(&text);
	world_reload(&world, text.data, &times);
	first_ms = world_build_ms(&world);
	for (unsigned int try = 0; try < TRIES; try++) {
		if (registry_admin(world.registry, "10.0.0.1", BACKEND_ADMIN_MAINT, world.now_us) <
			0)
			errx(1, "no 10.0.0.1");
		leave_ms = MIN(leave_ms, world_build_ms(&world));
		same_ms = MIN(same_ms, world_build_ms(&world));
		if (registry_admin(world.registry, "10.0.0.1", BACKEND_ADMIN_NONE, world.now_us) <
			0)
			errx(1, "no 10.0.0.1");
		join_ms = MIN(join_ms, world_build_ms(&world));
		world.now_us += US_PER_S;
	}
	row("snapshot of 1,000 backends in 100 pools, all tables new", first_ms, "ms", 0);
	row("snapshot after one backend leaves 100 pools", leave_ms, "ms", 250);
	row("snapshot after it has come back", join_ms, "ms", 250);
	row("snapshot where no table changes", same_ms, "ms", 0);
	world_close(&world);
	free(text.data);
	return 0;
}

/* ---- reload ---- */

/* Ten pools of 20 backends, each shared by a tenth of the virtual servers. */
static void servers_text(struct text *text, unsigned long n_servers)
{
	text_add(text, "[balancer]\ninterface = eth0\n");
	for (unsigned long server = 0; server < n_servers; server++) {
		text_add(text,
			"[virtual-server v%lu]\nvip = 198.18.%lu.%lu\nport = 80, 443\ncheck = none\n",
			server, server >> 8, server & 255);
		for (unsigned long i = server % 10 * 20; i < server % 10 * 20 + 20; i++)
			text_add(text, "real-server = 10.0.0.%lu mac=02:00:00:00:00:%02lx\n", i + 1,
				i + 1);
	}
}

static int bench_reload(const char *directory, unsigned long n_servers)
{
	struct world world = { 0 };
	struct text text = { 0 };
	struct reload_times times;
	char name[96];
	double build_ms;

	world_open(&world, directory);
	servers_text(&text, n_servers);
	world_reload(&world, text.data, &times);
	(void)world_build_ms(&world);
	world_reload(&world, text.data, &times);
	build_ms = world_build_ms(&world);
	snprintf(name, sizeof(name), "reload of %lu virtual servers: ", n_servers);
	printf("# %sconfiguration %.1f ms, services %.1f ms, registry %.1f ms, snapshot %.1f ms\n",
		name, times.config_ms, times.services_ms, times.registry_ms, build_ms);
	snprintf(name, sizeof(name), "reload of %lu virtual servers, without a network", n_servers);
	row(name, times.config_ms + times.services_ms + times.registry_ms + build_ms, "ms", 0);
	world_close(&world);
	free(text.data);
	return 0;
}

/* ---- digest ---- */

/* Of the table of agents number `from` to `to` as tests/harness/agents.c has them. */
static int print_digest(const struct addr *first, size_t from, size_t to)
{
	_cleanup_free_ struct table_member *members = calloc(to + 1, sizeof(*members));
	_cleanup_free_ struct fwd_slot *rows = calloc(FWD_ROWS, sizeof(*rows));
	char digest[TABLE_DIGEST_LEN];
	uint8_t seed[TABLE_SEED_BYTES];
	size_t len = 0;

	if (!members || !rows)
		errx(1, "out of memory");
	for (size_t number = MAX(from, (size_t)1); number <= to; number++) {
		members[len] = (struct table_member){ .address = *first,
			.id = (uint16_t)number,
			.weight = (uint32_t)(1 + (number - 1) % 7) };
		members[len++].address.ip4.s_addr =
			htobe32(be32toh(first->ip4.s_addr) + (uint32_t)number - 1);
	}
	table_seed("", seed);
	if (table_fill(members, len, seed, rows) < 0 ||
		table_digest(members, len, rows, digest) < 0)
		errx(1, "no table");
	printf("%s\n", digest);
	return 0;
}

/* ---- memory ---- */

static uint64_t anonymous_bytes(void)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/self/status", "re");
	char line[128];
	unsigned long kilobytes = 0;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "RssAnon: %lu", &kilobytes) == 1)
			break;
	return (uint64_t)kilobytes * 1024;
}

/* Backends alone: the same virtual server with `count` of them. */
static void backends_text(struct text *text, unsigned int count)
{
	text_add(text,
		"[balancer]\ninterface = eth0\n[virtual-server v]\nvip = 198.51.100.1\n"
		"port = 80\ncheck = none\n");
	for (unsigned int i = 0; i < count; i++) {
		char address[ADDR_STRLEN];
		const struct addr backend = backend_address(i);

		text_add(text, "real-server = %s mac=02:00:00:00:%02x:%02x\n",
			addr_format(&backend, address), i >> 8, i & 255);
	}
}

static uint64_t backends_bytes(struct world *world, unsigned int count)
{
	struct text text = { 0 };
	struct reload_times times;

	backends_text(&text, count);
	world_reload(world, text.data, &times);
	(void)world_build_ms(world);
	free(text.data);
	return anonymous_bytes();
}

static int bench_memory(const char *directory)
{
	static const uint64_t sizes[] = { 1 << 19, 1 << 20 };
	struct world world = { 0 };
	uint64_t few_bytes, many_bytes;
	double bytes[ARRAY_LEN(sizes)][2];

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		bytes[i][0] = (double)flows_buckets4(sizes[i]) * sizeof(struct flow4_bucket);
		bytes[i][1] = (double)flows_buckets6(sizes[i]) * sizeof(struct flow6_bucket);
	}
	row("records of 1M IPv4 flows", bytes[1][0] / (1 << 20), "MiB", 24);
	row("records of 1M IPv6 flows", bytes[1][1] / (1 << 20), "MiB", 40);
	row("memory of an IPv4 flow", (bytes[1][0] - bytes[0][0]) / (double)(sizes[1] - sizes[0]),
		"bytes", 24);
	row("memory of an IPv6 flow", (bytes[1][1] - bytes[0][1]) / (double)(sizes[1] - sizes[0]),
		"bytes", 40);
	world_open(&world, directory);
	few_bytes = backends_bytes(&world, 500);
	many_bytes = backends_bytes(&world, 4000);
	row("memory of a backend", ((double)many_bytes - (double)few_bytes) / 3500, "bytes", 0);
	world_close(&world);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && streq(argv[1], "tables"))
		return bench_tables();
	if (argc == 3 && streq(argv[1], "publish"))
		return bench_publish(argv[2]);
	if (argc == 4 && streq(argv[1], "reload"))
		return bench_reload(argv[2], tool_number(argv[3], CONFIG_VIRTUAL_SERVERS_MAX));
	if (argc == 3 && streq(argv[1], "memory"))
		return bench_memory(argv[2]);
	if (argc == 5 && streq(argv[1], "digest")) {
		struct addr first = tool_address(argv[2]);

		return print_digest(&first, tool_number(argv[3], TABLE_MEMBERS_MAX),
			tool_number(argv[4], TABLE_MEMBERS_MAX));
	}
	errx(64,
		"usage: control_bench tables | publish DIRECTORY | reload DIRECTORY N | "
		"memory DIRECTORY | digest FIRST_ADDRESS FROM TO");
}
