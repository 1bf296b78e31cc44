/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One question to the daemon, a few files of /proc and of systemd. Called by the doctors of both programs.
 */
#include "common/doctor/service.h"

#include <linux/capability.h>
#include <sys/stat.h>

#include "common/cli/cli.h"
#include "common/cli/cli_verb.h"
#include "common/control/control_call.h"
#include "common/doctor/doctor.h"
#include "common/doctor/files.h"
#include "common/ini/ini.h"

/* All of a doctor's waiting together ends within ten seconds. */
#define SERVICE_STATUS_US  (5 * US_PER_S)
#define SERVICE_CONFIG_US  (2 * US_PER_S)
#define SERVICE_PATH_BYTES 128u

/* "CapEff:\t00000000a80425fb" */
static bool service_read_number(const char *text, const char *name, int base, uint64_t *ret_value)
{
	const char *line = strstr(text, name);
	char *end;

	if (!line)
		return false;
	errno = 0;
	*ret_value = strtoull(line + strlen(name), &end, base);
	return errno == 0 && end > line + strlen(name);
}

static bool service_is_elsewhere(pid_t pid)
{
	char path[SERVICE_PATH_BYTES];
	struct stat ours, its;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	/* Whoever may not look at it says nothing. */
	return stat("/proc/self/ns/net", &ours) == 0 && stat(path, &its) == 0 &&
		(ours.st_ino != its.st_ino || ours.st_dev != its.st_dev);
}

static void service_look_at_process(struct service *service)
{
	_cleanup_free_ char *text = NULL;
	char path[SERVICE_PATH_BYTES];
	uint64_t uid = 0;

	service->pid = (pid_t)json_integer_value(json_object_get(service->status, "pid"));
	if (service->pid <= 0)
		return;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)service->pid);
	if (files_read("", path, &text) < 0)
		return;
	service->has_process = service_read_number(text, "\nCapEff:", 16, &service->capabilities) &&
		service_read_number(text, "\nUid:", 10, &uid);
	if (service->has_process)
		service->uid = (uid_t)uid;
	service->in_other_network = service_is_elsewhere(service->pid);
}

static void service_look_at_systemd(const char *root, struct service *service)
{
	char path[SERVICE_PATH_BYTES];

	service->has_systemd = files_exist(root, "/run/systemd/system");
	snprintf(path, sizeof(path),
		"/{etc,run,usr/local/lib,usr/lib,lib}/systemd/system/%s.service", service->program);
	service->has_unit = files_exist(root, path);
	snprintf(path, sizeof(path),
		"/{etc,run,usr/lib}/systemd/system/*.{wants,requires}/%s.service",
		service->program);
	service->is_enabled = files_exist(root, path);
}

void service_look(const struct cli *cli, const char *default_directory, const char *root,
	struct service *ret_service)
{
	struct service service = {
		.program = cli->program, .directory = cli->runtime_dir, .is_root = geteuid() == 0
	};
	_cleanup_free_ char *why = NULL;
	char word[DOCTOR_WORD_BYTES];

	struct stat directory;

	/* The directory is its user's, also when nobody runs. */
	service.has_uid = stat(cli->runtime_dir, &directory) == 0;
	service.uid = service.has_uid ? directory.st_uid : 0;
	if (!streq(cli->runtime_dir, default_directory))
		snprintf(service.options, sizeof(service.options), " --runtime-dir %s",
			doctor_word(cli->runtime_dir, word));
	snprintf(service.again, sizeof(service.again), "%s%s%s",
		cli->config_given ? " --config " : "",
		cli->config_given ? doctor_word(cli->config_path, word) : "", service.options);
	service.error = control_call(
		cli->runtime_dir, "status", NULL, SERVICE_STATUS_US, &service.status, &why);
	if (service.error == 0 && json_is_object(service.status)) {
		free(TAKE_PTR(why));
		(void)control_call(cli->runtime_dir, CLI_CONFIG_VERB, NULL, SERVICE_CONFIG_US,
			&service.config, &why);
		service_look_at_process(&service);
	}
	service_look_at_systemd(root, &service);
	*ret_service = service;
}

void service_clear(struct service *service)
{
	json_decref(service->status);
	json_decref(service->config);
	*service = (struct service){ 0 };
}

const char *service_config_path(const struct service *service, const struct cli *cli)
{
	const char *path = json_string_value(json_object_get(service->status, "config_file"));

	/* A relative one is of the daemon's working directory. */
	return !cli->config_given && path && path[0] == '/' ? path : cli->config_path;
}

void service_warn_hidden(
	const struct service *service, struct doctor *doctor, const char *subject, const char *why)
{
	doctor_warn(doctor, subject, "%s", why);
	if (!service->is_root)
		doctor_mend(doctor, "sudo %s doctor%s", service->program, service->again);
}

void service_mend_start(const struct service *service, struct doctor *doctor)
{
	if (service->has_systemd && service->has_unit)
		doctor_mend(doctor, "systemctl start %s", service->program);
	else
		doctor_mend(doctor, "setsid --fork %s run%s > /dev/null 2>&1", service->program,
			service->again);
}

static void service_judge_silence(const struct service *service, struct doctor *doctor)
{
	switch (service->error) {
	case -ENOENT:
	case -ECONNREFUSED:
		doctor_fail(doctor, service->program, "does not run: no daemon serves %s",
			service->directory);
		service_mend_start(service, doctor);
		break;
	case -EACCES:
	case -EPERM:
		service_warn_hidden(service, doctor, service->program,
			"only root and its group may ask the daemon");
		break;
	default:
		doctor_fail(doctor, service->program, "does not answer: %s",
			service->error < 0 ? strerror(-service->error) : "it refused");
		doctor_mend(doctor, "systemctl restart %s", service->program);
	}
}

void service_judge_daemon(const struct service *service, struct doctor *doctor)
{
	const char *version = json_string_value(json_object_get(service->status, "version"));

	if (service->error != 0) {
		service_judge_silence(service, doctor);
		return;
	}
	if (service->in_other_network) {
		doctor_warn(doctor, service->program,
			"process %d is in another network namespace; all that follows is told of this one",
			(int)service->pid);
		doctor_mend(doctor, "nsenter --net=/proc/%d/ns/net %s doctor%s", (int)service->pid,
			service->program, service->again);
	} else if (version && !streq(version, DSR_VERSION)) {
		doctor_warn(doctor, service->program, "version %s runs, and %s is installed",
			version, DSR_VERSION);
		doctor_mend(doctor, "systemctl restart %s", service->program);
	} else {
		doctor_ok(doctor, service->program, "version %s runs as process %d",
			version ? version : "?", (int)service->pid);
	}
}

void service_judge_capabilities(
	const struct service *service, uint64_t wanted, struct doctor *doctor)
{
	static const struct {
		unsigned int number;
		const char *name;
	} names[] = {
		{ CAP_NET_ADMIN, "CAP_NET_ADMIN" },
		{ CAP_NET_RAW, "CAP_NET_RAW" },
		{ CAP_BPF, "CAP_BPF" },
		{ CAP_PERFMON, "CAP_PERFMON" },
	};
	uint64_t lacking = wanted & ~service->capabilities;

	/* Without a process there is nothing to have them: the daemon's line tells. */
	if (!service->has_process)
		return;
	ARRAY_FOREACH (each, names, ARRAY_LEN(names)) {
		if (!(lacking & (UINT64_C(1) << each->number)))
			continue;
		doctor_fail(doctor, service->program, "process %d lacks %s", (int)service->pid,
			each->name);
		doctor_mend(doctor, "systemctl revert %s && systemctl restart %s", service->program,
			service->program);
	}
	if (!lacking)
		doctor_ok(doctor, service->program, "has the capabilities that it needs");
}

static void service_judge_differences(const struct service *service, struct ini_report *report,
	const char *path, struct doctor *doctor)
{
	json_t *checked = json_array();
	const char *line, *former, *now;

	for (size_t idx = 0; (line = ini_report_effective(report, idx)); idx++)
		(void)json_array_append_new(checked, json_string(line));
	former = cli_lacking_line(service->config, checked);
	now = cli_lacking_line(checked, service->config);
	if (former || now) {
		doctor_warn(doctor, path, "differs from what is in force: %s%s%s%s%s",
			former ? "- " : "", former ? former : "", former && now ? ", " : "",
			now ? "+ " : "", now ? now : "");
		doctor_mend(doctor, "%s reload%s", service->program, service->options);
	} else {
		doctor_ok(doctor, path, "%s", service->config ? "is in force" : "is valid");
	}
	json_decref(checked);
}

void service_judge_config(const struct service *service, struct ini_report *report, int error,
	const char *path, struct doctor *doctor)
{
	char word[DOCTOR_WORD_BYTES];

	if (error < 0 && access(path, R_OK) < 0 && errno == EACCES && !service->is_root) {
		service_warn_hidden(service, doctor, path, "only root may read the configuration");
		return;
	}
	for (size_t idx = 0; report && idx < ini_report_len(report); idx++)
		doctor_fail(doctor, path, "%s", ini_report_line(report, idx));
	for (size_t idx = 0; report && idx < ini_report_warnings_len(report); idx++)
		doctor_warn(doctor, path, "%s", ini_report_warning(report, idx));
	if (error < 0 && !report)
		doctor_fail(doctor, path, "%s", strerror(-error));
	if (error < 0 && access(path, F_OK) < 0 && errno == ENOENT)
		doctor_mend(doctor, "cp /usr/share/doc/dsr/examples/%s.conf %s", service->program,
			doctor_word(path, word));
	if (error == 0)
		service_judge_differences(service, report, path, doctor);
}

void service_judge_boot(const struct service *service, struct doctor *doctor)
{
	if (!service->has_systemd)
		doctor_ok(doctor, service->program, "this host has no systemd: its start is yours");
	else if (!service->has_unit)
		doctor_ok(doctor, service->program, "has no unit: its start is yours");
	else if (service->is_enabled)
		doctor_ok(doctor, service->program, "starts at boot");
	else {
		doctor_warn(doctor, service->program, "is not started at boot");
		doctor_mend(doctor, "systemctl enable %s", service->program);
	}
}
