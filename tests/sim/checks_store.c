/* checks_store.c -- the model held against what is in the store. */
#include "checks_model.h"
#include "sql.h"
#include "store/st_job.h"

#include <stdio.h>
#include <string.h>

/* A later write of the same commit says more about this job's state or priority. */
static bool is_overtaken(const struct checks *c, const struct note *n)
{
    for (const struct note *m = n + 1; m < c->maybe + c->maybes && m->group == n->group; m++)
        if (m->key.job == n->key.job &&
            (m->kind == n->kind || (n->kind == NOTE_STATE && m->kind == NOTE_TRASH)))
            return true;
    return false;
}

static int state_shown(struct checks *c, const struct note *n)
{
    const struct job *j = checks_job_find(c, n->key.job);
    struct bbt_err err = {0};
    struct rec_job row;

    if ((j && j->state == n->to) || is_overtaken(c, n) ||
        store_job_get(c->w->store, n->key.job, &row, NULL, &err) != BBT_OK)
        return 0;
    return row.state == n->to ? 1 : -1;
}

static int trash_shown(struct checks *c, const struct note *n)
{
    const struct job *j = checks_job_find(c, n->key.job);
    struct bbt_err err = {0};
    struct rec_job row;

    if ((j && j->deleted == n->closes) || is_overtaken(c, n) ||
        store_job_get(c->w->store, n->key.job, &row, NULL, &err) != BBT_OK)
        return 0;
    return (row.state == REC_DELETED) == n->closes ? 1 : -1;
}

static int priority_shown(struct checks *c, const struct note *n)
{
    const struct job *j = checks_job_find(c, n->key.job);
    struct bbt_err err = {0};
    struct rec_job row;

    if ((j && j->priority == n->priority) || is_overtaken(c, n) ||
        store_job_get(c->w->store, n->key.job, &row, NULL, &err) != BBT_OK)
        return 0;
    return row.priority == n->priority ? 1 : -1;
}

static bool has_job(struct checks *c, const struct note *n)
{
    struct bbt_err err = {0};
    struct rec_job row;

    return store_job_get(c->w->store, n->key.job, &row, NULL, &err) == BBT_OK &&
        strcmp(row.name, n->name) == 0;
}

static bool has_event(struct checks *c, const struct note *n)
{
    char sql[160];

    (void)snprintf(sql, sizeof sql,
        "SELECT count(*) FROM event WHERE id = ? AND job = %lld AND kind = '%s'",
        (long long)n->key.job, n->reason);
    return sql_number(c->w->store, sql, n->event) > 0;
}

/* 1: the store shows the write, -1: it shows that it is not there, 0: no telling. */
static int shown(struct checks *c, const struct note *n)
{
    struct bbt_err err = {0};
    struct rec_job row;

    switch (n->kind) {
    case NOTE_MARK:
    case NOTE_UNMARK:
        return checks_pair_of(c, &n->key)->mark == (n->kind == NOTE_MARK) ? 0
            : sql_key(c->w->store, "mark", &n->key) == (n->kind == NOTE_MARK) ? 1
                                                                              : -1;
    case NOTE_ANSWER:
        return sql_key(c->w->store, "answer", &n->key) ? 1 : -1;
    case NOTE_TURN:
        return sql_number(c->w->store,
                   n->closes ? "SELECT count(*) FROM gen WHERE job = ? AND loss IS NOT NULL"
                             : "SELECT count(*) FROM gen WHERE job = ?",
                   n->key.job) > (int64_t)n->gen
            ? 1
            : -1;
    case NOTE_STATE:
        return state_shown(c, n);
    case NOTE_TRASH:
        return trash_shown(c, n);
    case NOTE_PURGE:
        return store_job_get(c->w->store, n->key.job, &row, NULL, &err) == BBT_NOTFOUND ? 1 : -1;
    case NOTE_PRIORITY:
        return priority_shown(c, n);
    case NOTE_JOB:
        return has_job(c, n) ? 1 : -1;
    case NOTE_EVENT:
        return has_event(c, n) ? 1 : -1;
    case NOTE_REST:
        return 0;
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
    static const char *const name[] = {
        "requests", "tokens_in", "examples", "repeated", "generations", "evaluations"};
    static const char sql[] =
        "SELECT requests, tokens_in, examples, repeated, generations, job.evaluations, "
        "a.paid, a.tokens, a.rows, a.repeats, g.n, g.evaluations, a.n FROM job, "
        "(SELECT count(*) AS n, ifnull(sum(attempts > 0), 0) AS paid, "
        "ifnull(sum(iif(attempts > 0, tokens_in, 0)), 0) AS tokens, "
        "ifnull(sum(iif(phase = 0, rows, 0)), 0) AS rows, ifnull(sum(repeated), 0) AS repeats "
        "FROM answer WHERE job = ?1) AS a, "
        "(SELECT count(*) AS n, ifnull(sum(popsize), 0) AS evaluations FROM gen "
        "WHERE job = ?1 AND loss IS NOT NULL) AS g WHERE id = ?1";
    int64_t v[13];

    if (!sql_row(c->w->store, sql, j->id, v, 13))
        return;
    for (size_t i = 0; i < 6; i++)
        if (v[i] != v[6 + i])
            world_fail(c->w, "counters: job %lld says %s %lld, the rows say %lld",
                (long long)j->id, name[i], (long long)v[i], (long long)v[6 + i]);
    if ((uint64_t)v[10] != j->gens)
        world_fail(c->w, "acknowledged: job %lld has %lld generations, %llu were closed",
            (long long)j->id, (long long)v[10], (unsigned long long)j->gens);
    if ((uint64_t)v[12] != j->answered)
        world_fail(c->w, "acknowledged: the ledger of job %lld has %lld answers, told were %llu",
            (long long)j->id, (long long)v[12], (unsigned long long)j->answered);
}

static void check_job(struct checks *c, const struct job *j)
{
    struct bbt_err err = {0};
    struct rec_job row;
    enum bbt_rc rc = store_job_get(c->w->store, j->id, &row, NULL, &err);

    if (rc == BBT_IO || (rc == BBT_NOTFOUND && j->gone))
        return; /* the disk is ill: look again later */
    if (j->gone) {
        world_fail(c->w, "acknowledged: job %lld was purged and is there", (long long)j->id);
        return;
    }
    if (rc != BBT_OK) {
        world_fail(c->w, "acknowledged: job %lld is not there: %s", (long long)j->id, err.msg);
        return;
    }
    if (row.state != checks_state_of(j))
        world_fail(c->w, "acknowledged: job %lld is %s, it was told to be %s",
            (long long)j->id, rec_state_name(row.state), rec_state_name(checks_state_of(j)));
    if (c->whole && row.priority != j->priority)
        world_fail(c->w, "acknowledged: job %lld has priority %lld, it was told to have %lld",
            (long long)j->id, (long long)row.priority, (long long)j->priority);
    if (j->state == REC_COMPLETED &&
        sql_number(c->w->store, "SELECT count(*) FROM result WHERE job = ?", j->id) == 0)
        world_fail(c->w, "acknowledged: job %lld has no result", (long long)j->id);
    check_counters(c, j);
}

/* Nothing is there that was not submitted, no event too many or too few. */
static void check_counts(struct checks *c)
{
    int64_t jobs = sql_number(c->w->store, "SELECT count(*) FROM job WHERE id > ?", 0),
            events = sql_number(c->w->store, "SELECT count(*) FROM event WHERE id > ?", 0),
            last = sql_number(c->w->store, "SELECT max(id) FROM event WHERE id > ?", 0);
    size_t want = c->jobs;

    for (size_t i = 0; i < c->jobs; i++)
        want -= c->job[i].gone;
    if (jobs >= 0 && (size_t)jobs != want)
        world_fail(c->w, "acknowledged: %lld jobs are there, %zu were submitted",
            (long long)jobs, want);
    if (events >= 0 && last >= 0 &&
        ((size_t)events != c->events || (c->events && last != c->event[c->events - 1].id)))
        world_fail(c->w, "events: %lld are there, the last is %lld; told were %zu",
            (long long)events, (long long)last, c->events);
}

/* On one machine a resumed state is the state that was, to the last bit. */
static void check_drift(struct checks *c)
{
    int64_t n = sql_number(
        c->w->store, "SELECT count(*) FROM event WHERE job > ? AND kind = 'drift'", 0);

    if (n > 0)
        world_fail(c->w, "drift: %lld resumes came to another state", (long long)n);
}

void checks_store(struct checks *c)
{
    check_drift(c);
    if (c->whole)
        check_counts(c);
    for (size_t i = 0; i < c->jobs; i++)
        check_job(c, &c->job[i]);
    checks_books(c);
}
