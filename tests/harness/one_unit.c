/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A systemd that knows one unit, as far as a check of the agent asks:
 *
 *	one_unit NAME
 *
 * On the bus that DBUS_SYSTEM_BUS_ADDRESS names it is org.freedesktop.systemd1. The unit is active at first; each line on
 * standard input is its state from then on, told as systemd tells it, and answered by {"state": STATE}. Runs until it is ended.
 */
#include "tests/harness/tool.h"

#include <systemd/sd-bus.h>

#define SYSTEMD   "org.freedesktop.systemd1"
#define MANAGER   "/org/freedesktop/systemd1"
#define UNIT_PATH "/org/freedesktop/systemd1/unit/one"

struct unit {
	const char *name;
	char state[32];
	sd_bus *bus;
};

static void check(int r, const char *what)
{
	if (r < 0)
		errx(1, "%s: %s", what, strerror(-r));
}

static int on_subscribe(sd_bus_message *message, void *context, sd_bus_error *error)
{
	return sd_bus_reply_method_return(message, NULL);
}

static int on_load(sd_bus_message *message, void *context, sd_bus_error *error)
{
	const struct unit *unit = context;
	const char *name;
	int r = sd_bus_message_read(message, "s", &name);

	if (r < 0)
		return r;
	if (!streq(name, unit->name))
		return sd_bus_error_setf(error, SD_BUS_ERROR_FILE_NOT_FOUND, "no unit %s", name);
	return sd_bus_reply_method_return(message, "o", UNIT_PATH);
}

static int get_state(sd_bus *bus, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *context, sd_bus_error *error)
{
	return sd_bus_message_append(reply, "s", ((const struct unit *)context)->state);
}

static int get_load(sd_bus *bus, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *context, sd_bus_error *error)
{
	return sd_bus_message_append(reply, "s", "loaded");
}

static const sd_bus_vtable manager_table[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("Subscribe", "", "", on_subscribe, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("LoadUnit", "s", "o", on_load, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

static const sd_bus_vtable unit_table[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("ActiveState", "s", get_state, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("LoadState", "s", get_load, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_VTABLE_END,
};

static int on_line(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct unit *unit = context;
	char line[sizeof(unit->state)];
	ssize_t got = read(fd, line, sizeof(line) - 1);

	if (got <= 0)
		return sd_event_exit(sd_event_source_get_event(source), 0);
	line[got] = '\0';
	line[strcspn(line, "\n")] = '\0';
	snprintf(unit->state, sizeof(unit->state), "%s", line);
	check(sd_bus_emit_properties_changed(
		      unit->bus, UNIT_PATH, SYSTEMD ".Unit", "ActiveState", NULL),
		"PropertiesChanged");
	printf("{\"state\": \"%s\"}\n", unit->state);
	fflush(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	struct unit unit = { .state = "active" };
	sd_event *event;

	if (argc != 2)
		errx(64, "usage: one_unit NAME");
	unit.name = argv[1];
	check(sd_event_new(&event), "sd_event_new");
	check(sd_bus_open_system(&unit.bus), "the bus");
	check(sd_bus_add_object_vtable(
		      unit.bus, NULL, MANAGER, SYSTEMD ".Manager", manager_table, &unit),
		"the manager");
	check(sd_bus_add_object_vtable(
		      unit.bus, NULL, UNIT_PATH, SYSTEMD ".Unit", unit_table, &unit),
		"the unit");
	check(sd_bus_request_name(unit.bus, SYSTEMD, 0), SYSTEMD);
	check(sd_bus_attach_event(unit.bus, event, SD_EVENT_PRIORITY_NORMAL), "the loop");
	check(sd_event_add_io(event, NULL, STDIN_FILENO, EPOLLIN, on_line, &unit), "stdin");
	check(sd_event_loop(event), "the loop");
	return 0;
}
