/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verb `doctor` of both programs: what a table of checks finds, one line each, as text or JSON. A check
 * judges facts that were read before; it looks at nothing itself.
 */
#pragma once

#include <jansson.h>

#include "common/util.h"

#define DOCTOR_SUBJECT_BYTES 128u
#define DOCTOR_WORD_BYTES    1024u

struct cli;
struct doctor;

/* Worse ones are greater; also the exit status. */
enum doctor_state { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL, DOCTOR_STATE_N_ };

struct doctor_check {
	const char *id; /* a stable word, which the manual explains */
	void (*judge)(const void *facts, struct doctor *doctor);
};

struct doctor_finding {
	const char *id;
	enum doctor_state state;
	char subject[DOCTOR_SUBJECT_BYTES];
	char *what; /* NULL: there was no memory for it */
	char *mend; /* a shell command line; NULL: there is none */
};

/* NULL: out of memory. */
struct doctor *doctor_new(void);
struct doctor *doctor_free(struct doctor *doctor);
DEFINE_CLEANUP(struct doctor *, doctor_free)

/* Every check on the same facts, whose type is theirs. The ids of `checks` outlive the doctor. */
void doctor_run(struct doctor *doctor, const struct doctor_check *checks, size_t n_checks,
	const void *facts);

/* What a check finds, about whom and in words. */
void doctor_ok(struct doctor *doctor, const char *subject, const char *format, ...) _printf_(3, 4);
void doctor_warn(struct doctor *doctor, const char *subject, const char *format, ...)
	_printf_(3, 4);
void doctor_fail(struct doctor *doctor, const char *subject, const char *format, ...)
	_printf_(3, 4);
/* The command that mends the last finding. What others chose in it is quoted by doctor_word(). */
void doctor_mend(struct doctor *doctor, const char *format, ...) _printf_(2, 3);
/* One word for a shell, quoted where it must be, into `buffer` (DOCTOR_WORD_BYTES). */
const char *doctor_word(const char *text, char *buffer);

size_t doctor_len(const struct doctor *doctor);
const struct doctor_finding *doctor_finding(const struct doctor *doctor, size_t idx);
/* {schema, checks: [{id, state, subject, what, mend}]}; NULL: out of memory. */
json_t *doctor_json(const struct doctor *doctor);
/* Prints as asked for; returns the exit status, that of the worst finding. */
int doctor_tell(const struct doctor *doctor, const struct cli *cli);
