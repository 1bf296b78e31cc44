/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs on interfaces: over netlink, not by a link that ends with its descriptor. So they, and the
 * maps that they refer to, outlive the daemon in any case, and `ip link` and `tc` show and remove
 * them (doc/adr/0005-bpf-attachment.md).
 */
#include <linux/if_link.h>

#include "common/log.h"
#include "lb/engine_bpf_internal.h"

#define BPF_PROGRAM_PIN "program"
/* Our place among an interface's classifiers: a number that nobody else takes by accident. */
#define BPF_TC_HANDLE   0xd5au
#define BPF_TC_PRIORITY 0xd5au

/* "NAME (id N)", as far as the kernel tells us. */
static void name_program(uint32_t id, char *ret_text, size_t size_bytes)
{
	char name[BPF_OBJ_NAME_LEN] = "";
	int fd = bpf_prog_get_fd_by_id(id);

	if (fd >= 0) {
		(void)engine_bpf_program_id(fd, &id, name);
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
		(void)engine_bpf_program_id(fd, &pinned_id, NULL);
		util_close(fd);
	}
	if (pinned_id == id)
		return true;
	fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0)
		return false;
	(void)engine_bpf_program_id(fd, &id, name);
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
		return engine_bpf_say(ret_why, r, "asking for XDP programs");
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
		return engine_bpf_say(ret_why, r, "native XDP on the interface");
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
		return engine_bpf_say(ret_why, r, "clsact qdisc on the interface");
	engine->made_hook |= r == 0;
	r = bpf_tc_attach(&hook, &options);
	return r < 0 ? engine_bpf_say(ret_why, r, "classifier at tc ingress") : 0;
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

int engine_bpf_attach(struct engine *engine, char *ret_why)
{
	int r = engine_bpf_is_xdp(engine) ? xdp_attach(engine, ret_why)
					  : tc_attach(engine, ret_why);

	if (r < 0)
		return r;
	engine->is_attached = true;
	if (*engine->pin_path) {
		(void)unlink(engine->pin_path);
		(void)bpf_program__pin(engine->program, engine->pin_path);
	}
	return 0;
}

int engine_bpf_attached_id(const struct engine *engine, uint32_t *ret_id)
{
	return engine_bpf_is_xdp(engine) ? xdp_id(engine, ret_id) : tc_id(engine, ret_id);
}

void engine_bpf_pin_path(const struct engine_config *config, char ret_path[BPF_PIN_PATH_BYTES])
{
	ret_path[0] = '\0';
	if (config->pin_directory)
		snprintf(
			ret_path, BPF_PIN_PATH_BYTES, "%s/" BPF_PROGRAM_PIN, config->pin_directory);
}

int engine_bpf_check(const struct engine *engine, char *ret_why)
{
	return engine_bpf_is_xdp(engine) ? xdp_check(engine, ret_why) : 0;
}

void engine_bpf_detach(struct engine *engine)
{
	if (engine_bpf_is_xdp(engine))
		xdp_detach(&engine->config, engine->pin_path);
	else
		tc_detach(engine->config.ifindex, engine->made_hook);
	if (*engine->pin_path)
		(void)unlink(engine->pin_path);
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
	char pin_path[BPF_PIN_PATH_BYTES];

	engine_bpf_pin_path(config, pin_path);
	if (ops != &engine_xdp_ops)
		xdp_detach(config, ops == &engine_tc_ops ? "" : pin_path);
	if (ops != &engine_tc_ops)
		tc_detach(config->ifindex, false);
	if (ops == &engine_packet_ops && *pin_path)
		(void)unlink(pin_path);
}
