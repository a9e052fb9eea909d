/* JSON with big number arrays, in pieces: what is cut, what is refused. */
#include "base/alloc.h"
#include "base/json.h"
#include "prov/jcut.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

struct got {
    struct jcut c;
    json_t *root;
    char seen[2048]; /* the objects, as they were when their arrays came */
    enum jcut_do how;
    size_t shape, n;
    struct numlist list;
};

static void count(void *arg, size_t at, double v)
{
    struct got *g = arg;

    (void)v;
    assert_int_equal(at, g->n++);
}

static enum bbt_rc on_array(void *arg, const json_t *object, size_t piece, enum jcut_do *ret,
    struct numlist **ret_list, struct bbt_err *err)
{
    struct got *g = arg;
    char *text = json_print(object);
    size_t used = strlen(g->seen);

    assert_int_equal(json_get_int(object, "data", -1), piece);
    (void)snprintf(g->seen + used, sizeof g->seen - used, "%s", text);
    bbt_free(text);
    *ret = g->how;
    *ret_list = &g->list;
    return g->how == JCUT_READ ? numlist_begin(&g->list, &g->shape, 1, count, g, err) : BBT_OK;
}

static enum bbt_rc read_as(enum jcut_do how, const char *text, size_t len, size_t most,
    struct got *g, struct bbt_err *err)
{
    size_t shape = g->shape;
    enum bbt_rc rc = BBT_OK;

    *g = (struct got){.how = how, .shape = shape};
    jcut_init(&g->c, "body", on_array, g);
    for (size_t at = 0; rc == BBT_OK && at < len; at += most) {
        size_t n = len - at < most ? len - at : most;
        char *copy = bbt_alloc(n);

        memcpy(copy, text + at, n);
        rc = jcut_feed(&g->c, copy, n, err);
        bbt_free(copy);
        if (most > len)
            break;
    }
    if (rc == BBT_OK)
        rc = jcut_end(&g->c, &g->root, err);
    return rc;
}

static void got_fini(struct got *g)
{
    json_decref(g->root);
    jcut_fini(&g->c);
}

static const size_t piece[] = {SIZE_MAX, 1, 2, 3, 7, 20};

#define PIECES (sizeof piece / sizeof piece[0])

static void arrays_are_cut_where_they_belong(void **state)
{
    static const char text[] =
        "{\"data\":[7],\"a\":\"\\\"data\\\":[\",\"outputs\":[{\"data\" : [1,[2,\"]\"]],"
        "\"name\":\"data\"},{\"data\":[],\"data2\":[3],\"x\":{\"data\":[4]}},[{\"data\":[5]}],"
        "{\"data\":{\"data\":[6]}},{\"name\":\"q\\\\\",\"data\"\n:\t[\"\\\\\\\"]\"]}]}";
    struct got g = {.shape = 0};

    (void)state;
    for (size_t i = 0; i < PIECES; i++) {
        char *rest;

        assert_int_equal(read_as(JCUT_HOLD, text, sizeof text - 1, piece[i], &g, NULL), BBT_OK);
        assert_int_equal(g.c.pieces, 3);
        assert_int_equal(g.c.held.len, 11 + 2 + 9);
        assert_memory_equal(g.c.held.data, "[1,[2,\"]\"]][][\"\\\\\\\"]\"]", g.c.held.len);
        assert_int_equal(g.c.piece[1].at, 11);
        assert_int_equal(g.c.piece[1].len, 2);
        assert_int_equal(g.c.piece[2].at, 13);
        assert_int_equal(g.c.piece[2].len, 9);
        assert_string_equal(
            g.seen, "{\"data\":0}{\"data\":1}{\"data\":2,\"name\":\"q\\\\\"}");
        rest = json_print(g.root);
        assert_string_equal(rest,
            "{\"a\":\"\\\"data\\\":[\",\"data\":[7],\"outputs\":[{\"data\":0,\"name\":\"data\"},"
            "{\"data\":1,\"data2\":[3],\"x\":{\"data\":[4]}},[{\"data\":[5]}],"
            "{\"data\":{\"data\":[6]}},{\"data\":2,\"name\":\"q\\\\\"}]}");
        bbt_free(rest);
        got_fini(&g);
        assert_int_equal(
            read_as(JCUT_SKIP, text, sizeof text - 1, piece[i], &g, NULL), BBT_OK);
        assert_int_equal(g.c.pieces, 3);
        assert_int_equal(g.c.held.len, 0);
        got_fini(&g);
        assert_int_equal(read_as(JCUT_HOLD, "[[{\"data\":[5]}]]", 16, piece[i], &g, NULL), BBT_OK);
        assert_int_equal(g.c.pieces, 0); /* the root is no object */
        got_fini(&g);
    }
    jcut_fini(NULL);
}

static void lists_are_read_on_the_way(void **state)
{
    static const char text[] = "{\"outputs\":[{\"name\":\"a\",\"data\":[1,2,[3]]}]}";
    static const char good[] =
        "{\"outputs\":[{\"name\":\"a\",\"data\":[1, 2,3],\"b\":1}],\"c\":[]}";
    struct got g = {.shape = 3};
    struct bbt_err err = {0};

    (void)state;
    for (size_t i = 0; i < PIECES; i++) {
        assert_int_equal(
            read_as(JCUT_READ, good, sizeof good - 1, piece[i], &g, &err), BBT_OK);
        assert_int_equal(g.n, 3);
        assert_string_equal(g.seen, "{\"data\":0,\"name\":\"a\"}");
        assert_int_equal(json_object_size(g.root), 2);
        got_fini(&g);
        assert_int_equal(
            read_as(JCUT_READ, text, sizeof text - 1, piece[i], &g, &err), BBT_CORRUPT);
        got_fini(&g);
    }
}

static void what_is_not_json_is_refused(void **state)
{
    static const char *const bad[] = {"", "{", "{\"outputs\":[{\"data\":[1,2", "\"abc",
        "\"abc\\", "{\"outputs\":[{\"data\":[\"", "{}x", "{\"a\":1,\"a\":2}", "{\"a\":\"\xff\"}",
        "{\"outputs\":[{\"data\":[1],\"data\":[2]}]}", "{\"a\":nan}", "]]]]", "}}",
        "{\"outputs\":[{\"data\"", "{\"outputs\":[{\"data\":", "{\"o\":[{,\"data\":[1]}]}",
        "{\"o\":[{\"a\",\"data\":[1]}]}"};
    struct got g = {.shape = 0};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        for (size_t k = 0; k < PIECES; k++) {
            struct bbt_err err = {0};

            if (read_as(JCUT_HOLD, bad[i], strlen(bad[i]), piece[k], &g, &err) !=
                    BBT_CORRUPT || strncmp(err.msg, "body", 4))
                fail_msg("%s: %s", bad[i], err.msg);
            assert_int_equal(err.rc, BBT_CORRUPT);
            got_fini(&g);
        }
}

/* Deep nesting and a long rest end at their limits; long numbers do not count as rest. */
static void limits_hold(void **state)
{
    size_t len = JCUT_HELD_MAX + 100;
    char *text = bbt_alloc(len);
    struct got g = {.shape = 0};
    struct bbt_err err = {0};
    int at;

    (void)state;
    memset(text, '[', len);
    assert_int_equal(read_as(JCUT_SKIP, text, len, 1000, &g, &err), BBT_CORRUPT);
    got_fini(&g);
    memset(text, ' ', len);
    memcpy(text, "{\"a\":\"", 6);
    memcpy(text + len - 2, "\"}", 2);
    assert_int_equal(read_as(JCUT_SKIP, text, len, 1000, &g, &err), BBT_CORRUPT);
    assert_non_null(strstr(err.msg, "over 262144 bytes"));
    got_fini(&g);
    at = snprintf(text, len, "{\"outputs\":[{\"data\":[");
    for (; (size_t)at < len - 8; at += 2)
        memcpy(text + at, "1,", 2);
    memcpy(text + at, "1]}]}", 5);
    assert_int_equal(read_as(JCUT_SKIP, text, (size_t)at + 5, 1000, &g, &err), BBT_OK);
    assert_int_equal(g.c.pieces, 1);
    got_fini(&g);
    assert_int_equal(read_as(JCUT_HOLD, text, (size_t)at + 5, 1000, &g, &err), BBT_CORRUPT);
    assert_non_null(strstr(err.msg, "too many to keep"));
    got_fini(&g);
    at = snprintf(text, len, "{\"outputs\":[");
    for (int i = 0; i < 17; i++)
        at += snprintf(text + at, len - (size_t)at, "{\"data\":[]}%s", i < 16 ? "," : "]}");
    assert_int_equal(read_as(JCUT_SKIP, text, (size_t)at, 1000, &g, &err), BBT_CORRUPT);
    assert_non_null(strstr(err.msg, "more than 16"));
    got_fini(&g);
    bbt_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_are_cut_where_they_belong),
        cmocka_unit_test(lists_are_read_on_the_way),
        cmocka_unit_test(what_is_not_json_is_refused),
        cmocka_unit_test(limits_hold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
