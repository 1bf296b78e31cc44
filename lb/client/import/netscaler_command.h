/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One command of a NetScaler's configuration: "VERB OBJECT ARGUMENT… -OPTION VALUE…". Words of the language may be
 * cut short as long as they are clear, in small letters or large. Pure.
 */
#pragma once

#include "lb/client/import/text.h"

#define NETSCALER_OPTIONS_MAX 128u /* of a command */

struct netscaler_option {
	const char *name;          /* without its hyphen */
	const char *const *values; /* the words behind it */
	size_t n_values;
};

struct netscaler_command {
	struct text_words words;
	size_t n_args; /* words before the first option */
	struct netscaler_option options[NETSCALER_OPTIONS_MAX];
	size_t n_options;
};

void netscaler_command_clear(struct netscaler_command *command);
/* A line; of one without a command n_args and n_options are 0. 0; -EINVAL with `ret_why`; -ENOMEM. */
int netscaler_command_parse(const char *line, size_t size_bytes,
	struct netscaler_command *ret_command, struct why *ret_why);
/* Whether `word` is `full`, or its beginning, in any case of letters. */
bool netscaler_is_short_for(const char *word, const char *full);
/*
 * The index of the only one of `names` (ending with NULL) that `word` is, or is short for; -1: none, or several.
 */
int netscaler_find(const char *word, const char *const *names);
/* The first value; "" when there is none. */
const char *netscaler_value(const struct netscaler_option *option);
/* NO, OFF, DISABLED, NONE, 0: the option asks for nothing. */
bool netscaler_is_off(const struct netscaler_option *option);
