/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Second chance in a build without BPF (XDP=0): it says so. */
#include "agent/chance/chance.h"

int chance_probe(struct why *ret_why)
{
	return why_fail(ret_why, -EOPNOTSUPP, "this dsr-agent was built without BPF (XDP=0)");
}

int chance_new(struct chance **ret_chance, struct why *ret_why)
{
	return chance_probe(ret_why);
}

struct chance *chance_free(struct chance *chance)
{
	return NULL;
}

int chance_follow(struct chance *chance, unsigned int ifindex, struct why *ret_why)
{
	return chance_probe(ret_why);
}

void chance_sweep(unsigned int ifindex)
{
}

int chance_serve(struct chance *chance, const struct addr *vips, size_t n_vips)
{
	return -EOPNOTSUPP;
}

int chance_take(struct chance *chance, const struct addr *balancer, const struct proto_peers *peers)
{
	return -EOPNOTSUPP;
}

int chance_program(const struct chance *chance)
{
	return -EOPNOTSUPP;
}

uint32_t chance_n_peers(const struct chance *chance)
{
	return 0;
}

void chance_count(const struct chance *chance, uint64_t *ret_taken, uint64_t *ret_passed_on)
{
	*ret_taken = *ret_passed_on = 0;
}
