/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks of a configuration in lines, with the event loop that they run under. Header only. */
#pragma once

#include "agent/check/checks.h"
#include "tests/unit/tools/loop.h"
#include "tests/unit/tools/temp_dir.h"

#define BENCH_DEADLINE_US (10 * US_PER_S)

struct bench {
	char directory[TEMP_DIR_BYTES];
	sd_event *event;
	struct checks *checks;
	struct config *config;
	struct check_verdict verdict;
	unsigned int n_changes;
};

static inline void bench_on_changed(void *context)
{
	struct bench *b = context;

	b->n_changes++;
	checks_verdict(b->checks, &b->verdict);
}

static inline struct bench *bench_new(void)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	temp_dir_make(b->directory);
	assert_true(sd_event_new(&b->event) >= 0);
	assert_int_equal(checks_new(b->event, bench_on_changed, b, &b->checks), 0);
	return b;
}

static inline void bench_free(struct bench *b)
{
	checks_free(b->checks);
	config_free(b->config);
	sd_event_unref(b->event);
	temp_dir_remove(b->directory);
	free(b);
}

/* Of these lines, which may name the test's directory as %s; begun. */
static inline void bench_configure(struct bench *b, const char *lines)
{
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	struct config *former = b->config;
	struct check_set *set = NULL;
	char text[2048];
	size_t len;

	len = (size_t)snprintf(text, sizeof(text),
		"[agent]\nbalancer = 192.0.2.2\nvip = 198.51.100.10\n%s%s",
		strstr(lines, "check-interval") ? "" : "check-interval = 50ms\n",
		strstr(lines, "check-timeout") ? "" : "check-timeout = 2s\n");
	for (const char *c = lines; *c; c++) {
		if (c[0] == '%' && c[1] == 's') {
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", b->directory);
			c++;
		} else {
			text[len++] = *c;
		}
	}
	if (config_load_text("t", text, len, &b->config, &report) < 0)
		fail_msg("%s", ini_report_line(report, 0));
	assert_int_equal(checks_prepare(b->checks, b->config, &set), 0);
	checks_adopt(b->checks, set);
	config_free(former);
	checks_begin(b->checks);
	checks_verdict(b->checks, &b->verdict);
}

/* Until it is so. */
static inline void bench_expect(struct bench *b, enum check_state state, const char *reason)
{
	LOOP_UNTIL(b->event, BENCH_DEADLINE_US,
		b->verdict.state == state && strstr(b->verdict.reason.text, reason));
}
