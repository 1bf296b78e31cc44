/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Publication: what each service's table must be like, asked of the registry for all services in one
 * walk over the backends and what they belong to. In the order of addresses, so that nothing is
 * left to be sorted.
 */
#include "lb/fwd/hash.h"
#include "lb/publish/publish_internal.h"

void publish_want_clear(struct publish_want *want)
{
	free(want->members);
	free(want->alive);
	*want = (struct publish_want){ 0 };
}

void publish_wants_free(struct publish_want *wants, size_t len)
{
	for (size_t i = 0; wants && i < len; i++)
		publish_want_clear(&wants[i]);
	free(wants);
}

/* Room for one more where the array is full: lengths that are powers of two. */
static void *publish_grow(void *array, size_t len, size_t element_bytes)
{
	if (len & (len - 1))
		return array;
	return reallocarray(array, len ? 2 * len : 1, element_bytes);
}

/* Weights are in percent, as in slow start; publish_want_finish() takes that out again. */
static int publish_want_add(
	struct publish_want *want, const struct backend *backend, uint8_t ramp_percent)
{
	struct table_member *members;
	uint16_t *alive;

	if (backend->takes_flows) {
		alive = publish_grow(want->alive, want->n_alive, sizeof(*alive));
		if (!alive)
			return -ENOMEM;
		want->alive = alive;
		alive[want->n_alive++] = backend->id;
	}
	if (backend->effective_weight == 0)
		return 0;
	members = publish_grow(want->members, want->n_members, sizeof(*members));
	if (!members)
		return -ENOMEM;
	want->members = members;
	want->ramps |= ramp_percent < 100;
	members[want->n_members++] = (struct table_member){ backend->address, backend->id,
		backend->effective_weight * ramp_percent };
	return 0;
}

/*
 * Slow start. While one member ramps, the weights of all are in percent, so that also a weight of 1
 * has its 20 %; that alone moves no row, because only ratios count. Else they are as
 * configured, and the digest is the one that it was before.
 */
static void publish_want_finish(struct publish_want *want)
{
	uint64_t hash = want->tcp_timeout_s;

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

static int publish_wants_add(const struct registry *registry, const struct backend *backend,
	const uint32_t *positions, struct publish_want *wants)
{
	size_t len = registry_memberships(registry, backend);
	int r = 0;

	for (size_t i = 0; r == 0 && i < len; i++) {
		const struct registry_member member = registry_membership(registry, backend, i);

		if (member.serves && positions[member.service] > 0)
			r = publish_want_add(&wants[positions[member.service] - 1], backend,
				member.ramp_percent);
	}
	return r;
}

int publish_wants_new(const struct registry *registry, const struct service_list *services,
	struct publish_want **ret_wants)
{
	struct publish_want *wants = calloc(services->len + 1, sizeof(*wants));
	int r = wants ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < registry_len(registry); i++) {
		const struct backend *backend = registry_backend_by_address(registry, i);

		if (backend->takes_flows || backend->effective_weight > 0)
			r = publish_wants_add(registry, backend, services->positions, wants);
	}
	if (r < 0) {
		publish_wants_free(wants, services->len);
		return r;
	}
	for (size_t i = 0; i < services->len; i++) {
		uint64_t tcp_timeout_us = services->items[i].virtual_server->tcp_timeout_us;

		wants[i].tcp_timeout_s = (uint32_t)MAX(tcp_timeout_us / US_PER_S, UINT64_C(1));
		publish_want_finish(&wants[i]);
	}
	*ret_wants = wants;
	return 0;
}
