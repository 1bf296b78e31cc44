/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is to be checked: one value of `unit =` or `check =`, understood. Looks at nothing but whether the
 * program of an exec check can be run.
 */
#pragma once

#include "common/util.h"
#include "common/why.h"

#define CHECK_SPEC_STATUSES_MAX 16u
#define CHECK_SPEC_TEXT_MAX     512u /* bytes of a value; what is longer belongs into a script */

enum check_spec_kind {
	CHECK_SPEC_UNIT,
	CHECK_SPEC_TCP,
	CHECK_SPEC_HTTP,
	CHECK_SPEC_EXEC,
	CHECK_SPEC_FILE,
	CHECK_SPEC_KIND_N_
};

/* HTTP statuses from first to last. */
struct check_spec_range {
	uint16_t first, last;
};

struct check_spec {
	enum check_spec_kind kind;
	char *text;    /* as written, and so its name; of a unit "unit:NAME" */
	char *subject; /* unit: its name with the suffix; http: the URL; file: the path; else NULL */
	uint16_t port;                                             /* tcp, http */
	struct check_spec_range statuses[CHECK_SPEC_STATUSES_MAX]; /* http: those that are well */
	size_t n_statuses;
	char *body;  /* http: what the answer must contain; NULL: anything */
	char **argv; /* exec: an absolute path and its arguments, then NULL */
};

/* True: made once for each VIP, not once for the host. */
bool check_spec_is_of_vip(const struct check_spec *spec);
/*
 * A value of `check`: "tcp:80", "http://www.example/ status=200", "exec:/path argument", "file:/path". 0;
 * -EINVAL with `*ret_why`; -ENOMEM. The caller frees the spec.
 */
int check_spec_parse(const char *text, struct check_spec **ret_spec, struct why *ret_why);
/* A value of `unit`; a name without a suffix is a service's. Likewise. */
int check_spec_parse_unit(const char *name, struct check_spec **ret_spec, struct why *ret_why);
struct check_spec *check_spec_free(struct check_spec *spec);
DEFINE_CLEANUP(struct check_spec *, check_spec_free)
