/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engines in the kernel: the contract of engine.h over the programs of dsr.bpf.c, as native XDP
 * or as a classifier of tc. The only user of libbpf.
 *
 * Programs are attached over netlink, not by a link that ends with its descriptor: so they, and
 * the maps that they refer to, outlive the daemon in any case, and `ip link` and `tc` show and
 * remove them (doc/adr/0005-bpf-attachment.md). A restarted daemon loads programs and maps of its own
 * over the kept flows and rows, publishes its first snapshot into them, and only then replaces
 * the attached program, in one step: no frame meets none, and no map is ever read by another build.
 */
#include "lb/engine.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>

#include "common/log.h"
#include "lb/bpf_exceptions.h"
#include "lb/bpf_layout.h"
#include "lb/keep_layout.h"
#include "lb/dsr_tc.skel.h"
#include "lb/dsr_xdp.skel.h"

#define BPF_PERF_PAGES     64u /* of each CPU's ring of exceptions */
#define BPF_PROGRAM_PIN    "program"
#define BPF_PIN_PATH_BYTES 512u
/* Our place among an interface's classifiers: a number that nobody else takes by accident. */
#define BPF_TC_HANDLE   0xd5au
#define BPF_TC_PRIORITY 0xd5au

struct engine {
	const struct engine_ops *ops;
	struct engine_config config;
	char pin_path[BPF_PIN_PATH_BYTES]; /* "": none */
	struct bpf_object *object;
	struct bpf_program *program;
	struct bpf_program *pass_program; /* XDP: for the interface to the backends */
	uint32_t program_id;
	int images_fd, tables_fd, fragments_fd;
	struct bpf_totals *totals; /* of each CPU */
	struct bpf_pair *pairs;    /* BPF_PAIRS of each CPU */
	struct rates rates;
	unsigned int n_cpus;
	struct perf_buffer *perf;
	struct bpf_exceptions *exceptions;
	struct snapshot *current;
	const struct fwd_slot *
		*tables; /* whose rows stand at each place of dsr_tables; NULL: free */
	bool is_attached;
	bool made_hook; /* tc: there was no clsact qdisc before us */
	int link_fd;    /* a socket to ask about links */
};

static int say(char *ret_why, int error, const char *what)
{
	snprintf(ret_why, ENGINE_WHY_BYTES, "%s: %s", what, strerror(-error));
	return error;
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
	return engine->program ? 0 : -ENOENT;
}

static int set_constants(struct engine *engine)
{
	const struct bpf_constants constants = {
		.out_ifindex = engine->config.out_ifindex,
		.is_one_interface = engine->config.out_ifindex == engine->config.ifindex,
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
		r = size_map(engine, "dsr_exceptions", engine->n_cpus);
	return r;
}

static int map_counters(struct engine *engine)
{
	engine->totals = map_memory(engine, "dsr_totals", engine->n_cpus * sizeof(*engine->totals));
	engine->pairs = map_memory(
		engine, "dsr_pairs", (size_t)engine->n_cpus * BPF_PAIRS * sizeof(*engine->pairs));
	engine->rates.services =
		map_memory(engine, "dsr_rates", (FWD_ID_MAX + 1) * sizeof(*engine->rates.services));
	engine->rates.sources = map_memory(
		engine, "dsr_source_rates", FWD_SOURCE_RATES * sizeof(*engine->rates.sources));
	return engine->totals && engine->pairs && engine->rates.services && engine->rates.sources
		? 0
		: util_negative_errno();
}

static int read_program_id(int fd, uint32_t *ret_id, char ret_name[BPF_OBJ_NAME_LEN])
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
		return say(ret_why, n_cpus, "number of CPUs");
	engine->n_cpus = (unsigned int)n_cpus;
	if (engine->config.flows_map < 0 || engine->config.loads_map < 0)
		return say(ret_why, -EPERM, "flows are not kept in maps");
	r = open_object(engine);
	if (r == 0)
		r = set_constants(engine);
	if (r == 0)
		r = size_maps(engine);
	if (r < 0)
		return say(ret_why, r, "BPF object");
	r = bpf_object__load(engine->object);
	if (r < 0)
		return say(ret_why, r,
			"the kernel refuses the program (log-level = debug tells more)");
	engine->images_fd = map_fd(engine, "dsr_images");
	engine->tables_fd = map_fd(engine, "dsr_tables");
	engine->fragments_fd = map_fd(engine, "dsr_fragments");
	r = map_counters(engine);
	if (r == 0)
		r = read_program_id(bpf_program__fd(engine->program), &engine->program_id, NULL);
	return r < 0 ? say(ret_why, r, "maps of the program") : 0;
}

/* ---- exceptions ---- */

static void on_exception(void *context, int cpu, void *data, uint32_t size_bytes)
{
	struct engine *engine = context;

	if (engine->exceptions)
		bpf_exceptions_take(engine->exceptions, data, size_bytes);
}

static void poll_exceptions(void *context, int timeout_ms)
{
	struct engine *engine = context;

	(void)perf_buffer__poll(engine->perf, timeout_ms);
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

	/* What found no room was counted by the program: nobody asks for losses. */
	engine->perf = perf_buffer__new(
		map_fd(engine, "dsr_exceptions"), BPF_PERF_PAGES, on_exception, NULL, engine, NULL);
	if (!engine->perf)
		return say(ret_why, util_negative_errno(), "ring of exceptions");
	r = bpf_exceptions_new(&config, &engine->exceptions, &step);
	return r < 0 ? say(ret_why, r, step) : 0;
}

/* ---- attachment ---- */

/* "NAME (id N)", as far as the kernel tells us. */
static void name_program(uint32_t id, char *ret_text, size_t size_bytes)
{
	char name[BPF_OBJ_NAME_LEN] = "";
	int fd = bpf_prog_get_fd_by_id(id);

	if (fd >= 0) {
		(void)read_program_id(fd, &id, name);
		util_close(fd);
	}
	snprintf(ret_text, size_bytes, "%s%s(id %u)", name, *name ? " " : "", id);
}

/* Whether the program is one of a former life of this daemon: by its pin, or by its name. */
static bool is_ours(const char *pin_path, const char *program_name, uint32_t id)
{
	char name[BPF_OBJ_NAME_LEN] = "";
	uint32_t pinned_id = 0;
	int fd = *pin_path ? bpf_obj_get(pin_path) : -1;

	if (fd >= 0) {
		(void)read_program_id(fd, &pinned_id, NULL);
		util_close(fd);
	}
	if (pinned_id == id)
		return true;
	fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0)
		return false;
	(void)read_program_id(fd, &id, name);
	util_close(fd);
	return streq(name, program_name);
}

static int xdp_query(unsigned int ifindex, uint32_t *ret_native, uint32_t *ret_other)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	int r = bpf_xdp_query((int)ifindex, 0, &query);

	if (r < 0)
		return r;
	*ret_native = query.drv_prog_id;
	*ret_other = query.skb_prog_id ? query.skb_prog_id : query.hw_prog_id;
	return 0;
}

/* Nobody else's program is ever replaced. */
static int xdp_check(const struct engine *engine, char *ret_why)
{
	uint32_t native = 0, other = 0;
	char text[64];
	int r = xdp_query(engine->config.ifindex, &native, &other);

	if (r < 0)
		return say(ret_why, r, "asking for XDP programs");
	if (other == 0 && (native == 0 || is_ours(engine->pin_path, "dsr_xdp", native)))
		return 0;
	name_program(other ? other : native, text, sizeof(text));
	snprintf(ret_why, ENGINE_WHY_BYTES, "another XDP program, %s, is on the interface", text);
	return -EBUSY;
}

static int xdp_attach_to(unsigned int ifindex, const struct bpf_program *program)
{
	return bpf_xdp_attach((int)ifindex, bpf_program__fd(program), XDP_FLAGS_DRV_MODE, NULL);
}

/* Drivers take frames from a redirect when they have an XDP program themselves. */
static void xdp_attach_pass(const struct engine *engine)
{
	uint32_t native = 0, other = 0;

	if (engine->config.out_ifindex == engine->config.ifindex ||
		xdp_query(engine->config.out_ifindex, &native, &other) < 0 || native || other)
		return;
	(void)xdp_attach_to(engine->config.out_ifindex, engine->pass_program);
}

static int xdp_attach(struct engine *engine, char *ret_why)
{
	int r = xdp_check(engine, ret_why);

	if (r < 0)
		return r;
	r = xdp_attach_to(engine->config.ifindex, engine->program);
	if (r < 0)
		return say(ret_why, r, "native XDP on the interface");
	xdp_attach_pass(engine);
	return 0;
}

static void xdp_detach(const struct engine_config *config, const char *pin_path)
{
	uint32_t native = 0, other = 0;

	if (xdp_query(config->ifindex, &native, &other) == 0 && native &&
		is_ours(pin_path, "dsr_xdp", native))
		(void)bpf_xdp_detach((int)config->ifindex, XDP_FLAGS_DRV_MODE, NULL);
	if (config->out_ifindex != config->ifindex &&
		xdp_query(config->out_ifindex, &native, &other) == 0 && native &&
		is_ours("", "dsr_pass", native))
		(void)bpf_xdp_detach((int)config->out_ifindex, XDP_FLAGS_DRV_MODE, NULL);
}

static int xdp_id(const struct engine *engine, uint32_t *ret_id)
{
	uint32_t other = 0;

	return xdp_query(engine->config.ifindex, ret_id, &other);
}

static int tc_query(unsigned int ifindex, uint32_t *ret_id)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = BPF_TC_HANDLE, .priority = BPF_TC_PRIORITY);
	int r = bpf_tc_query(&hook, &options);

	if (r < 0)
		return r == -ENOENT || r == -EINVAL ? -ENOENT : r;
	*ret_id = options.prog_id;
	return 0;
}

static int tc_attach(struct engine *engine, char *ret_why)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)engine->config.ifindex,
		.attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = BPF_TC_HANDLE, .priority = BPF_TC_PRIORITY,
		.prog_fd = bpf_program__fd(engine->program), .flags = BPF_TC_F_REPLACE);
	int r = bpf_tc_hook_create(&hook);

	if (r < 0 && r != -EEXIST)
		return say(ret_why, r, "clsact qdisc on the interface");
	engine->made_hook |= r == 0;
	r = bpf_tc_attach(&hook, &options);
	return r < 0 ? say(ret_why, r, "classifier at tc ingress") : 0;
}

/* The qdisc goes only if it is ours, since others may have put filters of their own there. */
static void tc_detach(unsigned int ifindex, bool with_hook)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = BPF_TC_HANDLE, .priority = BPF_TC_PRIORITY);
	uint32_t id;

	if (tc_query(ifindex, &id) < 0)
		return;
	(void)bpf_tc_detach(&hook, &options);
	if (!with_hook)
		return;
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	(void)bpf_tc_hook_destroy(&hook);
}

static int tc_id(const struct engine *engine, uint32_t *ret_id)
{
	int r = tc_query(engine->config.ifindex, ret_id);

	if (r == -ENOENT)
		*ret_id = 0;
	return r == -ENOENT ? 0 : r;
}

static bool is_xdp(const struct engine *engine)
{
	return engine->ops == &engine_xdp_ops;
}

static int attach(struct engine *engine, char *ret_why)
{
	int r = is_xdp(engine) ? xdp_attach(engine, ret_why) : tc_attach(engine, ret_why);

	if (r < 0)
		return r;
	engine->is_attached = true;
	if (*engine->pin_path) {
		(void)unlink(engine->pin_path);
		(void)bpf_program__pin(engine->program, engine->pin_path);
	}
	return 0;
}

static int attached_id(const struct engine *engine, uint32_t *ret_id)
{
	return is_xdp(engine) ? xdp_id(engine, ret_id) : tc_id(engine, ret_id);
}

static void set_pin_path(const struct engine_config *config, char ret_path[BPF_PIN_PATH_BYTES])
{
	ret_path[0] = '\0';
	if (config->pin_directory)
		snprintf(
			ret_path, BPF_PIN_PATH_BYTES, "%s/" BPF_PROGRAM_PIN, config->pin_directory);
}

void engine_remove_others(const struct engine_config *config, const struct engine_ops *ops)
{
	char pin_path[BPF_PIN_PATH_BYTES];

	set_pin_path(config, pin_path);
	if (ops != &engine_xdp_ops)
		xdp_detach(config, ops == &engine_tc_ops ? "" : pin_path);
	if (ops != &engine_tc_ops)
		tc_detach(config->ifindex, false);
	if (ops == &engine_packet_ops && *pin_path)
		(void)unlink(pin_path);
}

/* ---- publishing ---- */

/* The place of these rows among dsr_tables; BPF_TABLES: they have none. */
static uint32_t table_place(const struct engine *engine, const struct fwd_slot *rows)
{
	uint32_t place = 0;

	while (place < BPF_TABLES && engine->tables[place] != rows)
		place++;
	return place;
}

/* What is added to, or removed from, dsr_tables at once: each call waits for the kernel's readers. */
struct table_batch {
	uint32_t places[BPF_TABLES];
	uint32_t maps[BPF_TABLES];
	uint32_t len;
};

static int batch_add(const struct engine *engine, const struct table_batch *batch)
{
	uint32_t len = batch->len;
	int r = len
		? bpf_map_update_batch(engine->tables_fd, batch->places, batch->maps, &len, NULL)
		: 0;

	/* Kernels before 5.19 know no batches of maps in maps. */
	for (uint32_t i = 0; r < 0 && i < batch->len; i++) {
		int error = bpf_map_update_elem(
			engine->tables_fd, &batch->places[i], &batch->maps[i], BPF_ANY);

		if (error < 0)
			return error;
	}
	return 0;
}

static void batch_remove(const struct engine *engine, const struct table_batch *batch)
{
	uint32_t len = batch->len;

	if (len == 0 || bpf_map_delete_batch(engine->tables_fd, batch->places, &len, NULL) == 0)
		return;
	for (uint32_t i = 0; i < batch->len; i++)
		(void)bpf_map_delete_elem(engine->tables_fd, &batch->places[i]);
}

/* Gives the snapshot's tables their places; `ret_places` has one for each. */
static int place_tables(struct engine *engine, const struct snapshot *snapshot,
	uint32_t *ret_places, struct table_batch *batch)
{
	size_t len = snapshot_tables_len(snapshot);
	uint32_t next = 0;

	for (uint32_t i = 0; i < len; i++) {
		const struct fwd_slot *rows = snapshot_slot(snapshot, i, 0);
		uint32_t place = table_place(engine, rows);

		if (place == BPF_TABLES) {
			if (snapshot_table_map(snapshot, i) < 0)
				return -EINVAL;
			while (next < BPF_TABLES && engine->tables[next])
				next++;
			if (next == BPF_TABLES)
				return -ENOSPC;
			place = next;
			engine->tables[place] = rows;
			batch->places[batch->len] = place;
			batch->maps[batch->len++] = (uint32_t)snapshot_table_map(snapshot, i);
		}
		ret_places[i] = place;
	}
	return batch_add(engine, batch);
}

static void forget_tables(struct engine *engine, const struct table_batch *batch)
{
	for (uint32_t i = 0; i < batch->len; i++)
		engine->tables[batch->places[i]] = NULL;
}

/* Places that the snapshot in force does not use. */
static void sweep_tables(struct engine *engine, struct table_batch *batch)
{
	const struct snapshot *snapshot = engine->current;
	size_t len = snapshot_tables_len(snapshot);
	_cleanup_free_ bool *used = calloc(BPF_TABLES, sizeof(*used));

	batch->len = 0;
	if (!used)
		return; /* they stay until the next time */
	for (uint32_t i = 0; i < len; i++)
		used[table_place(engine, snapshot_slot(snapshot, i, 0))] = true;
	for (uint32_t place = 0; place < BPF_TABLES; place++) {
		if (!engine->tables[place] || used[place])
			continue;
		batch->places[batch->len++] = place;
		engine->tables[place] = NULL;
	}
	batch_remove(engine, batch);
}

/* A map whose only value is the snapshot's image, its services pointing to the tables' places. */
static int make_image(const struct snapshot *snapshot, const uint32_t *places)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "dsr_image", sizeof(uint32_t),
		sizeof(struct fwd_image), 1, &options);
	struct fwd_image *image;

	if (fd < 0)
		return fd;
	image = mmap(NULL, sizeof(*image), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (image == MAP_FAILED) {
		int r = util_negative_errno();

		util_close(fd);
		return r;
	}
	memcpy(image, snapshot_image(snapshot), sizeof(*image));
	for (uint32_t i = 1; i < image->lens.services; i++)
		image->services[i].table = places[image->services[i].table];
	munmap(image, sizeof(*image));
	return fd;
}

static int publish_image(struct engine *engine, struct snapshot *snapshot, const uint32_t *places)
{
	_cleanup_close_ int fd = make_image(snapshot, places);
	uint32_t zero = 0;

	/* Returns when no program reads the former one. */
	return fd < 0 ? fd : bpf_map_update_elem(engine->images_fd, &zero, &fd, BPF_ANY);
}

static int bpf_publish(struct engine *engine, struct snapshot *snapshot)
{
	_cleanup_free_ struct table_batch *batch = calloc(1, sizeof(*batch));
	_cleanup_free_ uint32_t *places =
		calloc(snapshot_tables_len(snapshot) + 1, sizeof(*places));
	char why[ENGINE_WHY_BYTES] = "";
	int r = batch && places ? 0 : -ENOMEM;

	if (r == 0) {
		r = place_tables(engine, snapshot, places, batch);
		if (r == 0)
			r = publish_image(engine, snapshot, places);
		if (r < 0)
			forget_tables(engine, batch);
	}
	if (r < 0) {
		snapshot_free(snapshot);
		return r;
	}
	bpf_exceptions_set_snapshot(engine->exceptions, snapshot);
	snapshot_free(engine->current);
	engine->current = snapshot;
	sweep_tables(engine, batch);
	if (!engine->is_attached && attach(engine, why) < 0)
		(void)log_error("%s engine: %s", engine->ops->name, why);
	return 0;
}

static const struct snapshot *bpf_current(struct engine *engine)
{
	return engine->current;
}

static void bpf_reclaim(struct engine *engine)
{
}

/* ---- counters ---- */

static struct rates bpf_rates(struct engine *engine)
{
	return engine->rates;
}

static void bpf_totals(struct engine *engine, struct engine_totals *ret_totals)
{
	struct engine_totals totals = { 0 };

	for (unsigned int cpu = 0; cpu < engine->n_cpus; cpu++) {
		const struct bpf_totals *own = &engine->totals[cpu];

		for (unsigned int reason = 0; reason < FWD_REASON_N_; reason++) {
			uint64_t n_pkts = FWD_LOAD(&own->reason_pkts[reason]);

			totals.reason_pkts[reason] += n_pkts;
			totals.verdict_pkts[counters_verdict(reason)] += n_pkts;
			totals.received_pkts += n_pkts;
		}
		totals.evictions += FWD_LOAD(&own->evictions);
		totals.unrecorded += FWD_LOAD(&own->unrecorded);
		totals.uncounted_pairs += FWD_LOAD(&own->uncounted_pairs);
	}
	bpf_exceptions_sum_totals(engine->exceptions, &totals);
	*ret_totals = totals;
}

/* The numbers of a key over all CPUs. */
static struct bpf_pair sum_pair(const struct engine *engine, uint32_t key)
{
	uint32_t first = image_place(key, BPF_PAIRS);
	struct bpf_pair sum = { .key = key };

	for (unsigned int cpu = 0; cpu < engine->n_cpus; cpu++) {
		const struct bpf_pair *pairs = &engine->pairs[(size_t)cpu * BPF_PAIRS];

		for (uint32_t i = 0; i < BPF_PAIR_PROBES; i++) {
			const struct bpf_pair *pair = &pairs[(first + i) & (BPF_PAIRS - 1)];
			uint32_t found = FWD_LOAD(&pair->key);

			if (found == 0)
				break;
			if (found != key)
				continue;
			sum.packets += FWD_LOAD(&pair->packets);
			sum.bytes += FWD_LOAD(&pair->bytes);
			sum.new_flows += FWD_LOAD(&pair->new_flows);
			break;
		}
	}
	return sum;
}

static void bpf_service_counters(
	struct engine *engine, uint16_t service, struct engine_service_counters *ret_counters)
{
	struct bpf_pair sum = sum_pair(engine, (uint32_t)service << 16);
	struct engine_service_counters counters = { sum.packets, sum.bytes, sum.new_flows };

	counters_sum_service(bpf_exceptions_counters(engine->exceptions), service, &counters);
	*ret_counters = counters;
}

static void bpf_pair_counters(struct engine *engine, uint16_t service, uint16_t backend,
	struct engine_pair_counters *ret_counters)
{
	struct bpf_pair sum = sum_pair(engine, (uint32_t)service << 16 | backend);
	struct engine_pair_counters counters = { service, backend, sum.packets, sum.bytes,
		sum.new_flows };

	counters_sum_pair(bpf_exceptions_counters(engine->exceptions), service, backend, &counters);
	*ret_counters = counters;
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

/* Our program was taken from the interface: put back, unless another has its place. */
static int repair(struct engine *engine)
{
	char why[ENGINE_WHY_BYTES] = "";
	uint32_t id = 0;
	int r;

	if (!engine->is_attached)
		return 0;
	r = attached_id(engine, &id);
	if (r < 0 || id == engine->program_id)
		return 0;
	if (id != 0 && is_xdp(engine))
		return -EBUSY;
	r = attach(engine, why);
	if (r < 0)
		return r;
	log_warning("the %s program was taken from the interface; it is back", engine->ops->name);
	return 0;
}

static int bpf_health(struct engine *engine)
{
	int r = link_health(engine, engine->config.ifindex);

	if (r == 0)
		r = link_health(engine, engine->config.out_ifindex);
	return r == 0 ? repair(engine) : r;
}

static void unmap(void *memory, size_t size_bytes)
{
	if (memory)
		munmap(memory, size_bytes);
}

static void bpf_stop(struct engine *engine, bool detach)
{
	if (!engine)
		return;
	if (detach && engine->is_attached) {
		if (is_xdp(engine))
			xdp_detach(&engine->config, engine->pin_path);
		else
			tc_detach(engine->config.ifindex, engine->made_hook);
		if (*engine->pin_path)
			(void)unlink(engine->pin_path);
	}
	bpf_exceptions_free(engine->exceptions);
	perf_buffer__free(engine->perf);
	snapshot_free(engine->current);
	unmap(engine->totals, engine->n_cpus * sizeof(*engine->totals));
	unmap(engine->pairs, (size_t)engine->n_cpus * BPF_PAIRS * sizeof(*engine->pairs));
	unmap(engine->rates.services, (FWD_ID_MAX + 1) * sizeof(*engine->rates.services));
	unmap(engine->rates.sources, FWD_SOURCE_RATES * sizeof(*engine->rates.sources));
	bpf_object__close(engine->object);
	util_close(engine->link_fd);
	free(engine->tables);
	free(engine);
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

	engine->tables = calloc(BPF_TABLES, sizeof(*engine->tables));
	engine->link_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	r = engine->tables && engine->link_fd >= 0 ? make_empty_snapshot(&engine->current)
						   : -ENOMEM;
	if (r < 0)
		return say(ret_why, r, "memory");
	r = is_xdp(engine) ? xdp_check(engine, ret_why) : 0;
	if (r < 0)
		return r;
	r = load(engine, ret_why);
	if (r == 0)
		r = start_exceptions(engine, ret_why);
	if (r < 0)
		return r;
	/* Whether the driver takes it shows now; a program of a former life has shown it, and goes on. */
	return attached_id(engine, &id) == 0 && id != 0 ? 0 : attach(engine, ret_why);
}

static int bpf_start(const struct engine_ops *ops, const struct engine_config *config,
	struct engine **ret_engine, char *ret_why)
{
	struct engine *engine = calloc(1, sizeof(*engine));
	int r;

	if (!engine)
		return say(ret_why, -ENOMEM, "memory");
	libbpf_set_print(on_libbpf_says);
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	engine->ops = ops;
	engine->config = *config;
	engine->link_fd = -1;
	set_pin_path(config, engine->pin_path);
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
static bool xdp_suits(const struct engine_config *config, char *ret_why)
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
		.publish = bpf_publish, .current = bpf_current, .rates = bpf_rates, \
		.reclaim = bpf_reclaim, .totals = bpf_totals, \
		.service_counters = bpf_service_counters, .pair_counters = bpf_pair_counters, \
		.health = bpf_health, .stop = bpf_stop, \
	}

const struct engine_ops engine_xdp_ops = BPF_OPS("xdp", xdp_suits, xdp_start);
const struct engine_ops engine_tc_ops = BPF_OPS("tc", NULL, tc_start);
