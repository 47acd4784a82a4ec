/* SPDX-License-Identifier: BSD-2-Clause */

/* libyaml's events, put together with a stack of the maps and lists that are open. libyaml's own
 * document loader is not used: it looks each anchor up in a list of all anchors, which a small file
 * can make slow, and it leaves no trace of which nodes are aliases. */

#include "collector/config_tree.h"

#include <errno.h>
#include <string.h>
#include <yaml.h>

#define DEPTH_MAX 16
#define NODES_MAX 100000

struct builder {
	const char *file;
	unsigned first_line;
	struct error *err;
	struct arena *arena;
	struct tree *root;
	struct tree *open[DEPTH_MAX]; /* maps and lists around the place */
	struct tree *last[DEPTH_MAX]; /* their last entries; NULL: none yet */
	unsigned children[DEPTH_MAX];
	unsigned depth, nodes;
};

static unsigned event_line(const struct builder *b, const yaml_event_t *e)
{
	return b->first_line + (unsigned)e->start_mark.line;
}

static int refuse(struct builder *b, unsigned line, const char *what)
{
	return error_set(b->err, -EINVAL, "%s:%u: %s", b->file, line, what);
}

/* Hangs the node under what is open. */
static int attach(struct builder *b, struct tree *n)
{
	if (b->depth == 0) {
		b->root = n;
		return 0;
	}
	unsigned top = b->depth - 1;
	struct tree *parent = b->open[top];
	bool is_key = parent->kind == TREE_MAP && b->children[top] % 2 == 0;
	if (is_key && n->kind != TREE_SCALAR)
		return refuse(b, n->line, "a list or map cannot be a key");
	if (b->last[top])
		b->last[top]->next = n;
	else
		parent->first = n;
	b->last[top] = n;
	b->children[top]++;
	parent->count += parent->kind == TREE_LIST || is_key;
	return 0;
}

static int add_node(struct builder *b, const yaml_event_t *e, enum tree_kind kind, struct tree **ret)
{
	struct tree *n = arena_alloc(b->arena, sizeof(*n));
	if (!n)
		return error_set(b->err, -ENOMEM, "%s: out of memory", b->file);
	if (++b->nodes > NODES_MAX)
		return refuse(b, event_line(b, e), "the file has too many parts");
	*n = (struct tree){.kind = kind, .line = event_line(b, e)};
	*ret = n;
	return attach(b, n);
}

static int open_node(struct builder *b, const yaml_event_t *e, enum tree_kind kind)
{
	if (b->depth == DEPTH_MAX)
		return refuse(b, event_line(b, e), "maps and lists are nested too deeply");
	struct tree *n;
	int r = add_node(b, e, kind, &n);
	if (r < 0)
		return r;
	b->open[b->depth] = n;
	b->last[b->depth] = NULL;
	b->children[b->depth] = 0;
	b->depth++;
	return 0;
}

static int add_scalar(struct builder *b, const yaml_event_t *e)
{
	const char *value = (const char *)e->data.scalar.value;
	size_t len = e->data.scalar.length;
	if (memchr(value, '\0', len))
		return refuse(b, event_line(b, e), "a text has a NUL in it");
	struct tree *n;
	int r = add_node(b, e, TREE_SCALAR, &n);
	if (r < 0)
		return r;
	n->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	n->text = arena_copy(b->arena, value, len + 1);
	return n->text ? 0 : error_set(b->err, -ENOMEM, "%s: out of memory", b->file);
}

static int check_extras(struct builder *b, const yaml_event_t *e, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor)
		return refuse(b, event_line(b, e), "anchors (&) are not supported");
	return tag ? refuse(b, event_line(b, e), "tags (!) are not supported") : 0;
}

static int take_event(struct builder *b, const yaml_event_t *e)
{
	int r;
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		r = check_extras(b, e, e->data.scalar.anchor, e->data.scalar.tag);
		return r < 0 ? r : add_scalar(b, e);
	case YAML_SEQUENCE_START_EVENT:
		r = check_extras(b, e, e->data.sequence_start.anchor, e->data.sequence_start.tag);
		return r < 0 ? r : open_node(b, e, TREE_LIST);
	case YAML_MAPPING_START_EVENT:
		r = check_extras(b, e, e->data.mapping_start.anchor, e->data.mapping_start.tag);
		return r < 0 ? r : open_node(b, e, TREE_MAP);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		b->depth--;
		return 0;
	case YAML_ALIAS_EVENT:
		return refuse(b, event_line(b, e), "aliases (*) are not supported");
	case YAML_DOCUMENT_START_EVENT:
		return b->root ? refuse(b, event_line(b, e), "a second document: there can be only one") : 0;
	default:
		return 0;
	}
}

static unsigned count_lines(const char *text, size_t len)
{
	unsigned lines = 0;
	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	return lines;
}

static int syntax_error(struct builder *b, const yaml_parser_t *p, const char *text, size_t len)
{
	unsigned line = b->first_line + (unsigned)p->problem_mark.line;
	if (p->error == YAML_MEMORY_ERROR)
		return error_set(b->err, -ENOMEM, "%s: out of memory", b->file);
	if (p->error == YAML_READER_ERROR)
		line = b->first_line + count_lines(text, p->problem_offset < len ? p->problem_offset : len);
	return error_set(b->err, -EINVAL, "%s:%u: is not valid YAML: %s%s%s", b->file, line,
		p->context ? p->context : "", p->context ? ", " : "", p->problem ? p->problem : "unknown error");
}

static int take_all(struct builder *b, yaml_parser_t *p, const char *text, size_t len)
{
	for (bool more = true; more;) {
		yaml_event_t e;
		if (!yaml_parser_parse(p, &e))
			return syntax_error(b, p, text, len);
		int r = take_event(b, &e);
		more = e.type != YAML_STREAM_END_EVENT;
		yaml_event_delete(&e);
		if (r < 0)
			return r;
	}
	return b->root ? 0 : error_set(b->err, -EINVAL, "%s:%u: is empty", b->file, b->first_line);
}

int tree_parse(const char *file, unsigned first_line, const char *text, size_t len, struct arena *arena,
	const struct tree **ret, struct error *err)
{
	struct builder b = {.file = file, .first_line = first_line, .err = err, .arena = arena};
	if (len > TREE_TEXT_MAX)
		return error_set(err, -EFBIG, "%s: is larger than %zu KiB", file, TREE_TEXT_MAX >> 10);
	yaml_parser_t p;
	if (!yaml_parser_initialize(&p))
		return error_set(err, -ENOMEM, "%s: out of memory", file);
	yaml_parser_set_input_string(&p, (const yaml_char_t *)text, len);
	int r = take_all(&b, &p, text, len);
	yaml_parser_delete(&p);
	if (r == 0)
		*ret = b.root;
	return r;
}
