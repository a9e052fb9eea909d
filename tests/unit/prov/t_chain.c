/* Bodies in pieces: their order, their cap, and parts. */
#include "prov/chain.h"
#include "unit.h"

#include "base/alloc.h"

#include <string.h>

static struct prov_part part_of(const char *const *text, size_t n)
{
    struct prov_part part = {0};
    struct pen p = chain_part(&part, 1000);
    struct bbt_err err = {0};

    for (size_t i = 0; i < n; i++) {
        pen_raw(&p, text[i]);
        assert_non_null(chain_cut(&p, &part));
    }
    assert_int_equal(chain_part_end(&p, &part, &err), BBT_OK);
    return part;
}

static void expect_body(struct prov_http *h, const char *want)
{
    struct bbt_buf all;

    buf_init(&all, 1000);
    assert_int_equal(buf_put_slices(&all, h->slice, h->slices), BBT_OK);
    assert_int_equal(h->body_len, strlen(want));
    assert_string_equal(all.data, want);
    buf_fini(&all);
}

static void own_and_lent_bytes_keep_their_order(void **state)
{
    static const char *const text[] = {"one", "", "two", "three", "four"};
    struct prov_part part = part_of(text, 5);
    struct prov_http h = {0};
    struct chain c = chain_begin(&h, 1000);

    (void)state;
    assert_int_equal(part.pieces, 5);
    pen_raw(&c.pen, "a");
    pen_raw(&c.pen, "bc");
    chain_piece(&c, &part, 3);
    chain_piece(&c, &part, 1); /* empty: no slice */
    chain_piece(&c, &part, 0);
    for (int i = 0; i < 300; i++) /* own memory moves meanwhile */
        pen_raw(&c.pen, "x");
    chain_again(&c, 0, 3);
    chain_lend(&c, "end", 3);
    assert_int_equal(chain_end(&c, NULL), BBT_OK);
    assert_int_equal(h.slices, 6);
    assert_ptr_equal(h.slice[1].p, part.bytes.data + part.piece[3].at); /* not copied */
    assert_int_equal(h.own.len, 303);
    assert_memory_equal(h.slice[3].p, "xxx", 3);
    assert_memory_equal(h.slice[4].p, "abc", 3);
    assert_memory_equal(h.slice[5].p, "end", 3);
    assert_int_equal(h.body_len, 3 + 5 + 3 + 300 + 3 + 3);
    prov_http_fini(&h);
    assert_null(h.slice);
    prov_part_fini(&part);
    prov_part_fini(&part);
    prov_part_fini(NULL);
}

static void a_joined_request_stands_alone(void **state)
{
    static const char *const text[] = {"one", "two"};
    struct prov_part part = part_of(text, 2);
    struct prov_http h = {0};
    struct chain c = chain_begin(&h, 1000);

    (void)state;
    chain_piece(&c, &part, 1);
    pen_raw(&c.pen, "-");
    chain_piece(&c, &part, 0);
    assert_int_equal(chain_end(&c, NULL), BBT_OK);
    (void)bbt_alloc_fault(0, 0);
    assert_int_equal(prov_http_join(&h, NULL), BBT_NOMEM);
    (void)bbt_alloc_fault(-1, 0);
    expect_body(&h, "two-one");
    assert_int_equal(prov_http_join(&h, NULL), BBT_OK);
    prov_part_fini(&part);
    assert_int_equal(h.slices, 1);
    expect_body(&h, "two-one");
    prov_http_fini(&h);
    assert_int_equal(prov_http_join(&h, NULL), BBT_OK); /* nothing to join */
}

/* Bytes may be written before their place is known, and stand in several. */
static void bytes_set_aside_stand_where_they_are_put(void **state)
{
    struct prov_http h = {0};
    struct chain c = chain_begin(&h, 1000);
    size_t at, n;

    (void)state;
    pen_raw(&c.pen, "<");
    at = chain_aside(&c);
    pen_raw(&c.pen, "aside");
    n = chain_kept(&c);
    assert_int_equal(n, 5);
    pen_raw(&c.pen, "-");
    chain_again(&c, at, n);
    pen_raw(&c.pen, "-");
    chain_again(&c, at, n);
    pen_raw(&c.pen, ">");
    assert_int_equal(chain_end(&c, NULL), BBT_OK);
    expect_body(&h, "<-aside-aside>");
    prov_http_fini(&h);
}

/* Own, lent and repeated bytes count together, to the byte. */
static void the_cap_is_of_all_bytes(void **state)
{
    static const char *const text[] = {"0123456789"};
    struct prov_part part = part_of(text, 1);
    struct bbt_err err = {0};

    (void)state;
    for (size_t max = 0; max < 30; max++) {
        struct prov_http h = {0};
        struct chain c = chain_begin(&h, max);
        enum bbt_rc rc;

        pen_raw(&c.pen, "abc");
        chain_piece(&c, &part, 0);
        chain_again(&c, 1, 2);
        chain_piece(&c, &part, 0);
        pen_raw(&c.pen, "d");
        rc = chain_end(&c, &err);
        assert_int_equal(rc, max < 26 ? BBT_INVALID : BBT_OK);
        if (rc == BBT_OK)
            expect_body(&h, "abc0123456789bc0123456789d");
        else
            assert_true(!h.slice && !h.own.data && strstr(err.msg, "over the limit"));
        prov_http_fini(&h);
    }
    prov_part_fini(&part);
}

static void refused_memory_is_told_once(void **state)
{
    static const char *const text[] = {"0123456789"};
    struct prov_part part = part_of(text, 1);
    enum bbt_rc rc = BBT_NOMEM;
    long n;

    (void)state;
    for (n = 0; rc == BBT_NOMEM; n++) {
        struct prov_http h = {0};
        struct chain c = chain_begin(&h, 1000);

        (void)bbt_alloc_fault(n, 0);
        for (int i = 0; i < 20; i++) {
            pen_raw(&c.pen, "abc");
            chain_piece(&c, &part, 0);
        }
        rc = chain_end(&c, NULL);
        (void)bbt_alloc_fault(-1, 0);
        assert_true(rc == BBT_OK || (!h.slice && !h.own.data));
        prov_http_fini(&h);
    }
    assert_int_equal(rc, BBT_OK);
    assert_true(n > 4);
    rc = BBT_NOMEM;
    for (n = 0; rc == BBT_NOMEM; n++) {
        struct prov_part more = {0};
        struct pen p = chain_part(&more, 1000);

        (void)bbt_alloc_fault(n, 0);
        for (int i = 0; i < 9; i++) {
            pen_raw(&p, "abc");
            (void)chain_cut(&p, &more);
        }
        rc = chain_part_end(&p, &more, NULL);
        (void)bbt_alloc_fault(-1, 0);
        assert_true(rc == BBT_OK || (!more.piece && !more.bytes.data));
        prov_part_fini(&more);
    }
    assert_int_equal(rc, BBT_OK);
    prov_part_fini(&part);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_and_lent_bytes_keep_their_order),
        cmocka_unit_test(a_joined_request_stands_alone),
        cmocka_unit_test(bytes_set_aside_stand_where_they_are_put),
        cmocka_unit_test(the_cap_is_of_all_bytes),
        cmocka_unit_test(refused_memory_is_told_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
