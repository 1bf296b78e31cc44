/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attaches one of the programs of limit.bpf.c and holds it until SIGTERM:
 *
 *	attach OBJECT xdp|tc|pass INTERFACE SERVER-MAC
 *
 * Prints "ready" with the hook taken. tc is tcx where the kernel has it (6.6), else clsact.
 */
#include <err.h>
#include <net/if.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>

#include "common/util.h"

/* enum bpf_attach_type: BPF_TCX_INGRESS, which older headers lack. */
#define ATTACH_TCX_INGRESS 46u

/* The constants of limit.bpf.c, in its order. */
struct limit_constants {
	uint32_t ifindex;
	uint8_t own_mac[ETH_ALEN];
	uint8_t server_mac[ETH_ALEN];
};

static void parse_mac(const char *text, uint8_t *ret_mac)
{
	unsigned int bytes[ETH_ALEN];

	if (sscanf(text, "%x:%x:%x:%x:%x:%x", &bytes[0], &bytes[1], &bytes[2], &bytes[3], &bytes[4],
		    &bytes[5]) != ETH_ALEN)
		errx(64, "%s: not a MAC address", text);
	for (size_t i = 0; i < ETH_ALEN; i++)
		ret_mac[i] = (uint8_t)bytes[i];
}

static void read_own_mac(const char *interface, uint8_t *ret_mac)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { 0 };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		err(1, "%s: no MAC address", interface);
	memcpy(ret_mac, request.ifr_hwaddr.sa_data, ETH_ALEN);
}

static void set_constants(struct bpf_object *object, const struct limit_constants *constants)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object) if (strstr(bpf_map__name(map), ".rodata") &&
		bpf_map__set_initial_value(map, constants, sizeof(*constants)) == 0) return;
	errx(1, "limit.bpf.o has no constants of %zu bytes", sizeof(*constants));
}

/* libbpf of Debian 12 (1.1) has no call for tcx. */
static int attach_tcx(int program_fd, unsigned int ifindex)
{
	union bpf_attr attributes = { 0 };

	attributes.link_create.prog_fd = (uint32_t)program_fd;
	attributes.link_create.target_ifindex = ifindex;
	attributes.link_create.attach_type = ATTACH_TCX_INGRESS;
	return (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attributes, sizeof(attributes));
}

static const char *attach_tc(int program_fd, unsigned int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = 1, .priority = 1, .prog_fd = program_fd);

	if (attach_tcx(program_fd, ifindex) >= 0)
		return "tcx";
	if (bpf_tc_hook_create(&hook) < 0 || bpf_tc_attach(&hook, &options) < 0)
		err(1, "cannot attach to tcx or clsact");
	return "clsact";
}

static const char *attach_xdp(int program_fd, unsigned int ifindex)
{
	LIBBPF_OPTS(bpf_link_create_opts, native, .flags = XDP_FLAGS_DRV_MODE);

	if (bpf_link_create(program_fd, (int)ifindex, BPF_XDP, &native) < 0)
		err(1, "cannot attach native XDP");
	return "xdp";
}

int main(int argc, char **argv)
{
	struct limit_constants constants = { 0 };
	struct bpf_object *object;
	struct bpf_program *program;
	char name[32];
	sigset_t signals;
	int signal_number;

	if (argc != 5)
		errx(64, "usage: attach OBJECT xdp|tc|pass INTERFACE SERVER-MAC");
	constants.ifindex = if_nametoindex(argv[3]);
	if (constants.ifindex == 0)
		err(1, "%s", argv[3]);
	read_own_mac(argv[3], constants.own_mac);
	parse_mac(argv[4], constants.server_mac);
	object = bpf_object__open_file(argv[1], NULL);
	if (!object)
		err(1, "%s", argv[1]);
	set_constants(object, &constants);
	if (bpf_object__load(object) < 0)
		err(1, "cannot load %s", argv[1]);
	snprintf(name, sizeof(name), "limit_%s", argv[2]);
	program = bpf_object__find_program_by_name(object, name);
	if (!program)
		errx(64, "%s: not xdp, tc or pass", argv[2]);
	/* Before "ready": whoever reads that may send the signal. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	printf("ready %s\n",
		streq(argv[2], "tc") ? attach_tc(bpf_program__fd(program), constants.ifindex)
				     : attach_xdp(bpf_program__fd(program), constants.ifindex));
	fflush(stdout);
	/* The hook's namespace may outlive this program, clsact with it; links end with it. */
	sigwait(&signals, &signal_number);
	return 0;
}
