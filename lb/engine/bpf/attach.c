/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs on interfaces: not by links, which end with their descriptors, but attached for as long as
 * the interface lives. So they, and the maps that they refer to, outlive the daemon in any case, and
 * `ip link`, `tc` and `bpftool net` show and remove them (doc/adr/0005-bpf-attachment.md). A program
 * of a former life is known by its pin, or, where we may ask for programs by id, by its name.
 */
#include <linux/if_link.h>

#include "common/log.h"
#include "lb/engine/bpf/engine_bpf_internal.h"

#define XDP_NAME  "dsr_xdp"
#define PASS_NAME "dsr_pass"

/* Since Linux 6.6; the headers may be older. */
#define TCX_INGRESS      ((enum bpf_attach_type)46)
#define TCX_PROGRAMS_MAX 64u

/* "NAME (id N)", or "id N" where the kernel does not tell us its name. */
static void name_program(uint32_t id, char *ret_text, size_t size_bytes)
{
	char name[BPF_OBJ_NAME_LEN] = "";
	int fd = bpf_prog_get_fd_by_id(id);

	if (fd >= 0) {
		(void)engine_bpf_program_id(fd, &id, name);
		util_close(fd);
	}
	snprintf(ret_text, size_bytes, *name ? "%s (id %u)" : "%sid %u", name, id);
}

/* ---- pins ---- */

/*
 * A program is pinned before it is attached, and what it replaces keeps its own pin until then: whoever
 * dies in between leaves none on an interface that the next life would not know. Not the suffix of
 * unfinished pins (keep_map.c), which go at the next start.
 */
#define NEXT_SUFFIX "_next"

/* "": nothing is pinned. */
static void pin_path(const struct engine_config *config, const char *name, const char *suffix,
	char ret_path[BPF_PIN_PATH_BYTES])
{
	ret_path[0] = '\0';
	if (config->pin_directory)
		snprintf(ret_path, BPF_PIN_PATH_BYTES, "%s/%s%s", config->pin_directory, name,
			suffix);
}

static void pin_unlink(const struct engine_config *config, const char *name, const char *suffix)
{
	char path[BPF_PIN_PATH_BYTES];

	pin_path(config, name, suffix, path);
	if (*path)
		(void)unlink(path);
}

static void pin_remove(const struct engine_config *config, const char *name)
{
	pin_unlink(config, name, "");
	pin_unlink(config, name, NEXT_SUFFIX);
}

/* What is attached now has its name for itself. */
static void pin_settle(const struct engine_config *config, const char *name)
{
	char path[BPF_PIN_PATH_BYTES], next[BPF_PIN_PATH_BYTES];

	pin_path(config, name, "", path);
	pin_path(config, name, NEXT_SUFFIX, next);
	if (*path)
		(void)rename(next, path);
}

/* A descriptor of program `id` if that is what is pinned there; else negative. */
static int pin_open(
	const struct engine_config *config, const char *name, const char *suffix, uint32_t id)
{
	char path[BPF_PIN_PATH_BYTES];
	uint32_t found_id = 0;
	int fd;

	pin_path(config, name, suffix, path);
	fd = *path ? bpf_obj_get(path) : -ENOENT;
	if (fd >= 0 && engine_bpf_program_id(fd, &found_id, NULL) == 0 && found_id == id)
		return fd;
	if (fd >= 0)
		util_close(fd);
	return -ENOENT;
}

/* Before `program` is attached in place of our program `old`; 0: of none. */
static int pin_next(const struct engine_config *config, const char *name, uint32_t old,
	const struct bpf_program *program)
{
	char next[BPF_PIN_PATH_BYTES];
	int fd = old ? pin_open(config, name, NEXT_SUFFIX, old) : -1;

	/* A former life ended before it settled. */
	if (fd >= 0) {
		util_close(fd);
		pin_settle(config, name);
	}
	pin_path(config, name, NEXT_SUFFIX, next);
	if (!*next)
		return 0;
	(void)unlink(next);
	return bpf_obj_pin(bpf_program__fd(program), next);
}

/* With what came of attaching it. */
static int pin_end(const struct engine_config *config, const char *name, int result)
{
	if (result < 0)
		pin_unlink(config, name, NEXT_SUFFIX);
	else
		pin_settle(config, name);
	return result;
}

/* A descriptor of program `id` if it is ours by that name; else negative. */
static int own_program(const struct engine_config *config, const char *name, uint32_t id)
{
	char found[BPF_OBJ_NAME_LEN] = "";
	uint32_t found_id = 0;
	int fd = pin_open(config, name, "", id);

	if (fd < 0)
		fd = pin_open(config, name, NEXT_SUFFIX, id);
	if (fd >= 0)
		return fd;
	fd = bpf_prog_get_fd_by_id(id);
	if (fd >= 0 && engine_bpf_program_id(fd, &found_id, found) == 0 && streq(found, name))
		return fd;
	if (fd >= 0)
		util_close(fd);
	return -ENOENT;
}

static bool is_own(const struct engine_config *config, const char *name, uint32_t id)
{
	int fd = own_program(config, name, id);

	if (fd >= 0)
		util_close(fd);
	return fd >= 0;
}

/* ---- native XDP ---- */

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

/* Nobody else's program is ever replaced; `*ret_old` is ours of a former life, 0: none. */
static int xdp_check(const struct engine_config *config, uint32_t *ret_old, char *ret_why)
{
	uint32_t native = 0, other = 0;
	char text[64];
	int r = xdp_query(config->ifindex, &native, &other);

	if (r < 0)
		return engine_bpf_say(ret_why, r, "asking for XDP programs");
	if (other == 0 && (native == 0 || is_own(config, XDP_NAME, native))) {
		*ret_old = native;
		return 0;
	}
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
	if (pin_next(&engine->config, PASS_NAME, 0, engine->pass_program) == 0)
		(void)pin_end(&engine->config, PASS_NAME,
			xdp_attach_to(engine->config.out_ifindex, engine->pass_program));
}

static int xdp_attach(struct engine *engine, char *ret_why)
{
	const struct engine_config *config = &engine->config;
	uint32_t old = 0;
	int r = xdp_check(config, &old, ret_why);

	if (r < 0)
		return r;
	r = pin_next(config, XDP_NAME, old, engine->program);
	if (r < 0)
		return engine_bpf_say(ret_why, r, "pin of the program");
	r = pin_end(config, XDP_NAME, xdp_attach_to(config->ifindex, engine->program));
	if (r < 0)
		return engine_bpf_say(ret_why, r, "native XDP on the interface");
	xdp_attach_pass(engine);
	return 0;
}

static void xdp_detach_from(
	const struct engine_config *config, unsigned int ifindex, const char *name)
{
	uint32_t native = 0, other = 0;

	if (xdp_query(ifindex, &native, &other) == 0 && native && is_own(config, name, native))
		(void)bpf_xdp_detach((int)ifindex, XDP_FLAGS_DRV_MODE, NULL);
	pin_remove(config, name);
}

static void xdp_detach(const struct engine_config *config)
{
	xdp_detach_from(config, config->ifindex, XDP_NAME);
	if (config->out_ifindex != config->ifindex)
		xdp_detach_from(config, config->out_ifindex, PASS_NAME);
}

/* ---- tcx ---- */

/*
 * The id of our program among those at the hook; 0: it is not there. `wanted`: of this id, or 0: of
 * any former life. -EINVAL: this kernel has no such hook.
 */
static int tcx_find(const struct bpf_tc *tc, uint32_t wanted, uint32_t *ret_id)
{
	uint32_t ids[TCX_PROGRAMS_MAX], len = TCX_PROGRAMS_MAX;
	int r = bpf_prog_query((int)tc->config->ifindex, TCX_INGRESS, 0, NULL, ids, &len);

	if (r < 0)
		return r;
	*ret_id = 0;
	for (uint32_t i = 0; i < len && *ret_id == 0; i++)
		if (wanted ? ids[i] == wanted : is_own(tc->config, tc->name, ids[i]))
			*ret_id = ids[i];
	return 0;
}

static int tcx_attach(const struct bpf_tc *tc)
{
	LIBBPF_OPTS(bpf_prog_attach_opts, options);
	_cleanup_close_ int old_fd = -1;
	uint32_t old = 0;
	int r = tcx_find(tc, 0, &old);

	if (r < 0)
		return r;
	if (old)
		old_fd = own_program(tc->config, tc->name, old);
	if (old_fd >= 0) {
		options.flags = BPF_F_REPLACE;
		options.replace_prog_fd = old_fd;
	}
	r = pin_next(tc->config, tc->name, old, tc->program);
	if (r < 0)
		return r;
	return pin_end(tc->config, tc->name,
		bpf_prog_attach_opts(bpf_program__fd(tc->program), (int)tc->config->ifindex,
			TCX_INGRESS, &options));
}

static void tcx_detach(const struct bpf_tc *tc)
{
	uint32_t id = 0;
	int fd;

	while (tcx_find(tc, 0, &id) == 0 && id) {
		fd = own_program(tc->config, tc->name, id);
		if (fd < 0 || bpf_prog_detach2(fd, (int)tc->config->ifindex, TCX_INGRESS) < 0) {
			util_close(fd);
			return;
		}
		util_close(fd);
	}
}

/* ---- clsact, on kernels without tcx ---- */

static int clsact_query(const struct bpf_tc *tc, uint32_t *ret_id)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)tc->config->ifindex,
		.attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = tc->place, .priority = tc->place);
	int r = bpf_tc_query(&hook, &options);

	*ret_id = r < 0 ? 0 : options.prog_id;
	return r == -ENOENT || r == -EINVAL ? 0 : r;
}

static int clsact_attach(struct bpf_tc *tc, char *ret_why)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)tc->config->ifindex,
		.attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = tc->place, .priority = tc->place,
		.prog_fd = bpf_program__fd(tc->program), .flags = BPF_TC_F_REPLACE);
	int r = bpf_tc_hook_create(&hook);

	if (r < 0 && r != -EEXIST)
		return engine_bpf_say(ret_why, r, "clsact qdisc on the interface");
	tc->made_hook |= r == 0;
	r = bpf_tc_attach(&hook, &options);
	return r < 0 ? engine_bpf_say(ret_why, r, "classifier at tc ingress") : 0;
}

/* The qdisc goes only if it is ours, since others may have put filters of their own there. */
static void clsact_detach(const struct bpf_tc *tc, bool with_hook)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)tc->config->ifindex,
		.attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = tc->place, .priority = tc->place);
	uint32_t id;

	if (clsact_query(tc, &id) < 0 || id == 0)
		return;
	(void)bpf_tc_detach(&hook, &options);
	if (!with_hook)
		return;
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	(void)bpf_tc_hook_destroy(&hook);
}

/* ---- tc, in whichever way ---- */

/*
 * Where neither a pin nor the right to ask by id leads back to a program, a later life could not
 * replace it at a hook that holds several: so it goes where places have numbers.
 */
static bool tcx_can_be_had(const struct bpf_tc *tc)
{
	uint32_t id = 0;
	int fd;

	if (tc->config->pin_directory)
		return true;
	if (engine_bpf_program_id(bpf_program__fd(tc->program), &id, NULL) < 0)
		return false;
	fd = bpf_prog_get_fd_by_id(id);
	if (fd >= 0)
		util_close(fd);
	return fd >= 0;
}

int engine_bpf_tc_attach(struct bpf_tc *tc, char *ret_why)
{
	int r = tcx_can_be_had(tc) ? tcx_attach(tc) : -EPERM;

	if (r == 0) {
		clsact_detach(tc, false);
		return 0;
	}
	/* Its place leads back to it, no pin. */
	r = clsact_attach(tc, ret_why);
	if (r == 0) {
		tcx_detach(tc);
		pin_remove(tc->config, tc->name);
	}
	return r;
}

void engine_bpf_tc_detach(const struct bpf_tc *tc)
{
	tcx_detach(tc);
	clsact_detach(tc, tc->made_hook);
	pin_remove(tc->config, tc->name);
}

/* ---- what the engine asks for ---- */

int engine_bpf_check(
	const struct engine_ops *ops, const struct engine_config *config, char *ret_why)
{
	uint32_t old;

	return ops == &engine_xdp_ops ? xdp_check(config, &old, ret_why) : 0;
}

int engine_bpf_attach(struct engine *engine, char *ret_why)
{
	int r = engine_bpf_is_xdp(engine) ? xdp_attach(engine, ret_why)
					  : engine_bpf_tc_attach(&engine->tc, ret_why);

	if (r == 0)
		engine->is_attached = true;
	return r;
}

int engine_bpf_attached_id(const struct engine *engine, uint32_t *ret_id)
{
	uint32_t other = 0;
	int r;

	if (engine_bpf_is_xdp(engine))
		return xdp_query(engine->config.ifindex, ret_id, &other);
	r = tcx_find(&engine->tc, engine->is_attached ? engine->program_id : 0, ret_id);
	return r == 0 && *ret_id ? 0 : clsact_query(&engine->tc, ret_id);
}

void engine_bpf_detach(struct engine *engine)
{
	if (engine_bpf_is_xdp(engine))
		xdp_detach(&engine->config);
	else
		engine_bpf_tc_detach(&engine->tc);
	engine->is_attached = false;
}

/* Our program was taken from the interface: put back, unless another has its place. */
int engine_bpf_repair(struct engine *engine)
{
	char why[ENGINE_WHY_BYTES] = "";
	uint32_t id = 0;
	int r;

	if (!engine->is_attached)
		return 0;
	r = engine_bpf_attached_id(engine, &id);
	if (r < 0 || id == engine->program_id)
		return 0;
	if (id != 0 && engine_bpf_is_xdp(engine))
		return -EBUSY;
	r = engine_bpf_attach(engine, why);
	if (r < 0)
		return r;
	log_warning("the %s program was taken from the interface; it is back", engine->ops->name);
	return 0;
}

void engine_remove_others(const struct engine_config *config, const struct engine_ops *ops)
{
	const struct bpf_tc tc = { BPF_TC_ENGINE, .config = config };
	const struct bpf_tc guard = { BPF_TC_GUARD, .config = config };

	if (ops != &engine_xdp_ops)
		xdp_detach(config);
	if (ops != &engine_tc_ops)
		engine_bpf_tc_detach(&tc);
	if (ops != &engine_packet_ops)
		engine_bpf_tc_detach(&guard);
}
