/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the clock of a process must be put right by, so that it has the softirqs that poll the process's
 * network interface and no other: from "ready" until SIGTERM, in nanoseconds.
 *
 *	poll_time OBJECT INTERFACE PROCESS
 *
 * The scheduler's clock of a process has whatever softirqs run on top of it. So the polling of INTERFACE
 * counts where it runs on top of others, and the polling of others, where it runs on top of PROCESS, counts
 * against it; the sum may be less than zero. What a thread of the kernel's polls is in that thread's clock.
 * Needs the kernel's BTF.
 */
#include <err.h>
#include <signal.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "common/util.h"

#define NAME_BYTES 16u

/* The constants of poll_time.bpf.c, in its order. */
struct poll_constants {
	uint32_t process;
	char interface[NAME_BYTES];
};

static struct bpf_map *map_of(struct bpf_object *object, const char *part_of_name)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		if (strstr(bpf_map__name(map), part_of_name))
			return map;
	}
	errx(1, "poll_time.bpf.o has no map %s", part_of_name);
}

static void attach_all(struct bpf_object *object)
{
	struct bpf_program *program;

	/* The links end with this process. */
	bpf_object__for_each_program(program, object)
	{
		if (!bpf_program__attach(program))
			err(1, "cannot attach to %s", bpf_program__section_name(program));
	}
}

int main(int argc, char **argv)
{
	struct poll_constants constants = { 0 };
	struct bpf_object *object;
	uint32_t key = 0;
	int64_t polled_ns = 0;
	sigset_t signals;
	int signal_number;

	if (argc != 4 || strlen(argv[2]) >= NAME_BYTES)
		errx(64, "usage: poll_time OBJECT INTERFACE PROCESS");
	memcpy(constants.interface, argv[2], strlen(argv[2]));
	constants.process = (uint32_t)strtoul(argv[3], NULL, 10);
	object = bpf_object__open_file(argv[1], NULL);
	if (!object)
		err(1, "%s", argv[1]);
	if (bpf_map__set_initial_value(map_of(object, ".rodata"), &constants, sizeof(constants)) <
		0)
		errx(1, "poll_time.bpf.o has no constants of %zu bytes", sizeof(constants));
	if (bpf_object__load(object) < 0)
		err(1, "cannot load %s", argv[1]);
	/* Before "ready": whoever reads that may send the signal. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	attach_all(object);
	printf("ready\n");
	fflush(stdout);
	sigwait(&signals, &signal_number);
	if (bpf_map_lookup_elem(bpf_map__fd(map_of(object, "polled_ns")), &key, &polled_ns) < 0)
		err(1, "polled_ns");
	printf("%lld\n", (long long)polled_ns);
	return 0;
}
