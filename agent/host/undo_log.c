/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file that remembers the originals. Called by apply.c before and after each change. Must not
 * know what the entries are for.
 */
#include "agent/host/undo_log.h"

#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "common/os/boot_id.h"

#define UNDO_LOG_SCHEMA 1

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* include/uapi/asm-generic/socket.h, since 5.14 */
#endif

int undo_log_identity(char ret_identity[UNDO_LOG_IDENTITY_BYTES])
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char boot_id[BOOT_ID_BYTES];
	uint64_t cookie = 0;
	socklen_t size_bytes = sizeof(cookie);
	int r;

	if (fd < 0)
		return util_negative_errno();
	r = boot_id_read(boot_id);
	if (r < 0)
		return r;
	/* An older kernel has no cookie; the boot alone must do there. */
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size_bytes) < 0)
		cookie = 0;
	snprintf(ret_identity, UNDO_LOG_IDENTITY_BYTES, "%s/%" PRIu64, boot_id, cookie);
	return 0;
}

static bool undo_log_get_u32(json_t *object, const char *key, uint32_t *ret_value)
{
	json_t *value = json_object_get(object, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
		json_integer_value(value) > UINT32_MAX)
		return false;
	*ret_value = (uint32_t)json_integer_value(value);
	return true;
}

static bool undo_log_get_original(json_t *item, struct host_original *ret_original)
{
	const char *name = json_string_value(json_object_get(item, "interface"));
	const char *mac = json_string_value(json_object_get(item, "mac"));
	struct host_original original = { 0 };

	if (!name || !mac || strlen(name) >= sizeof(original.name))
		return false;
	memcpy(original.name, name, strlen(name));
	/* Empty: an interface without an Ethernet address. */
	if (mac[0] && mac_parse(mac, &original.mac) < 0)
		return false;
	if (!undo_log_get_u32(item, "ifindex", &original.ifindex) ||
		!undo_log_get_u32(item, "arp_ignore", &original.arp_ignore) ||
		!undo_log_get_u32(item, "arp_announce", &original.arp_announce))
		return false;
	*ret_original = original;
	return true;
}

static bool undo_log_get_added(json_t *item, struct host_added *ret_added)
{
	const char *text = json_string_value(json_object_get(item, "address"));

	return text && addr_parse(text, &ret_added->addr) == 0 &&
		undo_log_get_u32(item, "ifindex", &ret_added->ifindex);
}

static int undo_log_get_all(json_t *root, struct host_undo *undo)
{
	json_t *originals = json_object_get(root, "originals");
	json_t *added = json_object_get(root, "added");
	json_t *item;
	size_t idx;

	if (!json_is_array(originals) || !json_is_array(added) ||
		json_array_size(originals) > HOST_LINKS_MAX ||
		json_array_size(added) > HOST_ADDED_MAX)
		return -EBADMSG;
	json_array_foreach (originals, idx, item) {
		struct host_original original;
		int r;

		if (!undo_log_get_original(item, &original))
			return -EBADMSG;
		r = host_undo_add_original(undo, &original);
		if (r < 0)
			return r;
	}
	json_array_foreach (added, idx, item) {
		if (!undo_log_get_added(item, &undo->added[undo->n_added++]))
			return -EBADMSG;
	}
	return 0;
}

int undo_log_parse(
	const char *text, size_t size_bytes, const char *identity, struct host_undo *ret_undo)
{
	_cleanup_(json_decrefp) json_t *root = json_loadb(text, size_bytes, 0, NULL);
	_cleanup_(host_undo_clear) struct host_undo undo = { 0 };
	const char *whose;
	int r;

	whose = json_string_value(json_object_get(root, "identity"));
	if (!whose || json_integer_value(json_object_get(root, "schema")) != UNDO_LOG_SCHEMA)
		return -EBADMSG;
	if (streq(whose, identity)) {
		r = undo_log_get_all(root, &undo);
		if (r < 0)
			return r;
	}
	*ret_undo = undo;
	undo = (struct host_undo){ 0 };
	return 0;
}

static int undo_log_path(const char *directory, const char *suffix, char **ret_path)
{
	return asprintf(ret_path, "%s/" UNDO_LOG_FILE_NAME "%s", directory, suffix) < 0 ? -ENOMEM
											: 0;
}

int undo_log_load(const char *directory, const char *identity, struct host_undo *ret_undo)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_free_ char *text = NULL;
	_cleanup_fclose_ FILE *file = NULL;
	size_t size_bytes;
	int r;

	r = undo_log_path(directory, "", &path);
	if (r < 0)
		return r;
	file = fopen(path, "re");
	if (!file && errno == ENOENT) {
		memset(ret_undo, 0, sizeof(*ret_undo));
		return 0;
	}
	if (!file)
		return util_negative_errno();
	text = malloc((size_t)UNDO_LOG_FILE_MAX_BYTES + 1);
	if (!text)
		return -ENOMEM;
	size_bytes = fread(text, 1, UNDO_LOG_FILE_MAX_BYTES + 1, file);
	if (ferror(file))
		return -EIO;
	if (size_bytes > UNDO_LOG_FILE_MAX_BYTES)
		return -EBADMSG;
	return undo_log_parse(text, size_bytes, identity, ret_undo);
}

static json_t *undo_log_put_original(const struct host_original *original)
{
	char mac[MAC_STRLEN] = "";

	if (!mac_is_zero(&original->mac))
		mac_format(&original->mac, mac);
	return json_pack("{s:s, s:I, s:s, s:I, s:I}", "interface", original->name, "ifindex",
		(json_int_t)original->ifindex, "mac", mac, "arp_ignore",
		(json_int_t)original->arp_ignore, "arp_announce",
		(json_int_t)original->arp_announce);
}

static json_t *undo_log_put_all(const char *identity, const struct host_undo *undo)
{
	_cleanup_(json_decrefp) json_t *originals = json_array();
	_cleanup_(json_decrefp) json_t *added = json_array();

	/* json_array_append_new() of NULL fails: a lack of memory on the way is seen here. */
	ARRAY_FOREACH (original, undo->originals, undo->n_originals) {
		if (json_array_append_new(originals, undo_log_put_original(original)) < 0)
			return NULL;
	}
	ARRAY_FOREACH (item, undo->added, undo->n_added) {
		char text[ADDR_STRLEN];

		if (json_array_append_new(added,
			    json_pack("{s:s, s:I}", "address", addr_format(&item->addr, text),
				    "ifindex", (json_int_t)item->ifindex)) < 0)
			return NULL;
	}
	return json_pack("{s:i, s:s, s:O, s:O}", "schema", UNDO_LOG_SCHEMA, "identity", identity,
		"originals", originals, "added", added);
}

static int undo_log_write(const char *path, const json_t *root)
{
	_cleanup_close_ int fd =
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return util_negative_errno();
	errno = 0;
	if (json_dumpfd(root, fd, JSON_COMPACT) < 0 || fsync(fd) < 0)
		return util_negative_errno();
	return 0;
}

int undo_log_store(const char *directory, const char *identity, const struct host_undo *undo)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_free_ char *path_new = NULL;
	_cleanup_(json_decrefp) json_t *root = undo_log_put_all(identity, undo);
	int r;

	if (!root)
		return -ENOMEM;
	r = undo_log_path(directory, "", &path);
	if (r == 0)
		r = undo_log_path(directory, ".new", &path_new);
	if (r == 0)
		r = undo_log_write(path_new, root);
	if (r < 0)
		return r;
	return rename(path_new, path) < 0 ? util_negative_errno() : 0;
}

int undo_log_remove(const char *directory)
{
	_cleanup_free_ char *path = NULL;
	int r;

	r = undo_log_path(directory, "", &path);
	if (r < 0)
		return r;
	return unlink(path) < 0 && errno != ENOENT ? util_negative_errno() : 0;
}
