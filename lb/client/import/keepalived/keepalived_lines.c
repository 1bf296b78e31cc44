/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What keepalived.conf(5) calls its advanced configuration: see keepalived_lines.h. */
#include "lb/client/import/keepalived/keepalived_lines.h"

#include "common/grow.h"

#define NAME_BYTES_MAX   64u
#define REPLACEMENTS_MAX 1000u /* in one line: a variable may hold itself */
#define SEQUENCE_MAX     65536
#define WORK_MAX \
	(UINT64_C(1) << 27) /* bytes that are copied and names that are compared, for variables */

struct variable {
	char name[NAME_BYTES_MAX + 1];
	char *value; /* lines are separated by newlines */
};

/* A line that a condition left out. */
struct skipped {
	struct keepalived_place place;
	char word[NAME_BYTES_MAX + 1];
};

struct reader {
	const struct keepalived_outside *outside;
	const char *folder; /* of the file that is being read */
	struct farm *farm;
	keepalived_line_fn *each;
	void *context;
	struct why *why;
	struct keepalived_place place;
	struct variable *variables;
	size_t n_variables;
	struct skipped *skipped;
	size_t n_skipped;
	bool id_was_named;                /* some condition was about the id that we have */
	char defined[NAME_BYTES_MAX + 1]; /* "": no definition goes on */
	struct text definition;
	unsigned int n_files, file_depth, depth;
	size_t n_lines, n_bytes;
	uint64_t work; /* see WORK_MAX */
};

static int process(struct reader *reader, const char *line);

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\f' || byte == '\v';
}

static const char *skip_blanks(const char *text)
{
	while (is_blank(*text))
		text++;
	return text;
}

static void cut_blanks(char *text)
{
	size_t size_bytes = strlen(text);

	while (size_bytes > 0 && is_blank(text[size_bytes - 1]))
		text[--size_bytes] = '\0';
}

static bool is_name_byte(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
		(byte >= '0' && byte <= '9') || byte == '_';
}

static size_t name_size(const char *text)
{
	size_t size_bytes = 0;

	if (*text >= '0' && *text <= '9')
		return 0;
	while (is_name_byte(text[size_bytes]))
		size_bytes++;
	return size_bytes;
}

static int fail(const struct reader *reader, const char *what)
{
	return why_fail(reader->why, -EINVAL, "line %u: %s", reader->place.line, what);
}

/* ---- variables ---- */

static struct variable *find_variable(
	const struct reader *reader, const char *name, size_t size_bytes)
{
	ARRAY_FOREACH (each, reader->variables, reader->n_variables)
		if (strncmp(each->name, name, size_bytes) == 0 && each->name[size_bytes] == '\0')
			return each;
	return NULL;
}

static int define(struct reader *reader, const char *name, size_t size_bytes, const char *value)
{
	struct variable *variable = find_variable(reader, name, size_bytes);
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	if (variable) {
		free(variable->value);
		variable->value = copy;
		return 0;
	}
	if (size_bytes > NAME_BYTES_MAX || reader->n_variables == KEEPALIVED_VARIABLES_MAX) {
		free(copy);
		return fail(reader,
			size_bytes > NAME_BYTES_MAX ? "the name of a variable is too long"
						    : "too many variables");
	}
	if (GROW(reader->variables, reader->n_variables) < 0) {
		free(copy);
		return -ENOMEM;
	}
	variable = &reader->variables[reader->n_variables++];
	*variable = (struct variable){ .value = copy };
	memcpy(variable->name, name, size_bytes);
	return 0;
}

/* A line of a definition; a backslash at its end says that another follows. */
static int define_more(struct reader *reader, const char *line)
{
	size_t size_bytes = strlen(line);
	bool more = size_bytes > 0 && line[size_bytes - 1] == '\\';
	int r;

	text_add(&reader->definition, line, more ? size_bytes - 1 : size_bytes);
	if (more)
		text_add(&reader->definition, "\n", 1);
	if (reader->definition.failed)
		return -ENOMEM;
	if (reader->definition.size_bytes > KEEPALIVED_BYTES_MAX)
		return fail(reader, "a definition is too long");
	if (more)
		return 0;
	r = define(reader, reader->defined, strlen(reader->defined),
		reader->definition.data ? reader->definition.data : "");
	reader->defined[0] = '\0';
	text_clear(&reader->definition);
	return r;
}

/* "$NAME=VALUE": 1 when it was one. */
static int take_definition(struct reader *reader, const char *line)
{
	size_t size_bytes = line[0] == '$' ? name_size(line + 1) : 0;
	int r;

	if (size_bytes == 0 || line[1 + size_bytes] != '=')
		return 0;
	if (size_bytes > NAME_BYTES_MAX)
		return fail(reader, "the name of a variable is too long");
	memcpy(reader->defined, line + 1, size_bytes);
	reader->defined[size_bytes] = '\0';
	r = define_more(reader, line + 2 + size_bytes);
	return r < 0 ? r : 1;
}

/* A number that nobody can foretell is written as its lowest one. */
static const char *random_value(
	struct reader *reader, const char *text, char *buffer, size_t size_bytes)
{
	const char *number = skip_blanks(text);
	size_t digits = strspn(number, "0123456789");

	farm_note(reader->farm, reader->place.line,
		"${_RANDOM}: a random number; the lowest one is taken");
	(void)snprintf(
		buffer, size_bytes, "%.*s", (int)MIN(digits, (size_t)9), digits ? number : "0");
	return buffer;
}

struct occurrence {
	const char *begin, *end; /* with $ and braces */
	const char *value;
	char buffer[16];
};

/* What stands between the braces, or behind the dollar. */
static const char *find_value(
	struct reader *reader, const char *name, size_t size_bytes, struct occurrence *occurrence)
{
	static const struct {
		const char *name, *value;
	} fixed[] = { { "_HASH", "#" }, { "_BANG", "!" } };
	const struct variable *variable = find_variable(reader, name, size_bytes);

	if (variable)
		return variable->value;
	ARRAY_FOREACH (each, fixed, ARRAY_LEN(fixed))
		if (strlen(each->name) == size_bytes && strncmp(each->name, name, size_bytes) == 0)
			return each->value;
	if (size_bytes == 4 && strncmp(name, "_PWD", 4) == 0)
		return reader->folder;
	if (size_bytes == 9 && strncmp(name, "_INSTANCE", 9) == 0)
		return reader->outside->config_id;
	if (size_bytes == 7 && strncmp(name, "_RANDOM", 7) == 0)
		return random_value(
			reader, name + 7, occurrence->buffer, sizeof(occurrence->buffer));
	return NULL;
}

/* The first one that has a value. */
static bool find_occurrence(
	struct reader *reader, const char *line, struct occurrence *ret_occurrence)
{
	for (const char *at = strchr(line, '$'); at; at = strchr(at + 1, '$')) {
		bool braces = at[1] == '{';
		const char *name = at + (braces ? 2 : 1);
		size_t size_bytes = name_size(name);
		const char *end = name + size_bytes;

		if (braces && strncmp(name, "_RANDOM", size_bytes) == 0 && size_bytes == 7)
			end += strspn(end, " 0123456789");
		if (size_bytes == 0 || (braces ? *end != '}' : *end != '\0' && !is_blank(*end)))
			continue;
		ret_occurrence->begin = at;
		ret_occurrence->end = end + (braces ? 1 : 0);
		reader->work += reader->n_variables + 1;
		ret_occurrence->value = find_value(reader, name, size_bytes, ret_occurrence);
		if (ret_occurrence->value)
			return true;
	}
	return false;
}

/* Everything that is not lines is replaced; true when an occurrence of several lines is left. */
static int replace(struct reader *reader, char **line, struct occurrence *ret_lines)
{
	for (unsigned int i = 0; find_occurrence(reader, *line, ret_lines); i++) {
		char *made;

		reader->work += strlen(*line) + strlen(ret_lines->value);
		if (reader->work > WORK_MAX)
			return fail(reader, "variables make too much text");
		if (strchr(ret_lines->value, '\n'))
			return 1;
		if (i == REPLACEMENTS_MAX ||
			strlen(*line) + strlen(ret_lines->value) > TEXT_LINE_BYTES_MAX)
			return fail(reader, "variables make a line that is too long");
		if (asprintf(&made, "%.*s%s%s", (int)(ret_lines->begin - *line), *line,
			    ret_lines->value, ret_lines->end) < 0)
			return -ENOMEM;
		free(*line);
		*line = made;
	}
	return 0;
}

/* "before $VAR behind": the lines of its value, the first behind what is before, the last before what follows. */
static int process_value(
	struct reader *reader, const char *line, const struct occurrence *occurrence)
{
	_cleanup_free_ char *all = NULL;
	char *rest, *each;

	if (strlen(line) + strlen(occurrence->value) > KEEPALIVED_BYTES_MAX)
		return fail(reader, "variables make too much text");
	if (asprintf(&all, "%.*s%s%s", (int)(occurrence->begin - line), line, occurrence->value,
		    occurrence->end) < 0) {
		all = NULL;
		return -ENOMEM;
	}
	rest = all;
	while ((each = strsep(&rest, "\n"))) {
		int r = process(reader, each);

		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- blocks ---- */

/* The end of "(…)" whose inside begins here; NULL: it has none. */
static const char *find_parenthesis(const char *text)
{
	int braces = 0;

	for (; *text; text++) {
		braces += *text == '{' ? 1 : *text == '}' ? -1 : 0;
		if (*text == ')' && braces <= 0)
			return text;
	}
	return NULL;
}

/* The next element of a list by commas, without blanks and braces around it; NULL at its end. */
static char *next_element(char **rest)
{
	int braces = 0;
	char *at, *element = *rest;

	if (!element)
		return NULL;
	for (at = element; *at && (*at != ',' || braces > 0); at++)
		braces += *at == '{' ? 1 : *at == '}' ? -1 : 0;
	*rest = *at ? at + 1 : NULL;
	*at = '\0';
	cut_blanks(element);
	return element + (skip_blanks(element) - element);
}

static char *strip_braces(char *element)
{
	size_t size_bytes = strlen(element);

	if (size_bytes < 2 || element[0] != '{' || element[size_bytes - 1] != '}')
		return element;
	element[size_bytes - 1] = '\0';
	return element + 1;
}

/* Sets variables of "A" or "A, B" to the elements of "1" or "1, 2". */
static int define_each(struct reader *reader, const char *names, char *values)
{
	_cleanup_free_ char *copy = strdup(names);
	char *rest_names = copy, *rest_values = values, *name;

	if (!copy)
		return -ENOMEM;
	while ((name = next_element(&rest_names))) {
		const char *value = next_element(&rest_values);
		int r;

		if (name_size(name) != strlen(name) || !*name)
			return fail(reader, "~LST: that is no name of a variable");
		r = define(reader, name, strlen(name), value ? value : "");
		if (r < 0)
			return r;
	}
	return 0;
}

static int run_list(struct reader *reader, char *inside, const char *line)
{
	char *rest = inside, *first = next_element(&rest), *element;

	first = strip_braces(first);
	while ((element = next_element(&rest))) {
		int r = define_each(reader, first, strip_braces(element));

		if (r == 0)
			r = process(reader, line);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool parse_integer(const char *text, bool hex, long *ret_number)
{
	char *end;

	errno = 0;
	*ret_number = strtol(text, &end, hex ? 0 : 10);
	return end != text && *end == '\0' && errno == 0 && *ret_number > INT32_MIN &&
		*ret_number < INT32_MAX;
}

static int run_sequence(struct reader *reader, char *inside, const char *line, bool hex)
{
	char *rest = inside, *name = next_element(&rest), *element;
	long numbers[3], start, step, end, count = 0;
	size_t n_numbers = 0;

	while ((element = next_element(&rest)))
		if (n_numbers == 3 || !parse_integer(element, hex, &numbers[n_numbers++]))
			return fail(reader, "~SEQ: write (VARIABLE, START, STEP, END)");
	if (n_numbers == 0 || !*name || name_size(name) != strlen(name))
		return fail(reader, "~SEQ: write (VARIABLE, START, STEP, END)");
	end = numbers[n_numbers - 1];
	start = n_numbers > 1 ? numbers[0] : end > 0 ? 1 : -1;
	step = n_numbers > 2 ? numbers[1] : end >= start ? 1 : -1;
	if (step == 0)
		return fail(reader, "~SEQ: a step of 0 has no end");
	for (long each = start; step > 0 ? each <= end : each >= end; each += step) {
		char value[32];
		int r;

		if (++count > SEQUENCE_MAX)
			return fail(reader, "~SEQ has too many values");
		(void)snprintf(value, sizeof(value), hex ? "%lx" : "%ld", each);
		r = define(reader, name, strlen(name), value);
		if (r == 0)
			r = process(reader, line);
		if (r < 0)
			return r;
	}
	return 0;
}

/* "~SEQ(…) line": 1 when it was one. */
static int take_block(struct reader *reader, const char *line)
{
	static const char *const words[] = { "~SEQ(", "~SEQx(", "~LST(" };
	_cleanup_free_ char *inside = NULL;
	struct occurrence lines;
	const char *end = NULL;
	size_t which = 0;
	int r;

	while (which < ARRAY_LEN(words) && strncmp(line, words[which], strlen(words[which])) != 0)
		which++;
	if (which == ARRAY_LEN(words))
		return 0;
	line += strlen(words[which]);
	end = find_parenthesis(line);
	if (!end)
		return fail(reader, "a ~ block has no )");
	inside = strndup(line, (size_t)(end - line));
	if (!inside)
		return -ENOMEM;
	r = replace(reader, &inside, &lines);
	if (r == 1)
		return fail(reader, "a variable of several lines stands in ( ) of a ~ block");
	if (r < 0)
		return r;
	r = which == 2 ? run_list(reader, inside, end + 1)
		       : run_sequence(reader, inside, end + 1, which == 1);
	return r < 0 ? r : 1;
}

/* ---- conditions ---- */

/* "@id line", "@^id line": what is left of the line, or NULL when it is for somebody else. */
static const char *take_condition(struct reader *reader, const char *line)
{
	bool unless = line[1] == '^';
	const char *word = line + (unless ? 2 : 1);
	size_t size_bytes = strcspn(word, " \t");
	const char *id = reader->outside->config_id;
	bool same = strlen(id) == size_bytes && strncmp(id, word, size_bytes) == 0;

	reader->id_was_named |= same;
	if (same != unless)
		return skip_blanks(word + size_bytes);
	if (!unless && reader->n_skipped < FARM_NOTES_MAX) {
		struct skipped *skipped;

		if (GROW(reader->skipped, reader->n_skipped) < 0) {
			reader->farm->failed = true;
			return NULL;
		}
		skipped = &reader->skipped[reader->n_skipped++];
		*skipped = (struct skipped){ .place = reader->place };
		memcpy(skipped->word, word, MIN(size_bytes, (size_t)NAME_BYTES_MAX));
	}
	return NULL;
}

/* Where no condition named our id, it is perhaps not the one that keepalived is started with. */
static void tell_skipped(struct reader *reader)
{
	for (size_t i = 0; i < reader->n_skipped && !reader->id_was_named; i++)
		farm_note(reader->farm, reader->skipped[i].place.line,
			"@%s: for that config-id alone; here it is %s", reader->skipped[i].word,
			reader->outside->config_id);
}

/* ---- lines ---- */

static int hand_out(struct reader *reader, char *line)
{
	size_t size_bytes;

	cut_blanks(line);
	line += skip_blanks(line) - line;
	size_bytes = strlen(line);
	if (size_bytes == 0)
		return 0;
	reader->n_bytes += size_bytes;
	if (reader->n_bytes > KEEPALIVED_BYTES_MAX)
		return fail(reader, "written out, the configuration is too long");
	return reader->each(reader->context, &reader->place, line, reader->why);
}

static int process_at(struct reader *reader, const char *start)
{
	_cleanup_free_ char *line = strdup(start);
	struct occurrence lines;
	int r;

	for (;;) {
		const char *at;

		if (!line)
			return -ENOMEM;
		at = skip_blanks(line);
		if (*at == '@') {
			char *left;

			at = take_condition(reader, at);
			if (!at)
				return 0;
			left = strdup(at);
			free(line);
			line = left;
			continue;
		}
		r = take_definition(reader, at);
		if (r == 0)
			r = take_block(reader, at);
		if (r != 0)
			return r < 0 ? r : 0;
		r = replace(reader, &line, &lines);
		if (r < 0)
			return r;
		if (r == 1)
			return process_value(reader, line, &lines);
		at = skip_blanks(line);
		if (*at != '@' && *at != '~')
			return hand_out(reader, line);
		if (*at == '~') {
			r = take_block(reader, at);
			return r < 0 ? r : r == 1 ? 0 : hand_out(reader, line);
		}
	}
}

/* One line, which may become many. */
static int process(struct reader *reader, const char *line)
{
	int r;

	reader->work += strlen(line);
	if (++reader->n_lines > KEEPALIVED_LINES_MAX || reader->work > WORK_MAX)
		return fail(reader, "written out, the configuration has too many lines");
	if (reader->defined[0])
		return define_more(reader, line);
	if (reader->depth == KEEPALIVED_NESTING_MAX)
		return fail(reader, "variables and blocks are nested too deeply");
	reader->depth++;
	r = process_at(reader, line);
	reader->depth--;
	return r;
}

/* Up to a # or ! that is not between quotes; `line` becomes a string. */
static void cut_comment(char *line)
{
	bool quoted = false;

	for (; *line; line++) {
		if (*line == '\\' && quoted && line[1])
			line++;
		else if (*line == '"')
			quoted = !quoted;
		else if (!quoted && (*line == '#' || *line == '!'))
			*line = '\0';
		if (!*line)
			break;
	}
}

static int read_file(struct reader *reader, const char *data, size_t size_bytes);

static int take_file(void *context, const char *folder, const char *data, size_t size_bytes)
{
	struct reader *reader = context;
	struct keepalived_place outer = reader->place;
	const char *outer_folder = reader->folder;
	int r;

	if (++reader->n_files > KEEPALIVED_FILES_MAX)
		return fail(reader, "more files are included than may be");
	if (reader->file_depth == KEEPALIVED_NESTING_MAX)
		return fail(reader, "files include each other too deeply");
	reader->file_depth++;
	reader->place.file = reader->n_files;
	reader->folder = folder;
	r = read_file(reader, data, size_bytes);
	reader->folder = outer_folder;
	reader->place = outer;
	reader->file_depth--;
	return r;
}

/* "include PATTERN" and its variants: 1 when it was one. */
static int take_include(struct reader *reader, const char *line)
{
	static const char word[] = "include";
	size_t size_bytes = strlen(word);
	_cleanup_(text_words_clearp) struct text_words words = { 0 };
	int r;

	if (strncmp(line, word, size_bytes) != 0)
		return 0;
	if (line[size_bytes] && strchr("rmwba", line[size_bytes]))
		size_bytes++;
	if (!is_blank(line[size_bytes]))
		return 0;
	r = text_split(line + size_bytes, strlen(line + size_bytes), &words, reader->why);
	if (r == -ENOMEM)
		return r;
	if (r < 0 || words.len != 1)
		return fail(reader, "include needs the name of one file, or a pattern");
	r = reader->outside->include(
		reader->outside->context, reader->folder, words.items[0], take_file, reader);
	if (r == -EINVAL || r == -ENOMEM)
		return r;
	if (r < 0)
		farm_note(reader->farm, reader->place.line, "include %s: %s", words.items[0],
			strerror(-r));
	return 1;
}

static int read_line(struct reader *reader, const char *line, size_t size_bytes)
{
	_cleanup_free_ char *copy = strndup(line, size_bytes);
	const char *begin;
	int r = 0;

	if (!copy)
		return -ENOMEM;
	cut_comment(copy);
	cut_blanks(copy);
	begin = skip_blanks(copy);
	if (!reader->defined[0]) {
		if (!*begin)
			return 0;
		r = take_include(reader, begin);
	}
	if (r == 0)
		r = process(reader, begin);
	return r < 0 ? r : 0;
}

static int read_file(struct reader *reader, const char *data, size_t size_bytes)
{
	struct text_lines lines = text_lines(data, size_bytes);
	struct why why = { 0 };
	size_t line_bytes;
	const char *line;

	while (text_next_line(&lines, &line, &line_bytes, &why)) {
		int r;

		reader->place.file_line = lines.number;
		if (reader->file_depth == 0)
			reader->place.line = lines.number;
		r = read_line(reader, line, line_bytes);
		if (r < 0)
			return r;
	}
	if (!why.text[0])
		return 0;
	if (reader->file_depth > 0)
		return why_fail(reader->why, -EINVAL, "line %u: in an included file, %s",
			reader->place.line, why.text);
	*reader->why = why;
	return -EINVAL;
}

static void reader_clear(struct reader *reader)
{
	ARRAY_FOREACH (each, reader->variables, reader->n_variables)
		free(each->value);
	free(reader->variables);
	free(reader->skipped);
	text_clear(&reader->definition);
}

int keepalived_lines(const char *data, size_t size_bytes, const struct keepalived_outside *outside,
	struct farm *farm, keepalived_line_fn *each, void *context, struct why *ret_why)
{
	_cleanup_(reader_clear) struct reader reader = {
		.outside = outside,
		.folder = outside->folder,
		.farm = farm,
		.each = each,
		.context = context,
		.why = ret_why,
	};
	int r = read_file(&reader, data, size_bytes);

	if (r == 0 && reader.defined[0])
		r = fail(&reader, "the definition of a variable has no end");
	if (r == 0)
		tell_skipped(&reader);
	return r;
}
