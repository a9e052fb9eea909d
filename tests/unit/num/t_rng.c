#include "golden.h"

#include "num/rng.h"

#include <math.h>
#include <string.h>

/* Random123's kat_vectors, lines "philox4x32 10". */
static void known_answers(void **state)
{
    static const struct {
        uint32_t ctr[4], key[2], out[4];
    } kat[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u},
            {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0},
            {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    (void)state;

    for (size_t i = 0; i < sizeof kat / sizeof *kat; i++) {
        uint32_t out[4];

        philox4x32_10(kat[i].ctr, kat[i].key, out);
        assert_memory_equal(out, kat[i].out, sizeof out);
    }
}

static double critical(const char *kind, long n)
{
    FILE *f = golden_open("rng.txt");
    char line[256], word[16];
    double value = 0, found = 0;
    long at;

    while (fgets(line, sizeof line, f))
        if (sscanf(line, "%15s %ld %lf", word, &at, &value) == 3 &&
            strcmp(word, kind) == 0 && at == n)
            found = value;
    (void)fclose(f);
    assert_true(found > 0);
    return found;
}

static void golden(void **state)
{
    FILE *f = golden_open("rng.txt");
    char kind[16], value[64];
    uint64_t seed, stream, index;
    unsigned seen = 0;
    char line[256];
    (void)state;

    while (fgets(line, sizeof line, f)) {
        double got = 0, tol = 0;
        float one;

        if (sscanf(line, "%15s %lu %lu %lu %63s", kind, &seed, &stream, &index,
                value) != 5)
            continue;
        seen++;
        if (strcmp(kind, "u64") == 0) {
            assert_int_equal(rng_u64(seed, stream, index), strtoull(value, NULL, 10));
            continue;
        }
        if (strcmp(kind, "uniform") == 0) {
            got = rng_uniform(seed, stream, index);
        } else if (strcmp(kind, "normal") == 0) {
            got = rng_normal(seed, stream, index);
            tol = 4e-15;
        } else if (strcmp(kind, "uniformf") == 0) {
            rng_fill_uniformf(seed, stream, index, 1, &one);
            got = (double)one;
            tol = 5e-9; /* nine digits in the file */
        } else {
            rng_fill_normalf(seed, stream, index, 1, &one);
            got = (double)one;
            tol = 3e-6;
        }
        if (fabs(got - strtod(value, NULL)) > tol)
            fail_msg("%s: got %.17g", line, got);
    }
    (void)fclose(f);
    assert_int_equal(seen, 4 * 12 * 5);
}

/* Any piece of a stream is the same as that part of the whole. */
static void pieces(void **state)
{
    enum { N = 1500 };
    static double whole[N], part[N];
    static float wholef[N], partf[N];
    (void)state;

    rng_fill_normal(7, 8, 0, N, whole);
    for (size_t i = 0; i < N; i++)
        assert_true(whole[i] == rng_normal(7, 8, i));
    for (size_t from = 0; from < 300; from += 7) {
        for (size_t n = 0; n < 1200; n += 171) {
            rng_fill_normal(7, 8, from, n, part);
            assert_memory_equal(part, whole + from, n * sizeof *part);
        }
    }
    rng_fill_normalf(7, 8, 0, N, wholef);
    for (size_t from = 0; from < 300; from += 7) {
        for (size_t n = 0; n < 1200; n += 171) {
            rng_fill_normalf(7, 8, from, n, partf);
            assert_memory_equal(partf, wholef + from, n * sizeof *partf);
        }
    }
    rng_fill_uniformf(7, 8, 0, N, wholef);
    rng_fill_uniformf(7, 8, 301, N - 301, partf);
    assert_memory_equal(partf, wholef + 301, (N - 301) * sizeof *partf);
}

static int by_value(const void *a, const void *b)
{
    double p = *(const double *)a, q = *(const double *)b;

    return p < q ? -1 : p > q;
}

static double uniform_cdf(double x)
{
    return x;
}

static double normal_cdf(double x)
{
    return 0.5 * erfc(-x / sqrt(2.0));
}

static void check_ks(double *v, long n, double (*cdf)(double))
{
    double worst = 0;

    qsort(v, (size_t)n, sizeof *v, by_value);
    for (long i = 0; i < n; i++) {
        double p = cdf(v[i]);

        worst = fmax(
            worst, fmax(p - (double)i / (double)n, (double)(i + 1) / (double)n - p));
    }
    if (worst > critical("ks", n))
        fail_msg("Kolmogorov-Smirnov distance %g", worst);
}

static void distributions(void **state)
{
    enum { N = 20000 };
    static double v[N];
    static float f[N];
    (void)state;

    for (uint64_t i = 0; i < N; i++)
        v[i] = rng_uniform(3, RNG_TEST, i);
    check_ks(v, N, uniform_cdf);
    rng_fill_normal(3, RNG_TEST, 0, N, v);
    check_ks(v, N, normal_cdf);
    rng_fill_normalf(3, RNG_TEST, 0, N, f);
    for (size_t i = 0; i < N; i++)
        v[i] = (double)f[i];
    check_ks(v, N, normal_cdf);
    rng_fill_uniformf(3, RNG_TEST, 0, N, f);
    for (size_t i = 0; i < N; i++)
        v[i] = (double)f[i] / 2 + 0.5;
    check_ks(v, N, uniform_cdf);
}

/* Four moments, and no correlation between neighbours, streams and seeds. */
static void moments(void **state)
{
    enum { N = 100000 };
    static double a[N], b[N];
    double m[5] = {0}, next = 0, stream = 0, seed = 0, root = sqrt(N);
    (void)state;

    rng_fill_normal(11, 1, 0, N, a);
    for (size_t i = 0; i < N; i++)
        for (int k = 1; k < 5; k++)
            m[k] += pow(a[i], k) / N;
    assert_true(fabs(m[1]) * root < 4);
    assert_true(fabs(m[2] - 1) * root / sqrt(2) < 4);
    assert_true(fabs(m[3]) * root / sqrt(15) < 4);
    assert_true(fabs(m[4] - 3) * root / sqrt(96) < 4);
    for (size_t i = 0; i + 1 < N; i++)
        next += a[i] * a[i + 1];
    rng_fill_normal(11, 2, 0, N, b);
    for (size_t i = 0; i < N; i++)
        stream += a[i] * b[i];
    rng_fill_normal(12, 1, 0, N, b);
    for (size_t i = 0; i < N; i++)
        seed += a[i] * b[i];
    assert_true(
        fabs(next) / root < 4 && fabs(stream) / root < 4 && fabs(seed) / root < 4);
}

static void below_is_fair(void **state)
{
    double chi2 = 0;
    unsigned count[10] = {0};
    (void)state;

    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t v = rng_below(5, 6, i, 10);

        assert_true(v < 10);
        count[v]++;
    }
    for (int k = 0; k < 10; k++)
        chi2 += pow(count[k] - 2000.0, 2) / 2000.0;
    assert_true(chi2 < critical("chi2", 9));
    assert_int_equal(rng_below(5, 6, 0, 1), 0);
    /* just over half of the range: half of all draws must be refused and drawn again */
    for (uint64_t i = 0; i < 200; i++)
        assert_true(rng_below(5, 6, i, (UINT64_C(1) << 63) + 1) <= UINT64_C(1) << 63);
}

/* All 24 orders of four things are equally likely. */
static void shuffle_is_fair(void **state)
{
    unsigned count[256] = {0}, kinds = 0;
    double chi2 = 0;
    uint32_t p[4], big[1000];
    char seen[1000] = {0};
    (void)state;

    for (uint64_t s = 0; s < 24000; s++) {
        rng_shuffle(s, 1, 4, p);
        count[p[0] | p[1] << 2 | p[2] << 4 | p[3] << 6]++;
    }
    for (int k = 0; k < 256; k++)
        if (count[k]) {
            kinds++;
            chi2 += pow(count[k] - 1000.0, 2) / 1000.0;
        }
    assert_int_equal(kinds, 24);
    assert_true(chi2 < critical("chi2", 23));
    rng_shuffle(1, 1, 1000, big);
    for (int i = 0; i < 1000; i++) {
        assert_true(big[i] < 1000 && !seen[big[i]]);
        seen[big[i]] = 1;
    }
    rng_shuffle(1, 1, 0, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(golden),
        cmocka_unit_test(pieces),
        cmocka_unit_test(distributions),
        cmocka_unit_test(moments),
        cmocka_unit_test(below_is_fair),
        cmocka_unit_test(shuffle_is_fair),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
