#include "checks_model.h"

#include "base/alloc.h"
#include "engine/render.h"
#include "simdisk.h"
#include "sql.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct checks *checks_new(struct world *w, unsigned concurrency)
{
    struct checks *c = bbt_calloc(1, sizeof *c);

    assert(c);
    c->w = w;
    c->concurrency = concurrency;
    c->whole = sql_number(w->store, "SELECT count(*) FROM event WHERE ?1 = ?1", 0) == 0 &&
        sql_number(w->store, "SELECT count(*) FROM job WHERE ?1 = ?1", 0) == 0;
    w->checks = c;
    return c;
}

void checks_free(struct checks *c)
{
    c->w->checks = NULL;
    checks_forget(c);
    bbt_free(c->event);
    bbt_free(c->note);
    bbt_free(c->maybe);
    bbt_free(c->arrival);
    bbt_free(c);
}

unsigned checks_allowed(const struct checks *c)
{
    return c->allowed;
}

/* ---- the model ---- */

static uint64_t key_of(const struct rec_mark *m)
{
    const uint64_t part[] = {(uint64_t)m->job, (uint64_t)m->phase, m->gen, m->cand, m->batch};
    uint64_t h = 1;

    for (size_t i = 0; i < sizeof part / sizeof part[0]; i++) {
        h = (h ^ part[i]) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    return h | 1; /* 0 is nobody's */
}

struct pair *checks_pair_of(struct checks *c, const struct rec_mark *m)
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

struct job *checks_job_find(struct checks *c, int64_t id)
{
    for (size_t i = 0; i < c->jobs; i++)
        if (c->job[i].id == id)
            return &c->job[i];
    return NULL;
}

bool checks_gone(const struct checks *c, int64_t job)
{
    for (size_t i = 0; i < c->jobs; i++)
        if (c->job[i].id == job)
            return c->job[i].gone;
    return false;
}

struct job *checks_job_of(struct checks *c, int64_t id)
{
    struct job *j = checks_job_find(c, id);

    if (j)
        return j;
    assert(c->jobs < JOBS_MAX);
    c->job[c->jobs] = (struct job){.id = id, .batches = c->batches};
    return &c->job[c->jobs++];
}

void checks_batches(struct checks *c, int64_t job, unsigned batches)
{
    checks_job_of(c, job)->batches = batches;
}

void checks_batches_of_all(struct checks *c, unsigned batches)
{
    c->batches = batches;
}

void checks_examples(struct checks *c, unsigned rows)
{
    assert(rows < 32);
    c->examples = rows;
}

uint32_t checks_bits(const struct checks *c, const struct rec_mark *m)
{
    unsigned per = m->batch / RENDER_PLACES, first = per * (m->batch % RENDER_PLACES);
    uint32_t all = ((uint32_t)1 << c->examples) - 1;

    if (m->phase != REC_TRAIN || m->gen >= GENS_MAX || m->cand >= CANDS_MAX ||
        first >= c->examples)
        return 0;
    return (per < 32 ? ((uint32_t)1 << per) - 1 : UINT32_MAX) << first & all;
}

/* ---- writes: noted in a commit, believed when it is through ---- */

struct note *checks_note(struct checks *c)
{
    if (c->notes == c->room) {
        c->room = c->room ? 2 * c->room : 32;
        c->note = bbt_realloc(c->note, c->room * sizeof *c->note);
        assert(c->note);
    }
    c->note[c->notes] = (struct note){0};
    return &c->note[c->notes++];
}

size_t checks_noted(const struct checks *c)
{
    return c->notes;
}

void checks_undo(struct checks *c, size_t noted)
{
    c->notes = noted;
}

void checks_submit(
    struct checks *c, int64_t job, const struct rec_job *row, const char *key)
{
    struct note *n = checks_note(c);

    n->kind = NOTE_JOB;
    n->key.job = job;
    n->priority = row->priority;
    (void)snprintf(n->name, sizeof n->name, "%s", row->name);
    (void)snprintf(n->job_key, sizeof n->job_key, "%s", key ? key : "");
}

void checks_priority(struct checks *c, int64_t job, int64_t priority)
{
    struct note *n = checks_note(c);

    n->kind = NOTE_PRIORITY;
    n->key.job = job;
    n->priority = priority;
}

void checks_trash(struct checks *c, int64_t job, bool into)
{
    struct note *n = checks_note(c);

    n->kind = NOTE_TRASH;
    n->key.job = job;
    n->closes = into;
}

void checks_purge(struct checks *c, int64_t job)
{
    struct note *n = checks_note(c);

    n->kind = NOTE_PURGE;
    n->key.job = job;
}

void checks_event(struct checks *c, int64_t id, const struct rec_event *e)
{
    struct note *n = checks_note(c);

    n->kind = NOTE_EVENT;
    n->event = id;
    n->key.job = e->job;
    (void)snprintf(n->reason, sizeof n->reason, "%s", e->kind);
}

void checks_mark(struct checks *c, const struct rec_mark *m, bool put)
{
    struct note *n = checks_note(c);

    n->kind = put ? NOTE_MARK : NOTE_UNMARK;
    n->key = *m;
}

void checks_answer(struct checks *c, const struct rec_mark *key, unsigned rows)
{
    struct note *n = checks_note(c);
    uint32_t bits = checks_bits(c, key);

    n->kind = NOTE_ANSWER;
    n->key = *key;
    if (bits && rows != (unsigned)__builtin_popcount(bits))
        world_fail(c->w, "ledger: batch %u has %u rows", key->batch, rows);
}

void checks_turn(struct checks *c, const struct rec_turn *t)
{
    struct note *n = checks_note(c);

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
    struct note *n = checks_note(c);

    n->kind = NOTE_STATE;
    n->key.job = job;
    n->to = to;
    (void)snprintf(n->reason, sizeof n->reason, "%s", reason);
}

static void believe_turn(struct checks *c, const struct note *n)
{
    struct job *j = checks_job_of(c, n->key.job);
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
    for (unsigned i = 0; c->examples && n->gen < GENS_MAX && i < n->popsize; i++)
        if (j->rows[n->gen][i] != ((uint32_t)1 << c->examples) - 1)
            world_fail(c->w, "ledger: job %lld closes generation %llu, examples %x of %u are "
                "not answered", (long long)j->id, (unsigned long long)n->gen,
                ~j->rows[n->gen][i] & (((uint32_t)1 << c->examples) - 1), i);
    j->gens = n->gen + 1;
}

/* Its hours are over, or begin later. */
static bool goes_home(const struct note *n)
{
    return n->to == REC_QUEUED &&
        (strcmp(n->reason, "window") == 0 || strcmp(n->reason, "start_time") == 0);
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
    struct job *j = checks_job_of(c, n->key.job);
    bool home = goes_home(n) && (j->state == REC_QUEUED || j->state == REC_RUNNING);

    if (j->deleted || j->gone || !(home || legal[j->state] & 1u << n->to))
        world_fail(c->w, "acknowledged: job %lld goes from %s to %s", (long long)j->id,
            rec_state_name(checks_state_of(j)), rec_state_name(n->to));
    if (n->to != REC_RUNNING) /* a job that is let go for another reason need not have learned it */
        j->refused = 0;
    j->state = n->to;
    (void)snprintf(j->reason, sizeof j->reason, "%s", n->reason);
    checks_now(c, j);
}

static void believe_trash(struct checks *c, const struct note *n)
{
    struct job *j = checks_job_of(c, n->key.job);

    if (j->deleted == n->closes || j->state == REC_RUNNING)
        world_fail(c->w, "acknowledged: job %lld is deleted or taken back as %s",
            (long long)j->id, rec_state_name(checks_state_of(j)));
    j->deleted = n->closes;
    checks_now(c, j);
}

/* Its events are gone, too, and its key is free. */
static void believe_purge(struct checks *c, const struct note *n)
{
    struct job *j = checks_job_of(c, n->key.job);
    size_t kept = 0;

    if (j->gone || (!j->deleted && j->state == REC_RUNNING))
        world_fail(c->w, "acknowledged: job %lld is purged as %s", (long long)j->id,
            rec_state_name(checks_state_of(j)));
    j->gone = j->deleted = true;
    j->key[0] = '\0';
    for (size_t i = 0; i < c->events; i++)
        if (c->event[i].job != j->id)
            c->event[kept++] = c->event[i];
    c->events = kept;
    checks_now(c, j);
}

static void believe_job(struct checks *c, const struct note *n)
{
    struct job *j = checks_job_of(c, n->key.job);

    for (size_t i = 0; i < c->jobs; i++)
        if (n->job_key[0] && &c->job[i] != j && strcmp(c->job[i].key, n->job_key) == 0)
            world_fail(c->w, "key: jobs %lld and %lld were submitted with one key",
                (long long)c->job[i].id, (long long)j->id);
    (void)snprintf(j->name, sizeof j->name, "%s", n->name);
    (void)snprintf(j->key, sizeof j->key, "%s", n->job_key);
    j->priority = n->priority;
    checks_now(c, j);
}

static void believe_event(struct checks *c, const struct note *n)
{
    struct seen *e;

    if (c->events == c->events_room) {
        c->events_room = c->events_room ? 2 * c->events_room : 64;
        c->event = bbt_realloc(c->event, c->events_room * sizeof *c->event);
        assert(c->event);
    }
    e = &c->event[c->events++];
    *e = (struct seen){.id = n->event, .job = n->key.job};
    (void)snprintf(e->kind, sizeof e->kind, "%s", n->reason);
    if (c->events > 1 && e->id <= e[-1].id)
        world_fail(c->w, "events: event %lld comes after %lld", (long long)e->id,
            (long long)e[-1].id);
}

void checks_believe(struct checks *c, const struct note *n)
{
    struct pair *p;
    struct job *j;

    switch (n->kind) {
    case NOTE_MARK:
        checks_pair_of(c, &n->key)->mark = true;
        return;
    case NOTE_UNMARK:
        checks_pair_of(c, &n->key)->mark = false;
        return;
    case NOTE_ANSWER:
        p = checks_pair_of(c, &n->key);
        j = checks_job_of(c, n->key.job);
        if (p->answer)
            world_fail(c->w, "answered: an answer enters the ledger twice");
        p->answer = true;
        p->mark = false;
        j->answered++;
        if (n->key.phase == REC_TRAIN && n->key.gen < GENS_MAX)
            j->answers[n->key.gen]++;
        if (checks_bits(c, &n->key))
            j->rows[n->key.gen][n->key.cand] |= checks_bits(c, &n->key);
        return;
    case NOTE_TURN:
        believe_turn(c, n);
        return;
    case NOTE_STATE:
        believe_state(c, n);
        return;
    case NOTE_JOB:
        believe_job(c, n);
        return;
    case NOTE_EVENT:
        believe_event(c, n);
        return;
    case NOTE_TRASH:
        believe_trash(c, n);
        return;
    case NOTE_PURGE:
        believe_purge(c, n);
        return;
    case NOTE_PRIORITY:
        j = checks_job_of(c, n->key.job);
        j->priority = n->priority;
        checks_now(c, j);
        return;
    case NOTE_REST:
        checks_rate_note(c, n, true);
        return;
    }
}

void checks_drop_maybe(struct checks *c)
{
    bbt_free(c->maybe);
    c->maybe = NULL;
    c->maybes = 0;
    c->group = 0;
}

/* A commit that failed was undone; but its bytes may be in the file, and only the next good
 * commit that writes is sure to write over them. Until then a crash may find it there, whole. */
void checks_commit(struct checks *c, bool good)
{
    uint64_t writes = simdisk_count()->writes;

    for (size_t i = 0; good && i < c->notes; i++)
        checks_believe(c, &c->note[i]);
    if (good) {
        if (writes != c->writes || !c->w->disk)
            checks_drop_maybe(c);
    } else if (c->notes) {
        c->maybe = bbt_realloc(c->maybe, (c->maybes + c->notes) * sizeof *c->maybe);
        assert(c->maybe);
        memcpy(c->maybe + c->maybes, c->note, c->notes * sizeof *c->note);
        for (size_t i = 0; i < c->notes; i++)
            c->maybe[c->maybes++].group = c->group;
        for (size_t i = 0; i < c->notes; i++)
            if (c->note[i].kind == NOTE_REST)
                checks_rate_note(c, &c->note[i], false);
        c->group++;
    }
    c->notes = 0;
    c->writes = writes;
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

/* What is marked may be asked, and paid, once more; nothing else may. */
static void allow_marked(struct checks *c)
{
    for (size_t i = 0; i < PAIRS; i++)
        if (c->pair[i].mark && !c->pair[i].answer) {
            c->pair[i].allowed = c->pair[i].came;
            c->allowed++;
        }
}

/* The next daemon knows nothing of it. */
static void forget_sizes(struct checks *c)
{
    for (size_t i = 0; i < c->jobs; i++)
        c->job[i].refused = 0;
}

void checks_stop(struct checks *c, bool hard)
{
    forget_sizes(c);
    checks_rate_forget(c);
    if (hard)
        allow_marked(c);
}

void checks_crash(struct checks *c)
{
    c->notes = 0;
    forget_sizes(c);
    checks_rate_forget(c);
    checks_forget(c);
    checks_settle_maybe(c);
    allow_marked(c);
    checks_store(c);
}
