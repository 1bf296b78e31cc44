/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configurations of other balancers against what we make of them: each KIND/NAME.conf beside this file has its
 * NAME.golden, and every result loads as check-config loads it. UPDATE_GOLDEN=1 writes them anew. Then what is no
 * such file, and every limit.
 */
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/read_all.h"
#include "lb/client/import/farm_settle.h"
#include "lb/client/import/farm_write.h"
#include "lb/client/import/ipvsadm.h"
#include "lb/client/import/keepalived/keepalived.h"
#include "lb/client/import/netscaler.h"
#include "lb/config/config.h"

#define FOLDER         "tests/unit/lb/client/import"
#define FILE_BYTES_MAX (1u << 20)

enum kind { NETSCALER, KEEPALIVED, IPVSADM, KIND_N_ };

static const char *const kind_names[KIND_N_] = { "netscaler", "keepalived", "ipvsadm" };

static uint16_t port_of(void *context, const char *service, const char *protocol)
{
	return streq(service, "http") ? 80 : streq(service, "domain") ? 53 : 0;
}

static bool address_of(void *context, const char *host, struct addr *ret_address)
{
	static const struct {
		const char *name, *address;
	} hosts[] = {
		{ "www.example.com", "198.51.100.10" },
		{ "web1.example.com", "192.0.2.11" },
		{ "web2.example.com", "192.0.2.12" },
	};

	ARRAY_FOREACH (each, hosts, ARRAY_LEN(hosts))
		if (streq(each->name, host))
			return addr_parse(each->address, ret_address) == 0;
	return false;
}

static char *file_read(const char *path, size_t *ret_size_bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *data = calloc(1, FILE_BYTES_MAX + 1);

	assert_non_null(data);
	*ret_size_bytes = 0;
	if (fd < 0 || read_all(fd, data, FILE_BYTES_MAX, ret_size_bytes) < 0) {
		free(data);
		data = NULL;
	}
	util_close(fd);
	return data;
}

/* "self" includes what it is given as context, without end. */
static int include(void *context, const char *folder, const char *pattern, keepalived_file_fn *take,
	void *reader)
{
	_cleanup_free_ char *path = NULL;
	glob_t found = { 0 };
	int r = 0;

	if (streq(pattern, "self"))
		return take(reader, folder, context, strlen(context));
	assert_return_code(asprintf(&path, "%s/%s", folder, pattern), errno);
	if (glob(path, 0, NULL, &found) != 0)
		return -ENOENT;
	for (size_t i = 0; r == 0 && i < found.gl_pathc; i++) {
		size_t size_bytes = 0;
		_cleanup_free_ char *data = file_read(found.gl_pathv[i], &size_bytes);
		_cleanup_free_ char *inner = strdup(found.gl_pathv[i]);

		assert_non_null(data);
		*strrchr(inner, '/') = '\0';
		r = take(reader, inner, data, size_bytes);
	}
	globfree(&found);
	return r;
}

static int read_kind(
	enum kind kind, const char *data, size_t size_bytes, struct farm *farm, struct why *ret_why)
{
	static const struct import_names names = { port_of, address_of, NULL };
	struct keepalived_outside outside = {
		.include = include,
		.context = (char *)data,
		.folder = FOLDER "/keepalived",
		.config_id = "main",
	};

	switch (kind) {
	case NETSCALER:
		return netscaler_read(data, size_bytes, farm, ret_why);
	case KEEPALIVED:
		return keepalived_read(data, size_bytes, &outside, farm, ret_why);
	default:
		return ipvsadm_read(data, size_bytes, &names, farm, ret_why);
	}
}

/* What check-config does with it, beside a [balancer]. */
static void assert_loads(const char *name, const char *text)
{
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_free_ char *whole = NULL;
	int r;

	assert_return_code(asprintf(&whole, "[balancer]\ninterface = eth0\n\n%s", text), errno);
	r = config_load_text(name, whole, strlen(whole), &config, &report);
	for (size_t i = 0; r < 0 && i < ini_report_len(report); i++)
		print_error("%s\n", ini_report_line(report, i));
	assert_int_equal(r, 0);
}

/* The configuration that is made of it; the caller's to free. */
static char *translate(enum kind kind, const char *name, const char *data, size_t size_bytes)
{
	_cleanup_(farm_freep) struct farm *farm = farm_new();
	_cleanup_(text_clearp) struct text text = { 0 };
	struct why why = { 0 };
	int r;

	assert_non_null(farm);
	r = read_kind(kind, data, size_bytes, farm, &why);
	if (r < 0)
		print_error("%s: %s\n", name, why.text);
	assert_int_equal(r, 0);
	assert_int_equal(farm_settle(farm), 0);
	farm_write(farm, name, &text);
	assert_false(text.failed);
	assert_int_equal(farm->n_notes > 0, strstr(text.data, "\n# not translated: ") != NULL);
	assert_loads(name, text.data);
	return TAKE_PTR(text.data);
}

static void check_golden(const char *path, const char *made)
{
	_cleanup_free_ char *golden = NULL, *expected = NULL;
	size_t size_bytes = 0;

	assert_return_code(
		asprintf(&golden, "%.*s.golden", (int)(strlen(path) - strlen(".conf")), path),
		errno);
	if (getenv("UPDATE_GOLDEN")) {
		FILE *file = fopen(golden, "we");

		assert_non_null(file);
		assert_return_code(fputs(made, file), errno);
		assert_return_code(fclose(file), errno);
	}
	expected = file_read(golden, &size_bytes);
	if (!expected || strcmp(made, expected) != 0)
		fail_msg("%s is not what is made now:\n%s", golden, made);
}

static void check_kind(enum kind kind)
{
	_cleanup_free_ char *pattern = NULL;
	glob_t found = { 0 };

	assert_return_code(asprintf(&pattern, FOLDER "/%s/*.conf", kind_names[kind]), errno);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= 10);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *path = found.gl_pathv[i];
		size_t size_bytes = 0;
		_cleanup_free_ char *data = file_read(path, &size_bytes), *made = NULL;

		assert_non_null(data);
		made = translate(kind, strrchr(path, '/') + 1, data, size_bytes);
		check_golden(path, made);
	}
	globfree(&found);
}

static void netscaler_files_are_translated(void **state)
{
	check_kind(NETSCALER);
}

static void keepalived_files_are_translated(void **state)
{
	check_kind(KEEPALIVED);
}

static void ipvsadm_files_are_translated(void **state)
{
	check_kind(IPVSADM);
}

static void what_is_no_such_file_is_refused_with_its_line(void **state)
{
	static const struct {
		enum kind kind;
		const char *text, *why;
	} cases[] = {
		{ NETSCALER, "\n# nothing\nthis is a letter\nto somebody\n", "line 3: no command" },
		{ NETSCALER, "virtual_server 198.51.100.10 80 {\n}\n", "line 1: no command" },
		{ NETSCALER, "enable ns mode mbf\nadd server \"a 192.0.2.1\n",
			"line 2: a quote has no end" },
		{ KEEPALIVED, "this is a letter\nto somebody\n", "line 1: 'this' is no word" },
		{ KEEPALIVED, "{\"json\": 1}", "line 1: a { has no word before it" },
		{ KEEPALIVED, "global_defs {\n\n}\n}\n", "line 4: a } has no {" },
		{ KEEPALIVED, "global_defs {\n virtual_server 198.51.100.10 80 {\n}\n",
			"line 1: the block of 'global_defs' has no }" },
		{ KEEPALIVED, "global_defs {\n router_id \"x\n}\n", "line 2: a quote has no end" },
		{ KEEPALIVED, "$A= \\\n one \\\n", "line 2: the definition of a variable" },
		{ KEEPALIVED, "~SEQ(A, 1, 0, 3) global_defs\n", "line 1: ~SEQ: a step of 0" },
		{ KEEPALIVED, "~SEQ(A, 1, 3 global_defs\n", "line 1: a ~ block has no )" },
		{ KEEPALIVED, "include\tone two\n", "line 1: include needs the name of one file" },
		{ IPVSADM, "-A -t 198.51.100.10:80 -s rr\nthis is a letter\n",
			"line 2: 'this' is no option" },
		{ IPVSADM, "-A\n", "line 1: names no virtual service" },
		{ IPVSADM, "-a -t 198.51.100.10:80\n", "line 1: names no real server" },
		{ IPVSADM, "-t 198.51.100.10:80\n", "line 1: has no command" },
		{ IPVSADM, "-A -t 198.51.100.10:80 -w much\n", "line 1: 'much' is no number" },
		{ IPVSADM, "-A -a -t 198.51.100.10:80\n", "line 1: two commands" },
		{ IPVSADM, "-A -t\n", "line 1: --tcp-service needs a value" },
		{ IPVSADM, "--set 1 2\n", "line 1: --set needs three numbers" },
		{ IPVSADM, "-A -t 198.51.100.10:80 --ops=1\n", "line 1: --ops has no value" },
	};

	ARRAY_FOREACH (each, cases, ARRAY_LEN(cases)) {
		_cleanup_(farm_freep) struct farm *farm = farm_new();
		struct why why = { 0 };

		assert_int_equal(
			read_kind(each->kind, each->text, strlen(each->text), farm, &why), -EINVAL);
		if (strncmp(why.text, each->why, strlen(each->why)) != 0)
			fail_msg("'%s', not '%s'", why.text, each->why);
	}
}

static void a_zero_byte_and_a_long_line_are_no_text(void **state)
{
	char *line = malloc(TEXT_LINE_BYTES_MAX + 2);

	assert_non_null(line);
	for (int kind = 0; kind < KIND_N_; kind++) {
		_cleanup_(farm_freep) struct farm *farm = farm_new();
		struct why why = { 0 };

		assert_int_equal(read_kind((enum kind)kind, "\n\0\n", 3, farm, &why), -EINVAL);
		assert_string_equal(why.text, "line 2: has a zero byte: this is no text");
		memset(line, '#', TEXT_LINE_BYTES_MAX);
		line[TEXT_LINE_BYTES_MAX] = '\0';
		assert_int_equal(
			read_kind((enum kind)kind, line, TEXT_LINE_BYTES_MAX, farm, &why), 0);
		line[TEXT_LINE_BYTES_MAX] = '#';
		line[TEXT_LINE_BYTES_MAX + 1] = '\0';
		assert_int_equal(
			read_kind((enum kind)kind, line, TEXT_LINE_BYTES_MAX + 1, farm, &why),
			-EINVAL);
		assert_string_equal(why.text, "line 1: is too long");
	}
	free(line);
}

/* Refused, with these words in the reason. */
static void assert_keepalived_refuses(const char *text, const char *words)
{
	_cleanup_(farm_freep) struct farm *farm = farm_new();
	struct why why = { 0 };

	assert_int_equal(read_kind(KEEPALIVED, text, strlen(text), farm, &why), -EINVAL);
	if (!strstr(why.text, words))
		fail_msg("'%s' does not say '%s'", why.text, words);
}

static void what_grows_without_end_is_refused(void **state)
{
	assert_keepalived_refuses("include self\n", "files include each other too deeply");
	assert_keepalived_refuses("$A=x $A\n$A\n", "variables make");
	assert_keepalived_refuses("$A=${A}${A}\n$A\n", "variables make");
	assert_keepalived_refuses("$A= \\\n$A \\\n$A\n$A\n", "nested too deeply");
	assert_keepalived_refuses("~SEQ(A, 1, 1000000) x\n", "too many values");
	assert_keepalived_refuses("~SEQ(A, 1, 60000) ~SEQ(B, 1, 60000) x\n", "has too many lines");
	assert_keepalived_refuses("$A=1234567890123456789012345678901234567890\n"
				  "$B=$A $A $A $A $A $A $A $A $A $A\n$C=$B $B $B $B $B $B $B $B\n"
				  "$D=$C $C $C $C $C $C $C $C\n$E=$D $D $D $D $D $D $D $D\n$E\n",
		"variables make");
}

/* So many times `word`, its @ replaced by a number, between `before` and `after`; the caller's to free. */
static char *repeat(const char *before, const char *word, size_t times, const char *after)
{
	struct text text = { 0 };

	text_format(&text, "%s", before);
	for (size_t i = 0; i < times; i++) {
		size_t head_bytes = strcspn(word, "@");

		text_add(&text, word, head_bytes);
		if (word[head_bytes])
			text_format(&text, "%zu%s", i, word + head_bytes + 1);
	}
	text_format(&text, "%s", after);
	assert_false(text.failed);
	return text.data;
}

static void every_limit_of_keepalived_holds(void **state)
{
	_cleanup_free_ char *deep = repeat("", "a {\n", KEEPALIVED_DEPTH_MAX + 1, "");
	_cleanup_free_ char *fits = repeat("global_defs { }\n", "a {\n", KEEPALIVED_DEPTH_MAX, "");
	_cleanup_free_ char *variables =
		repeat("global_defs { }\n", "$V@=1\n", KEEPALIVED_VARIABLES_MAX + 1, "");
	_cleanup_free_ char *most =
		repeat("global_defs { }\n", "$V@=1\n", KEEPALIVED_VARIABLES_MAX, "");
	_cleanup_free_ char *closed = repeat(fits, "}\n", KEEPALIVED_DEPTH_MAX, "");
	_cleanup_free_ char *files =
		repeat("", "include conf.d/real53.inc\n", KEEPALIVED_FILES_MAX + 1, "");

	assert_keepalived_refuses(deep, "nested too deeply");
	assert_keepalived_refuses(variables, "too many variables");
	assert_keepalived_refuses(files, "more files are included than may be");
	free(translate(KEEPALIVED, "most", most, strlen(most)));
	free(translate(KEEPALIVED, "closed", closed, strlen(closed)));
}

/* More virtual servers, VIPs and real servers than our configuration may have: the rest is named, the result loads. */
static void more_than_we_have_room_for_is_named(void **state)
{
	_cleanup_free_ char *services = repeat("", "-A -t 198.51.100.10:@ -s rr\n", 10001, "");
	_cleanup_free_ char *servers = repeat("-A -t 198.51.100.10:80 -s rr\n",
		"-a -t 198.51.100.10:80 -r [2001:db8::@]:80 -g\n", 4100, "");
	_cleanup_free_ char *vips = repeat("virtual_server_group g {\n", "198.51.100.@ 80\n", 200,
		"}\nvirtual_server group g {\nlvs_method DR\n}\n");
	_cleanup_free_ char *made = translate(IPVSADM, "services", services, strlen(services));
	_cleanup_free_ char *made_servers = translate(IPVSADM, "servers", servers, strlen(servers));
	_cleanup_free_ char *made_vips = translate(KEEPALIVED, "vips", vips, strlen(vips));

	assert_non_null(strstr(made, "more than 10000 virtual servers"));
	assert_non_null(strstr(made_servers, "more than 4096 in all"));
	assert_non_null(strstr(made_vips, "[virtual-server g-4]"));
}

static void notes_have_an_end(void **state)
{
	_cleanup_free_ char *text = repeat("", "add vlan @\n", FARM_NOTES_MAX + 10, "");
	_cleanup_free_ char *made = translate(NETSCALER, "notes", text, strlen(text));

	assert_non_null(strstr(made, "# not translated: 20000: and what follows"));
	assert_null(strstr(made, "# not translated: 20001:"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(netscaler_files_are_translated),
		cmocka_unit_test(keepalived_files_are_translated),
		cmocka_unit_test(ipvsadm_files_are_translated),
		cmocka_unit_test(what_is_no_such_file_is_refused_with_its_line),
		cmocka_unit_test(a_zero_byte_and_a_long_line_are_no_text),
		cmocka_unit_test(what_grows_without_end_is_refused),
		cmocka_unit_test(every_limit_of_keepalived_holds),
		cmocka_unit_test(more_than_we_have_room_for_is_named),
		cmocka_unit_test(notes_have_an_end),
	};

	return cmocka_run_group_tests_name("import", tests, NULL, NULL);
}
