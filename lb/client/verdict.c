/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is worst comes first, as the exit status of `status` judges it: see verdict.h. */
#include "lb/client/verdict.h"

#include "common/json_text.h"

struct verdict_farm {
	size_t n_servers, n_ready;
	const json_t *not_ready; /* the first virtual server that is none */
	const json_t *odd;       /* the first that is, and has a reason */
	size_t n_backends, n_up; /* each once for each of its virtual servers */
	const json_t *not_up;    /* the first backend that is none */
};

static void verdict_count(const json_t *document, struct verdict_farm *ret_farm)
{
	struct verdict_farm farm = { 0 };
	const json_t *server, *backend;
	size_t idx, backend_idx;

	json_array_foreach (json_object_get(document, "virtual_servers"), idx, server) {
		bool ready = json_is_true(json_object_get(server, "ready"));

		farm.n_servers++;
		farm.n_ready += ready;
		if (!ready && !farm.not_ready)
			farm.not_ready = server;
		if (ready && !farm.odd && json_text(server, "ready_reason")[0])
			farm.odd = server;
		json_array_foreach (json_object_get(server, "backends"), backend_idx, backend) {
			bool up = streq(json_text(backend, "state"), "up");

			farm.n_backends++;
			farm.n_up += up;
			if (!up && !farm.not_up)
				farm.not_up = backend;
		}
	}
	*ret_farm = farm;
}

/* The command for what an administrator did; for all else doctor knows more. */
static void verdict_of_backend(const struct verdict_farm *farm, char *buffer, size_t size_bytes)
{
	const char *name = json_text(farm->not_up, "name"),
		   *state = json_text(farm->not_up, "state");
	bool wanted = streq(state, "drain") || streq(state, "maint");

	snprintf(buffer, size_bytes,
		"Degraded: %zu of %zu backends are not up; %s is %s (%s). `dsr-lb %s%s` %s.",
		farm->n_backends - farm->n_up, farm->n_backends, name, state,
		json_text(farm->not_up, "reason"), wanted ? "enable " : "doctor",
		wanted ? name : "", wanted ? "ends that" : "says what mends it");
}

/* The first balancer with other tables; NULL: none. */
static const json_t *verdict_other(const json_t *document)
{
	const json_t *other;
	size_t idx;

	json_array_foreach (json_object_get(document, "balancers"), idx, other)
		if (json_array_size(json_object_get(other, "table_digests_differ")) > 0)
			return other;
	return NULL;
}

bool verdict_words(const json_t *document, char *buffer, size_t size_bytes)
{
	json_int_t health = json_integer_value(json_object_get(document, "health"));
	const json_t *control = json_object_get(document, "control");
	const json_t *claim = json_array_get(json_object_get(document, "claims"), 0);
	const char *inactive = json_text(document, "inactive_reason");
	const json_t *other = verdict_other(document);
	struct verdict_farm farm;

	verdict_count(document, &farm);
	if (health == 0 && inactive[0])
		snprintf(buffer, size_bytes, "All is well, but this balancer is not active: %s.",
			inactive);
	else if (health == 0)
		snprintf(buffer, size_bytes,
			"All is well: %zu of %zu virtual servers ready, %zu of %zu backends up.",
			farm.n_ready, farm.n_servers, farm.n_up, farm.n_backends);
	else if (farm.n_servers == 0)
		snprintf(buffer, size_bytes,
			"No service: no virtual server is configured. Write one into %s and `dsr-lb reload`.",
			json_text(document, "config_file"));
	else if (health >= 2 && farm.not_ready)
		snprintf(buffer, size_bytes,
			"No service for virtual server %s: %s. `dsr-lb doctor` says what mends it.",
			json_text(farm.not_ready, "name"),
			json_text(farm.not_ready, "ready_reason"));
	else if (farm.not_ready && !inactive[0])
		snprintf(buffer, size_bytes,
			"Degraded: virtual server %s is not ready: %s. `dsr-lb doctor` says what mends it.",
			json_text(farm.not_ready, "name"),
			json_text(farm.not_ready, "ready_reason"));
	else if (farm.odd)
		snprintf(buffer, size_bytes, "Degraded: %s. `dsr-lb doctor` says what mends it.",
			json_text(farm.odd, "ready_reason"));
	else if (farm.not_up)
		verdict_of_backend(&farm, buffer, size_bytes);
	else if (json_text(control, "listening_reason")[0])
		snprintf(buffer, size_bytes,
			"Degraded: agents are not heard: %s. `dsr-lb doctor` says what mends it.",
			json_text(control, "listening_reason"));
	else if (claim)
		snprintf(buffer, size_bytes,
			"Degraded: %s is claimed by %s too. `dsr-lb doctor` says what mends it.",
			json_text(claim, "vip"), json_text(claim, "mac"));
	else if (other)
		snprintf(buffer, size_bytes,
			"Degraded: the balancer %s has other tables than this one: make %s the same on both.",
			json_text(other, "address"),
			json_string_value(
				json_array_get(json_object_get(other, "table_digests_differ"), 0)));
	else
		snprintf(buffer, size_bytes,
			"%s. `dsr-lb doctor` says what is wrong and what mends it.",
			health >= 2 ? "No service" : "Degraded");
	return health == 0;
}
