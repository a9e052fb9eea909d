/* The response cache as a round uses it: the same question is asked once, by whichever job; a
 * question that differs in anything is another one. */
#include "bench.h"

#include "engine/lookup.h"
#include "engine/round.h"
#include "store/cache.h"

#define N 3 /* prompts */

struct desk {
    struct bench *b;
    int64_t job[2];
    float prompt[N * 2 * FAKELM_HIDDEN];
    uint64_t digest[N];
    char cache_dir[160];
    struct round r;
};

static struct desk *desk_open(void)
{
    struct desk *d = calloc(1, sizeof *d);
    struct world *w;

    assert_non_null(d);
    d->b = bench_open((struct world_opts){.seed = 1});
    w = &d->b->p.w;
    (void)snprintf(d->cache_dir, sizeof d->cache_dir, "%s/cache", w->dir);
    assert_int_equal(cache_open(d->cache_dir, &w->cache, NULL, &d->b->err), BBT_OK);
    for (size_t i = 0; i < 2; i++)
        d->job[i] = scene_submit(w, &(struct scene_job){.name = i ? "second" : "first"});
    bench_task(d->b, &(struct scene_job){0});
    for (size_t i = 0; i < sizeof d->prompt / sizeof d->prompt[0]; i++)
        d->prompt[i] = 0.1f * (float)(i % 7 + i / 5);
    for (size_t i = 0; i < N; i++)
        d->digest[i] = 100 + i;
    return d;
}

static void desk_close(struct desk *d)
{
    cache_close(d->b->p.w.cache);
    d->b->p.w.cache = NULL;
    bench_close(d->b);
    free(d);
}

struct use {
    int64_t job;
    bool read, write;
    uint64_t fingerprint;
    enum prov_compose compose;
};

static void begin(struct desk *d, const struct use *u)
{
    struct bench *b = d->b;

    d->r = (struct round){.job = u->job, .phase = REC_TRAIN, .ep = &b->ep,
        .model = &b->ep.models[0].m, .flow = &b->flow, .set = &b->task->train,
        .label_ids = b->task->verb->token, .labels = 3, .prompt = d->prompt,
        .digest = d->digest, .n = N, .rows = 2, .hidden = FAKELM_HIDDEN,
        .compose = u->compose, .cache_read = u->read, .cache_write = u->write,
        .fingerprint = u->fingerprint, .fresh = true, .wake = &b->seen};
    assert_int_equal(round_start(&d->r, &b->p.w.q, &b->err), BBT_OK);
}

/* Questions that reached the provider; the answers in *ret (freed by bbt_free). */
static uint64_t asked(struct desk *d, const struct use *u, float **ret)
{
    uint64_t before = d->b->p.w.lm.asked;

    begin(d, u);
    bench_until(d->b, &d->r.done);
    world_turn(&d->b->p.w);
    assert_int_equal(d->r.rc, BBT_OK);
    assert_int_equal(d->r.left, 0);
    if (ret) {
        *ret = d->r.logit;
        d->r.logit = NULL;
    }
    round_fini(&d->r);
    return d->b->p.w.lm.asked - before;
}

static struct rec_usage usage(struct desk *d, size_t i)
{
    struct rec_job row;

    scene_job_row(&d->b->p.w, d->job[i], &row);
    return row.usage;
}

static void test_asked_once(void **state)
{
    struct desk *d = desk_open();
    struct use first = {.job = d->job[0], .read = true, .write = true, .fingerprint = 7};
    struct use second = first;
    float *one, *two;
    struct rec_answer *rows = NULL;
    struct bbt_err err;
    size_t n = 0;

    (void)state;
    second.job = d->job[1];
    assert_int_equal(asked(d, &first, &one), N * 2);
    assert_int_equal(asked(d, &second, &two), 0);
    assert_memory_equal(one, two, N * 6 * 3 * sizeof *one);
    bbt_free(one);
    bbt_free(two);
    assert_int_equal(usage(d, 0).requests, N * 2);
    assert_true(usage(d, 0).tokens_in > 0);
    assert_int_equal(usage(d, 1).requests, 0); /* nothing was asked, nothing is paid */
    assert_int_equal(usage(d, 1).tokens_in, 0);
    assert_int_equal(usage(d, 1).examples, usage(d, 0).examples);
    assert_int_equal(port_db_answers((struct port_db *)d->b->p.w.store, d->job[1], REC_TRAIN,
                         0, &rows, &n, &err), BBT_OK);
    assert_int_equal(n, N * 2); /* the ledger has them all the same */
    for (size_t i = 0; i < n; i++)
        assert_int_equal(rows[i].attempts, 0);
    rec_answers_free(rows, n);
    desk_close(d);
}

/* off, read, write: each does what it says. */
static void test_modes(void **state)
{
    struct desk *d = desk_open();
    struct use u = {.job = d->job[0], .fingerprint = 7};
    struct cache_stats st;

    (void)state;
    checks_free(d->b->p.c); /* the same place is asked several times here */
    u.read = true;
    assert_int_equal(asked(d, &u, NULL), N * 2); /* nothing there, and nothing is kept */
    assert_int_equal(cache_stats(d->b->p.w.cache, &st, &d->b->err), BBT_OK);
    assert_int_equal(st.entries, 0);
    u.read = false;
    u.write = true;
    assert_int_equal(asked(d, &u, NULL), N * 2);
    assert_int_equal(asked(d, &u, NULL), N * 2); /* kept, and not looked at */
    assert_int_equal(cache_stats(d->b->p.w.cache, &st, &d->b->err), BBT_OK);
    assert_int_equal(st.entries, N * 2);
    assert_int_equal(st.hits, 0);
    u.write = false;
    assert_int_equal(asked(d, &u, NULL), N * 2); /* off */
    u.read = true;
    assert_int_equal(asked(d, &u, NULL), 0);
    d->b->p.c = checks_new(&d->b->p.w, 3);
    desk_close(d);
}

/* Anything that could change the answer makes it another question. */
static void test_other_questions(void **state)
{
    struct desk *d = desk_open();
    struct use u = {.job = d->job[0], .read = true, .write = true, .fingerprint = 7}, other;
    struct task_set *set = &d->b->task->train;

    (void)state;
    checks_free(d->b->p.c);
    assert_int_equal(asked(d, &u, NULL), N * 2);
    other = u;
    other.fingerprint = 8; /* other weights behind the same name */
    assert_int_equal(asked(d, &other, NULL), N * 2);
    other = u;
    other.compose = PROV_PREPEND;
    assert_int_equal(asked(d, &other, NULL), N * 2);
    d->prompt[2 * FAKELM_HIDDEN] += 1e-6f; /* the second prompt, by a hair */
    assert_int_equal(asked(d, &u, NULL), 2);
    set->batch[1].ids[1] += 1; /* a token of the second batch */
    assert_int_equal(asked(d, &u, NULL), N);
    d->b->p.c = checks_new(&d->b->p.w, 3);
    desk_close(d);
}

/* Dropped at any step it ends, and everything is given back (the sanitizers look). */
static void test_dropped_anywhere(void **state)
{
    (void)state;
    for (unsigned steps = 0; steps < 60; steps += 3)
        for (int hard = 0; hard < 2; hard++) {
            struct desk *d = desk_open();
            struct use u = {.job = d->job[0], .read = true, .write = true, .fingerprint = 7};

            begin(d, &u);
            world_turn(&d->b->p.w);
            for (unsigned i = 0; i < steps && !d->r.done; i++)
                (void)world_step(&d->b->p.w);
            round_drop(&d->r, hard);
            bench_until(d->b, &d->r.done);
            assert_true(d->r.rc == BBT_OK || d->r.rc == BBT_CANCELED);
            round_fini(&d->r);
            desk_close(d);
        }
}

/* A failed request is never kept. */
static void test_failures_are_not_kept(void **state)
{
    static const enum world_net fate[] = {NET_500, NET_429, NET_NAN, NET_RESET, NET_HALF};
    struct desk *d = desk_open();
    struct use u = {.job = d->job[0], .read = true, .write = true, .fingerprint = 7};
    struct cache_stats st;

    (void)state;
    d->b->p.w.script = fate;
    d->b->p.w.script_n = sizeof fate / sizeof fate[0];
    (void)asked(d, &u, NULL);
    assert_int_equal(cache_stats(d->b->p.w.cache, &st, &d->b->err), BBT_OK);
    assert_int_equal(st.entries, N * 2);
    assert_int_equal(st.puts, N * 2);
    u.job = d->job[1];
    assert_int_equal(asked(d, &u, NULL), 0);
    desk_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asked_once),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_other_questions),
        cmocka_unit_test(test_dropped_anywhere),
        cmocka_unit_test(test_failures_are_not_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
