/* SPDX-License-Identifier: GPL-2.0-or-later */
/* To JSON and back: see document.h. */
#include "lb/daemon/document.h"

#include <sodium.h>

#include "common/os/clock.h"
#include "common/log.h"
#include "lb/config/service.h"
#include "lb/daemon/balancer.h"
#include "lb/daemon/role.h"
#include "lb/link/announce.h"
#include "lb/link/vip_probe.h"
#include "lb/publish/publish.h"
#include "lb/session/session.h"
#include "lb/state/keep.h"

#define DOCUMENT_LAYOUT 1

static json_t *document_hex(const void *data, size_t size_bytes)
{
	char text[2 * 64 + 1];

	if (size_bytes > sizeof(text) / 2)
		return NULL;
	return json_string(sodium_bin2hex(text, sizeof(text), data, size_bytes));
}

static bool document_get_hex(const json_t *object, const char *name, void *ret, size_t size_bytes)
{
	const char *text = json_string_value(json_object_get(object, name));
	size_t got = 0;

	return text && strlen(text) == 2 * size_bytes &&
		sodium_hex2bin(ret, size_bytes, text, strlen(text), NULL, &got, NULL) == 0 &&
		got == size_bytes;
}

static bool document_get_u64(const json_t *object, const char *name, uint64_t max, uint64_t *ret)
{
	const json_t *value = json_object_get(object, name);

	/* jansson's integers are signed; ours are kept bit by bit. */
	if (!json_is_integer(value) || (uint64_t)json_integer_value(value) > max)
		return false;
	*ret = (uint64_t)json_integer_value(value);
	return true;
}

static bool document_get_addr(const json_t *object, const char *name, struct addr *ret)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text && addr_parse(text, ret) == 0;
}

/* Backends. */

static json_t *document_vips(const struct backend *backend)
{
	json_t *array = json_array();
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < backend->status.n_vips; i++) {
		const struct backend_vip *vip = &backend->status.vips[i];

		json_array_append_new(array,
			json_pack("{s:s, s:b, s:b, s:I}", "address",
				addr_format(&vip->address, text), "present", vip->present, "silent",
				vip->silent, "established", (json_int_t)vip->established));
	}
	return array;
}

/* What was said of the weight in all virtual servers, and in those that were named: "7", "50%". */
static json_t *document_words(const struct weight_words *words)
{
	char text[WEIGHT_TEXT_BYTES];
	json_t *named = json_object();

	ARRAY_FOREACH (each, words->named, words->n_named)
		json_object_set_new(
			named, each->virtual_server, json_string(weight_format(each->word, text)));
	return json_pack("{s:s, s:o}", "all", weight_format(words->all, text), "named", named);
}

static bool document_read_named(const json_t *named, struct weight_words *words)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)named, name, value) {
		const char *text = json_string_value(value);
		struct weight_word word;

		if (!text || weight_parse(text, &word) < 0 || strlen(name) >= WEIGHT_NAME_BYTES ||
			weight_say(words, name, &word) < 0)
			return false;
	}
	return true;
}

/* Documents of versions that had one weight in all virtual servers have that, and whether it was said. */
static bool document_read_words(const json_t *item, struct weight_words *ret_words)
{
	const json_t *words = json_object_get(item, "words");
	const char *all = json_string_value(json_object_get(words, "all"));
	uint64_t weight;

	if (words)
		return all && weight_parse(all, &ret_words->all) == 0 &&
			document_read_named(json_object_get(words, "named"), ret_words);
	if (!document_get_u64(item, "weight", WEIGHT_MAX, &weight))
		return false;
	if (json_is_true(json_object_get(item, "weight_set")))
		ret_words->all = (struct weight_word){ WEIGHT_NUMBER, (uint32_t)weight };
	return true;
}

/* For versions that know no words: the weight that was said of all, or the agent's. */
static json_int_t document_weight(const struct weight_words *words, uint32_t configured)
{
	return (json_int_t)weight_of(&(struct weight_words){ .all = words->all }, "", configured);
}

static json_t *document_backend(const struct backend *backend)
{
	char address[ADDR_STRLEN], mac[MAC_STRLEN];

	return json_pack(
		"{s:i, s:s, s:s, s:s, s:i, s:i, s:s, s:I, s:i, s:b, s:b, s:I, s:b, s:b, s:i, s:s, s:I, "
		"s:I, s:s, s:b, s:i, s:o, s:o, s:i}",
		"id", (int)backend->id, "name", backend->name, "address",
		addr_format(&backend->address, address), "mac", mac_format(&backend->mac, mac),
		"source", (int)backend->source, "state", (int)backend->state, "reason",
		backend->reason, "since_us", (json_int_t)backend->since_us, "admin",
		(int)backend->admin, "approved", backend->approved, "rejected", backend->rejected,
		"weight", document_weight(&backend->words, backend->status.weight), "weight_set",
		backend->words.all.kind != WEIGHT_CONFIGURED, "kept", backend->kept, "agent_state",
		(int)backend->status.state, "agent_reason", backend->status.reason, "challenge_us",
		(json_int_t)backend->challenge_us, "session_id", (json_int_t)backend->session_id,
		"key_id", backend->key_id, "key_bound", backend->key_bound, "protocol",
		(int)backend->protocol, "vips", document_vips(backend), "words",
		document_words(&backend->words), "agent_weight", (int)backend->status.weight);
}

static bool document_read_vips(const json_t *array, struct backend_status *status)
{
	size_t idx;
	json_t *item;

	if (!json_is_array(array) || json_array_size(array) > PROTO_VIPS_MAX)
		return false;
	status->vips = calloc(json_array_size(array) + 1, sizeof(*status->vips));
	if (!status->vips)
		return false;
	json_array_foreach (array, idx, item) {
		struct backend_vip *vip = &status->vips[idx];
		uint64_t established;

		if (!document_get_addr(item, "address", &vip->address) ||
			!document_get_u64(item, "established", UINT32_MAX, &established))
			return false;
		vip->present = json_is_true(json_object_get(item, "present"));
		vip->silent = json_is_true(json_object_get(item, "silent"));
		vip->established = (uint32_t)established;
	}
	status->n_vips = (uint16_t)json_array_size(array);
	return true;
}

static bool document_read_numbers(const json_t *item, struct backend *backend)
{
	uint64_t id, source, state, admin, weight, agent_state;

	if (!document_get_u64(item, "id", FWD_ID_MAX, &id) || id == 0 ||
		!document_get_u64(item, "source", BACKEND_SOURCE_N_ - 1, &source) ||
		!document_get_u64(item, "state", BACKEND_STATE_N_ - 1, &state) ||
		!document_get_u64(item, "admin", BACKEND_ADMIN_N_ - 1, &admin) ||
		!document_get_u64(item, "weight", UINT16_MAX, &weight) ||
		!document_get_u64(item, "agent_state", PROTO_STATE_N_ - 1, &agent_state) ||
		!document_get_u64(item, "since_us", UINT64_MAX, &backend->since_us) ||
		!document_get_u64(item, "challenge_us", UINT64_MAX, &backend->challenge_us) ||
		!document_get_u64(item, "session_id", UINT64_MAX, &backend->session_id))
		return false;
	backend->id = (uint16_t)id;
	backend->source = (enum backend_source)source;
	backend->state = (enum backend_state)state;
	backend->admin = (enum backend_admin)admin;
	/* Documents of versions that did not keep it have none. */
	(void)document_get_u64(item, "agent_weight", UINT16_MAX, &weight);
	backend->status.weight = (uint16_t)weight;
	backend->status.state = (enum proto_state)agent_state;
	return true;
}

static void document_clear_backend(struct backend *backend)
{
	weight_clear(&backend->words);
	agent_status_clear(&backend->status);
}

/* To be cleared. */
static bool document_read_backend(const json_t *item, struct backend *ret_backend)
{
	struct backend backend = { 0 };
	uint64_t protocol = 0;
	const char *name, *mac, *reason, *agent_reason;
	/* Documents of versions that did not keep it have none. */
	const char *key_id = json_string_value(json_object_get(item, "key_id"));

	if (json_unpack((json_t *)item, "{s:s, s:s, s:s, s:s}", "name", &name, "mac", &mac,
		    "reason", &reason, "agent_reason", &agent_reason) < 0 ||
		!document_get_addr(item, "address", &backend.address) ||
		!document_read_numbers(item, &backend) || strlen(name) >= sizeof(backend.name))
		return false;
	if (!document_read_words(item, &backend.words) ||
		!document_read_vips(json_object_get(item, "vips"), &backend.status)) {
		document_clear_backend(&backend);
		return false;
	}
	(void)mac_parse(mac, &backend.mac); /* all zero is "unknown", and no MAC to the parser */
	snprintf(backend.name, sizeof(backend.name), "%s", name);
	snprintf(backend.reason, sizeof(backend.reason), "%s", reason);
	snprintf(backend.status.reason, sizeof(backend.status.reason), "%s", agent_reason);
	snprintf(backend.key_id, sizeof(backend.key_id), "%s", key_id ? key_id : "");
	backend.key_bound = json_is_true(json_object_get(item, "key_bound"));
	(void)document_get_u64(item, "protocol", PROTO_VERSION, &protocol);
	backend.protocol = (uint8_t)protocol;
	backend.approved = json_is_true(json_object_get(item, "approved"));
	backend.rejected = json_is_true(json_object_get(item, "rejected"));
	backend.kept = json_is_true(json_object_get(item, "kept"));
	*ret_backend = backend;
	return true;
}

/* Services that may get clients as far as their paths go; those without a check too, which a next start may have. */
static json_t *document_paths(const struct registry *registry, const struct backend *backend)
{
	json_t *array = json_array();

	for (size_t i = 0; i < registry_memberships(registry, backend); i++) {
		struct registry_member member = registry_membership(registry, backend, i);

		if (member.proven)
			json_array_append_new(array, json_integer(member.service));
	}
	return array;
}

/* Documents of versions that did not keep them have none. 0 or negative errno. */
static int document_restore_paths(struct registry *registry, uint16_t backend, const json_t *array)
{
	_cleanup_free_ uint16_t *services = NULL;
	size_t idx;
	json_t *item;

	if (!json_is_array(array) || json_array_size(array) > FWD_ID_MAX)
		return 0;
	services = calloc(json_array_size(array) + 1, sizeof(*services));
	if (!services)
		return -ENOMEM;
	json_array_foreach (array, idx, item)
		services[idx] = (uint16_t)json_integer_value(item);
	return registry_restore_paths(registry, backend, services, idx);
}

/* What was said of backends that left. */

static json_t *document_overrides(const struct registry *registry)
{
	json_t *array = json_array();
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < registry_overrides_len(registry); i++) {
		const struct registry_override *override = registry_override_at(registry, i);

		json_array_append_new(array,
			json_pack("{s:s, s:s, s:i, s:I, s:b, s:b, s:b, s:s, s:b, s:o}", "name",
				override->name, "address", addr_format(&override->address, text),
				"admin", (int) override->admin, "weight",
				document_weight(&override->words, 1), "weight_set",
				override->words.all.kind != WEIGHT_CONFIGURED, "approved",
				override->approved, "rejected", override->rejected, "key_id",
				override->key_id, "key_bound", override->key_bound, "words",
				document_words(&override->words)));
	}
	return array;
}

static bool document_read_override(const json_t *item, struct registry_override *ret_override)
{
	const char *name = json_string_value(json_object_get(item, "name"));
	struct registry_override override = {
		.approved = json_is_true(json_object_get(item, "approved")),
		.rejected = json_is_true(json_object_get(item, "rejected")),
		.key_bound = json_is_true(json_object_get(item, "key_bound")),
	};
	const char *key_id = json_string_value(json_object_get(item, "key_id"));
	uint64_t admin;

	if (!name || strlen(name) >= sizeof(override.name) ||
		!document_get_addr(item, "address", &override.address) ||
		!document_get_u64(item, "admin", BACKEND_ADMIN_N_ - 1, &admin))
		return false;
	if (!document_read_words(item, &override.words)) {
		weight_clear(&override.words);
		return false;
	}
	memcpy(override.name, name, strlen(name) + 1);
	snprintf(override.key_id, sizeof(override.key_id), "%s", key_id ? key_id : "");
	override.admin = (enum backend_admin)admin;
	*ret_override = override;
	return true;
}

/* Sessions. */

static json_t *document_session(const struct session_kept *kept)
{
	char local[ADDR_STRLEN], remote[ADDR_STRLEN];

	return json_pack(
		"{s:i, s:I, s:s, s:i, s:s, s:o, s:o, s:I, s:I, s:I, s:s, s:I, s:I, s:i, s:i}",
		"backend", (int)kept->backend, "session_id", (json_int_t)kept->session_id, "remote",
		addr_format(&kept->path.remote.addr, remote), "port", (int)kept->path.remote.port,
		"local", addr_format(&kept->path.local, local), "to_agent",
		document_hex(kept->keys.to_agent, AUTH_KEY_BYTES), "to_balancer",
		document_hex(kept->keys.to_balancer, AUTH_KEY_BYTES), "replay_newest",
		(json_int_t)kept->replay.newest, "replay_seen", (json_int_t)kept->replay.seen,
		"sequence", (json_int_t)kept->sequence, "key_id", kept->key_id, "key_fingerprint",
		(json_int_t)kept->key_fingerprint, "weight_max", (json_int_t)kept->weight_max,
		"n_vips", (int)kept->n_vips, "protocol", (int)kept->version);
}

static bool document_read_session(const json_t *item, struct session_kept *ret_kept)
{
	const char *key_id = json_string_value(json_object_get(item, "key_id"));
	uint64_t backend, port, weight_max, n_vips, version;

	if (!key_id || strlen(key_id) > PROTO_KEY_ID_MAX ||
		!document_get_u64(item, "backend", FWD_ID_MAX, &backend) ||
		!document_get_u64(item, "port", UINT16_MAX, &port) ||
		!document_get_u64(item, "weight_max", UINT32_MAX, &weight_max) ||
		!document_get_u64(item, "n_vips", PROTO_VIPS_MAX, &n_vips) ||
		!document_get_u64(item, "session_id", UINT64_MAX, &ret_kept->session_id) ||
		!document_get_u64(item, "replay_newest", UINT64_MAX, &ret_kept->replay.newest) ||
		!document_get_u64(item, "replay_seen", UINT64_MAX, &ret_kept->replay.seen) ||
		!document_get_u64(item, "sequence", UINT64_MAX, &ret_kept->sequence) ||
		!document_get_u64(
			item, "key_fingerprint", UINT64_MAX, &ret_kept->key_fingerprint) ||
		!document_get_hex(item, "to_agent", ret_kept->keys.to_agent, AUTH_KEY_BYTES) ||
		!document_get_hex(
			item, "to_balancer", ret_kept->keys.to_balancer, AUTH_KEY_BYTES) ||
		!document_get_addr(item, "remote", &ret_kept->path.remote.addr))
		return false;
	/* An unspecified local address is written as "" and stays unspecified. */
	(void)document_get_addr(item, "local", &ret_kept->path.local);
	ret_kept->backend = (uint16_t)backend;
	ret_kept->path.remote.port = (uint16_t)port;
	ret_kept->weight_max = (uint32_t)weight_max;
	ret_kept->n_vips = (uint16_t)n_vips;
	/* Up to 1.0 there was one version, and nothing said so. */
	ret_kept->version = document_get_u64(item, "protocol", PROTO_VERSION, &version)
		? (uint8_t)version
		: PROTO_VERSION_1;
	snprintf(ret_kept->key_id, sizeof(ret_kept->key_id), "%s", key_id);
	return true;
}

/* VIPs that are not announced, as somebody has them: a restart must not make us their second owner. */
static json_t *document_held(const struct announce *announce)
{
	struct vip_probe_set set = { 0 };
	json_t *array = json_array();
	char text[ADDR_STRLEN];

	if (announce)
		(void)announce_list_held(announce, &set);
	for (size_t i = 0; i < set.len; i++)
		json_array_append_new(array, json_string(addr_format(&set.vips[i], text)));
	vip_probe_set_clear(&set);
	return array;
}

json_t *document_make(const struct balancer *balancer)
{
	json_t *backends = json_array(), *sessions = json_array();
	struct role_status role = role_status(balancer->role);

	for (size_t i = 0; i < registry_len(balancer->registry); i++) {
		const struct backend *backend = registry_backend_at(balancer->registry, i);
		struct session_kept kept = { 0 };
		json_t *document;

		document = document_backend(backend);
		json_object_set_new(document, "paths", document_paths(balancer->registry, backend));
		json_array_append_new(backends, document);
		if (session_export(balancer->sessions, backend->id, &kept) == 0)
			json_array_append_new(sessions, document_session(&kept));
		sodium_memzero(&kept, sizeof(kept));
	}
	return json_pack("{s:i, s:s, s:I, s:s, s:I, s:b, s:b, s:I, s:o, s:o, s:o, s:o, s:o, s:o}",
		"layout", DOCUMENT_LAYOUT, "host_boot", keep_boot(balancer->keep), "saved_us",
		(json_int_t)clock_now_us(), "version", DSR_VERSION, "boot_id",
		(json_int_t)balancer->boot_id, "standby", role.standby, "active", role.was_active,
		"lingers_until_us", (json_int_t)role.until_us, "services",
		service_ids_export(balancer->service_ids), "tables",
		publish_export(balancer->publish), "backends", backends, "departed",
		document_overrides(balancer->registry), "sessions", sessions, "held_vips",
		document_held(balancer->announce));
}

void document_restore(struct balancer *balancer, const json_t *document)
{
	uint64_t now_us = clock_now_us(), until_us = 0;
	size_t idx;
	json_t *item;

	role_set_standby(balancer->role, json_is_true(json_object_get(document, "standby")));
	if (!document_get_u64(
		    document, "lingers_until_us", now_us + CONFIG_LINGER_MAX_US, &until_us))
		until_us = 0;
	role_restore(balancer->role, json_is_true(json_object_get(document, "active")), until_us);
	service_ids_import(balancer->service_ids, json_object_get(document, "services"));
	publish_import(balancer->publish, json_object_get(document, "tables"));
	json_array_foreach (json_object_get(document, "backends"), idx, item) {
		struct backend backend = { 0 };

		if (!document_read_backend(item, &backend) ||
			registry_restore(balancer->registry, &backend, now_us) < 0 ||
			document_restore_paths(
				balancer->registry, backend.id, json_object_get(item, "paths")) < 0)
			log_warning("a kept backend (entry %zu) is damaged; it must register anew",
				idx);
		document_clear_backend(&backend);
	}
	/* Documents of versions that did not keep them have none; and none of those that departed. */
	json_array_foreach (json_object_get(document, "held_vips"), idx, item) {
		struct addr vip;

		if (balancer->announce && json_is_string(item) &&
			addr_parse(json_string_value(item), &vip) == 0)
			(void)announce_expect_held(balancer->announce, &vip);
	}
	json_array_foreach (json_object_get(document, "departed"), idx, item) {
		struct registry_override override = { 0 };

		if (!document_read_override(item, &override) ||
			registry_restore_override(balancer->registry, &override) < 0)
			log_warning(
				"what was said of a backend that left (entry %zu) is damaged", idx);
		weight_clear(&override.words);
	}
	json_array_foreach (json_object_get(document, "sessions"), idx, item) {
		struct session_kept kept = { 0 };

		if (!document_read_session(item, &kept) ||
			session_import(balancer->sessions, &kept, clock_now_us()) < 0)
			log_info(
				"a kept session (entry %zu) is not usable; its agent registers anew",
				idx);
		sodium_memzero(&kept, sizeof(kept));
	}
}

/* Up to 1.0 the document had the id without its hyphens. */
static bool document_is_boot(const char *kept, const char *host_boot)
{
	while (*kept && *host_boot) {
		host_boot += *host_boot == '-' && *kept != '-';
		if (*kept++ != *host_boot++)
			return false;
	}
	return *kept == *host_boot;
}

uint64_t document_boot_id(const json_t *document, const char *host_boot, uint64_t now_us)
{
	const char *kept = json_string_value(json_object_get(document, "host_boot"));
	const json_t *saved = json_object_get(document, "saved_us");
	uint64_t boot_id = 0, saved_us = 0;

	if (!kept || !document_is_boot(kept, host_boot) ||
		json_integer_value(json_object_get(document, "layout")) != DOCUMENT_LAYOUT ||
		(saved && !document_get_u64(document, "saved_us", INT64_MAX, &saved_us)) ||
		saved_us > now_us || !document_get_u64(document, "boot_id", UINT64_MAX, &boot_id))
		return 0;
	return boot_id;
}
