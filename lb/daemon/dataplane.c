/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starts, feeds and stops the engine: see dataplane.h. */
#include "lb/daemon/dataplane.h"

#include <unistd.h>

#include "common/events/events.h"
#include "common/why.h"
#include "lb/engine/bpf/engine_bpf.h"
#include "lb/engine/packet/engine_packet.h"
#include "lb/engine/snapshot.h"
#include "lb/link/neigh/segments.h"
#include "lb/state/keep.h"

struct dataplane {
	enum config_mode mode;
	uint32_t workers;
	const struct keep *keep;
	struct events *events;
	const struct engine_ops *ops; /* of `engine`, or of the last one */
	struct engine *engine;        /* NULL while an interface is not there */
	unsigned int ifindex;
	unsigned int outs[FWD_LINKS_MAX];     /* to backends, as they were seen last */
	bool is_new;                          /* nothing was loaded into it yet */
	struct why reason;                    /* why there is none, or why this one */
	struct engine_totals totals_before;   /* of engines that ended */
	void (*capture_ended)(void *context); /* NULL: nobody captures */
	void *capture_context;
};

struct dataplane *dataplane_new(
	enum config_mode mode, uint32_t workers, const struct keep *keep, struct events *events)
{
	struct dataplane *dataplane = calloc(1, sizeof(*dataplane));

	if (!dataplane)
		return NULL;
	dataplane->mode = mode;
	dataplane->workers = workers;
	dataplane->keep = keep;
	dataplane->events = events;
	dataplane->ops = &engine_packet_ops;
	return dataplane;
}

struct dataplane *dataplane_free(struct dataplane *dataplane)
{
	if (!dataplane)
		return NULL;
	dataplane_stop(dataplane, false);
	free(dataplane);
	return NULL;
}

static void dataplane_add_totals(struct engine_totals *sum, const struct engine_totals *part)
{
	sum->received_pkts += part->received_pkts;
	for (size_t i = 0; i < FWD_VERDICT_N_; i++)
		sum->verdict_pkts[i] += part->verdict_pkts[i];
	for (size_t i = 0; i < FWD_REASON_N_; i++)
		sum->reason_pkts[i] += part->reason_pkts[i];
	sum->evictions += part->evictions;
	sum->unrecorded += part->unrecorded;
	sum->named += part->named;
	/* What an engine holds when it is stopped was never decided. */
	sum->fragments_held = part->fragments_held;
	sum->fragments_released += part->fragments_released;
	sum->fragments_expired += part->fragments_expired;
	sum->answers_sent += part->answers_sent;
	sum->answers_limited += part->answers_limited;
}

void dataplane_totals(const struct dataplane *dataplane, struct engine_totals *ret_totals)
{
	struct engine_totals now = { 0 };

	*ret_totals = dataplane->totals_before;
	if (!dataplane->engine)
		return;
	dataplane->ops->totals(dataplane->engine, &now);
	dataplane_add_totals(ret_totals, &now);
}

void dataplane_stop(struct dataplane *dataplane, bool detach)
{
	void (*capture_ended)(void *context) = TAKE_PTR(dataplane->capture_ended);

	if (!dataplane->engine)
		return;
	if (capture_ended)
		capture_ended(dataplane->capture_context);
	dataplane_totals(dataplane, &dataplane->totals_before);
	dataplane->totals_before.fragments_held = 0;
	dataplane->ops->stop(dataplane->engine, detach);
	dataplane->engine = NULL;
	dataplane->ifindex = 0;
}

static unsigned int dataplane_workers(const struct dataplane *dataplane)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (dataplane->workers > 0)
		return dataplane->workers;
	return (unsigned int)MIN(MAX(cpus, 1L), (long)ENGINE_WORKERS_MAX);
}

/* All engines, best first, and the mode that asks for each. */
static const struct {
	enum config_mode mode;
	const struct engine_ops *ops;
} engines[] = {
	{ CONFIG_MODE_XDP, &engine_xdp_ops },
	{ CONFIG_MODE_TC, &engine_tc_ops },
	{ CONFIG_MODE_PACKET, &engine_packet_ops },
};

/* Appends "ENGINE: WHY" to what is said of engines that are not taken. */
static void dataplane_note(
	struct dataplane *dataplane, const struct engine_ops *ops, const char *why)
{
	char *reason = dataplane->reason.text;
	size_t len = strlen(reason);

	snprintf(reason + len, sizeof(dataplane->reason.text) - len, "%s%s: %s",
		len > 0 ? "; " : "", ops->name, why);
}

/* Starts the first engine that can be had; none: `reason` says why. */
static int dataplane_try(struct dataplane *dataplane, const struct engine_config *config)
{
	bool is_auto = dataplane->mode == CONFIG_MODE_AUTO;
	int r = -EOPNOTSUPP;

	dataplane->reason = (struct why){ 0 };
	ARRAY_FOREACH (engine, engines, ARRAY_LEN(engines)) {
		const struct engine_ops *ops = engine->ops;
		struct why why = { 0 };

		if (!is_auto && dataplane->mode != engine->mode)
			continue;
		if (is_auto && ops->suits && !ops->suits(config, &why)) {
			dataplane_note(dataplane, ops, why.text);
			continue;
		}
		r = ops->start(config, &dataplane->engine, &why);
		if (r == 0) {
			dataplane->ops = ops;
			return 0;
		}
		dataplane->engine = NULL;
		dataplane_note(dataplane, ops, why.text);
	}
	return r;
}

static void dataplane_tell(const struct dataplane *dataplane, enum event_message message,
	const char *interface, const char *reason)
{
	struct event event = { .message = message, .interface = interface, .reason = reason };

	switch (message) {
	case EVENT_ENGINE_CHOSEN:
		event.level = LOG_LEVEL_INFO;
		event.now = dataplane->ops->name;
		events_raise(dataplane->events, &event, "forwarding on %s by the %s engine (%s)",
			interface, event.now, reason);
		break;
	case EVENT_ENGINE_ENDED:
		event.level = LOG_LEVEL_WARNING;
		event.old = dataplane->ops->name;
		events_raise(dataplane->events, &event, "the %s engine on %s ends: %s", event.old,
			interface, reason);
		break;
	default:
		event.level = LOG_LEVEL_ERROR;
		events_raise(dataplane->events, &event, "no engine can be started on %s: %s",
			interface, reason);
		break;
	}
}

static struct engine_config dataplane_config(
	const struct dataplane *dataplane, unsigned int ifindex)
{
	struct engine_config config = {
		.ifindex = ifindex,
		.n_workers = dataplane_workers(dataplane),
		.flows_map = keep_flows_map(dataplane->keep),
		.loads_map = keep_loads_map(dataplane->keep),
		.pin_directory = keep_pins(dataplane->keep),
	};

	memcpy(config.outs, dataplane->outs, sizeof(config.outs));
	return config;
}

static void dataplane_start(struct dataplane *dataplane, const struct neigh_link *clients)
{
	const struct engine_config config = dataplane_config(dataplane, clients->ifindex);
	struct why said = dataplane->reason;
	int r = dataplane_try(dataplane, &config);

	if (r < 0) {
		/* It is tried again each second; what has been said is not said again. */
		if (!streq(said.text, dataplane->reason.text))
			dataplane_tell(dataplane, EVENT_ENGINE_NONE, clients->name,
				dataplane->reason.text);
		return;
	}
	dataplane->ifindex = clients->ifindex;
	dataplane->is_new = true;
	if (dataplane->mode != CONFIG_MODE_AUTO)
		why_set(&dataplane->reason, "as configured");
	else if (dataplane->reason.text[0] == '\0')
		why_set(&dataplane->reason, "auto: the best that the interface has");
	dataplane_tell(dataplane, EVENT_ENGINE_CHOSEN, clients->name, dataplane->reason.text);
}

/* Takes over which interfaces to backends there are; true: there is another one. */
static bool dataplane_see_outs(
	struct dataplane *dataplane, const struct segments *segments, const char **ret_absent)
{
	bool is_new = false;

	for (size_t i = 0; i < FWD_LINKS_MAX; i++) {
		const struct neigh_link *link = segments_link(segments, i);
		unsigned int ifindex = link ? link->ifindex : 0;

		if (link && ifindex == 0)
			*ret_absent = link->name;
		is_new |= ifindex != 0 && ifindex != dataplane->outs[i];
		dataplane->outs[i] = ifindex;
	}
	return is_new;
}

static bool dataplane_has_outs(const struct dataplane *dataplane)
{
	for (size_t i = 0; i < FWD_LINKS_MAX; i++)
		if (dataplane->outs[i] != 0)
			return true;
	return false;
}

/* Whether the engine may stay with the interfaces to backends that `config` has. */
static bool dataplane_suits(
	const struct dataplane *dataplane, const struct engine_config *config, struct why *ret_why)
{
	const struct engine_ops *ops = dataplane->ops;

	if (dataplane->mode == CONFIG_MODE_AUTO)
		return !ops->suits || ops->suits(config, ret_why);
	return !ops->takes_outs || ops->takes_outs(config, ret_why);
}

bool dataplane_takes_outs(const struct dataplane *dataplane, const unsigned int outs[FWD_LINKS_MAX],
	struct why *ret_why)
{
	struct engine_config config = dataplane_config(dataplane, dataplane->ifindex);

	if (!dataplane->engine || dataplane->mode == CONFIG_MODE_AUTO)
		return true;
	memcpy(config.outs, outs, sizeof(config.outs));
	return dataplane_suits(dataplane, &config, ret_why);
}

/*
 * Why the engine must end; NULL: it need not. An interface that is down only pauses it. One to backends that is new
 * may be none for the engine that serves.
 */
static const char *dataplane_must_end(struct dataplane *dataplane, const struct neigh_link *clients,
	bool has_new_out, struct why *why)
{
	const struct engine_config config = dataplane_config(dataplane, dataplane->ifindex);
	int health = dataplane->ops->health(dataplane->engine);

	if (health < 0 && health != -ENETDOWN)
		return strerror(-health);
	if (dataplane->ifindex != clients->ifindex)
		return "the interface is another one now";
	if (has_new_out && !dataplane_suits(dataplane, &config, why))
		return why->text;
	return NULL;
}

bool dataplane_update(struct dataplane *dataplane, const struct neigh_link *clients,
	const struct segments *segments)
{
	const char *absent = "to the backends", *end = NULL;
	bool has_new_out = dataplane_see_outs(dataplane, segments, &absent), changed = false;
	struct why why = { 0 };

	if (dataplane->engine)
		end = dataplane_must_end(dataplane, clients, has_new_out, &why);
	if (end) {
		dataplane_tell(dataplane, EVENT_ENGINE_ENDED, clients->name, end);
		dataplane_stop(dataplane, false);
		changed = true;
	}
	if (dataplane->engine)
		return false;
	if (clients->ifindex == 0 || !dataplane_has_outs(dataplane)) {
		why_set(&dataplane->reason, "interface %s is not there",
			clients->ifindex == 0 ? clients->name : absent);
		return changed;
	}
	dataplane_start(dataplane, clients);
	return changed || dataplane->engine;
}

int dataplane_load(struct dataplane *dataplane, struct snapshot *snapshot)
{
	const struct engine_config config = dataplane_config(dataplane, dataplane->ifindex);
	int r;

	if (!dataplane->engine) {
		snapshot_free(snapshot);
		return 0;
	}
	r = dataplane->ops->load(dataplane->engine, snapshot);
	if (r < 0 || !dataplane->is_new)
		return r;
	ARRAY_FOREACH (engine, engines, ARRAY_LEN(engines))
		if (engine->ops != dataplane->ops)
			engine->ops->sweep(&config);
	dataplane->is_new = false;
	return 0;
}

void dataplane_reclaim(struct dataplane *dataplane)
{
	if (dataplane->engine)
		dataplane->ops->reclaim(dataplane->engine);
}

struct dataplane_status dataplane_status(const struct dataplane *dataplane)
{
	const struct engine *engine = dataplane->engine;

	return (struct dataplane_status){
		.is_running = dataplane->engine,
		.mode = dataplane->ops->name,
		.reason = dataplane->reason.text,
		.ifindex = dataplane->ifindex,
		.unguarded = engine && dataplane->ops->unguarded ? dataplane->ops->unguarded(engine)
								 : NULL,
		.reaches_stack = !engine || dataplane->ops->unguarded,
	};
}

const struct snapshot *dataplane_snapshot(const struct dataplane *dataplane)
{
	return dataplane->engine ? dataplane->ops->current(dataplane->engine) : NULL;
}

struct rates dataplane_rates(const struct dataplane *dataplane)
{
	return dataplane->ops->rates(dataplane->engine);
}

const struct fwd_service *dataplane_service(uint16_t service, void *context)
{
	const struct snapshot *snapshot = dataplane_snapshot(context);

	return snapshot ? snapshot_service(snapshot, service) : NULL;
}

void dataplane_service_counters(const struct dataplane *dataplane, uint16_t service,
	struct engine_service_counters *ret_counters)
{
	*ret_counters = (struct engine_service_counters){ 0 };
	if (dataplane->engine)
		dataplane->ops->service_counters(dataplane->engine, service, ret_counters);
}

void dataplane_pair_counters(const struct dataplane *dataplane, uint16_t service, uint16_t backend,
	struct engine_pair_counters *ret_counters)
{
	*ret_counters = (struct engine_pair_counters){ 0 };
	if (dataplane->engine)
		dataplane->ops->pair_counters(dataplane->engine, service, backend, ret_counters);
}

uint64_t dataplane_take_clients(struct dataplane *dataplane, uint16_t service, uint16_t backend)
{
	return dataplane->engine ? dataplane->ops->take_clients(dataplane->engine, service, backend)
				 : 0;
}

int dataplane_capture_start(struct dataplane *dataplane, const struct capture_filter *filter,
	void (*ended)(void *context), void *context)
{
	int r;

	if (dataplane->capture_ended)
		return -EBUSY;
	if (!dataplane->engine)
		return -ENETDOWN;
	r = dataplane->ops->capture(dataplane->engine, filter);
	if (r < 0)
		return r;
	dataplane->capture_ended = ended;
	dataplane->capture_context = context;
	return 0;
}

void dataplane_capture_stop(struct dataplane *dataplane)
{
	if (!dataplane->capture_ended)
		return;
	dataplane->capture_ended = NULL;
	(void)dataplane->ops->capture(dataplane->engine, NULL);
}

int dataplane_capture_fd(const struct dataplane *dataplane)
{
	return dataplane->ops->capture_fd(dataplane->engine);
}

bool dataplane_capture_take(struct dataplane *dataplane, struct captured *ret_captured)
{
	return dataplane->capture_ended &&
		dataplane->ops->capture_take(dataplane->engine, ret_captured);
}

uint64_t dataplane_capture_lost(const struct dataplane *dataplane)
{
	return dataplane->capture_ended ? dataplane->ops->capture_lost(dataplane->engine) : 0;
}
