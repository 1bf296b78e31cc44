/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the takers of a NetScaler's commands have in common: the command, its words and options, notes about it. Pure. */
#pragma once

#include "lb/client/import/netscaler_command.h"
#include "lb/client/import/netscaler_objects.h"

enum netscaler_verb {
	NETSCALER_ADD,
	NETSCALER_SET,
	NETSCALER_BIND,
	NETSCALER_ENABLE,
	NETSCALER_DISABLE,
	NETSCALER_UNSET,
	NETSCALER_UNBIND,
	NETSCALER_REMOVE,
	NETSCALER_RENAME,
	NETSCALER_LINK,
	NETSCALER_APPLY,
	NETSCALER_SAVE,
	NETSCALER_SHOW,
	NETSCALER_VERB_N_,
};

struct netscaler_reader {
	struct farm *farm;
	struct netscaler_objects objects;
	struct netscaler_command command; /* of the line that is being read */
	unsigned int line;
	enum netscaler_verb verb;
};

/* 0 or -ENOMEM. */
typedef int netscaler_option_fn(struct netscaler_reader *reader, struct netscaler_object *object,
	int idx, const struct netscaler_option *option);

/* The word before the options; "" when there are not so many. */
const char *netscaler_argument(const struct netscaler_reader *reader, size_t idx);
/* A note at the line, behind the first words of the command. */
_printf_(2, 3) void netscaler_note(struct netscaler_reader *reader, const char *format, ...);
/* The same about one of its options. */
void netscaler_note_option(
	struct netscaler_reader *reader, const struct netscaler_option *option, const char *why);
/* 0 or -ENOMEM; what was there is freed. */
int netscaler_set_text(char **target, const char *value);
/* A number, or a note. */
void netscaler_set_number(
	struct netscaler_reader *reader, const struct netscaler_option *option, uint64_t *target);
/*
 * Calls `take` for each option with its index in `names`. What is not there and asks for something is a note; `quiet`
 * are those that need no word here. Both end with NULL. 0 or -ENOMEM.
 */
int netscaler_each_option(struct netscaler_reader *reader, struct netscaler_object *object,
	const char *const *names, const char *const *quiet, netscaler_option_fn *take);
/* "80", or "*" and 65535 for any; NETSCALER_PORT_NONE: none of these. */
uint32_t netscaler_port(const char *text);
