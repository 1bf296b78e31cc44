/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engines in the kernel: the contract of engine.h over the programs of dsr.bpf.c, as native XDP
 * or as a classifier of tc. This file starts and stops them, and holds the parts together.
 *
 * A restarted daemon loads programs and maps of its own over the kept flows and rows, loads its
 * first snapshot into them, and only then replaces the attached program, in one step: no frame
 * meets none, and no map is ever read by another build.
 */
#include "lb/engine/bpf/engine_bpf.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "common/log.h"
#include "lb/engine/bpf/captured.h"
#include "lb/engine/bpf/count.h"
#include "lb/engine/bpf/load.h"
#include "lb/engine/bpf/object.h"
#include "lb/engine/bpf/slow_path_thread.h"
#include "lb/engine/capture/capture_ring.h"
#include "lb/engine/link_check.h"
#include "lb/engine/snapshot.h"

/* ---- the slow path ---- */

/* In its thread, and so are the next two. */
static int on_handed_over(void *context, void *data, size_t size_bytes)
{
	struct engine *engine = context;

	slow_path_thread_take(engine->slow_path, data, size_bytes);
	return 0;
}

static void poll_ring(void *context, int timeout_ms)
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

static int start_slow_path(struct engine *engine, struct why *ret_why)
{
	struct slow_path_thread_config config = {
		.ifindex = engine->config.ifindex,
		.poll = poll_ring,
		.find_first = find_first,
		.context = engine,
	};

	engine->slow_path_capture = config.capture = capture_ring_new();
	if (!config.capture)
		return why_errno(ret_why, util_negative_errno(), "ring of captured frames");
	engine->ring = ring_buffer__new(
		object_map_fd(engine, "dsr_exceptions"), on_handed_over, engine, NULL);
	if (!engine->ring)
		return why_errno(ret_why, util_negative_errno(), "ring of the slow path");
	return slow_path_thread_new(&config, &engine->slow_path, ret_why);
}

/* ---- life ---- */

static const char *name_of(const struct engine *engine)
{
	return engine->attachment.kind == ATTACH_XDP ? engine_xdp_ops.name : engine_tc_ops.name;
}

/* Only what has its first snapshot takes the place of a program that forwards. */
static int bpf_load(struct engine *engine, struct snapshot *snapshot)
{
	unsigned int outs[FWD_LINKS_MAX];
	struct why why = { 0 };
	int r = load_snapshot(engine, snapshot);

	if (r < 0)
		return r;
	for (size_t i = 0; i < FWD_LINKS_MAX; i++)
		outs[i] = snapshot_settings(engine->current)->links[i].ifindex;
	attach_follow(&engine->attachment, outs);
	if (!engine->attachment.program_id && attach_program(&engine->attachment, &why) < 0)
		(void)log_error("%s engine: %s", name_of(engine), why.text);
	return 0;
}

static int bpf_health(struct engine *engine)
{
	int r = link_check(engine->link_fd, engine->config.ifindex);

	if (r == 0)
		r = attach_repair(&engine->attachment, NULL);
	if (r > 0)
		log_warning(
			"the %s program was taken from the interface; it is back", name_of(engine));
	return MIN(r, 0);
}

static void bpf_stop(struct engine *engine, bool detach)
{
	if (!engine)
		return;
	if (detach && engine->attachment.program_id)
		attach_remove(&engine->attachment);
	slow_path_thread_free(engine->slow_path);
	captured_free(engine->captured);
	capture_ring_free(engine->slow_path_capture);
	ring_buffer__free(engine->ring);
	snapshot_free(engine->current);
	object_close(engine);
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

static int prepare(struct engine *engine, struct why *ret_why)
{
	uint32_t id = 0;
	int r;

	engine->tables = calloc(BPF_TABLES, sizeof(const struct fwd_slot *));
	engine->link_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	r = engine->tables && engine->link_fd >= 0 ? snapshot_new_empty(&engine->current) : -ENOMEM;
	if (r < 0)
		return why_errno(ret_why, r, "memory");
	r = attach_check(&engine->attachment, ret_why);
	if (r == 0)
		r = object_load(engine, ret_why);
	if (r == 0)
		r = start_slow_path(engine, ret_why);
	if (r == 0)
		r = captured_new(engine, engine->slow_path_capture, &engine->captured, ret_why);
	if (r < 0)
		return r;
	/* Whether the driver takes it shows now; a program of a previous run has shown it, and goes on. */
	return attach_find(&engine->attachment, &id) == 0 && id != 0
		? 0
		: attach_program(&engine->attachment, ret_why);
}

static int bpf_start(enum attach_kind kind, const struct engine_config *config,
	struct engine **ret_engine, struct why *ret_why)
{
	struct engine *engine = calloc(1, sizeof(*engine));
	int r;

	if (!engine)
		return why_errno(ret_why, -ENOMEM, "memory");
	object_set_up();
	engine->config = *config;
	engine->link_fd = -1;
	attach_init(&engine->attachment, kind, &engine->config);
	r = prepare(engine, ret_why);
	if (r < 0) {
		bpf_stop(engine, true);
		return r;
	}
	*ret_engine = engine;
	return 0;
}

static void bpf_sweep(enum attach_kind kind, const struct engine_config *config)
{
	struct attachment attachment;

	attach_init(&attachment, kind, config);
	attach_remove(&attachment);
}

/* ---- as XDP, as a classifier ---- */

struct driver {
	char name[sizeof(((struct ethtool_drvinfo *)NULL)->driver)]; /* "": not known */
	char interface[IF_NAMESIZE];
};

static void read_driver(unsigned int ifindex, struct driver *ret_driver)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq request = { .ifr_data = (void *)&info };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*ret_driver = (struct driver){ 0 };
	if (fd < 0 || !if_indextoname(ifindex, request.ifr_name))
		return;
	memcpy(ret_driver->interface, request.ifr_name, sizeof(ret_driver->interface));
	if (ioctl(fd, SIOCETHTOOL, &request) == 0)
		snprintf(ret_driver->name, sizeof(ret_driver->name), "%.*s",
			(int)sizeof(info.driver) - 1, info.driver);
}

/*
 * veth has native XDP, but not for everybody: frames of local stacks come with unfinished checksums,
 * which get lost on this way, and without a program or GRO at the other end, which cannot be seen
 * from here, whatever is sent is swallowed (drivers/net/veth.c:veth_xdp_xmit).
 */
static bool driver_suits(const struct engine_config *config, struct why *ret_why)
{
	struct driver driver;

	read_driver(config->ifindex, &driver);
	if (!streq(driver.name, "veth"))
		return true;
	why_set(ret_why,
		"veth loses unfinished checksums, and frames where its other end takes no part");
	return false;
}

/*
 * Devices on top of others have no ndo_xdp_xmit (Linux 6.1 to 6.18; bonds have one): whatever is redirected there is
 * dropped, and nobody says so (doc/adr/0014-segments.md).
 */
static bool xdp_takes_outs(const struct engine_config *config, struct why *ret_why)
{
	static const char *const without[] = { "802.1Q VLAN Support", "bridge", "macvlan", "ipvlan",
		"team", "dummy" };
	struct driver driver;

	ARRAY_FOREACH (out, config->outs, ARRAY_LEN(config->outs)) {
		if (*out == 0 || *out == config->ifindex)
			continue;
		read_driver(*out, &driver);
		for (size_t i = 0; i < ARRAY_LEN(without); i++)
			if (streq(driver.name, without[i])) {
				why_set(ret_why, "%s (%s) takes no frames from XDP",
					driver.interface, driver.name);
				return false;
			}
	}
	return true;
}

static bool xdp_suits(const struct engine_config *config, struct why *ret_why)
{
	struct attachment attachment;

	attach_init(&attachment, ATTACH_XDP, config);
	return attach_check(&attachment, ret_why) == 0 && driver_suits(config, ret_why) &&
		xdp_takes_outs(config, ret_why);
}

static int xdp_start(
	const struct engine_config *config, struct engine **ret_engine, struct why *ret_why)
{
	if (!xdp_takes_outs(config, ret_why))
		return -EOPNOTSUPP;
	return bpf_start(ATTACH_XDP, config, ret_engine, ret_why);
}

static int tc_start(
	const struct engine_config *config, struct engine **ret_engine, struct why *ret_why)
{
	return bpf_start(ATTACH_TC, config, ret_engine, ret_why);
}

static void xdp_sweep(const struct engine_config *config)
{
	bpf_sweep(ATTACH_XDP, config);
}

static void tc_sweep(const struct engine_config *config)
{
	bpf_sweep(ATTACH_TC, config);
}

#define BPF_OPS(engine_name, engine_suits, engine_takes_outs, engine_start, engine_sweep) \
	{ \
		.name = engine_name, .suits = engine_suits, .takes_outs = engine_takes_outs, \
		.start = engine_start, .load = bpf_load, .current = bpf_current, \
		.rates = bpf_rates, .reclaim = bpf_reclaim, .totals = count_totals, \
		.service_counters = count_service, .pair_counters = count_pair, \
		.take_clients = count_take_clients, .health = bpf_health, .capture = captured_set, \
		.capture_fd = captured_fd, .capture_take = captured_take, \
		.capture_lost = captured_lost, .stop = bpf_stop, .sweep = engine_sweep, \
	}

const struct engine_ops engine_xdp_ops =
	BPF_OPS("xdp", xdp_suits, xdp_takes_outs, xdp_start, xdp_sweep);
const struct engine_ops engine_tc_ops = BPF_OPS("tc", NULL, NULL, tc_start, tc_sweep);
