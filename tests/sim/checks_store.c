/* checks_store.c -- the model held against what is in the store. */
#include "checks_model.h"
#include "sql.h"
#include "store/st_job.h"

#include <string.h>

/* 1: the store shows the write, -1: it shows that it is not there, 0: no telling. */
static int shown(struct checks *c, const struct note *n)
{
    const struct pair *p = checks_pair_of(c, &n->key);
    const struct job *j = checks_job_of(c, n->key.job);
    struct bbt_err err = {0};
    struct rec_job row;

    switch (n->kind) {
    case NOTE_MARK:
    case NOTE_UNMARK:
        return p->mark == (n->kind == NOTE_MARK)        ? 0
            : sql_key(c->w->store, "mark", &n->key) == (n->kind == NOTE_MARK) ? 1
                                                        : -1;
    case NOTE_ANSWER:
        return sql_key(c->w->store, "answer", &n->key) ? 1 : -1;
    case NOTE_TURN:
        return sql_number(c->w->store,
                   n->closes ? "SELECT count(*) FROM gen WHERE job = ? AND loss IS NOT NULL"
                             : "SELECT count(*) FROM gen WHERE job = ?",
                   j->id) > (int64_t)n->gen
            ? 1
            : -1;
    case NOTE_STATE:
        if (j->state == n->to || store_job_get(c->w->store, j->id, &row, NULL, &err) != BBT_OK)
            return 0;
        return row.state == n->to ? 1 : -1;
    }
    return 0;
}

/* The failed commit that explains most of what the store shows, and nothing that it does not:
 * it is there, whole. */
void checks_settle_maybe(struct checks *c)
{
    unsigned best = 0, best_seen = 0;

    for (unsigned g = 0; g < c->group; g++) {
        unsigned seen = 0;
        bool whole = true;

        for (size_t i = 0; i < c->maybes; i++) {
            int sign = c->maybe[i].group == g ? shown(c, &c->maybe[i]) : 0;

            seen += sign > 0;
            whole = whole && sign >= 0;
        }
        if (whole && seen > best_seen) {
            best_seen = seen;
            best = g;
        }
    }
    for (size_t i = 0; i < c->maybes && best_seen; i++)
        if (c->maybe[i].group == best)
            checks_believe(c, &c->maybe[i]);
    checks_drop_maybe(c);
}

static void check_counters(struct checks *c, const struct job *j)
{
    static const struct {
        const char *name, *counter, *rows;
    } same[] = {
        {"requests", "SELECT requests FROM job WHERE id = ?",
            "SELECT count(*) FROM answer WHERE job = ?"},
        {"tokens_in", "SELECT tokens_in FROM job WHERE id = ?",
            "SELECT ifnull(sum(tokens_in), 0) FROM answer WHERE job = ?"},
        {"examples", "SELECT examples FROM job WHERE id = ?",
            "SELECT ifnull(sum(rows), 0) FROM answer WHERE job = ? AND phase = 0"},
        {"repeated", "SELECT repeated FROM job WHERE id = ?",
            "SELECT ifnull(sum(repeated), 0) FROM answer WHERE job = ?"},
        {"generations", "SELECT generations FROM job WHERE id = ?",
            "SELECT count(*) FROM gen WHERE job = ? AND loss IS NOT NULL"},
        {"evaluations", "SELECT evaluations FROM job WHERE id = ?",
            "SELECT ifnull(sum(popsize), 0) FROM gen WHERE job = ? AND loss IS NOT NULL"},
    };

    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        int64_t a = sql_number(c->w->store, same[i].counter, j->id),
                b = sql_number(c->w->store, same[i].rows, j->id);

        if (a != b && a >= 0 && b >= 0)
            world_fail(c->w, "counters: job %lld says %s %lld, the rows say %lld",
                (long long)j->id, same[i].name, (long long)a, (long long)b);
    }
}

static void check_job(struct checks *c, const struct job *j)
{
    struct bbt_err err = {0};
    struct rec_job row;
    int64_t answers = 0, rows, gens;

    enum bbt_rc rc = store_job_get(c->w->store, j->id, &row, NULL, &err);

    if (rc == BBT_IO)
        return; /* the disk is ill: look again later */
    if (rc != BBT_OK) {
        world_fail(c->w, "acknowledged: job %lld is not there: %s", (long long)j->id, err.msg);
        return;
    }
    if (row.state != j->state)
        world_fail(c->w, "acknowledged: job %lld is %s, it was told to be %s",
            (long long)j->id, rec_state_name(row.state), rec_state_name(j->state));
    gens = sql_number(
        c->w->store, "SELECT count(*) FROM gen WHERE job = ? AND loss IS NOT NULL", j->id);
    if (gens >= 0 && (uint64_t)gens != j->gens)
        world_fail(c->w, "acknowledged: job %lld has %lld generations, %llu were closed",
            (long long)j->id, (long long)gens, (unsigned long long)j->gens);
    for (size_t i = 0; i < PAIRS; i++)
        answers += c->pair[i].answer && (int64_t)(c->pair[i].key >> 48) == j->id;
    rows = sql_number(c->w->store, "SELECT count(*) FROM answer WHERE job = ?", j->id);
    if (answers != rows && rows >= 0)
        world_fail(c->w, "acknowledged: the ledger of job %lld has %lld answers, told were %lld",
            (long long)j->id, (long long)rows, (long long)answers);
    if (j->state == REC_COMPLETED &&
        sql_number(c->w->store, "SELECT count(*) FROM result WHERE job = ?", j->id) == 0)
        world_fail(c->w, "acknowledged: job %lld has no result", (long long)j->id);
    check_counters(c, j);
}

void checks_store(struct checks *c)
{
    for (size_t i = 0; i < c->jobs; i++)
        check_job(c, &c->job[i]);
}
