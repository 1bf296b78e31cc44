/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watches units over the system bus: asks once, and then takes what PropertiesChanged tells. Called by checks.c.
 * Must not know rise and fall.
 *
 * A unit that is not loaded must not be asked again and again: each question would load it, and systemd would
 * forget it at once. So its signals are awaited at the path that LoadUnit gave, which stays the same.
 */
#include "agent/check/check_unit.h"

#include <systemd/sd-bus.h>

#define UNIT_SYSTEMD    "org.freedesktop.systemd1"
#define UNIT_MANAGER    "/org/freedesktop/systemd1"
#define UNIT_INTERFACE  "org.freedesktop.systemd1.Unit"
#define UNIT_PROPERTIES "org.freedesktop.DBus.Properties"
#define UNIT_ANSWER_US  (2 * US_PER_S)

struct unit_run;

struct units {
	sd_event *event; /* borrowed */
	sd_bus *bus;     /* NULL: none yet, or it has gone */
	sd_bus_slot *gone, *owner, *reloading, *subscribe;
	bool broken; /* the bus is to be closed, but not from within its own work */
	sd_event_source *timer;
	struct unit_run *runs;
};

struct unit_run {
	struct check_run run;
	struct units *units;
	struct unit_run *next, **link;
	sd_bus_slot *call, *changes;
	bool lost; /* is to be asked again */
	char load[32], active[32];
};

/* ---- what is known ---- */

static void unit_tell(struct unit_run *self)
{
	const char *name = self->run.spec->subject;
	struct why why = { 0 };

	if (streq(self->active, "active") || streq(self->active, "reloading") ||
		streq(self->active, "refreshing")) {
		self->run.tell(&self->run, CHECK_WELL, "");
		return;
	}
	if (streq(self->load, "not-found"))
		why_set(&why, "unit %s is not known to systemd", name);
	else if (streq(self->load, "masked"))
		why_set(&why, "unit %s is masked", name);
	else
		why_set(&why, "unit %s is %s", name, self->active);
	self->run.tell(&self->run, CHECK_DEAD, why.text);
}

static void units_try_later(struct units *units, uint64_t delay_us)
{
	(void)sd_event_source_set_time_relative(units->timer, delay_us);
	(void)sd_event_source_set_enabled(units->timer, SD_EVENT_ONESHOT);
}

static void unit_lose(struct unit_run *self, const char *why_lost)
{
	struct why why = { 0 };

	self->lost = true;
	units_try_later(self->units, CHECK_UNIT_RETRY_US);
	why_set(&why, "cannot ask systemd about unit %s: %s", self->run.spec->subject, why_lost);
	self->run.tell(&self->run, CHECK_FAILED, why.text);
}

static void units_lose_all(struct units *units, const char *why_lost)
{
	for (struct unit_run *self = units->runs; self; self = self->next)
		unit_lose(self, why_lost);
}

/* ---- one unit ---- */

/* A value of type string into `buffer`. */
static int unit_read_text(sd_bus_message *message, char *buffer, size_t size_bytes)
{
	const char *text;
	int r = sd_bus_message_read(message, "v", "s", &text);

	if (r >= 0)
		(void)snprintf(buffer, size_bytes, "%s", text);
	return r;
}

/* a{sv}: takes what it has of the two properties. Positive: there was one. */
static int unit_read_properties(struct unit_run *self, sd_bus_message *message)
{
	int r = sd_bus_message_enter_container(message, 'a', "{sv}");
	bool found = false;
	const char *key;

	while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
		r = sd_bus_message_read(message, "s", &key);
		if (r >= 0 && streq(key, "ActiveState")) {
			found = true;
			r = unit_read_text(message, self->active, sizeof(self->active));
		} else if (r >= 0 && streq(key, "LoadState")) {
			found = true;
			r = unit_read_text(message, self->load, sizeof(self->load));
		} else if (r >= 0) {
			r = sd_bus_message_skip(message, "v");
		}
		if (r >= 0)
			r = sd_bus_message_exit_container(message);
	}
	return r < 0 ? r : found;
}

static int unit_on_properties(sd_bus_message *message, void *context, sd_bus_error *error)
{
	struct unit_run *self = context;

	self->call = sd_bus_slot_unref(self->call);
	if (sd_bus_message_is_method_error(message, NULL))
		unit_lose(self, sd_bus_message_get_error(message)->message);
	else if (unit_read_properties(self, message) <= 0)
		unit_lose(self, "its answer was not understood");
	else
		unit_tell(self);
	return 0;
}

static int unit_on_change(sd_bus_message *message, void *context, sd_bus_error *error)
{
	struct unit_run *self = context;

	if (sd_bus_message_skip(message, "s") >= 0 && unit_read_properties(self, message) > 0 &&
		self->active[0])
		unit_tell(self);
	return 0;
}

/* Signals first, so that nothing is missed between the answer and the next change. */
static int unit_follow(struct unit_run *self, const char *path)
{
	sd_bus *bus = self->units->bus;
	int r;

	self->changes = sd_bus_slot_unref(self->changes);
	r = sd_bus_match_signal_async(bus, &self->changes, UNIT_SYSTEMD, path, UNIT_PROPERTIES,
		"PropertiesChanged", unit_on_change, NULL, self);
	if (r >= 0)
		r = sd_bus_call_method_async(bus, &self->call, UNIT_SYSTEMD, path, UNIT_PROPERTIES,
			"GetAll", unit_on_properties, self, "s", UNIT_INTERFACE);
	return r;
}

static int unit_on_loaded(sd_bus_message *message, void *context, sd_bus_error *error)
{
	struct unit_run *self = context;
	const char *path;
	int r;

	self->call = sd_bus_slot_unref(self->call);
	if (sd_bus_message_is_method_error(message, NULL)) {
		unit_lose(self, sd_bus_message_get_error(message)->message);
		return 0;
	}
	r = sd_bus_message_read(message, "o", &path);
	if (r >= 0)
		r = unit_follow(self, path);
	if (r < 0)
		unit_lose(self, strerror(-r));
	return 0;
}

/* LoadUnit gives the path of the unit itself, whatever alias it was asked for. */
static void unit_ask(struct unit_run *self)
{
	int r;

	self->lost = false;
	self->call = sd_bus_slot_unref(self->call);
	r = sd_bus_call_method_async(self->units->bus, &self->call, UNIT_SYSTEMD, UNIT_MANAGER,
		UNIT_SYSTEMD ".Manager", "LoadUnit", unit_on_loaded, self, "s",
		self->run.spec->subject);
	if (r < 0)
		unit_lose(self, strerror(-r));
}

/* ---- the bus ---- */

static int units_on_gone(sd_bus_message *message, void *context, sd_bus_error *error)
{
	struct units *units = context;

	units->broken = true;
	units_lose_all(units, "the system bus has gone");
	units_try_later(units, 0);
	return 0;
}

static int units_on_subscribed(sd_bus_message *message, void *context, sd_bus_error *error)
{
	if (sd_bus_message_is_method_error(message, NULL))
		units_lose_all(context, sd_bus_message_get_error(message)->message);
	return 0;
}

/* Without a subscriber systemd sends no signals. */
static void units_ask_all(struct units *units)
{
	int r;

	units->subscribe = sd_bus_slot_unref(units->subscribe);
	r = sd_bus_call_method_async(units->bus, &units->subscribe, UNIT_SYSTEMD, UNIT_MANAGER,
		UNIT_SYSTEMD ".Manager", "Subscribe", units_on_subscribed, units, NULL);
	if (r < 0) {
		units_lose_all(units, strerror(-r));
		return;
	}
	for (struct unit_run *self = units->runs; self; self = self->next)
		unit_ask(self);
}

/* systemd comes to the bus, or leaves it: at a daemon-reexec it does both. */
static int units_on_owner(sd_bus_message *message, void *context, sd_bus_error *error)
{
	struct units *units = context;
	const char *owner;

	if (sd_bus_message_read(message, "sss", NULL, NULL, &owner) < 0)
		return 0;
	if (owner[0])
		units_ask_all(units);
	else
		units_lose_all(units, "it has left the system bus");
	return 0;
}

/* A reload of systemd may have brought, taken or renamed units. */
static int units_on_reloading(sd_bus_message *message, void *context, sd_bus_error *error)
{
	struct units *units = context;
	int begins;

	if (sd_bus_message_read(message, "b", &begins) >= 0 && !begins)
		units_ask_all(units);
	return 0;
}

static void units_disconnect(struct units *units)
{
	for (struct unit_run *self = units->runs; self; self = self->next) {
		self->call = sd_bus_slot_unref(self->call);
		self->changes = sd_bus_slot_unref(self->changes);
	}
	units->gone = sd_bus_slot_unref(units->gone);
	units->owner = sd_bus_slot_unref(units->owner);
	units->reloading = sd_bus_slot_unref(units->reloading);
	units->subscribe = sd_bus_slot_unref(units->subscribe);
	units->bus = sd_bus_close_unref(units->bus);
	units->broken = false;
}

static int units_connect(struct units *units)
{
	sd_bus *bus;
	int r;

	r = sd_bus_open_system_with_description(&units->bus, "dsr-agent");
	if (r < 0)
		return r;
	bus = units->bus;
	(void)sd_bus_set_method_call_timeout(bus, UNIT_ANSWER_US);
	r = sd_bus_match_signal_async(bus, &units->gone, "org.freedesktop.DBus.Local", NULL,
		"org.freedesktop.DBus.Local", "Disconnected", units_on_gone, NULL, units);
	if (r >= 0)
		r = sd_bus_add_match_async(bus, &units->owner,
			"type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',"
			"arg0='" UNIT_SYSTEMD "'",
			units_on_owner, NULL, units);
	if (r >= 0)
		r = sd_bus_match_signal_async(bus, &units->reloading, UNIT_SYSTEMD, UNIT_MANAGER,
			UNIT_SYSTEMD ".Manager", "Reloading", units_on_reloading, NULL, units);
	if (r >= 0)
		r = sd_bus_attach_event(bus, units->event, SD_EVENT_PRIORITY_NORMAL);
	return r;
}

/* Connects, or asks what is to be asked again. */
static int units_on_timer(sd_event_source *source, uint64_t time_us, void *context)
{
	struct units *units = context;
	int r;

	if (units->broken)
		units_disconnect(units);
	if (units->bus) {
		for (struct unit_run *self = units->runs; self; self = self->next) {
			if (self->lost)
				unit_ask(self);
		}
		return 0;
	}
	r = units_connect(units);
	if (r < 0) {
		units_disconnect(units);
		units_lose_all(units, strerror(-r));
		return 0;
	}
	units_ask_all(units);
	return 0;
}

/* ---- the contract ---- */

static void units_close(void *shared)
{
	struct units *units = shared;

	if (!units)
		return;
	units_disconnect(units);
	sd_event_source_disable_unref(units->timer);
	free(units);
}

static int units_open(const struct check_env *env, void **ret_shared)
{
	struct units *units = calloc(1, sizeof(*units));
	int r;

	if (!units)
		return -ENOMEM;
	units->event = env->event;
	r = sd_event_add_time(
		env->event, &units->timer, CLOCK_MONOTONIC, 0, US_PER_MS, units_on_timer, units);
	if (r >= 0)
		r = sd_event_source_set_enabled(units->timer, SD_EVENT_OFF);
	if (r < 0) {
		units_close(units);
		return r;
	}
	*ret_shared = units;
	return 0;
}

static struct check_run *unit_make(const struct check_env *env, void *shared)
{
	struct unit_run *self = calloc(1, sizeof(*self));

	if (!self)
		return NULL;
	self->units = shared;
	return &self->run;
}

static void unit_watch(struct check_run *run)
{
	struct unit_run *self = (struct unit_run *)run;
	struct units *units = self->units;

	self->next = units->runs;
	self->link = &units->runs;
	if (self->next)
		self->next->link = &self->next;
	units->runs = self;
	self->lost = true;
	units_try_later(units, 0);
}

static void unit_free(struct check_run *run)
{
	struct unit_run *self = (struct unit_run *)run;

	if (self->link) {
		*self->link = self->next;
		if (self->next)
			self->next->link = self->link;
	}
	sd_bus_slot_unref(self->call);
	sd_bus_slot_unref(self->changes);
	free(self);
}

const struct check_kind check_unit_kind = {
	.open = units_open,
	.close = units_close,
	.make = unit_make,
	.watch = unit_watch,
	.free = unit_free,
	.rises_at_once = true,
};
