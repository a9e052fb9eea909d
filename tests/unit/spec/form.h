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
    if (word < len && !below)
        assert_int_equal(json_object_set_new(at, step, json_pack("[{}]")), 0);
    if (word < len)
        below = json_array_get(json_object_get(at, step), 0);
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
