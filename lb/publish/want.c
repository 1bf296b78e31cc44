/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Publication: what each service's table must be like, asked of the registry for all services in one
 * walk over the backends and what they belong to. In the order of addresses, so that nothing is
 * left to be sorted.
 */
#include "lb/publish/want.h"

#include "common/grow.h"
#include "lb/fwd/hash.h"

static void want_clear(struct want *want)
{
	free(want->members);
	free(want->alive);
	*want = (struct want){ 0 };
}

void want_list_free(struct want *wants, size_t len)
{
	for (size_t i = 0; wants && i < len; i++)
		want_clear(&wants[i]);
	free(wants);
}

/* Weights are in percent, as in slow start; want_finish() takes that out again. */
static int want_add(
	struct want *want, const struct backend *backend, const struct registry_member *member)
{
	if (backend->takes_flows) {
		if (GROW(want->alive, want->n_alive) < 0)
			return -ENOMEM;
		want->alive[want->n_alive++] = backend->id;
	}
	if (member->effective_weight == 0)
		return 0;
	if (GROW(want->members, want->n_members) < 0)
		return -ENOMEM;
	want->ramps |= member->ramp_percent < 100;
	want->members[want->n_members++] = (struct table_member){ backend->address, backend->id,
		member->effective_weight * member->ramp_percent };
	return 0;
}

/*
 * Slow start. While one member ramps, the weights of all are in percent, so that also a weight of 1
 * has its 20 %; that alone moves no row, because only ratios count. Else they are as
 * configured, and the digest is the one that it was before.
 */
static void want_finish(struct want *want)
{
	uint64_t hash = want->timeout_s;

	for (size_t i = 0; i < want->n_members; i++) {
		if (!want->ramps)
			want->members[i].weight /= 100;
		hash = hash_word(
			hash, (uint64_t)want->members[i].id << 32 | want->members[i].weight);
	}
	for (size_t i = 0; i < want->n_alive; i++)
		hash = hash_word(hash, want->alive[i]);
	want->fingerprint = hash_finish(hash, 0);
}

static int want_add_services(const struct registry *registry, const struct backend *backend,
	const uint32_t *positions, struct want *wants)
{
	size_t len = registry_memberships(registry, backend);
	int r = 0;

	for (size_t i = 0; r == 0 && i < len; i++) {
		const struct registry_member member = registry_membership(registry, backend, i);

		if (member.serves && positions[member.service] > 0)
			r = want_add(&wants[positions[member.service] - 1], backend, &member);
	}
	return r;
}

/* How long a row is asked for flows that began at its base: as long as the longest that it serves may be silent. */
static uint32_t want_timeout_s(const struct config_virtual_server *server)
{
	bool has_tcp = config_serves(server, CONFIG_TCP) || config_serves(server, CONFIG_SCTP);
	uint64_t tcp_us = has_tcp ? server->tcp_timeout_us : 0;
	uint64_t udp_us = config_serves(server, CONFIG_UDP) ? server->udp_timeout_us : 0;
	uint64_t timeout_us = MAX(tcp_us, udp_us);

	return (uint32_t)MAX(timeout_us / US_PER_S, UINT64_C(1));
}

int want_list_new(const struct registry *registry, const struct service_list *services,
	struct want **ret_wants)
{
	struct want *wants = calloc(services->len + 1, sizeof(*wants));
	int r = wants ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < registry_len(registry); i++) {
		const struct backend *backend = registry_backend_by_address(registry, i);

		if (backend->takes_flows || backend->takes_new)
			r = want_add_services(registry, backend, services->positions, wants);
	}
	if (r < 0) {
		want_list_free(wants, services->len);
		return r;
	}
	for (size_t i = 0; i < services->len; i++) {
		wants[i].timeout_s = want_timeout_s(services->items[i].virtual_server);
		want_finish(&wants[i]);
	}
	*ret_wants = wants;
	return 0;
}

bool want_records_flows(const struct config_virtual_server *virtual_server)
{
	return virtual_server->scheduler == CONFIG_RR || virtual_server->scheduler == CONFIG_LC ||
		virtual_server->persistence_us > 0;
}
