#include "checks.h"

#include "base/alloc.h"
#include "sql.h"
#include "store/st_job.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOBS_MAX 32
#define GENS_MAX 512
#define PAIRS 16384 /* more than any seed asks */
#define SAME_TIME_MAX 20000

/* One question of one job. */
struct pair {
    uint64_t key;
    bool mark, answer;
    unsigned sent, came, allowed;
};

struct job {
    int64_t id;
    enum rec_state state;
    char reason[REC_REASON_MAX];
    uint64_t gens;    /* closed */
    bool opened;      /* generation 0 was opened */
    unsigned batches; /* 0 = not told */
    unsigned answers[GENS_MAX]; /* of phase train */
};

struct note {
    enum { NOTE_MARK, NOTE_UNMARK, NOTE_ANSWER, NOTE_TURN, NOTE_STATE } kind;
    unsigned group; /* which failed commit */
    struct rec_mark key;
    uint64_t gen;
    unsigned popsize;
    bool closes;
    enum rec_state to;
    char reason[REC_REASON_MAX];
};

struct checks {
    struct world *w;
    unsigned concurrency, allowed;
    struct pair pair[PAIRS];
    struct job job[JOBS_MAX];
    size_t jobs;
    struct note *note;
    size_t notes, room;
    struct note *maybe; /* of commits that failed: a crash may bring one of them back */
    size_t maybes;
    unsigned group;
    uint64_t hold_until, last_us, same, seen_steps;
};

struct checks *checks_new(struct world *w, unsigned concurrency)
{
    struct checks *c = bbt_calloc(1, sizeof *c);

    assert(c);
    c->w = w;
    c->concurrency = concurrency;
    w->checks = c;
    return c;
}

void checks_free(struct checks *c)
{
    c->w->checks = NULL;
    bbt_free(c->note);
    bbt_free(c->maybe);
    bbt_free(c);
}

unsigned checks_allowed(const struct checks *c)
{
    return c->allowed;
}

/* ---- the model ---- */

static uint64_t key_of(const struct rec_mark *m)
{
    return (uint64_t)m->job << 48 | (uint64_t)m->phase << 44 | m->gen << 24 |
        (uint64_t)m->cand << 12 | (uint64_t)m->batch;
}

static struct pair *pair_of(struct checks *c, const struct rec_mark *m)
{
    uint64_t key = key_of(m);
    size_t at = (size_t)((key * 0x9e3779b97f4a7c15u) >> 32) % PAIRS;

    for (size_t n = 0; c->pair[at].key && c->pair[at].key != key; n++) {
        assert(n < PAIRS);
        at = (at + 1) % PAIRS;
    }
    c->pair[at].key = key;
    return &c->pair[at];
}

static struct job *job_of(struct checks *c, int64_t id)
{
    for (size_t i = 0; i < c->jobs; i++)
        if (c->job[i].id == id)
            return &c->job[i];
    assert(c->jobs < JOBS_MAX);
    c->job[c->jobs] = (struct job){.id = id};
    return &c->job[c->jobs++];
}

void checks_submit(struct checks *c, int64_t job)
{
    (void)job_of(c, job); /* queued, unless a crash brought it back before we were told */
}

void checks_batches(struct checks *c, int64_t job, unsigned batches)
{
    job_of(c, job)->batches = batches;
}

/* ---- writes: noted in a commit, believed when it is through ---- */

static struct note *add_note(struct checks *c)
{
    if (c->notes == c->room) {
        c->room = c->room ? 2 * c->room : 32;
        c->note = bbt_realloc(c->note, c->room * sizeof *c->note);
        assert(c->note);
    }
    c->note[c->notes] = (struct note){0};
    return &c->note[c->notes++];
}

void checks_mark(struct checks *c, const struct rec_mark *m, bool put)
{
    struct note *n = add_note(c);

    n->kind = put ? NOTE_MARK : NOTE_UNMARK;
    n->key = *m;
}

void checks_answer(struct checks *c, const struct rec_mark *key)
{
    struct note *n = add_note(c);

    n->kind = NOTE_ANSWER;
    n->key = *key;
}

void checks_turn(struct checks *c, const struct rec_turn *t)
{
    struct note *n = add_note(c);

    n->kind = NOTE_TURN;
    n->key.job = t->job;
    n->closes = t->closed != NULL;
    n->gen = t->closed ? t->closed->gen : t->open->gen;
    n->popsize = (unsigned)(t->closed ? t->closed->popsize : t->open->popsize);
    if (t->closed && t->open && t->open->gen != t->closed->gen + 1)
        world_fail(c->w, "generation: job %lld closes %llu and opens %llu",
            (long long)t->job, (unsigned long long)t->closed->gen,
            (unsigned long long)t->open->gen);
}

void checks_state(struct checks *c, int64_t job, enum rec_state to, const char *reason)
{
    struct note *n = add_note(c);

    n->kind = NOTE_STATE;
    n->key.job = job;
    n->to = to;
    (void)snprintf(n->reason, sizeof n->reason, "%s", reason);
}

static void believe_turn(struct checks *c, const struct note *n)
{
    struct job *j = job_of(c, n->key.job);
    unsigned want = n->popsize * j->batches;

    if (!n->closes) {
        if (j->opened || n->gen != 0)
            world_fail(c->w, "generation: job %lld begins again", (long long)j->id);
        j->opened = true;
        return;
    }
    if (n->gen != j->gens)
        world_fail(c->w, "generation: job %lld closes %llu, %llu is open",
            (long long)j->id, (unsigned long long)n->gen, (unsigned long long)j->gens);
    if (j->batches && n->gen < GENS_MAX && j->answers[n->gen] != want)
        world_fail(c->w, "ledger: job %lld closes generation %llu with %u answers of %u",
            (long long)j->id, (unsigned long long)n->gen, j->answers[n->gen], want);
    j->gens = n->gen + 1;
}

/* Who may follow whom. A job that a crash left running is taken up again. */
static void believe_state(struct checks *c, const struct note *n)
{
    static const unsigned legal[REC_STATE_NR] = {
        [REC_QUEUED] = 1u << REC_RUNNING | 1u << REC_PAUSED | 1u << REC_CANCELLED,
        [REC_RUNNING] = 1u << REC_RUNNING | 1u << REC_PAUSED | 1u << REC_COMPLETED |
            1u << REC_FAILED | 1u << REC_CANCELLED,
        [REC_PAUSED] = 1u << REC_QUEUED | 1u << REC_CANCELLED,
    };
    struct job *j = job_of(c, n->key.job);

    if (!(legal[j->state] & 1u << n->to))
        world_fail(c->w, "acknowledged: job %lld goes from %s to %s", (long long)j->id,
            rec_state_name(j->state), rec_state_name(n->to));
    j->state = n->to;
    (void)snprintf(j->reason, sizeof j->reason, "%s", n->reason);
}

static void believe(struct checks *c, const struct note *n)
{
    struct pair *p;
    struct job *j;

    switch (n->kind) {
    case NOTE_MARK:
        pair_of(c, &n->key)->mark = true;
        return;
    case NOTE_UNMARK:
        pair_of(c, &n->key)->mark = false;
        return;
    case NOTE_ANSWER:
        p = pair_of(c, &n->key);
        j = job_of(c, n->key.job);
        if (p->answer)
            world_fail(c->w, "answered: an answer enters the ledger twice");
        p->answer = true;
        p->mark = false;
        if (n->key.phase == REC_TRAIN && n->key.gen < GENS_MAX)
            j->answers[n->key.gen]++;
        return;
    case NOTE_TURN:
        believe_turn(c, n);
        return;
    case NOTE_STATE:
        believe_state(c, n);
        return;
    }
}

static void drop_maybe(struct checks *c)
{
    bbt_free(c->maybe);
    c->maybe = NULL;
    c->maybes = 0;
    c->group = 0;
}

/* A commit that failed was undone; but its bytes may be in the file, and only the next good
 * commit is sure to write over them. Until then a crash may find it there, whole. */
void checks_commit(struct checks *c, bool good)
{
    for (size_t i = 0; good && i < c->notes; i++)
        believe(c, &c->note[i]);
    if (good) {
        drop_maybe(c);
    } else if (c->notes) {
        c->maybe = bbt_realloc(c->maybe, (c->maybes + c->notes) * sizeof *c->maybe);
        assert(c->maybe);
        memcpy(c->maybe + c->maybes, c->note, c->notes * sizeof *c->note);
        for (size_t i = 0; i < c->notes; i++)
            c->maybe[c->maybes++].group = c->group;
        c->group++;
    }
    c->notes = 0;
}

/* 1: the store shows the write, -1: it shows that it is not there, 0: no telling. */
static int shown(struct checks *c, const struct note *n)
{
    const struct pair *p = pair_of(c, &n->key);
    const struct job *j = job_of(c, n->key.job);
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
static void settle_maybe(struct checks *c)
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
            believe(c, &c->maybe[i]);
    drop_maybe(c);
}

/* ---- the wire ---- */

/* "j7-train-g3-c1-b0"; false for canaries and others without a place in the ledger. */
static bool parse_id(const char *id, struct rec_mark *ret)
{
    long long job;
    unsigned long long gen;
    unsigned cand, batch;
    char phase[16];

    if (sscanf(id, "j%lld-%15[a-z]-g%llu-c%u-b%u", &job, phase, &gen, &cand, &batch) != 5 ||
        job == 0)
        return false;
    *ret = (struct rec_mark){.job = job, .gen = gen, .cand = cand, .batch = batch};
    for (unsigned p = 0; p < REC_PHASE_NR; p++)
        if (strcmp(rec_phase_name((enum rec_phase)p), phase) == 0)
            ret->phase = (enum rec_phase)p;
    return true;
}

static void check_question(struct checks *c, const char *id)
{
    struct rec_mark m;
    struct pair *p;
    struct job *j;

    if (!parse_id(id, &m))
        return;
    p = pair_of(c, &m);
    j = job_of(c, m.job);
    p->sent++;
    if (!p->mark)
        world_fail(c->w, "unmarked: %s is sent without its mark", id);
    if (p->answer)
        world_fail(c->w, "answered: %s is asked again", id);
    if ((m.phase == REC_TRAIN || m.phase == REC_DEV) && m.gen != j->gens)
        world_fail(c->w, "generation: %s is asked while %llu is open", id,
            (unsigned long long)j->gens);
    if (p->came > p->allowed)
        world_fail(c->w, "paid-twice: %s came already and is sent again", id);
}

void checks_sent(struct checks *c, const struct port_http *x, size_t in_flight)
{
    char id[64] = "";

    if (in_flight > c->concurrency)
        world_fail(c->w, "concurrency: %zu requests on the wire, %u are allowed", in_flight,
            c->concurrency);
    if (c->w->now_us < c->hold_until)
        world_fail(c->w, "hold: a request leaves %llu us too early",
            (unsigned long long)(c->hold_until - c->w->now_us));
    if (x->body_len > 70 && sscanf((const char *)x->body, "{\"id\":\"%63[^\"]\"", id) == 1)
        check_question(c, id);
}

void checks_reply(struct checks *c, const char *id, bool good, long wait_s)
{
    uint64_t until = c->w->now_us + (uint64_t)wait_s * 1000000u;
    struct rec_mark m;
    struct pair *p;

    if (wait_s > 0 && until > c->hold_until)
        c->hold_until = until;
    if (!good || !parse_id(id, &m))
        return;
    p = pair_of(c, &m);
    p->came++;
    if (fakelm_count(&c->w->lm, id)->served > p->sent)
        world_fail(c->w, "paid-twice: the server answered %s more often than it was sent", id);
}

/* ---- steps ---- */

void checks_step(struct checks *c)
{
    struct world *w = c->w;

    if (w->now_us < c->last_us)
        world_fail(w, "time: the clock goes back");
    c->same = w->now_us == c->last_us && !w->still ? c->same + 1 : 0;
    if (c->same > SAME_TIME_MAX)
        world_fail(w, "time: %d events without an end at one moment", SAME_TIME_MAX);
    c->last_us = w->now_us;
    if (++c->seen_steps % 512 == 0 && !c->notes)
        checks_store(c);
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

/* What is marked may be asked, and paid, once more; nothing else may. */
static void allow_marked(struct checks *c)
{
    for (size_t i = 0; i < PAIRS; i++)
        if (c->pair[i].mark && !c->pair[i].answer) {
            c->pair[i].allowed = c->pair[i].came;
            c->allowed++;
        }
}

void checks_stop(struct checks *c, bool hard)
{
    c->hold_until = 0; /* the next daemon has not heard of it */
    if (hard)
        allow_marked(c);
}

void checks_crash(struct checks *c)
{
    c->notes = 0;
    c->hold_until = 0;
    settle_maybe(c);
    allow_marked(c);
    checks_store(c);
}
