/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A text of a JSON object. Header only. */
#pragma once

#include <jansson.h>

/* Borrowed; "" where there is no such member, or it is no text. */
static inline const char *json_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}
