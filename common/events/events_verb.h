/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's side of the verb `events`: those that are kept, and whoever follows. */
#pragma once

#include <jansson.h>

#include "common/events/events.h"

/* The verb, and its arguments {"follow": BOOL}. */
#define EVENTS_VERB "events"

struct control_request;
struct events_verb;

/* Borrows the events, which must outlive it. NULL: no memory. */
struct events_verb *events_verb_new(struct events *events);
/* After control_free(): it calls nobody back who follows. NULL is nothing. */
struct events_verb *events_verb_free(struct events_verb *verb);
DEFINE_CLEANUP(struct events_verb *, events_verb_free)

/*
 * Answers with {"events": [EVENT…]}, or, for who follows, with a line of JSON for each that is kept and for each
 * that comes, until either side ends.
 */
void events_verb_serve(
	struct events_verb *verb, struct control_request *request, const json_t *args);
