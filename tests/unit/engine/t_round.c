#include "bench.h"

#include "engine/eval.h"
#include "engine/round.h"

#define N 3 /* prompts */

struct asked {
    struct bench *b;
    int64_t job, last; /* the newest one */
    float prompt[N * 2 * FAKELM_HIDDEN];
    uint64_t digest[N];
    struct round r;
};

static struct asked *asked_open(struct world_opts o)
{
    struct asked *a = calloc(1, sizeof *a);

    assert_non_null(a);
    a->b = bench_open(o);
    a->job = scene_submit(&a->b->p.w, &(struct scene_job){0});
    bench_task(a->b, &(struct scene_job){0});
    for (size_t i = 0; i < sizeof a->prompt / sizeof a->prompt[0]; i++)
        a->prompt[i] = 0.1f * (float)(i % 7);
    for (size_t i = 0; i < N; i++)
        a->digest[i] = 100 + i;
    return a;
}

static void begin_with(struct asked *a, bool fresh, struct parts *batches)
{
    struct bench *b = a->b;

    a->r = (struct round){.job = a->job, .phase = REC_TRAIN, .ep = &b->ep,
        .model = &b->ep.models[0].m, .flow = &b->flow, .set = &b->task->train,
        .label_ids = b->task->verb->token, .labels = 3, .prompt = a->prompt,
        .digest = a->digest, .n = N, .rows = 2, .hidden = FAKELM_HIDDEN,
        .compose = PROV_ADD, .fresh = fresh, .wake = &b->seen, .batches = batches};
    assert_int_equal(round_start(&a->r, &b->p.w.q, &b->err), BBT_OK);
}

static void begin(struct asked *a, bool fresh)
{
    begin_with(a, fresh, NULL);
}

static void finish(struct asked *a)
{
    bench_until(a->b, &a->r.done);
    world_turn(&a->b->p.w);
}

static void asked_close(struct asked *a)
{
    bench_close(a->b);
    free(a);
}

/* Asked once, answered in any order, kept; the second time nothing is asked. */
static void test_kept(void **state)
{
    struct asked *a = asked_open((struct world_opts){0});
    size_t cells = N * 6 * 3;
    uint64_t questions = a->b->p.w.lm.asked;
    float *first;

    (void)state;
    begin(a, true);
    finish(a);
    assert_int_equal(a->r.rc, BBT_OK);
    assert_int_equal(a->r.sent_first, N * 2);
    assert_int_equal(a->b->p.w.lm.asked - questions, N * 2);
    assert_int_equal(a->r.left, 0);
    first = a->r.logit;
    a->r.logit = NULL;
    round_fini(&a->r);
    begin(a, false);
    finish(a);
    assert_int_equal(a->r.rc, BBT_OK);
    assert_int_equal(a->r.sent_first, 0);
    assert_int_equal(a->b->p.w.lm.asked - questions, N * 2);
    assert_memory_equal(a->r.logit, first, cells * sizeof *first);
    round_fini(&a->r);
    bbt_free(first);
    asked_close(a);
}

/* An answer about another prompt of the same place is not used. */
static void test_other_prompt(void **state)
{
    struct asked *a = asked_open((struct world_opts){0});
    uint64_t questions;

    (void)state;
    begin(a, true);
    finish(a);
    round_fini(&a->r);
    questions = a->b->p.w.lm.asked;
    checks_free(a->b->p.c); /* they would call it asked twice */
    a->digest[1]++;
    begin(a, false);
    finish(a);
    assert_int_equal(a->r.rc, BBT_OK);
    assert_int_equal(a->r.sent_first, 2);
    assert_int_equal(a->b->p.w.lm.asked - questions, 2);
    round_fini(&a->r);
    a->b->p.c = checks_new(&a->b->p.w, 3);
    asked_close(a);
}

/* Nor one about other words in the same place: the tokenizer has changed since. From then on
 * the ledger has the new one. */
static void test_other_rows(void **state)
{
    struct asked *a = asked_open((struct world_opts){0});
    struct task_set *set = &a->b->task->train;

    (void)state;
    assert_int_equal(set->batch[1].first, 4);
    assert_true(set->batch[0].digest && set->batch[0].digest != set->batch[1].digest);
    begin(a, true);
    finish(a);
    round_fini(&a->r);
    checks_free(a->b->p.c); /* they would call it asked twice */
    set->row[4]++;
    set->batch[1].digest = render_digest(set->batch[1].row, set->batch[1].wire.rows);
    for (size_t left = N, n = 0; n < 2; n++, left = 0) {
        begin(a, false);
        finish(a);
        assert_int_equal(a->r.rc, BBT_OK);
        assert_int_equal(a->r.sent_first, left);
        round_fini(&a->r);
    }
    a->b->p.c = checks_new(&a->b->p.w, 3);
    asked_close(a);
}

/* Some of the first job's answers as those of another job, whose ledger has no others. */
static void copy_answers(struct asked *a, int64_t from, void (*change)(struct asked *a,
    struct rec_answer *row))
{
    struct port_db *db = (struct port_db *)a->b->p.w.store;
    struct rec_answer *rows = NULL;
    struct bbt_err err = {0};
    char name[32];
    size_t n = 0;

    (void)snprintf(name, sizeof name, "after-%lld", (long long)a->last);
    a->job = a->last = scene_submit(&a->b->p.w, &(struct scene_job){.name = name});
    assert_int_equal(port_db_answers(db, from, REC_TRAIN, 0, &rows, &n, &err), BBT_OK);
    for (size_t i = 0; i < n; i++) {
        change(a, &rows[i]);
        rows[i].job = a->job;
        if (rows[i].rows)
            assert_int_equal(port_db_answer_put(db, &rows[i], &err), BBT_OK);
    }
    checks_commit(a->b->p.c, true);
    rec_answers_free(rows, n);
}

/* Candidate 1 never got rows 4 and 5. */
static void lose_some(struct asked *a, struct rec_answer *row)
{
    (void)a;
    if (row->cand == 1 && row->batch % RENDER_PLACES == 1)
        row->rows = 0;
}

/* Rows that were answered are not asked about again, however they are cut into requests. */
static void test_cut_otherwise(void **state)
{
    static const struct {
        size_t per, asked;
    } cuts[] = {{2, 1}, {4, 1}, {3, 1}, {1, 2}, {6, 1}, {5, 2}};
    struct asked *a = asked_open((struct world_opts){.batch = 6});
    float first[N * 6 * 3];
    int64_t whole = a->job;

    (void)state;
    begin(a, true);
    finish(a);
    memcpy(first, a->r.logit, sizeof first);
    round_fini(&a->r);
    for (size_t i = 0; i < 2 * sizeof cuts / sizeof cuts[0]; i++) {
        bool some = i % 2;

        a->job = whole;
        if (some)
            copy_answers(a, whole, lose_some);
        bench_build(a->b, &(struct scene_job){0}, cuts[i / 2].per);
        begin(a, false);
        finish(a);
        assert_int_equal(a->r.rc, BBT_OK);
        assert_int_equal(a->r.sent_first, some ? cuts[i / 2].asked : 0);
        assert_memory_equal(a->r.logit, first, sizeof first);
        round_fini(&a->r);
        begin(a, false); /* all of it is kept */
        finish(a);
        assert_int_equal(a->r.sent_first, 0);
        round_fini(&a->r);
    }
    asked_close(a);
}

/* Of two answers about a row the same one counts, in whatever order they come. */
static void test_row_answered_twice(void **state)
{
    struct asked *a = asked_open((struct world_opts){0});
    float low[3] = {1, 2, 3}, high[3] = {4, 5, 6};
    struct rec_answer of_one = {.cand = 1, .batch = RENDER_PLACES + 2, .rows = 1, .labels = 3,
        .logit = low}, of_nine = of_one;
    float *at;

    (void)state;
    of_nine.batch = 9 * RENDER_PLACES;
    of_nine.logit = high;
    for (int i = 0; i < 2; i++) {
        begin(a, i == 0);
        at = a->r.logit + (6 + 2) * 3;
        round_take(&a->r, 2, i ? &of_one : &of_nine);
        round_take(&a->r, 2, i ? &of_nine : &of_one);
        assert_memory_equal(at, low, sizeof low);
        finish(a);
        assert_memory_equal(at, low, sizeof low);
        round_fini(&a->r);
    }
    asked_close(a);
}

/* As version 7 of the schema knew it: batches were numbered from 0, their digest was another. */
static void make_old(struct asked *a, struct rec_answer *row)
{
    row->batch %= RENDER_PLACES;
    row->digest = a->digest[row->cand] ^ a->b->task->train.batch[row->batch].digest_7;
}

static void test_old_numbers(void **state)
{
    struct asked *a = asked_open((struct world_opts){0});

    (void)state;
    begin(a, true);
    finish(a);
    round_fini(&a->r);
    copy_answers(a, a->job, make_old);
    begin(a, false);
    finish(a);
    assert_int_equal(a->r.rc, BBT_OK);
    assert_int_equal(a->r.sent_first, 0);
    round_fini(&a->r);
    a->digest[1]++;
    bench_build(a->b, &(struct scene_job){0}, 2); /* as far as they are cut alike: nothing is */
    begin(a, false);
    finish(a);
    assert_int_equal(a->r.sent_first, N * 3);
    round_fini(&a->r);
    asked_close(a);
}

/* Stopped after every number of steps and begun again: nothing is asked twice, the numbers
 * are the same. */
static void test_dropped_anywhere(void **state)
{
    float first[N * 6 * 3];
    bool late = false;

    (void)state;
    for (unsigned k = 0; !late; k++) {
        struct asked *a = asked_open((struct world_opts){0});
        uint64_t questions = a->b->p.w.lm.asked;

        begin(a, true);
        for (unsigned i = 0; i < k && !a->r.done; i++)
            assert_true(world_step(&a->b->p.w));
        late = a->r.done;
        if (!late)
            round_drop(&a->r, false);
        finish(a);
        assert_true(a->r.rc == BBT_OK || a->r.rc == BBT_CANCELED);
        if (k == 0)
            assert_int_equal(a->b->p.w.lm.asked, questions);
        round_fini(&a->r);
        begin(a, false);
        finish(a);
        assert_int_equal(a->r.rc, BBT_OK);
        assert_int_equal(a->b->p.w.lm.asked - questions, N * 2);
        if (k == 0)
            memcpy(first, a->r.logit, sizeof first);
        assert_memory_equal(first, a->r.logit, sizeof first);
        round_fini(&a->r);
        asked_close(a);
        assert_true(k < 400);
    }
}

/* One refusal ends the round; what was on the wire is still taken and kept. */
static void test_refused(void **state)
{
    static const enum world_net fates[] = {NET_GOOD, NET_401};
    struct asked *a = asked_open((struct world_opts){0});
    uint64_t questions = a->b->p.w.lm.asked;

    (void)state;
    a->b->p.w.script = fates;
    a->b->p.w.script_n = 2;
    begin(a, true);
    finish(a);
    assert_int_equal(a->r.rc, BBT_DENIED);
    assert_string_equal(a->r.reason, "auth");
    assert_non_null(strstr(a->r.err.msg, "401"));
    assert_in_range(a->r.left, 1, N * 2 - 1);
    round_fini(&a->r);
    endpoint_resume(&a->b->ep); /* the credential was changed */
    begin(a, false);
    finish(a);
    assert_int_equal(a->r.rc, BBT_OK);
    assert_int_equal(a->b->p.w.lm.asked - questions, N * 2);
    round_fini(&a->r);
    asked_close(a);
}

/* What a crash left marked is asked again and says so. */
static void test_repeated(void **state)
{
    struct asked *a = asked_open((struct world_opts){0});
    const struct rec_mark m = {a->job, REC_TRAIN, 0, 2,
        a->b->task->train.batch[1].number, 3};
    struct bbt_err err = {0};
    struct rec_answer *rows = NULL;
    size_t n = 0;

    (void)state;
    assert_int_equal(
        port_db_mark_put((struct port_db *)a->b->p.w.store, &m, &err), BBT_OK);
    checks_commit(a->b->p.c, true);
    begin(a, false);
    finish(a);
    assert_int_equal(a->r.rc, BBT_OK);
    round_fini(&a->r);
    assert_int_equal(port_db_answers((struct port_db *)a->b->p.w.store, a->job, REC_TRAIN, 0,
                         &rows, &n, &err), BBT_OK);
    assert_int_equal(n, N * 2);
    for (size_t i = 0; i < n; i++) {
        const struct task_batch *b = &a->b->task->train.batch[rows[i].batch % RENDER_PLACES];

        assert_int_equal(rows[i].batch, b->number);
        assert_int_equal(
            rows[i].repeated, rows[i].cand == 2 && b->number == m.batch ? 3 : 0);
        assert_true(rows[i].digest == (a->digest[rows[i].cand] ^ b->digest));
    }
    rec_answers_free(rows, n);
    asked_close(a);
}

/* Without a job nothing is kept. */
static void test_not_kept(void **state)
{
    struct asked *a = asked_open((struct world_opts){.json = true});
    struct rec_answer *rows = NULL;
    struct bbt_err err = {0};
    size_t n = 1;

    (void)state;
    a->job = 0;
    begin(a, true);
    finish(a);
    assert_int_equal(a->r.rc, BBT_OK);
    round_fini(&a->r);
    assert_int_equal(port_db_answers((struct port_db *)a->b->p.w.store, 1, REC_TRAIN, 0,
                         &rows, &n, &err), BBT_OK);
    assert_int_equal(n, 0);
    asked_close(a);
}

/* Examples are encoded once for all rounds, prompts once per round; nothing of a prompt stays
 * when its last answer is in. Whatever fails on the way is asked again from the same parts. */
static void test_encoded_once(void **state)
{
    static const enum world_net fates[] = {
        NET_GOOD, NET_RESET, NET_500, NET_429, NET_HTML, NET_HALF, NET_GOOD, NET_LOST};
    struct asked *a = asked_open((struct world_opts){0});
    struct parts batches = {0};

    (void)state;
    assert_int_equal(parts_init(&batches, 2, NULL), BBT_OK);
    a->b->p.w.script = fates;
    a->b->p.w.script_n = sizeof fates / sizeof fates[0];
    checks_free(a->b->p.c); /* they would call the later rounds asked twice */
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < N; i++)
            a->digest[i] = (uint64_t)round * N + i;
        begin_with(a, false, &batches);
        finish(a);
        assert_int_equal(a->r.rc, BBT_OK);
        assert_int_equal(batches.made, 2);
        assert_true(batches.bytes > 0);
        assert_int_equal(a->r.prompts.made, N);
        assert_int_equal(a->r.prompts.bytes, 0);
        round_fini(&a->r);
    }
    parts_fini(&batches);
    a->b->p.c = checks_new(&a->b->p.w, 3);
    asked_close(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_other_prompt),
        cmocka_unit_test(test_other_rows),
        cmocka_unit_test(test_cut_otherwise),
        cmocka_unit_test(test_row_answered_twice),
        cmocka_unit_test(test_old_numbers),
        cmocka_unit_test(test_dropped_anywhere),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_repeated),
        cmocka_unit_test(test_not_kept),
        cmocka_unit_test(test_encoded_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
