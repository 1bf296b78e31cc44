/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs on interfaces: not by links, which end with their descriptors, but attached for as long as
 * the interface lives. So they, and the maps that they refer to, outlive the daemon in any case, and
 * `ip link`, `tc` and `bpftool net` show and remove them (doc/adr/0005-bpf-attachment.md). A program
 * of a previous run is known by its pin, or, where we may ask for programs by id, by its name.
 */
#include "lb/engine/bpf/attach.h"

#include <linux/if_link.h>

#include "lb/engine/engine.h"

#define PASS_NAME      "dsr_pass"
#define PIN_PATH_BYTES 512u

/* Since Linux 6.6; the headers may be older. */
#define TCX_INGRESS      ((enum bpf_attach_type)46)
#define TCX_PROGRAMS_MAX 64u

/* ---- kinds ---- */

static const struct {
	const char *name; /* the program's, and its pin's */
	uint32_t place;   /* where classifiers have numbers: one that nobody takes by accident */
} kinds[] = {
	[ATTACH_XDP] = { .name = "dsr_xdp" },
	[ATTACH_TC] = { .name = "dsr_tc", .place = 0xd5au },
	[ATTACH_GUARD] = { .name = "dsr_guard", .place = 0xd5bu },
};
_Static_assert(ARRAY_LEN(kinds) == ATTACH_N_, "every kind has a name");

const char *attach_program_name(enum attach_kind kind)
{
	return kinds[kind].name;
}

static const char *own_name(const struct attachment *attachment)
{
	return kinds[attachment->kind].name;
}

static uint32_t own_place(const struct attachment *attachment)
{
	return kinds[attachment->kind].place;
}

void attach_init(
	struct attachment *attachment, enum attach_kind kind, const struct engine_config *config)
{
	*attachment = (struct attachment){ .kind = kind, .config = config };
	memcpy(attachment->outs, config->outs, sizeof(attachment->outs));
}

/* Of any program. `ret_name` may be NULL. */
static int attach_program_id(int fd, uint32_t *ret_id, char ret_name[BPF_OBJ_NAME_LEN])
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

/* "NAME (id N)", or "id N" where the kernel does not tell us its name. */
static void name_program(uint32_t id, char *ret_text, size_t size_bytes)
{
	char name[BPF_OBJ_NAME_LEN] = "";
	int fd = bpf_prog_get_fd_by_id(id);

	if (fd >= 0) {
		(void)attach_program_id(fd, &id, name);
		util_close(fd);
	}
	snprintf(ret_text, size_bytes, *name ? "%s (id %u)" : "%sid %u", name, id);
}

/* ---- pins ---- */

/*
 * A program is pinned before it is attached, and what it replaces keeps its own pin until then: whoever
 * dies in between leaves none on an interface that the next run would not know. Not the suffix of
 * unfinished pins (keep_map.c), which go at the next start.
 */
#define NEXT_SUFFIX "_next"

/* "": nothing is pinned. */
static void pin_path(const struct engine_config *config, const char *name, const char *suffix,
	char ret_path[PIN_PATH_BYTES])
{
	ret_path[0] = '\0';
	if (config->pin_directory)
		snprintf(ret_path, PIN_PATH_BYTES, "%s/%s%s", config->pin_directory, name, suffix);
}

static void pin_unlink(const struct engine_config *config, const char *name, const char *suffix)
{
	char path[PIN_PATH_BYTES];

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
	char path[PIN_PATH_BYTES], next[PIN_PATH_BYTES];

	pin_path(config, name, "", path);
	pin_path(config, name, NEXT_SUFFIX, next);
	if (*path)
		(void)rename(next, path);
}

/* A descriptor of program `id` if that is what is pinned there; else negative. */
static int pin_open(
	const struct engine_config *config, const char *name, const char *suffix, uint32_t id)
{
	char path[PIN_PATH_BYTES];
	uint32_t found_id = 0;
	int fd;

	pin_path(config, name, suffix, path);
	fd = *path ? bpf_obj_get(path) : -ENOENT;
	if (fd >= 0 && attach_program_id(fd, &found_id, NULL) == 0 && found_id == id)
		return fd;
	if (fd >= 0)
		util_close(fd);
	return -ENOENT;
}

/* Before `program` is attached in place of our program `old`; 0: of none. */
static int pin_next(const struct engine_config *config, const char *name, uint32_t old,
	const struct bpf_program *program)
{
	char next[PIN_PATH_BYTES];
	int fd = old ? pin_open(config, name, NEXT_SUFFIX, old) : -1;

	/* A previous run ended before it settled. */
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
	if (fd >= 0 && attach_program_id(fd, &found_id, found) == 0 && streq(found, name))
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

/* Nobody else's program is ever replaced; `*ret_old` is ours of a previous run, 0: none. */
static int xdp_check(const struct attachment *attachment, uint32_t *ret_old, struct why *ret_why)
{
	const struct engine_config *config = attachment->config;
	uint32_t native = 0, other = 0;
	char text[64];
	int r = xdp_query(config->ifindex, &native, &other);

	if (r < 0)
		return why_errno(ret_why, r, "asking for XDP programs");
	if (other == 0 && (native == 0 || is_own(config, own_name(attachment), native))) {
		*ret_old = native;
		return 0;
	}
	name_program(other ? other : native, text, sizeof(text));
	return why_fail(ret_why, -EBUSY, "another XDP program, %s, is on the interface", text);
}

static int xdp_attach_to(unsigned int ifindex, const struct bpf_program *program)
{
	return bpf_xdp_attach((int)ifindex, bpf_program__fd(program), XDP_FLAGS_DRV_MODE, NULL);
}

/*
 * Drivers take frames from a redirect when they have an XDP program themselves. One pinned program serves all
 * interfaces, also those that come when another run made it: a pin leads back to one alone.
 */
static void xdp_attach_pass(const struct attachment *attachment, unsigned int ifindex)
{
	const struct engine_config *config = attachment->config;
	char path[PIN_PATH_BYTES];
	uint32_t native = 0, other = 0;
	int fd;

	if (ifindex == 0 || ifindex == config->ifindex || xdp_query(ifindex, &native, &other) < 0 ||
		native || other)
		return;
	pin_path(config, PASS_NAME, "", path);
	fd = *path ? bpf_obj_get(path) : -ENOENT;
	if (fd >= 0) {
		(void)bpf_xdp_attach((int)ifindex, fd, XDP_FLAGS_DRV_MODE, NULL);
		util_close(fd);
	} else if (pin_next(config, PASS_NAME, 0, attachment->pass_program) == 0) {
		(void)pin_end(config, PASS_NAME, xdp_attach_to(ifindex, attachment->pass_program));
	}
}

static int xdp_attach(const struct attachment *attachment, struct why *ret_why)
{
	const struct engine_config *config = attachment->config;
	uint32_t old = 0;
	int r = xdp_check(attachment, &old, ret_why);

	if (r < 0)
		return r;
	r = pin_next(config, own_name(attachment), old, attachment->program);
	if (r < 0)
		return why_errno(ret_why, r, "pin of the program");
	r = pin_end(
		config, own_name(attachment), xdp_attach_to(config->ifindex, attachment->program));
	if (r < 0)
		return why_errno(ret_why, r, "native XDP on the interface");
	ARRAY_FOREACH (out, attachment->outs, FWD_LINKS_MAX)
		xdp_attach_pass(attachment, *out);
	return 0;
}

static void xdp_detach_from(
	const struct engine_config *config, unsigned int ifindex, const char *name)
{
	uint32_t native = 0, other = 0;

	if (xdp_query(ifindex, &native, &other) == 0 && native && is_own(config, name, native))
		(void)bpf_xdp_detach((int)ifindex, XDP_FLAGS_DRV_MODE, NULL);
}

static bool has_out(const unsigned int outs[FWD_LINKS_MAX], unsigned int ifindex)
{
	for (size_t i = 0; i < FWD_LINKS_MAX; i++)
		if (outs[i] == ifindex)
			return true;
	return false;
}

/* From those of its outs that are not among `kept`; NULL: from all. */
static void xdp_detach_pass(const struct attachment *attachment, const unsigned int *kept)
{
	ARRAY_FOREACH (out, attachment->outs, FWD_LINKS_MAX)
		if (*out != 0 && *out != attachment->config->ifindex &&
			!(kept && has_out(kept, *out)))
			xdp_detach_from(attachment->config, *out, PASS_NAME);
}

static void xdp_detach(const struct attachment *attachment)
{
	const struct engine_config *config = attachment->config;

	xdp_detach_from(config, config->ifindex, own_name(attachment));
	pin_remove(config, own_name(attachment));
	xdp_detach_pass(attachment, NULL);
	pin_remove(config, PASS_NAME);
}

/* ---- tcx ---- */

/*
 * The id of our program among those at the hook; 0: it is not there. `wanted`: of this id, or 0: of
 * any previous run. -EINVAL: this kernel has no such hook.
 */
static int tcx_find(const struct attachment *attachment, uint32_t wanted, uint32_t *ret_id)
{
	uint32_t ids[TCX_PROGRAMS_MAX], len = TCX_PROGRAMS_MAX;
	int r = bpf_prog_query((int)attachment->config->ifindex, TCX_INGRESS, 0, NULL, ids, &len);

	if (r < 0)
		return r;
	*ret_id = 0;
	for (uint32_t i = 0; i < len && *ret_id == 0; i++)
		if (wanted ? ids[i] == wanted
			   : is_own(attachment->config, own_name(attachment), ids[i]))
			*ret_id = ids[i];
	return 0;
}

static int tcx_attach(const struct attachment *attachment)
{
	LIBBPF_OPTS(bpf_prog_attach_opts, options);
	_cleanup_close_ int old_fd = -1;
	uint32_t old = 0;
	int r = tcx_find(attachment, 0, &old);

	if (r < 0)
		return r;
	if (old)
		old_fd = own_program(attachment->config, own_name(attachment), old);
	if (old_fd >= 0) {
		options.flags = BPF_F_REPLACE;
		options.replace_prog_fd = old_fd;
	}
	r = pin_next(attachment->config, own_name(attachment), old, attachment->program);
	if (r < 0)
		return r;
	return pin_end(attachment->config, own_name(attachment),
		bpf_prog_attach_opts(bpf_program__fd(attachment->program),
			(int)attachment->config->ifindex, TCX_INGRESS, &options));
}

static void tcx_detach(const struct attachment *attachment)
{
	uint32_t id = 0;
	int fd;

	while (tcx_find(attachment, 0, &id) == 0 && id) {
		fd = own_program(attachment->config, own_name(attachment), id);
		if (fd < 0 ||
			bpf_prog_detach2(fd, (int)attachment->config->ifindex, TCX_INGRESS) < 0) {
			util_close(fd);
			return;
		}
		util_close(fd);
	}
}

/* ---- clsact, on kernels without tcx ---- */

static int clsact_query(const struct attachment *attachment, uint32_t *ret_id)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)attachment->config->ifindex,
		.attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = own_place(attachment),
		.priority = own_place(attachment));
	int r = bpf_tc_query(&hook, &options);

	*ret_id = r < 0 ? 0 : options.prog_id;
	return r == -ENOENT || r == -EINVAL ? 0 : r;
}

static int clsact_attach(struct attachment *attachment, struct why *ret_why)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)attachment->config->ifindex,
		.attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = own_place(attachment),
		.priority = own_place(attachment), .prog_fd = bpf_program__fd(attachment->program),
		.flags = BPF_TC_F_REPLACE);
	int r = bpf_tc_hook_create(&hook);

	if (r < 0 && r != -EEXIST)
		return why_errno(ret_why, r, "clsact qdisc on the interface");
	attachment->made_hook |= r == 0;
	r = bpf_tc_attach(&hook, &options);
	return r < 0 ? why_errno(ret_why, r, "classifier at tc ingress") : 0;
}

/* The qdisc goes only if it is ours, since others may have put filters of their own there. */
static void clsact_detach(const struct attachment *attachment, bool with_hook)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)attachment->config->ifindex,
		.attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = own_place(attachment),
		.priority = own_place(attachment));
	uint32_t id;

	if (clsact_query(attachment, &id) < 0 || id == 0)
		return;
	(void)bpf_tc_detach(&hook, &options);
	if (!with_hook)
		return;
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	(void)bpf_tc_hook_destroy(&hook);
}

/* ---- tc, in whichever way ---- */

/*
 * Where neither a pin nor the right to ask by id leads back to a program, a later run could not
 * replace it at a hook that holds several: so it goes where places have numbers.
 */
static bool tcx_can_be_had(const struct attachment *attachment)
{
	uint32_t id = 0;
	int fd;

	if (attachment->config->pin_directory)
		return true;
	if (attach_program_id(bpf_program__fd(attachment->program), &id, NULL) < 0)
		return false;
	fd = bpf_prog_get_fd_by_id(id);
	if (fd >= 0)
		util_close(fd);
	return fd >= 0;
}

static int tc_attach(struct attachment *attachment, struct why *ret_why)
{
	int r = tcx_can_be_had(attachment) ? tcx_attach(attachment) : -EPERM;

	if (r == 0) {
		clsact_detach(attachment, false);
		return 0;
	}
	/* Its place leads back to it, no pin. */
	r = clsact_attach(attachment, ret_why);
	if (r == 0) {
		tcx_detach(attachment);
		pin_remove(attachment->config, own_name(attachment));
	}
	return r;
}

static void tc_detach(const struct attachment *attachment)
{
	tcx_detach(attachment);
	clsact_detach(attachment, attachment->made_hook);
	pin_remove(attachment->config, own_name(attachment));
}

/* ---- whatever the kind ---- */

int attach_check(const struct attachment *attachment, struct why *ret_why)
{
	uint32_t old = 0;

	return attachment->kind == ATTACH_XDP ? xdp_check(attachment, &old, ret_why) : 0;
}

int attach_program(struct attachment *attachment, struct why *ret_why)
{
	uint32_t id = 0;
	int r = attach_program_id(bpf_program__fd(attachment->program), &id, NULL);

	if (r < 0)
		return why_errno(ret_why, r, "id of the program");
	r = attachment->kind == ATTACH_XDP ? xdp_attach(attachment, ret_why)
					   : tc_attach(attachment, ret_why);
	if (r == 0)
		attachment->program_id = id;
	return r;
}

void attach_follow(struct attachment *attachment, const unsigned int outs[FWD_LINKS_MAX])
{
	if (attachment->kind == ATTACH_XDP && attachment->program_id) {
		xdp_detach_pass(attachment, outs);
		for (size_t i = 0; i < FWD_LINKS_MAX; i++)
			xdp_attach_pass(attachment, outs[i]);
	}
	memcpy(attachment->outs, outs, sizeof(attachment->outs));
}

int attach_find(const struct attachment *attachment, uint32_t *ret_id)
{
	uint32_t other = 0;
	int r;

	if (attachment->kind == ATTACH_XDP)
		return xdp_query(attachment->config->ifindex, ret_id, &other);
	r = tcx_find(attachment, attachment->program_id, ret_id);
	return r == 0 && *ret_id ? 0 : clsact_query(attachment, ret_id);
}

void attach_remove(struct attachment *attachment)
{
	if (attachment->kind == ATTACH_XDP)
		xdp_detach(attachment);
	else
		tc_detach(attachment);
	attachment->program_id = 0;
}

int attach_repair(struct attachment *attachment, struct why *ret_why)
{
	uint32_t id = 0;
	int r;

	if (!attachment->program_id || attach_find(attachment, &id) < 0 ||
		id == attachment->program_id)
		return 0;
	if (id != 0 && attachment->kind == ATTACH_XDP)
		return why_errno(ret_why, -EBUSY, "another program has its place");
	r = attach_program(attachment, ret_why);
	return r < 0 ? r : 1;
}
