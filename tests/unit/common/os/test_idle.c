/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts about long work in parts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/os/idle.h"

struct job {
	unsigned int left, steps;
};

static bool job_step(void *context)
{
	struct job *job = context;

	job->steps++;
	job->left -= job->left > 0;
	return job->left > 0;
}

static unsigned int turns(sd_event *event)
{
	unsigned int n = 0;

	while (sd_event_run(event, 0) > 0)
		n++;
	return n;
}

static void idle_steps_until_nobody_has_more(void **state)
{
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	_cleanup_(idle_freep) struct idle *idle = NULL;
	struct job jobs[3] = { { .left = 3 }, { .left = 1 }, { .left = 0 } };

	assert_true(sd_event_new(&event) >= 0);
	assert_int_equal(idle_new(event, &idle), 0);
	for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
		assert_int_equal(idle_add(idle, job_step, &jobs[i]), 0);
	assert_int_equal(turns(event), 0); /* asleep */
	idle_wake(idle);
	assert_int_equal(turns(event), 3);
	for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
		assert_int_equal(jobs[i].steps, 3);
	assert_int_equal(turns(event), 0);
	jobs[1].left = 2;
	idle_wake(idle);
	idle_wake(idle);
	assert_int_equal(turns(event), 2);
}

static int count(sd_event_source *source, void *context)
{
	(*(unsigned int *)context)++;
	return 0;
}

static void idle_work_waits_for_everything_else(void **state)
{
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	_cleanup_(idle_freep) struct idle *idle = NULL;
	struct job job = { .left = 100 };
	unsigned int others = 0;
	sd_event_source *other = NULL;

	assert_true(sd_event_new(&event) >= 0);
	assert_int_equal(idle_new(event, &idle), 0);
	assert_int_equal(idle_add(idle, job_step, &job), 0);
	assert_true(sd_event_add_defer(event, &other, count, &others) >= 0);
	assert_true(sd_event_source_set_enabled(other, SD_EVENT_ON) >= 0);
	idle_wake(idle);
	for (unsigned int i = 0; i < 10; i++)
		assert_true(sd_event_run(event, 0) > 0);
	assert_int_equal(others, 10);
	assert_int_equal(job.steps, 0);
	sd_event_source_disable_unref(other);
	assert_true(sd_event_run(event, 0) > 0);
	assert_int_equal(job.steps, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(idle_steps_until_nobody_has_more),
		cmocka_unit_test(idle_work_waits_for_everything_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
