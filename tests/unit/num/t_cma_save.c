#include "cmatest.h"

#include "base/alloc.h"
#include "base/digest.h"
#include "num/blas.h"
#include "num/cma_state.h"

/* Image of `c`; the caller frees ->data by buf_fini(). */
static struct bbt_buf save(const struct cma *c)
{
    struct bbt_buf b;

    buf_init(&b, 64u << 20);
    assert_int_equal(cma_save(c, &b, NULL), BBT_OK);
    return b;
}

static struct cma *load(const struct bbt_buf *b)
{
    struct cma *c = NULL;

    assert_int_equal(cma_load(b->data, b->len, &c, NULL), BBT_OK);
    return c;
}

/* Replaces *c by what its image gives; the image itself comes out the same again. */
static void reload(struct cma **c)
{
    struct bbt_buf a = save(*c), b;
    uint64_t digest = cma_digest(*c);
    struct cma *d = load(&a);

    assert_true(cma_digest(d) == digest);
    b = save(d);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);
    cma_free(*c);
    *c = d;
    buf_fini(&a);
    buf_fini(&b);
}

/* A run that is saved and loaded at every point (and between ask and tell) is, to the
 * bit, the run that never was. */
static void same_run(
    size_t dim, enum cma_kind kind, enum cma_step step, int generations)
{
    struct cma_opts o;
    struct cma *a, *b;

    cma_opts_init(&o, dim);
    o.kind = kind;
    o.step = step;
    o.seed = 9;
    a = test_cma(&o, 1);
    b = test_cma(&o, 1);
    for (int g = 0; g < generations; g++) {
        size_t bytes = cma_popsize(a) * dim * sizeof(double);

        assert_memory_equal(cma_ask(a), cma_ask(b), bytes);
        if (g % 3 == 1)
            reload(&b);
        assert_true(test_step(a, test_ellipsoid) == test_step(b, test_ellipsoid));
        reload(&b);
        test_same_mean(a, b);
        assert_true(cma_digest(a) == cma_digest(b));
    }
    cma_free(a);
    cma_free(b);
}

static void continues(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        same_run(7, i & 1 ? CMA_SEPARABLE : CMA_FULL,
            i & 2 ? CMA_STEP_TPA : CMA_STEP_CSA, 40);
        same_run(61, i & 1 ? CMA_SEPARABLE : CMA_FULL,
            i & 2 ? CMA_STEP_TPA : CMA_STEP_CSA, 12);
    }
    same_run(1, CMA_FULL, CMA_STEP_CSA, 20);
    same_run(150, CMA_FULL, CMA_STEP_CSA, 7); /* pending updates in the image */
}

/* Stop reasons, thresholds and bounds survive too. */
static void options(void **state)
{
    struct cma_opts o;
    struct cma *c;
    double x = 5.1, y;
    const char *why = NULL;
    (void)state;

    cma_opts_init(&o, 3);
    o.bound = 5;
    o.tol.flat = 0;
    o.tol.x = 1e-3;
    o.tol.fun = o.tol.funhist = 0;
    c = test_cma(&o, 1);
    while (!cma_stop(c, NULL)) {
        (void)test_step(c, test_sphere);
        reload(&c);
    }
    assert_true(cma_stop(c, &why));
    assert_string_equal(why, "tolx");
    cma_free(c);
    o.dim = 1;
    c = test_cma(&o, 0);
    reload(&c);
    cma_point(c, &x, 1, &y);
    assert_true(fabs(y - 4.9775) < 1e-12);
    cma_free(c);
}

static struct cma *some(void)
{
    struct cma_opts o;
    struct cma *c;

    cma_opts_init(&o, 5);
    c = test_cma(&o, 1);
    for (int g = 0; g < 5; g++)
        (void)test_step(c, test_ellipsoid);
    return c;
}

/* Every byte counts, and every length. */
static void corrupt(void **state)
{
    struct cma *c = some(), *d = NULL;
    struct bbt_buf b = save(c);
    struct bbt_err err;
    (void)state;

    for (size_t i = 0; i < b.len; i++) {
        b.data[i] ^= 0x10;
        assert_int_equal(cma_load(b.data, b.len, &d, &err), BBT_CORRUPT);
        b.data[i] ^= 0x10;
    }
    for (size_t len = 0; len < b.len; len++)
        assert_int_equal(cma_load(b.data, len, &d, &err), BBT_CORRUPT);
    assert_null(d);
    d = load(&b);
    cma_free(d);
    buf_fini(&b);
    cma_free(c);
}

/* Images with a good digest over bad words: each 8-byte word in turn becomes garbage.
 * Either refused as corrupt, or an optimiser that works and stops short of no bound. */
static void malicious(void **state)
{
    static const uint64_t bad[] = {0, 1, 7, 0xffffffff, UINT64_MAX, (uint64_t)1 << 63,
        0x7ff0000000000000, 0x7ff8000000000000, 0x3ff0000000000000, 0xfff0000000000001};
    struct cma *c = some();
    struct bbt_buf b = save(c);
    static const double loss[8] = {8, 7, 6, 5, 4, 3, 2, 1};
    unsigned refused = 0, taken = 0;
    (void)state;

    for (size_t at = 0; at + 8 <= b.len - DIGEST_LEN; at += 8) {
        for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
            struct cma *d = NULL;
            uint64_t old;
            enum bbt_rc rc;

            memcpy(&old, b.data + at, 8);
            memcpy(b.data + at, &bad[k], 8);
            assert_int_equal(
                digest_sha256(b.data, b.len - DIGEST_LEN, b.data + b.len - DIGEST_LEN),
                BBT_OK);
            rc = cma_load(b.data, b.len, &d, NULL);
            assert_true(rc == BBT_CORRUPT || rc == BBT_OK);
            if (rc == BBT_OK) {
                for (int g = 0; g < 3; g++)
                    assert_int_equal(cma_tell(d, loss, NULL), BBT_OK);
                (void)cma_stop(d, NULL);
                taken++;
            } else {
                refused++;
            }
            cma_free(d);
            memcpy(b.data + at, &old, 8);
        }
    }
    assert_true(refused > 100 && taken > 10);
    buf_fini(&b);
    cma_free(c);
}

/* As many pending updates as there is room for would overflow with the next tell. */
static void no_room_to_go_on(void **state)
{
    struct cma_opts o;
    struct cma *c, *d = NULL;
    struct bbt_buf b;
    (void)state;

    cma_opts_init(&o, 150);
    c = test_cma(&o, 1);
    (void)test_step(c, test_sphere);
    assert_true(c->now.pend_nr > 0 && c->now.pend_nr < c->pend_max);
    c->now.generation = 1000;
    c->now.pend_nr = c->pend_max;
    b = save(c);
    assert_int_equal(cma_load(b.data, b.len, &d, NULL), BBT_CORRUPT);
    buf_fini(&b);
    cma_free(c);
}

static void no_memory(void **state)
{
    struct cma *c = some(), *d = NULL;
    struct bbt_buf b = save(c), small;
    enum bbt_rc rc;
    long nth = 0;
    (void)state;

    do {
        (void)bbt_alloc_fault(nth++, 0);
        rc = cma_load(b.data, b.len, &d, NULL);
        (void)bbt_alloc_fault(-1, 0);
        assert_true(rc == BBT_OK || (rc == BBT_NOMEM && !d));
    } while (rc != BBT_OK);
    assert_true(nth >= 5);
    cma_free(d);
    buf_init(&small, 1u << 20);
    (void)bbt_alloc_fault(0, 0);
    assert_int_equal(cma_save(c, &small, NULL), BBT_NOMEM);
    (void)bbt_alloc_fault(-1, 0);
    assert_int_equal(small.len, 0);
    small.max = 100;
    assert_int_not_equal(cma_save(c, &small, NULL), BBT_OK);
    assert_int_equal(small.len, 0);
    buf_fini(&small);
    buf_fini(&b);
    cma_free(c);
}

/* The digest sees every part of the state. */
static void digest(void **state)
{
    struct cma *a = some(), *b = some();
    double loss[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    (void)state;

    assert_true(cma_digest(a) == cma_digest(b));
    (void)cma_ask(a); /* not a change of state */
    assert_true(cma_digest(a) == cma_digest(b));
    assert_int_equal(cma_tell(a, loss, NULL), BBT_OK);
    loss[7] = 7;
    assert_int_equal(cma_tell(b, loss, NULL), BBT_OK);
    assert_true(cma_digest(a) != cma_digest(b)); /* same steps, other history */
    cma_free(a);
    cma_free(b);
}

/* ---- traces ---- */

#define RUN_MAX 40

/* A run as a checkpoint keeps it: an image, then candidates, losses and traces. */
struct run {
    struct bbt_buf image, trace[RUN_MAX];
    double *cand[RUN_MAX], loss[RUN_MAX][64];
    size_t gens;
};

static void note(struct run *r, struct cma *c)
{
    size_t n = cma_dim(c), lambda = cma_popsize(c), g = r->gens++;

    r->cand[g] = test_calloc(lambda * n, sizeof(double));
    memcpy(r->cand[g], cma_ask(c), lambda * n * sizeof(double));
    for (size_t k = 0; k < lambda; k++)
        r->loss[g][k] = test_ellipsoid(r->cand[g] + k * n, n);
    assert_int_equal(cma_tell(c, r->loss[g], NULL), BBT_OK);
    buf_init(&r->trace[g], 1u << 20);
    assert_int_equal(cma_trace(c, &r->trace[g], NULL), BBT_OK);
}

static void forget(struct run *r)
{
    for (size_t g = 0; g < r->gens; g++) {
        test_free(r->cand[g]);
        buf_fini(&r->trace[g]);
    }
    buf_fini(&r->image);
}

/* Where the run stands after its generations; every `full`-th is told in full. */
static struct cma *retold(const struct run *r, size_t full)
{
    struct cma *c = NULL;

    assert_int_equal(cma_load_owing(r->image.data, r->image.len, &c, NULL), BBT_OK);
    for (size_t g = 0; g < r->gens; g++) {
        const struct bbt_buf *t = &r->trace[g];

        if (full && g % full == 0)
            assert_int_equal(cma_settle(c, NULL), BBT_OK);
        assert_int_equal(cma_put(c, r->cand[g], NULL), BBT_OK);
        assert_int_equal(full && g % full == 0
                ? cma_tell(c, r->loss[g], NULL)
                : cma_retell(c, r->loss[g], t->data, t->len, NULL),
            BBT_OK);
    }
    assert_int_equal(cma_settle(c, NULL), BBT_OK);
    return c;
}

/* From an image of any age the run is met again by its traces, to the bit. */
static void retells(size_t dim, enum cma_kind kind, enum cma_step step, size_t from)
{
    struct run r = {.gens = 0};
    struct cma_opts o;
    struct cma *a, *b;

    cma_opts_init(&o, dim);
    o.kind = kind;
    o.step = step;
    o.seed = 11;
    a = test_cma(&o, 1);
    for (size_t g = 0; g < from; g++)
        (void)test_step(a, test_ellipsoid);
    r.image = save(a);
    for (size_t g = 0; g < 17; g++) {
        const char *why = NULL, *again = NULL;

        b = retold(&r, g % 4);
        assert_true(cma_digest(a) == cma_digest(b));
        test_same_mean(a, b);
        assert_int_equal(cma_stop(a, &why), cma_stop(b, &again));
        assert_ptr_equal(why, again);
        assert_memory_equal(
            cma_ask(a), cma_ask(b), cma_popsize(a) * dim * sizeof(double));
        cma_free(b);
        note(&r, a);
    }
    forget(&r);
    cma_free(a);
}

static void by_traces(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        enum cma_kind kind = i & 1 ? CMA_SEPARABLE : CMA_FULL;
        enum cma_step step = i & 2 ? CMA_STEP_TPA : CMA_STEP_CSA;

        retells(7, kind, step, i);
        retells(61, kind, step, 3 * i);
    }
    retells(1, CMA_FULL, CMA_STEP_CSA, 2);
    retells(150, CMA_FULL, CMA_STEP_CSA, 5); /* some generations between decompositions */
}

/* The trace is what is used, and a wrong one changes nothing. */
static void bad_trace(void **state)
{
    struct run r = {.gens = 0};
    struct cma_opts o;
    struct cma *a, *b = NULL;
    struct bbt_buf *t = &r.trace[0], none;
    double v;
    (void)state;

    cma_opts_init(&o, 6);
    a = test_cma(&o, 1);
    r.image = save(a);
    note(&r, a);
    assert_int_equal(cma_load_owing(r.image.data, r.image.len, &b, NULL), BBT_OK);
    assert_int_equal(cma_put(b, r.cand[0], NULL), BBT_OK);
    for (size_t len = 0; len < t->len; len++)
        assert_int_equal(cma_retell(b, r.loss[0], t->data, len, NULL), BBT_CORRUPT);
    for (size_t at = 0; at < t->len; at += sizeof v) {
        static const double bad[] = {NAN, INFINITY, -INFINITY};

        memcpy(&v, t->data + at, sizeof v);
        for (size_t k = 0; k < 3; k++) {
            memcpy(t->data + at, &bad[k], sizeof v);
            assert_int_equal(
                cma_retell(b, r.loss[0], t->data, t->len, NULL), BBT_CORRUPT);
        }
        memcpy(t->data + at, &v, sizeof v);
    }
    v = r.loss[0][3];
    r.loss[0][3] = NAN;
    assert_int_equal(cma_retell(b, r.loss[0], t->data, t->len, NULL), BBT_INVALID);
    r.loss[0][3] = v;
    assert_int_equal(cma_retell(b, r.loss[0], t->data, t->len, NULL), BBT_OK);
    assert_int_equal(cma_settle(b, NULL), BBT_OK);
    assert_true(cma_digest(a) == cma_digest(b));
    cma_free(b);
    t->data[3] ^= 1; /* sigma's last bits */
    b = retold(&r, 0);
    assert_true(cma_digest(a) != cma_digest(b) && cma_sigma(a) != cma_sigma(b));
    cma_free(b);
    buf_init(&none, 1u << 20);
    (void)bbt_alloc_fault(0, 0);
    assert_int_equal(cma_trace(a, &none, NULL), BBT_NOMEM);
    (void)bbt_alloc_fault(-1, 0);
    assert_int_equal(none.len, 0);
    a->now.numeric = 1; /* the basis went back to its start: no trace tells of that */
    assert_int_equal(cma_trace(a, &none, NULL), BBT_OK);
    assert_int_equal(none.len, 0);
    forget(&r);
    cma_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(continues),
        cmocka_unit_test(options),
        cmocka_unit_test(corrupt),
        cmocka_unit_test(malicious),
        cmocka_unit_test(no_room_to_go_on),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(digest),
        cmocka_unit_test(by_traces),
        cmocka_unit_test(bad_trace),
    };

    blas_threads(1); /* small products: a second thread would only wait */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
