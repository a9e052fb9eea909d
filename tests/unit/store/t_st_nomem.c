/* Every allocation of every call fails once, and then for good: BBT_NOMEM, no trace, no
 * leak, and the store still works. SQLite's own memory comes from the same hook. */
#include "room.h"

#include "store/st_trash.h"
#include "store/st_upkeep.h"

#include <dirent.h>

struct scene {
    struct room *r;
    int64_t job;
    float logit[6];
    double cand[POP * DIM], loss[POP];
};

typedef enum bbt_rc op_fn(struct scene *c);

static struct bbt_err *err_of(struct scene *c)
{
    return &c->r->err;
}

static enum bbt_rc op_job_add(struct scene *c)
{
    const struct rec_job j = {.name = "x"};
    int64_t id;
    bool existed;

    return store_job_add(c->r->s, &j, "{}", "key", &id, &existed, err_of(c));
}

static enum bbt_rc op_job_get(struct scene *c)
{
    struct rec_job j;
    char *spec = NULL;
    enum bbt_rc rc = store_job_get(c->r->s, c->job, &j, &spec, err_of(c));

    assert_true(rc == BBT_OK || !spec);
    bbt_free(spec);
    return rc;
}

static enum bbt_rc op_job_list(struct scene *c)
{
    struct rec_job *rows = NULL;
    size_t n = 0;
    enum bbt_rc rc = store_job_list(
        c->r->s, &(struct store_filter){.states = 1}, &rows, &n, err_of(c));

    bbt_free(rows);
    return rc;
}

static enum bbt_rc op_sent_put(struct scene *c)
{
    const struct rec_sent sent = {.quota = "q", .wall_us = 5, .requests = 1, .tokens = 2};

    return store_sent_put(c->r->s, &sent, err_of(c));
}

static enum bbt_rc op_sent_list(struct scene *c)
{
    struct rec_sent *rows = NULL;
    size_t n = 0;
    enum bbt_rc rc = store_sent_list(c->r->s, 0, &rows, &n, err_of(c));

    bbt_free(rows);
    return rc;
}

static enum bbt_rc op_rest_put(struct scene *c)
{
    const struct rec_rest rest = {.name = "p", .reason = "quota", .text = "no money"};

    return store_rest_put(c->r->s, &rest, err_of(c));
}

static enum bbt_rc op_rest_list(struct scene *c)
{
    struct rec_rest *rows = NULL;
    size_t n = 0;
    enum bbt_rc rc = store_rest_list(c->r->s, &rows, &n, err_of(c));

    bbt_free(rows);
    return rc;
}

static enum bbt_rc op_job_next(struct scene *c)
{
    struct rec_job j;

    return store_job_next(c->r->s, 3, NULL, 0, &j, err_of(c));
}

static enum bbt_rc op_job_state(struct scene *c)
{
    const struct store_move m = {c->job, ~0u, REC_PAUSED, "user", "detail", 9};

    return store_job_state(c->r->s, &m, err_of(c));
}

static enum bbt_rc op_priority(struct scene *c)
{
    return store_job_priority(c->r->s, c->job, 3, 9, err_of(c));
}

static enum bbt_rc op_trash(struct scene *c)
{
    enum bbt_rc rc = store_trash_put(c->r->s, c->job, 9, err_of(c));

    if (rc == BBT_OK)
        rc = store_trash_take(c->r->s, c->job, 10, err_of(c));
    if (rc == BBT_OK)
        rc = store_trash_purge(c->r->s, c->job, err_of(c));
    return rc;
}

static enum bbt_rc op_retain(struct scene *c)
{
    const struct store_retain what = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX};
    bool more;

    return store_retain(c->r->s, &what, &more, err_of(c));
}

static enum bbt_rc op_usage(struct scene *c)
{
    return store_usage_add(
        c->r->s, c->job, &(struct rec_usage){.failures = 1}, err_of(c));
}

static enum bbt_rc op_setup(struct scene *c)
{
    void *bytes = NULL;
    size_t n;
    enum bbt_rc rc = store_setup_put(c->r->s, c->job, "bytes", 5, err_of(c));

    if (rc == BBT_OK)
        rc = store_setup_get(c->r->s, c->job, &bytes, &n, err_of(c));
    bbt_free(bytes);
    return rc;
}

static enum bbt_rc op_result(struct scene *c)
{
    char json[] = "{}";
    const struct rec_result in = {c->job, json, c->logit, 2, 3};
    const struct store_move m = {.id = c->job, .from = ~0u, .to = REC_COMPLETED};
    struct rec_result out = {0};
    enum bbt_rc rc = store_result_put(c->r->s, &in, &m, err_of(c));

    if (rc == BBT_OK)
        rc = store_result_get(c->r->s, c->job, &out, err_of(c));
    rec_result_fini(&out);
    return rc;
}

static enum bbt_rc op_ledger(struct scene *c)
{
    struct rec_answer a[2] = {
        answer_row(c->job, 0, c->logit), answer_row(c->job, 1, c->logit)};
    struct rec_answer *rows = NULL;
    size_t n = 0;
    enum bbt_rc rc = store_ledger_add(c->r->s, a, 2, NULL, err_of(c));

    if (rc == BBT_OK)
        rc = store_ledger_load(c->r->s, c->job, REC_TRAIN, 0, &rows, &n, err_of(c));
    rec_answers_free(rows, n);
    return rc;
}

static enum bbt_rc op_claim(struct scene *c)
{
    struct rec_claim m = {.job = c->job, .provider = "p", .worst = {1, 2, 3}};
    int64_t id = 0;
    enum bbt_rc rc = store_claim_put(c->r->s, &m, &id, err_of(c));

    m.id = id;
    return rc == BBT_OK ? store_claim_end(c->r->s, &m, &m.worst, err_of(c)) : rc;
}

static enum bbt_rc op_claims(struct scene *c)
{
    return store_claims_charge(c->r->s, err_of(c));
}

static enum bbt_rc op_spend(struct scene *c)
{
    struct rec_spend *rows = NULL;
    struct rec_day *days = NULL;
    struct rec_sum sum;
    size_t n = 0;
    enum bbt_rc rc = store_spend_list(c->r->s, REC_BY_TAG, 0, &rows, &n, err_of(c));

    if (rc == BBT_OK)
        rc = store_spend_days(c->r->s, &days, &n, err_of(c));
    if (rc == BBT_OK)
        rc = store_spend_job(c->r->s, c->job, &sum, err_of(c));
    bbt_free(rows);
    bbt_free(days);
    return rc;
}

static enum bbt_rc op_mark(struct scene *c)
{
    const struct rec_mark m = {.job = c->job};
    struct rec_mark *rows = NULL;
    size_t n = 0;
    enum bbt_rc rc = store_mark_put(c->r->s, &m, err_of(c));

    if (rc == BBT_OK)
        rc = store_mark_list(c->r->s, c->job, REC_TRAIN, 0, &rows, &n, err_of(c));
    bbt_free(rows);
    return rc;
}

static enum bbt_rc op_turn(struct scene *c)
{
    struct rec_gen open = open_row(1, c->cand), closed = closed_row(0, c->loss);
    struct rec_best b = {c->job, 0, 1, 0.5, 0.1, DIM, c->cand};
    const struct rec_turn t = {.job = c->job,
        .closed = &closed,
        .open = &open,
        .snapshot = "snap",
        .snapshot_len = 4,
        .snapshot_gen = 1,
        .best = &b};

    return store_turn(c->r->s, &t, err_of(c));
}

static enum bbt_rc op_resume(struct scene *c)
{
    struct rec_resume out = {0};
    enum bbt_rc rc = store_resume(c->r->s, c->job, &out, err_of(c));

    rec_resume_fini(&out);
    return rc;
}

static enum bbt_rc op_best(struct scene *c)
{
    struct rec_best b = {c->job, 0, 1, 0.5, 0.1, DIM, c->cand}, out = {0};
    enum bbt_rc rc = store_best_put(c->r->s, &b, err_of(c));

    if (rc == BBT_OK)
        rc = store_best_get(c->r->s, c->job, &out, err_of(c));
    rec_best_fini(&out);
    return rc;
}

static enum bbt_rc op_curve(struct scene *c)
{
    struct rec_gen *rows = NULL;
    size_t n = 0;
    enum bbt_rc rc = store_gen_list(c->r->s, c->job, 0, 0, &rows, &n, err_of(c));

    rec_gens_free(rows, n);
    return rc;
}

static enum bbt_rc op_event(struct scene *c)
{
    struct rec_event *rows = NULL;
    size_t n = 0;
    enum bbt_rc rc =
        store_event_add(c->r->s, &(struct rec_event){.kind = "k"}, NULL, err_of(c));

    if (rc == BBT_OK)
        rc = store_event_list(c->r->s, 0, 0, 0, &rows, &n, err_of(c));
    bbt_free(rows);
    return rc;
}

static enum bbt_rc op_blob(struct scene *c)
{
    static const char abc[] =
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    void *bytes = NULL;
    size_t n;
    enum bbt_rc rc = store_blob_put(c->r->s, abc, "abc", 3, err_of(c));

    if (rc == BBT_OK)
        rc = store_blob_get(c->r->s, abc, &bytes, &n, err_of(c));
    bbt_free(bytes);
    return rc;
}

static enum bbt_rc op_check(struct scene *c)
{
    return store_check(c->r->s, err_of(c));
}

static enum bbt_rc op_group(struct scene *c)
{
    enum bbt_rc rc = store_begin(c->r->s, err_of(c));

    if (rc != BBT_OK)
        return rc;
    rc = op_event(c);
    if (rc != BBT_OK) {
        store_rollback(c->r->s);
        return rc;
    }
    return store_commit(c->r->s, err_of(c));
}

static op_fn *const ops[] = {op_sent_put, op_sent_list, op_rest_put, op_rest_list,
    op_job_add, op_job_get, op_job_list, op_job_next,
    op_job_state, op_priority, op_trash, op_retain, op_usage, op_setup, op_result,
    op_ledger, op_claim, op_claims, op_spend, op_mark, op_turn, op_resume,
    op_best, op_curve, op_event, op_blob,
    op_check, op_group};
#define OPS (sizeof ops / sizeof ops[0])

static void scene_open(struct scene *c, struct room *r)
{
    struct rec_gen g;

    c->r = r;
    room_open(r);
    c->job = add_job(r, "job");
    g = open_row(0, c->cand);
    ok(store_turn(r->s, &(struct rec_turn){.job = c->job, .open = &g}, &r->err));
}

/* Drops the prepared statements, so that preparing can fail, too. */
static void forget(struct room *r)
{
    for (size_t i = 0; i < r->s->cached; i++)
        (void)sqlite3_finalize(r->s->cache[i].st);
    r->s->cached = 0;
    ok(db_warm(r->s, &r->err));
}

static void check_class(enum bbt_rc rc, size_t what, long k, const struct bbt_err *err)
{
    if (rc != BBT_OK && rc != BBT_NOMEM)
        print_error("call %zu, allocation %ld: %s\n", what, k, err->msg);
    assert_true(rc == BBT_OK || rc == BBT_NOMEM);
}

/* Inside a group that is rolled back: every try starts from the same rows. */
static void test_every_allocation(void **state)
{
    struct room *r = *state;
    struct scene c = {0};
    uint64_t before;
    unsigned long tries = 0;

    scene_open(&c, r);
    before = contents(r);
    for (size_t i = 0; i < 2 * OPS; i++)
        for (long k = 0;; k = next_try(k)) {
            unsigned long asked;
            enum bbt_rc rc;

            forget(r);
            ok(store_begin(r->s, &r->err));
            (void)bbt_alloc_fault(k, i >= OPS);
            rc = i % OPS == OPS - 1 ? op_event(&c) : ops[i % OPS](&c);
            asked = bbt_alloc_fault(-1, 0);
            tries++;
            /* some failures SQLite can live with; none may be called something else */
            check_class(rc, i, k, &r->err);
            if (rc == BBT_NOMEM && r->s->lost == BBT_OK)
                ok(store_usage_add(r->s, c.job, &(struct rec_usage){0}, &r->err));
            store_rollback(r->s);
            assert_int_equal(contents(r), before);
            ok(store_usage_add(r->s, c.job, &(struct rec_usage){0}, &r->err));
            if (asked <= (unsigned long)k) {
                assert_int_equal(rc, BBT_OK);
                break;
            }
        }
    assert_true(tries > 2 * 2 * OPS); /* there was something to refuse */
}

/* Outside a group: a call that failed has changed nothing, one that did not,
 * everything. */
static void test_alone(void **state)
{
    struct room *r = *state;
    struct scene c = {0};

    scene_open(&c, r);
    for (size_t i = 0; i < 2; i++)
        for (long k = 0;; k = next_try(k)) {
            uint64_t before;
            uint64_t failures = job_of(r, c.job).usage.failures;
            unsigned long asked;
            enum bbt_rc rc;

            forget(r);
            before = contents(r);
            (void)bbt_alloc_fault(k, i == 1);
            rc = op_usage(&c);
            asked = bbt_alloc_fault(-1, 0);
            check_class(rc, i, k, &r->err);
            if (rc == BBT_NOMEM)
                assert_int_equal(contents(r), before);
            else
                assert_int_equal(job_of(r, c.job).usage.failures, failures + 1);
            if (asked <= (unsigned long)k)
                break;
        }
}

static void test_commit(void **state)
{
    struct room *r = *state;
    struct scene c = {0};

    scene_open(&c, r);
    for (size_t i = 0; i < 2; i++)
        for (long k = 0;; k = next_try(k)) {
            unsigned long asked;
            uint64_t before;
            enum bbt_rc rc;

            forget(r);
            before = contents(r);
            (void)bbt_alloc_fault(k, i == 1);
            rc = op_group(&c);
            asked = bbt_alloc_fault(-1, 0);
            check_class(rc, i, k, &r->err);
            assert_true((rc == BBT_OK) == (contents(r) != before));
            if (asked <= (unsigned long)k)
                break;
        }
}

static unsigned open_files(void)
{
    DIR *d = opendir("/proc/self/fd");
    unsigned n = 0;

    while (readdir(d))
        n++;
    (void)closedir(d);
    return n;
}

static void test_open(void **state)
{
    struct room *r = *state;
    unsigned files = open_files();

    for (int i = 0; i < 4; i++)
        for (long k = 0;;
             k = next_try(k + k / 32)) { /* a sample: each try makes a file */
            unsigned long asked;
            enum bbt_rc rc;

            /* a new directory, with its migrations, and an old one */
            (void)snprintf(
                r->dir, sizeof r->dir, "%s/%d-%ld", r->base, i, i % 2 ? k : 0);
            (void)bbt_alloc_fault(k, i >= 2);
            rc = store_open(r->dir, STORE_NETWORK_OK, &r->s, &r->err);
            asked = bbt_alloc_fault(-1, 0);
            check_class(rc, (size_t)i, k, &r->err);
            room_close(r);
            assert_int_equal(open_files(), files);
            room_open(r); /* nothing half-made is in the way */
            ok(store_check(r->s, &r->err));
            room_close(r);
            if (asked <= (unsigned long)k)
                break;
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_every_allocation, room_setup, room_teardown),
        cmocka_unit_test_setup_teardown(test_alone, room_setup, room_teardown),
        cmocka_unit_test_setup_teardown(test_commit, room_setup, room_teardown),
        cmocka_unit_test_setup_teardown(test_open, room_setup, room_teardown),
    };

    if (store_use_alloc(NULL) != BBT_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
