/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values of configuration files: parsers for the key table. Each says what is wrong with a value
 * and how a right one looks.
 */
#include "common/ini/ini_value.h"

#include <ctype.h>
#include <net/if.h>
#include <strings.h>

#include "common/grow.h"

#define US_PER_MIN (60 * US_PER_S)
#define US_PER_H   (3600 * US_PER_S)

/* How much of a bad value an error repeats. */
#define QUOTE "\"%.64s\""

struct ini_unit {
	const char *name;
	uint64_t factor;
};

/* Largest first, so that a formatter finds the shortest text. */
static const struct ini_unit duration_units[] = {
	{ "h", US_PER_H },
	{ "min", US_PER_MIN },
	{ "s", US_PER_S },
	{ "ms", US_PER_MS },
	{ "us", 1 },
};
static const struct ini_unit size_units[] = {
	{ "G", UINT64_C(1) << 30 },
	{ "M", UINT64_C(1) << 20 },
	{ "k", UINT64_C(1) << 10 },
	{ "", 1 },
};

/* A decimal number at the start of `text`: no sign, no blank. Ends before `*ret_rest`. */
static int ini_parse_digits(const char *text, uint64_t *ret_value, const char **ret_rest)
{
	uint64_t value = 0;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	for (; isdigit((unsigned char)*text); text++)
		if (__builtin_mul_overflow(value, 10u, &value) ||
			__builtin_add_overflow(value, (unsigned int)(*text - '0'), &value))
			return -ERANGE;
	*ret_value = value;
	*ret_rest = text;
	return 0;
}

/* "NUMBER[ ]UNIT", the unit found by `compare`; `bare` is the factor of a number alone. */
static int ini_parse_with_unit(const char *text, const struct ini_unit *units, size_t n_units,
	uint64_t bare, int (*compare)(const char *, const char *), uint64_t *ret_value)
{
	uint64_t value, factor = 0;
	const char *rest;
	int r;

	r = ini_parse_digits(text, &value, &rest);
	if (r < 0)
		return r;
	rest += strspn(rest, " \t");
	if (*rest == '\0')
		factor = bare;
	for (size_t idx = 0; idx < n_units && factor == 0; idx++)
		if (compare(rest, units[idx].name) == 0)
			factor = units[idx].factor;
	if (factor == 0)
		return -EINVAL;
	if (__builtin_mul_overflow(value, factor, &value))
		return -ERANGE;
	*ret_value = value;
	return 0;
}

int ini_duration_parse(const char *text, uint64_t *ret_us)
{
	return ini_parse_with_unit(
		text, duration_units, ARRAY_LEN(duration_units), US_PER_S, strcmp, ret_us);
}

int ini_size_parse(const char *text, uint64_t *ret_bytes)
{
	return ini_parse_with_unit(
		text, size_units, ARRAY_LEN(size_units), 1, strcasecmp, ret_bytes);
}

/* A limit as one would write it: "300ms", "64k". */
static const char *ini_format_unit(uint64_t value, const struct ini_unit *units, size_t n_units,
	char *buffer, size_t size_bytes)
{
	snprintf(buffer, size_bytes, "%llu", (unsigned long long)value);
	for (size_t idx = 0; idx < n_units && value != 0; idx++)
		if (value % units[idx].factor == 0) {
			snprintf(buffer, size_bytes, "%llu%s",
				(unsigned long long)(value / units[idx].factor), units[idx].name);
			break;
		}
	return buffer;
}

static bool ini_in_range(const struct ini_key *key, uint64_t value)
{
	return value <= INT64_MAX && (int64_t)value >= key->min && (int64_t)value <= key->max;
}

static int ini_check_unit_range(const struct ini_key *key, const char *text, uint64_t value,
	const struct ini_unit *units, size_t n_units, struct why *ret_why)
{
	char low[32], high[32];

	if (ini_in_range(key, value))
		return 0;
	return why_fail(ret_why, -EINVAL, QUOTE " is out of range; write %s to %s", text,
		ini_format_unit((uint64_t)key->min, units, n_units, low, sizeof(low)),
		ini_format_unit((uint64_t)key->max, units, n_units, high, sizeof(high)));
}

int ini_parse_text(const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	char **text = target, *copy;

	if (*value == '\0')
		return why_fail(ret_why, -EINVAL, "has no value; write one, or remove the line");
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	free(*text);
	*text = copy;
	return 0;
}

int ini_parse_bool(const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {
		{ "yes", true },
		{ "no", false },
		{ "true", true },
		{ "false", false },
		{ "on", true },
		{ "off", false },
		{ "1", true },
		{ "0", false },
	};

	ARRAY_FOREACH (item, words, ARRAY_LEN(words))
		if (strcasecmp(value, item->word) == 0) {
			*(bool *)target = item->value;
			return 0;
		}
	return why_fail(ret_why, -EINVAL, QUOTE " is neither yes nor no", value);
}

int ini_parse_u32(const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	const char *rest = "";
	uint64_t number = 0;
	int r;

	r = ini_parse_digits(value, &number, &rest);
	if (r == -EINVAL || *rest != '\0')
		return why_fail(ret_why, -EINVAL, QUOTE " is no number; write %lld to %lld", value,
			(long long)key->min, (long long)key->max);
	if (r < 0 || !ini_in_range(key, number) || number > UINT32_MAX)
		return why_fail(ret_why, -EINVAL, QUOTE " is out of range; write %lld to %lld",
			value, (long long)key->min, (long long)key->max);
	*(uint32_t *)target = (uint32_t)number;
	return 0;
}

int ini_parse_duration(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	uint64_t duration_us = UINT64_MAX;
	int r;

	r = ini_duration_parse(value, &duration_us);
	if (r == -EINVAL)
		return why_fail(
			ret_why, -EINVAL, QUOTE " is no time; write 300ms, 2s, 5min or 1h", value);
	r = ini_check_unit_range(
		key, value, duration_us, duration_units, ARRAY_LEN(duration_units), ret_why);
	if (r == 0)
		*(uint64_t *)target = duration_us;
	return r;
}

int ini_parse_size(const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	uint64_t size = UINT64_MAX;
	int r;

	r = ini_size_parse(value, &size);
	if (r == -EINVAL)
		return why_fail(
			ret_why, -EINVAL, QUOTE " is no size; write 1000, 64k or 1M", value);
	r = ini_check_unit_range(key, value, size, size_units, ARRAY_LEN(size_units), ret_why);
	if (r == 0)
		*(uint64_t *)target = size;
	return r;
}

int ini_parse_enum(const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	const char *const *names = key->data;
	char known[WHY_BYTES] = "";

	for (int idx = 0; names[idx]; idx++)
		if (strcasecmp(names[idx], value) == 0) {
			*(int *)target = idx;
			return 0;
		}
	for (int idx = 0; names[idx]; idx++) {
		size_t len = strlen(known);

		snprintf(known + len, sizeof(known) - len, "%s%s",
			idx == 0                 ? ""
				: names[idx + 1] ? ", "
						 : " or ",
			names[idx]);
	}
	return why_fail(ret_why, -EINVAL, QUOTE " is not known; write %s", value, known);
}

int ini_parse_addr(const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	if (addr_parse(value, target) < 0)
		return why_fail(ret_why, -EINVAL,
			QUOTE " is no address; write one like 192.0.2.1 or 2001:db8::1", value);
	return 0;
}

int ini_parse_addr_port(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	if (addr_port_parse(value, true, target) < 0)
		return why_fail(ret_why, -EINVAL,
			QUOTE " is no endpoint; write 192.0.2.1:7377, [2001:db8::1]:7377 or 7377",
			value);
	return 0;
}

/* What the kernel takes for a name: net/core/dev.c:dev_valid_name(), 6.1. */
int ini_parse_interface(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	size_t len = strlen(value);

	if (len == 0 || len >= IFNAMSIZ || streq(value, ".") || streq(value, "..") ||
		strpbrk(value, "/: \t\r\n\v\f"))
		return why_fail(ret_why, -EINVAL,
			QUOTE
			" is no interface name; write 1 to %d characters without blank, / or :",
			value, IFNAMSIZ - 1);
	return ini_parse_text(key, value, target, ret_why);
}

void *ini_list_append(struct ini_list *list, size_t size_bytes)
{
	void *items = grow_by_one(list->items, list->len, size_bytes);
	char *item;

	if (!items)
		return NULL;
	list->items = items;
	item = (char *)items + list->len * size_bytes;
	memset(item, 0, size_bytes);
	list->len++;
	return item;
}

void ini_list_clear(struct ini_list *list)
{
	free(list->items);
	*list = (struct ini_list){ 0 };
}

void ini_list_clear_strings(struct ini_list *list)
{
	char **items = list->items;

	for (size_t idx = 0; idx < list->len; idx++)
		free(items[idx]);
	ini_list_clear(list);
}

static int ini_refuse_twice(const char *value, struct why *ret_why)
{
	return why_fail(ret_why, -EINVAL, QUOTE " is in the list twice; remove one", value);
}

int ini_parse_addr_list(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	struct ini_list *list = target;
	struct addr addr, *items = list->items;
	int r;

	r = ini_parse_addr(key, value, &addr, ret_why);
	if (r < 0)
		return r;
	for (size_t idx = 0; idx < list->len; idx++)
		if (addr_equal(&items[idx], &addr))
			return ini_refuse_twice(value, ret_why);
	items = ini_list_append(list, sizeof(addr));
	if (!items)
		return -ENOMEM;
	*items = addr;
	return 0;
}

int ini_parse_prefix_list(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	struct ini_list *list = target;
	struct addr_prefix prefix, *items = list->items;

	if (addr_prefix_parse(value, &prefix) < 0)
		return why_fail(ret_why, -EINVAL,
			QUOTE " is no network; write one like 192.0.2.0/24, without host bits",
			value);
	for (size_t idx = 0; idx < list->len; idx++)
		if (items[idx].len == prefix.len && addr_equal(&items[idx].addr, &prefix.addr))
			return ini_refuse_twice(value, ret_why);
	items = ini_list_append(list, sizeof(prefix));
	if (!items)
		return -ENOMEM;
	*items = prefix;
	return 0;
}

int ini_parse_listen(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	struct addr_port endpoint = { 0 };

	if (strcasecmp(value, "off") != 0 &&
		(addr_port_parse(value, false, &endpoint) < 0 || endpoint.port == 0))
		return why_fail(ret_why, -EINVAL,
			QUOTE " is no place to listen; write 127.0.0.1:9377, [::1]:9377 or off",
			value);
	*(struct addr_port *)target = endpoint;
	return 0;
}

int ini_parse_addr_port_list(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	struct ini_list *list = target;
	struct addr_port endpoint, *items = list->items;

	if (addr_port_parse(value, false, &endpoint) < 0)
		return why_fail(ret_why, -EINVAL,
			QUOTE
			" is no endpoint; write 192.0.2.2, 192.0.2.2:7377 or [2001:db8::2]:7377",
			value);
	for (size_t idx = 0; idx < list->len; idx++)
		if (items[idx].port == endpoint.port &&
			addr_equal(&items[idx].addr, &endpoint.addr))
			return ini_refuse_twice(value, ret_why);
	items = ini_list_append(list, sizeof(endpoint));
	if (!items)
		return -ENOMEM;
	*items = endpoint;
	return 0;
}

int ini_parse_string_list(
	const struct ini_key *key, const char *value, void *target, struct why *ret_why)
{
	struct ini_list *list = target;
	char **items = list->items, *copy;

	for (size_t idx = 0; idx < list->len; idx++)
		if (streq(items[idx], value))
			return ini_refuse_twice(value, ret_why);
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	items = ini_list_append(list, sizeof(copy));
	if (!items) {
		free(copy);
		return -ENOMEM;
	}
	*items = copy;
	return 0;
}
