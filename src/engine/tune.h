/* tune.h -- the story of one running job.
 *
 *   LOAD -> PROBE -> BUILD -> [TOKENS -> PACK] -> [EMBED] -> SEARCH -> FIRST
 *                                        |          |
 *                                        v          v
 *                 .-------------------> TRAIN -> TELL -> [DEV] -> COMMIT
 *                 |                                                  |
 *                 '------------------- more to do <------------------'
 *                                                    budget, target, stall, time
 *                                                                    v
 *                 PROMPT -> TEST -> MANUAL -> CALIBRATE -> [DEMO -> CONTEXT]* -> RESULT -> OVER
 *
 *   a job without a search goes from FIRST to MANUAL
 *
 *   trouble, pause, stop: any state -> (what is under way comes in) -> VERDICT -> OVER
 *   what it was built on has changed: the same, and it is taken over anew (tune_again)
 *
 * A job that begins and one that is resumed take the same way; what is in the store decides
 * which steps have nothing left to do. */
#ifndef ENGINE_TUNE_H
#define ENGINE_TUNE_H

#include "base/op.h"
#include "base/record.h"
#include "engine/endpoint.h"
#include "engine/lex.h"
#include "engine/probe.h"
#include "engine/round.h"
#include "engine/search.h"
#include "engine/shift.h"
#include "engine/task.h"

enum tune_state {
    TUNE_LOAD,
    TUNE_PROBE,
    TUNE_BUILD,
    TUNE_TOKENS,
    TUNE_PACK,
    TUNE_EMBED,
    TUNE_SEARCH,
    TUNE_FIRST,
    TUNE_TRAIN,
    TUNE_TELL,
    TUNE_DEV,
    TUNE_COMMIT,
    TUNE_PROMPT,
    TUNE_TEST,
    TUNE_MANUAL,
    TUNE_CALIBRATE,
    TUNE_DEMO,
    TUNE_CONTEXT,
    TUNE_RESULT,
    TUNE_VERDICT,
    TUNE_OVER,
    TUNE_STATE_NR
};

/* Lower-case name of the step, as `bbtctl show` prints it. */
const char *tune_state_name(enum tune_state s);

struct tune_blobs {
    void *bytes[3]; /* train, dev, test */
    size_t len[3];
};

struct tune {
    /* in */
    int64_t id;
    struct endpoint *endpoints;
    size_t endpoints_nr;
    struct till *till;
    struct keep_ill *ill;
    const char *zone; /* of hours that name none; borrowed, NULL = UTC */
    struct op *wake; /* woken when over */

    /* facts */
    bool over;
    enum bbt_rc rc;     /* why it ended; OK = completed, CANCELED = halted */
    struct bbt_err err;

    /* own */
    struct turnq *q;
    struct op op;
    enum tune_state state;
    struct port_call work; /* at most one call of a worker, or one read of the store */
    struct keep keep;      /* at most one write */
    bool halt;             /* let go as soon as what is under way is in */
    struct {               /* the same, and the job goes on; text "" = no */
        enum rec_state to;
        const char *reason, *event;
        char text[240];
    } again;
    struct shift_now home; /* why and until when it is not to be at work, if that is why */
    const char *reason;    /* pause or end reason */
    bool paused, failed;   /* what the verdict makes of it */

    struct rec_job job;
    bool urged;       /* `priority` is newer than the row that was read */
    int64_t priority;
    struct job_spec *spec;
    struct shift shift; /* belongs to the store's thread while it is read */
    bool no_zone;       /* it could not be, by the sentence of `work` */
    struct tune_blobs blobs;
    struct endpoint *ep;
    struct endpoint_model *model;
    size_t standin; /* 0: at its own provider; else so many-th of its `fallback` */
    struct task_input input; /* without the files. From the model, copied: a probe may replace */
    char server[64];         /* it while a worker or the store's thread is reading */
    const struct embmat *mat; /* stays as long as the endpoint; or NULL */
    struct sched_flow flow;
    struct rec_sum used; /* before this run, of what its limits count */
    struct till_account account;
    struct probe probe;
    struct task *task;
    struct lex lex; /* what the server's tokeniser said */
    struct lex_wants wants;
    struct lexer lexer;
    struct query embed;
    struct search_setup setup;
    bool has_setup;
    struct rec_resume resume;
    struct search *search;
    struct rec_best best; /* best.z owned; NULL = none yet */
    struct rec_gen open;  /* the open generation; cand NULL = none is open */
    uint64_t gen;         /* to be shown; `open` changes on a worker */
    bool first;           /* its setup and generation 0 are not committed yet */
    bool fresh;           /* nothing of the open generation was ever asked */
    bool dev_fresh;       /* nor of its dev check */
    bool drifted;         /* the next commit says so in the event log */
    float *prompts;       /* of the open generation: popsize x cells */
    uint64_t *digests;    /* popsize */
    struct round round;
    struct parts train_parts, dev_parts;

    /* between TELL and COMMIT */
    struct rec_gen closed;
    struct bbt_buf snapshot;
    bool has_snapshot;
    double *dev_z;     /* dev_n x dim: best of the generation, then the mean */
    float *dev_prompt; /* dev_n x cells */
    uint64_t dev_digest[2];
    size_t dev_n, dev_best; /* dev_best: index of the better one */
    double dev_score, dev_loss;
    bool new_best;
    bool late;             /* the job's time is over: measure on dev and end */
    const char *converged; /* stop reason of the optimiser, or NULL */

    /* at the end */
    float *final_prompt; /* cells */
    uint64_t final_digest;
    float *tuned, *manual, *few; /* logits */
    struct task_set shown;       /* the test set behind one order of demonstrations */
    size_t order;
    float **context; /* logits of each order */
    const char *ended; /* why the search ended */

    uint64_t failures; /* attempts without an answer that are not yet in the store */
    uint64_t since_us; /* running time not yet in the store counts from here */
    uint64_t spent_us; /* running time that the present call puts into the store */
    int64_t wall_us;   /* wall clock when that call was started */
};

/* Zeroed by the caller before the "in" fields are set. */
void tune_start(struct tune *t, struct turnq *q);

/* Let go of the job without touching its state in the store; `hard` also cuts off requests
 * on the wire. Ends in `over`. */
void tune_halt(struct tune *t, bool hard);
void tune_fini(struct tune *t); /* only when over */

/* Something that the job was built on has changed, such as the size of a batch: it is let go, as
 * by a polite halt, and stays for the engine to take over anew (`over` with BBT_AGAIN). Until
 * then it is in state `to`, REC_RUNNING or REC_QUEUED, for that reason; `event` and `text` go
 * into its event log. No-op on one whose story is ending anyway. */
void tune_again(struct tune *t, enum rec_state to, const char *reason, const char *event,
    const char *text);

/* Lets go of it where its hours are over (tune_again), and returns the turn time at which to
 * look again; PORT_NEVER. Of a story that has ended, or not read its spec yet, nothing. */
uint64_t tune_look_at_clock(struct tune *t);

/* A new priority, durable in the row already: counts from now on. */
void tune_priority(struct tune *t, int64_t priority);

/* Where it stands, for people: requests answered and needed in the present round. */
struct tune_progress {
    const char *step;
    uint64_t gen;
    size_t answered, needed, in_flight;
};
void tune_progress(const struct tune *t, struct tune_progress *ret);

#endif
