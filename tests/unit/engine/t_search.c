#include "place.h"

#include "base/digest.h"
#include "engine/search.h"
#include "engine/tune_gen.h"

#define DIM 8
#define POP 6
#define GENS (2 * TUNE_SNAPSHOT_EVERY + 7)

static struct job_spec spec_of(void)
{
    return (struct job_spec){.intrinsic_dim = DIM, .popsize = POP, .sigma = 1, .seed = 5,
        .projection_seed = 6, .projection = JOB_PROJ_NORMAL, .alpha = 1, .scale = NAN};
}

static struct search_setup setup_of(float *p0)
{
    for (size_t i = 0; i < 12; i++)
        p0[i] = 0.25f * (float)i;
    return (struct search_setup){
        .rows = 3, .hidden = 4, .embed_mean = 0.1, .embed_std = 0.5, .p0 = p0,
        .like = {2, 4, {0.5, -3}}};
}

/* A bowl with its centre at (1, 1, ...). */
static void bowl(const double *cand, double *loss)
{
    for (size_t i = 0; i < POP; i++) {
        loss[i] = 0;
        for (size_t k = 0; k < DIM; k++)
            loss[i] += (double)(k + 1) * (cand[i * DIM + k] - 1) * (cand[i * DIM + k] - 1);
    }
}

/* What the store keeps of a run: every generation, the snapshots. */
struct diary {
    struct rec_gen gen[GENS];
    struct bbt_buf snapshot[GENS];
    uint64_t digest[GENS];
};

static void advance(struct search *s, struct rec_gen *open)
{
    struct bbt_err err;

    open->loss = bbt_alloc_array(POP, sizeof(double));
    assert_non_null(open->loss);
    bowl(open->cand, open->loss);
    assert_int_equal(cma_tell(s->cma, open->loss, &err), BBT_OK);
    assert_int_equal(search_trace(s, open, &err), BBT_OK);
}

static struct diary *write_diary(struct search *s)
{
    struct diary *d = calloc(1, sizeof *d);
    struct bbt_err err;

    assert_non_null(d);
    for (size_t g = 0; g < GENS; g++) {
        buf_init(&d->snapshot[g], SIZE_MAX);
        if (g % TUNE_SNAPSHOT_EVERY == 0)
            assert_int_equal(search_snapshot(s, &d->snapshot[g], &err), BBT_OK);
        assert_int_equal(search_open(s, 1, &d->gen[g], &err), BBT_OK);
        assert_int_equal(d->gen[g].gen, g);
        d->digest[g] = d->gen[g].digest;
        advance(s, &d->gen[g]);
    }
    return d;
}

static void burn_diary(struct diary *d)
{
    for (size_t g = 0; g < GENS; g++) {
        buf_fini(&d->snapshot[g]);
        rec_gen_fini(&d->gen[g]);
    }
    free(d);
}

/* What the store gives back when generation `at` is open: the rows since the snapshot. Those
 * of an older version have no traces; an update in between leaves a mixture. */
static struct rec_resume page(struct diary *d, size_t at, struct rec_gen *rows)
{
    size_t snap = at - at % TUNE_SNAPSHOT_EVERY;
    struct rec_resume r = {.snapshot = d->snapshot[snap].data,
        .snapshot_len = d->snapshot[snap].len, .snapshot_gen = snap, .gens = rows,
        .gens_nr = at - snap + 1};

    memcpy(rows, d->gen + snap, r.gens_nr * sizeof *rows);
    rows[r.gens_nr - 1].loss = NULL;
    for (size_t i = 0; i < r.gens_nr; i++)
        if (i + 1 == r.gens_nr || at % 3 == 1 || (at % 3 == 2 && i < r.gens_nr / 2))
            rows[i].trace = NULL;
    return r;
}

static void test_resume_is_the_same_run(void **state)
{
    struct rec_gen rows[TUNE_SNAPSHOT_EVERY + 1], open;
    struct job_spec spec = spec_of();
    struct search *s = NULL;
    float p0[12];
    struct search_setup setup = setup_of(p0);
    struct bbt_err err;
    struct diary *d;

    (void)state;
    assert_int_equal(search_new(&spec, &setup, NULL, &s, &err), BBT_OK);
    d = write_diary(s);
    search_free(s);
    for (size_t at = 0; at < GENS - 1; at++) {
        struct rec_resume r = page(d, at, rows);

        assert_int_equal(search_new(&spec, &setup, &r, &s, &err), BBT_OK);
        assert_false(s->drifted);
        for (size_t g = at; g < GENS && g < at + 3; g++) {
            assert_int_equal(search_open(s, 1, &open, &err), BBT_OK);
            assert_true(open.digest == d->digest[g] && open.gen == g);
            assert_memory_equal(open.cand, d->gen[g].cand, POP * DIM * sizeof(double));
            advance(s, &open);
            rec_gen_fini(&open);
        }
        search_free(s);
    }
    burn_diary(d);
}

/* Where every generation has its trace, nothing on the way is decomposed: what stands at
 * the end is as the traces say, and any difference is seen there. */
static void test_traces_win(void **state)
{
    struct rec_gen rows[TUNE_SNAPSHOT_EVERY + 1];
    struct job_spec spec = spec_of();
    struct search *s = NULL;
    float p0[12];
    struct search_setup setup = setup_of(p0);
    struct rec_resume r;
    struct bbt_err err;
    struct diary *d;
    double sigma, other;

    (void)state;
    assert_int_equal(search_new(&spec, &setup, NULL, &s, &err), BBT_OK);
    d = write_diary(s);
    search_free(s);
    r = page(d, 9, rows);
    assert_non_null(rows[8].trace);
    memcpy(&sigma, rows[8].trace, sizeof sigma);
    other = nextafter(sigma, 1);
    memcpy(rows[8].trace, &other, sizeof other); /* as another libm would have it */
    assert_int_equal(search_new(&spec, &setup, &r, &s, &err), BBT_OK);
    assert_true(s->drifted && cma_sigma(s->cma) == other);
    search_free(s);
    memcpy(rows[8].trace, &sigma, sizeof sigma);
    rows[4].digest ^= 1; /* between two traces there is no state to compare */
    assert_int_equal(search_new(&spec, &setup, &r, &s, &err), BBT_OK);
    assert_true(!s->drifted && cma_sigma(s->cma) == sigma);
    search_free(s);
    rows[4].trace_len--;
    assert_int_equal(search_new(&spec, &setup, &r, &s, &err), BBT_CORRUPT);
    burn_diary(d);
}

/* Stored candidates win over drawn ones, and the difference is seen. */
static void test_drift(void **state)
{
    struct rec_gen rows[TUNE_SNAPSHOT_EVERY + 1], open;
    struct job_spec spec = spec_of();
    struct search *s = NULL;
    float p0[12];
    struct search_setup setup = setup_of(p0);
    double other[POP * DIM];
    struct rec_resume r;
    struct bbt_err err;
    struct diary *d;

    (void)state;
    assert_int_equal(search_new(&spec, &setup, NULL, &s, &err), BBT_OK);
    d = write_diary(s);
    search_free(s);
    r = page(d, 7, rows);
    for (size_t i = 0; i < POP * DIM; i++)
        other[i] = rows[7].cand[i] + 1e-15 + 1e-9 * (double)i;
    rows[7].cand = other;
    rows[7].digest ^= 1;
    assert_int_equal(search_new(&spec, &setup, &r, &s, &err), BBT_OK);
    assert_true(s->drifted);
    assert_int_equal(search_open(s, 1, &open, &err), BBT_OK);
    assert_memory_equal(open.cand, other, sizeof other);
    bbt_free(open.cand);
    search_free(s);
    r = page(d, 7, rows); /* a row is missing: that is damage, not drift */
    memmove(rows + 2, rows + 3, 5 * sizeof *rows);
    r.gens_nr--;
    assert_int_equal(search_new(&spec, &setup, &r, &s, &err), BBT_CORRUPT);
    r = page(d, 7, rows);
    spec.popsize = POP + 1;
    assert_int_equal(search_new(&spec, &setup, &r, &s, &err), BBT_CORRUPT);
    burn_diary(d);
}

/* p = p0 + A z: zero gives p0, and the map is linear. */
static void test_prompts(void **state)
{
    struct job_spec spec = spec_of();
    double z[4 * DIM] = {0};
    uint64_t digest[4];
    struct search *s = NULL;
    float p0[12], *p = NULL;
    struct search_setup setup = setup_of(p0);
    struct bbt_err err;

    (void)state;
    for (size_t k = 0; k < DIM; k++) {
        z[1 * DIM + k] = (double)k;
        z[2 * DIM + k] = 1;
        z[3 * DIM + k] = (double)k + 1;
    }
    assert_int_equal(search_new(&spec, &setup, NULL, &s, &err), BBT_OK);
    assert_int_equal(search_prompts(s, z, 4, &p, digest, &err), BBT_OK);
    assert_memory_equal(p, p0, sizeof p0);
    for (size_t i = 0; i < 12; i++)
        assert_true(fabsf(p[12 + i] + p[24 + i] - p[36 + i] - p0[i]) < 1e-4f);
    for (size_t i = 0; i < 4; i++)
        assert_true(digest[i] == digest_short(z + i * DIM, DIM * sizeof *z));
    bbt_free(p);
    search_free(s);
}

static void test_setup_bytes(void **state)
{
    struct search_setup back = {0};
    float p0[12];
    struct search_setup s = setup_of(p0);
    struct bbt_buf b;
    struct bbt_err err;

    (void)state;
    buf_init(&b, 1u << 16);
    assert_int_equal(search_setup_save(&s, &b, &err), BBT_OK);
    assert_int_equal(search_setup_load(b.data, b.len, &back, &err), BBT_OK);
    assert_int_equal(back.rows, 3);
    assert_int_equal(back.hidden, 4);
    assert_true(back.embed_mean == s.embed_mean && back.embed_std == s.embed_std);
    assert_memory_equal(back.p0, p0, sizeof p0);
    assert_memory_equal(&back.like, &s.like, sizeof s.like);
    search_setup_fini(&back);
    for (size_t i = 0; i < b.len; i++) { /* any byte wrong, any byte missing */
        b.data[i] ^= 0x10;
        assert_int_equal(search_setup_load(b.data, b.len, &back, &err), BBT_CORRUPT);
        b.data[i] ^= 0x10;
        assert_int_equal(search_setup_load(b.data, i, &back, &err), BBT_CORRUPT);
    }
    assert_null(back.p0);
    buf_fini(&b);
    s.p0 = NULL; /* without a starting prompt, without a measured scale */
    s.embed_std = NAN;
    assert_int_equal(search_setup_save(&s, &b, &err), BBT_OK);
    assert_int_equal(search_setup_load(b.data, b.len, &back, &err), BBT_OK);
    assert_null(back.p0);
    assert_true(isnan(back.embed_std));
    buf_fini(&b);
    s.lex = (uint8_t *)(uintptr_t) "tokens"; /* lent here */
    s.lex_len = 6;
    assert_int_equal(search_setup_save(&s, &b, &err), BBT_OK);
    assert_int_equal(search_setup_load(b.data, b.len, &back, &err), BBT_OK);
    assert_int_equal(back.lex_len, 6);
    assert_memory_equal(back.lex, "tokens", 6);
    search_setup_fini(&back);
    buf_fini(&b);
}

/* What earlier versions wrote: the first no tokens behind the prompt, neither of the two what the
 * model answered to trial prompts. */
static void old_setup(uint32_t number)
{
    static const float p0[2] = {0.5f, -1};
    static const uint64_t no_tokens = 0;
    const uint32_t version[2] = {number, 1};
    static const uint64_t shape[2] = {1, 2};
    static const double moments[2] = {0.25, 2};
    struct search_setup back = {0};
    struct bbt_err err = {0};
    struct bbt_buf b;
    uint64_t d;

    buf_init(&b, 1000);
    assert_int_equal(buf_puts(&b, "BBTSETUP"), BBT_OK);
    assert_int_equal(buf_put(&b, version, sizeof version), BBT_OK);
    assert_int_equal(buf_put(&b, shape, sizeof shape), BBT_OK);
    assert_int_equal(buf_put(&b, moments, sizeof moments), BBT_OK);
    assert_int_equal(buf_put(&b, p0, sizeof p0), BBT_OK);
    if (number > 1)
        assert_int_equal(buf_put(&b, &no_tokens, sizeof no_tokens), BBT_OK);
    d = digest_short(b.data, b.len);
    assert_int_equal(buf_put(&b, &d, sizeof d), BBT_OK);
    if (search_setup_load(b.data, b.len, &back, &err) != BBT_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(back.hidden, 2);
    assert_memory_equal(back.p0, p0, sizeof p0);
    assert_null(back.lex);
    assert_int_equal(back.like.answers, 0);
    search_setup_fini(&back);
    buf_fini(&b);
}

static void test_old_setups(void **state)
{
    (void)state;
    old_setup(1);
    old_setup(2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resume_is_the_same_run),
        cmocka_unit_test(test_traces_win),
        cmocka_unit_test(test_drift),
        cmocka_unit_test(test_prompts),
        cmocka_unit_test(test_setup_bytes),
        cmocka_unit_test(test_old_setups),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
