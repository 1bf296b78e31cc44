/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See capture_verb.h. */
#include "lb/control/capture_verb.h"

#include <sodium.h>
#include <systemd/sd-event.h>

#include "common/addr.h"
#include "common/control/control.h"
#include "common/log.h"
#include "common/why.h"
#include "lb/config/service.h"
#include "lb/control/explain.h"
#include "lb/daemon/balancer.h"
#include "lb/daemon/dataplane.h"
#include "lb/engine/capture/capture_types.h"
#include "lb/engine/counters.h"
#include "lb/registry/registry.h"

/* Its terminating zero included; of libsodium's "original" variant. */
#define BASE64_BYTES sodium_base64_ENCODED_LEN(CAPTURE_FRAME_BYTES, sodium_base64_VARIANT_ORIGINAL)

struct capture_verb {
	struct balancer *balancer;
	struct control_request *request; /* of who captures; NULL: nobody */
	sd_event_source *io; /* of the engine's descriptor; NULL: the engine has ended, */
	bool told_end;       /* and this was said */
	uint64_t lost;       /* of the last one */
	char *line;          /* given to the stream last */
};

/* ---- the filter ---- */

static int refuse(struct why *ret_why, const char *what, const char *text, const char *wanted)
{
	return why_fail(ret_why, -EINVAL, "capture: %s %.64s: %s", what, text, wanted);
}

static void mask_make(const struct addr_prefix *prefix, struct fwd_addr *ret_mask)
{
	unsigned int len = prefix->len + (prefix->addr.family == AF_INET ? 96 : 0);

	for (unsigned int i = 0; i < 4; i++, len -= MIN(len, 32u))
		ret_mask->word[i] = htonl(len >= 32 ? UINT32_MAX : ~(UINT32_MAX >> len));
}

static int filter_client(const char *text, struct capture_filter *filter, struct why *ret_why)
{
	struct addr_prefix prefix;

	if (addr_prefix_parse(text, &prefix) < 0)
		return refuse(ret_why, "--client", text,
			"not a prefix or an address, for instance 192.0.2.0/24");
	snapshot_addr(&prefix.addr, &filter->client);
	mask_make(&prefix, &filter->client_mask);
	filter->by_client = 1;
	return 0;
}

static int filter_vip(const char *text, struct capture_filter *filter, struct why *ret_why)
{
	struct addr vip;

	if (addr_parse(text, &vip) < 0)
		return refuse(ret_why, "--vip", text, "not an address");
	snapshot_addr(&vip, &filter->vip);
	filter->by_vip = 1;
	return 0;
}

static int filter_backend(const struct registry *registry, const char *text,
	struct capture_filter *filter, struct why *ret_why)
{
	const struct backend *backend = registry_find(registry, text);

	if (!backend)
		return refuse(ret_why, "--backend", text,
			"no backend has that name or address; `dsr-lb backends` lists them");
	filter->backend = backend->id;
	return 0;
}

static int filter_make(const struct registry *registry, const json_t *args,
	struct capture_filter *ret_filter, struct why *ret_why)
{
	const char *client = json_string_value(json_object_get(args, "client"));
	const char *vip = json_string_value(json_object_get(args, "vip"));
	const char *backend = json_string_value(json_object_get(args, "backend"));
	struct capture_filter filter = { 0 };
	int r = 0;

	if (client)
		r = filter_client(client, &filter, ret_why);
	if (r == 0 && vip)
		r = filter_vip(vip, &filter, ret_why);
	if (r == 0 && backend)
		r = filter_backend(registry, backend, &filter, ret_why);
	if (r == 0)
		*ret_filter = filter;
	return r;
}

/* ---- lines ---- */

static json_t *frame_json(const struct capture_verb *verb, const struct captured *captured)
{
	const struct balancer *balancer = verb->balancer;
	const struct service *service = service_list_find(balancer->services, captured->service);
	const struct backend *backend = registry_backend(balancer->registry, captured->backend);
	enum fwd_reason reason = (enum fwd_reason)captured->reason;
	char frame[BASE64_BYTES];

	sodium_bin2base64(frame, sizeof(frame), captured->bytes, captured->size_bytes,
		sodium_base64_VARIANT_ORIGINAL);
	return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:s}", "time_ns",
		(json_int_t)captured->time_ns, "direction", captured->is_out ? "out" : "in",
		"verdict", explain_verdict_name(counters_verdict(reason)), "reason",
		explain_reason_name(reason), "how", explain_how_name((enum fwd_how)captured->how),
		"virtual_server", service ? service->virtual_server->name : "", "backend",
		backend ? backend->name : "", "length_bytes", (json_int_t)captured->length_bytes,
		"lost", (json_int_t)dataplane_capture_lost(balancer->dataplane), "frame", frame);
}

/* Steals it; a line of the stream. */
static const char *line_of(struct capture_verb *verb, json_t *json)
{
	_cleanup_free_ char *text = json_dumps(json, JSON_COMPACT);

	json_decref(json);
	free(TAKE_PTR(verb->line));
	if (!text || asprintf(&verb->line, "%s\n", text) < 0)
		verb->line = NULL;
	return verb->line;
}

static json_t *first_json(const struct capture_verb *verb)
{
	const struct config *config = verb->balancer->config;

	return json_pack("{s:s, s:s, s:s, s:i}", "mode",
		dataplane_status(verb->balancer->dataplane).mode, "interface", config->interface,
		"backend_interface", config_backend_interface(config, 0), "snap_bytes",
		(int)CAPTURE_FRAME_BYTES);
}

static const char *on_next(void *context)
{
	struct capture_verb *verb = context;
	struct captured captured;

	if (!verb->line)
		return line_of(verb, first_json(verb));
	if (verb->io && dataplane_capture_take(verb->balancer->dataplane, &captured))
		return line_of(verb, frame_json(verb, &captured));
	/* The stream does not ask again: see on_readable(). */
	if (verb->io)
		(void)sd_event_source_set_enabled(verb->io, SD_EVENT_ONESHOT);
	if (verb->io || verb->told_end)
		return NULL;
	verb->told_end = true;
	return line_of(verb,
		json_pack("{s:i, s:s}", "status", CONTROL_UNAVAILABLE, "error",
			"capture: the engine has ended; the next one is captured from anew"));
}

/* ---- life ---- */

/* Once until all was taken, so that a slow client does not keep the loop awake. */
static int on_readable(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct capture_verb *verb = context;

	control_stream_wake(verb->request);
	return 0;
}

static void on_engine_ended(void *context)
{
	struct capture_verb *verb = context;

	verb->io = sd_event_source_disable_unref(verb->io);
	control_stream_wake(verb->request);
}

static void stop(struct capture_verb *verb)
{
	verb->io = sd_event_source_disable_unref(verb->io);
	if (verb->request)
		verb->lost = dataplane_capture_lost(verb->balancer->dataplane);
	dataplane_capture_stop(verb->balancer->dataplane);
	verb->request = NULL;
	verb->told_end = false;
	free(TAKE_PTR(verb->line));
}

static void on_gone(struct control_request *request, void *context)
{
	stop(context);
	log_info("capture ends");
}

/* What is read here is for no heartbeat to wait for. */
static int watch(struct capture_verb *verb)
{
	int r = sd_event_add_io(verb->balancer->event, &verb->io,
		dataplane_capture_fd(verb->balancer->dataplane), EPOLLIN, on_readable, verb);

	if (r >= 0)
		r = sd_event_source_set_priority(verb->io, CONTROL_PRIORITY);
	return r < 0 ? r : sd_event_source_set_enabled(verb->io, SD_EVENT_OFF);
}

static int start(struct capture_verb *verb, struct control_request *request,
	const struct capture_filter *filter)
{
	int r;

	if (verb->request)
		return -EBUSY;
	r = dataplane_capture_start(verb->balancer->dataplane, filter, on_engine_ended, verb);
	if (r < 0)
		return r;
	verb->request = request;
	r = watch(verb);
	if (r >= 0)
		r = control_stream(request, on_next, on_gone, verb);
	if (r < 0)
		stop(verb);
	return r;
}

static const char *words_of(const struct capture_verb *verb, int error)
{
	switch (error) {
	case -EBUSY:
		return "somebody captures already; one at a time";
	case -ENETDOWN:
		return dataplane_status(verb->balancer->dataplane).reason;
	case -EOPNOTSUPP:
		return "this kernel does not copy frames for XDP (Linux 5.18 does); mode = tc and "
		       "mode = packet can";
	default:
		return strerror(-error);
	}
}

void capture_verb_serve(
	struct capture_verb *verb, struct control_request *request, const json_t *args)
{
	struct capture_filter filter;
	struct why why = { 0 };
	int r;

	if (json_is_true(json_object_get(args, "lost"))) {
		control_reply(request, CONTROL_OK,
			json_pack("{s:I}", "lost",
				(json_int_t)(verb->request
						? dataplane_capture_lost(verb->balancer->dataplane)
						: verb->lost)));
		return;
	}
	r = filter_make(verb->balancer->registry, args, &filter, &why);

	if (r < 0) {
		control_fail(request, CONTROL_USAGE, "%s", why.text);
		return;
	}
	r = start(verb, request, &filter);
	if (r < 0)
		control_fail(request, CONTROL_UNAVAILABLE, "capture: %s", words_of(verb, r));
	else
		log_info("capture begins");
}

struct capture_verb *capture_verb_new(struct balancer *balancer)
{
	struct capture_verb *verb = calloc(1, sizeof(*verb));

	if (verb)
		verb->balancer = balancer;
	return verb;
}

struct capture_verb *capture_verb_free(struct capture_verb *verb)
{
	if (!verb)
		return NULL;
	stop(verb);
	free(verb);
	return NULL;
}
