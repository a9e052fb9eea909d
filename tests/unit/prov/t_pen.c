/* JSON as it is written: by jansson's reader, and digit by digit where servers are strict. */
#include "prov/pen.h"
#include "base/alloc.h"
#include "base/json.h"
#include "unit.h"

#include <stdlib.h>

static void texts_read_back(void **state)
{
    static const char *const t[] = {"", "plain", "\"\\/", "a\nb\tc\x01\x1f", "\xc3\xbc\xe6\x97\xa5",
        "\x7f", "ends with \\"};

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct bbt_buf b;
        struct pen p = {.b = &b};
        json_t *v = NULL;

        buf_init(&b, 256);
        pen_text(&p, t[i]);
        assert_int_equal(p.rc, BBT_OK);
        assert_int_equal(json_parse(b.data, b.len, "text", &v, NULL), BBT_OK);
        assert_string_equal(json_string_value(v), t[i]);
        json_decref(v);
        buf_fini(&b);
    }
}

/* P13: SGLang takes a list for embeddings only where its numbers are not integers. */
static void p13_reals_have_a_point_or_an_exponent(void **state)
{
    static const struct {
        float v;
        const char *text;
    } t[] = {{0, "0.0"}, {-0.0f, "-0.0"}, {1, "1.0"}, {-17, "-17.0"}, {0.5f, "0.5"},
        {1e10f, "1e+10"}, {123456792, "123456792.0"}, {0.1f, "0.100000001"}};

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct bbt_buf b;
        struct pen p = {.b = &b};

        buf_init(&b, 64);
        pen_real(&p, t[i].v);
        assert_string_equal((char *)b.data, t[i].text);
        assert_true(strtof((char *)b.data, NULL) == t[i].v);
        buf_fini(&b);
    }
}

static void lists_and_members(void **state)
{
    static const int32_t id[3] = {1, -2, 2147483647};
    static const float v[4] = {1, 2.5f, -3, 0};
    struct bbt_buf b;
    struct pen p = {.b = &b};

    (void)state;
    buf_init(&b, 256);
    pen_ids(&p, id, 3);
    pen_ids(&p, id, 0);
    pen_rows(&p, v, 2, 2);
    pen_members(&p, NULL);
    pen_members(&p, "{}");
    pen_members(&p, "{\"a\":1}");
    pen_format(&p, "%zu", (size_t)7);
    assert_int_equal(p.rc, BBT_OK);
    assert_string_equal(
        (char *)b.data, "[1,-2,2147483647][][1.0,2.5],[-3.0,0.0],\"a\":17");
    buf_fini(&b);
}

static void the_first_failure_sticks(void **state)
{
    struct bbt_buf b;
    struct pen p = {.b = &b};

    (void)state;
    buf_init(&b, 4);
    pen_raw(&p, "abc");
    pen_raw(&p, "de");
    pen_raw(&p, "f");
    assert_int_equal(p.rc, BBT_INVALID);
    assert_string_equal((char *)b.data, "abc");
    buf_fini(&b);
    p.rc = BBT_OK;
    bbt_alloc_fault(0, 0);
    pen_raw(&p, "abc");
    bbt_alloc_fault(-1, 0);
    pen_raw(&p, "d");
    assert_int_equal(p.rc, BBT_NOMEM);
    assert_null(b.data);
    p.rc = BBT_OK;
    pen_format(&p, "%0300d", 1); /* longer than a number ever is */
    assert_int_equal(p.rc, BBT_INVALID);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_read_back),
        cmocka_unit_test(p13_reals_have_a_point_or_an_exponent),
        cmocka_unit_test(lists_and_members),
        cmocka_unit_test(the_first_failure_sticks),
    };

    json_use_alloc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
