/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Findings, collected and printed. Called by the doctors of both programs. Knows no check.
 */
#include "common/doctor/doctor.h"

#include <assert.h>
#include <stdarg.h>

#include "common/cli/cli.h"
#include "common/cli/cli_table.h"
#include "common/grow.h"

#define DOCTOR_SCHEMA 1

struct doctor {
	const char *id; /* of the check that runs */
	struct doctor_finding *findings;
	size_t n_findings;
	bool lost; /* there was no memory for one */
};

struct doctor *doctor_new(void)
{
	return calloc(1, sizeof(struct doctor));
}

struct doctor *doctor_free(struct doctor *doctor)
{
	if (!doctor)
		return NULL;
	ARRAY_FOREACH (finding, doctor->findings, doctor->n_findings) {
		free(finding->what);
		free(finding->mend);
	}
	free(doctor->findings);
	free(doctor);
	return NULL;
}

void doctor_run(struct doctor *doctor, const struct doctor_check *checks, size_t n_checks,
	const void *facts)
{
	ARRAY_FOREACH (check, checks, n_checks) {
		doctor->id = check->id;
		check->judge(facts, doctor);
	}
}

/* One line of text, whatever the words came from. */
_printf_(1, 0) static char *doctor_format(const char *format, va_list arguments)
{
	char *text = NULL;

	if (vasprintf(&text, format, arguments) < 0)
		return NULL;
	for (char *each = text; *each; each++)
		if ((unsigned char)*each < ' ' || *each == 0x7f)
			*each = ' ';
	return text;
}

_printf_(4, 0) static void doctor_add(struct doctor *doctor, enum doctor_state state,
	const char *subject, const char *format, va_list arguments)
{
	struct doctor_finding *finding;

	if (GROW(doctor->findings, doctor->n_findings) < 0) {
		doctor->lost = true;
		return;
	}
	finding = &doctor->findings[doctor->n_findings++];
	*finding = (struct doctor_finding){
		.id = doctor->id, .state = state, .what = doctor_format(format, arguments)
	};
	snprintf(finding->subject, sizeof(finding->subject), "%s", subject);
	doctor->lost |= !finding->what;
}

void doctor_ok(struct doctor *doctor, const char *subject, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	doctor_add(doctor, DOCTOR_OK, subject, format, arguments);
	va_end(arguments);
}

void doctor_warn(struct doctor *doctor, const char *subject, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	doctor_add(doctor, DOCTOR_WARN, subject, format, arguments);
	va_end(arguments);
}

void doctor_fail(struct doctor *doctor, const char *subject, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	doctor_add(doctor, DOCTOR_FAIL, subject, format, arguments);
	va_end(arguments);
}

void doctor_mend(struct doctor *doctor, const char *format, ...)
{
	struct doctor_finding *finding;
	va_list arguments;

	if (doctor->lost || doctor->n_findings == 0)
		return;
	finding = &doctor->findings[doctor->n_findings - 1];
	free(finding->mend);
	va_start(arguments, format);
	finding->mend = doctor_format(format, arguments);
	va_end(arguments);
	doctor->lost |= !finding->mend;
}

static bool doctor_is_plain(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-./:,+@%=";

	return text[0] && strspn(text, plain) == strlen(text);
}

const char *doctor_word(const char *text, char *buffer)
{
	size_t len = 0;

	if (doctor_is_plain(text) && strlen(text) < DOCTOR_WORD_BYTES) {
		snprintf(buffer, DOCTOR_WORD_BYTES, "%s", text);
		return buffer;
	}
	buffer[len++] = '\'';
	/* A quote is four characters, and the end is two. */
	for (; *text && len + 6 < DOCTOR_WORD_BYTES; text++) {
		if (*text != '\'') {
			buffer[len++] = *text;
			continue;
		}
		memcpy(buffer + len, "'\\''", 4);
		len += 4;
	}
	buffer[len++] = '\'';
	buffer[len] = '\0';
	return buffer;
}

size_t doctor_len(const struct doctor *doctor)
{
	return doctor->n_findings;
}

const struct doctor_finding *doctor_finding(const struct doctor *doctor, size_t idx)
{
	return &doctor->findings[idx];
}

json_t *doctor_json(const struct doctor *doctor)
{
	static const char *const names[] = {
		[DOCTOR_OK] = "ok",
		[DOCTOR_WARN] = "warn",
		[DOCTOR_FAIL] = "fail",
	};
	json_t *checks = json_array();

	static_assert(ARRAY_LEN(names) == DOCTOR_STATE_N_, "a name for each state");
	ARRAY_FOREACH (finding, doctor->findings, doctor->n_findings)
		(void)json_array_append_new(checks,
			json_pack("{s:s, s:s, s:s, s:s, s:s?}", "id", finding->id, "state",
				names[finding->state], "subject", finding->subject, "what",
				finding->what ? finding->what : "", "mend", finding->mend));
	return json_pack("{s:i, s:o}", "schema", DOCTOR_SCHEMA, "checks", checks);
}

static void doctor_print(const struct doctor *doctor, bool color)
{
	static const struct {
		const char *word, *color;
	} states[] = {
		[DOCTOR_OK] = { "ok", "\033[32m" },
		[DOCTOR_WARN] = { "WARN", "\033[33m" },
		[DOCTOR_FAIL] = { "FAIL", "\033[31m" },
	};
	static_assert(ARRAY_LEN(states) == DOCTOR_STATE_N_, "a word for each state");

	ARRAY_FOREACH (finding, doctor->findings, doctor->n_findings)
		printf("%s%-4s%s %s %s: %s%s%s\n", color ? states[finding->state].color : "",
			states[finding->state].word, color ? "\033[0m" : "", finding->id,
			finding->subject, finding->what ? finding->what : "",
			finding->mend ? "; mend: " : "", finding->mend ? finding->mend : "");
}

int doctor_tell(const struct doctor *doctor, const struct cli *cli)
{
	enum doctor_state worst = DOCTOR_OK;

	if (doctor->lost)
		return cli_fail(cli, CONTROL_UNAVAILABLE, "out of memory");
	if (cli->json != CLI_JSON_OFF) {
		json_t *document = doctor_json(doctor);

		cli_print_json(cli, document);
		json_decref(document);
	} else {
		doctor_print(doctor, cli->color);
	}
	ARRAY_FOREACH (finding, doctor->findings, doctor->n_findings)
		worst = MAX(worst, finding->state);
	return (int)worst;
}
