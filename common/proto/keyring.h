/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keys of a program: the key file, who may read it, and what a line's bindings allow. Pure but for
 * keyring_load().
 */
#pragma once

#include "common/proto/auth.h"
#include "common/proto/proto.h"
#include "common/why.h"

#define KEYRING_KEYS_MAX       64u
#define KEYRING_KEY_VIPS_MAX   64u
#define KEYRING_FILE_MAX_BYTES 65536u
#define KEYRING_LINE_BYTES     256u /* that keyring_format() writes, with the end */

struct keyring_key {
	char id[PROTO_KEY_ID_MAX + 1];
	uint8_t secret[AUTH_KEY_BYTES];
	bool is_master; /* a balancer's: `secret` signs nothing, keys of agents are derived from it */
	uint64_t
		fingerprint; /* of the line's secret, ID and kind; a derived key has its master's */
	/* Bindings of a balancer's line, and the name in an agent's ID/NAME; empty or 0: free. */
	char agent[PROTO_NAME_MAX + 1];
	struct addr_prefix vips[KEYRING_KEY_VIPS_MAX];
	size_t n_vips;
	uint32_t max_weight;
	struct mac mac; /* that the agent has; zero: that of its frames */
	bool mac_any;   /* it may say any */
};

struct keyring {
	struct keyring_key keys[KEYRING_KEYS_MAX];
	size_t n_keys;
};

/*
 * Reads a key file: a regular file (a symbolic link is judged by its target) that nobody but its
 * owner and we may read or write, owned by us or root. `with_bindings`: a balancer's file.
 * On error writes "path[:line]: what; mend" into `ret_why` and returns -EINVAL, -EACCES (mode or
 * owner) or the errno of open. At least one key is required. Free with keyring_free (wipes).
 */
int keyring_load(
	const char *path, bool with_bindings, struct keyring **ret_ring, struct why *ret_why);
/* The same for a verb that root calls: it looks with the eyes of the file's owner, as whom the daemon may run. */
int keyring_load_as_owner(
	const char *path, bool with_bindings, struct keyring **ret_ring, struct why *ret_why);
/* The same on text in memory (for the fuzzer); `name` stands for the file. */
int keyring_parse(const char *name, const char *text, size_t size_bytes, bool with_bindings,
	struct keyring **ret_ring, struct why *ret_why);
struct keyring *keyring_free(struct keyring *ring);
DEFINE_CLEANUP(struct keyring *, keyring_free)
const struct keyring_key *keyring_find(const struct keyring *ring, const char *id);
/* The master line that stands last, from which new keys are derived; NULL: there is none. */
const struct keyring_key *keyring_newest_master(const struct keyring *ring);
/*
 * The key by which the agent `name` signs: the line's own, or that derived from a master line, which is bound
 * to the name. One hash at most. To be wiped with keyring_key_wipe().
 */
void keyring_key_of_agent(
	const struct keyring_key *line, const char *name, struct keyring_key *ret_key);
void keyring_key_wipe(struct keyring_key *key);
/*
 * Whether an agent may say that it has this MAC: the one that the key is bound to, else the one that its
 * frame came from (`is_source`); else `ret_why` says.
 */
bool keyring_key_allows_mac(
	const struct keyring_key *key, const struct mac *mac, bool is_source, struct why *ret_why);
/* Whether the key may be used for this name, all these VIPs and this weight; else `ret_why` says. */
bool keyring_key_allows(const struct keyring_key *key, const char *name, const struct addr *vips,
	size_t n_vips, uint32_t weight, struct why *ret_why);

/* A key as a line of a key file: "ID hex:…", "ID master hex:…", or of a derived one "ID/NAME hex:…". */
void keyring_format(const struct keyring_key *key, char ret_line[KEYRING_LINE_BYTES]);
/* The line of a new random key. `id` NULL: a random one. 0, or -EINVAL for what is no ID. */
int keyring_keygen(const char *id, bool is_master, char ret_line[KEYRING_LINE_BYTES]);
