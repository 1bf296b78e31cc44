/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The document, after a power cut at any moment of its change: the former, the new one, or none. Flows and rows are of a boot,
 * and gone with it (test_keep_damage.c: another boot's are not taken).
 */
#include "lb/state/keep.h"

#include "common/log.h"
#include "tests/unit/tools/power_cut.h"

#define MAX_FLOWS 1000u
#define LARGE     100

struct seen {
	size_t n_before, n_after, n_none;
};

static struct keep *open_document(const char *directory)
{
	struct why why = { 0 };
	struct keep *keep = NULL;
	bool fresh;

	if (keep_open(&(struct keep_config){ directory, KEEP_FILES, MAX_FLOWS }, &keep, &fresh,
		    &why) < 0)
		fail_msg("%s", why.text);
	return keep;
}

static json_t *make(json_int_t n)
{
	json_t *array = json_array();

	for (json_int_t i = 0; i < n; i++)
		json_array_append_new(array, json_integer(1000000 + i));
	return array;
}

static int save(const char *directory, json_int_t n)
{
	struct keep *keep = open_document(directory);
	json_t *document = make(n);
	int r = keep_save_document(keep, document);

	json_decref(document);
	keep_free(keep);
	return r;
}

/* Nothing but the document: what else is there is not written by calls that can be recorded. */
static void leave_document(const char *directory)
{
	char path[2 * TEMP_DIR_BYTES];

	snprintf(path, sizeof(path), "%s/flows", directory);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/lock", directory);
	assert_int_equal(unlink(path), 0);
}

static struct keep *kept; /* of the process whose calls are recorded */

static int save_again(const char *directory)
{
	json_t *document = make(LARGE);
	int r = keep_save_document(kept, document);

	json_decref(document);
	return r;
}

static void load(const char *directory, bool all_was_done, void *context)
{
	struct keep *keep = open_document(directory);
	json_t *document = keep_load_document(keep);
	struct seen *seen = context;
	size_t n = json_array_size(document);

	seen->n_none += !document;
	seen->n_before += document && n == 1;
	seen->n_after += document && n == LARGE;
	assert_true(!document || n == 1 || n == LARGE);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(json_integer_value(json_array_get(document, i)), 1000000 + i);
	json_decref(document);
	keep_free(keep);
}

static void document_is_the_former_the_new_or_none_after_a_cut(void **state)
{
	char directory[TEMP_DIR_BYTES];
	struct seen seen = { 0 };
	struct power_cut *cut;

	log_set_level(LOG_LEVEL_ERROR);
	temp_dir_make(directory);
	assert_int_equal(save(directory, 1), 0);
	kept = open_document(directory);
	leave_document(directory);
	cut = power_cut_record(directory, save_again);
	keep_free(kept);
	print_message("%zu worlds\n", power_cut_each(cut, load, &seen));
	assert_true(seen.n_before > 0 && seen.n_after > 0 && seen.n_none > 0);
	power_cut_free(cut);
	temp_dir_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(document_is_the_former_the_new_or_none_after_a_cut),
	};

	return cmocka_run_group_tests_name("keep_cut", tests, NULL, NULL);
}
