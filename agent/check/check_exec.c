/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a plugin and understands its end. Called by checks.c. Must not know rise and fall. */
#include "agent/check/check_exec.h"

#include "agent/check/child.h"

struct exec_run {
	struct check_run run;
	struct child_room *children; /* borrowed */
	struct child *child;         /* NULL: none runs */
};

/* Statuses of plugins: monitoring-plugins, Development Guidelines, "Plugin Return Codes". */
enum check_outcome check_exec_judge(
	const char *program, int status, const char *output, struct why *ret_why)
{
	int len = (int)strcspn(output, "|\r\n");

	while (len > 0 && output[len - 1] == ' ')
		len--;
	if (status < 0)
		why_set(ret_why, "exec %s: ended by signal %d", program, -status);
	else if (len == 0)
		why_set(ret_why, "exec %s: exit status %d", program, status);
	else
		why_set(ret_why, "exec %s: %.*s", program, len, output);
	switch (status) {
	case 0:
		why_set(ret_why, "%s", "");
		return CHECK_WELL;
	case 1:
		return CHECK_WARNS;
	case 2:
		return CHECK_DEAD;
	default:
		return CHECK_FAILED;
	}
}

static struct check_run *exec_make(const struct check_env *env, void *shared)
{
	struct exec_run *self = calloc(1, sizeof(*self));

	if (!self)
		return NULL;
	self->children = env->children;
	return &self->run;
}

static void exec_on_end(void *context, int status, const char *output)
{
	struct exec_run *self = context;
	struct check_run *run = &self->run;
	struct why why = { 0 };
	enum check_outcome outcome;

	self->child = NULL;
	outcome = check_exec_judge(run->spec->argv[0], status, output, &why);
	run->tell(run, outcome, why.text);
}

static int exec_start(struct check_run *run, struct why *ret_why)
{
	struct exec_run *self = (struct exec_run *)run;
	const struct child_work work = { .argv = run->spec->argv };
	int r = child_start(self->children, &work, exec_on_end, self, &self->child);

	if (r == -EAGAIN)
		return why_fail(ret_why, r, "exec %s: %u other checks run already",
			run->spec->argv[0], CHILD_ROOM_MAX);
	return r < 0 ? why_errno(ret_why, r, run->name) : 0;
}

static void exec_stop(struct check_run *run)
{
	struct exec_run *self = (struct exec_run *)run;

	if (self->child)
		child_kill(TAKE_PTR(self->child));
}

static void exec_free(struct check_run *run)
{
	exec_stop(run);
	free(run);
}

const struct check_kind check_exec_kind = {
	.make = exec_make,
	.start = exec_start,
	.stop = exec_stop,
	.free = exec_free,
};
