/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One configuration stream -> structs. inih drives: it asks for lines and tells names from blank
 * lines and comments. But it cuts a value at " ;" and a line at 200 bytes, a section's name at 49,
 * and gives no line numbers (libinih 55), so it is fed the head of each key's line alone, and the
 * value stays with the reader in this file, which judges lines before inih does.
 */
#include "common/ini/ini_reader.h"

#include <assert.h>
#include <ctype.h>
#include <ini.h>

#include "common/suggest.h"

#define BYTE_ORDER_MARK   "\xef\xbb\xbf"
#define BLANKS            " \t\r\v\f"
#define KEYS_LISTED_BYTES 512u

enum ini_line {
	INI_LINE_END,
	INI_LINE_OK,
	INI_LINE_BAD, /* reported, to be skipped */
};

#define ini_complain(loader, subject, ...) \
	ini_report_push( \
		(loader)->report, (loader)->file_idx, (loader)->line_number, subject, __VA_ARGS__)

/* What the line that was complained of may have set is not known; `anywhere`: nor of which section. */
static void ini_doubt(struct ini_loader *loader, bool anywhere)
{
	if (loader->instance && !anywhere)
		loader->instance->is_doubtful = true;
	else
		loader->report->is_doubtful = true;
}

/* Cuts blanks off the end; the length that is left. */
static size_t ini_trim_end(char *text)
{
	size_t len = strlen(text);

	while (len > 0 && strchr(BLANKS, text[len - 1]))
		text[--len] = '\0';
	return len;
}

/* Keys and section words: case-insensitive, `-` and `_` equal. */
static void ini_normalise(char *word)
{
	for (; *word; word++)
		*word = *word == '_' ? '-' : (char)tolower((unsigned char)*word);
}

static const struct ini_key *ini_find_key(const struct ini_section *section, const char *name)
{
	ARRAY_FOREACH (key, section->keys, section->n_keys)
		if (streq(key->name, name))
			return key;
	return NULL;
}

/* Another section that has this key, or NULL. */
static const struct ini_section *ini_find_owner(const struct ini_report *report, const char *name)
{
	ARRAY_FOREACH (section, report->sections, report->n_sections)
		if (ini_find_key(section, name))
			return section;
	return NULL;
}

static void ini_complain_unknown_key(struct ini_loader *loader, const char *name)
{
	const struct ini_section *section = loader->section;
	const struct ini_section *owner = ini_find_owner(loader->report, name);
	size_t distance_max = suggest_limit(name), len = 0;
	char all[KEYS_LISTED_BYTES] = "";
	const char *nearest = NULL;

	ini_doubt(loader, owner);
	if (owner) {
		ini_complain(loader, name, "unknown in [%s]; it belongs in [%s%s]", section->name,
			owner->name, owner->named ? " NAME" : "");
		return;
	}
	ARRAY_FOREACH (key, section->keys, section->n_keys) {
		if (suggest_is_nearer(name, key->name, &distance_max))
			nearest = key->name;
		if (len < sizeof(all))
			len += (size_t)snprintf(
				all + len, sizeof(all) - len, "%s%s", len ? ", " : "", key->name);
	}
	if (nearest)
		ini_complain(loader, name, "unknown key; did you mean %s?", nearest);
	else
		ini_complain(loader, name, "unknown key; [%s] has %s", section->name, all);
}

static void ini_complain_unknown_section(struct ini_loader *loader, const char *name)
{
	const struct ini_report *report = loader->report;
	const struct ini_section *nearest = &report->sections[0];
	size_t distance_max = SIZE_MAX;

	ARRAY_FOREACH (section, report->sections, report->n_sections)
		if (suggest_is_nearer(name, section->name, &distance_max))
			nearest = section;
	ini_doubt(loader, true);
	ini_complain(loader, NULL, "unknown section [%.64s]; did you mean [%s%s]?", name,
		nearest->name, nearest->named ? " NAME" : "");
}

static int ini_apply_scalar_defaults(const struct ini_instance *instance)
{
	const struct ini_section *section = instance->section;
	int r;

	ARRAY_FOREACH (key, section->keys, section->n_keys) {
		if (!key->default_value || (key->flags & INI_LIST))
			continue;
		r = ini_reader_default(key, instance->target);
		if (r < 0)
			return r;
	}
	return 0;
}

struct ini_instance *ini_reader_open(
	struct ini_loader *loader, const struct ini_section *section, const char *name)
{
	struct ini_instance *instance = ini_report_find(loader->report, section, name);
	struct why why = { "not allowed" };
	char subject[INI_SUBJECT_BYTES];
	void *target;

	if (instance)
		return instance;
	target = section->open(loader->context, name, &why);
	if (!target && errno == EINVAL) {
		ini_complain(loader, ini_report_subject(section, name, subject, sizeof(subject)),
			"%s", why.text);
		return NULL;
	}
	if (target)
		instance = ini_report_add_instance(loader->report, section, name, target);
	if (!instance) {
		loader->error = -ENOMEM;
		return NULL;
	}
	instance->last_file_idx = SIZE_MAX;
	loader->error = ini_apply_scalar_defaults(instance);
	return instance;
}

static void ini_enter_instance(
	struct ini_loader *loader, const struct ini_section *section, const char *name)
{
	struct ini_instance *instance = ini_reader_open(loader, section, name);
	char subject[INI_SUBJECT_BYTES];

	if (!instance)
		return;
	if (instance->last_file_idx == loader->file_idx)
		ini_complain(loader, ini_report_subject(section, name, subject, sizeof(subject)),
			"section repeated, it begins in line %u; write its keys there",
			instance->last_line);
	if (instance->line == 0) {
		instance->file_idx = loader->file_idx;
		instance->line = loader->line_number;
	}
	instance->last_file_idx = loader->file_idx;
	instance->last_line = loader->line_number;
	loader->section = section;
	loader->instance = instance;
}

/* `text` is "[word]" or "[word NAME]" without blanks around it. */
static void ini_enter_section(struct ini_loader *loader, char *text)
{
	const struct ini_section *found = NULL;
	size_t len = strlen(text);
	char *word, *name;

	loader->in_section = true;
	loader->section = NULL;
	loader->instance = NULL;
	loader->occurrence++;
	if (text[len - 1] != ']' || strchr(text + 1, '[')) {
		ini_complain(loader, NULL,
			"\"%.64s\" is no section; a line with `[` holds nothing but [SECTION]",
			text);
		return;
	}
	text[len - 1] = '\0';
	word = text + 1 + strspn(text + 1, BLANKS);
	name = word + strcspn(word, BLANKS);
	if (*name)
		*name++ = '\0';
	name += strspn(name, BLANKS);
	ini_trim_end(name);
	ini_normalise(word);
	ARRAY_FOREACH (section, loader->report->sections, loader->report->n_sections)
		if (streq(section->name, word))
			found = section;

	if (!found)
		ini_complain_unknown_section(loader, word);
	else if (found->named && !*name)
		ini_complain(loader, NULL, "[%s] needs a name; write [%s NAME]", found->name,
			found->name);
	else if (!found->named && *name)
		ini_complain(loader, NULL, "[%s %.64s]: this section has no name; write [%s]",
			found->name, name, found->name);
	else if (strpbrk(name, BLANKS))
		ini_complain(loader, NULL, "[%s %.64s]: a name has no blank in it; write [%s NAME]",
			found->name, name, found->name);
	else
		ini_enter_instance(loader, found, found->named ? name : NULL);
}

/*
 * Reads one line into `line`, without its end and the blanks before it. Never more than
 * INI_LINE_MAX_BYTES are kept of it, whatever the file holds.
 */
static enum ini_line ini_read_line(struct ini_loader *loader)
{
	size_t len = 0, size_bytes = 0;
	bool binary = false;
	int byte;

	while ((byte = getc_unlocked(loader->stream)) != EOF && byte != '\n') {
		binary |= byte == '\0';
		if (len < INI_LINE_MAX_BYTES)
			loader->line[len++] = (char)byte;
		size_bytes++;
	}
	loader->line[len] = '\0';
	if (byte == EOF && size_bytes == 0)
		return INI_LINE_END;
	loader->line_number++;
	if (size_bytes > INI_LINE_MAX_BYTES) {
		ini_complain(loader, NULL,
			"line longer than %u bytes; repeat the key instead of a long list",
			INI_LINE_MAX_BYTES);
		ini_doubt(loader, false);
		return INI_LINE_BAD;
	}
	if (binary) {
		ini_complain(loader, NULL, "the line holds a NUL byte; this is no text file");
		ini_doubt(loader, false);
		return INI_LINE_BAD;
	}
	len = ini_trim_end(loader->line);
	if (loader->line_number == 1 && strncmp(loader->line, BYTE_ORDER_MARK, 3) == 0)
		memmove(loader->line, loader->line + 3, len - 3 + 1);
	return INI_LINE_OK;
}

/* Splits "key = value"; gives inih "key=" in `head` and keeps the value. False: reported. */
static bool ini_split_key(struct ini_loader *loader, char *head, size_t head_bytes)
{
	char *line = loader->line, *equals = strchr(line, '=');
	size_t len;

	if (strchr(" \t\v\f", line[0])) {
		ini_complain(
			loader, NULL, "indented; a key begins its line, no value is continued");
		return false;
	}
	if (!equals) {
		ini_complain(loader, NULL, "\"%.64s\" is no setting; write KEY = VALUE", line);
		return false;
	}
	*equals = '\0';
	loader->value = equals + 1 + strspn(equals + 1, BLANKS);
	len = ini_trim_end(line);
	if (len == 0) {
		ini_complain(loader, NULL, "no key before `=`; write KEY = VALUE");
		return false;
	}
	/* What inih would take for the end of a name is part of none of ours. */
	if (len > SUGGEST_WORD_MAX_BYTES || len + sizeof("=") > head_bytes ||
		strpbrk(line, ":;[] \t\v\f")) {
		ini_complain(
			loader, NULL, "\"%.64s\" is no key; a key is letters and hyphens", line);
		return false;
	}
	if (!loader->in_section) {
		ini_complain(loader, line, "stands before any section; write [%s] above it",
			loader->report->sections[0].name);
		return false;
	}
	snprintf(head, head_bytes, "%s=", line);
	return true;
}

/* What inih calls for a line, in the place of fgets(). It is given keys, or an empty line. */
static char *ini_feed(char *buffer, int size_bytes, void *user)
{
	struct ini_loader *loader = user;
	enum ini_line result;

	if (loader->error < 0 || size_bytes < 2)
		return NULL;
	result = ini_read_line(loader);
	if (result == INI_LINE_END)
		return NULL;
	buffer[0] = '\0';
	if (result == INI_LINE_OK) {
		char *text = loader->line + strspn(loader->line, BLANKS);

		if (*text == '[' && text == loader->line)
			ini_enter_section(loader, text);
		else if (*text && *text != '#' && *text != ';' &&
			!ini_split_key(loader, buffer, (size_t)size_bytes)) {
			buffer[0] = '\0';
			ini_doubt(loader, false);
		}
	}
	return buffer;
}

/* Parses one element; reports a bad one. */
static int ini_parse_one(
	struct ini_loader *loader, const struct ini_key *key, const char *value, void *target)
{
	struct why why = { "not understood" };
	int r;

	r = key->parse(key, value, (char *)target + key->offset, &why);
	if (r == -EINVAL && loader)
		ini_complain(loader, key->name, "%s", why.text);
	return r;
}

/* `loader` NULL: a default. -EINVAL was reported, if there is somebody to report to. */
static int ini_parse_value(
	struct ini_loader *loader, const struct ini_key *key, const char *value, void *target)
{
	char copy[INI_LINE_MAX_BYTES + 1], *rest = copy, *element;
	int r, result = 0;

	if (!(key->flags & INI_LIST) || (key->flags & INI_WHOLE))
		return ini_parse_one(loader, key, value, target);
	snprintf(copy, sizeof(copy), "%s", value);
	while ((element = strsep(&rest, ","))) {
		element += strspn(element, BLANKS);
		if (ini_trim_end(element) == 0) {
			if (loader)
				ini_complain(loader, key->name,
					"an element of the list is empty; remove the comma");
			result = -EINVAL;
			continue;
		}
		r = ini_parse_one(loader, key, element, target);
		if (r == -ENOMEM)
			return r;
		result = r < 0 ? r : result;
	}
	return result;
}

int ini_reader_default(const struct ini_key *key, void *target)
{
	int r = ini_parse_value(NULL, key, key->default_value, target);

	assert(r != -EINVAL);
	return r;
}

/* Notes where the key was set; a list's value goes on, a scalar's is replaced. */
static int ini_note_place(
	const struct ini_loader *loader, const struct ini_key *key, struct ini_place *place)
{
	char *value;

	if ((key->flags & INI_LIST) && place->value) {
		if (asprintf(&value, "%s, %s", place->value, loader->value) < 0)
			return -ENOMEM;
	} else {
		value = strdup(loader->value);
		if (!value)
			return -ENOMEM;
	}
	free(place->value);
	place->value = value;
	place->file_idx = loader->file_idx;
	place->line = loader->line_number;
	place->occurrence = loader->occurrence;
	return 0;
}

static void ini_set_key(struct ini_loader *loader, const struct ini_key *key)
{
	struct ini_instance *instance = loader->instance;
	struct ini_place *place = &instance->places[key - instance->section->keys];
	int r;

	if (!(key->flags & INI_LIST) && place->line > 0 &&
		place->occurrence == loader->occurrence) {
		ini_complain(loader, key->name, "set before in line %u; remove one of the two",
			place->line);
		place->refused = true;
		return;
	}
	r = ini_note_place(loader, key, place);
	if (r == 0 && loader->value[0] == '\0') {
		ini_complain(loader, key->name, "has no value; write one, or remove the line");
		r = -EINVAL;
	} else if (r == 0) {
		r = ini_parse_value(loader, key, loader->value, instance->target);
	}
	if (r == -ENOMEM)
		loader->error = r;
	place->refused = r < 0 || ((key->flags & INI_LIST) && place->refused);
}

/* inih's handler. Its section and value are not used: see the top of this file. */
static int ini_handle(void *user, const char *section, const char *name, const char *value)
{
	struct ini_loader *loader = user;
	char word[SUGGEST_WORD_MAX_BYTES + 1];
	const struct ini_key *key;

	if (loader->error < 0 || !loader->instance)
		return 1;
	snprintf(word, sizeof(word), "%s", name);
	ini_normalise(word);
	key = ini_find_key(loader->section, word);
	if (key)
		ini_set_key(loader, key);
	else
		ini_complain_unknown_key(loader, word);
	return 1;
}

int ini_reader_run(struct ini_loader *loader, FILE *stream, size_t file_idx)
{
	int r;

	loader->stream = stream;
	loader->file_idx = file_idx;
	loader->line_number = 0;
	loader->in_section = false;
	loader->section = NULL;
	loader->instance = NULL;
	r = ini_parse_stream(ini_feed, loader, ini_handle, loader);
	if (loader->error < 0)
		return loader->error;
	if (r == -2) /* inih: no memory */
		return -ENOMEM;
	if (r > 0) {
		loader->line_number = (unsigned int)r;
		ini_complain(loader, NULL, "not understood; write KEY = VALUE");
		ini_doubt(loader, true);
	}
	if (ferror(stream)) {
		ini_report_push(loader->report, file_idx, 0, NULL, "cannot read: %s",
			strerrordesc_np(errno));
		ini_doubt(loader, true);
	}
	return 0;
}
