/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Behind everything else, where they are seen: see print_warnings.h. */
#include "lb/client/print_warnings.h"

#include "common/cli/cli.h"
#include "common/cli/cli_table.h"
#include "common/cli/cli_text.h"
#include "common/json_text.h"

static unsigned long long warn_count(const json_t *object)
{
	return (unsigned long long)json_integer_value(json_object_get(object, "count"));
}

static const char *warn_last(const json_t *object, char *age)
{
	return cli_format_age(json_number_value(json_object_get(object, "last_s")), age);
}

/* Why it is not active is said in the head already. */
static void warn_of_balancer(const struct cli *cli, const json_t *document)
{
	const char *deaf = json_text(json_object_get(document, "control"), "listening_reason");
	const char *reason = json_text(document, "reason");

	if (reason[0] && !json_text(document, "inactive_reason")[0])
		cli_text_say(cli, "warning: %s", reason);
	if (deaf[0])
		cli_text_say(cli, "warning: agents are not heard: %s", deaf);
}

static void warn_of_claims(const struct cli *cli, const json_t *document)
{
	const json_t *claim;
	char age[CLI_AGE_BYTES];
	size_t idx;

	json_array_foreach (json_object_get(document, "claims"), idx, claim) {
		const char *backend = json_text(claim, "backend");

		cli_text_say(cli, "warning: %s is claimed by %s (%s), %llu times, last %s ago",
			json_text(claim, "vip"), json_text(claim, "mac"),
			backend[0] ? backend : "not a backend", warn_count(claim),
			warn_last(claim, age));
	}
}

static bool warn_has_backend(const json_t *server, const char *name)
{
	const json_t *backend;
	size_t idx;

	json_array_foreach (json_object_get(server, "backends"), idx, backend)
		if (streq(json_text(backend, "name"), name))
			return true;
	return false;
}

/* Those that are up and yet have a reason; of the first virtual server that has them. */
static void warn_of_backends(const struct cli *cli, const json_t *document, size_t server_idx)
{
	const json_t *servers = json_object_get(document, "virtual_servers");
	const json_t *server = json_array_get(servers, server_idx), *backend;
	size_t idx;

	json_array_foreach (json_object_get(server, "backends"), idx, backend) {
		const char *name = json_text(backend, "name"),
			   *reason = json_text(backend, "reason");
		bool said = false;

		if (!streq(json_text(backend, "state"), "up") || !reason[0])
			continue;
		for (size_t before = 0; before < server_idx && !said; before++)
			said = warn_has_backend(json_array_get(servers, before), name);
		if (!said)
			cli_text_say(cli, "warning: backend %s: %s", name, reason);
	}
}

static void warn_of_refusals(const struct cli *cli, const json_t *document)
{
	const json_t *refused;
	char age[CLI_AGE_BYTES];
	size_t idx;

	json_array_foreach (json_object_get(document, "refusals"), idx, refused)
		cli_text_say(cli, "warning: %s: %s (%llu times, last %s ago)",
			json_text(refused, "address"), json_text(refused, "words"),
			warn_count(refused), warn_last(refused, age));
}

static void warn_of_differences(const struct cli *cli, const json_t *document)
{
	const json_t *other, *difference;
	size_t idx, at;

	json_array_foreach (json_object_get(document, "balancers"), idx, other)
		json_array_foreach (json_object_get(other, "differences"), at, difference)
			cli_text_say(cli,
				"warning: virtual server %s: the table of the balancer %s %s",
				json_text(difference, "virtual_server"),
				json_text(other, "address"), json_text(difference, "words"));
}

void print_warnings(const struct cli *cli, const json_t *document)
{
	const json_t *server;
	size_t idx;

	warn_of_balancer(cli, document);
	warn_of_claims(cli, document);
	json_array_foreach (json_object_get(document, "virtual_servers"), idx, server)
		warn_of_backends(cli, document, idx);
	warn_of_refusals(cli, document);
	warn_of_differences(cli, document);
}
