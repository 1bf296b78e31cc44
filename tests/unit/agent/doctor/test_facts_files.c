/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which files are read, in which order, and which of their lines are kept. */
#include "agent/doctor/facts_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "tests/unit/tools/temp_dir.h"

struct fixture {
	char root[TEMP_DIR_BYTES];
	struct addr vip;
	struct host_link loopback;
	struct facts_files files;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	temp_dir_make(f->root);
	assert_int_equal(addr_parse("198.51.100.10", &f->vip), 0);
	f->loopback = (struct host_link){ .ifindex = 1, .name = "lo" };
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	facts_files_clear(&f->files);
	temp_dir_remove(f->root);
	free(f);
	return 0;
}

/* With the folders above it. */
static void put_file(const struct fixture *f, const char *path, mode_t mode, const char *text)
{
	char full[512];
	FILE *file;

	snprintf(full, sizeof(full), "%s%s", f->root, path);
	for (char *slash = full + strlen(f->root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		(void)mkdir(full, 0755);
		*slash = '/';
	}
	file = fopen(full, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fchmod(fileno(file), mode), 0);
	assert_int_equal(fclose(file), 0);
}

static void look(struct fixture *f)
{
	assert_int_equal(facts_files_read(f->root, &f->vip, 1, &f->loopback, &f->files), 0);
}

/* "PATH:NUMBER" of the lines that were kept, joined by spaces. */
static const char *lines_of(const struct facts_lines *lines, char *buffer, size_t size_bytes)
{
	size_t len = 0;

	buffer[0] = '\0';
	ARRAY_FOREACH (line, lines->items, lines->len)
		len += (size_t)snprintf(buffer + len, size_bytes - len, "%s%s:%u", len ? " " : "",
			line->path, line->number);
	return buffer;
}

static void an_empty_host_has_nothing(void **state)
{
	struct fixture *f = *state;

	look(f);
	assert_int_equal(f->files.sysctl.len + f->files.leftovers.len, 0);
	assert_string_equal(f->files.network_file, "");
	assert_false(f->files.is_networkmanagers);
}

static void settings_come_in_the_order_of_names(void **state)
{
	struct fixture *f = *state;
	char null[256], text[512];

	put_file(f, "/usr/lib/sysctl.d/10-b.conf", 0644, "# comment\n\n  a = 1\n");
	put_file(f, "/usr/lib/sysctl.d/30-hidden.conf", 0644, "b = 1\n");
	put_file(f, "/usr/lib/sysctl.d/40-masked.conf", 0644, "c = 1\n");
	put_file(f, "/etc/sysctl.d/20-a.conf", 0644, "; comment\nd = 1\ne=2");
	put_file(f, "/run/sysctl.d/30-hidden.conf", 0644, "b = 2\n");
	put_file(f, "/etc/sysctl.d/ignored", 0644, "f = 1\n");
	snprintf(null, sizeof(null), "%s/etc/sysctl.d/40-masked.conf", f->root);
	assert_int_equal(symlink("/dev/null", null), 0);
	look(f);
	assert_string_equal(lines_of(&f->files.sysctl, text, sizeof(text)),
		"/usr/lib/sysctl.d/10-b.conf:3 /etc/sysctl.d/20-a.conf:2 /etc/sysctl.d/20-a.conf:3 "
		"/run/sysctl.d/30-hidden.conf:1");
	assert_string_equal(f->files.sysctl.items[0].text, "a = 1");
}

static void a_vip_is_found_as_a_word(void **state)
{
	struct fixture *f = *state;
	char text[512];

	put_file(f, "/etc/network/interfaces", 0644,
		"auto lo:0\naddress 198.51.100.10/32\naddress 198.51.100.100\n# 198.51.100.10\n"
		"address 1198.51.100.10\n");
	put_file(f, "/etc/netplan/01.yaml", 0600, "- \"198.51.100.10/32\"\n");
	put_file(f, "/etc/rc.local", 0644, "lvs_real start\n");
	put_file(f, "/etc/init.d/realserver", 0755, "#!/bin/sh\n");
	put_file(f, "/etc/init.d/lvs_real", 0644, "#!/bin/sh\n");
	look(f);
	/* A script that is not executable does nothing. */
	assert_string_equal(lines_of(&f->files.leftovers, text, sizeof(text)),
		"/etc/init.d/realserver:0 /etc/network/interfaces:2 /etc/netplan/01.yaml:1");
}

static void networkd_is_known_by_what_it_says(void **state)
{
	struct fixture *f = *state;

	put_file(f, "/run/systemd/netif/links/1", 0644,
		"ADMIN_STATE=configured\nNETWORK_FILE=/etc/systemd/network/lo.network\n");
	put_file(f, "/etc/systemd/network/lo.network", 0644, "[Match]\nName=lo\n");
	look(f);
	assert_string_equal(f->files.network_file, "/etc/systemd/network/lo.network");
	assert_false(f->files.network_keeps);
	facts_files_clear(&f->files);
	put_file(f, "/etc/systemd/network/lo.network.d/a.conf", 0644,
		"[Network]\nKeepConfiguration=yes\n");
	look(f);
	assert_true(f->files.network_keeps);
}

static void networkmanager_is_known_by_what_it_says(void **state)
{
	struct fixture *f = *state;

	put_file(f, "/run/NetworkManager/devices/1", 0644, "[device]\nmanaged=true\n");
	look(f);
	assert_true(f->files.is_networkmanagers);
	facts_files_clear(&f->files);
	put_file(f, "/etc/NetworkManager/conf.d/a.conf", 0644,
		"[keyfile]\nunmanaged-devices+=interface-name:lo\n");
	look(f);
	assert_false(f->files.is_networkmanagers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_empty_host_has_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(
			settings_come_in_the_order_of_names, setup, teardown),
		cmocka_unit_test_setup_teardown(a_vip_is_found_as_a_word, setup, teardown),
		cmocka_unit_test_setup_teardown(networkd_is_known_by_what_it_says, setup, teardown),
		cmocka_unit_test_setup_teardown(
			networkmanager_is_known_by_what_it_says, setup, teardown),
	};

	return cmocka_run_group_tests_name("facts_files", tests, NULL, NULL);
}
