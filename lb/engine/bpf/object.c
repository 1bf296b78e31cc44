/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens and loads a BPF object; see object.h. */
#include "lb/engine/bpf/object.h"

#include <sys/mman.h>

#include "common/log.h"
#include "lb/engine/bpf/dsr_tc.skel.h"
#include "lb/engine/bpf/dsr_xdp.skel.h"

_printf_(2, 0) static int on_libbpf_says(
	enum libbpf_print_level level, const char *format, va_list arguments)
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

void object_set_up(void)
{
	libbpf_set_print(on_libbpf_says);
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
}

int object_map_fd(const struct engine *engine, const char *name)
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
	void *memory = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		object_map_fd(engine, name), 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static bool is_xdp(const struct engine *engine)
{
	return engine->attachment.kind == ATTACH_XDP;
}

/* The skeletons hold the same names; only what is attached differs. */
static int open_object(struct engine *engine)
{
	const char *name = attach_program_name(engine->attachment.kind);
	bool xdp = is_xdp(engine);
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = name);
	const void *bytes;
	size_t size_bytes;

	bytes = xdp ? dsr_xdp__elf_bytes(&size_bytes) : dsr_tc__elf_bytes(&size_bytes);
	engine->object = bpf_object__open_mem(bytes, size_bytes, &options);
	if (!engine->object)
		return util_negative_errno();
	engine->attachment.program = bpf_object__find_program_by_name(engine->object, name);
	if (xdp)
		engine->attachment.pass_program =
			bpf_object__find_program_by_name(engine->object, "dsr_pass");
	return engine->attachment.program ? 0 : -ENOENT;
}

static int set_constants(struct engine *engine)
{
	const struct bpf_constants constants = {
		.ifindex = engine->config.ifindex,
		/* XDP copies what it hands over since Linux 5.18. */
		.hands_over = !is_xdp(engine) ||
			libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, BPF_FUNC_xdp_load_bytes, NULL) ==
				1,
	};
	struct bpf_map *map = bpf_object__find_map_by_name(engine->object, ".rodata");

	engine->copies_frames = constants.hands_over;
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

int object_load(struct engine *engine, struct why *ret_why)
{
	int n_cpus = libbpf_num_possible_cpus();
	int r;

	if (n_cpus < 1)
		return why_errno(ret_why, n_cpus, "number of CPUs");
	engine->n_cpus = (unsigned int)n_cpus;
	if (engine->config.flows_map < 0 || engine->config.loads_map < 0)
		return why_errno(ret_why, -EPERM, "flows are not kept in maps");
	r = open_object(engine);
	if (r == 0)
		r = set_constants(engine);
	if (r == 0)
		r = size_maps(engine);
	if (r < 0)
		return why_errno(ret_why, r, "BPF object");
	r = bpf_object__load(engine->object);
	if (r < 0)
		return why_errno(ret_why, r,
			"the kernel refuses the program (log-level = debug tells more)");
	engine->images_fd = object_map_fd(engine, "dsr_images");
	engine->clients_fd = object_map_fd(engine, "dsr_clients");
	engine->tables_fd = object_map_fd(engine, "dsr_tables");
	engine->fragments_fd = object_map_fd(engine, "dsr_fragments");
	r = map_counters(engine);
	return r < 0 ? why_errno(ret_why, r, "maps of the program") : 0;
}

static void unmap(void *memory, size_t size_bytes)
{
	if (memory)
		munmap(memory, size_bytes);
}

void object_close(struct engine *engine)
{
	size_t n_pairs = (size_t)engine->n_cpus * BPF_PAIRS;

	unmap(engine->totals, engine->n_cpus * sizeof(*engine->totals));
	unmap(engine->pairs, n_pairs * sizeof(*engine->pairs));
	unmap(engine->rests, n_pairs * sizeof(*engine->rests));
	unmap(engine->rates.services, (FWD_ID_MAX + 1) * sizeof(*engine->rates.services));
	unmap(engine->rates.sources, FWD_SOURCE_RATES * sizeof(*engine->rates.sources));
	bpf_object__close(engine->object);
}
