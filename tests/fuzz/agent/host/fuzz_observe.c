/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parsers of rtnetlink messages over one message: header, payload and attributes of any kind. */
#include "agent/host/observe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_terminated(const char name[IFNAMSIZ])
{
	return memchr(name, '\0', IFNAMSIZ);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ struct nlmsghdr *message = NULL;
	struct host_address address;
	struct host_link link;
	struct addr source;
	unsigned int ifindex;

	if (size < sizeof(*message) || size > NL_BUFFER_BYTES)
		return 0;
	/*
	 * As long as the input, so that the sanitizer sees a step over the end; padded as messages
	 * are in any buffer: libmnl counts the padding in.
	 */
	message = calloc(1, MNL_ALIGN(size));
	if (!message)
		return 0;
	memcpy(message, data, size);
	/* The receiver has checked the length (mnl_nlmsg_ok) before any parser sees a message. */
	message->nlmsg_len = (uint32_t)size;
	if (observe_parse_link(message, &link) == 0 &&
		(link.ifindex == 0 || !is_terminated(link.name)))
		abort();
	if (observe_parse_address(message, &address) == 0 &&
		(address.ifindex == 0 || address.prefix_len > host_full_prefix(&address.addr) ||
			!is_terminated(address.label)))
		abort();
	if (observe_parse_route(message, &source, &ifindex) == 0 &&
		(ifindex == 0 || source.family == AF_UNSPEC))
		abort();
	return 0;
}
