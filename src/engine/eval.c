#include "engine/eval.h"

#include "base/alloc.h"
#include "base/killpoint.h"
#include "engine/lookup.h"
#include "engine/render.h"
#include "prov/reader.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Questions that are put to the cache at once: each holds its parts meanwhile. */
#define LOOKING_MAX 16

/* A question at the cache. */
struct eval_look {
    struct lookup l;
    struct prov_http req;
};

static const struct task_batch *eval_batch(const struct eval *e)
{
    return &e->round->set->batch[e->batch];
}

void eval_ask(const struct round *r, size_t cand, size_t batch, struct prov_ask *ask)
{
    size_t cells = r->rows * r->hidden;

    *ask = (struct prov_ask){
        .batch = &r->set->batch[batch].wire,
        .prompt = r->prompt ? r->prompt + cand * cells : NULL,
        .prompt_rows = r->prompt ? r->rows : 0,
        .hidden = r->hidden,
        .compose = r->compose,
        .prompt_at = r->at,
        .label_ids = r->label_ids,
        .label_text = r->label_text,
        .labels = r->labels,
    };
}

static void ask_of(const struct eval *e, struct prov_ask *ask)
{
    eval_ask(e->round, e->cand, e->batch, ask);
    ask->id = e->id;
}

static enum bbt_rc encode_from_parts(struct eval *e, const struct prov_ask *ask,
    struct prov_http *ret, struct bbt_err *err)
{
    struct round *r = e->round;
    const struct prov_adapter *a = r->ep->adapter;
    const struct prov_part *batch, *prompt = NULL;
    enum bbt_rc rc;

    rc = parts_use(r->batches, e->batch, a->part_batch, r->model, ask, &batch, err);
    if (rc == BBT_OK && batch) {
        rc = parts_use(&r->prompts, e->cand, a->part_prompt, r->model, ask, &prompt, err);
        if (!prompt)
            parts_drop(r->batches, e->batch);
    }
    if (rc != BBT_OK)
        return rc;
    if (!prompt) /* the model was probed anew while requests are on the wire */
        return prov_encode(a, r->model, ask, ret, err);
    e->lent = true;
    return a->encode(r->model, ask, batch, prompt, ret, err);
}

static void eval_unlend(struct query *c)
{
    struct eval *e = bbt_container(c, struct eval, query);

    if (!e->lent)
        return;
    e->lent = false;
    parts_drop(e->round->batches, e->batch);
    parts_drop(&e->round->prompts, e->cand);
}

static enum bbt_rc eval_encode(struct query *c, struct prov_http *ret, struct bbt_err *err)
{
    struct eval *e = bbt_container(c, struct eval, query);
    struct prov_ask ask;
    enum bbt_rc rc;

    ask_of(e, &ask);
    BBT_KILLPOINT("send");
    rc = encode_from_parts(e, &ask, ret, err);
    if (rc != BBT_OK)
        eval_unlend(c);
    return rc;
}

static void eval_feed(struct query *c, const struct prov_reply *reply)
{
    struct eval *e = bbt_container(c, struct eval, query);
    struct prov_ask ask;

    if (!reply->body) {
        ask_of(e, &ask);
        if (!e->reader)
            e->reader = bbt_calloc(1, sizeof *e->reader);
        if (e->reader)
            prov_reader_begin(e->reader, c->ep->adapter, e->round->model, &ask, reply);
    } else if (e->reader) {
        prov_reader_feed(e->reader, reply->body, reply->len);
    }
}

static void eval_over_wire(struct query *c)
{
    struct eval *e = bbt_container(c, struct eval, query);

    prov_reader_fini(e->reader);
    bbt_free(e->reader);
    e->reader = NULL;
    eval_unlend(c);
}

static enum bbt_rc eval_decode(
    struct query *c, const struct prov_reply *reply, struct bbt_err *err)
{
    struct eval *e = bbt_container(c, struct eval, query);
    size_t rows = eval_batch(e)->wire.rows;
    struct prov_answer a = {0};
    enum bbt_rc rc;

    (void)reply;
    BBT_KILLPOINT("answer-came");
    if (!e->reader)
        return bbt_fail(err, BBT_NOMEM, "no memory to read an answer");
    rc = prov_reader_finish(e->reader, &a, err);
    if (rc != BBT_OK)
        return rc;
    /* the pair of the check on the way out: an answer of another shape is never used */
    assert(a.rows == rows && a.labels == e->round->labels);
    e->row.rows = (uint32_t)a.rows;
    e->row.labels = (uint32_t)a.labels;
    e->row.tokens_in = a.tokens_in < UINT32_MAX ? (uint32_t)a.tokens_in : UINT32_MAX;
    e->row.tokens_out = a.tokens_out < UINT32_MAX ? (uint32_t)a.tokens_out : UINT32_MAX;
    e->row.logit = a.logit;
    c->spent = a.tokens_in + a.tokens_out;
    c->spent_out = a.tokens_out;
    a.logit = NULL;
    prov_answer_fini(&a);
    return BBT_OK;
}

static struct rec_mark mark_of(const struct eval *e, uint32_t tries)
{
    const struct round *r = e->round;

    return (struct rec_mark){r->job, r->phase, r->gen, e->cand, e->row.batch, tries};
}

static void run_mark(struct port_call *p, struct port_db *db)
{
    struct eval *e = bbt_container(p, struct eval, query.keep.call);
    struct rec_mark m = mark_of(e, e->row.repeated + 1);

    BBT_KILLPOINT("mark-put");
    p->rc = port_db_mark_put(db, &m, &p->err);
    BBT_KILLPOINT("mark-done");
}

/* Back to what it was: nothing, or what crashes had left. */
static enum bbt_rc unmark(
    const struct eval *e, struct port_db *db, struct bbt_err *err)
{
    struct rec_mark m = mark_of(e, e->row.repeated);

    return m.tries ? port_db_mark_put(db, &m, err) : port_db_mark_drop(db, &m, err);
}

/* The request did not leave after all. */
static void run_unmark(struct port_call *p, struct port_db *db)
{
    struct eval *e = bbt_container(p, struct eval, query.keep.call);

    BBT_KILLPOINT("unmark");
    p->rc = unmark(e, db, &p->err);
    BBT_KILLPOINT("unmark-done");
}

/* The request came back without an answer: what is asked later is asked for the first time. */
static void run_forget(struct port_call *p, struct port_db *db)
{
    struct eval *e = bbt_container(p, struct eval, put.call);

    BBT_KILLPOINT("forget");
    p->rc = unmark(e, db, &p->err);
    BBT_KILLPOINT("forget-done");
}

static void run_put(struct port_call *p, struct port_db *db)
{
    struct eval *e = bbt_container(p, struct eval, put.call);

    BBT_KILLPOINT("answer-put");
    p->rc = port_db_answer_put(db, &e->row, &p->err);
    BBT_KILLPOINT("answer-done");
    if (p->rc == BBT_CONFLICT)
        p->rc = BBT_OK; /* an earlier answer of the same question is there already */
    if (p->rc == BBT_OK && e->keyed && e->round->cache_write && e->row.attempts > 0)
        port_cache_put(db, e->key, &e->row);
}

static void eval_over(struct eval *e)
{
    struct round *r = e->round;

    e->over = true;
    if (--r->pairs_left[e->cand] == 0)
        parts_forget(&r->prompts, e->cand);
    r->running--;
    op_wake(&r->op);
}

static void eval_keep(
    struct eval *e, void (*run)(struct port_call *p, struct port_db *db))
{
    e->storing = true;
    e->put = (struct keep){.run = run, .ill = e->round->ep->ill, .wake = &e->op};
    keep_start(&e->put, e->round->q);
    if (e->round->hard)
        keep_drop(&e->put);
}

/* The mark goes, unless the wire was cut with the answer perhaps on its way. */
static void eval_refused(struct eval *e)
{
    struct round *r = e->round;

    if (!r->failed && e->query.shrink)
        r->shrink = e->query.rows;
    round_fail(r, e->query.rc, &e->query.err, e->query.reason);
    if (r->job == 0 || !e->query.gated || r->hard) {
        eval_over(e);
        return;
    }
    e->refused = true;
    eval_keep(e, run_forget);
}

/* ---- the response cache ---- */

/* False where it cannot be looked up; the query then says why, if it matters. */
static bool look(struct eval *e)
{
    struct round *r = e->round;
    struct prov_ask ask;

    e->look = bbt_calloc(1, sizeof *e->look);
    if (!e->look)
        return false;
    ask_of(e, &ask);
    ask.id = NULL; /* the same question of another job is the same question */
    if (encode_from_parts(e, &ask, &e->look->req, NULL) != BBT_OK) {
        eval_unlend(&e->query);
        bbt_free(e->look);
        e->look = NULL;
        return false;
    }
    e->row.rows = (uint32_t)ask.batch->rows;
    e->row.labels = (uint32_t)ask.labels;
    e->look->l = (struct lookup){
        .req = &e->look->req,
        .dialect = r->ep->adapter->name,
        .fingerprint = r->fingerprint,
        .get = r->cache_read,
        .row = &e->row,
        .wake = &e->op,
    };
    lookup_start(&e->look->l, r->q);
    return true;
}

static void eval_looked(struct eval *e)
{
    struct round *r = e->round;
    bool hit = e->look->l.hit;

    e->keyed = e->look->l.keyed;
    memcpy(e->key, e->look->l.key, sizeof e->key);
    lookup_fini(&e->look->l);
    prov_http_fini(&e->look->req);
    eval_unlend(&e->query);
    bbt_free(e->look);
    e->look = NULL;
    r->looking--;
    if (r->failed) {
        eval_over(e);
    } else if (hit) {
        r->cached++;
        e->row.attempts = 0;
        e->row.wall_us = port_wall_us();
        eval_keep(e, run_put);
    } else {
        query_start(&e->query);
    }
    eval_look_more(r);
}

/* The next questions; a round that has failed asks nobody any more. */
void eval_look_more(struct round *r)
{
    while (r->look_at < r->evals && (r->failed || r->looking < LOOKING_MAX)) {
        struct eval *e = &r->eval[r->look_at++];

        if (r->failed)
            eval_over(e);
        else if (look(e))
            r->looking++;
        else
            query_start(&e->query);
    }
}

static void eval_take(struct eval *e)
{
    round_take(e->round, eval_batch(e)->first, &e->row);
    e->round->left--;
}

static void eval_step(struct op *op)
{
    struct eval *e = bbt_container(op, struct eval, op);
    struct round *r = e->round;

    if (e->look) {
        if (e->look->l.done)
            eval_looked(e);
        return;
    }
    if (e->over || (!e->storing && !e->query.done))
        return;
    if (!e->storing) {
        r->failures += e->query.failures;
        if (e->query.rc != BBT_OK) {
            eval_refused(e);
            return;
        }
        r->tokens_in += e->row.tokens_in;
        if (r->job == 0) {
            eval_take(e);
            eval_over(e);
            return;
        }
        BBT_KILLPOINT("answer-decoded");
        e->row.cost = e->query.bill.cost;
        e->row.claim = r->account ? &e->query.bill.claim : NULL;
        e->row.attempts = e->query.tries;
        e->row.latency_us = e->query.latency_us;
        e->row.wall_us = port_wall_us();
        eval_keep(e, run_put);
        return;
    }
    if (!e->put.done)
        return;
    BBT_KILLPOINT("answer-kept");
    till_booked(&e->query.bill, e->put.call.rc == BBT_OK);
    if (e->refused) {
        eval_over(e);
        return;
    }
    if (e->put.call.rc == BBT_OK)
        eval_take(e);
    else
        round_fail(r, e->put.call.rc, &e->put.call.err, NULL);
    eval_over(e);
}

/* How often crashes may have lost the answer. */
static uint32_t tries_before(const struct round *r, uint32_t cand, uint32_t number)
{
    for (size_t i = 0; i < r->marks_n; i++)
        if (r->marks[i].cand == cand && r->marks[i].batch == number)
            return r->marks[i].tries;
    return 0;
}

/* Tokens that the server will read, as far as we see them. */
static uint64_t cost_of(const struct round *r, uint32_t batch)
{
    const struct prov_batch *b = &r->set->batch[batch].wire;
    uint64_t n = r->prompt && r->compose == PROV_PREPEND ? b->rows * r->rows : 0;

    for (size_t i = 0; i < b->rows; i++)
        n += b->text ? render_guess(b->text[i]) : (uint64_t)b->len[i];
    return n;
}

/* What the server may count more: a token has at least one byte of its text, and there is what
 * it puts around an example by itself. */
static uint64_t cost_more(const struct round *r, uint32_t batch)
{
    const struct prov_batch *b = &r->set->batch[batch].wire;
    uint64_t n = round_generates(r->ep->adapter) ? b->rows * ROUND_SLACK : 0;

    for (size_t i = 0; b->text && i < b->rows; i++) {
        size_t bytes = strlen(b->text[i]), guess = render_guess(b->text[i]);

        n += bytes > guess ? bytes - guess : 0;
    }
    return n;
}

void eval_start(struct eval *e, struct round *r, uint32_t cand, uint32_t batch)
{
    const struct task_batch *b = &r->set->batch[batch];

    e->round = r;
    e->cand = cand;
    e->batch = batch;
    op_init(&e->op, r->q, eval_step);
    e->row = (struct rec_answer){
        .job = r->job,
        .phase = r->phase,
        .gen = r->gen,
        .cand = cand,
        .batch = b->number,
        .digest = (r->digest ? r->digest[cand] : 0) ^ b->digest, /* this prompt, these rows */
        .repeated = tries_before(r, cand, b->number),
    };
    (void)snprintf(e->id, sizeof e->id, "j%lld-%s-g%llu-c%u-b%u", (long long)r->job,
        rec_phase_name(r->phase), (unsigned long long)r->gen, cand, b->number);
    e->query = (struct query){
        .ep = r->ep,
        .flow = r->flow,
        .cost = cost_of(r, batch),
        .rows = b->wire.rows,
        .encode = eval_encode,
        .feed = eval_feed,
        .over = eval_over_wire,
        .decode = eval_decode,
        .account = r->account,
        .cost_more = cost_more(r, batch),
        .cost_out = round_generates(r->ep->adapter) ? b->wire.rows : 0,
        .ledger = r->job != 0,
        .gate = r->job ? run_mark : NULL,
        .ungate = r->job ? run_unmark : NULL,
        .wake = &e->op,
    };
    query_init(&e->query, r->q);
    r->running++;
    r->pairs_left[cand]++;
    if (!r->cache_read && !r->cache_write)
        query_start(&e->query);
}

void eval_abort(struct eval *e)
{
    query_abort(&e->query);
    keep_drop(&e->put);
}

void eval_fini(struct eval *e)
{
    query_fini(&e->query);
    keep_fini(&e->put);
    op_fini(&e->op);
    bbt_free(e->row.logit);
}
