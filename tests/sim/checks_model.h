/* checks_model.h -- inside of the checkers: what they believe about store, ledger and wire. */
#ifndef SIM_CHECKS_MODEL_H
#define SIM_CHECKS_MODEL_H

#include "checks.h"

#define JOBS_MAX 32
#define GENS_MAX 512
#define CANDS_MAX 16
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
    enum rec_state state; /* in the trash: the one that it comes back to */
    bool deleted;
    bool gone; /* purged */
    char reason[REC_REASON_MAX];
    uint64_t gens;    /* closed */
    bool opened;      /* generation 0 was opened */
    unsigned batches; /* 0 = not told */
    unsigned answers[GENS_MAX]; /* of phase train */
    uint32_t rows[GENS_MAX][CANDS_MAX]; /* of phase train, answered: a bit each */
    unsigned refused; /* rows per request that this daemon was told to be too many; 0 = none */
    unsigned large;   /* requests of that size that left since then */
    uint64_t answered;          /* of all phases */
    int64_t priority;
    char name[REC_NAME_MAX], key[64];
};

/* One event that is durable. */
struct seen {
    int64_t id, job;
    char kind[REC_REASON_MAX];
};

/* A request under way: what was true of each job since it came. */
struct view {
    const struct ask *a;
    struct view *next;
    bool calm;
    size_t jobs;
    int64_t last_event;
    struct {
        unsigned states; /* bits */
        uint64_t gens, answered;
        int64_t priority;
        bool reordered; /* it had several priorities */
    } was[JOBS_MAX];
};

struct note {
    enum { NOTE_MARK, NOTE_UNMARK, NOTE_ANSWER, NOTE_TURN, NOTE_STATE, NOTE_JOB, NOTE_EVENT,
        NOTE_PRIORITY, NOTE_TRASH, NOTE_PURGE, NOTE_REST } kind;
    unsigned group; /* which failed commit */
    struct rec_mark key;
    uint64_t gen;
    unsigned popsize;
    bool closes;
    enum rec_state to;
    char reason[REC_REASON_MAX]; /* of an event: its kind */
    int64_t event, priority;
    char name[REC_NAME_MAX], job_key[64];
    int limit;         /* of a rest: whose */
    uint64_t until_us; /* world's time */
};

struct arrival {
    uint64_t at_us, amount[2];
};

#define MONEY_DAYS 400

/* nano-dollars; cap 0: money is not looked at */
struct money {
    uint64_t cap, per_token, per_request;
    int64_t first_day;
    uint64_t all, day[MONEY_DAYS], wire;
};

struct checks {
    struct world *w;
    struct money money;
    struct checks_hours hours[8];
    size_t hours_nr;
    unsigned concurrency, allowed, batches, examples;
    bool whole; /* it watches since the store was empty */
    bool calm;
    uint64_t calm_us; /* since then */
    struct pair pair[PAIRS];
    struct job job[JOBS_MAX];
    size_t jobs;
    struct seen *event;
    size_t events, events_room;
    struct view *views;
    struct note *note;
    size_t notes, room;
    struct note *maybe; /* of commits that failed: a crash may bring one of them back */
    size_t maybes;
    unsigned group;
    uint64_t writes; /* of the disk, at the last commit */
    uint64_t hold_until, last_us, same, seen_steps;
    uint64_t hold_kept[2]; /* rests in the store: of the provider, of the limit */
    /* what the server counts */
    uint64_t limit[2];
    struct arrival *arrival;
    size_t arrivals, arrivals_room;
    /* the breaker */
    unsigned bad_row;
    uint64_t bad_us, sent_us;
    const struct port_http *trial; /* the one request, where it is on the wire */
};

/* What is shown of it. */
static inline enum rec_state checks_state_of(const struct job *j)
{
    return j->deleted ? REC_DELETED : j->state;
}

/* The model's row of a question, of a job; made where it is not there. */
struct pair *checks_pair_of(struct checks *c, const struct rec_mark *m);
struct job *checks_job_of(struct checks *c, int64_t id);
struct job *checks_job_find(struct checks *c, int64_t id); /* NULL where it is not there */

/* A job has a state from now on, for requests that are under way. */
void checks_now(struct checks *c, const struct job *j);
/* Rows of a training question, a bit each; 0 where nobody told how many there are. */
uint32_t checks_bits(const struct checks *c, const struct rec_mark *m);

/* What was asked of a daemon that is no more. */
void checks_forget(struct checks *c);

/* A write is durable. */
void checks_believe(struct checks *c, const struct note *n);

/* Breaker and limits (checks_rate.c). */
void checks_rate_sent(struct checks *c, const struct port_http *x);
void checks_rate_forget(struct checks *c);
void checks_rate_note(struct checks *c, const struct note *n, bool good);
struct note *checks_note(struct checks *c);

/* Money (checks_cap.c). */
void checks_books(struct checks *c);
void checks_cap_sent(struct checks *c, const struct port_http *x);
void checks_cap_over(struct checks *c, const struct port_http *x);

/* After a crash: believes the failed commit that the store shows, if any. */
void checks_settle_maybe(struct checks *c);
/* No failed commit can come back any more. */
void checks_drop_maybe(struct checks *c);

#endif
