/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See udp_admit.h. */
#include "common/os/udp_admit.h"

#include <linux/filter.h>
#include <sys/socket.h>

/* Of an address of IPv6 four words, each loaded and compared; then a return. */
#define ADMIT_SOURCE_LEN 9u
#define ADMIT_LEN        (4u + UDP_ADMIT_MAX * ADMIT_SOURCE_LEN)

/* Where the IP header has them; the socket's filter begins behind it, at UDP's. */
struct admit_layout {
	uint32_t hop_limit, source;
	size_t words; /* of an address */
};
static const struct admit_layout admit_layout4 = { 8, 12, 1 };
static const struct admit_layout admit_layout6 = { 7, 8, 4 };

static size_t admit_write_source(
	const struct admit_layout *layout, const struct addr *source, struct sock_filter *code)
{
	size_t len = 0;

	for (size_t i = 0; i < layout->words; i++) {
		/* To the next source: over what is left of this one. */
		uint8_t over = (uint8_t)(2 * (layout->words - 1 - i) + 1);
		uint32_t word;

		memcpy(&word, &source->bytes[i * sizeof(word)], sizeof(word));
		code[len++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			(uint32_t)SKF_NET_OFF + layout->source + (uint32_t)(i * sizeof(word)));
		code[len++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, ntohl(word), 0, over);
	}
	code[len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
	return len;
}

int udp_admit(
	int fd, sa_family_t family, const struct addr *sources, size_t n_sources, uint8_t hop_limit)
{
	const struct admit_layout *layout = family == AF_INET ? &admit_layout4 : &admit_layout6;
	struct sock_filter code[ADMIT_LEN] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)SKF_NET_OFF + layout->hop_limit),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, hop_limit, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { .len = 3, .filter = code };

	if (n_sources > UDP_ADMIT_MAX)
		return -E2BIG;
	ARRAY_FOREACH (source, sources, n_sources)
		if (source->family == family)
			program.len += (unsigned short)admit_write_source(
				layout, source, &code[program.len]);
	code[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0
		? util_negative_errno()
		: 0;
}

void udp_admit_all(int fd)
{
	const int unused = 0;

	(void)setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof(unused));
}
