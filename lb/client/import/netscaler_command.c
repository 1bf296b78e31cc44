/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands of a NetScaler: see netscaler_command.h. */
#include "lb/client/import/netscaler_command.h"

#include <strings.h>

void netscaler_command_clear(struct netscaler_command *command)
{
	text_words_clear(&command->words);
	*command = (struct netscaler_command){ 0 };
}

/* "-5" is a value. */
static bool is_option(const char *word)
{
	return word[0] == '-' &&
		((word[1] >= 'a' && word[1] <= 'z') || (word[1] >= 'A' && word[1] <= 'Z'));
}

int netscaler_command_parse(const char *line, size_t size_bytes,
	struct netscaler_command *ret_command, struct why *ret_why)
{
	struct netscaler_command command = { 0 };
	int r = text_split(line, size_bytes, &command.words, ret_why);

	if (r < 0)
		return r;
	if (command.words.len > 0 && command.words.items[0][0] == '#') {
		text_words_clear(&command.words);
		command.words = (struct text_words){ 0 };
	}
	for (size_t i = 0; i < command.words.len; i++) {
		if (!is_option(command.words.items[i])) {
			if (command.n_options == 0)
				command.n_args++;
			else
				command.options[command.n_options - 1].n_values++;
			continue;
		}
		if (command.n_options == NETSCALER_OPTIONS_MAX) {
			text_words_clear(&command.words);
			return why_fail(
				ret_why, -EINVAL, "more than %u options", NETSCALER_OPTIONS_MAX);
		}
		command.options[command.n_options++] = (struct netscaler_option){
			.name = command.words.items[i] + 1,
			.values = (const char *const *)command.words.items + i + 1,
		};
	}
	*ret_command = command;
	return 0;
}

bool netscaler_is_short_for(const char *word, const char *full)
{
	size_t size_bytes = strlen(word);

	return size_bytes > 0 && strncasecmp(word, full, size_bytes) == 0;
}

int netscaler_find(const char *word, const char *const *names)
{
	int found = -1;

	for (int i = 0; names[i]; i++) {
		if (strcasecmp(word, names[i]) == 0)
			return i;
		if (netscaler_is_short_for(word, names[i]))
			found = found == -1 ? i : -2;
	}
	return found < 0 ? -1 : found;
}

const char *netscaler_value(const struct netscaler_option *option)
{
	return option->n_values > 0 ? option->values[0] : "";
}

bool netscaler_is_off(const struct netscaler_option *option)
{
	static const char *const words[] = { "NO", "OFF", "DISABLED", "NONE", "0" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcasecmp(words[i], netscaler_value(option)) == 0)
			return true;
	return false;
}
