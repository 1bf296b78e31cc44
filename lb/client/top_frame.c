/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rates, shares and lines of a frame: see top_frame.h. */
#include "lb/client/top_frame.h"

#include <math.h>
#include <stdarg.h>

#include "common/grow.h"
#include "common/json_text.h"
#include "lb/client/print.h"
#include "lb/client/verdict.h"

#define TOP_RATE_BYTES 16u

static const struct {
	char key;
	const char *name;
} sorts[] = {
	[TOP_SORT_NAME] = { 'n', "name" },
	[TOP_SORT_STATE] = { 't', "state" },
	[TOP_SORT_PACKETS] = { 'p', "packets" },
	[TOP_SORT_SYNS] = { 's', "SYNs" },
	[TOP_SORT_ESTABLISHED] = { 'e', "established" },
	[TOP_SORT_SHARE] = { 'w', "share-weight" },
};
_Static_assert(ARRAY_LEN(sorts) == TOP_SORT_N_, "every order has its key");

struct top_row {
	const json_t *backend, *before; /* `before` NULL: not there then */
	double packets, syns;           /* a second; NAN: not known */
	double share, weight; /* of the virtual server's packets and weight, in percent; NAN */
	enum top_sort sort;
};

struct top {
	const json_t *before, *now;
	double seconds;
	size_t columns;
	enum top_sort sort;
	struct top_frame *frame;
};

static double top_number(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

static _printf_(3, 4) void top_add(struct top *top, enum top_style style, const char *format, ...)
{
	struct top_frame *frame = top->frame;
	struct top_line *line;
	va_list args;

	if (GROW(frame->lines, frame->len) < 0)
		return;
	line = &frame->lines[frame->len++];
	line->style = style;
	va_start(args, format);
	vsnprintf(line->text, MIN(top->columns + 1, sizeof(line->text)), format, args);
	va_end(args);
}

/* Words in as many lines as they need, each after the indent. */
static void top_add_wrapped(
	struct top *top, enum top_style style, const char *indent, const char *text)
{
	size_t room = top->columns - strlen(indent);

	while (*text) {
		size_t len = strlen(text);

		if (len > room) {
			for (len = room; len > 0 && text[len] != ' ';)
				len--;
			len = len > 0 ? len : room;
		}
		top_add(top, style, "%s%.*s", indent, (int)len, text);
		text += len;
		text += strspn(text, " ");
	}
}

static const char *top_amount(double value, char *buffer)
{
	char amount[PRINT_AMOUNT_BYTES];

	if (isnan(value))
		snprintf(buffer, TOP_RATE_BYTES, "-");
	else
		snprintf(buffer, TOP_RATE_BYTES, "%s",
			print_amount((unsigned long long)(value + 0.5), amount));
	return buffer;
}

static const char *top_percent(double value, char *buffer)
{
	if (isnan(value))
		snprintf(buffer, TOP_RATE_BYTES, "-");
	else
		snprintf(buffer, TOP_RATE_BYTES, "%.1f%%", value);
	return buffer;
}

/* A second; NAN: not known. Of counters that began anew nothing is known either. */
static double top_rate(
	const struct top *top, const json_t *before, const json_t *now, const char *name)
{
	double difference = top_number(now, name) - top_number(before, name);

	return before && top->seconds > 0 && difference >= 0 ? difference / top->seconds : NAN;
}

/* Of the same name, most often at the same place. */
static const json_t *top_find(const json_t *list, size_t idx, const char *name)
{
	const json_t *item = json_array_get(list, idx);

	if (item && streq(json_text(item, "name"), name))
		return item;
	json_array_foreach ((json_t *)list, idx, item) {
		if (streq(json_text(item, "name"), name))
			return item;
	}
	return NULL;
}

static bool top_is_same_run(const json_t *before, const json_t *now)
{
	return before && top_number(before, "uptime_s") <= top_number(now, "uptime_s");
}

static int top_compare_numbers(double a, double b)
{
	double left = isnan(a) ? -1 : a, right = isnan(b) ? -1 : b;

	return left > right ? -1 : left < right;
}

static int top_compare(const void *a, const void *b)
{
	const struct top_row *left = a, *right = b;
	int order = 0;

	switch (left->sort) {
	case TOP_SORT_STATE:
		order = streq(json_text(left->backend, "state"), "up") -
			streq(json_text(right->backend, "state"), "up");
		break;
	case TOP_SORT_PACKETS:
		order = top_compare_numbers(left->packets, right->packets);
		break;
	case TOP_SORT_SYNS:
		order = top_compare_numbers(left->syns, right->syns);
		break;
	case TOP_SORT_ESTABLISHED:
		order = top_compare_numbers(top_number(left->backend, "established"),
			top_number(right->backend, "established"));
		break;
	case TOP_SORT_SHARE:
		order = top_compare_numbers(
			fabs(left->share - left->weight), fabs(right->share - right->weight));
		break;
	default:
		break;
	}
	return order ? order
		     : strcmp(json_text(left->backend, "name"), json_text(right->backend, "name"));
}

static struct top_row *top_rows(
	const struct top *top, const json_t *server, const json_t *server_before)
{
	const json_t *backends = json_object_get(server, "backends");
	const json_t *backends_before = json_object_get(server_before, "backends");
	size_t len = json_array_size(backends);
	struct top_row *rows = calloc(len + 1, sizeof(*rows));
	double packets = 0, weight = 0;

	for (size_t i = 0; rows && i < len; i++) {
		struct top_row *row = &rows[i];

		row->sort = top->sort;
		row->backend = json_array_get(backends, i);
		row->before = top_find(backends_before, i, json_text(row->backend, "name"));
		row->packets = top_rate(top, row->before, row->backend, "packets");
		row->syns = top_rate(top, row->before, row->backend, "syns");
		packets += isnan(row->packets) ? 0 : row->packets;
		weight += top_number(row->backend, "effective_weight");
	}
	for (size_t i = 0; rows && i < len; i++) {
		rows[i].share = packets > 0 ? 100 * rows[i].packets / packets : NAN;
		rows[i].weight = weight > 0
			? 100 * top_number(rows[i].backend, "effective_weight") / weight
			: NAN;
	}
	if (rows)
		qsort(rows, len, sizeof(*rows), top_compare);
	return rows;
}

/* What is left of the width after the numbers is the name's, up to what a name needs. */
static int top_name_columns(const struct top *top)
{
	return (int)MIN(MAX(top->columns, (size_t)TOP_COLUMNS_MIN + 24) - 52, (size_t)40);
}

static enum top_style top_state_style(const char *state)
{
	return streq(state, "up") ? TOP_GOOD : streq(state, "down") ? TOP_BAD : TOP_WARN;
}

static void top_add_row(struct top *top, enum top_style style, const char *name, const char *state,
	const double numbers[5])
{
	char packets[TOP_RATE_BYTES], syns[TOP_RATE_BYTES], established[TOP_RATE_BYTES];
	char share[TOP_RATE_BYTES], weight[TOP_RATE_BYTES];
	int columns = top_name_columns(top);

	top_add(top, style, "%-*.*s %-9s %7s %7s %7s %7s %7s", columns, columns, name, state,
		top_amount(numbers[0], packets), top_amount(numbers[1], syns),
		top_amount(numbers[2], established), top_percent(numbers[3], share),
		top_percent(numbers[4], weight));
}

static void top_add_backend(struct top *top, const struct top_row *row)
{
	const char *state = json_text(row->backend, "state"),
		   *reason = json_text(row->backend, "reason");
	const double numbers[] = { row->packets, row->syns, top_number(row->backend, "established"),
		row->share, row->weight };
	char name[TOP_LINE_BYTES];

	snprintf(name, sizeof(name), "  %s", json_text(row->backend, "name"));
	top_add_row(top, top_state_style(state), name, state, numbers);
	top_add_wrapped(top, top_state_style(state), "      ", reason);
}

static void top_add_server(struct top *top, const json_t *server, size_t idx)
{
	const json_t *before = top_find(
		json_object_get(top->before, "virtual_servers"), idx, json_text(server, "name"));
	bool ready = json_is_true(json_object_get(server, "ready"));
	const double numbers[] = { top_rate(top, before, server, "packets"),
		top_rate(top, before, server, "syns"), NAN, NAN, NAN };
	_cleanup_free_ struct top_row *rows = top_rows(top, server, before);
	size_t len = json_array_size(json_object_get(server, "backends"));

	top_add_row(top, ready ? TOP_PLAIN : TOP_BAD, json_text(server, "name"),
		ready ? "ready" : "not ready", numbers);
	if (json_text(server, "ready_reason")[0])
		top_add_wrapped(
			top, ready ? TOP_WARN : TOP_BAD, "    ", json_text(server, "ready_reason"));
	for (size_t i = 0; rows && i < len; i++)
		top_add_backend(top, &rows[i]);
	if (len == 0)
		top_add(top, TOP_WARN, "  no backend has registered, and none is configured");
}

static void top_add_head(struct top *top)
{
	const json_t *packets = json_object_get(top->now, "packets"),
		     *before = json_object_get(top->before, "packets");
	const json_t *flows = json_object_get(top->now, "flow_table");
	char received[TOP_RATE_BYTES], forwarded[TOP_RATE_BYTES], passed[TOP_RATE_BYTES],
		dropped[TOP_RATE_BYTES];
	char entries[PRINT_AMOUNT_BYTES], capacity[PRINT_AMOUNT_BYTES];
	char words[TOP_LINE_BYTES];
	bool well = verdict_words(top->now, words, sizeof(words));

	top_add(top, TOP_HEAD, "dsr-lb %s, mode %s on %s, %s", json_text(top->now, "version"),
		json_text(top->now, "mode"), json_text(top->now, "interface"),
		json_is_true(json_object_get(top->now, "active"))          ? "active"
			: streq(json_text(top->now, "state"), "lingering") ? "lingering"
									   : "not active");
	top_add_wrapped(top, well ? TOP_GOOD : TOP_BAD, "", words);
	top_add(top, TOP_PLAIN, "packets/s: %s received, %s forwarded, %s passed, %s dropped",
		top_amount(top_rate(top, before, packets, "received"), received),
		top_amount(top_rate(top, before, packets, "forwarded"), forwarded),
		top_amount(top_rate(top, before, packets, "passed"), passed),
		top_amount(top_rate(top, before, packets, "dropped"), dropped));
	top_add(top, TOP_PLAIN, "flows: %s of %s recorded",
		print_amount((unsigned long long)top_number(flows, "entries"), entries),
		print_amount((unsigned long long)top_number(flows, "capacity"), capacity));
	top_add(top, TOP_PLAIN, "%s", "");
	top_add(top, TOP_HEAD, "%-*s %-9s %7s %7s %7s %7s %7s", top_name_columns(top), "NAME",
		"STATE", "PKTS/S", "SYNS/S", "ESTAB", "SHARE", "WEIGHT");
}

void top_frame_make(const json_t *before, const json_t *now, double seconds,
	const struct top_view *view, struct top_frame *ret_frame)
{
	size_t columns = MAX(view->columns, (size_t)TOP_COLUMNS_MIN);
	struct top top = {
		.before = top_is_same_run(before, now) ? before : NULL,
		.now = now,
		.seconds = seconds,
		.columns = columns < TOP_LINE_BYTES ? columns : TOP_LINE_BYTES - 1,
		.sort = view->sort,
		.frame = ret_frame,
	};
	const json_t *servers = json_object_get(now, "virtual_servers"), *server;
	size_t idx;

	*ret_frame = (struct top_frame){ 0 };
	top_add_head(&top);
	json_array_foreach ((json_t *)servers, idx, server)
		top_add_server(&top, server, idx);
	if (json_array_size(servers) == 0)
		top_add(&top, TOP_WARN, "no virtual server is configured");
}

void top_frame_clear(struct top_frame *frame)
{
	free(frame->lines);
	*frame = (struct top_frame){ 0 };
}

const char *top_frame_keys(enum top_sort sort, char *buffer, size_t size_bytes)
{
	size_t used = (size_t)snprintf(buffer, size_bytes, "q quit, sort:");

	for (size_t i = 0; i < ARRAY_LEN(sorts) && used < size_bytes; i++)
		used += (size_t)snprintf(buffer + used, size_bytes - used,
			i == sort ? " [%c %s]" : " %c %s", sorts[i].key, sorts[i].name);
	return buffer;
}

enum top_sort top_frame_sort(int key)
{
	for (size_t i = 0; i < ARRAY_LEN(sorts); i++)
		if (sorts[i].key == key)
			return (enum top_sort)i;
	return TOP_SORT_N_;
}
