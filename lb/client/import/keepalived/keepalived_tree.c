/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A statement ends with its line, or with the brace that opens its block, which may stand on the next one. See
 * keepalived_tree.h.
 */
#include "lb/client/import/keepalived/keepalived_tree.h"

#include "common/grow.h"

struct builder {
	struct keepalived_node
		*path[KEEPALIVED_DEPTH_MAX + 1]; /* the root, and the blocks that are open */
	size_t depth;
	struct keepalived_node
		*statement; /* that is being read, or was read last in this block; its parent's */
	bool is_open;       /* more words may come */
	struct keepalived_place place;
	struct why *why;
};

struct keepalived_node *keepalived_node_free(struct keepalived_node *node)
{
	if (!node)
		return NULL;
	/* No deeper than KEEPALIVED_DEPTH_MAX. */
	for (size_t i = 0; i < node->n_children; i++)
		keepalived_node_free(node->children[i]);
	for (size_t i = 0; i < node->n_words; i++)
		free(node->words[i]);
	free(node->children);
	free(node->words);
	free(node);
	return NULL;
}

static int fail(const struct builder *builder, const char *what)
{
	return why_fail(builder->why, -EINVAL, "line %u: %s", builder->place.line, what);
}

static int begin_statement(struct builder *builder)
{
	struct keepalived_node *parent = builder->path[builder->depth];
	struct keepalived_node *node = calloc(1, sizeof(*node));

	if (!node || GROW(parent->children, parent->n_children) < 0) {
		free(node);
		return -ENOMEM;
	}
	node->place = builder->place;
	node->last_line = builder->place.line;
	parent->children[parent->n_children++] = node;
	builder->statement = node;
	builder->is_open = true;
	return 0;
}

/* Takes `word`. */
static int add_word(struct builder *builder, char *word)
{
	int r = builder->is_open ? 0 : begin_statement(builder);

	if (r == 0)
		r = GROW(builder->statement->words, builder->statement->n_words);
	if (r < 0) {
		free(word);
		return r;
	}
	builder->statement->words[builder->statement->n_words++] = word;
	return 0;
}

static int open_block(struct builder *builder)
{
	if (!builder->statement || builder->statement->is_block)
		return fail(builder, "a { has no word before it");
	if (builder->depth == KEEPALIVED_DEPTH_MAX)
		return fail(builder, "blocks are nested too deeply");
	builder->statement->is_block = true;
	builder->path[++builder->depth] = builder->statement;
	builder->statement = NULL;
	builder->is_open = false;
	return 0;
}

static int close_block(struct builder *builder)
{
	if (builder->depth == 0)
		return fail(builder, "a } has no { before it");
	builder->statement = builder->path[builder->depth--];
	builder->statement->last_line = builder->place.line;
	builder->is_open = false;
	return 0;
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\f' || byte == '\v';
}

/* One word to `to`, which has room for the line; NULL: a quote has no end. */
static const char *read_word(const char *at, char *to)
{
	bool quoted = false;
	const char *brace;

	for (; *at && (quoted || (!is_blank(*at) && *at != '{' && *at != '}')); at++) {
		if (quoted && *at == '\\' && at[1])
			*to++ = *++at;
		else if (*at == '"')
			quoted = !quoted;
		else if (!quoted && at[0] == '$' && at[1] == '{' && (brace = strchr(at, '}'))) {
			/* A variable that nobody defined stays as it is. */
			memcpy(to, at, (size_t)(brace - at) + 1);
			to += brace - at + 1;
			at = brace;
		} else {
			*to++ = *at;
		}
	}
	*to = '\0';
	return quoted ? NULL : at;
}

static int build_line(
	void *context, const struct keepalived_place *place, const char *line, struct why *ret_why)
{
	struct builder *builder = context;
	_cleanup_free_ char *buffer = malloc(strlen(line) + 1);

	if (!buffer)
		return -ENOMEM;
	builder->place = *place;
	while (*line) {
		char *word;
		int r;

		if (is_blank(*line)) {
			line++;
			continue;
		}
		if (*line == '{' || *line == '}') {
			r = *line++ == '{' ? open_block(builder) : close_block(builder);
			if (r < 0)
				return r;
			continue;
		}
		line = read_word(line, buffer);
		if (!line)
			return fail(builder, "a quote has no end");
		word = strdup(buffer);
		r = word ? add_word(builder, word) : -ENOMEM;
		if (r < 0)
			return r;
	}
	builder->is_open = false;
	return 0;
}

int keepalived_tree(const char *data, size_t size_bytes, const struct keepalived_outside *outside,
	struct farm *farm, struct keepalived_node **ret_root, struct why *ret_why)
{
	_cleanup_(keepalived_node_freep) struct keepalived_node *root = calloc(1, sizeof(*root));
	struct builder builder = { .path = { root }, .why = ret_why };
	int r;

	if (!root)
		return -ENOMEM;
	r = keepalived_lines(data, size_bytes, outside, farm, build_line, &builder, ret_why);
	if (r < 0)
		return r;
	if (builder.depth > 0)
		return why_fail(ret_why, -EINVAL, "line %u: the block of '%.64s' has no }",
			builder.path[builder.depth]->place.line,
			builder.path[builder.depth]->words[0]);
	*ret_root = TAKE_PTR(root);
	return 0;
}
