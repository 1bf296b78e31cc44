/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dsr-agent.conf from any bytes, its checks among them: it loads whole, or says at least one thing that is wrong; and a
 * check is what its own words say again.
 */
#include "agent/config/check_spec.h"
#include "agent/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge_check(const struct check_spec *spec)
{
	_cleanup_(check_spec_freep) struct check_spec *again = NULL;
	struct why why;
	int r;

	if (spec->kind == CHECK_SPEC_UNIT)
		return;
	r = check_spec_parse(spec->text, &again, &why);
	if (r == -ENOMEM)
		return;
	if (r < 0 || again->kind != spec->kind || again->port != spec->port ||
		again->n_statuses != spec->n_statuses || !streq(again->text, spec->text))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	_cleanup_(config_freep) struct config *config = NULL;
	int r = config_load_text("fuzz", (const char *)data, size, &config, &report);

	if (r == -ENOMEM)
		return 0;
	if ((r == 0) != (config != NULL) || (r == 0) != (ini_report_len(report) == 0))
		abort();
	if (config &&
		(config->balancers.len == 0 || config->vips.len == 0 ||
			config->checks.len > CONFIG_CHECKS_MAX))
		abort();
	for (size_t i = 0; config && i < config->checks.len; i++)
		judge_check(((struct check_spec **)config->checks.items)[i]);
	return 0;
}
