/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prometheus's text format (prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4): families of
 * samples, each family in one piece with its help and type, whatever order its samples come in. Pure.
 */
#pragma once

#include "common/util.h"

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum exposition_kind { EXPOSITION_GAUGE, EXPOSITION_COUNTER };

/* Of a table that lives as long as the exposition. */
struct exposition_family {
	const char *name, *help; /* help: one line, without a backslash */
	enum exposition_kind kind;
};

struct exposition_label {
	const char *name;  /* NULL: this one and what follows are not there */
	const char *value; /* any bytes; what is no UTF-8 becomes '?' */
};

struct exposition;

/* NULL: no memory. */
struct exposition *exposition_new(const struct exposition_family *families, size_t n_families);
struct exposition *exposition_free(struct exposition *exposition);
DEFINE_CLEANUP(struct exposition *, exposition_free)

/*
 * One sample of families[family]; `labels` ends with a name that is NULL, and may be NULL. Without memory the
 * exposition is spoilt, which exposition_take() tells.
 */
void exposition_count(struct exposition *exposition, size_t family,
	const struct exposition_label *labels, uint64_t value);
void exposition_measure(struct exposition *exposition, size_t family,
	const struct exposition_label *labels, double value);

/* The whole text, to free, without a terminating zero; families without a sample are left out. NULL: no memory, then or before. */
char *exposition_take(struct exposition *exposition, size_t *ret_bytes);
