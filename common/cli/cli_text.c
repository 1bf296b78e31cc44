/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines for a terminal: see cli_text.h. Called by the verbs that show something. */
#include "common/cli/cli_text.h"

#include <stdarg.h>

#include "common/cli/cli.h"

#define CLI_TEXT_ROOM_MIN 8u /* for words, however narrow the terminal is */
#define CLI_TEXT_INDENT   4u /* of lines that go on with one */

/* Not one that goes on with a character (RFC 3629 §3). */
static bool cli_text_begins(char byte)
{
	return ((unsigned char)byte & 0xc0) != 0x80;
}

size_t cli_text_columns(const char *text)
{
	size_t columns = 0;

	for (; *text; text++)
		columns += cli_text_begins(*text);
	return columns;
}

size_t cli_text_line(const char *text, size_t columns)
{
	size_t taken = 0, size_bytes = 0, blank = 0;

	for (; text[size_bytes]; size_bytes++) {
		if (text[size_bytes] == ' ')
			blank = size_bytes;
		if (!cli_text_begins(text[size_bytes]))
			continue;
		if (taken++ < MAX(columns, (size_t)1))
			continue;
		return blank > 0 ? blank : size_bytes;
	}
	return size_bytes;
}

void cli_text_print(
	FILE *out, size_t columns, unsigned int first, unsigned int others, const char *text)
{
	unsigned int indent = first;

	if (columns == 0 && *text)
		(void)fprintf(out, "%s\n", text);
	while (columns > 0 && *text) {
		size_t room =
			columns > indent + CLI_TEXT_ROOM_MIN ? columns - indent : CLI_TEXT_ROOM_MIN;
		size_t size_bytes = cli_text_line(text, room);

		(void)fprintf(out, "%*s%.*s\n", (int)indent, "", (int)size_bytes, text);
		text += size_bytes;
		text += strspn(text, " ");
		indent = others;
	}
}

void cli_text_say(const struct cli *cli, const char *format, ...)
{
	_cleanup_free_ char *line = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&line, format, arguments) < 0)
		line = NULL;
	else
		cli_text_print(stdout, cli->columns, 0, CLI_TEXT_INDENT, line);
	va_end(arguments);
}
