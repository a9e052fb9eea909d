/* Laws of "the same weights": symmetric, never true of what is not known or is no number, and
 * true of answers that differ by no more than a server's own last bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/like.h"

#include <math.h>

static struct like like(double a, double b)
{
    return (struct like){2, 8, {a, b}};
}

static void expect(const struct like *a, const struct like *b, bool same)
{
    assert_int_equal(like_same(a, b), same);
    assert_int_equal(like_same(b, a), same);
}

static void what_is_alike(void **state)
{
    const struct like a = like(1.5, -20), near = like(1.509, -20.009),
                      far = like(1.5, -20.011);

    (void)state;
    expect(&a, &a, true);
    expect(&a, &near, true);
    expect(&a, &far, false);
    assert_true(fabs(like_apart(&a, &far) - 0.011) < 1e-9);
}

static void what_is_not_known(void **state)
{
    const struct like none = {0}, a = like(1, 2);

    (void)state;
    expect(&none, &none, false);
    expect(&none, &a, false);
    assert_true(isnan(like_apart(&none, &a)));
}

static void other_questions(void **state)
{
    const struct like a = like(1, 2), no_number = like(1, NAN), no_end = like(INFINITY, 2);
    struct like wider = a, more = a, absurd = a;

    (void)state;
    wider.hidden = 9;
    more.answers = 3;
    absurd.answers = 1u << 30; /* of damaged bytes */
    expect(&a, &wider, false);
    expect(&a, &more, false);
    expect(&absurd, &absurd, false);
    expect(&a, &no_number, false);
    expect(&no_number, &no_number, false);
    expect(&no_end, &no_end, false);
    assert_true(isinf(like_apart(&a, &no_number)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_alike),
        cmocka_unit_test(what_is_not_known),
        cmocka_unit_test(other_questions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
