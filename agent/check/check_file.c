/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is a file there? A child looks: on a file system whose server is gone the look would take for ever. Called
 * by checks.c. Must not know rise and fall.
 */
#include "agent/check/check_file.h"

#include "agent/check/child.h"

struct file_run {
	struct check_run run;
	struct child_room *children; /* borrowed */
	struct child *child;         /* NULL: nobody looks */
};

static struct check_run *file_make(const struct check_env *env, void *shared)
{
	struct file_run *self = calloc(1, sizeof(*self));

	if (!self)
		return NULL;
	self->children = env->children;
	return &self->run;
}

static void file_on_end(void *context, int status, const char *output)
{
	struct file_run *self = context;
	struct check_run *run = &self->run;
	const char *path = run->spec->subject;
	struct why why = { 0 };

	self->child = NULL;
	if (status == 0) {
		run->tell(run, CHECK_WELL, "");
	} else if (status == ENOENT || status == ENOTDIR) {
		why_set(&why, "file %s is not there", path);
		run->tell(run, CHECK_GONE, why.text);
	} else {
		why_set(&why, "cannot look at file %s: %s", path,
			status < 0 ? "killed" : strerror(status));
		run->tell(run, CHECK_FAILED, why.text);
	}
}

static int file_start(struct check_run *run, struct why *ret_why)
{
	struct file_run *self = (struct file_run *)run;
	const struct child_work work = { .file = run->spec->subject };
	int r = child_start(self->children, &work, file_on_end, self, &self->child);

	return r < 0 ? why_errno(ret_why, r, run->name) : 0;
}

static void file_stop(struct check_run *run)
{
	struct file_run *self = (struct file_run *)run;

	if (self->child)
		child_kill(TAKE_PTR(self->child));
}

static void file_free(struct check_run *run)
{
	file_stop(run);
	free(run);
}

const struct check_kind check_file_kind = {
	.make = file_make,
	.start = file_start,
	.stop = file_stop,
	.free = file_free,
	.rises_at_once = true,
};
