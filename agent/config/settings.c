/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration + key file + name. Called by the daemon and by check-config. Must not know what is
 * done with them.
 */
#include "agent/config/settings.h"

#include <limits.h>

#include "agent/chance/chance.h"
#include "common/ini/ini_document.h"
#include "common/os/systemd.h"

#define SETTINGS_CREDENTIAL "key"

/* Lines for the caller, collected. */
struct settings_text {
	FILE *stream;
	char *buffer;
	size_t size_bytes;
};

/* Of a configuration that was refused, too, where it is known which file it names. */
static int settings_load_key(struct settings *settings, enum settings_keys keys)
{
	const char *file = ini_report_value(settings->report, "agent", NULL, "key-file");
	_cleanup_free_ char *path = NULL;
	struct why why = { 0 };
	int r;

	if (keys == SETTINGS_NO_KEYS)
		return 0;
	if (!file)
		return -EINVAL;
	r = systemd_key_path(file, CONFIG_DEFAULT_KEY_FILE, SETTINGS_CREDENTIAL, &path);
	if (r < 0)
		return r;
	r = (keys == SETTINGS_CHECK ? keyring_load_as_owner : keyring_load)(
		path, false, &settings->keys, &why);
	if (r >= 0 || r == -ENOMEM)
		return r;
	ini_report_add(settings->report, "agent", NULL, "key-file", "%s", why.text);
	return -EINVAL;
}

static int settings_choose_name(struct settings *settings)
{
	char host_name[HOST_NAME_MAX + 1];

	if (settings->config->name) {
		snprintf(settings->name, sizeof(settings->name), "%s", settings->config->name);
		return 0;
	}
	if (gethostname(host_name, sizeof(host_name)) < 0)
		host_name[0] = '\0';
	host_name[sizeof(host_name) - 1] = '\0';
	if (!proto_name_is_valid(host_name)) {
		ini_report_add(settings->report, "agent", NULL, "name",
			"the host name \"%s\" is no name for a backend; set name = in [agent]",
			host_name);
		return -EINVAL;
	}
	memcpy(settings->name, host_name, strlen(host_name) + 1);
	return 0;
}

/* A derived key is good for the name in its line alone. */
static int settings_check_name(const struct settings *settings)
{
	const struct keyring_key *key = settings->keys ? &settings->keys->keys[0] : NULL;

	if (!key || key->agent[0] == '\0' || streq(key->agent, settings->name))
		return 0;
	ini_report_add(settings->report, "agent", NULL,
		ini_report_is_set(settings->report, "agent", NULL, "name") ? "name" : "key-file",
		"key %s/%s is good for agent %s alone, and this one is %s; set name = %s, or get "
		"the key of %s by `dsr-lb token %s`",
		key->id, key->agent, key->agent, settings->name, key->agent, settings->name,
		settings->name);
	return -EINVAL;
}

/* Without the right to ask the kernel it is taken for one that can. */
static int settings_check_second_chance(const struct settings *settings)
{
	struct why why;
	int r = settings->config->second_chance ? chance_probe(&why) : 0;

	if (r == 0 || r == -EPERM)
		return 0;
	ini_report_add(settings->report, "agent", NULL, "second-chance", "%s; write no", why.text);
	return -EINVAL;
}

static uint16_t settings_choose_weight(const struct config *config)
{
	long n_cpus;

	if (config->weight != CONFIG_WEIGHT_AUTO)
		return (uint16_t)config->weight;
	n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	return n_cpus < 1 ? 1 : (uint16_t)MIN(n_cpus, 65535L);
}

static void settings_tell_report(const struct ini_report *report, struct settings_text *text)
{
	for (size_t idx = 0; idx < ini_report_warnings_len(report); idx++)
		fprintf(text->stream, "warning: %s\n", ini_report_warning(report, idx));
	for (size_t idx = 0; idx < ini_report_len(report); idx++)
		fprintf(text->stream, "%s\n", ini_report_line(report, idx));
}

static int settings_load_all(const char *config_path, enum settings_keys keys,
	struct settings *settings, struct settings_text *text)
{
	int r, r_key, r_name;

	r = config_load(config_path, &settings->config, &settings->report);
	if (r == -ENOMEM)
		return r;
	r_key = settings_load_key(settings, keys);
	if (r == 0) {
		r = r_key;
		r_name = settings_choose_name(settings);
		if (r == 0)
			r = r_name;
		if (r == 0)
			r = settings_check_name(settings);
		if (r == 0)
			r = settings_check_second_chance(settings);
		settings->weight = settings_choose_weight(settings->config);
	}
	settings_tell_report(settings->report, text);
	return r;
}

int settings_load(const char *config_path, enum settings_keys keys, struct settings **ret_settings,
	char **ret_text)
{
	_cleanup_(settings_freep) struct settings *settings = calloc(1, sizeof(*settings));
	struct settings_text text = { 0 };
	int r;

	if (!settings)
		return -ENOMEM;
	text.stream = open_memstream(&text.buffer, &text.size_bytes);
	if (!text.stream)
		return -ENOMEM;
	r = settings_load_all(config_path, keys, settings, &text);
	if (fclose(text.stream) != 0)
		r = -ENOMEM;
	if (r == -ENOMEM) {
		free(text.buffer);
		return r;
	}
	if (text.size_bytes == 0) {
		free(text.buffer);
		text.buffer = NULL;
	}
	/* The last line's end is whoever prints it. */
	if (text.buffer && text.buffer[text.size_bytes - 1] == '\n')
		text.buffer[text.size_bytes - 1] = '\0';
	*ret_text = text.buffer;
	if (r < 0)
		return -EINVAL;
	*ret_settings = TAKE_PTR(settings);
	return 0;
}

int settings_check_text(const char *path, const char *text, struct why *ret_why)
{
	_cleanup_(ini_report_freep) struct ini_report *report = NULL;
	_cleanup_(config_freep) struct config *config = NULL;
	int r = config_load_text(path, text, strlen(text), &config, &report);

	return r == -EINVAL ? why_fail(ret_why, r, "%s", ini_report_line(report, 0)) : r;
}

json_t *settings_document(const struct settings *settings)
{
	return ini_document(settings->report);
}

const char *settings_effective(const struct settings *settings, size_t idx)
{
	return ini_report_effective(settings->report, idx);
}

struct settings *settings_free(struct settings *settings)
{
	if (!settings)
		return NULL;
	config_free(settings->config);
	ini_report_free(settings->report);
	keyring_free(settings->keys);
	free(settings);
	return NULL;
}
