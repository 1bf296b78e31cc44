/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the fuzzers of importers have in common: whatever a reader makes of any bytes, its result loads. */
#pragma once

#include "lb/client/import/farm_settle.h"
#include "lb/client/import/farm_write.h"
#include "lb/config/config.h"

/* `r` is the reader's answer: it is refused with a reason, or becomes a configuration. */
static inline void import_must_load(int r, struct farm *farm, const struct why *why)
{
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_(text_clearp) struct text text = { 0 };

	if (r == -ENOMEM)
		return;
	if (r < 0) {
		if (r != -EINVAL || strncmp(why->text, "line ", 5) != 0)
			abort();
		return;
	}
	if (farm_settle(farm) < 0)
		return;
	text_format(&text, "[balancer]\ninterface = eth0\n\n");
	farm_write(farm, "fuzz", &text);
	if (text.failed)
		return;
	r = config_load_text("fuzz", text.data, text.size_bytes, &config, &report);
	if (r == 0 || r == -ENOMEM)
		return;
	for (size_t i = 0; i < ini_report_len(report); i++)
		fprintf(stderr, "%s\n", ini_report_line(report, i));
	fprintf(stderr, "%s", text.data);
	abort();
}
