/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One function a verb, one table. Called by the control socket for each request.
 */
#include "agent/control/verbs.h"

#include "agent/control/status.h"
#include "agent/daemon/refresh.h"
#include "agent/daemon/reload.h"
#include "agent/daemon/stop.h"
#include "common/events/events_verb.h"

typedef void verbs_fn(struct agent *agent, struct control_request *request, json_t *args);

static void verbs_status(struct agent *agent, struct control_request *request, json_t *args)
{
	json_t *document = status_make(agent);

	if (document)
		control_reply(request, CONTROL_OK, document);
	else
		control_fail(request, CONTROL_UNAVAILABLE, "out of memory");
}

/* What the daemon runs with, line by line, for `check-config --diff`. */
static void verbs_config(struct agent *agent, struct control_request *request, json_t *args)
{
	json_t *lines = json_array();
	const char *line;

	for (size_t idx = 0; (line = settings_effective(agent->settings, idx)); idx++)
		(void)json_array_append_new(lines, json_string(line));
	control_reply(request, CONTROL_OK, lines);
}

/* The same, each key with its place, for `config`. */
static void verbs_config_keys(struct agent *agent, struct control_request *request, json_t *args)
{
	control_reply(request, CONTROL_OK, settings_document(agent->settings));
}

static void verbs_events(struct agent *agent, struct control_request *request, json_t *args)
{
	events_verb_serve(agent->events_verb, request, args);
}

static bool verbs_set_admin(
	struct agent *agent, struct control_request *request, enum report_admin admin)
{
	int r = refresh_admin(agent, admin);

	if (r < 0)
		control_fail(request, CONTROL_UNAVAILABLE, "cannot keep what was said in %s: %s",
			agent->runtime_dir, strerror(-r));
	return r == 0;
}

static void verbs_drain(struct agent *agent, struct control_request *request, json_t *args)
{
	json_int_t wait_us = json_integer_value(json_object_get(args, "wait_us"));

	if (!verbs_set_admin(agent, request, REPORT_DRAIN))
		return;
	if (json_is_true(json_object_get(args, "wait")))
		stop_wait(agent, request, wait_us > 0 ? (uint64_t)wait_us : 0);
	else
		control_reply(request, CONTROL_OK, NULL);
}

static void verbs_disable(struct agent *agent, struct control_request *request, json_t *args)
{
	if (verbs_set_admin(agent, request, REPORT_MAINT))
		control_reply(request, CONTROL_OK, NULL);
}

static void verbs_enable(struct agent *agent, struct control_request *request, json_t *args)
{
	if (verbs_set_admin(agent, request, REPORT_ENABLED))
		control_reply(request, CONTROL_OK, NULL);
}

static void verbs_reload(struct agent *agent, struct control_request *request, json_t *args)
{
	_cleanup_free_ char *text = NULL;
	int status = reload_run(agent, &text);

	if (status == CONTROL_OK)
		control_reply(request, CONTROL_OK, text ? json_string(text) : NULL);
	else
		control_fail(request, status, "%s", text ? text : "out of memory");
}

static const struct {
	const char *name;
	verbs_fn *serve;
	bool changes;
} verbs_table[] = {
	{ "status", verbs_status, false },
	{ "config", verbs_config, false },
	{ "config-keys", verbs_config_keys, false },
	{ EVENTS_VERB, verbs_events, false },
	{ "drain", verbs_drain, true },
	{ "disable", verbs_disable, true },
	{ "enable", verbs_enable, true },
	{ "reload", verbs_reload, true },
};

void verbs_serve(struct control_request *request, const char *verb, json_t *args, bool may_change,
	void *context)
{
	struct agent *agent = context;

	for (size_t idx = 0; idx < ARRAY_LEN(verbs_table); idx++) {
		if (!streq(verb, verbs_table[idx].name))
			continue;
		if (verbs_table[idx].changes && !may_change)
			control_fail(request, CONTROL_PERMISSION,
				"%s is not permitted; only root and the agent's own user may change things",
				verb);
		else if (verbs_table[idx].changes && agent->phase != AGENT_SERVING)
			control_fail(request, CONTROL_UNAVAILABLE, "the agent stops");
		else
			verbs_table[idx].serve(agent, request, args);
		return;
	}
	control_fail(request, CONTROL_USAGE, "unknown verb %s", verb);
}
