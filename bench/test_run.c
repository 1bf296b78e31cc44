/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an attached program needs for a frame, by the kernel's own clock (BPF_PROG_TEST_RUN):
 *
 *	test_run xdp|tc INTERFACE DESTINATION-MAC VIP
 *
 * Runs the native XDP program of an interface, or the one at its tc ingress, on one TCP frame, time
 * and again. A program that is repeated within a call finds the frame as it left it, and it left
 * another MAC address there: so each call runs it once, on a fresh frame. Prints the median of the
 * single runs in nanoseconds (the two looks at the clock are among them: compare with a program
 * that does nothing) and the verdict. Everything that is looked up is in cache.
 */
#include <arpa/inet.h>
#include <err.h>
#include <net/if.h>
#include <netinet/in.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_ether.h>

#include "common/util.h"

#define FRAME_BYTES        60u
#define RUNS               20001u
#define ATTACH_TCX_INGRESS 46 /* enum bpf_attach_type: BPF_TCX_INGRESS, which older headers lack */
#define PROGRAMS_MAX       8u
/* Of lb/engine/bpf/attach.c. */
#define CLASSIFIER_HANDLE   0xd5au
#define CLASSIFIER_PRIORITY 0xd5au

static int open_xdp(int ifindex)
{
	uint32_t id = 0;
	int r = bpf_xdp_query_id(ifindex, 0, &id);

	if (r < 0 || id == 0)
		errx(1, "no XDP program");
	return bpf_prog_get_fd_by_id(id);
}

/* At the tcx hook, or the classifier that our tc engine puts at clsact. */
static int open_tc(int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, classifier, .handle = CLASSIFIER_HANDLE,
		.priority = CLASSIFIER_PRIORITY);
	uint32_t ids[PROGRAMS_MAX], n = PROGRAMS_MAX, flags;

	if (bpf_prog_query(ifindex, ATTACH_TCX_INGRESS, 0, &flags, ids, &n) == 0 && n > 0)
		return bpf_prog_get_fd_by_id(ids[0]);
	if (bpf_tc_query(&hook, &classifier) < 0)
		errx(1, "no program at tc ingress");
	return bpf_prog_get_fd_by_id(classifier.prog_id);
}

static void parse_mac(const char *text, uint8_t *ret_mac)
{
	unsigned int bytes[ETH_ALEN];

	if (sscanf(text, "%x:%x:%x:%x:%x:%x", &bytes[0], &bytes[1], &bytes[2], &bytes[3], &bytes[4],
		    &bytes[5]) != ETH_ALEN)
		errx(64, "%s: not a MAC address", text);
	for (size_t i = 0; i < ETH_ALEN; i++)
		ret_mac[i] = (uint8_t)bytes[i];
}

/* An acknowledgement from 10.1.0.1 to port 80. */
static void fill(uint8_t frame[FRAME_BYTES], const char *mac, const char *vip)
{
	static const uint8_t headers[] = { 2, 0, 0, 0, 0, 0xfe, 8, 0, /* source MAC, IPv4 */
		0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, IPPROTO_TCP, 0, 0, 10, 1, 0, 1 };
	static const uint8_t tcp[] = { 0x30, 0x39, 0, 80, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10 };
	struct in_addr address;

	memset(frame, 0, FRAME_BYTES);
	parse_mac(mac, frame);
	memcpy(frame + ETH_ALEN, headers, sizeof(headers));
	if (inet_pton(AF_INET, vip, &address) != 1)
		errx(64, "%s: not an IPv4 address", vip);
	memcpy(frame + 30, &address, sizeof(address));
	memcpy(frame + 34, tcp, sizeof(tcp));
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static uint32_t durations_ns[RUNS];
	uint8_t frame[FRAME_BYTES];
	uint32_t verdict = 0;
	int ifindex, fd;

	if (argc != 5 || (!streq(argv[1], "xdp") && !streq(argv[1], "tc")))
		errx(64, "usage: test_run xdp|tc INTERFACE DESTINATION-MAC VIP");
	ifindex = (int)if_nametoindex(argv[2]);
	if (ifindex == 0)
		err(1, "%s", argv[2]);
	fd = streq(argv[1], "xdp") ? open_xdp(ifindex) : open_tc(ifindex);
	if (fd < 0)
		err(1, "cannot open the program");
	fill(frame, argv[3], argv[4]);
	for (size_t i = 0; i < RUNS; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof(frame),
			.repeat = 1);

		if (bpf_prog_test_run_opts(fd, &run) < 0)
			err(1, "BPF_PROG_TEST_RUN");
		durations_ns[i] = run.duration;
		verdict = run.retval;
	}
	qsort(durations_ns, RUNS, sizeof(*durations_ns), compare);
	printf("%u %u\n", durations_ns[RUNS / 2], verdict);
	return 0;
}
