/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much a whole configuration may have: as much as the manual says, and not one more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lb/config/config.h"
#include "lb/fwd/types.h"
#include "lb/registry/backend/backend.h"

#define BASE "[balancer]\ninterface = eth0\n"

struct text {
	char *text;
	size_t used;
	FILE *file;
};

static void begin(struct text *text)
{
	text->file = open_memstream(&text->text, &text->used);
	assert_non_null(text->file);
	fputs(BASE, text->file);
}

/* Loads it, and says whether it is taken; if not, its only error must begin and go on like this. */
static bool is_taken(struct text *text, const char *place, const char *part)
{
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	_cleanup_(config_freep) struct config *config = NULL;
	const char *line;
	int r;

	fclose(text->file);
	r = config_load_text("lb.conf", text->text, text->used, &config, &report);
	free(text->text);
	if (r == 0)
		return true;
	assert_null(config);
	assert_int_equal(ini_report_len(report), 1);
	line = ini_report_line(report, 0);
	if (strncmp(line, place, strlen(place)) != 0 || !strstr(line, part))
		fail_msg("%s: expected %s … %s", line, place, part);
	return false;
}

/* Each at a VIP of its own: three lines. */
static bool takes_virtual_servers(unsigned int len, const char *place)
{
	struct text text;

	begin(&text);
	for (unsigned int i = 0; i < len; i++)
		fprintf(text.file, "[virtual-server v%u]\nvip = 10.1.%u.%u\nport = 80\n", i, i >> 8,
			i & 0xff);
	return is_taken(&text, place, "more than 10000 virtual servers; remove some");
}

static void config_takes_so_many_virtual_servers_and_no_more(void **state)
{
	assert_int_equal(CONFIG_VIRTUAL_SERVERS_MAX, 10000);
	assert_true(takes_virtual_servers(CONFIG_VIRTUAL_SERVERS_MAX, ""));
	assert_false(takes_virtual_servers(CONFIG_VIRTUAL_SERVERS_MAX + 1, "lb.conf:30003: "));
}

/* Of two virtual servers, one address a line. */
static bool takes_real_servers(unsigned int len, const char *place)
{
	struct text text;

	begin(&text);
	for (unsigned int i = 0; i < len; i++) {
		if (i == 0 || i == len / 2)
			fprintf(text.file, "[virtual-server v%u]\nvip = 198.51.100.%u\nport = 80\n",
				i, i % 250);
		fprintf(text.file, "real-server = 10.1.%u.%u\n", i >> 8, i & 0xff);
	}
	return is_taken(&text, place, "more than 4096 real servers together; remove some");
}

static void config_takes_so_many_real_servers_and_no_more(void **state)
{
	assert_int_equal(REGISTRY_BACKENDS_MAX, 4096);
	assert_true(takes_real_servers(REGISTRY_BACKENDS_MAX, ""));
	assert_false(takes_real_servers(REGISTRY_BACKENDS_MAX + 1, "lb.conf:"));
}

/* 64 ports at each of 64 VIPs of a virtual server, and so often that they are so many; more of them at another VIP. */
static bool takes_doors(unsigned int surplus, const char *place)
{
	struct text text;

	begin(&text);
	for (unsigned int server = 0; server < FWD_DOORS_MAX / (64 * 64); server++) {
		fprintf(text.file, "[virtual-server v%u]\n", server);
		for (unsigned int vip = 0; vip < 64; vip++)
			fprintf(text.file, "vip = 10.1.%u.%u\n", server, vip + 1);
		for (unsigned int port = 0; port < 64; port++)
			fprintf(text.file, "port = %u\n", port + 80);
	}
	/* Neither a range nor any port is one. */
	fputs("[virtual-server x]\nvip = 10.2.0.1\nport = 80-90\n[virtual-server y]\nvip = 10.2.0.2\n",
		text.file);
	if (surplus > 0)
		fputs("[virtual-server z]\nvip = 10.2.0.3\nport = 80\n", text.file);
	return is_taken(&text, place, "more than 16384 VIPs and ports together");
}

static void config_takes_so_many_doors_and_no_more(void **state)
{
	assert_int_equal(FWD_DOORS_MAX, 16384);
	assert_true(takes_doors(0, ""));
	assert_false(takes_doors(1, "lb.conf:526: port: "));
}

/* Of as many virtual servers as they need. */
static bool takes_vips(unsigned int len, const char *place)
{
	struct text text;

	begin(&text);
	for (unsigned int i = 0; i < len; i++) {
		if (i % CONFIG_VIPS_MAX == 0)
			fprintf(text.file, "[virtual-server v%u]\nport = 80\n", i);
		fprintf(text.file, "vip = 10.1.%u.%u\n", i >> 8, i & 0xff);
	}
	return is_taken(&text, place, "have 16384 VIPs together; 16383 are the most");
}

static void config_takes_so_many_vips_and_no_more(void **state)
{
	assert_int_equal(FWD_SERVICES_MAX, 16383);
	assert_true(takes_vips(FWD_SERVICES_MAX, ""));
	assert_false(takes_vips(FWD_SERVICES_MAX + 1, "lb.conf:2: "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(config_takes_so_many_virtual_servers_and_no_more),
		cmocka_unit_test(config_takes_so_many_real_servers_and_no_more),
		cmocka_unit_test(config_takes_so_many_doors_and_no_more),
		cmocka_unit_test(config_takes_so_many_vips_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
