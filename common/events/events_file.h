/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file that keeps events over a restart: a line of JSON each, appended. A line that was torn by a crash or a
 * full disk is left out; what is no event is left out too, and counted. Never logs.
 */
#pragma once

#include "common/util.h"
#include "common/why.h"

#define EVENTS_FILE_NAME  "events.jsonl"
#define EVENTS_KEPT_MAX   1024u       /* events that are remembered: the newest */
#define EVENTS_LINES_MAX  2048u       /* lines of the file before it is written anew */
#define EVENTS_FILE_BYTES (64u << 20) /* EVENTS_LINES_MAX lines of EVENT_LINE_MAX bytes */

/* One event that was read. */
struct events_line {
	uint64_t sequence;
	bool strangers;   /* event_is_strangers() */
	const char *text; /* without its end, borrowed */
	size_t text_bytes;
};
typedef void events_line_fn(const struct events_line *line, void *context);

/*
 * Any bytes as such a file: tells of each event in its order. Sequences must grow. Returns how many lines were no
 * events; a last line without its end is torn, and not counted.
 */
size_t events_file_parse(const char *text, size_t text_bytes, events_line_fn *fn, void *context);

/*
 * Reads DIRECTORY's file, which need not be there. 0, also where some of it is damaged, which `ret_why` says then (else
 * ""); negative errno with `ret_why`: it cannot be read, or is no file of ours.
 */
int events_file_read(const char *directory, events_line_fn *fn, void *context, struct why *ret_why);

/* The line and its end, in one write. 0 or negative errno. */
int events_file_append(int fd, const char *line, size_t line_bytes);
/*
 * In place of the file one of these lines, for its owner alone. The old one stands until the new one is whole. The
 * descriptor is for appending. 0 or negative errno.
 */
int events_file_replace(const char *directory, char *const *lines, size_t n_lines, int *ret_fd);
