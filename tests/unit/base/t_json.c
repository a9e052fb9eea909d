/* JSON: what must be refused is refused with a place, printing is stable. */
#include "base/json.h"
#include "unit.h"

#include <math.h>

static enum bbt_rc parse(const char *text, json_t **ret, struct bbt_err *err)
{
    return json_parse(text, strlen(text), "job.json", ret, err);
}

static void refuses_and_says_where(void **state)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "job.json:"},
        {"{\"a\": 1,\n \"a\": 2}", "job.json:2:"},
        {"{\"a\": 1} x", "job.json:1:"},
        {"[1,\n2,\n,]", "job.json:3:"},
        {"\"\\u0000\"", "job.json:1:"},
        {"\"\xff\"", "job.json:1:"},
        {"\"\xc0\xaf\"", "job.json:1:"},
        {"\"\xed\xa0\x80\"", "job.json:1:"},
        {"[1e999]", "job.json:1:"},
        {"[99999999999999999999]", "job.json:1:"},
        {"[NaN]", "job.json:1:"},
        {"[01]", "job.json:1:"},
        {"{'a': 1}", "job.json:1:"},
        {"{\"a\": 1", "job.json:1:"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *v = (json_t *)&bad;
        struct bbt_err err = {0};

        assert_int_equal(parse(bad[i].text, &v, &err), BBT_INVALID);
        assert_ptr_equal(v, &bad); /* untouched */
        assert_int_equal(strncmp(err.msg, bad[i].says, strlen(bad[i].says)), 0);
    }
    assert_int_equal(parse("nonsense", &(json_t *){NULL}, NULL), BBT_INVALID);
}

static void depth_limit_is_exact(void **state)
{
    (void)state;
    for (int depth = JSON_DEPTH_LIMIT; depth <= JSON_DEPTH_LIMIT + 1; depth++) {
        char text[2 * 6 * (JSON_DEPTH_LIMIT + 2)] = "";
        struct bbt_err err = {0};
        json_t *v = NULL;
        size_t n = 0;

        for (int i = 0; i < depth; i++) { /* objects and arrays in turn */
            const char *open = i % 2 ? "{\"a\":" : "[";

            memcpy(text + n, open, strlen(open));
            n += strlen(open);
        }
        text[n++] = '1';
        for (int i = depth - 1; i >= 0; i--)
            text[n++] = i % 2 ? '}' : ']';
        assert_int_equal(json_parse(text, n, "deep", &v, &err),
            depth <= JSON_DEPTH_LIMIT ? BBT_OK : BBT_INVALID);
        json_decref(v);
    }
}

static void printing_is_stable(void **state)
{
    static const char *const same[] = {
        "{\"b\":[1,2.5,null,true],\"a\":{\"y\":\"\\u00e9\",\"x\":-0.1}}",
        " { \"a\" : {\"x\" : -1e-1, \"y\":\"\xc3\xa9\"}, \"b\":[1 ,25e-1, null,true]}",
    };
    char *first = NULL;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        json_t *v = NULL, *back = NULL;
        char *text;

        assert_int_equal(parse(same[i], &v, NULL), BBT_OK);
        text = json_print(v);
        assert_non_null(text);
        assert_int_equal(parse(text, &back, NULL), BBT_OK);
        assert_true(json_equal(v, back)); /* doubles to the bit */
        json_decref(v);
        json_decref(back);
        if (first)
            assert_string_equal(first, text);
        if (first)
            bbt_free(text);
        else
            first = text;
    }
    bbt_free(first);
}

static void numbers_read_back_to_the_bit(void **state)
{
    static const double hard[] = {0.1, 1.0 / 3.0, 5e-324, 2.2250738585072014e-308,
        1.7976931348623157e308, 9007199254740993.0, -0.0, 123456789.123456789};

    (void)state;
    for (size_t i = 0; i < sizeof hard / sizeof *hard; i++) {
        json_t *v = json_real(hard[i]), *back = NULL;
        char *text = json_print(v);
        double got;

        assert_int_equal(parse(text, &back, NULL), BBT_OK);
        got = json_number_value(back);
        assert_memory_equal(&got, &hard[i], sizeof got);
        bbt_free(text);
        json_decref(v);
        json_decref(back);
    }
}

static void look_ups_fall_back_on_type(void **state)
{
    json_t *v = NULL;

    (void)state;
    assert_int_equal(
        parse("{\"s\":\"x\",\"i\":7,\"r\":1.5,\"b\":true,\"n\":null}", &v, NULL), BBT_OK);
    assert_string_equal(json_get_str(v, "s", "no"), "x");
    assert_string_equal(json_get_str(v, "i", "no"), "no");
    assert_null(json_get_str(v, "gone", NULL));
    assert_int_equal(json_get_int(v, "i", -1), 7);
    assert_int_equal(json_get_int(v, "r", -1), -1); /* a fraction is not rounded silently */
    assert_int_equal(json_get_int(v, "s", -1), -1);
    assert_true(json_get_num(v, "i", NAN) == 7.0);
    assert_true(json_get_num(v, "r", NAN) == 1.5);
    assert_true(isnan(json_get_num(v, "b", NAN)));
    assert_true(json_get_bool(v, "b", 0));
    assert_int_equal(json_get_bool(v, "i", -1), -1);
    assert_int_equal(json_get_int(NULL, "i", -1), -1);
    json_decref(v);
}

static void out_of_memory_is_said(void **state)
{
    json_t *v = NULL;
    int text_seen = 0;

    (void)state;
    for (int sticky = 0; sticky < 2; sticky++) {
        json_decref(v);
        v = NULL;
        for (long n = 0; !v; n++) {
            struct bbt_err err = {0};
            enum bbt_rc rc;

            assert_true(n < 1000);
            (void)bbt_alloc_fault(n, sticky);
            rc = json_parse("{\"a\":[1,\"two\",3.0]}", 19, "x", &v, &err);
            (void)bbt_alloc_fault(-1, 0);
            assert_int_equal(rc, v ? BBT_OK : BBT_NOMEM);
            assert_int_equal(json_array_size(json_object_get(v, "a")), v ? 3 : 0);
        }
    }
    for (long n = 0; !text_seen; n++) {
        char *text;

        assert_true(n < 1000);
        (void)bbt_alloc_fault(n, 1);
        text = json_print(v);
        (void)bbt_alloc_fault(-1, 0);
        if (text) {
            assert_string_equal(text, "{\"a\":[1,\"two\",3.0]}");
            text_seen = 1;
        }
        bbt_free(text);
    }
    json_decref(v);
}

/* One refusal, wherever it falls: the whole text or none, never one without a key. */
static void no_key_is_lost(void **state)
{
    json_t *v = json_object();
    char *whole, *text = NULL;
    unsigned refusals = 0;

    (void)state;
    for (int i = 0; i < 60; i++) {
        char key[80];

        (void)snprintf(key, sizeof key, "%d_%0*d", i, 10 + i, i);
        assert_int_equal(json_object_set_new(v, key, json_integer(i)), 0);
    }
    for (int pretty = 0; pretty < 2; pretty++) {
        char *(*print)(const json_t *) = pretty ? json_print_pretty : json_print;

        whole = print(v);
        assert_non_null(whole);
        for (long n = 0;; n++) {
            unsigned long asked;

            (void)bbt_alloc_fault(n, 0);
            text = print(v);
            asked = bbt_alloc_fault(-1, 0);
            if (text)
                assert_string_equal(text, whole);
            bbt_free(text);
            if (asked <= (unsigned long)n)
                break;
            refusals++;
        }
        bbt_free(whole);
    }
    assert_true(refusals > 10);
    json_decref(v);
}

/* jansson's own check of UTF-8 is the second opinion. */
static void a_text_of_any_bytes(void **state)
{
    static const char *const got_said[][2] = {
        {"", ""},
        {"plain", "plain"},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"cut \xc3", "cut ?"},
        {"cut \xe2\x82", "cut ??"},
        {"\xc3\xa4\xf0\x9f\x98", "\xc3\xa4???"},
        {"\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xff", "??????????"},
        {"\xe0\x9f\xbf\xf0\x8f\xbf\xbf\xf5", "????????"},
    };
    unsigned whole = 0;

    (void)state;
    for (size_t i = 0; i < sizeof got_said / sizeof *got_said; i++) {
        json_t *v = json_clean(got_said[i][0]);

        assert_string_equal(json_string_value(v), got_said[i][1]);
        json_decref(v);
    }
    for (unsigned n = 0; n < 0x1000000; n += 11) { /* of all that three bytes can be */
        const char s[] = {'<', (char)(n >> 16), (char)(n >> 8), (char)n, '>', '\0'};
        json_t *plain = json_string(s), *v = json_clean(s);

        assert_non_null(v);
        whole += plain != NULL;
        if (plain)
            assert_true(json_equal(plain, v));
        json_decref(plain);
        json_decref(v);
    }
    assert_true(whole > 100000);
    assert_null(json_clean(NULL));
}

/* Whichever allocation fails, once or for good: all of it or nothing. */
static void all_or_nothing(void **state)
{
    json_t *v = NULL;

    (void)state;
    for (int sticky = 0; sticky < 2; sticky++, json_decref(v), v = NULL)
        for (long n = 0; !v; n++) {
            json_t *list;

            assert_true(n < 1000);
            (void)bbt_alloc_fault(n, sticky);
            v = json_object();
            list = json_array();
            for (int i = 0; i < 20; i++)
                json_add(&list, json_integer(i));
            json_put(&v, "list", list);
            json_put(&v, "text", json_clean("cut \xc3"));
            (void)bbt_alloc_fault(-1, 0);
            if (v) {
                assert_int_equal(json_object_size(v), 2);
                assert_int_equal(json_array_size(json_object_get(v, "list")), 20);
                assert_string_equal(json_get_str(v, "text", ""), "cut ?");
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_and_says_where),
        cmocka_unit_test(depth_limit_is_exact),
        cmocka_unit_test(printing_is_stable),
        cmocka_unit_test(numbers_read_back_to_the_bit),
        cmocka_unit_test(look_ups_fall_back_on_type),
        cmocka_unit_test(out_of_memory_is_said),
        cmocka_unit_test(no_key_is_lost),
        cmocka_unit_test(a_text_of_any_bytes),
        cmocka_unit_test(all_or_nothing),
    };

    json_use_alloc();
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
