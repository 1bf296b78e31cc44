/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Units over a real bus, with a systemd that this test plays: only what a check asks of it. Skipped where there is
 * no dbus-daemon.
 */
#include "agent/check/check_unit.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <cmocka.h>

#include "tests/unit/agent/check/checks_bench.h"

#define SYSTEMD   "org.freedesktop.systemd1"
#define MANAGER   "/org/freedesktop/systemd1"
#define UNIT_PATH "/org/freedesktop/systemd1/unit/ssh_2eservice"

struct fixture {
	struct bench *bench;
	pid_t daemon;
	sd_bus *bus;
	const char *active, *load;
	unsigned int n_subscribed, n_loaded;
};

/* ---- systemd ---- */

static int on_subscribe(sd_bus_message *message, void *context, sd_bus_error *error)
{
	((struct fixture *)context)->n_subscribed++;
	return sd_bus_reply_method_return(message, NULL);
}

/* sshd is an alias of ssh. */
static int on_load(sd_bus_message *message, void *context, sd_bus_error *error)
{
	const char *name;

	((struct fixture *)context)->n_loaded++;
	assert_true(sd_bus_message_read(message, "s", &name) >= 0);
	assert_string_equal(name, "sshd.service");
	return sd_bus_reply_method_return(message, "o", UNIT_PATH);
}

static int get_active(sd_bus *bus, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *context, sd_bus_error *error)
{
	return sd_bus_message_append(reply, "s", ((struct fixture *)context)->active);
}

static int get_load(sd_bus *bus, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *context, sd_bus_error *error)
{
	return sd_bus_message_append(reply, "s", ((struct fixture *)context)->load);
}

static int get_number(sd_bus *bus, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *context, sd_bus_error *error)
{
	return sd_bus_message_append(reply, "a(tu)", 1, UINT64_C(7), 8u);
}

static const sd_bus_vtable manager_table[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("Subscribe", "", "", on_subscribe, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("LoadUnit", "s", "o", on_load, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

static const sd_bus_vtable unit_table[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("ActiveState", "s", get_active, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Conditions", "a(tu)", get_number, 0, 0),
	SD_BUS_PROPERTY("LoadState", "s", get_load, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_VTABLE_END,
};

static void systemd_start(struct fixture *f)
{
	assert_true(sd_bus_open_system(&f->bus) >= 0);
	assert_true(sd_bus_add_object_vtable(
			    f->bus, NULL, MANAGER, SYSTEMD ".Manager", manager_table, f) >= 0);
	assert_true(sd_bus_add_object_vtable(
			    f->bus, NULL, UNIT_PATH, SYSTEMD ".Unit", unit_table, f) >= 0);
	assert_true(sd_bus_request_name(f->bus, SYSTEMD, 0) >= 0);
	assert_true(sd_bus_attach_event(f->bus, f->bench->event, 0) >= 0);
}

static void systemd_stop(struct fixture *f)
{
	f->bus = sd_bus_flush_close_unref(f->bus);
}

static void unit_becomes(struct fixture *f, const char *active)
{
	f->active = active;
	assert_true(sd_bus_emit_properties_changed(
			    f->bus, UNIT_PATH, SYSTEMD ".Unit", "ActiveState", NULL) >= 0);
}

/* ---- the bus ---- */

/* The socket's file is there before anything listens. */
static bool can_connect(const char *path)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	assert_true(fd >= 0);
	assert_true(strlen(path) < sizeof(name.sun_path));
	memcpy(name.sun_path, path, strlen(path) + 1);
	return connect(fd, (struct sockaddr *)&name, sizeof(name)) == 0;
}

static void daemon_start(struct fixture *f)
{
	char config[2 * TEMP_DIR_BYTES], path[2 * TEMP_DIR_BYTES], text[1024];

	snprintf(path, sizeof(path), "%s/bus", f->bench->directory);
	snprintf(config, sizeof(config), "--config-file=%s/bus.conf", f->bench->directory);
	snprintf(text, sizeof(text),
		"<busconfig><listen>unix:path=%s</listen><auth>EXTERNAL</auth>"
		"<policy context='default'><allow send_destination='*'/><allow own='*'/>"
		"<allow receive_sender='*'/></policy></busconfig>",
		path);
	temp_dir_write(f->bench->directory, "bus.conf", text);
	(void)unlink(path);
	f->daemon = fork();
	assert_true(f->daemon >= 0);
	if (f->daemon == 0) {
		(void)!freopen("/dev/null", "we", stderr);
		execlp("dbus-daemon", "dbus-daemon", config, "--nofork", "--nopidfile", NULL);
		_exit(99);
	}
	LOOP_UNTIL(f->bench->event, BENCH_DEADLINE_US, can_connect(path));
}

static void daemon_stop(struct fixture *f)
{
	kill(f->daemon, SIGKILL);
	waitpid(f->daemon, NULL, 0);
	f->daemon = 0;
}

static int setup(void **state)
{
	struct fixture *f;
	char address[2 * TEMP_DIR_BYTES];

	*state = NULL;
	if (access("/usr/bin/dbus-daemon", X_OK) < 0) {
		print_message("no dbus-daemon; `make deps` installs it\n");
		return 0;
	}
	f = calloc(1, sizeof(*f));
	assert_non_null(f);
	f->bench = bench_new();
	f->load = "loaded";
	snprintf(address, sizeof(address), "unix:path=%s/bus", f->bench->directory);
	assert_int_equal(setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1), 0);
	daemon_start(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (!f)
		return 0;
	sd_bus_close_unref(f->bus);
	if (f->daemon)
		daemon_stop(f);
	bench_free(f->bench);
	free(f);
	return 0;
}

static struct fixture *fixture(void **state)
{
	if (!*state)
		skip();
	return *state;
}

/* ---- facts ---- */

static void unit_follows_its_state(void **state)
{
	static const struct {
		const char *active, *reason;
		enum check_state state;
	} changes[] = {
		{ "failed", "unit sshd.service is failed", CHECK_STATE_DOWN },
		{ "activating", "unit sshd.service is activating", CHECK_STATE_DOWN },
		{ "active", "", CHECK_STATE_UP },
		{ "reloading", "", CHECK_STATE_UP },
		{ "deactivating", "unit sshd.service is deactivating", CHECK_STATE_DOWN },
		{ "inactive", "unit sshd.service is inactive", CHECK_STATE_DOWN },
		{ "active", "", CHECK_STATE_UP },
	};
	struct fixture *f = fixture(state);

	f->active = "active";
	systemd_start(f);
	bench_configure(f->bench, "unit = sshd\n");
	assert_int_equal(f->bench->verdict.state, CHECK_STATE_PENDING);
	assert_string_equal(
		f->bench->verdict.reason.text, "check unit:sshd.service: not yet proven");
	bench_expect(f->bench, CHECK_STATE_UP, "");
	assert_true(f->n_subscribed > 0);
	ARRAY_FOREACH (change, changes, ARRAY_LEN(changes)) {
		unit_becomes(f, change->active);
		bench_expect(f->bench, change->state, change->reason);
	}
	assert_int_equal(f->n_loaded, 1);
}

static void unit_that_is_not_there_is_named(void **state)
{
	struct fixture *f = fixture(state);

	f->active = "inactive";
	f->load = "not-found";
	systemd_start(f);
	bench_configure(f->bench, "unit = sshd\n");
	bench_expect(f->bench, CHECK_STATE_DOWN, "unit sshd.service is not known to systemd");
	/* It was installed: systemd was reloaded. */
	f->active = "active";
	f->load = "loaded";
	assert_true(
		sd_bus_emit_signal(f->bus, MANAGER, SYSTEMD ".Manager", "Reloading", "b", 0) >= 0);
	bench_expect(f->bench, CHECK_STATE_UP, "");
}

static void unit_survives_a_systemd_that_is_executed_anew(void **state)
{
	struct fixture *f = fixture(state);

	f->active = "active";
	systemd_start(f);
	bench_configure(f->bench, "unit = sshd\n");
	bench_expect(f->bench, CHECK_STATE_UP, "");
	systemd_stop(f);
	systemd_start(f);
	LOOP_UNTIL(f->bench->event, BENCH_DEADLINE_US, f->n_loaded == 2);
	assert_int_equal(f->bench->verdict.state, CHECK_STATE_UP);
	unit_becomes(f, "failed");
	bench_expect(f->bench, CHECK_STATE_DOWN, "unit sshd.service is failed");
}

static void unit_cannot_be_asked_without_a_bus(void **state)
{
	struct fixture *f = fixture(state);

	f->active = "active";
	systemd_start(f);
	bench_configure(f->bench, "unit = sshd\ncheck-fall = 2\n");
	bench_expect(f->bench, CHECK_STATE_UP, "");
	f->bus = sd_bus_close_unref(f->bus);
	daemon_stop(f);
	bench_expect(f->bench, CHECK_STATE_DOWN, "cannot ask systemd about unit sshd.service: ");
	daemon_start(f);
	bench_expect(f->bench, CHECK_STATE_DOWN, "cannot ask systemd about unit sshd.service: ");
	systemd_start(f);
	bench_expect(f->bench, CHECK_STATE_UP, "");
	unit_becomes(f, "failed");
	bench_expect(f->bench, CHECK_STATE_DOWN, "unit sshd.service is failed");
}

static void unit_stays_known_over_a_reload(void **state)
{
	struct fixture *f = fixture(state);

	f->active = "active";
	systemd_start(f);
	bench_configure(f->bench, "unit = sshd\n");
	bench_expect(f->bench, CHECK_STATE_UP, "");
	bench_configure(f->bench, "unit = sshd\ncheck = exec:/bin/true\n");
	assert_int_equal(f->bench->verdict.state, CHECK_STATE_UP);
	unit_becomes(f, "failed");
	bench_expect(f->bench, CHECK_STATE_DOWN, "unit sshd.service is failed");
}

#define fact(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		fact(unit_follows_its_state),
		fact(unit_that_is_not_there_is_named),
		fact(unit_survives_a_systemd_that_is_executed_anew),
		fact(unit_cannot_be_asked_without_a_bus),
		fact(unit_stays_known_over_a_reload),
	};

	return cmocka_run_group_tests_name("agent/check_unit", tests, NULL, NULL);
}
