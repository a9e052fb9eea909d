/* predict.h -- labels new texts with a finished job's prompt, through the same provider.
 *
 *   LOAD (spec, result) -> PROBE -> BUILD (render) -> [TOKENS -> PACK] -> ASK -> done
 *                                     ^                                    |
 *                                     '--- a request is too large: halve --'
 *
 * Not kept in the ledger: it is no part of the job's search. */
#ifndef ENGINE_PREDICT_H
#define ENGINE_PREDICT_H

#include "engine/engine.h"
#include "engine/lex.h"
#include "engine/probe.h"
#include "engine/round.h"

#define PREDICT_TEXTS_MAX 10000

enum predict_state {
    PREDICT_LOAD,
    PREDICT_PROBE,
    PREDICT_BUILD,
    PREDICT_TOKENS, /* where only the server can tokenise */
    PREDICT_PACK,
    PREDICT_ASK,
    PREDICT_DONE
};

struct predict {
    /* in; texts are borrowed until `done` */
    int64_t job;
    const char *const *text_a, *const *text_b; /* text_b: NULL, or n entries */
    size_t n;
    int64_t owner; /* user id of who asks; -1 = not known */
    struct op *wake;

    /* facts */
    bool done;
    enum bbt_rc rc; /* NOTFOUND: no such job; CONFLICT: it has no prompt yet */
    struct bbt_err err;
    const char *const *label; /* names of the `labels` classes */
    size_t labels;
    double *prob; /* n x labels, over the label words */

    /* own */
    struct engine *engine;
    struct op op;
    enum predict_state state;
    bool drop;
    struct port_call work;
    struct job_spec *spec;
    struct rec_result result;
    struct endpoint *ep;
    struct endpoint_model *model;
    struct task_input input; /* the model's, copied for the worker */
    struct sched_flow flow;
    struct till_account account;
    struct probe probe;
    struct task *task;
    struct task_set set;
    struct lex lex;
    struct lex_wants wants;
    struct lexer lexer;
    const char **names;
    struct round round;
};

/* Zeroed by the caller before the "in" fields are set. */
void predict_start(struct predict *p, struct engine *e);
void predict_drop(struct predict *p); /* a wish: still ends in `done` */
void predict_fini(struct predict *p); /* only when done */

#endif
