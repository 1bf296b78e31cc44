/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events over restarts, torn and damaged files, watchers, and what they look like as JSON. */
#include "tests/unit/tools/temp_dir.h"

#include <fcntl.h>
#include <jansson.h>

#include "common/events/events.h"

struct fixture {
	char directory[TEMP_DIR_BYTES];
	char path[2 * TEMP_DIR_BYTES];
	struct events *events;
	unsigned int n_told;
	struct events_watch *watch, *other;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	temp_dir_make(fixture->directory);
	snprintf(fixture->path, sizeof(fixture->path), "%s/%s", fixture->directory,
		EVENTS_FILE_NAME);
	log_set_level(LOG_LEVEL_ERROR);
	fixture->events = events_new(fixture->directory);
	assert_non_null(fixture->events);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	events_free(fixture->events);
	temp_dir_remove(fixture->directory);
	free(fixture);
	return 0;
}

static void restart(struct fixture *fixture)
{
	events_free(fixture->events);
	fixture->events = events_new(fixture->directory);
	assert_non_null(fixture->events);
}

static void raise_state(struct fixture *fixture, const char *now)
{
	const struct event event = {
		.message = EVENT_BACKEND_STATE,
		.level = LOG_LEVEL_DEBUG,
		.backend = "web1",
		.old = "up",
		.now = now,
		.reason = "no answer",
	};

	events_raise(fixture->events, &event, "backend web1: up -> %s", now);
}

static size_t count(const struct fixture *fixture)
{
	uint64_t sequence = 0;
	size_t n = 0;

	while (events_next(fixture->events, sequence, &sequence))
		n++;
	return n;
}

/* The member of the newest event. */
static void assert_newest(const struct fixture *fixture, const char *name, const char *expected)
{
	uint64_t sequence = events_last(fixture->events);
	const char *text = events_next(fixture->events, sequence - 1, &sequence);
	json_t *json = json_loads(text ? text : "", 0, NULL);

	assert_non_null(json);
	assert_string_equal(json_string_value(json_object_get(json, name)), expected);
	json_decref(json);
}

static void append(const struct fixture *fixture, const char *text)
{
	int fd = open(fixture->path, O_WRONLY | O_APPEND | O_CLOEXEC);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static size_t count_lines(const struct fixture *fixture)
{
	FILE *file = fopen(fixture->path, "re");
	size_t n = 0;

	assert_non_null(file);
	for (int c; (c = getc(file)) != EOF;)
		n += c == '\n';
	assert_int_equal(fclose(file), 0);
	return n;
}

static void event_is_one_line_of_json(void **state)
{
	char services[1][EVENT_SERVICE_BYTES] = { "[198.51.100.10]:tcp:80" };
	const struct event event = {
		.message = EVENT_BACKEND_STATE,
		.backend = "web1",
		.address = "192.0.2.11",
		.old = "up",
		.now = "down",
		.reason = "no \"answer\"",
		.services = services,
		.n_services = 1,
	};
	_cleanup_free_ char *text =
		event_json(&event, 7, UINT64_C(1796083200123456), "backend web1: up -> down");

	assert_string_equal(text,
		"{\"sequence\":7,\"time\":\"2026-12-01T00:00:00.123Z\","
		"\"id\":\"a7af0c908c7b41ed8c42a5597ca96711\",\"event\":\"backend\","
		"\"backend\":\"web1\",\"address\":\"192.0.2.11\","
		"\"services\":[\"[198.51.100.10]:tcp:80\"],\"old\":\"up\",\"new\":\"down\","
		"\"reason\":\"no \\\"answer\\\"\",\"message\":\"backend web1: up -> down\"}");
}

static void event_has_no_control_code_of_a_stranger(void **state)
{
	const struct event event = {
		.message = EVENT_REFUSED,
		.address = "a\xff",
		.reason = "a\n\x1b[2J\xc2\x9b"
			  "1m\xc3\xa4",
	};
	_cleanup_free_ char *text = event_json(&event, 1, 0, "\x7f");
	json_t *json = json_loads(text, 0, NULL);

	assert_string_equal(json_string_value(json_object_get(json, "address")), "a?");
	/* One of two bytes is not a letter of two bytes. */
	assert_string_equal(json_string_value(json_object_get(json, "reason")), "a??[2J??1m??");
	for (const char *at = text; *at; at++)
		assert_true((unsigned char)*at >= ' ' && *at != 0x7f);
	json_decref(json);
}

static void event_is_never_longer_than_its_line(void **state)
{
	char services[EVENT_SERVICES_MAX + 1][EVENT_SERVICE_BYTES], long_text[4096];
	struct event event = {
		.message = EVENT_CLAIM,
		.backend = long_text,
		.virtual_server = long_text,
		.vip = long_text,
		.address = long_text,
		.interface = long_text,
		.old = long_text,
		.now = long_text,
		.reason = long_text,
		.services = services,
		.n_services = EVENT_SERVICES_MAX + 1,
	};
	_cleanup_free_ char *text = NULL;
	json_t *json;

	memset(long_text, '"', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(services); i++)
		snprintf(services[i], sizeof(services[i]), "%.79s", long_text);
	text = event_json(&event, EVENT_SEQUENCE_MAX - 1, UINT64_C(253402300799000000), long_text);
	assert_true(strlen(text) < EVENT_LINE_MAX);
	json = json_loads(text, 0, NULL);
	assert_int_equal(json_array_size(json_object_get(json, "services")), EVENT_SERVICES_MAX);
	json_decref(json);
}

static void events_are_kept_over_a_restart(void **state)
{
	struct fixture *fixture = *state;

	raise_state(fixture, "down");
	raise_state(fixture, "drain");
	restart(fixture);
	assert_int_equal(count(fixture), 2);
	assert_int_equal(events_last(fixture->events), 2);
	assert_newest(fixture, "new", "drain");
	raise_state(fixture, "up");
	assert_int_equal(events_last(fixture->events), 3);
}

static void events_are_the_newest_of_a_bounded_number(void **state)
{
	struct fixture *fixture = *state;
	uint64_t sequence = 0;

	for (unsigned int i = 0; i < EVENTS_LINES_MAX + 7; i++) {
		raise_state(fixture, "down");
		if (i == EVENTS_LINES_MAX - 1)
			assert_int_equal(count_lines(fixture), EVENTS_LINES_MAX);
	}
	assert_true(count_lines(fixture) < EVENTS_KEPT_MAX + 8);
	for (unsigned int round = 0; round < 2; round++) {
		assert_int_equal(count(fixture), EVENTS_KEPT_MAX);
		assert_non_null(events_next(fixture->events, 0, &sequence));
		assert_int_equal(sequence, EVENTS_LINES_MAX + 7 - EVENTS_KEPT_MAX + 1);
		restart(fixture);
	}
}

/* Strangers can raise as many as they like; what is ours is not lost by that. */
static void events_of_strangers_have_a_share(void **state)
{
	const struct event claim = { .message = EVENT_CLAIM, .level = LOG_LEVEL_DEBUG };
	struct fixture *fixture = *state;
	uint64_t sequence = 0;

	raise_state(fixture, "down");
	for (unsigned int i = 0; i < 2 * EVENTS_KEPT_MAX; i++)
		events_raise(fixture->events, &claim, "claim");
	for (unsigned int round = 0; round < 2; round++) {
		assert_int_equal(count(fixture), EVENTS_KEPT_MAX);
		assert_non_null(strstr(events_next(fixture->events, 0, &sequence), "web1"));
		restart(fixture);
	}
	for (unsigned int i = 0; i < EVENTS_KEPT_MAX; i++)
		raise_state(fixture, "up");
	assert_int_equal(count(fixture), EVENTS_KEPT_MAX);
	assert_non_null(strstr(events_next(fixture->events, 0, &sequence), "web1"));
}

static void events_forget_a_torn_line(void **state)
{
	struct fixture *fixture = *state;

	raise_state(fixture, "down");
	append(fixture, "{\"sequence\":2,\"time\":\"2026");
	restart(fixture);
	assert_int_equal(count(fixture), 1);
	raise_state(fixture, "drain");
	restart(fixture);
	assert_int_equal(count(fixture), 2);
	assert_newest(fixture, "new", "drain");
}

static void ignore_line(const struct events_line *line, void *context)
{
	++*(size_t *)context;
}

static size_t read_damaged(const struct fixture *fixture, struct why *ret_why)
{
	size_t n = 0;

	assert_int_equal(events_file_read(fixture->directory, ignore_line, &n, ret_why), 0);
	return n;
}

static void events_say_what_is_garbage(void **state)
{
	struct fixture *fixture = *state;
	struct why why;

	raise_state(fixture, "down");
	append(fixture, "garbage\n{}\n");
	append(fixture,
		"{\"sequence\":9,\"time\":\"\",\"id\":\"a7af0c908c7b41ed8c42a5597ca96711\","
		"\"event\":\"claim\",\"old\":\"\",\"new\":\"\",\"reason\":\"\",\"message\":\"\"}\n");
	assert_int_equal(read_damaged(fixture, &why), 1);
	assert_non_null(strstr(why.text, ": 3 lines are no events"));
	restart(fixture);
	assert_int_equal(count(fixture), 1);
	/* It is told of once. */
	assert_int_equal(read_damaged(fixture, &why), 1);
	assert_string_equal(why.text, "");
}

static void events_work_without_their_file(void **state)
{
	struct fixture *fixture = *state;

	events_free(fixture->events);
	assert_int_equal(unlink(fixture->path), 0);
	assert_int_equal(mkdir(fixture->path, 0700), 0);
	log_set_level(LOG_LEVEL_ERROR);
	fixture->events = events_new(fixture->directory);
	raise_state(fixture, "down");
	assert_int_equal(count(fixture), 1);
	/* And go into it again when it can be written. */
	assert_int_equal(rmdir(fixture->path), 0);
	raise_state(fixture, "up");
	restart(fixture);
	assert_int_equal(count(fixture), 2);
}

static void events_do_not_follow_a_link(void **state)
{
	struct fixture *fixture = *state;
	char target[2 * TEMP_DIR_BYTES];

	events_free(fixture->events);
	temp_dir_write(fixture->directory, "target", "");
	snprintf(target, sizeof(target), "%s/target", fixture->directory);
	assert_int_equal(unlink(fixture->path), 0);
	assert_int_equal(symlink(target, fixture->path), 0);
	fixture->events = events_new(fixture->directory);
	raise_state(fixture, "down");
	{
		struct stat status;

		assert_int_equal(stat(target, &status), 0);
		assert_int_equal(status.st_size, 0);
		assert_int_equal(lstat(fixture->path, &status), 0);
		assert_true(S_ISREG(status.st_mode));
	}
}

static void told(void *context)
{
	((struct fixture *)context)->n_told++;
}

static void told_once(void *context)
{
	struct fixture *fixture = context;

	fixture->n_told++;
	fixture->watch = events_unwatch(fixture->watch);
	fixture->other = events_unwatch(fixture->other);
}

static void events_tell_watchers_until_they_end(void **state)
{
	struct fixture *fixture = *state;

	fixture->other = events_watch(fixture->events, told, fixture);
	fixture->watch = events_watch(fixture->events, told_once, fixture);
	raise_state(fixture, "down");
	assert_int_equal(fixture->n_told, 1);
	raise_state(fixture, "up");
	assert_int_equal(fixture->n_told, 1);
	fixture->watch = events_watch(fixture->events, told, fixture);
	raise_state(fixture, "down");
	assert_int_equal(fixture->n_told, 2);
	fixture->watch = events_unwatch(fixture->watch);
}

static void events_without_a_folder_are_only_logged(void **state)
{
	const struct event event = { .message = EVENT_CONFIG_LOADED, .level = LOG_LEVEL_DEBUG };

	events_raise(NULL, &event, "x");
}

/* Each id once, as journalctl takes it, and explained in the catalog. */
static void event_ids_are_in_the_catalog(void **state)
{
	_cleanup_free_ char *catalog = calloc(1, 65536);
	FILE *file = fopen("units/dsr.catalog", "re");
	char line[64];

	assert_non_null(file);
	assert_true(fread(catalog, 1, 65535, file) > 0);
	assert_int_equal(fclose(file), 0);
	for (int i = 0; i < EVENT_MESSAGE_N_; i++) {
		const char *id = event_id((enum event_message)i);

		assert_int_equal(strspn(id, "0123456789abcdef"), 32);
		assert_int_equal(strlen(id), 32);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(id, event_id((enum event_message)k));
		snprintf(line, sizeof(line), "\n-- %s\nSubject: ", id);
		if (!strstr(catalog, line))
			fail_msg("units/dsr.catalog does not explain %s", id);
	}
	for (const char *at = catalog; (at = strstr(at, "\n-- ")); at += 4) {
		bool known = false;

		for (int i = 0; i < EVENT_MESSAGE_N_; i++)
			known |= strncmp(at + 4, event_id((enum event_message)i), 32) == 0;
		if (!known)
			fail_msg("units/dsr.catalog explains what there is not: %.32s", at + 4);
	}
}

#define EVENTS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(event_is_one_line_of_json),
		cmocka_unit_test(event_has_no_control_code_of_a_stranger),
		cmocka_unit_test(event_is_never_longer_than_its_line),
		EVENTS_TEST(events_are_kept_over_a_restart),
		EVENTS_TEST(events_are_the_newest_of_a_bounded_number),
		EVENTS_TEST(events_of_strangers_have_a_share),
		EVENTS_TEST(events_forget_a_torn_line),
		EVENTS_TEST(events_say_what_is_garbage),
		EVENTS_TEST(events_work_without_their_file),
		EVENTS_TEST(events_do_not_follow_a_link),
		EVENTS_TEST(events_tell_watchers_until_they_end),
		cmocka_unit_test(events_without_a_folder_are_only_logged),
		cmocka_unit_test(event_ids_are_in_the_catalog),
	};

	return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
