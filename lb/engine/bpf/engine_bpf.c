/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engines in the kernel: the contract of engine.h over the programs of dsr.bpf.c, as native XDP
 * or as a classifier of tc. This file loads them and holds the parts together.
 *
 * A restarted daemon loads programs and maps of its own over the kept flows and rows, publishes its
 * first snapshot into them, and only then replaces the attached program, in one step: no frame
 * meets none, and no map is ever read by another build.
 */
#include "lb/engine/bpf/engine_bpf_internal.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "common/log.h"
#include "lb/engine/bpf/dsr_tc.skel.h"
#include "lb/engine/bpf/dsr_xdp.skel.h"

int engine_bpf_say(char *ret_why, int error, const char *what)
{
	snprintf(ret_why, ENGINE_WHY_BYTES, "%s: %s", what, strerror(-error));
	return error;
}

bool engine_bpf_is_xdp(const struct engine *engine)
{
	return engine->ops == &engine_xdp_ops;
}

static int on_libbpf_says(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char text[256];
	size_t len;

	if (level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(text, sizeof(text), format, arguments);
	len = strlen(text);
	if (len > 0 && text[len - 1] == '\n')
		text[len - 1] = '\0';
	log_debug("%s", text);
	return 0;
}

void engine_bpf_set_up(void)
{
	libbpf_set_print(on_libbpf_says);
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
}

/* ---- loading ---- */

static int map_fd(const struct engine *engine, const char *name)
{
	return bpf_object__find_map_fd_by_name(engine->object, name);
}

static int size_map(struct engine *engine, const char *name, uint32_t len)
{
	struct bpf_map *map = bpf_object__find_map_by_name(engine->object, name);

	return map ? bpf_map__set_max_entries(map, len) : -ENOENT;
}

static int reuse_map(struct engine *engine, const char *name, int fd)
{
	struct bpf_map *map = bpf_object__find_map_by_name(engine->object, name);

	return map ? bpf_map__reuse_fd(map, fd) : -ENOENT;
}

static void *map_memory(const struct engine *engine, const char *name, size_t size_bytes)
{
	void *memory =
		mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd(engine, name), 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* The skeletons hold the same names; only what is attached differs. */
static int open_object(struct engine *engine)
{
	bool is_xdp = engine->ops == &engine_xdp_ops;
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = is_xdp ? "dsr_xdp" : "dsr_tc");
	const void *bytes;
	size_t size_bytes;

	bytes = is_xdp ? dsr_xdp__elf_bytes(&size_bytes) : dsr_tc__elf_bytes(&size_bytes);
	engine->object = bpf_object__open_mem(bytes, size_bytes, &options);
	if (!engine->object)
		return util_negative_errno();
	engine->program =
		bpf_object__find_program_by_name(engine->object, is_xdp ? "dsr_xdp" : "dsr_tc");
	engine->pass_program =
		is_xdp ? bpf_object__find_program_by_name(engine->object, "dsr_pass") : NULL;
	engine->tc = (struct bpf_tc){ BPF_TC_ENGINE, .config = &engine->config,
		.program = engine->program };
	return engine->program ? 0 : -ENOENT;
}

static int set_constants(struct engine *engine)
{
	const struct bpf_constants constants = {
		.out_ifindex = engine->config.out_ifindex,
		.is_one_interface = engine->config.out_ifindex == engine->config.ifindex,
		/* XDP copies what it hands over since Linux 5.18. */
		.hands_over = !engine_bpf_is_xdp(engine) ||
			libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, BPF_FUNC_xdp_load_bytes, NULL) ==
				1,
	};
	struct bpf_map *map = bpf_object__find_map_by_name(engine->object, ".rodata");

	return map ? bpf_map__set_initial_value(map, &constants, sizeof(constants)) : -ENOENT;
}

static int size_maps(struct engine *engine)
{
	int r = reuse_map(engine, "dsr_flows", engine->config.flows_map);

	if (r == 0)
		r = reuse_map(engine, "dsr_loads", engine->config.loads_map);
	if (r == 0)
		r = size_map(engine, "dsr_totals", engine->n_cpus);
	if (r == 0)
		r = size_map(engine, "dsr_pairs", engine->n_cpus * BPF_PAIRS);
	if (r == 0)
		r = size_map(engine, "dsr_pair_rests", engine->n_cpus * BPF_PAIRS);
	return r;
}

static int map_counters(struct engine *engine)
{
	size_t n_pairs = (size_t)engine->n_cpus * BPF_PAIRS;

	engine->totals = map_memory(engine, "dsr_totals", engine->n_cpus * sizeof(*engine->totals));
	engine->pairs = map_memory(engine, "dsr_pairs", n_pairs * sizeof(*engine->pairs));
	engine->rests = map_memory(engine, "dsr_pair_rests", n_pairs * sizeof(*engine->rests));
	engine->rates.services =
		map_memory(engine, "dsr_rates", (FWD_ID_MAX + 1) * sizeof(*engine->rates.services));
	engine->rates.sources = map_memory(
		engine, "dsr_source_rates", FWD_SOURCE_RATES * sizeof(*engine->rates.sources));
	return engine->totals && engine->pairs && engine->rests && engine->rates.services &&
			engine->rates.sources
		? 0
		: util_negative_errno();
}

int engine_bpf_program_id(int fd, uint32_t *ret_id, char ret_name[BPF_OBJ_NAME_LEN])
{
	struct bpf_prog_info info = { 0 };
	uint32_t size_bytes = sizeof(info);
	int r = bpf_obj_get_info_by_fd(fd, &info, &size_bytes);

	if (r < 0)
		return r;
	*ret_id = info.id;
	if (ret_name)
		memcpy(ret_name, info.name, BPF_OBJ_NAME_LEN);
	return 0;
}

static int load(struct engine *engine, char *ret_why)
{
	int n_cpus = libbpf_num_possible_cpus();
	int r;

	if (n_cpus < 1)
		return engine_bpf_say(ret_why, n_cpus, "number of CPUs");
	engine->n_cpus = (unsigned int)n_cpus;
	if (engine->config.flows_map < 0 || engine->config.loads_map < 0)
		return engine_bpf_say(ret_why, -EPERM, "flows are not kept in maps");
	r = open_object(engine);
	if (r == 0)
		r = set_constants(engine);
	if (r == 0)
		r = size_maps(engine);
	if (r < 0)
		return engine_bpf_say(ret_why, r, "BPF object");
	r = bpf_object__load(engine->object);
	if (r < 0)
		return engine_bpf_say(ret_why, r,
			"the kernel refuses the program (log-level = debug tells more)");
	engine->images_fd = map_fd(engine, "dsr_images");
	engine->tables_fd = map_fd(engine, "dsr_tables");
	engine->fragments_fd = map_fd(engine, "dsr_fragments");
	r = map_counters(engine);
	if (r == 0)
		r = engine_bpf_program_id(
			bpf_program__fd(engine->program), &engine->program_id, NULL);
	return r < 0 ? engine_bpf_say(ret_why, r, "maps of the program") : 0;
}

/* ---- exceptions ---- */

static int on_exception(void *context, void *data, size_t size_bytes)
{
	struct engine *engine = context;

	if (engine->exceptions)
		bpf_exceptions_take(engine->exceptions, data, size_bytes);
	return 0;
}

static void poll_exceptions(void *context, int timeout_ms)
{
	struct engine *engine = context;

	(void)ring_buffer__poll(engine->ring, timeout_ms);
}

static bool find_first(
	void *context, const struct fwd_fragment_key *datagram, struct fwd_fragment *ret_fragment)
{
	struct engine *engine = context;

	return bpf_map_lookup_elem(engine->fragments_fd, datagram, ret_fragment) == 0;
}

static int start_exceptions(struct engine *engine, char *ret_why)
{
	struct bpf_exceptions_config config = {
		.ifindex = engine->config.ifindex,
		.out_ifindex = engine->config.out_ifindex,
		.poll = poll_exceptions,
		.find_first = find_first,
		.context = engine,
	};
	const char *step;
	int r;

	engine->ring =
		ring_buffer__new(map_fd(engine, "dsr_exceptions"), on_exception, engine, NULL);
	if (!engine->ring)
		return engine_bpf_say(ret_why, util_negative_errno(), "ring of exceptions");
	r = bpf_exceptions_new(&config, &engine->exceptions, &step);
	return r < 0 ? engine_bpf_say(ret_why, r, step) : 0;
}

/* ---- life ---- */

static int link_health(const struct engine *engine, unsigned int ifindex)
{
	struct ifreq request = { 0 };

	if (!if_indextoname(ifindex, request.ifr_name))
		return -ENODEV;
	if (ioctl(engine->link_fd, SIOCGIFFLAGS, &request) < 0)
		return -ENODEV;
	return request.ifr_flags & IFF_UP ? 0 : -ENETDOWN;
}

static int bpf_health(struct engine *engine)
{
	int r = link_health(engine, engine->config.ifindex);

	if (r == 0)
		r = link_health(engine, engine->config.out_ifindex);
	return r == 0 ? engine_bpf_repair(engine) : r;
}

static void unmap(void *memory, size_t size_bytes)
{
	if (memory)
		munmap(memory, size_bytes);
}

static void bpf_stop(struct engine *engine, bool detach)
{
	size_t n_pairs;

	if (!engine)
		return;
	n_pairs = (size_t)engine->n_cpus * BPF_PAIRS;
	if (detach && engine->is_attached)
		engine_bpf_detach(engine);
	bpf_exceptions_free(engine->exceptions);
	ring_buffer__free(engine->ring);
	snapshot_free(engine->current);
	unmap(engine->totals, engine->n_cpus * sizeof(*engine->totals));
	unmap(engine->pairs, n_pairs * sizeof(*engine->pairs));
	unmap(engine->rests, n_pairs * sizeof(*engine->rests));
	unmap(engine->rates.services, (FWD_ID_MAX + 1) * sizeof(*engine->rates.services));
	unmap(engine->rates.sources, FWD_SOURCE_RATES * sizeof(*engine->rates.sources));
	bpf_object__close(engine->object);
	util_close(engine->link_fd);
	free(engine->tables);
	free(engine->sums);
	free(engine);
}

static const struct snapshot *bpf_current(struct engine *engine)
{
	return engine->current;
}

static void bpf_reclaim(struct engine *engine)
{
}

static struct rates bpf_rates(struct engine *engine)
{
	return engine->rates;
}

/* Until the first snapshot: nothing is known, everything is passed. */
static int make_empty_snapshot(struct snapshot **ret_snapshot)
{
	static const struct fwd_settings settings = { 0 };
	static const struct flows_table flows = { 0 };

	return snapshot_new(&settings, &flows, ret_snapshot);
}

static int prepare(struct engine *engine, char *ret_why)
{
	uint32_t id = 0;
	int r;

	engine->tables = calloc(BPF_TABLES, sizeof(const struct fwd_slot *));
	engine->link_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	r = engine->tables && engine->link_fd >= 0 ? make_empty_snapshot(&engine->current)
						   : -ENOMEM;
	if (r < 0)
		return engine_bpf_say(ret_why, r, "memory");
	r = engine_bpf_check(engine->ops, &engine->config, ret_why);
	if (r < 0)
		return r;
	r = load(engine, ret_why);
	if (r == 0)
		r = start_exceptions(engine, ret_why);
	if (r < 0)
		return r;
	/* Whether the driver takes it shows now; a program of a former life has shown it, and goes on. */
	return engine_bpf_attached_id(engine, &id) == 0 && id != 0
		? 0
		: engine_bpf_attach(engine, ret_why);
}

static int bpf_start(const struct engine_ops *ops, const struct engine_config *config,
	struct engine **ret_engine, char *ret_why)
{
	struct engine *engine = calloc(1, sizeof(*engine));
	int r;

	if (!engine)
		return engine_bpf_say(ret_why, -ENOMEM, "memory");
	engine_bpf_set_up();
	engine->ops = ops;
	engine->config = *config;
	engine->link_fd = -1;
	r = prepare(engine, ret_why);
	if (r < 0) {
		bpf_stop(engine, true);
		return r;
	}
	*ret_engine = engine;
	return 0;
}

/*
 * veth has native XDP, but not for everybody: frames of local stacks come with unfinished checksums,
 * which get lost on this way, and without a program or GRO at the other end, which cannot be seen
 * from here, whatever is sent is swallowed (drivers/net/veth.c:veth_xdp_xmit).
 */
static bool driver_suits(const struct engine_config *config, char *ret_why)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq request = { .ifr_data = (void *)&info };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || !if_indextoname(config->ifindex, request.ifr_name) ||
		ioctl(fd, SIOCETHTOOL, &request) < 0 || !streq(info.driver, "veth"))
		return true;
	snprintf(ret_why, ENGINE_WHY_BYTES,
		"veth loses unfinished checksums, and frames where its other end takes no part");
	return false;
}

static bool xdp_suits(const struct engine_config *config, char *ret_why)
{
	return engine_bpf_check(&engine_xdp_ops, config, ret_why) == 0 &&
		driver_suits(config, ret_why);
}

static int xdp_start(const struct engine_config *config, struct engine **ret_engine, char *ret_why)
{
	return bpf_start(&engine_xdp_ops, config, ret_engine, ret_why);
}

static int tc_start(const struct engine_config *config, struct engine **ret_engine, char *ret_why)
{
	return bpf_start(&engine_tc_ops, config, ret_engine, ret_why);
}

#define BPF_OPS(engine_name, engine_suits, engine_start) \
	{ \
		.name = engine_name, .suits = engine_suits, .start = engine_start, \
		.publish = engine_bpf_publish, .current = bpf_current, .rates = bpf_rates, \
		.reclaim = bpf_reclaim, .totals = engine_bpf_totals, \
		.service_counters = engine_bpf_service_counters, \
		.pair_counters = engine_bpf_pair_counters, .health = bpf_health, .stop = bpf_stop, \
	}

const struct engine_ops engine_xdp_ops = BPF_OPS("xdp", xdp_suits, xdp_start);
const struct engine_ops engine_tc_ops = BPF_OPS("tc", NULL, tc_start);
