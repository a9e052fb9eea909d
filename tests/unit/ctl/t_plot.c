/* Curves as text: exact pictures, and laws about where a point lands. */
#include "plot.h"

#include "base/alloc.h"
#include "safe.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char *text_of(const struct plot_curve *k, size_t n, size_t w, size_t h)
{
    struct plot p = {.curve = k, .n = n, .x_name = "x", .width = w, .height = h};
    struct bbt_buf b;
    struct bbt_err err = {0};

    buf_init(&b, SIZE_MAX);
    assert_int_equal(plot_text(&p, &b, &err), BBT_OK);
    return (char *)buf_take(&b, NULL);
}

/* A line from corner to corner: 15 cells by 4, so dots (0,15) to (29,0). */
static void diagonal(void **state)
{
    const double x[] = {0, 10}, y[] = {0, 1};
    const struct plot_curve k = {"up", x, y, 2, false};
    char *got = text_of(&k, 1, 24, 4);

    (void)state;
    assert_string_equal(got, "      1 ┤           ⢀⡠⠔⠊\n"
                             "        │       ⢀⡠⠔⠊⠁\n"
                             "        │   ⢀⡠⠔⠊⠁\n"
                             "      0 ┤⡠⠔⠊⠁\n"
                             "        └───────────────\n"
                             "         0     x      10\n"
                             "         ⠒⠒ up\n");
    bbt_free(got);
}

/* Bits of the dots, by hand from the chart: the four corners of one curve as points. */
static void corners(void **state)
{
    const double x[] = {0, NAN, 0, NAN, 1, NAN, 1}, y[] = {1, 0, 0, 0, 1, 0, 0};
    const struct plot_curve k = {"c", x, y, 7, false};
    char *got = text_of(&k, 1, 24, 4), *line = got;

    (void)state;
    /* U+2801 dot 1 (top left), U+2808 dot 4 (top right), U+2840 dot 7, U+2880 dot 8 */
    assert_memory_equal(strstr(line, "┤") + 3, "\xe2\xa0\x81", 3);
    assert_non_null(strstr(line, "\xe2\xa0\x88\n"));
    assert_non_null(strstr(line, "┤\xe2\xa1\x80"));
    assert_non_null(strstr(line, "\xe2\xa2\x80\n"));
    bbt_free(got);
}

static void marks_and_gaps(void **state)
{
    const double x[] = {1, 2, 3}, y[] = {1, NAN, 3}, flat[] = {2, 2, 2};
    const struct plot_curve k[] = {
        {"flat", x, flat, 3, false}, {"dev", x, y, 3, true}};
    char *got = text_of(k, 2, 40, 9), *p = got;
    size_t marks = 0;

    (void)state;
    while ((p = strstr(p, "●"))) {
        marks++;
        p += strlen("●");
    }
    assert_int_equal(marks, 3); /* two points and one in the key */
    bbt_free(got);
}

/* Every line fits, whatever the size and the data. */
static void fits(void **state)
{
    const double x[] = {0, 1e6, 2e6}, y[] = {1e-9, -3.25e17, 4};
    const struct plot_curve k = {"wild", x, y, 3, false};

    (void)state;
    for (size_t w = 24; w < 130; w += 7)
        for (size_t h = 4; h < 30; h += 5) {
            char *got = text_of(&k, 1, w, h);

            for (char *p = got, *nl; *p; p = nl + 1) {
                nl = strchr(p, '\n');
                assert_non_null(nl);
                *nl = '\0';
                assert_true(safe_width(p) <= w);
            }
            bbt_free(got);
        }
}

static void one_point(void **state)
{
    const double x[] = {5}, y[] = {0.25};
    const struct plot_curve k = {"p", x, y, 1, false};
    char *got = text_of(&k, 1, 30, 5);

    (void)state;
    assert_non_null(strstr(got, "0.2")); /* a scale around it, not 0/0 */
    assert_null(strstr(got, "nan"));
    bbt_free(got);
}

static void refuses(void **state)
{
    const double x[] = {NAN}, y[] = {1};
    const struct plot_curve k = {"p", x, y, 1, false};
    struct plot p = {.curve = &k, .n = 1, .x_name = "x", .width = 40, .height = 8};
    struct bbt_buf b;

    (void)state;
    buf_init(&b, SIZE_MAX);
    assert_int_equal(plot_text(&p, &b, NULL), BBT_INVALID);
    assert_int_equal(plot_svg(&p, &b, NULL), BBT_INVALID);
    p.width = 10;
    assert_int_equal(plot_text(&p, &b, NULL), BBT_INVALID);
    buf_fini(&b);
}

static void svg(void **state)
{
    const double x[] = {1, 2, 3, 4}, y[] = {4, NAN, 2, 1}, d[] = {NAN, 3, NAN, NAN};
    const struct plot_curve k[] = {{"<loss & co>", x, y, 4, false}, {"dev", x, d, 4, true}};
    struct plot p = {.curve = k, .n = 2, .title = "job <1>", .x_name = "x", .width = 800,
        .height = 450};
    struct bbt_buf b;
    const char *s;
    size_t lines = 0;

    (void)state;
    buf_init(&b, SIZE_MAX);
    assert_int_equal(plot_svg(&p, &b, NULL), BBT_OK);
    s = (const char *)b.data;
    for (const char *at = s; (at = strstr(at, "<polyline")); at++)
        lines++;
    assert_int_equal(lines, 2); /* the gap cuts the line in two */
    assert_non_null(strstr(s, "<circle"));
    assert_non_null(strstr(s, "&lt;loss &amp; co>"));
    assert_null(strstr(s, "<1>"));
    assert_null(strstr(s, "nan"));
    assert_string_equal(s + b.len - 7, "</svg>\n");
    buf_fini(&b);
}

static void no_memory(void **state)
{
    const double x[] = {0, 1}, y[] = {0, 1};
    const struct plot_curve k = {"c", x, y, 2, false};
    struct plot p = {.curve = &k, .n = 1, .x_name = "x", .width = 40, .height = 8};
    bool done = false;

    (void)state;
    for (long n = 0; !done && n < 100; n++) {
        struct bbt_buf b;
        enum bbt_rc rc;

        buf_init(&b, SIZE_MAX);
        bbt_alloc_fault(n, 1);
        rc = plot_text(&p, &b, NULL);
        bbt_alloc_fault(-1, 0);
        done = rc == BBT_OK;
        assert_true(done || rc == BBT_NOMEM);
        buf_fini(&b);
    }
    assert_true(done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(diagonal),
        cmocka_unit_test(corners),
        cmocka_unit_test(marks_and_gaps),
        cmocka_unit_test(fits),
        cmocka_unit_test(one_point),
        cmocka_unit_test(refuses),
        cmocka_unit_test(svg),
        cmocka_unit_test(no_memory),
    };

    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        return 99;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
