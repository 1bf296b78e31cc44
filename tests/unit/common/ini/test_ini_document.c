/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each key with its place. */
#include "common/ini/ini.h"
#include "common/ini/ini_document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct numbers {
	uint32_t set, preset, absent;
};

static struct numbers one, other;

static void *open_section(void *context, const char *name, struct why *ret_why)
{
	return name ? &other : &one;
}

static const struct ini_key keys[] = {
	{ .name = "set",
		.parse = ini_parse_u32,
		.offset = offsetof(struct numbers, set),
		.max = 9 },
	{ .name = "preset",
		.parse = ini_parse_u32,
		.offset = offsetof(struct numbers, preset),
		.max = 9,
		.default_value = "3" },
	{ .name = "absent",
		.parse = ini_parse_u32,
		.offset = offsetof(struct numbers, absent),
		.max = 9 },
};
static const struct ini_section sections[] = {
	{ "one", false, keys, ARRAY_LEN(keys), open_section },
	{ "many", true, keys, ARRAY_LEN(keys), open_section },
};

static void ini_document_has_every_key_with_its_place(void **state)
{
	static const char text[] = "[one]\nset = 1\n[many web]\npreset = 4\n";
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	_cleanup_free_ char *written = NULL;
	json_t *document;

	assert_int_equal(ini_load_text("a.conf", text, strlen(text), sections, ARRAY_LEN(sections),
				 NULL, &report),
		0);
	document = ini_document(report);
	written = json_dumps(document, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(document);
	assert_string_equal(written,
		"[{\"file\":\"a.conf\",\"key\":\"set\",\"line\":2,\"name\":null,\"section\":\"one\",\"value\":\"1\"},"
		"{\"file\":null,\"key\":\"preset\",\"line\":null,\"name\":null,\"section\":\"one\",\"value\":\"3\"},"
		"{\"file\":null,\"key\":\"absent\",\"line\":null,\"name\":null,\"section\":\"one\",\"value\":null},"
		"{\"file\":null,\"key\":\"set\",\"line\":null,\"name\":\"web\",\"section\":\"many\",\"value\":null},"
		"{\"file\":\"a.conf\",\"key\":\"preset\",\"line\":4,\"name\":\"web\",\"section\":\"many\",\"value\":\"4\"},"
		"{\"file\":null,\"key\":\"absent\",\"line\":null,\"name\":\"web\",\"section\":\"many\",\"value\":null}]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ini_document_has_every_key_with_its_place),
	};

	return cmocka_run_group_tests_name("ini_document", tests, NULL, NULL);
}
