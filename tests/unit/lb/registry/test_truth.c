/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who gets new flows: each row of the table in dsr-lb.conf(5) is what the registry does. */
#include "tests/unit/lb/registry/registry_world.h"

#define PAGE           "man/dsr-lb.conf.5.scd"
#define PAGE_MAX_BYTES 65536u
#define TITLE          "# WHO GETS NEW FLOWS\n"
#define COLUMNS        6
#define CELL_BYTES     32u
#define OTHERS         4u

struct row {
	char cells
		[COLUMNS]
		[CELL_BYTES]; /* usable, the others, the backup, on-all-down, get new flows, ready */
};

/* The four, and an agent in whose line `backup` stands. */
static void open_farm(struct world *world, bool drops)
{
	struct registry_static *line;
	struct world_agent *agent;

	world_open(world);
	world->services[0].minimum = 2;
	world->services[0].drop_on_all_down = drops;
	line = world_static(world, "web", "spare", "192.0.2.50");
	line->is_backup = true;
	world_configure(world);
	world_farm(world, OTHERS);
	agent = world_agent(world, "spare", 50, "198.51.100.10");
	agent->key_bound = true;
	assert_int_equal(world_register(world, agent).r, 0);
	world_pass(world, MS(2000));
	assert_int_equal(world_backend(world, "spare")->state, BACKEND_UP);
}

static void fail_as(struct world *world, const char *how, struct world_agent *agent)
{
	if (streq(how, "down")) {
		world_say(world, agent, PROTO_STATE_DOWN, "nginx is gone");
	} else if (streq(how, "silent")) {
		agent->answers = agent->host_answers = false;
	} else {
		assert_true(streq(how, "-") || streq(how, "up"));
	}
}

static void describe(const struct world *world, char *ret_text, size_t size_bytes)
{
	unsigned int n = 0;
	bool spare = world_effective(world, "spare") > 0 && world_serves(world, "spare", 0);
	char name[16];

	for (size_t i = 0; i < OTHERS; i++) {
		snprintf(name, sizeof(name), "web%02zu", i + 1);
		n += world_effective(world, name) > 0 && world_serves(world, name, 0);
	}
	if (n == 0)
		snprintf(ret_text, size_bytes, "%s", spare ? "the backup" : "nobody");
	else
		snprintf(ret_text, size_bytes, "%u%s", n, spare ? " and the backup" : "");
}

static void try_row(const struct row *row, bool drops)
{
	const char(*cells)[CELL_BYTES] = row->cells;
	struct world world;
	char text[CELL_BYTES];
	unsigned long usable = strtoul(cells[0], NULL, 10);

	open_farm(&world, drops);
	for (size_t i = usable; i < OTHERS; i++)
		fail_as(&world, cells[1], &world.agents[i]);
	fail_as(&world, cells[2], &world.agents[OTHERS]);
	/* Until silence is found, and the hosts have been asked. */
	world_pass(&world, MS(1700));
	describe(&world, text, sizeof(text));
	if (!streq(text, cells[4]))
		fail_msg("%s usable, the others %s, the backup %s, on-all-down = %s: %s, not %s",
			cells[0], cells[1], cells[2], drops ? "drop" : "keep", text, cells[4]);
	assert_string_equal(
		registry_tier(world.registry, &world.services[0]).is_enough ? "yes" : "no",
		cells[5]);
	world_close(&world);
}

static void check_row(const struct row *row)
{
	const char *policy = row->cells[3];

	assert_true(streq(policy, "any") || streq(policy, "keep") || streq(policy, "drop"));
	if (!streq(policy, "drop"))
		try_row(row, false);
	if (!streq(policy, "keep"))
		try_row(row, true);
}

/* A cell is a line: "|" begins a row, ":" goes on. */
static void truth_of_the_manual_is_what_happens(void **state)
{
	static char page[PAGE_MAX_BYTES];
	_cleanup_fclose_ FILE *file = fopen(PAGE, "re");
	size_t size_bytes = file ? fread(page, 1, sizeof(page) - 1, file) : 0, column = 0,
	       n_rows = 0;
	struct row row;
	char *rest, *line;

	assert_true(size_bytes > 0 && size_bytes < sizeof(page) - 1);
	rest = strstr(page, TITLE);
	assert_non_null(rest);
	rest += strlen(TITLE);
	while ((line = strsep(&rest, "\n")) && line[0] != '#') {
		if ((line[0] != '|' && line[0] != ':') || line[1] != ' ')
			continue;
		column = line[0] == '|' ? 0 : column + 1;
		assert_true(column < COLUMNS);
		snprintf(row.cells[column], CELL_BYTES, "%s", line + strspn(line, "|: "));
		if (column + 1 < COLUMNS)
			continue;
		check_row(&row);
		n_rows++;
	}
	assert_true(n_rows >= 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(truth_of_the_manual_is_what_happens),
	};

	return cmocka_run_group_tests_name("truth", tests, NULL, NULL);
}
