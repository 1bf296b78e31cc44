/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words in as many lines as a width has room for. */
#pragma once

#include "common/util.h"

struct cli;

/* How many columns a text in UTF-8 takes: a character is one. */
size_t cli_text_columns(const char *text);
/*
 * The bytes of `text` that make the next line of at most `columns`: whole words, but of a word that is longer, what
 * there is room for; at least one character. What follows begins behind the blanks.
 */
size_t cli_text_line(const char *text, size_t columns);
/*
 * Prints the text in lines of at most `columns`, which begin with that many blanks: `first` the first one, `others` the
 * others. `columns` 0: in one line, without blanks before it. An empty text is no line.
 */
void cli_text_print(
	FILE *out, size_t columns, unsigned int first, unsigned int others, const char *text);
/* Prints one line; on a terminal in as many as have room, of which those that go on are indented. */
void cli_text_say(const struct cli *cli, const char *format, ...) _printf_(2, 3);
