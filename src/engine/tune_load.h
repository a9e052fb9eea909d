/* tune_load.h -- first part of a job's story: from its row in the store to an open
 * generation. See tune.h for the picture; each function starts one step. */
#ifndef ENGINE_TUNE_LOAD_H
#define ENGINE_TUNE_LOAD_H

#include "engine/tune.h"

/* ---- shared by the parts of the story (tune.c) ---- */

/* Changes the state; asserts that the picture has such an arrow. */
void tune_move(struct tune *t, enum tune_state to);

/* Moves to `to` and runs `run` on a worker; c is &tune.work. */
void tune_work(struct tune *t, enum tune_state to,
    void (*run)(struct port_call *c, struct port_db *db));

/* Moves to `to` and writes; c is &tune.keep.call, and `run` may run several times. */
void tune_keep(struct tune *t, enum tune_state to,
    void (*run)(struct port_call *c, struct port_db *db));

/* True where the search has come to a limit of the job that ends it: what is best so far is
 * measured and kept. */
bool tune_limited(const struct tune *t);

/* Opens the job's queue at its endpoint, with the share that its priority gives it. */
void tune_open_flow(struct tune *t);

/* Questions of one step. */
struct tune_ask {
    enum rec_phase phase;
    uint64_t gen;
    const struct task_set *set;
    const float *prompt; /* n prompts; NULL: the plain text, n is 1 */
    const uint64_t *digest;
    size_t n;
    bool fresh;
};

/* Moves to `to` and asks every prompt on every batch of the set. */
void tune_ask(struct tune *t, enum tune_state to, const struct tune_ask *ask);

/* Ends the story in trouble: with a reason the job pauses, without one it fails where its
 * input is wrong; where the store is ill nothing is written. */
void tune_stop(
    struct tune *t, enum bbt_rc rc, const struct bbt_err *err, const char *reason);
void tune_over(struct tune *t, enum bbt_rc rc);

/* ---- steps ---- */

void tune_load(struct tune *t);
void tune_loaded(struct tune *t);
void tune_build(struct tune *t);
void tune_built(struct tune *t);
void tune_lexed(struct tune *t);  /* the server's tokeniser has answered */
void tune_packed(struct tune *t);
void tune_search(struct tune *t);
void tune_searched(struct tune *t);

#endif
