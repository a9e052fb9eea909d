/* Quantiles against a sorted list of the same numbers. */
#include "unit.h"

#include "base/hist.h"

#include <stdlib.h>
#include <string.h>

#define N 2000

static int by_size(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void test_quantiles(void **state)
{
    static const double share[] = {0, 0.001, 0.25, 0.5, 0.9, 0.99, 1};
    static uint64_t v[N];
    uint64_t seed = 88172645463325252u;

    (void)state;
    for (unsigned wide = 1; wide < 64; wide += 3) {
        struct hist h = {0};

        for (unsigned i = 0; i < N; i++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            v[i] = seed >> (64 - wide) >> (seed % 7);
            hist_add(&h, v[i]);
        }
        qsort(v, N, sizeof *v, by_size);
        assert_int_equal(h.n, N);
        assert_true(h.max == v[N - 1]);
        for (size_t i = 0; i < sizeof share / sizeof *share; i++) {
            size_t at = (size_t)(share[i] * N + 0.999999);
            uint64_t want = v[at ? at - 1 : 0], got = hist_quantile(&h, share[i]);

            assert_true(got >= want && got <= h.max && got - want <= want / 8);
        }
    }
}

static void test_edges(void **state)
{
    struct hist h = {0};

    (void)state;
    assert_int_equal(hist_quantile(&h, 0.5), 0);
    hist_add(&h, UINT64_MAX);
    assert_true(hist_quantile(&h, 0) == UINT64_MAX && hist_quantile(&h, 1) == UINT64_MAX);
    hist_add(&h, 0);
    assert_true(hist_quantile(&h, 0.5) == 0 && hist_quantile(&h, 0.51) == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_edges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
