/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A few numbers: see versions.h. */
#include "agent/registration/handshake/versions.h"

#include "common/proto/vips.h"

bool versions_have_room(unsigned int version, size_t n_vips)
{
	return version >= PROTO_VERSION_VIPS || !vips_are_many(n_vips);
}

unsigned int versions_first(const struct versions *versions, size_t n_vips)
{
	return versions_have_room(versions->spoken, n_vips) ? versions->spoken : PROTO_VERSION;
}

unsigned int versions_next(unsigned int version)
{
	return version > PROTO_VERSION_1 ? version - 1 : PROTO_VERSION;
}

void versions_begin(struct versions *versions)
{
	versions->heard = 0;
}

void versions_hear(struct versions *versions, unsigned int version)
{
	versions->heard = MAX(versions->heard, version);
}

void versions_speak(struct versions *versions, unsigned int version)
{
	versions->spoken = version;
	versions->are_too_old = false;
}

unsigned int versions_too_old(struct versions *versions, unsigned int next, size_t n_vips)
{
	unsigned int heard = versions->heard;

	if (next != versions_first(versions, n_vips))
		return 0;
	versions->heard = 0;
	versions->are_too_old = heard != 0 && !versions_have_room(heard, n_vips);
	return versions->are_too_old ? heard : 0;
}
