/* The table reader by itself, on a table that nobody else has. */
#include "form.h"

#include "spec/problem.h"
#include "spec/reader.h"
#include "spec/table.h"
#include "spec/value.h"
#include "spec/vlist.h"

#include <stddef.h>

static const char *const colours[] = {"red", "green", NULL};

struct inner {
    char *name;
    uint64_t n;
};

static const struct key inner_keys[] = {
    {.path = "name",
        .type = KEY_NAME,
        .at = offsetof(struct inner, name),
        .max = 9,
        .needed = true,
        .help = "n"},
    {.path = "deep.n",
        .type = KEY_COUNT,
        .at = offsetof(struct inner, n),
        .max = 9,
        .fallback = "3",
        .help = "d"},
};
static const struct key_table inner_table = {
    "inner", inner_keys, 2, sizeof(struct inner)};

struct outer {
    int colour;
    double x, y;
    struct key_list list;
    struct key_pairs map, ordered;
    struct key_items items;
};

#define AT(f) offsetof(struct outer, f)
static const struct key outer_keys[] = {
    {.path = "colour",
        .type = KEY_ENUM,
        .at = AT(colour),
        .words = colours,
        .fallback = "green",
        .help = "a colour"},
    {.path = "x", .type = KEY_REAL, .at = AT(x), .max = 5, .help = "no default"},
    {.path = "y",
        .type = KEY_AUTO,
        .at = AT(y),
        .max = 5,
        .fallback = "auto",
        .help = "y"},
    {.path = "list", .type = KEY_LIST, .at = AT(list), .max = 3, .help = "l"},
    {.path = "map", .type = KEY_MAP, .at = AT(map), .max = 3, .help = "m"},
    {.path = "ordered", .type = KEY_ORDERED, .at = AT(ordered), .max = 3, .help = "o"},
    {.path = "items",
        .type = KEY_ITEMS,
        .at = AT(items),
        .max = 3,
        .items = &inner_table,
        .help = "i"},
};
static const struct key_table table = {"test", outer_keys, 7, sizeof(struct outer)};

static size_t read_doc(const char *json, struct outer *o, struct spec_problems *p)
{
    json_t *tree = json_loads(json, JSON_DECODE_ANY, NULL);

    assert_non_null(tree);
    *o = (struct outer){0};
    problem_init(p);
    table_read(&table, tree, "", o, p);
    json_decref(tree);
    return p->total;
}

static void defaults(void **state)
{
    struct outer o;
    struct spec_problems p;
    json_t *v;
    char *text;

    (void)state;
    assert_int_equal(read_doc("{}", &o, &p), 0);
    assert_int_equal(o.colour, 1);
    assert_true(isnan(o.x) && isnan(o.y));
    v = table_print(&table, &o);
    text = json_print(v);
    assert_string_equal(text, "{\"colour\":\"green\",\"y\":\"auto\"}");
    bbt_free(text);
    json_decref(v);
    table_fini(&table, &o);
}

/* Where a value is wrong the default stays, and everything is safe to free. */
static void wrong_values_keep_defaults(void **state)
{
    struct outer o;
    struct spec_problems p;

    (void)state;
    assert_int_equal(
        read_doc(
            "{\"colour\": \"grene\", \"x\": 6, \"y\": [], \"list\": [1], \"map\": "
            "{\"a\": []}, \"items\": [{\"name\": \"ok\"}, {\"deep\": {\"n\": 10}}]}",
            &o, &p),
        7); /* the second item lacks its name, too */
    assert_int_equal(o.colour, 1);
    assert_true(isnan(o.x) && isnan(o.y));
    assert_int_equal(o.items.nr, 2);
    assert_string_equal(((struct inner *)o.items.item)[0].name, "ok");
    assert_int_equal(((struct inner *)o.items.item)[1].n, 3);
    table_fini(&table, &o);
    table_fini(&table, &o); /* zeroed: twice is fine */
    problem_fini(&p);
}

static void order_is_kept(void **state)
{
    struct outer o;
    struct spec_problems p;
    json_t *v;
    char *text;

    (void)state;
    assert_int_equal(read_doc("{\"map\": {\"z\": \"1\", \"a\": \"2\"}, \"ordered\": "
                              "{\"z\": \"1\", \"a\": 2.5}}",
                         &o, &p),
        0);
    v = table_print(&table, &o);
    text = json_print(v);
    assert_non_null(strstr(text, "\"map\":{\"a\":\"2\",\"z\":\"1\"}"));
    assert_non_null(strstr(text, "\"ordered\":[{\"z\":\"1\"},{\"a\":\"2.5\"}]"));
    bbt_free(text);
    json_decref(v);
    table_fini(&table, &o);
}

static void help(void **state)
{
    struct bbt_buf b;

    (void)state;
    buf_init(&b, 4096);
    assert_int_equal(table_help(&table, &b), BBT_OK);
    assert_non_null(
        strstr((char *)b.data, "| `colour` | `red` \\| `green` | `green` |  | a"));
    assert_non_null(strstr((char *)b.data, "| `items[].name` | name | needed |"));
    assert_non_null(strstr(
        (char *)b.data, "| `items[].deep.n` | whole number | `3` | 0 .. 9 | d |"));
    buf_fini(&b);
    buf_init(&b, 100);
    assert_int_equal(
        table_help(&table, &b), BBT_INVALID); /* over the cap, not over it */
    buf_fini(&b);
}

/* ---- reader ---- */

static void pointers(void **state)
{
    char out[32];

    (void)state;
    reader_join("/a", "b/c~d", out, sizeof out);
    assert_string_equal(out, "/a/b~1c~0d");
    reader_join("", "x", out, sizeof out);
    assert_string_equal(out, "/x");
    reader_join("/a", "123456789012345678901234567890", out, 8); /* cut, ended */
    assert_true(strlen(out) < 8);
    reader_section("/providers/0/models/12/name", out, sizeof out);
    assert_string_equal(out, "providers[0].models[12].name");
    reader_section("", out, sizeof out);
    assert_string_equal(out, "");
    reader_section("/stop", out, 4);
    assert_int_equal(strlen(out), 3);
}

static void values_by_themselves(void **state)
{
    const struct key k = {.type = KEY_COUNT, .min = 2, .max = 4, .fallback = "3"};
    struct spec_problems p;
    uint64_t n = 99;
    json_t *v = value_fallback(&k);
    struct key_list l = {0};

    (void)state;
    problem_init(&p);
    value_read(&k, v, "/k", &n, &p);
    assert_int_equal(n, 3);
    json_decref(v);
    v = json_integer(5);
    value_read(&k, v, "/k", &n, &p);
    assert_int_equal(n, 3);
    assert_int_equal(p.total, 1);
    assert_string_equal(p.item[0].message, "k: must be from 2 to 4, not 5");
    json_decref(v);
    v = json_pack("[s, s]", "a", "b");
    vlist_read_list(&(struct reader){&outer_keys[3], "/list", &p}, v, &l);
    vlist_read_list(
        &(struct reader){&outer_keys[3], "/list", &p}, v, &l); /* replaces */
    assert_int_equal(l.nr, 2);
    vlist_fini_list(&l);
    assert_int_equal(l.nr, 0);
    json_decref(v);
    problem_fini(&p);
}

/* ---- problems ---- */

static void problems(void **state)
{
    struct spec_problems p;
    struct bbt_err err;
    char *text;

    (void)state;
    problem_init(&p);
    assert_int_equal(problem_verdict(&p, "thing", &err), BBT_OK);
    problem_add(&p, "/a/b", false, "the fix", "a.b: %d is bad", 5);
    assert_int_equal(problem_verdict(&p, "thing", &err), BBT_INVALID);
    assert_string_equal(err.msg, "thing: a.b: 5 is bad (the fix)");
    problem_add(&p, "", true, NULL, "second");
    assert_int_equal(problem_verdict(&p, "thing", &err), BBT_INVALID);
    assert_string_equal(err.msg, "thing: a.b: 5 is bad (the fix), and 1 more problem");
    text = problem_print(&p.item[0], NULL, "unused");
    assert_string_equal(text, "/a/b: a.b: 5 is bad (the fix)");
    bbt_free(text);
    text = problem_print(&p.item[1], NULL, "unused");
    assert_string_equal(text, "second");
    bbt_free(text);
    problem_fini(&p);
    problem_fini(NULL);

    (void)bbt_alloc_fault(0, 1);
    problem_add(&p, "/a", false, NULL, "lost");
    (void)bbt_alloc_fault(-1, 0);
    assert_int_equal(problem_verdict(&p, "thing", &err), BBT_NOMEM);
    problem_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(wrong_values_keep_defaults),
        cmocka_unit_test(order_is_kept),
        cmocka_unit_test(help),
        cmocka_unit_test(pointers),
        cmocka_unit_test(values_by_themselves),
        cmocka_unit_test(problems),
    };

    json_use_alloc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
