#include "base/yaml.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/scalar.h"

#include <locale.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#define VALUES_MAX 65536u /* values in one file: places stay small as well */

/* Where one value stood. Children point to their parent; the document is place 0. */
struct place {
    uint32_t parent;
    uint32_t index;  /* in an array */
    const char *key; /* in an object: the tree's own copy; NULL in an array */
    uint32_t key_line, key_col, line, col; /* from 0, as libyaml counts */
};

struct yaml_doc {
    json_t *tree;
    struct place *place;
    uint32_t nr, room;
};

struct builder {
    yaml_parser_t parser;
    struct yaml_doc *doc;
    const char *name;
    const char *bytes;
    locale_t c; /* numbers have a point, whatever the user's language says */
    unsigned depth;
    int syntax; /* libyaml refused, not the subset */
    struct bbt_err *err;
};

__attribute__((format(printf, 3, 4))) static enum bbt_rc fail_at(
    struct builder *b, yaml_mark_t at, const char *fmt, ...)
{
    char why[300];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    return bbt_fail(b->err, BBT_INVALID, "%s:%zu:%zu: %s", b->name, at.line + 1,
        at.column + 1, why);
}

static enum bbt_rc fail_nomem(struct builder *b)
{
    return bbt_fail(b->err, BBT_NOMEM, "no memory to read %s", b->name);
}

/* The reader runs ahead of the parser's mark; it knows its place in bytes only. */
static yaml_mark_t mark_of(const struct builder *b, size_t offset)
{
    yaml_mark_t at = {.index = offset};

    for (size_t i = 0; i < offset; i++) {
        at.column++;
        if (b->bytes[i] == '\n') {
            at.line++;
            at.column = 0;
        }
    }
    return at;
}

/* libyaml's sentence, with the fix for the commonest mistake. */
static enum bbt_rc fail_parser(struct builder *b)
{
    const yaml_parser_t *p = &b->parser;
    const char *why = p->problem ? p->problem : "not YAML";
    int tab = strstr(why, "cannot start any token") != NULL;

    if (p->error == YAML_MEMORY_ERROR)
        return fail_nomem(b);
    b->syntax = 1;
    if (p->error == YAML_READER_ERROR)
        return fail_at(
            b, mark_of(b, p->problem_offset), "%s (the file must be UTF-8 text)", why);
    return fail_at(b, p->problem_mark, "%s%s%s%s", why, p->context ? ", " : "",
        p->context ? p->context : "",
        tab ? " (indent with spaces, not tabs; quote texts that begin with @ or `)"
            : "");
}

static enum bbt_rc next_event(struct builder *b, yaml_event_t *ret)
{
    return yaml_parser_parse(&b->parser, ret) ? BBT_OK : fail_parser(b);
}

/* The new place's number is doc->nr - 1. */
static enum bbt_rc add_place(
    struct builder *b, struct place place, yaml_mark_t key_at, yaml_mark_t at)
{
    struct yaml_doc *d = b->doc;

    if (d->nr == VALUES_MAX)
        return fail_at(b, at, "more than %u values in one file", VALUES_MAX);
    if (d->nr == d->room) {
        uint32_t room = d->room ? d->room * 2 : 64;
        struct place *more = bbt_realloc(d->place, room * sizeof *more);

        if (!more)
            return fail_nomem(b);
        d->place = more;
        d->room = room;
    }
    place.key_line = (uint32_t)key_at.line;
    place.key_col = (uint32_t)key_at.column;
    place.line = (uint32_t)at.line;
    place.col = (uint32_t)at.column;
    d->place[d->nr++] = place;
    return BBT_OK;
}

static enum bbt_rc scalar(struct builder *b, const yaml_event_t *e, json_t **ret)
{
    const char *s = (const char *)e->data.scalar.value;
    size_t len = e->data.scalar.length;
    json_t *v = NULL;
    enum bbt_rc rc = BBT_OK;

    if (memchr(s, '\0', len))
        return fail_at(b, e->start_mark, "a text with a NUL character");
    if (e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        struct bbt_err why;

        rc = scalar_plain(s, len, b->c, &v, &why);
        if (rc == BBT_INVALID)
            return fail_at(b, e->start_mark, "%s", why.msg);
        if (rc != BBT_OK)
            return fail_nomem(b);
    } else {
        v = json_stringn(s, len);
        if (!v)
            rc = fail_nomem(b);
    }
    if (rc == BBT_OK)
        *ret = v;
    return rc;
}

/* What the strict subset leaves out, wherever it stands. */
static enum bbt_rc refuse_extras(struct builder *b, const yaml_event_t *e)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;

    if (e->type == YAML_ALIAS_EVENT)
        return fail_at(b, e->start_mark,
            "aliases (*%.40s) are not supported (repeat the "
            "value; quote a text that begins with *)",
            (const char *)e->data.alias.anchor);
    if (e->type == YAML_SCALAR_EVENT) {
        anchor = e->data.scalar.anchor;
        tag = e->data.scalar.tag;
    } else if (e->type == YAML_SEQUENCE_START_EVENT) {
        anchor = e->data.sequence_start.anchor;
        tag = e->data.sequence_start.tag;
    } else if (e->type == YAML_MAPPING_START_EVENT) {
        anchor = e->data.mapping_start.anchor;
        tag = e->data.mapping_start.tag;
    }
    if (anchor)
        return fail_at(b, e->start_mark,
            "anchors (&%.40s) are not supported (write the "
            "value out; quote a text that begins with &)",
            (const char *)anchor);
    if (tag)
        return fail_at(b, e->start_mark,
            "tags (%.40s) are not supported (quote a text that "
            "begins with !)",
            (const char *)tag);
    return BBT_OK;
}

static enum bbt_rc value(
    struct builder *b, const yaml_event_t *e, uint32_t self, json_t **ret);

static enum bbt_rc sequence(struct builder *b, uint32_t self, json_t *list)
{
    for (uint32_t i = 0;; i++) {
        yaml_event_t e;
        json_t *item = NULL;
        enum bbt_rc rc = next_event(b, &e);

        if (rc != BBT_OK)
            return rc;
        if (e.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&e);
            return BBT_OK;
        }
        rc = add_place(
            b, (struct place){.parent = self, .index = i}, e.start_mark, e.start_mark);
        if (rc == BBT_OK)
            rc = value(b, &e, b->doc->nr - 1, &item);
        yaml_event_delete(&e);
        if (rc == BBT_OK && json_array_append_new(list, item) != 0)
            rc = fail_nomem(b);
        if (rc != BBT_OK)
            return rc;
    }
}

/* A key is one line of text; the word itself counts, so `1:` and "1": are the same key.
 */
static enum bbt_rc check_key(
    struct builder *b, const yaml_event_t *e, const json_t *map)
{
    const char *key;
    enum bbt_rc rc = refuse_extras(b, e);

    if (rc != BBT_OK)
        return rc;
    if (e->type != YAML_SCALAR_EVENT)
        return fail_at(b, e->start_mark, "a key must be a text");
    key = (const char *)e->data.scalar.value;
    if (e->data.scalar.length == 0)
        return fail_at(b, e->start_mark, "an empty key");
    if (memchr(key, '\0', e->data.scalar.length))
        return fail_at(b, e->start_mark, "a key with a NUL character");
    if (strcmp(key, "<<") == 0 && e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        return fail_at(
            b, e->start_mark, "merge keys (<<) are not supported (repeat the keys)");
    if (json_object_get(map, key))
        return fail_at(b, e->start_mark, "the key \"%.80s\" stands here twice", key);
    return BBT_OK;
}

/* One key with its value. The value's place borrows the key from the tree, so a null
 * holds the key until the value is known. */
static enum bbt_rc member(
    struct builder *b, const yaml_event_t *k, uint32_t self, json_t *map)
{
    const char *key = (const char *)k->data.scalar.value;
    yaml_event_t e;
    json_t *item = NULL;
    void *slot;
    enum bbt_rc rc;

    if (json_object_set_new(map, key, json_null()) != 0)
        return fail_nomem(b);
    slot = json_object_iter_at(map, key);
    rc = next_event(b, &e);
    if (rc != BBT_OK)
        return rc;
    rc = add_place(b, (struct place){.parent = self, .key = json_object_iter_key(slot)},
        k->start_mark, e.start_mark);
    if (rc == BBT_OK)
        rc = value(b, &e, b->doc->nr - 1, &item);
    yaml_event_delete(&e);
    if (rc == BBT_OK && json_object_iter_set_new(map, slot, item) != 0)
        rc = fail_nomem(b);
    return rc;
}

static enum bbt_rc mapping(struct builder *b, uint32_t self, json_t *map)
{
    for (;;) {
        yaml_event_t k;
        enum bbt_rc rc = next_event(b, &k);

        if (rc != BBT_OK)
            return rc;
        if (k.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&k);
            return BBT_OK;
        }
        rc = check_key(b, &k, map);
        if (rc == BBT_OK)
            rc = member(b, &k, self, map);
        yaml_event_delete(&k);
        if (rc != BBT_OK)
            return rc;
    }
}

static enum bbt_rc value(
    struct builder *b, const yaml_event_t *e, uint32_t self, json_t **ret)
{
    json_t *v = NULL;
    enum bbt_rc rc = refuse_extras(b, e);

    if (rc != BBT_OK)
        return rc;
    if (e->type == YAML_SCALAR_EVENT)
        return scalar(b, e, ret);
    if (++b->depth > JSON_DEPTH_LIMIT)
        return fail_at(
            b, e->start_mark, "nested deeper than %d levels", JSON_DEPTH_LIMIT);
    v = e->type == YAML_MAPPING_START_EVENT ? json_object() : json_array();
    if (!v)
        return fail_nomem(b);
    rc = e->type == YAML_MAPPING_START_EVENT ? mapping(b, self, v)
                                             : sequence(b, self, v);
    b->depth--;
    if (rc == BBT_OK)
        *ret = v;
    else
        json_decref(v);
    return rc;
}

/* Expects one kind of event and drops it. */
static enum bbt_rc expect(
    struct builder *b, yaml_event_type_t type, const char *otherwise)
{
    yaml_event_t e;
    enum bbt_rc rc = next_event(b, &e);

    if (rc != BBT_OK)
        return rc;
    if (e.type != type)
        rc = fail_at(b, e.start_mark, "%s", otherwise);
    else if (type == YAML_DOCUMENT_START_EVENT &&
             (e.data.document_start.version_directive ||
                 e.data.document_start.tag_directives.start !=
                     e.data.document_start.tag_directives.end))
        rc = fail_at(
            b, e.start_mark, "%%-directives are not supported (remove the line)");
    yaml_event_delete(&e);
    return rc;
}

static enum bbt_rc document(struct builder *b)
{
    yaml_event_t e;
    enum bbt_rc rc = expect(b, YAML_STREAM_START_EVENT, "not YAML");

    if (rc == BBT_OK)
        rc = expect(b, YAML_DOCUMENT_START_EVENT, "the file is empty");
    if (rc == BBT_OK)
        rc = next_event(b, &e);
    if (rc != BBT_OK)
        return rc;
    rc = add_place(b, (struct place){0}, e.start_mark, e.start_mark);
    if (rc == BBT_OK)
        rc = value(b, &e, 0, &b->doc->tree);
    yaml_event_delete(&e);
    if (rc == BBT_OK)
        rc = expect(b, YAML_DOCUMENT_END_EVENT, "not YAML");
    if (rc == BBT_OK)
        rc = expect(b, YAML_STREAM_END_EVENT, "a second document (keep one per file)");
    return rc;
}

/* JSON writes some characters as surrogate pairs, which YAML does not know. */
static int try_json(struct builder *b, const char *bytes, size_t len)
{
    size_t i = 0;

    while (i < len && strchr(" \t\r\n", bytes[i]) && bytes[i])
        i++;
    if (i == len || bytes[i] != '{')
        return 0;
    json_decref(b->doc->tree);
    b->doc->tree = NULL;
    b->doc->nr = 0; /* no places: yaml_place() answers with the start */
    return json_parse(bytes, len, b->name, &b->doc->tree, NULL) == BBT_OK;
}

enum bbt_rc yaml_parse(const void *bytes, size_t len, const char *name,
    struct yaml_doc **ret, struct bbt_err *err)
{
    struct builder b = {.name = name, .bytes = bytes, .err = err};
    enum bbt_rc rc;

    if (len > YAML_BYTES_MAX)
        return bbt_fail(
            err, BBT_INVALID, "%s:1:1: larger than %u bytes", name, YAML_BYTES_MAX);
    b.doc = bbt_calloc(1, sizeof *b.doc);
    b.c = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (!b.doc || !b.c || !yaml_parser_initialize(&b.parser)) {
        rc = fail_nomem(&b);
        goto out;
    }
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.parser, bytes, len);
    rc = document(&b);
    yaml_parser_delete(&b.parser);
    if (rc == BBT_INVALID && b.syntax && try_json(&b, bytes, len))
        rc = BBT_OK;
    if (rc == BBT_OK) {
        *ret = b.doc;
        b.doc = NULL;
    }
out:
    if (b.c)
        freelocale(b.c);
    yaml_close(b.doc);
    return rc;
}

void yaml_close(struct yaml_doc *d)
{
    if (!d)
        return;
    json_decref(d->tree);
    bbt_free(d->place);
    bbt_free(d);
}

json_t *yaml_tree(struct yaml_doc *d)
{
    return d->tree;
}

/* Does one step of a JSON pointer (its ~0 and ~1 undone on the fly) name this place? */
static int names(const struct place *p, const char *step, size_t len)
{
    char number[16];
    const char *key = p->key;

    if (!key) {
        (void)snprintf(number, sizeof number, "%u", p->index);
        key = number;
    }
    for (size_t i = 0; i < len; i++, key++) {
        char c = step[i];

        if (c == '~' && i + 1 < len)
            c = step[++i] == '1' ? '/' : '~';
        if (c != *key)
            return 0;
    }
    return *key == '\0';
}

void yaml_place(const struct yaml_doc *d, const char *pointer, int of_key,
    int *ret_line, int *ret_col)
{
    uint32_t at = 0;

    while (*pointer == '/' && d->nr > 0) {
        size_t len = strcspn(++pointer, "/");
        uint32_t child;

        for (child = at + 1; child < d->nr; child++)
            if (d->place[child].parent == at && names(&d->place[child], pointer, len))
                break;
        if (child == d->nr)
            break;
        at = child;
        pointer += len;
    }
    if (d->nr == 0) {
        *ret_line = *ret_col = 1;
        return;
    }
    *ret_line = (int)(of_key ? d->place[at].key_line : d->place[at].line) + 1;
    *ret_col = (int)(of_key ? d->place[at].key_col : d->place[at].col) + 1;
}
