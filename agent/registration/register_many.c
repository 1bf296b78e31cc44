/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See register_many.h. */
#include "agent/registration/register_many.h"

#include "common/proto/proto.h"
#include "common/proto/vips.h"

void register_many_say(
	const struct register_identity *identity, unsigned int number, struct proto_part *part)
{
	memcpy(part->key_id, identity->key.id, sizeof(part->key_id));
	memcpy(part->name, identity->name, sizeof(part->name));
	part->n_vips = (uint16_t)identity->n_vips;
	part->part = (uint8_t)number;
	memcpy(part->vips, &identity->vips[(size_t)number * PROTO_VIPS_PART],
		vips_in_part(identity->n_vips, number) * sizeof(part->vips[0]));
}

void register_many_count(struct register_many *many, struct proto_message *message)
{
	struct proto_status *status = &message->report.status;
	uint8_t buffer[PROTO_MESSAGE_MAX];
	int size;

	if (!vips_are_many(status->n_vips) || !many->established)
		return;
	status->many.first = status->many.n_counts = 0;
	size = proto_write(message, buffer);
	if (size > 0)
		many->next = vips_say_counts(
			status, many->established, many->next, PROTO_MESSAGE_MAX - (size_t)size);
}

/* Which VIPs to leave out is nobody's to choose: it does not serve there, and says why. */
void register_many_refuse(
	struct register_view *view, unsigned int version, size_t n_vips, uint64_t now_us)
{
	char name[ADDR_STRLEN];

	register_view_set(view, REGISTER_REFUSED, now_us,
		"%s speaks version %u of the protocol, which has no more than %u VIPs, and this agent has %zu: "
		"upgrade that balancer",
		addr_format(&view->balancer.addr, name), version, PROTO_VIPS_WHOLE, n_vips);
}
