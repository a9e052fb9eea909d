#include "lmtest.h"

#include "fused.h"

#include <math.h>

/* The reference is the formula in double precision, for every variant that runs here and for
 * widths around every register's. */
static const struct fused *variants[3];
static size_t variants_nr;

static int find_variants(void **state)
{
    static const char *const names[] = {"plain", "avx2", "avx512"};
    (void)state;

    for (size_t i = 0; i < 3; i++) {
        const struct fused *f = fused_find(names[i]);

        if (f) {
            assert_string_equal(f->name, names[i]);
            variants[variants_nr++] = f;
        }
    }
    return variants_nr ? 0 : -1;
}

/* Deterministic numbers of about the size that activations have. */
static float value(size_t i)
{
    return (float)((i * 2654435761u) % 20011) / 2001.1f - 5.0f;
}

static void near(double got, double want, double tol, const char *what, size_t at)
{
    if (!(fabs(got - want) <= tol))
        fail_msg("%s[%zu]: got %.9g, want %.9g", what, at, got, want);
}

static void gelu(void **state)
{
    enum { N = 40001 };
    static float x[N], b[N];
    (void)state;

    for (size_t v = 0; v < variants_nr; v++) {
        for (size_t i = 0; i < N; i++) {
            x[i] = -10.0f + (float)i * 5e-4f;
            b[i] = i % 3 ? 0.0f : 0.125f;
        }
        variants[v]->gelu(x, 1, N, b);
        for (size_t i = 0; i < N; i++) {
            double a = (double)(-10.0f + (float)i * 5e-4f) + (double)b[i];

            near((double)x[i], 0.5 * a * (1 + erf(a / sqrt(2))), 1e-6, "gelu", i);
        }
    }
}

static void gelu_far_out(void **state)
{
    const float zero[4] = {0};
    (void)state;

    for (size_t v = 0; v < variants_nr; v++) {
        float x[4] = {100.0f, -100.0f, 3e38f, -3e38f};

        variants[v]->gelu(x, 1, 4, zero);
        assert_true(x[0] == 100.0f && fabsf(x[1]) < 1e-30f && x[2] == 3e38f);
        assert_true(fabsf(x[3]) <= 1.0f); /* a tail times a huge number stays small */
    }
}

static void softmax(void **state)
{
    static float x[3 * 50];
    (void)state;

    for (size_t v = 0; v < variants_nr; v++)
        for (size_t cols = 1; cols <= 40; cols++) {
            const size_t stride = cols + 3;

            for (size_t i = 0; i < 3 * stride; i++)
                x[i] = value(i * 7 + cols);
            variants[v]->softmax(x, 3, cols, stride, 0.35f);
            for (size_t r = 0; r < 3; r++) {
                double sum = 0, max = -1e300;

                for (size_t c = 0; c < cols; c++)
                    max = fmax(max, (double)value((r * stride + c) * 7 + cols));
                for (size_t c = 0; c < cols; c++)
                    sum += exp(
                        0.35 * ((double)value((r * stride + c) * 7 + cols) - max));
                for (size_t c = 0; c < cols; c++)
                    near((double)x[r * stride + c],
                        exp(0.35 * ((double)value((r * stride + c) * 7 + cols) - max)) / sum,
                        3e-7, "softmax", c);
                for (size_t c = cols; c < stride; c++) /* what lies between rows is not ours */
                    assert_true(x[r * stride + c] == value((r * stride + c) * 7 + cols));
            }
        }
}

static void softmax_of_extremes(void **state)
{
    (void)state;
    for (size_t v = 0; v < variants_nr; v++) {
        float x[3] = {-3e30f, 5.0f, -3e30f};

        variants[v]->softmax(x, 1, 3, 3, 1.0f);
        assert_true(x[0] < 1e-30f && fabsf(x[1] - 1.0f) < 1e-6f && x[2] < 1e-30f);
    }
}

/* One row of x = LayerNorm(x + y + bias): mean and variance of the sum, by the definition. */
static void check_norm(const struct fused *f, size_t cols, int with)
{
    float x[45], y[45], bias[45], gain[45], shift[45];
    const float *const gs[2] = {gain, shift};
    double mean = 0, var = 0;

    for (size_t i = 0; i < cols; i++) {
        x[i] = value(i);
        y[i] = with ? value(i + 1000) : 0;
        bias[i] = with ? value(i + 2000) : 0;
        gain[i] = value(i + 3000);
        shift[i] = value(i + 4000);
        mean += (double)x[i] + (double)y[i] + (double)bias[i];
    }
    mean /= (double)cols;
    for (size_t i = 0; i < cols; i++)
        var += pow((double)x[i] + (double)y[i] + (double)bias[i] - mean, 2);
    var /= (double)cols;
    f->norm(x, with ? y : NULL, with ? bias : NULL, 1, cols, gs, 1e-5f);
    for (size_t i = 0; i < cols; i++) {
        double sum = (double)value(i) + (double)y[i] + (double)bias[i];

        near((double)x[i],
            (sum - mean) / sqrt(var + 1e-5) * (double)gain[i] + (double)shift[i], 3e-5,
            "norm", i);
    }
}

static void norm(void **state)
{
    (void)state;
    for (size_t v = 0; v < variants_nr; v++)
        for (size_t cols = 1; cols <= 45; cols++) {
            check_norm(variants[v], cols, 0);
            check_norm(variants[v], cols, 1);
        }
}

static void dot_and_bias(void **state)
{
    float a[40], b[40], m[3 * 41];
    (void)state;

    for (size_t v = 0; v < variants_nr; v++)
        for (size_t n = 0; n <= 40; n++) {
            double want = 0;

            for (size_t i = 0; i < n; i++) {
                a[i] = value(i);
                b[i] = value(i + 77);
                want += (double)a[i] * (double)b[i];
            }
            near((double)variants[v]->dot(a, b, n), want, 1e-4, "dot", n);
            for (size_t i = 0; i < 3 * (n + 1); i++)
                m[i] = (float)i;
            variants[v]->bias(m, 3, n, n + 1, b);
            for (size_t i = 0; i < 3 * (n + 1); i++)
                near((double)m[i],
                    (double)(float)i + (i % (n + 1) < n ? (double)b[i % (n + 1)] : 0), 1e-5,
                    "bias", i);
        }
}

static void the_best_is_picked(void **state)
{
    (void)state;
    assert_ptr_equal(fused_pick(), variants[variants_nr - 1]);
    assert_null(fused_find("mmx"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gelu),
        cmocka_unit_test(gelu_far_out),
        cmocka_unit_test(softmax),
        cmocka_unit_test(softmax_of_extremes),
        cmocka_unit_test(norm),
        cmocka_unit_test(dot_and_bias),
        cmocka_unit_test(the_best_is_picked),
    };

    return cmocka_run_group_tests(tests, find_variants, NULL);
}
