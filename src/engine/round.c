#include "engine/round.h"

#include "base/alloc.h"
#include "base/killpoint.h"
#include "engine/eval.h"

#include <assert.h>
#include <string.h>

void round_take(struct round *r, size_t first, const struct rec_answer *a)
{
    size_t at = a->cand * r->set->n + first;

    for (size_t i = 0; i < a->rows; i++) {
        if (r->from[at + i] <= a->batch && r->from[at + i] != ROUND_NONE)
            continue;
        r->from[at + i] = a->batch;
        memcpy(r->logit + (at + i) * r->labels, a->logit + i * r->labels,
            r->labels * sizeof *a->logit);
    }
}

void round_fail(struct round *r, enum bbt_rc rc, const struct bbt_err *err,
    const char *reason)
{
    if (!r->failed) {
        r->failed = true;
        r->rc = rc;
        if (err)
            r->err = *err;
        r->reason = reason;
        /* once: thousands of dropped questions each come here again */
        for (size_t i = 0; i < r->evals; i++)
            if (!r->eval[i].over && r->eval[i].query.state != QUERY_IDLE)
                query_drop(&r->eval[i].query);
    }
}

/* Where the rows of an answer from the ledger stand; SIZE_MAX where it is about others, or about
 * another prompt. */
static size_t find_rows(const struct round *r, const struct rec_answer *a)
{
    const struct task_set *set = r->set;
    size_t per = a->batch / RENDER_PLACES, place = a->batch % RENDER_PLACES, first;
    uint64_t digest = a->digest ^ (r->digest ? r->digest[a->cand] : 0);

    if (per == 0) { /* of version 7 of the schema: the number was the place */
        if (place >= set->batches || set->batch[place].wire.rows != a->rows ||
            set->batch[place].digest_7 != digest)
            return SIZE_MAX;
        return set->batch[place].first;
    }
    first = per * place;
    if (first > set->n || a->rows > set->n - first ||
        render_digest(set->row + first, a->rows) != digest)
        return SIZE_MAX;
    return first;
}

static void take_known(struct round *r)
{
    for (size_t i = 0; i < r->known_n; i++) {
        const struct rec_answer *a = &r->known[i];
        size_t first = a->cand < r->n && a->labels == r->labels ? find_rows(r, a) : SIZE_MAX;

        if (first != SIZE_MAX)
            round_take(r, first, a);
    }
}

static bool is_known(const struct round *r, uint32_t cand, const struct task_batch *b)
{
    const uint32_t *from = r->from + cand * r->set->n + b->first;

    for (size_t i = 0; i < b->wire.rows; i++)
        if (from[i] == ROUND_NONE)
            return false;
    return true;
}

bool round_generates(const struct prov_adapter *a)
{
    return strcmp(a->name, "kserve2") != 0;
}

static void ask_missing(struct round *r)
{
    take_known(r);
    for (uint32_t c = 0; c < r->n; c++)
        for (uint32_t b = 0; b < r->set->batches; b++)
            if (is_known(r, c, &r->set->batch[b]))
                r->left--;
            else
                eval_start(&r->eval[r->evals++], r, c, b);
    r->sent_first = r->evals;
    if (r->cache_read || r->cache_write)
        eval_look_more(r);
}

/* ---- parts, before the first question ---- */

static void ask_batch(const void *arg, size_t i, struct prov_ask *ret)
{
    eval_ask(arg, 0, i, ret);
}

static void ask_prompt(const void *arg, size_t i, struct prov_ask *ret)
{
    eval_ask(arg, i, 0, ret);
}

/* False where nothing is to be made: then it is done without. */
static bool make_parts(struct round *r)
{
    if (r->set->batches == 0)
        return false;
    r->make = (struct making){
        .adapter = r->ep->adapter,
        .model = r->model,
        .batches = r->batches,
        .prompts = &r->prompts,
        .ask_batch = ask_batch,
        .ask_prompt = ask_prompt,
        .arg = r,
        .wake = &r->op,
    };
    r->making = making_start(&r->make, r->q, NULL) == BBT_OK;
    return r->making;
}

static void run_load(struct port_call *p, struct port_db *db)
{
    struct round *r = bbt_container(p, struct round, load);

    p->rc = port_db_answers(
        db, r->job, r->phase, r->gen, &r->known, &r->known_n, &p->err);
    if (p->rc == BBT_OK)
        p->rc = port_db_marks(
            db, r->job, r->phase, r->gen, &r->marks, &r->marks_n, &p->err);
}

static void round_step(struct op *op)
{
    struct round *r = bbt_container(op, struct round, op);

    if (r->done)
        return;
    if (r->loading) {
        if (!r->load.done)
            return;
        r->loading = false;
        if (r->load.rc != BBT_OK)
            round_fail(r, r->load.rc, &r->load.err, NULL);
        else if (!r->failed && !make_parts(r))
            ask_missing(r);
    }
    if (r->making) {
        if (!r->make.done)
            return;
        r->making = false;
        if (!r->failed)
            ask_missing(r);
    }
    if (r->running > 0)
        return;
    BBT_KILLPOINT("round-over");
    r->done = true;
    if (r->left == 0)
        r->rc = BBT_OK;
    op_wake(r->wake);
}

enum bbt_rc round_start(struct round *r, struct turnq *q, struct bbt_err *err)
{
    size_t pairs = r->n * r->set->batches;

    _Static_assert(ROUND_PAIRS_MAX <= RENDER_PLACES, "each batch of a round has a place");
    op_init(&r->op, q, round_step);
    r->q = q;
    if (r->n == 0 || pairs / r->n != r->set->batches ||
        (r->set->n && r->labels > SIZE_MAX / r->set->n / r->n))
        return bbt_fail(err, BBT_INVALID, "a round of %zu prompts is too large", r->n);
    if (pairs > ROUND_PAIRS_MAX)
        return bbt_fail(err, BBT_INVALID,
            "%zu prompts on %zu batches are %zu requests, the most at once is %u (give fewer "
            "examples, a smaller optimizer.popsize or a larger batch)",
            r->n, r->set->batches, pairs, ROUND_PAIRS_MAX);
    r->logit = bbt_alloc_array(r->n * r->set->n * r->labels, sizeof *r->logit);
    r->eval = bbt_calloc(pairs, sizeof *r->eval);
    r->pairs_left = bbt_calloc(r->n, sizeof *r->pairs_left);
    r->from = bbt_alloc_array(r->n * r->set->n, sizeof *r->from);
    if (!r->logit || !r->eval || !r->pairs_left || !r->from)
        return bbt_fail(err, BBT_NOMEM, "no memory for %zu requests", pairs);
    memset(r->from, 0xff, r->n * r->set->n * sizeof *r->from); /* ROUND_NONE */
    if (parts_init(&r->prompts, r->n, err) != BBT_OK)
        return BBT_NOMEM;
    if (!r->batches) {
        r->batches = &r->own_batches;
        if (parts_init(r->batches, r->set->batches, err) != BBT_OK)
            return BBT_NOMEM;
    }
    r->left = pairs;
    if (r->job == 0 || !port_cache())
        r->cache_read = r->cache_write = false;
    if (r->fresh || r->job == 0) {
        if (!make_parts(r))
            ask_missing(r);
        op_wake(&r->op); /* an empty round is over at once */
        return BBT_OK;
    }
    r->loading = true;
    r->load = (struct port_call){.run = run_load, .wake = &r->op};
    port_db_run(&r->load);
    return BBT_OK;
}

void round_drop(struct round *r, bool hard)
{
    if (r->done || !r->op.q)
        return;
    round_fail(r, BBT_CANCELED, NULL, NULL);
    r->hard = r->hard || hard;
    for (size_t i = 0; hard && i < r->evals; i++)
        if (!r->eval[i].over)
            eval_abort(&r->eval[i]);
    op_wake(&r->op);
}

void round_fini(struct round *r)
{
    for (size_t i = 0; i < r->evals; i++)
        eval_fini(&r->eval[i]);
    bbt_free(r->eval);
    bbt_free(r->pairs_left);
    bbt_free(r->from);
    making_fini(&r->make);
    parts_fini(&r->own_batches);
    parts_fini(&r->prompts);
    bbt_free(r->logit);
    rec_answers_free(r->known, r->known_n);
    bbt_free(r->marks);
    if (r->op.q)
        op_fini(&r->op);
    *r = (struct round){0};
}
