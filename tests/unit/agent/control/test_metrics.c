/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the agent's status document to Prometheus's text, to the letter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/control/metrics.h"
#include "tests/unit/tools/manual.h"

static void metrics_are_the_document(void **state)
{
	static const char *const samples[] = {
		"\ndsr_agent_build_info{version=\"1.2\"} 1\n",
		"\ndsr_agent_up 0\n",
		"\ndsr_agent_state{state=\"drain\"} 1\n",
		"\ndsr_agent_state{state=\"up\"} 0\n",
		"\n# TYPE dsr_agent_vip_present gauge\ndsr_agent_vip_present{vip=\"198.51.100.10\"} 1\n",
		"\ndsr_agent_vip_present{vip=\"2001:db8::10\"} 0\n",
		"\ndsr_agent_established_connections{vip=\"198.51.100.10\"} 7\n",
		"\n# TYPE dsr_agent_repairs_total counter\ndsr_agent_repairs_total 3\n",
		"\ndsr_agent_check_up{check=\"tcp:80\",vip=\"198.51.100.10\"} 1\n",
		"\ndsr_agent_check_up{check=\"exec:/bin/a \\\"b\\\"\"} 0\n",
	};
	json_t *document = json_loads(
		"{\"version\":\"1.2\",\"state\":\"drain\",\"repairs\":3,\"vips\":["
		"{\"address\":\"198.51.100.10\",\"present\":true,\"established\":7},"
		"{\"address\":\"2001:db8::10\",\"present\":false,\"established\":0}],"
		"\"checks\":[{\"name\":\"tcp:80\",\"vip\":\"198.51.100.10\",\"state\":\"up\"},"
		"{\"name\":\"exec:/bin/a \\\"b\\\"\",\"vip\":null,\"state\":\"down\"}]}",
		0, NULL);
	size_t size_bytes;
	char *bytes = metrics_make(document, &size_bytes), *text = strndup(bytes, size_bytes);

	ARRAY_FOREACH (sample, samples, ARRAY_LEN(samples))
		if (!strstr(text, *sample))
			fail_msg("no %s in %s", *sample, text);
	free(text);
	free(bytes);
	json_decref(document);
}

static void metrics_are_in_the_manual(void **state)
{
	size_t n_families;
	const struct exposition_family *families = metrics_families(&n_families);

	assert_manual_names("man/dsr-agent.8.scd", families, n_families);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(metrics_are_the_document),
		cmocka_unit_test(metrics_are_in_the_manual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
