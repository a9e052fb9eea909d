/* everykey.h -- every row of a table, tried with another type, out of range, misspelt.
 */
#ifndef TESTS_UNIT_SPEC_EVERYKEY_H
#define TESTS_UNIT_SPEC_EVERYKEY_H

#include "form.h"

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

/* Hours, days, zones and moments that there are not. */
static void form_no_week(const struct form_case *c)
{
    if (c->key->type == KEY_HOURS) {
        form_refuses(c, c->path, json_string("22:00"));
        form_refuses(c, c->path, json_integer(22));
    } else if (c->key->type == KEY_DAYS) {
        form_refuses(c, c->path, json_pack("[s]", "monday"));
        form_refuses(c, c->path, json_string("mon"));
    } else if (c->key->type == KEY_ZONE) {
        form_refuses(c, c->path, json_string("../passwd"));
        form_refuses(c, c->path, json_string(""));
    } else if (c->key->type == KEY_MOMENT) {
        form_refuses(c, c->path, json_string("2026-11-01T22:00:00")); /* where? */
        form_refuses(c, c->path, json_string("22:00"));
        form_refuses(c, c->path, json_integer(1790000000));
        form_refuses(c, c->path, json_string("1969-12-31T23:59:59Z"));
        form_refuses(c, c->path, json_string("9999-12-31T23:59:60Z"));
    }
}

static void form_no_share(const struct form_case *c)
{
    form_refuses(c, c->path, json_real(c->key->max + 0.01));
    form_refuses(c, c->path, json_string("-1%"));
    form_refuses(c, c->path, json_string("1"));
    form_refuses(c, c->path, json_string("1%%"));
    form_refuses(c, c->path, json_string("%"));
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
    case KEY_MANY:
        form_refuses(c, c->path, json_integer((json_int_t)k->min - 1));
        form_refuses(c, c->path, json_real(k->min + 0.5));
        form_refuses(c, c->path, json_string("30m"));
        form_refuses(c, c->path, json_real(k->max * 2));
        break;
    case KEY_MONEY:
        form_refuses(c, c->path, json_real(k->min - 0.01));
        form_refuses(c, c->path, json_real(k->max * 2));
        form_refuses(c, c->path, json_string("0.0000000001")); /* finer than we count */
        form_refuses(c, c->path, json_real(0.1 + 0.2));        /* no decimal that one writes */
        form_refuses(c, c->path, json_string("1 USD"));
        break;
    case KEY_SHARE:
        form_no_share(c);
        break;
    case KEY_WORD:
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
        form_no_week(c);
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

#endif
