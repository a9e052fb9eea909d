#include "base/record.h"

#include "base/alloc.h"

#include <string.h>

static const char *const states[REC_STATE_NR] = {
    "queued", "running", "paused", "completed", "failed", "cancelled", "deleted"};

static const char *const phases[REC_PHASE_NR] = {
    "train", "dev", "test", "manual", "calibrate", "probe", "predict",
    "context"};

const char *rec_state_name(enum rec_state s)
{
    return (unsigned)s < REC_STATE_NR ? states[s] : "unknown";
}

enum rec_state rec_state_parse(const char *name)
{
    for (unsigned i = 0; i < REC_STATE_NR; i++)
        if (strcmp(name, states[i]) == 0)
            return (enum rec_state)i;
    return REC_STATE_NR;
}

const char *rec_phase_name(enum rec_phase p)
{
    return (unsigned)p < REC_PHASE_NR ? phases[p] : "unknown";
}

void rec_gen_fini(struct rec_gen *g)
{
    bbt_free(g->cand);
    bbt_free(g->loss);
    bbt_free(g->trace);
    *g = (struct rec_gen){0};
}

void rec_gens_free(struct rec_gen *rows, size_t n)
{
    for (size_t i = 0; rows && i < n; i++)
        rec_gen_fini(&rows[i]);
    bbt_free(rows);
}

void rec_answers_free(struct rec_answer *rows, size_t n)
{
    for (size_t i = 0; rows && i < n; i++)
        bbt_free(rows[i].logit);
    bbt_free(rows);
}

void rec_resume_fini(struct rec_resume *r)
{
    bbt_free(r->snapshot);
    rec_gens_free(r->gens, r->gens_nr);
    *r = (struct rec_resume){0};
}

void rec_best_fini(struct rec_best *b)
{
    bbt_free(b->z);
    b->z = NULL;
}

void rec_result_fini(struct rec_result *r)
{
    bbt_free(r->json);
    bbt_free(r->prompt);
    *r = (struct rec_result){0};
}
