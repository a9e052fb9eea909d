/* form.h -- documents to check, and what is said about them. */
#ifndef TESTS_UNIT_SPEC_FORM_H
#define TESTS_UNIT_SPEC_FORM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/yaml.h"
#include "spec/conf.h"
#include "spec/job.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNUSED __attribute__((unused))

/* Reads a document as the tool under test would; NULL with problems noted. */
typedef void *form_parse_fn(const json_t *tree, struct spec_problems *p);

UNUSED static json_t *form_tree(const char *yaml)
{
    struct yaml_doc *d = NULL;
    struct bbt_err err = {0};
    json_t *tree;

    if (yaml_parse(yaml, strlen(yaml), "f.yaml", &d, &err) != BBT_OK)
        fail_msg("%s", err.msg);
    tree = json_incref(yaml_tree(d));
    yaml_close(d);
    return tree;
}

/* Sets "a.b.c" (takes `v`); "providers[].models[].x" means the first of each. */
UNUSED static void form_set(json_t *at, const char *path, json_t *v)
{
    char step[64];
    size_t len = strcspn(path, ".");
    size_t word = len >= 2 && path[len - 1] == ']' ? len - 2 : len;
    json_t *below;

    (void)snprintf(step, sizeof step, "%.*s", (int)word, path);
    if (path[len] == '\0') {
        assert_int_equal(json_object_set_new(at, step, v), 0);
        return;
    }
    below = json_object_get(at, step);
    if (word < len)
        below = json_array_get(below, 0);
    if (!below) {
        below = json_object();
        assert_int_equal(json_object_set_new(at, step, below), 0);
    }
    form_set(below, path + len + 1, v);
}

/* "/providers/0/models/0/x" for "providers[].models[].x". */
UNUSED static void form_pointer(const char *path, char *out, size_t room)
{
    size_t at = 0;

    assert_true(strlen(path) * 2 + 2 < room);
    out[at++] = '/';
    for (; *path; path++) {
        if (*path == '[') {
            out[at++] = '/';
            out[at++] = '0';
            path++;
        } else {
            out[at++] = *path == '.' ? '/' : *path;
        }
    }
    out[at] = '\0';
}

/* Is there a problem at exactly this place? */
UNUSED static const struct spec_problem *form_find(
    const struct spec_problems *p, const char *pointer)
{
    for (size_t i = 0; i < p->nr; i++)
        if (strcmp(p->item[i].pointer, pointer) == 0)
            return &p->item[i];
    return NULL;
}

/* ---- every row of a table ---- */

struct form_case {
    const char *path; /* from the root */
    const struct key *key;
    const char *yaml; /* a good document */
    form_parse_fn *parse;
};

/* The document with `path` set to `v` must have a problem at its place. */
UNUSED static void form_refuses(const struct form_case *c, const char *path, json_t *v)
{
    json_t *tree = form_tree(c->yaml);
    struct spec_problems p;
    char pointer[200], *text = json_print(v);

    form_set(tree, path, v);
    form_pointer(path, pointer, sizeof pointer);
    problem_init(&p);
    assert_null(c->parse(tree, &p));
    if (!form_find(&p, pointer))
        fail_msg("%s = %s: no problem there", path, text);
    bbt_free(text);
    problem_fini(&p);
    json_decref(tree);
}

UNUSED static void form_misspelt(const struct form_case *c)
{
    json_t *tree = form_tree(c->yaml);
    const char *last = strrchr(c->path, '.');
    char path[200], pointer[200], hint[200];
    const struct spec_problem *found;
    struct spec_problems p;

    (void)snprintf(path, sizeof path, "%sx", c->path);
    (void)snprintf(
        hint, sizeof hint, "did you mean \"%s\"?", last ? last + 1 : c->path);
    form_set(tree, path, json_integer(1));
    form_pointer(path, pointer, sizeof pointer);
    problem_init(&p);
    assert_null(c->parse(tree, &p));
    found = form_find(&p, pointer);
    if (!found)
        fail_msg("%s: not noticed", path);
    assert_true(found->of_key);
    assert_non_null(strstr(found->message, "unknown key"));
    assert_string_equal(found->fix, hint);
    problem_fini(&p);
    json_decref(tree);
}

static json_t *text_of(size_t len)
{
    char *s = malloc(len + 1);
    json_t *v;

    assert_non_null(s);
    memset(s, 'x', len);
    s[len] = '\0';
    v = json_string(s);
    free(s);
    return v;
}

static json_t *seconds(double s)
{
    char text[64];

    (void)snprintf(text, sizeof text, "%.0fms", s * 1000);
    return json_string(text);
}

/* One value below the least and one above the most. */
UNUSED static void form_out_of_range(const struct form_case *c)
{
    const struct key *k = c->key;

    switch (k->type) {
    case KEY_TEXT:
    case KEY_NAME:
        if (k->min > 0)
            form_refuses(c, c->path, json_string(""));
        form_refuses(c, c->path, text_of((size_t)k->max + 1));
        form_refuses(c, c->path, json_string("a\x01z"));
        if (k->type == KEY_NAME)
            form_refuses(c, c->path, json_string("a\nz"));
        break;
    case KEY_COUNT:
    case KEY_INT:
        form_refuses(c, c->path, json_integer((json_int_t)k->min - 1));
        form_refuses(c, c->path, json_real(k->min + 0.5));
        if (isfinite(k->max))
            form_refuses(c, c->path, json_integer((json_int_t)k->max + 1));
        break;
    case KEY_REAL:
    case KEY_AUTO:
        form_refuses(c, c->path, json_real(k->min - 1));
        form_refuses(c, c->path, json_real(k->max * 2));
        form_refuses(c, c->path, json_string("automatic"));
        break;
    case KEY_TIME:
        form_refuses(c, c->path, json_integer(-1));
        form_refuses(c, c->path, seconds(k->max * 2));
        form_refuses(c, c->path, json_string("5 minutes"));
        if (k->min > 0)
            form_refuses(c, c->path, json_integer(0));
        break;
    case KEY_SIZE:
        form_refuses(c, c->path, json_integer(-1));
        form_refuses(c, c->path, json_real(k->max * 2));
        form_refuses(c, c->path, json_string("32MB"));
        break;
    case KEY_ENUM:
    case KEY_CONST:
    case KEY_BOOL:
    case KEY_SHA256:
        form_refuses(c, c->path, json_string("nonsense"));
        break;
    case KEY_MODE:
        form_refuses(c, c->path, json_string("0888"));
        form_refuses(c, c->path, json_string("0000"));
        form_refuses(c, c->path, json_integer(660));
        break;
    default:
        break;
    }
}

UNUSED static void form_every_key(const struct key_table *t, const char *prefix,
    const char *yaml, form_parse_fn *parse)
{
    for (size_t i = 0; i < t->nr; i++) {
        const struct key *k = &t->key[i];
        char path[160];
        struct form_case c = {path, k, yaml, parse};
        bool many = k->type == KEY_LIST || k->type == KEY_ITEMS;

        (void)snprintf(path, sizeof path, "%s%s", prefix, k->path);
        assert_non_null(k->help);
        form_refuses(&c, path, many ? json_object() : json_array()); /* another type */
        form_refuses(&c, path, many ? json_integer(5) : json_pack("[[]]"));
        form_misspelt(&c);
        form_out_of_range(&c);
        if (k->type != KEY_ITEMS)
            continue;
        (void)snprintf(path, sizeof path, "%s%s[].", prefix, k->path);
        form_every_key(k->items, path, yaml, parse);
    }
}

/* ---- places ---- */

/* Parses YAML and compares every problem as it would be printed, line by line. */
UNUSED static void form_says(
    const char *yaml, form_parse_fn *parse, const char *expected)
{
    struct yaml_doc *d = NULL;
    struct bbt_err err = {0};
    struct spec_problems p;
    struct bbt_buf got;

    if (yaml_parse(yaml, strlen(yaml), "f.yaml", &d, &err) != BBT_OK)
        fail_msg("%s", err.msg);
    problem_init(&p);
    buf_init(&got, 1 << 20);
    assert_null(parse(yaml_tree(d), &p));
    for (size_t i = 0; i < p.nr; i++) {
        char *line = problem_print(&p.item[i], d, "f.yaml");

        assert_int_equal(buf_printf(&got, "%s\n", line), BBT_OK);
        bbt_free(line);
    }
    assert_string_equal((char *)got.data, expected);
    buf_fini(&got);
    problem_fini(&p);
    yaml_close(d);
}

/* The page in schema/ is the table's own print. */
UNUSED static void form_page(const struct key_table *t, const char *name)
{
    const char *tests = getenv("BBT_TESTS");
    struct bbt_buf page, table;
    struct bbt_err err;
    char path[4096];

    if (!tests)
        skip();
    (void)snprintf(path, sizeof path, "%s/../schema/%s", tests, name);
    buf_init(&page, 1 << 20);
    buf_init(&table, 1 << 20);
    assert_int_equal(file_read(path, &page, &err), BBT_OK);
    assert_int_equal(table_help(t, &table), BBT_OK);
    assert_true(page.len > table.len);
    /* else: spec-help job > schema/job.md */
    assert_string_equal((char *)page.data + (page.len - table.len), (char *)table.data);
    buf_fini(&page);
    buf_fini(&table);
}

#endif
