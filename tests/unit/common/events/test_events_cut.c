/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events, after a power cut at any moment of an append and of a file that is written anew: each as it was raised, in order. */
#include "common/events/events.h"

#include "common/log.h"
#include "tests/unit/tools/power_cut.h"

#define BEFORE 4u
#define AFTER  6u

/* Longer than a sector, so that one may be torn. */
static void raise_events(struct events *events, unsigned int n)
{
	char reason[700];

	memset(reason, 'r', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	for (unsigned int i = 0; i < n; i++) {
		const struct event event = { .message = EVENT_BACKEND_STATE,
			.level = LOG_LEVEL_DEBUG,
			.backend = "web1",
			.old = "up",
			.now = "down",
			.reason = reason };

		events_raise(events, &event, "said %u", i);
	}
}

static int go_on(const char *directory)
{
	struct events *events = events_new(directory);

	if (!events)
		return -ENOMEM;
	raise_events(events, AFTER - BEFORE);
	events_free(events);
	return 0;
}

struct seen {
	size_t n_with[AFTER + 1];
	char *line[AFTER + 1]; /* as they were when nothing was cut */
	uint64_t last;
	size_t n;
};

static void take(const struct events_line *line, void *context)
{
	struct seen *seen = context;

	assert_in_range(line->sequence, seen->last + 1, AFTER);
	seen->last = line->sequence;
	seen->n++;
	if (!seen->line[line->sequence])
		seen->line[line->sequence] = strndup(line->text, line->text_bytes);
	assert_int_equal(strlen(seen->line[line->sequence]), line->text_bytes);
	assert_memory_equal(seen->line[line->sequence], line->text, line->text_bytes);
}

static void load(const char *directory, bool all_was_done, void *context)
{
	struct seen *seen = context;
	struct why why = { 0 };

	seen->last = 0;
	seen->n = 0;
	assert_int_equal(events_file_read(directory, take, seen, &why), 0);
	/* What was on the disk stays there while the file is written anew. */
	assert_in_range(seen->n, BEFORE, AFTER);
	seen->n_with[seen->n]++;
}

static void events_are_as_they_were_raised_after_a_cut(void **state)
{
	char directory[TEMP_DIR_BYTES];
	struct seen seen = { 0 };
	struct power_cut *cut;
	struct events *events;

	log_set_level(LOG_LEVEL_ERROR);
	temp_dir_make(directory);
	events = events_new(directory);
	assert_non_null(events);
	raise_events(events, BEFORE);
	events_free(events);
	cut = power_cut_record(directory, go_on);
	load(directory, true, &seen);
	assert_int_equal(seen.n, AFTER);
	print_message("%zu worlds\n", power_cut_each(cut, load, &seen));
	assert_true(seen.n_with[BEFORE] > 0 && seen.n_with[AFTER] > 0);
	for (unsigned int i = 1; i <= AFTER; i++)
		free(seen.line[i]);
	power_cut_free(cut);
	temp_dir_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_are_as_they_were_raised_after_a_cut),
	};

	return cmocka_run_group_tests_name("events_cut", tests, NULL, NULL);
}
