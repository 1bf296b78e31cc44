/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A function for each verb: see verbs.h. */
#include "lb/control/verbs.h"

#include "common/os/clock.h"
#include "common/events/events_verb.h"
#include "common/control/control_text.h"
#include "common/log.h"
#include "common/ini/ini_document.h"
#include "lb/config/service.h"
#include "lb/control/capture_verb.h"
#include "lb/control/explain_verb.h"
#include "lb/control/form/metrics.h"
#include "lb/control/form/status_text.h"
#include "lb/control/paths.h"
#include "lb/control/ready_watch.h"
#include "lb/control/status.h"
#include "lb/control/status_job.h"
#include "lb/daemon/actions.h"
#include "lb/daemon/balancer.h"
#include "lb/daemon/dataplane.h"
#include "lb/daemon/drain_wait.h"
#include "lb/daemon/reload.h"
#include "lb/daemon/role.h"
#include "lb/daemon/update.h"
#include "lb/registry/registry.h"
#include "lb/state/keep.h"
#include "lb/table/flows.h"

struct verbs {
	struct balancer *balancer;
	struct status_jobs *status_jobs, *metrics_jobs;
	struct paths *paths;
	struct events_verb *events;
	struct ready_watch *ready_watch;
	struct capture_verb *capture;
};

struct verbs_call {
	struct balancer *balancer;
	struct status_jobs *status_jobs, *metrics_jobs;
	struct events_verb *events;
	struct capture_verb *capture;
	struct control_request *request;
	const char *verb;
	json_t *args;
};

static const char *verbs_string(const struct verbs_call *call, const char *name)
{
	return json_string_value(json_object_get(call->args, name));
}

/* Looking. */

static void verbs_gone(struct control_request *request, void *context)
{
	status_jobs_leave(context, request);
}

/* Keeps the request until the job has its answer. */
static void verbs_keep(
	const struct verbs_call *call, struct status_jobs *jobs, status_answer_fn *answer)
{
	control_request_keep(call->request, verbs_gone, jobs);
	if (status_jobs_wait(jobs, answer, call->request) < 0)
		answer(NULL, call->request);
}

static void verbs_answer_status(struct control_text *text, void *context)
{
	if (text)
		control_reply_text(context, text);
	else
		control_fail(context, CONTROL_UNAVAILABLE, "status: out of memory");
}

static void verbs_status(const struct verbs_call *call)
{
	verbs_keep(call, call->status_jobs, verbs_answer_status);
}

static void verbs_answer_metrics(struct control_text *text, void *context)
{
	size_t size_bytes;
	const char *bytes = control_text_bytes(text, &size_bytes);

	if (text)
		control_reply(context, CONTROL_OK, json_stringn(bytes, size_bytes));
	else
		control_fail(context, CONTROL_UNAVAILABLE, "metrics: out of memory");
}

static void verbs_metrics(const struct verbs_call *call)
{
	verbs_keep(call, call->metrics_jobs, verbs_answer_metrics);
}

static bool verbs_virtual_server_exists(const struct verbs_call *call, const char *name)
{
	if (config_virtual_server_find(call->balancer->config, name))
		return true;
	control_fail(call->request, CONTROL_USAGE,
		"%s: no virtual server is named %s; `dsr-lb virtual-servers` lists them",
		call->verb, name);
	return false;
}

struct verbs_flows {
	const struct balancer *balancer;
	struct status_flow_filter filter;
	struct addr_prefix client;
	uint64_t from; /* the bucket where this part begins */
	uint64_t n_flushed;
};

/* False: refused, and answered. `ret_flows` must stay where it is. */
static bool verbs_get_flows(const struct verbs_call *call, struct verbs_flows *ret_flows)
{
	const char *client = verbs_string(call, "client"), *name = verbs_string(call, "backend");
	const struct backend *backend = name ? registry_find(call->balancer->registry, name) : NULL;
	json_int_t from = json_integer_value(json_object_get(call->args, "from"));
	json_int_t limit = json_integer_value(json_object_get(call->args, "limit"));

	*ret_flows = (struct verbs_flows){
		.balancer = call->balancer,
		.filter.virtual_server = verbs_string(call, "virtual_server"),
		.filter.backend = backend ? backend->id : 0,
		.filter.limit = limit > 0 ? (uint64_t)limit : UINT64_MAX,
		.from = from > 0 ? (uint64_t)from : 0,
	};
	if (ret_flows->filter.virtual_server &&
		!verbs_virtual_server_exists(call, ret_flows->filter.virtual_server))
		return false;
	if (name && !backend) {
		control_fail(call->request, CONTROL_USAGE,
			"%s: no backend is named %s and none has that address; `dsr-lb backends` "
			"lists them",
			call->verb, name);
		return false;
	}
	if (client && addr_prefix_parse(client, &ret_flows->client) < 0) {
		control_fail(call->request, CONTROL_USAGE,
			"%s: client %s: no address and no prefix such as 192.0.2.0/24", call->verb,
			client);
		return false;
	}
	if (client)
		ret_flows->filter.client = &ret_flows->client;
	return true;
}

static void verbs_flows(const struct verbs_call *call)
{
	struct verbs_flows flows;

	if (verbs_get_flows(call, &flows))
		control_reply(call->request, CONTROL_OK,
			status_flows(call->balancer, &flows.filter, flows.from));
}

static bool verbs_flow_is_meant(const struct flows_entry *entry, void *context)
{
	const struct verbs_flows *flows = context;

	return flows->n_flushed < flows->filter.limit &&
		status_flow_is_meant(flows->balancer, &flows->filter, entry);
}

static void verbs_flow_flushed(const struct flows_entry *entry, void *context)
{
	struct verbs_flows *flows = context;

	flows->n_flushed++;
}

/* A part at a time, as the listing: {flushed: N, next: BUCKET or null}. */
static void verbs_flush_flows(const struct verbs_call *call)
{
	struct verbs_flows flows;
	uint64_t end;
	bool more = true;

	if (!verbs_get_flows(call, &flows))
		return;
	if (flows.from == 0)
		log_info("flows are flushed by an administrator");
	end = status_flows_end(flows.from);
	while (more && flows.from < end && flows.n_flushed < flows.filter.limit)
		more = flows_free_in(keep_flows(call->balancer->keep), &flows.from,
			dataplane_service, call->balancer->dataplane,
			(uint32_t)(clock_now_us() / US_PER_S), verbs_flow_is_meant,
			verbs_flow_flushed, &flows);
	control_reply(call->request, CONTROL_OK,
		json_pack("{s:I, s:o}", "flushed", (json_int_t)flows.n_flushed, "next",
			more ? json_integer((json_int_t)flows.from) : json_null()));
}

static void verbs_ready(const struct verbs_call *call)
{
	const char *virtual_server = verbs_string(call, "virtual_server");
	struct why why = { 0 };
	bool ready;

	if (virtual_server && !verbs_virtual_server_exists(call, virtual_server))
		return;
	ready = status_is_ready(call->balancer, virtual_server, &why);
	control_reply(call->request, CONTROL_OK,
		json_pack("{s:b, s:s}", "ready", ready, "reason", why.text));
}

static void verbs_explain(const struct verbs_call *call)
{
	explain_verb_serve(call->balancer, call->request, call->args);
}

static void verbs_events(const struct verbs_call *call)
{
	events_verb_serve(call->events, call->request, call->args);
}

static void verbs_capture(const struct verbs_call *call)
{
	capture_verb_serve(call->capture, call->request, call->args);
}

/* The running configuration, line by line, for `check-config --diff`. */
static void verbs_config(const struct verbs_call *call)
{
	json_t *lines = json_array();
	const char *line;

	for (size_t i = 0; (line = ini_report_effective(call->balancer->report, i)); i++)
		json_array_append_new(lines, json_string(line));
	control_reply(call->request, CONTROL_OK, lines);
}

/* The same, each key with its place, for `config`. */
static void verbs_config_keys(const struct verbs_call *call)
{
	control_reply(call->request, CONTROL_OK, ini_document(call->balancer->report));
}

/* Changing. */

/* Answers for a registry call by its errno; true if it did something. */
static bool verbs_answer_registry(const struct verbs_call *call, const char *backend, int error)
{
	if (error == -ENOENT)
		control_fail(call->request, CONTROL_USAGE,
			"%s: no backend is named %s and none has that address; `dsr-lb backends` "
			"lists them",
			call->verb, backend);
	else if (error < 0)
		control_fail(call->request, CONTROL_USAGE, "%s %s: %s", call->verb, backend,
			strerror(-error));
	else
		return true;
	return false;
}

static bool verbs_get_backend(const struct verbs_call *call, const char **ret_backend)
{
	*ret_backend = verbs_string(call, "backend");
	if (!*ret_backend)
		control_fail(call->request, CONTROL_USAGE, "%s: which backend?", call->verb);
	return *ret_backend != NULL;
}

static void verbs_changed(const struct verbs_call *call, const char *backend)
{
	log_info("%s %s by an administrator", call->verb, backend);
	update_mark_save(call->balancer->update);
	actions_flush(call->balancer->actions);
}

static void verbs_wait(const struct verbs_call *call, const char *name)
{
	json_int_t wait_us = json_integer_value(json_object_get(call->args, "wait_us"));
	const struct backend *backend = registry_find(call->balancer->registry, name);
	uint64_t deadline_us = wait_us > 0 ? clock_now_us() + (uint64_t)wait_us : REGISTRY_NEVER_US;

	/* One that is away and only remembered has nothing to wait for. */
	if (!backend)
		control_reply(call->request, CONTROL_OK, NULL);
	else if (drain_waits_add(call->balancer->drain_waits, call->request, backend, deadline_us) <
		0)
		control_fail(call->request, CONTROL_TIMEOUT, "too many clients wait already");
}

static void verbs_admin(const struct verbs_call *call, enum backend_admin admin)
{
	const char *backend;
	int r;

	if (!verbs_get_backend(call, &backend))
		return;
	r = registry_admin(call->balancer->registry, backend, admin, clock_now_us());
	if (!verbs_answer_registry(call, backend, r))
		return;
	verbs_changed(call, backend);
	if (admin == BACKEND_ADMIN_DRAIN && json_is_true(json_object_get(call->args, "wait")))
		verbs_wait(call, backend);
	else
		control_reply(call->request, CONTROL_OK, NULL);
}

/* Who waits a second at a time drains once, so that an `enable` of somebody else stands. */
static void verbs_drain(const struct verbs_call *call)
{
	const char *backend;

	if (json_is_true(json_object_get(call->args, "drains"))) {
		if (verbs_get_backend(call, &backend))
			verbs_wait(call, backend);
		return;
	}
	verbs_admin(call, BACKEND_ADMIN_DRAIN);
}

static void verbs_disable(const struct verbs_call *call)
{
	verbs_admin(call, BACKEND_ADMIN_MAINT);
}

static void verbs_enable(const struct verbs_call *call)
{
	verbs_admin(call, BACKEND_ADMIN_NONE);
}

/* A number from 0 to 65535, a share of the configured weight ("50%"), or "configured". */
static int verbs_get_weight(const struct verbs_call *call, struct weight_word *ret_word)
{
	const json_t *weight = json_object_get(call->args, "weight");
	json_int_t number = json_integer_value(weight);

	if (json_is_string(weight))
		return weight_parse(json_string_value(weight), ret_word);
	if (!json_is_integer(weight) || number < 0 || number > WEIGHT_MAX)
		return -EINVAL;
	*ret_word = (struct weight_word){ WEIGHT_NUMBER, (uint32_t)number };
	return 0;
}

static void verbs_weight(const struct verbs_call *call)
{
	const char *backend, *virtual_server = verbs_string(call, "virtual_server");
	struct balancer *balancer = call->balancer;
	struct weight_word word;
	int r;

	if (!verbs_get_backend(call, &backend))
		return;
	if (verbs_get_weight(call, &word) < 0) {
		control_fail(call->request, CONTROL_USAGE,
			"weight: a number from 0 to 65535, such a share of the configured weight as "
			"50%%, or configured");
		return;
	}
	if (virtual_server && !config_virtual_server_find(balancer->config, virtual_server)) {
		control_fail(call->request, CONTROL_USAGE,
			"weight: no virtual server is named %s; `dsr-lb virtual-servers` lists them",
			virtual_server);
		return;
	}
	r = registry_weight(balancer->registry, backend, virtual_server, &word, clock_now_us());
	if (r == -ESRCH) {
		control_fail(call->request, CONTROL_USAGE,
			"weight %s: it is no backend of virtual server %s; `dsr-lb backends %s` lists "
			"them",
			backend, virtual_server, virtual_server);
		return;
	}
	if (!verbs_answer_registry(call, backend, r))
		return;
	verbs_changed(call, backend);
	control_reply(call->request, CONTROL_OK, NULL);
}

static void verbs_approve(const struct verbs_call *call, bool approve)
{
	const char *backend;
	int r;

	if (!verbs_get_backend(call, &backend))
		return;
	r = registry_approve(call->balancer->registry, backend, approve, clock_now_us());
	if (r == -EINVAL) {
		control_fail(call->request, CONTROL_USAGE,
			"%s %s: it is a real-server of the configuration, which needs no approval; to "
			"keep traffic from it, `dsr-lb disable %s`, or remove its line and reload",
			call->verb, backend, backend);
		return;
	}
	if (!verbs_answer_registry(call, backend, r))
		return;
	verbs_changed(call, backend);
	control_reply(call->request, CONTROL_OK, NULL);
}

static void verbs_adopt(const struct verbs_call *call)
{
	verbs_approve(call, true);
}

static void verbs_reject(const struct verbs_call *call)
{
	verbs_approve(call, false);
}

static void verbs_set_standby(const struct verbs_call *call, bool standby)
{
	struct balancer *balancer = call->balancer;

	role_set_standby(balancer->role, standby);
	log_info("%s by an administrator", call->verb);
	update_follow(balancer->update);
	update_mark_save(balancer->update);
	actions_flush(balancer->actions);
	control_reply(call->request, CONTROL_OK, NULL);
}

static void verbs_active(const struct verbs_call *call)
{
	verbs_set_standby(call, false);
}

static void verbs_standby(const struct verbs_call *call)
{
	const json_t *linger = json_object_get(call->args, "linger_us");

	if (json_is_integer(linger) && json_integer_value(linger) >= 0)
		role_set_linger(call->balancer->role,
			MIN((uint64_t)json_integer_value(linger), CONFIG_LINGER_MAX_US));
	verbs_set_standby(call, true);
}

static void verbs_reload(const struct verbs_call *call)
{
	_cleanup_free_ char *errors = NULL;

	if (reload_run(call->balancer->reload, &errors) != 0) {
		control_fail(call->request, CONTROL_CONFIG, "%s",
			errors ? errors : "the configuration is refused");
		return;
	}
	control_reply(call->request, CONTROL_OK, NULL);
}

static const struct {
	const char *name;
	void (*serve)(const struct verbs_call *call);
	bool changes;
} verbs[] = {
	{ "status", verbs_status, false },
	{ "metrics", verbs_metrics, false },
	{ "flows", verbs_flows, false },
	{ "ready", verbs_ready, false },
	{ "explain", verbs_explain, false },
	{ "config", verbs_config, false },
	{ "config-keys", verbs_config_keys, false },
	{ EVENTS_VERB, verbs_events, false },
	/* Who sees clients' traffic must be who could turn it elsewhere. */
	{ "capture", verbs_capture, true },
	{ "flows-flush", verbs_flush_flows, true },
	{ "drain", verbs_drain, true },
	{ "disable", verbs_disable, true },
	{ "enable", verbs_enable, true },
	{ "weight", verbs_weight, true },
	{ "adopt", verbs_adopt, true },
	{ "reject", verbs_reject, true },
	{ "active", verbs_active, true },
	{ "standby", verbs_standby, true },
	{ "reload", verbs_reload, true },
};

void verbs_serve(struct control_request *request, const char *verb, json_t *args, bool may_change,
	void *context)
{
	const struct verbs *own = context;
	const struct verbs_call call = { own->balancer, own->status_jobs, own->metrics_jobs,
		own->events, own->capture, request, verb, args };

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (!streq(verbs[i].name, verb))
			continue;
		if (verbs[i].changes && !may_change)
			control_fail(request, CONTROL_PERMISSION,
				"%s: changing needs root or the service's own user", verb);
		else
			verbs[i].serve(&call);
		return;
	}
	control_fail(request, CONTROL_USAGE, "unknown verb %s", verb);
}

int verbs_start(struct balancer *balancer, void **ret_context)
{
	struct verbs *own = calloc(1, sizeof(*own));
	int r;

	if (!own)
		return -ENOMEM;
	own->balancer = balancer;
	r = status_jobs_new(balancer, &status_text_form, &own->status_jobs);
	if (r >= 0)
		r = status_jobs_new(balancer, &metrics_form, &own->metrics_jobs);
	if (r >= 0)
		r = paths_new(balancer, own->status_jobs, own->metrics_jobs, &own->paths);
	if (r >= 0)
		r = ready_watch_new(balancer, &own->ready_watch);
	own->events = events_verb_new(balancer->events);
	own->capture = capture_verb_new(balancer);
	if (r >= 0 && (!own->events || !own->capture))
		r = -ENOMEM;
	if (r < 0) {
		verbs_stop(own);
		return r;
	}
	balancer->http = paths_server(own->paths);
	*ret_context = own;
	return 0;
}

void verbs_stop(void *context)
{
	struct verbs *own = context;

	own->balancer->http = NULL;
	paths_free(own->paths);
	status_jobs_free(own->metrics_jobs);
	status_jobs_free(own->status_jobs);
	ready_watch_free(own->ready_watch);
	events_verb_free(own->events);
	capture_verb_free(own->capture);
	free(own);
}
