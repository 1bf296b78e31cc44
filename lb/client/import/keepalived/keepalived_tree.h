/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Statements and blocks of a keepalived.conf, made from its lines. Pure. */
#pragma once

#include "lb/client/import/keepalived/keepalived_lines.h"

#define KEEPALIVED_DEPTH_MAX 16u /* blocks in blocks */

/* "WORD WORD…", and with a block "WORD… { STATEMENTS }". */
struct keepalived_node {
	char **words; /* without quotes */
	size_t n_words;
	struct keepalived_place place;
	unsigned int last_line; /* of its block */
	bool is_block;
	struct keepalived_node **children;
	size_t n_children;
};

struct keepalived_node *keepalived_node_free(struct keepalived_node *node);
DEFINE_CLEANUP(struct keepalived_node *, keepalived_node_free)

/* All statements as children of a node without words. Errors as keepalived_lines(); also braces without partners. */
int keepalived_tree(const char *data, size_t size_bytes, const struct keepalived_outside *outside,
	struct farm *farm, struct keepalived_node **ret_root, struct why *ret_why);
