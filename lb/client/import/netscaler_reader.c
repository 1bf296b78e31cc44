/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words, options and notes of the command that is being read: see netscaler_reader.h. */
#include "lb/client/import/netscaler_reader.h"

const char *netscaler_argument(const struct netscaler_reader *reader, size_t idx)
{
	return idx < reader->command.n_args ? reader->command.words.items[idx] : "";
}

void netscaler_note(struct netscaler_reader *reader, const char *format, ...)
{
	_cleanup_(text_clearp) struct text words = { 0 };
	_cleanup_free_ char *text = NULL;
	va_list args;
	int r;

	va_start(args, format);
	r = vasprintf(&text, format, args);
	va_end(args);
	if (r < 0) {
		text = NULL;
		reader->farm->failed = true;
		return;
	}
	for (size_t i = 0; i < reader->command.n_args && i < 5; i++)
		text_format(&words, "%s%s", i ? " " : "", reader->command.words.items[i]);
	farm_note(reader->farm, reader->line, "%s: %s", words.data ? words.data : "", text);
}

void netscaler_note_option(
	struct netscaler_reader *reader, const struct netscaler_option *option, const char *why)
{
	netscaler_note(reader, "-%s %s: %s", option->name, netscaler_value(option), why);
}

int netscaler_set_text(char **target, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*target);
	*target = copy;
	return 0;
}

void netscaler_set_number(
	struct netscaler_reader *reader, const struct netscaler_option *option, uint64_t *target)
{
	if (!text_number(netscaler_value(option), UINT32_MAX, target))
		netscaler_note_option(reader, option, "that is no number");
}

int netscaler_each_option(struct netscaler_reader *reader, struct netscaler_object *object,
	const char *const *names, const char *const *quiet, netscaler_option_fn *take)
{
	for (size_t i = 0; i < reader->command.n_options; i++) {
		const struct netscaler_option *option = &reader->command.options[i];
		int idx = netscaler_find(option->name, names);
		int r = 0;

		if (idx >= 0)
			r = take(reader, object, idx, option);
		else if (netscaler_find(option->name, quiet) < 0 && !netscaler_is_off(option))
			netscaler_note_option(reader, option, "not known here");
		if (r < 0)
			return r;
	}
	return 0;
}

uint32_t netscaler_port(const char *text)
{
	uint64_t port;

	if (streq(text, "*") || streq(text, "65535"))
		return NETSCALER_PORT_ANY;
	return text_number(text, UINT16_MAX, &port) && port > 0 ? (uint32_t)port
								: NETSCALER_PORT_NONE;
}
