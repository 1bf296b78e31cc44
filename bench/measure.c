/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Offers traffic to a balancer and measures what it costs there:
 *
 *	measure object=traffic.bpf.o port=g1 mac=02:… [NAME=VALUE …]
 *
 *	flows=N vips=N      connections, and the virtual addresses that they share
 *	kind=udp|ack|syn    of frame
 *	syn-percent=N       SYNs of strangers among them
 *	size=60|imix
 *	rate=N              frames a second; 0 (default): as many as come back
 *	seconds=S           how long it sends; frames=N: how many it sends
 *	pids=PID,…          whose CPU time counts
 *	every=MS            says so often how far it is; SIGTERM then ends it before its time
 *
 * From before the first frame to after the last one has come back, so that none is on the way when
 * the clocks are read. Runs in the generator's network namespace, on CPU 0. Prints one line of JSON. The kernel's thread
 * that polls the balancer's port is named in pids= as any other: its clock runs also while softirqs
 * run on top of it. What the balancer's port took in is known from the generator's own port: veth
 * counts as transmitted what the peer has polled (drivers/net/veth.c:veth_get_stats64).
 */
#include <err.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "bench/traffic.h"
#include "common/util.h"

#define GENERATOR_CPU  0
#define PIDS_MAX       16u
#define CPUS_MAX       4096u
#define SETTLE_US      (15 * US_PER_MS)
#define SETTLE_LOOKS   3u
#define FRAMES_WAIT_US (120 * US_PER_S)
#define POLL_US        (2 * US_PER_MS)
#define TCP_SYN        0x02u
#define TCP_ACK        0x10u

struct options {
	const char *object_path;
	char port[IF_NAMESIZE];
	unsigned int ifindex;
	uint64_t duration_us;
	uint64_t every_us;
	pid_t pids[PIDS_MAX];
	size_t n_pids;
	struct traffic traffic;
};

struct rig {
	struct bpf_object *object;
	struct bpf_link *sink;
	struct traffic *traffic; /* mapped: the generator's own */
	int generator_fd;
	int sunk_fd;
	pid_t child; /* that generates */
};

struct reading {
	uint64_t at_ns;
	uint64_t sent_pkts;
	uint64_t accepted_pkts;
	uint64_t sunk_pkts;
	uint64_t backend_pkts[TRAFFIC_BACKENDS];
	uint64_t cpu_ns[PIDS_MAX];
};

/* ---- options ---- */

static uint64_t number(const char *text, uint64_t max)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || *end || value > max)
		errx(64, "%s: not a number from 0 to %llu", text, (unsigned long long)max);
	return value;
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

static void parse_kind(const char *text, struct traffic *traffic)
{
	if (streq(text, "udp"))
		traffic->tcp_flags = 0;
	else if (streq(text, "ack"))
		traffic->tcp_flags = TCP_ACK;
	else if (streq(text, "syn"))
		traffic->tcp_flags = TCP_SYN;
	else
		errx(64, "kind=%s: not udp, ack or syn", text);
}

static void parse_pids(char *text, struct options *options)
{
	char *saved;

	for (char *pid = strtok_r(text, ",", &saved); pid; pid = strtok_r(NULL, ",", &saved)) {
		if (options->n_pids == PIDS_MAX)
			errx(64, "more than %u processes", PIDS_MAX);
		options->pids[options->n_pids++] = (pid_t)number(pid, INT32_MAX);
	}
}

static void parse_option(const char *name, char *value, struct options *options)
{
	struct traffic *traffic = &options->traffic;

	if (streq(name, "object"))
		options->object_path = value;
	else if (streq(name, "port"))
		snprintf(options->port, sizeof(options->port), "%s", value);
	else if (streq(name, "mac"))
		parse_mac(value, traffic->destination);
	else if (streq(name, "flows"))
		traffic->flows = (uint32_t)number(value, UINT32_MAX);
	else if (streq(name, "vips"))
		traffic->vips = (uint32_t)number(value, 65535);
	else if (streq(name, "kind"))
		parse_kind(value, traffic);
	else if (streq(name, "syn-percent"))
		traffic->syn_percent = (uint32_t)number(value, 100);
	else if (streq(name, "size"))
		traffic->imix = streq(value, "imix");
	else if (streq(name, "rate"))
		traffic->rate_hz = number(value, 100000000);
	else if (streq(name, "seconds"))
		options->duration_us = (uint64_t)(strtod(value, NULL) * US_PER_S);
	else if (streq(name, "frames"))
		traffic->limit_pkts = number(value, UINT32_MAX);
	else if (streq(name, "pids"))
		parse_pids(value, options);
	else if (streq(name, "every"))
		options->every_us = number(value, UINT32_MAX) * US_PER_MS;
	else
		errx(64, "%s: no such option", name);
}

static void parse_options(int argc, char **argv, struct options *options)
{
	*options = (struct options){ .duration_us = US_PER_S };
	options->traffic.flows = options->traffic.vips = 1;
	for (int i = 1; i < argc; i++) {
		char *value = argv[i];
		const char *name = strsep(&value, "=");

		if (value)
			parse_option(name, value, options);
		else
			errx(64, "%s: not NAME=VALUE", name);
	}
	if (!options->object_path)
		errx(64, "object= is missing");
	options->ifindex = if_nametoindex(options->port);
	if (options->ifindex == 0)
		err(1, "port=%s", options->port);
	if (options->traffic.syn_percent && !options->traffic.tcp_flags)
		errx(64, "syn-percent needs kind=ack");
	if (options->traffic.flows == 0 || options->traffic.vips == 0)
		errx(64, "flows and vips begin with 1");
}

/* ---- the template frame ---- */

static uint32_t sum_words(const uint8_t *bytes, size_t size_bytes)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < size_bytes; i += 2) {
		uint16_t word;

		memcpy(&word, bytes + i, sizeof(word));
		sum += word;
	}
	return sum;
}

static void put_be16(uint8_t *bytes, uint16_t value)
{
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
}

/*
 * All that no frame changes, and its sums. What the generator writes is 0 here, and so counts
 * nothing.
 */
static void make_template(struct traffic *traffic, uint8_t frame[TRAFFIC_LARGE_BYTES])
{
	uint8_t *ip = frame + ETH_HLEN, *transport = ip + 20;
	bool is_tcp = traffic->tcp_flags || traffic->syn_percent;

	memset(frame, 0, TRAFFIC_LARGE_BYTES);
	memcpy(traffic->source, "\2\0\0\0\0\xfe", ETH_ALEN);
	put_be16(frame + 12, ETH_P_IP);
	ip[0] = 0x45;
	ip[6] = 0x40; /* do not fragment */
	ip[8] = 64;
	ip[9] = is_tcp ? IPPROTO_TCP : IPPROTO_UDP;
	put_be16(transport + 2, TRAFFIC_SERVER_PORT);
	if (is_tcp)
		put_be16(transport + 14, 0xffff);
	traffic->ip_sum = sum_words(ip, 20);
	traffic->transport_sum = sum_words(transport, 20) + htons(ip[9]);
}

/* ---- the rig ---- */

_printf_(2, 0) static int quiet(
	enum libbpf_print_level level, const char *format, va_list arguments)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, arguments) : 0;
}

static struct bpf_program *find_program(struct bpf_object *object, const char *name)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, name);

	if (!program)
		errx(1, "traffic.bpf.o has no program %s", name);
	return program;
}

static void rig_open(struct rig *rig, const struct options *options)
{
	LIBBPF_OPTS(bpf_link_create_opts, native, .flags = XDP_FLAGS_DRV_MODE);
	int map_fd, sink_fd;

	libbpf_set_print(quiet);
	rig->object = bpf_object__open_file(options->object_path, NULL);
	if (!rig->object || bpf_object__load(rig->object) < 0)
		err(1, "cannot load %s", options->object_path);
	rig->generator_fd = bpf_program__fd(find_program(rig->object, "generate"));
	sink_fd = bpf_program__fd(find_program(rig->object, "sink"));
	rig->sunk_fd = bpf_object__find_map_fd_by_name(rig->object, "sunk_map");
	map_fd = bpf_object__find_map_fd_by_name(rig->object, "traffic_map");
	rig->traffic =
		mmap(NULL, sizeof(*rig->traffic), PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	if (rig->traffic == MAP_FAILED)
		err(1, "cannot map the generator's state");
	/* Lives as long as this process holds it. */
	if (bpf_link_create(sink_fd, (int)options->ifindex, BPF_XDP, &native) < 0)
		err(1, "cannot attach the sink to %s", options->port);
}

static void end_of_child(int signal_number)
{
}

/* In the child: one call that lasts until a signal ends it; each call costs 20 ms to take down. */
static void generate(const struct rig *rig, uint8_t *frame, uint32_t size_bytes)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = size_bytes,
		.repeat = 1 << 30, .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
		.batch_size = rig->traffic->rate_hz ? TRAFFIC_BURST_PKTS : TRAFFIC_BATCH_PKTS);
	struct sigaction action = { .sa_handler = end_of_child };
	int r;

	sigaction(SIGTERM, &action, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	do
		r = bpf_prog_test_run_opts(rig->generator_fd, &run);
	while (r == 0);
	if (r != -EINTR)
		warnx("cannot generate: %s", strerror(-r));
	_exit(r == -EINTR ? 0 : 1);
}

static void rig_start(struct rig *rig, const struct options *options)
{
	uint8_t frame[TRAFFIC_LARGE_BYTES];
	struct traffic traffic = options->traffic;

	make_template(&traffic, frame);
	traffic.out_ifindex = options->ifindex;
	*rig->traffic = traffic;
	rig->child = fork();
	if (rig->child < 0)
		err(1, "fork");
	if (rig->child == 0)
		generate(rig, frame, traffic.imix ? TRAFFIC_LARGE_BYTES : TRAFFIC_SMALL_BYTES);
}

static void rig_stop(struct rig *rig)
{
	int status;

	kill(rig->child, SIGTERM);
	if (waitpid(rig->child, &status, 0) < 0 || status != 0)
		errx(1, "the generator failed");
}

/* ---- readings ---- */

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now) < 0)
		err(1, "a process that is measured has ended");
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Exact to the moment also while it runs, which /proc/PID/schedstat is not. */
static uint64_t read_cpu_ns(pid_t pid)
{
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0)
		errx(1, "process %d, which is measured, has ended", (int)pid);
	return now_ns(clock);
}

static uint64_t read_transmitted(const char *port)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/net/dev", "re");
	char line[512], name[64];
	unsigned long long transmitted_pkts;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, " %63[^:]: %*u %*u %*u %*u %*u %*u %*u %*u %*u %llu", name,
			    &transmitted_pkts) == 2 &&
			streq(name, port))
			return transmitted_pkts;
	errx(1, "%s is not in /proc/net/dev", port);
}

static void read_all(const struct rig *rig, const struct options *options, struct reading *ret)
{
	static uint64_t values[CPUS_MAX];
	int n_cpus = libbpf_num_possible_cpus();

	if (n_cpus < 1 || n_cpus > (int)CPUS_MAX)
		errx(1, "%d CPUs: 1 to %u are supported", n_cpus, CPUS_MAX);
	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < options->n_pids; i++)
		ret->cpu_ns[i] = read_cpu_ns(options->pids[i]);
	ret->sent_pkts = __atomic_load_n(&rig->traffic->sent_pkts, __ATOMIC_RELAXED);
	ret->accepted_pkts = read_transmitted(options->port);
	for (uint32_t backend = 0; backend < TRAFFIC_BACKENDS; backend++) {
		if (bpf_map_lookup_elem(rig->sunk_fd, &backend, values) < 0)
			err(1, "cannot read the sink");
		for (int cpu = 0; cpu < n_cpus; cpu++)
			ret->backend_pkts[backend] += values[cpu];
		ret->sunk_pkts += ret->backend_pkts[backend];
	}
	ret->at_ns = now_ns(CLOCK_MONOTONIC);
}

static void print(const struct options *options, const struct reading *a, const struct reading *b)
{
	uint64_t sunk_pkts = b->sunk_pkts - a->sunk_pkts, cpu_ns = 0;

	printf("{\"seconds\": %.3f, \"sent\": %llu, \"accepted\": %llu, \"delivered\": %llu, "
	       "\"cpu_ns\": [",
		(double)(b->at_ns - a->at_ns) / 1e9,
		(unsigned long long)(b->sent_pkts - a->sent_pkts),
		(unsigned long long)(b->accepted_pkts - a->accepted_pkts),
		(unsigned long long)sunk_pkts);
	for (size_t i = 0; i < options->n_pids; i++) {
		cpu_ns += b->cpu_ns[i] - a->cpu_ns[i];
		printf("%s%llu", i ? ", " : "", (unsigned long long)(b->cpu_ns[i] - a->cpu_ns[i]));
	}
	printf("], \"backends\": [");
	for (size_t i = 0; i < TRAFFIC_BACKENDS; i++)
		printf("%s%llu", i ? ", " : "",
			(unsigned long long)(b->backend_pkts[i] - a->backend_pkts[i]));
	if (sunk_pkts)
		printf("], \"ns_per_frame\": %.1f}\n", (double)cpu_ns / (double)sunk_pkts);
	else
		printf("], \"ns_per_frame\": null}\n");
}

static void wait_us(uint64_t time_us)
{
	struct timespec time = { .tv_sec = (time_t)(time_us / US_PER_S),
		.tv_nsec = (long)(time_us % US_PER_S * NS_PER_US) };

	while (nanosleep(&time, &time) < 0 && errno == EINTR)
		;
}

/* Nothing more is sent, and what is on the way may arrive: until nothing has grown for some looks. */
static void settle(const struct rig *rig, const struct options *options, struct reading *ret_end)
{
	struct reading before;
	unsigned int n_still = 0;

	__atomic_store_n(&rig->traffic->limit_pkts, 1, __ATOMIC_RELAXED);
	read_all(rig, options, ret_end);
	while (n_still < SETTLE_LOOKS) {
		before = *ret_end;
		wait_us(SETTLE_US);
		read_all(rig, options, ret_end);
		n_still = ret_end->sunk_pkts == before.sunk_pkts &&
				ret_end->accepted_pkts == before.accepted_pkts
			? n_still + 1
			: 0;
	}
}

static volatile sig_atomic_t is_told_to_end;

static void on_end(int signal_number)
{
	is_told_to_end = 1;
}

/* Real time, by which others say when they did what. */
static void print_progress(const struct rig *rig, const struct options *options)
{
	struct reading now;

	read_all(rig, options, &now);
	printf("{\"at_us\": %llu, \"sent\": %llu, \"delivered\": %llu}\n",
		(unsigned long long)(now_ns(CLOCK_REALTIME) / NS_PER_US),
		(unsigned long long)now.sent_pkts, (unsigned long long)now.sunk_pkts);
	fflush(stdout);
}

static void wait_and_tell(const struct rig *rig, const struct options *options)
{
	const struct sigaction action = { .sa_handler = on_end };
	uint64_t end_ns = now_ns(CLOCK_MONOTONIC) + options->duration_us * NS_PER_US;

	sigaction(SIGTERM, &action, NULL);
	while (!is_told_to_end && now_ns(CLOCK_MONOTONIC) < end_ns) {
		wait_us(options->every_us);
		print_progress(rig, options);
	}
}

static void wait_for_frames(const struct rig *rig, const struct options *options)
{
	uint64_t limit_ns = now_ns(CLOCK_MONOTONIC) + FRAMES_WAIT_US * NS_PER_US;

	while (__atomic_load_n(&rig->traffic->sent_pkts, __ATOMIC_RELAXED) <
		options->traffic.limit_pkts) {
		if (now_ns(CLOCK_MONOTONIC) > limit_ns)
			errx(1, "%s: the frames were not sent in time", options->port);
		wait_us(POLL_US);
	}
}

int main(int argc, char **argv)
{
	struct options options;
	struct reading begin, end;
	struct rig rig = { 0 };
	cpu_set_t cpus;

	parse_options(argc, argv, &options);
	CPU_ZERO(&cpus);
	CPU_SET(GENERATOR_CPU, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) < 0)
		err(1, "cannot run on CPU %d", GENERATOR_CPU);
	rig_open(&rig, &options);
	read_all(&rig, &options, &begin);
	rig_start(&rig, &options);
	if (options.traffic.limit_pkts)
		wait_for_frames(&rig, &options);
	else if (options.every_us)
		wait_and_tell(&rig, &options);
	else
		wait_us(options.duration_us);
	settle(&rig, &options, &end);
	rig_stop(&rig);
	print(&options, &begin, &end);
	return 0;
}
