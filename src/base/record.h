/* record.h -- the durable facts of a job, as plain values: what the engine decides to keep,
 * what the store keeps, what the control API shows. No behaviour, no library.
 *
 * Words for counting, never mixed: generations; evaluations (one candidate on the whole
 * training set); examples; requests; tokens. */
#ifndef BASE_RECORD_H
#define BASE_RECORD_H

#include "base/charge.h"

#include <stddef.h>
#include <stdint.h>

enum rec_state {
    REC_QUEUED,
    REC_RUNNING,
    REC_PAUSED,
    REC_COMPLETED,
    REC_FAILED,
    REC_CANCELLED,
    REC_DELETED, /* in the trash; not a state that a job is moved to */
    REC_STATE_NR
};

/* Lower-case name of a state; "unknown" outside the enum. And back: REC_STATE_NR if none. */
const char *rec_state_name(enum rec_state s);
enum rec_state rec_state_parse(const char *name);

/* Questions that a job puts to its model. Part of the ledger's key. */
enum rec_phase {
    REC_TRAIN,     /* a generation's candidate on the training batches */
    REC_DEV,       /* a candidate on the development batches */
    REC_TEST,      /* the tuned prompt on the test batches, once */
    REC_MANUAL,    /* no soft prompt, test batches */
    REC_CALIBRATE, /* no soft prompt, training batches: label bias */
    REC_PROBE,     /* start-up canaries */
    REC_PREDICT,   /* asked for by a user after the job; not in the ledger */
    REC_CONTEXT,   /* no soft prompt, test batches behind demonstrations; gen is the order */
    REC_PHASE_NR
};

/* Lower-case name of a phase; "unknown" outside the enum. */
const char *rec_phase_name(enum rec_phase p);

#define REC_REASON_MAX 32
#define REC_DETAIL_MAX 400
#define REC_NAME_MAX 128
#define REC_QUOTA_MAX 136

/* What was spent and done. Every field only grows, over restarts too. */
struct rec_usage {
    uint64_t generations;
    uint64_t evaluations;
    uint64_t examples;
    uint64_t requests; /* answered and paid for */
    uint64_t repeated; /* of these, answered before and lost by a crash */
    uint64_t failures; /* attempts that gave no answer */
    uint64_t tokens_in;
    uint64_t tokens_out;
    uint64_t active_us; /* time spent running */
    uint64_t cost;      /* nano-dollars, with what was charged without an answer */
    uint64_t cached;    /* answers of the response cache; not among the requests */
};

struct rec_job {
    int64_t id;
    char name[REC_NAME_MAX];
    enum rec_state state;
    enum rec_state was; /* what a deleted job comes back to; else the same as `state` */
    char reason[REC_REASON_MAX]; /* closed list of the states' reasons */
    char detail[REC_DETAIL_MAX]; /* a sentence for people; may be empty */
    int64_t priority;
    int64_t created_us, started_us, ended_us, updated_us; /* wall clock; 0 = not yet */
    int64_t deleted_us;
    struct rec_usage usage;
    uint64_t generations_max; /* plan, 0 = open */
    uint64_t evaluations_max;
    int64_t owner;     /* user id of who submitted it; -1 = not known */
    double best_dev;   /* metric; NaN until known */
    double last_loss;  /* best training loss of the last generation; NaN until known */
};

/* One generation. While it is open, `loss` is NULL. */
struct rec_gen {
    int64_t job;
    uint64_t gen; /* from 0 */
    size_t popsize, dim;
    double *cand; /* popsize x dim; may be NULL once pruned */
    double *loss; /* popsize, lower is better */
    void *trace;  /* cma_trace() of closing it; NULL: none, it is told again in full */
    size_t trace_len;
    uint64_t digest; /* of the optimiser's state before ask; 0 = not recorded */
    double loss_best, loss_mean, sigma;
    double dev;       /* metric of this generation's dev check; NaN where none was due */
    double dev_loss;
    uint64_t evaluations; /* running total after this generation */
    int64_t wall_us;      /* when it was closed */
};

/* One answered request. Key: (job, phase, gen, cand, batch). */
struct rec_answer {
    int64_t job;
    enum rec_phase phase;
    uint64_t gen;
    uint32_t cand, batch; /* the batch's number: never twice for different rows of the set */
    uint64_t digest; /* of the prompt and the rows that were asked about */
    uint32_t rows, labels;
    float *logit; /* rows x labels */
    uint32_t tokens_in, tokens_out;
    uint32_t attempts; /* 1 = answered at once; 0 = by the response cache, unpaid */
    uint32_t repeated; /* how often asked again because a crash may have lost an answer */
    uint64_t latency_us;
    int64_t wall_us;
    uint64_t cost; /* nano-dollars */
    const struct rec_claim *claim; /* who pays, and the reservation that this settles; or
                                      NULL. Borrowed, not read back */
};

/* A request about to be sent (the key of its answer). */
struct rec_mark {
    int64_t job;
    enum rec_phase phase;
    uint64_t gen;
    uint32_t cand, batch;
    uint32_t tries; /* how often so far, this one included; 0 is read as 1 */
};

/* Requests that left together, for the log of a limit per minute. */
struct rec_sent {
    char quota[REC_QUOTA_MAX];
    int64_t wall_us;
    uint64_t requests, tokens;
};

/* A provider or a limit that is left alone, over restarts too. */
struct rec_rest {
    char name[REC_QUOTA_MAX]; /* of the provider; of the limit where `limit` */
    int limit;
    int64_t until_us;            /* wall clock; 0 = until somebody acts */
    char reason[REC_REASON_MAX]; /* "" = the rest is over */
    char text[REC_DETAIL_MAX];
};

struct rec_event {
    int64_t id; /* cursor; grows */
    int64_t job; /* 0 = the daemon's */
    int64_t wall_us;
    char kind[REC_REASON_MAX]; /* "state", "generation", "best", "retry", ... */
    char text[REC_DETAIL_MAX];
};

/* The best point so far by the development set. One per job. */
struct rec_best {
    int64_t job;
    uint64_t gen;
    uint32_t cand; /* row of the generation, or REC_CAND_MEAN */
    double dev, dev_loss;
    size_t dim;
    double *z; /* dim */
};

#define REC_CAND_MEAN 0xffffffffu /* the search distribution's mean, not a candidate */

/* One step of the search, kept in one commit: closes a generation, opens the next. */
struct rec_turn {
    int64_t job;
    const struct rec_gen *closed; /* gains loss, dev, counts; NULL at the first turn */
    const struct rec_gen *open;   /* with candidates and digest; NULL after the last */
    const void *snapshot; /* optimiser's bytes before the ask of generation snapshot_gen; */
    size_t snapshot_len;  /* NULL where none is due: resume replays tells instead */
    uint64_t snapshot_gen;
    const struct rec_best *best; /* NULL: not better than before */
    struct rec_usage add;        /* generations, evaluations, active_us of this step */
    int64_t wall_us;
};

/* What a restart needs: state before the ask of `snapshot_gen`, then every generation from
 * there on, in order; the last one may be open (loss NULL). */
struct rec_resume {
    void *snapshot; /* NULL where none was kept yet */
    size_t snapshot_len;
    uint64_t snapshot_gen;
    struct rec_gen *gens;
    size_t gens_nr;
};

/* Outcome of a completed job. */
struct rec_result {
    int64_t job;
    char *json;    /* the score sheet, one JSON object */
    float *prompt; /* rows x hidden; NULL where none was tuned */
    size_t rows, hidden;
};

/* Free a row's own memory, or arrays of rows with what they own; NULL is fine. */
void rec_gen_fini(struct rec_gen *g);
void rec_gens_free(struct rec_gen *rows, size_t n);
void rec_answers_free(struct rec_answer *rows, size_t n);
void rec_resume_fini(struct rec_resume *r);
void rec_best_fini(struct rec_best *b);
void rec_result_fini(struct rec_result *r);

#endif
