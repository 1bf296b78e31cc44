/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report's instances as JSON: see ini_document.h. Called by the daemons' verbs. */
#include "common/ini/ini_document.h"

#include "common/ini/ini_report.h"

static json_t *ini_document_key(const struct ini_report *report,
	const struct ini_instance *instance, const struct ini_key *key,
	const struct ini_place *place)
{
	bool is_set = place->line > 0;

	return json_pack("{s:s, s:s?, s:s, s:s?, s:s?, s:o}", "section", instance->section->name,
		"name", instance->name, "key", key->name, "value",
		is_set ? place->value : key->default_value, "file",
		is_set ? report->files[place->file_idx] : NULL, "line",
		is_set ? json_integer((json_int_t)place->line) : json_null());
}

json_t *ini_document(const struct ini_report *report)
{
	json_t *keys = json_array();

	ARRAY_FOREACH (at, report->instances, report->n_instances)
		for (size_t idx = 0; idx < (*at)->section->n_keys; idx++)
			(void)json_array_append_new(keys,
				ini_document_key(report, *at, &(*at)->section->keys[idx],
					&(*at)->places[idx]));
	return keys;
}
