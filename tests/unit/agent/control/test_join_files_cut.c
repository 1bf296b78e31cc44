/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A token's files, after a power cut at any moment: each whole or absent, and both there when join has said so. */
#include "agent/control/join_files.h"

#include "tests/unit/tools/power_cut.h"

#define CONFIG "dsr-agent.conf"

static struct token make_token(void)
{
	struct token token = { .n_balancers = 1, .n_vips = 24 };

	snprintf(token.key.id, sizeof(token.key.id), "main");
	snprintf(token.key.agent, sizeof(token.key.agent), "web1");
	token.key.secret[0] = 7;
	assert_int_equal(addr_port_parse("203.0.113.2:7377", false, &token.balancers[0]), 0);
	for (unsigned int i = 0; i < token.n_vips; i++) {
		char text[ADDR_STRLEN];

		snprintf(text, sizeof(text), "2001:db8:f:1:2:3:4:%x", 0x1000 + i);
		assert_int_equal(addr_parse(text, &token.vips[i]), 0);
	}
	return token;
}

static int join(const char *directory)
{
	struct token token = make_token();
	struct join_files files;
	char path[2 * TEMP_DIR_BYTES];
	struct why why = { 0 };
	int r;

	snprintf(path, sizeof(path), "%s/" CONFIG, directory);
	r = join_files_init(path, &files);
	if (r == 0)
		r = join_files_write(&files, &token, &why);
	join_files_clear(&files);
	return r;
}

/* Absent, or so long and with such an end. */
struct file {
	const char *name;
	size_t size_bytes;
	size_t n_whole, n_absent;
};

static void look(const char *directory, struct file *file, bool must)
{
	char path[2 * TEMP_DIR_BYTES], text[4096];
	FILE *stream;
	size_t size_bytes;

	snprintf(path, sizeof(path), "%s/%s", directory, file->name);
	stream = fopen(path, "re");
	if (!stream) {
		assert_false(must);
		file->n_absent++;
		return;
	}
	size_bytes = fread(text, 1, sizeof(text), stream);
	fclose(stream);
	if (file->size_bytes == 0)
		file->size_bytes = size_bytes;
	assert_int_equal(size_bytes, file->size_bytes);
	assert_null(memchr(text, '\0', size_bytes));
	assert_int_equal(text[size_bytes - 1], '\n');
	file->n_whole++;
}

static void load(const char *directory, bool all_was_done, void *context)
{
	struct file *files = context;

	look(directory, &files[0], all_was_done);
	look(directory, &files[1], all_was_done);
}

static void joined_files_are_whole_or_absent_after_a_cut(void **state)
{
	struct file files[] = { { .name = "key" }, { .name = CONFIG } };
	char directory[TEMP_DIR_BYTES];
	struct power_cut *cut;

	temp_dir_make(directory);
	cut = power_cut_record(directory, join);
	/* Of what it is when it is whole. */
	load(directory, true, files);
	print_message("%zu worlds\n", power_cut_each(cut, load, files));
	ARRAY_FOREACH (file, files, ARRAY_LEN(files))
		assert_true(file->n_whole > 0 && file->n_absent > 0);
	power_cut_free(cut);
	temp_dir_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joined_files_are_whole_or_absent_after_a_cut),
	};

	return cmocka_run_group_tests_name("agent/join_files_cut", tests, NULL, NULL);
}
