/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Findings: their order, their exit status, their JSON, and what goes to a shell. */
#include "common/doctor/doctor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/cli/cli.h"

static void judge_well(const void *facts, struct doctor *doctor)
{
	doctor_ok(doctor, "lo", "is %s", (const char *)facts);
}

static void judge_badly(const void *facts, struct doctor *doctor)
{
	doctor_warn(doctor, "eth0", "is odd");
	doctor_fail(doctor, "eth1", "is\nbroken");
	doctor_mend(doctor, "ip link set %s up", "eth1");
}

static const struct doctor_check checks[] = { { "well", judge_well }, { "badly", judge_badly } };

static void findings_are_json(void **state)
{
	_cleanup_(doctor_freep) struct doctor *doctor = doctor_new();
	json_t *document;
	char *text;

	doctor_run(doctor, checks, ARRAY_LEN(checks), "there");
	document = doctor_json(doctor);
	text = json_dumps(document, JSON_COMPACT);
	assert_string_equal(text,
		"{\"schema\":1,\"checks\":["
		"{\"id\":\"well\",\"state\":\"ok\",\"subject\":\"lo\",\"what\":\"is there\",\"mend\":null},"
		"{\"id\":\"badly\",\"state\":\"warn\",\"subject\":\"eth0\",\"what\":\"is odd\",\"mend\":null},"
		"{\"id\":\"badly\",\"state\":\"fail\",\"subject\":\"eth1\",\"what\":\"is broken\","
		"\"mend\":\"ip link set eth1 up\"}]}");
	free(text);
	json_decref(document);
}

static void the_worst_is_the_status(void **state)
{
	const struct cli cli = { .program = "dsr-test" };
	_cleanup_(doctor_freep) struct doctor *doctor = doctor_new();

	assert_int_equal(doctor_tell(doctor, &cli), 0);
	doctor_run(doctor, checks, 1, "there");
	assert_int_equal(doctor_tell(doctor, &cli), 0);
	doctor_warn(doctor, "eth0", "is odd");
	assert_int_equal(doctor_tell(doctor, &cli), 1);
	doctor_run(doctor, checks, 2, "there");
	assert_int_equal(doctor_tell(doctor, &cli), 2);
}

static void what_others_chose_is_quoted(void **state)
{
	char buffer[DOCTOR_WORD_BYTES];
	char huge[2 * DOCTOR_WORD_BYTES];

	assert_string_equal(doctor_word("eth0.100", buffer), "eth0.100");
	assert_string_equal(doctor_word("", buffer), "''");
	assert_string_equal(doctor_word("a;reboot", buffer), "'a;reboot'");
	assert_string_equal(doctor_word("$(reboot)", buffer), "'$(reboot)'");
	assert_string_equal(doctor_word("it's", buffer), "'it'\\''s'");
	memset(huge, '\'', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	assert_true(strlen(doctor_word(huge, buffer)) < DOCTOR_WORD_BYTES);
	memset(huge, 'a', sizeof(huge) - 1);
	assert_true(strlen(doctor_word(huge, buffer)) < DOCTOR_WORD_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(findings_are_json),
		cmocka_unit_test(the_worst_is_the_status),
		cmocka_unit_test(what_others_chose_is_quoted),
	};

	return cmocka_run_group_tests_name("doctor", tests, NULL, NULL);
}
