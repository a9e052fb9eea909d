/* The heap door: overflow is refused, failures come when asked for. */
#include "base/alloc.h"
#include "unit.h"

static void products_that_do_not_fit_are_refused(void **state)
{
    volatile size_t half = SIZE_MAX / 2 + 1; /* volatile: gcc sees through constants */

    (void)state;
    assert_null(bbt_alloc_array(half, 2));
    assert_null(bbt_calloc(half, 2));
    assert_null(bbt_alloc_array(2, half));
    assert_null(bbt_strndup("x", SIZE_MAX));
}

static void zero_sizes_give_a_block(void **state)
{
    void *a = bbt_alloc(0), *b = bbt_calloc(0, 8), *c = bbt_alloc_array(8, 0);
    void *d = bbt_realloc(NULL, 0);

    (void)state;
    assert_true(a && b && c && d);
    assert_true(a != b);
    bbt_free(a);
    bbt_free(b);
    bbt_free(c);
    bbt_free(d);
    bbt_free(NULL);
}

static void calloc_is_zeroed(void **state)
{
    unsigned char *p = bbt_alloc(4096);

    (void)state;
    assert_non_null(p);
    memset(p, 0xff, 4096);
    bbt_free(p);
    p = bbt_calloc(64, 64);
    assert_non_null(p);
    for (size_t i = 0; i < 4096; i++)
        assert_int_equal(p[i], 0);
    bbt_free(p);
}

static void strings(void **state)
{
    char *a = bbt_strdup("abc"), *b = bbt_strndup("abcdef", 2);
    char *c = bbt_asprintf("%s-%0300d", "x", 7);

    (void)state;
    assert_string_equal(a, "abc");
    assert_string_equal(b, "ab");
    assert_int_equal(strlen(c), 302);
    assert_int_equal(c[301], '7');
    assert_null(bbt_strdup(NULL));
    assert_null(bbt_strndup(NULL, 0));
    bbt_free(a);
    bbt_free(b);
    bbt_free(c);
}

static void the_nth_fails(void **state)
{
    (void)state;
    for (int sticky = 0; sticky < 2; sticky++) {
        void *p[5];

        (void)bbt_alloc_fault(2, sticky);
        p[0] = bbt_alloc(1);
        p[1] = bbt_calloc(1, 1);
        p[2] = bbt_strdup("x");
        p[3] = bbt_asprintf("x");
        p[4] = bbt_alloc_array(1, 1);
        assert_int_equal(bbt_alloc_fault(-1, 0), 5); /* all were counted */
        assert_true(p[0] && p[1] && !p[2]);
        assert_true(sticky ? !p[3] && !p[4] : p[3] && p[4]);
        for (int i = 0; i < 5; i++)
            bbt_free(p[i]);
    }
    assert_int_equal(bbt_alloc_fault(-1, 0), 0);
}

static void what_is_spared_does_not_count(void **state)
{
    void *p[3];

    (void)state;
    (void)bbt_alloc_fault(0, 0);
    bbt_alloc_spare(1);
    bbt_alloc_spare(1);
    bbt_alloc_spare(0);
    p[0] = bbt_alloc(1);
    bbt_alloc_spare(0);
    p[1] = bbt_alloc(1);
    p[2] = bbt_alloc(1);
    assert_int_equal(bbt_alloc_fault(-1, 0), 2);
    assert_true(p[0] && !p[1] && p[2]);
    bbt_free(p[0]);
    bbt_free(p[2]);
}

static void failed_realloc_keeps_the_old_block(void **state)
{
    char *p = bbt_strdup("kept"), *q;

    (void)state;
    (void)bbt_alloc_fault(0, 0);
    assert_null(bbt_realloc(p, 1000));
    assert_string_equal(p, "kept");
    q = bbt_realloc(p, 1000);
    assert_non_null(q);
    assert_string_equal(q, "kept");
    bbt_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_that_do_not_fit_are_refused),
        cmocka_unit_test(zero_sizes_give_a_block),
        cmocka_unit_test(calloc_is_zeroed),
        cmocka_unit_test(strings),
        cmocka_unit_test(the_nth_fails),
        cmocka_unit_test(what_is_spared_does_not_count),
        cmocka_unit_test(failed_realloc_keeps_the_old_block),
    };

    return cmocka_run_group_tests_name("alloc", tests, NULL, NULL);
}
