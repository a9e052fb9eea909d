/* Runs of base64: whatever the pieces, the text is that of all bytes together. */
#include "prov/run.h"
#include "unit.h"

#include "base/alloc.h"

#define LEN 200

static uint8_t bytes[LEN];

static void fill(void)
{
    for (size_t i = 0; i < LEN; i++)
        bytes[i] = (uint8_t)(i * 167 + i / 7);
}

static void expect_text(const struct bbt_buf *got, size_t len)
{
    struct bbt_buf want;

    buf_init(&want, 1000);
    assert_int_equal(base64_put(&want, bytes, len), BBT_OK);
    assert_int_equal(got->len, want.len);
    if (want.len)
        assert_memory_equal(got->data, want.data, want.len);
    buf_fini(&want);
}

static void pieces_of_any_length(void **state)
{
    (void)state;
    fill();
    for (size_t a = 0; a <= 12; a++)
        for (size_t b = 0; b <= 12; b++)
            for (size_t c = 0; c <= 12; c++) {
                struct base64 s = {.n = 0};
                struct bbt_buf text;
                struct pen p = {.b = &text};

                buf_init(&text, 1000);
                base64_feed(&s, &p, bytes, a);
                base64_feed(&s, &p, bytes + a, b);
                base64_feed(&s, &p, bytes + a + b, c);
                base64_close(&s, &p);
                assert_int_equal(p.rc, BBT_OK);
                expect_text(&text, a + b + c);
                buf_fini(&text);
            }
}

/* bytes | run | run | bytes, each run encoded for itself. */
static void expect_runs(size_t a, size_t b, size_t c, size_t d)
{
    struct prov_piece first = {0}, second = {0};
    struct bbt_buf one, two, text;
    struct pen p1 = {.b = &one}, p2 = {.b = &two}, p = {.b = &text};
    struct base64 s = {.n = 0};

    buf_init(&one, 1000);
    buf_init(&two, 1000);
    buf_init(&text, 1000);
    run_put(&p1, bytes + a, b, a, &first);
    run_put(&p2, bytes + a + b, c, a + b, &second);
    base64_feed(&s, &p, bytes, a);
    assert_true(run_first(&s, &p, &first));
    assert_int_equal(buf_put(&text, one.data, one.len), BBT_OK);
    run_last(&s, &p, &first);
    assert_true(run_first(&s, &p, &second));
    assert_int_equal(buf_put(&text, two.data, two.len), BBT_OK);
    run_last(&s, &p, &second);
    base64_feed(&s, &p, bytes + a + b + c, d);
    base64_close(&s, &p);
    expect_text(&text, a + b + c + d);
    assert_true(b < 6 || one.len >= (b - 4) / 3 * 4); /* little is left for the request */
    buf_fini(&one);
    buf_fini(&two);
    buf_fini(&text);
}

static void runs_fit_where_they_were_made_for(void **state)
{
    (void)state;
    fill();
    for (size_t a = 0; a < 5; a++)
        for (size_t b = 0; b < 9; b++)
            for (size_t c = 0; c < 9; c++)
                for (size_t d = 0; d < 5; d++)
                    expect_runs(a, b, c, d);
    expect_runs(64, 64, 64, 8);
}

static void another_phase_is_refused(void **state)
{
    struct prov_piece run = {0}, none = {0};
    struct base64 s = {.n = 0};
    struct bbt_buf text;
    struct pen p = {.b = &text};

    (void)state;
    fill();
    buf_init(&text, 1000);
    run_put(&p, bytes, 30, 1, &run);
    run_put(&p, bytes, 0, 2, &none);
    assert_int_equal(text.len, 36);
    assert_false(run_first(&s, &p, &run));
    assert_int_equal(text.len, 36);
    assert_true(run_first(&s, &p, &none)); /* nothing fits everywhere */
    buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_of_any_length),
        cmocka_unit_test(runs_fit_where_they_were_made_for),
        cmocka_unit_test(another_phase_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
