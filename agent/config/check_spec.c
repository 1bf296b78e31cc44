/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text → what is to be checked. Called by config.c. Must not know how a check is made. */
#include "agent/config/check_spec.h"

#include <ctype.h>
#include <strings.h>
#include <sys/stat.h>

#include "agent/config/check_words.h"
#include "common/url.h"

#define SPEC_UNIT_NAME_MAX 255u /* what systemd takes */
#define SPEC_HTTP_FIRST    100u
#define SPEC_HTTP_LAST     599u
#define SPEC_KINDS         "tcp:PORT, http://HOST/PATH, exec:COMMAND or file:PATH"

/* The rest behind `prefix`, or NULL. */
static const char *spec_behind(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

/* A decimal number from min to max at the start of `text`. */
static bool spec_number(
	const char *text, uint16_t min, uint16_t max, uint16_t *ret_number, const char **ret_rest)
{
	uint32_t number = 0;

	if (!isdigit((unsigned char)*text))
		return false;
	for (; isdigit((unsigned char)*text) && number <= UINT16_MAX; text++)
		number = number * 10 + (uint32_t)(*text - '0');
	if (number < min || number > max)
		return false;
	*ret_number = (uint16_t)number;
	*ret_rest = text;
	return true;
}

static int spec_parse_tcp(struct check_spec *spec, const char *text, struct why *ret_why)
{
	const char *rest;

	if (!spec_number(text, 1, UINT16_MAX, &spec->port, &rest) || *rest)
		return why_fail(ret_why, -EINVAL,
			"\"tcp:%.64s\" has no port; write tcp:80 (1 to 65535)", text);
	return 0;
}

/* ---- http ---- */

static int spec_parse_url(struct check_spec *spec, const char *text, struct why *ret_why)
{
	struct url url;
	int r = url_parse(text, &url, ret_why);

	if (r < 0)
		return r;
	spec->port = url.port ? url.port : URL_HTTP_PORT;
	spec->subject = strdup(text);
	return spec->subject ? 0 : -ENOMEM;
}

/* "200,301-303" */
static int spec_parse_statuses(struct check_spec *spec, const char *list, struct why *ret_why)
{
	const char *rest = list;

	for (;;) {
		struct check_spec_range *range = &spec->statuses[spec->n_statuses];

		if (spec->n_statuses == CHECK_SPEC_STATUSES_MAX)
			return why_fail(ret_why, -EINVAL, "status= has more than %u parts",
				CHECK_SPEC_STATUSES_MAX);
		if (!spec_number(rest, SPEC_HTTP_FIRST, SPEC_HTTP_LAST, &range->first, &rest))
			break;
		range->last = range->first;
		if (*rest == '-' &&
			(!spec_number(rest + 1, range->first, SPEC_HTTP_LAST, &range->last, &rest)))
			break;
		spec->n_statuses++;
		if (!*rest)
			return 0;
		if (*rest++ != ',')
			break;
	}
	return why_fail(ret_why, -EINVAL,
		"\"status=%.64s\" is no list of statuses; write status=200,301-303", list);
}

static int spec_parse_option(struct check_spec *spec, const char *word, struct why *ret_why)
{
	const char *value = spec_behind(word, "status=");

	if (value && spec->n_statuses == 0)
		return spec_parse_statuses(spec, value, ret_why);
	value = spec_behind(word, "body=");
	if (value && !spec->body) {
		if (!*value)
			return why_fail(ret_why, -EINVAL, "body= names no text; leave it out");
		spec->body = strdup(value);
		return spec->body ? 0 : -ENOMEM;
	}
	return why_fail(ret_why, -EINVAL,
		"\"%.64s\" is not known here, or is given twice; behind the URL write status=LIST, "
		"body=TEXT",
		word);
}

static int spec_parse_http(struct check_spec *spec, const char *text, struct why *ret_why)
{
	_cleanup_(check_words_freep) char **words = NULL;
	_cleanup_free_ char *url = strndup(text, strcspn(text, " \t"));
	int r;

	if (!url)
		return -ENOMEM;
	/* A URL may hold what the splitter would refuse. */
	r = check_words_split(text + strlen(url), &words, ret_why);
	if (r == 0)
		r = spec_parse_url(spec, url, ret_why);
	for (char **word = words; r == 0 && word && *word; word++)
		r = spec_parse_option(spec, *word, ret_why);
	if (r == 0 && spec->n_statuses == 0)
		spec->statuses[spec->n_statuses++] = (struct check_spec_range){ 200, 399 };
	return r;
}

/* ---- exec and file ---- */

static int spec_parse_exec(struct check_spec *spec, const char *text, struct why *ret_why)
{
	struct stat status;
	int r;

	r = check_words_split(text, &spec->argv, ret_why);
	if (r < 0)
		return r;
	if (!spec->argv[0] || spec->argv[0][0] != '/')
		return why_fail(ret_why, -EINVAL,
			"\"exec:%.64s\" does not begin with the absolute path of a program", text);
	if (stat(spec->argv[0], &status) < 0)
		return why_fail(
			ret_why, -EINVAL, "cannot run %.128s: %s", spec->argv[0], strerror(errno));
	if (!S_ISREG(status.st_mode) || access(spec->argv[0], X_OK) < 0)
		return why_fail(ret_why, -EINVAL,
			"cannot run %.128s: it is no program that this user may execute",
			spec->argv[0]);
	return 0;
}

static int spec_parse_file(struct check_spec *spec, const char *path, struct why *ret_why)
{
	if (path[0] != '/')
		return why_fail(ret_why, -EINVAL, "\"file:%.64s\" is no absolute path", path);
	spec->subject = strdup(path);
	return spec->subject ? 0 : -ENOMEM;
}

/* ---- */

static int spec_parse_any(struct check_spec *spec, const char *text, struct why *ret_why)
{
	const char *rest;

	if ((rest = spec_behind(text, "tcp:"))) {
		spec->kind = CHECK_SPEC_TCP;
		return spec_parse_tcp(spec, rest, ret_why);
	}
	if (spec_behind(text, "http://")) {
		spec->kind = CHECK_SPEC_HTTP;
		return spec_parse_http(spec, text, ret_why);
	}
	if ((rest = spec_behind(text, "exec:"))) {
		spec->kind = CHECK_SPEC_EXEC;
		return spec_parse_exec(spec, rest, ret_why);
	}
	if ((rest = spec_behind(text, "file:"))) {
		spec->kind = CHECK_SPEC_FILE;
		return spec_parse_file(spec, rest, ret_why);
	}
	if (spec_behind(text, "https://"))
		return why_fail(ret_why, -EINVAL,
			"https is not spoken here; write exec:/usr/lib/nagios/plugins/check_http -S …");
	return why_fail(ret_why, -EINVAL, "\"%.64s\" is no check; write " SPEC_KINDS, text);
}

int check_spec_parse(const char *text, struct check_spec **ret_spec, struct why *ret_why)
{
	_cleanup_(check_spec_freep) struct check_spec *spec = calloc(1, sizeof(*spec));
	int r;

	if (!spec)
		return -ENOMEM;
	if (strlen(text) > CHECK_SPEC_TEXT_MAX)
		return why_fail(ret_why, -EINVAL, "longer than %u bytes; put it into a script",
			CHECK_SPEC_TEXT_MAX);
	spec->text = strdup(text);
	if (!spec->text)
		return -ENOMEM;
	r = spec_parse_any(spec, text, ret_why);
	if (r < 0)
		return r;
	*ret_spec = TAKE_PTR(spec);
	return 0;
}

/* What systemd would take for the name of one unit, which a template is not. */
static bool spec_unit_is_good(const char *name)
{
	static const char *const suffixes[] = { ".service", ".socket", ".target", ".mount",
		".automount", ".timer", ".path", ".slice", ".scope", ".swap", ".device" };
	const char *dot = strrchr(name, '.');
	const char *at = strchr(name, '@');

	if (strlen(name) > SPEC_UNIT_NAME_MAX || name[0] == '.' || name[0] == '@' || !dot ||
		(at && at + 1 == dot))
		return false;
	for (const char *c = name; *c; c++) {
		if (!isalnum((unsigned char)*c) && !strchr(":-_.\\@", *c))
			return false;
	}
	ARRAY_FOREACH (suffix, suffixes, ARRAY_LEN(suffixes)) {
		if (streq(dot, *suffix))
			return true;
	}
	return false;
}

int check_spec_parse_unit(const char *name, struct check_spec **ret_spec, struct why *ret_why)
{
	_cleanup_(check_spec_freep) struct check_spec *spec = calloc(1, sizeof(*spec));

	if (!spec)
		return -ENOMEM;
	spec->kind = CHECK_SPEC_UNIT;
	if (asprintf(&spec->subject, "%s%s", name, strchr(name, '.') ? "" : ".service") < 0) {
		spec->subject = NULL;
		return -ENOMEM;
	}
	if (!spec_unit_is_good(spec->subject))
		return why_fail(ret_why, -EINVAL,
			"\"%.64s\" is no name of a systemd unit; write one like nginx.service",
			name);
	if (asprintf(&spec->text, "unit:%s", spec->subject) < 0) {
		spec->text = NULL;
		return -ENOMEM;
	}
	*ret_spec = TAKE_PTR(spec);
	return 0;
}

bool check_spec_is_of_vip(const struct check_spec *spec)
{
	return spec->kind == CHECK_SPEC_TCP || spec->kind == CHECK_SPEC_HTTP;
}

struct check_spec *check_spec_free(struct check_spec *spec)
{
	if (!spec)
		return NULL;
	check_words_free(spec->argv);
	free(spec->text);
	free(spec->subject);
	free(spec->body);
	free(spec);
	return NULL;
}
