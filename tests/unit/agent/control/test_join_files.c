/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files that a token becomes: whole, never over others, and nothing is left where one fails. */
#include "agent/control/join_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <dirent.h>
#include <ifaddrs.h>

#include "agent/config/config.h"
#include "tests/unit/tools/temp_dir.h"

struct place {
	char directory[TEMP_DIR_BYTES];
	char config_path[TEMP_DIR_BYTES + 16];
	struct join_files files;
	struct token token;
};

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	temp_dir_make(place->directory);
	snprintf(place->config_path, sizeof(place->config_path), "%s/dsr-agent.conf",
		place->directory);
	assert_int_equal(join_files_init(place->config_path, &place->files), 0);
	snprintf(place->token.key.id, sizeof(place->token.key.id), "main");
	snprintf(place->token.key.agent, sizeof(place->token.key.agent), "web1");
	place->token.key.secret[0] = 7;
	place->token.n_balancers = 2;
	assert_int_equal(addr_port_parse("203.0.113.2:7377", false, &place->token.balancers[0]), 0);
	assert_int_equal(addr_port_parse("203.0.113.3:7378", false, &place->token.balancers[1]), 0);
	place->token.n_vips = PROTO_VIPS_WHOLE;
	for (unsigned int i = 0; i < PROTO_VIPS_WHOLE; i++) {
		char text[ADDR_STRLEN];

		snprintf(text, sizeof(text), "2001:db8:f:1:2:3:4:%x", 0x1000 + i);
		assert_int_equal(addr_parse(text, &place->token.vips[i]), 0);
	}
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;

	join_files_clear(&place->files);
	temp_dir_remove(place->directory);
	free(place);
	return 0;
}

static size_t n_files(const struct place *place)
{
	DIR *directory = opendir(place->directory);
	size_t n = 0;

	assert_non_null(directory);
	for (struct dirent *entry; (entry = readdir(directory));)
		n += entry->d_name[0] != '.';
	closedir(directory);
	return n;
}

static void join_files_make_an_agent(void **state)
{
	struct place *place = *state;
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_(keyring_freep) struct keyring *ring = NULL;
	struct why why = { 0 };
	struct stat status;

	assert_int_equal(join_files_check(&place->files, &why), 0);
	assert_int_equal(join_files_write(&place->files, &place->token, &why), 0);
	assert_int_equal(n_files(place), 2);
	assert_int_equal(config_load(place->config_path, &config, &report), 0);
	assert_string_equal(config->name, "web1");
	assert_string_equal(config->key_file, place->files.key_path);
	assert_int_equal(config->vips.len, PROTO_VIPS_WHOLE);
	/* Neither is on a link of this host, so both are there. */
	assert_int_equal(config->balancers.len, 2);
	assert_int_equal(((struct addr_port *)config->balancers.items)[1].port, 7378);
	assert_int_equal(stat(place->files.key_path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(keyring_load(place->files.key_path, false, &ring, &why), 0);
	assert_string_equal(ring->keys[0].id, "main");
	assert_string_equal(ring->keys[0].agent, "web1");
	assert_int_equal(ring->keys[0].secret[0], 7);
}

/* An address of this host is on one of its links, whichever they are. */
static bool find_own(struct addr *ret_address)
{
	struct ifaddrs *addresses = NULL;
	struct addr_port own;
	bool found = false;

	assert_int_equal(getifaddrs(&addresses), 0);
	for (const struct ifaddrs *each = addresses; each && !found; each = each->ifa_next) {
		if (!each->ifa_addr || !each->ifa_netmask || each->ifa_addr->sa_family != AF_INET ||
			addr_from_sockaddr(each->ifa_addr, &own) < 0)
			continue;
		found = addr_is_unicast(&own.addr);
		*ret_address = own.addr;
	}
	freeifaddrs(addresses);
	return found;
}

static void join_files_leave_out_balancers_of_other_links(void **state)
{
	struct place *place = *state;
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	_cleanup_(config_freep) struct config *config = NULL;
	struct why why = { 0 };

	if (!find_own(&place->token.balancers[1].addr)) {
		print_message("this host has no IPv4 address\n");
		skip();
	}
	assert_int_equal(join_files_write(&place->files, &place->token, &why), 0);
	assert_int_equal(config_load(place->config_path, &config, &report), 0);
	assert_int_equal(config->balancers.len, 1);
	assert_int_equal(((struct addr_port *)config->balancers.items)[0].port, 7378);
}

static void join_files_replace_nothing(void **state)
{
	static const char *const names[] = { "dsr-agent.conf", "key" };
	struct place *place = *state;

	ARRAY_FOREACH (name, names, ARRAY_LEN(names)) {
		char path[TEMP_DIR_BYTES + 32], line[16] = "";
		struct why why = { 0 };
		FILE *file;

		temp_dir_write(place->directory, *name, "mine\n");
		assert_int_equal(join_files_check(&place->files, &why), -EEXIST);
		assert_non_null(strstr(why.text, *name));
		/* Nor when it came after the look. */
		assert_int_equal(join_files_write(&place->files, &place->token, &why), -EEXIST);
		assert_int_equal(n_files(place), 1);
		snprintf(path, sizeof(path), "%s/%s", place->directory, *name);
		file = fopen(path, "re");
		assert_non_null(file);
		assert_non_null(fgets(line, sizeof(line), file));
		fclose(file);
		assert_string_equal(line, "mine\n");
		assert_int_equal(unlink(path), 0);
	}
}

static void join_files_refuse_balancers_of_two_families(void **state)
{
	struct place *place = *state;
	struct why why = { 0 };

	assert_int_equal(
		addr_port_parse("[2001:db8:77::3]:7377", false, &place->token.balancers[1]), 0);
	assert_int_equal(join_files_write(&place->files, &place->token, &why), -EINVAL);
	assert_non_null(strstr(why.text, "another family"));
	assert_int_equal(n_files(place), 0);
}

static void join_files_want_a_directory(void **state)
{
	struct place *place = *state;
	struct join_files files;
	struct why why = { 0 };
	char path[sizeof(place->directory) + 32];

	snprintf(path, sizeof(path), "%s/none/dsr-agent.conf", place->directory);
	assert_int_equal(join_files_init(path, &files), 0);
	assert_int_equal(join_files_write(&files, &place->token, &why), -ENOENT);
	assert_non_null(strstr(why.text, "none/key"));
	join_files_clear(&files);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(join_files_make_an_agent),
		TEST(join_files_leave_out_balancers_of_other_links),
		TEST(join_files_replace_nothing),
		TEST(join_files_refuse_balancers_of_two_families),
		TEST(join_files_want_a_directory),
	};

	return cmocka_run_group_tests_name("agent/join_files", tests, NULL, NULL);
}
