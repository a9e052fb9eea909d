#include "task.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "base/op.h"
#include "infer.h"
#include "loop/loop.h"
#include "web/web.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum task_state { TASK_QUEUED, TASK_DECODE, TASK_FORWARD, TASK_ENCODE, TASK_NR };

struct task {
    struct op op;
    enum task_state state;
    struct task_hall *hall;
    struct web_req *web;
    struct task *next; /* while QUEUED */
    bool embedding;
    const void *body; /* lent by the request until it is answered */
    size_t len, head_len;

    /* written by workers; read in the loop when their work is done */
    struct work work;
    struct oip_request request;
    struct query query;
    float *logits;
    struct split split;
    struct bbt_buf answer;
    size_t answer_head;
    enum bbt_rc rc;
    struct bbt_err err;
};

void task_error(struct web_req *r, unsigned status, const char *message)
{
    json_t *doc = json_pack("{s:s}", "error", message);
    char *text = doc ? json_print(doc) : NULL;

    if (status == 503)
        web_reply_header(r, "Retry-After", "1");
    web_reply(r, status, "application/json", text, text ? strlen(text) : 0);
    bbt_free(text);
    json_decref(doc);
}

static void move(struct task *t, enum task_state to)
{
    static const unsigned legal[TASK_NR] = {
        [TASK_QUEUED] = 1u << TASK_DECODE,
        [TASK_DECODE] = 1u << TASK_FORWARD,
        [TASK_FORWARD] = 1u << TASK_ENCODE,
    };

    assert(legal[t->state] & 1u << to);
    t->state = to;
}

/* --- on worker threads --- */

static void run_decode(struct work *work)
{
    struct task *t = bbt_container(work, struct task, work);
    const struct weights *w = t->hall->w;

    t->rc = oip_request_parse(t->body, t->len, t->head_len, &t->request, &t->err);
    if (t->rc != BBT_OK)
        return;
    if (t->embedding) { /* so little to do that it is done here */
        t->rc = infer_embedding(t->hall->embedding_name, &t->request, w, &t->answer,
            &t->answer_head, &t->err);
        return;
    }
    t->rc = infer_query(&t->request, &w->conf, &t->query, &t->err);
    if (t->rc != BBT_OK)
        return;
    t->logits = bbt_alloc_array(t->query.rows * t->query.out_cols, sizeof(float));
    if (!t->logits)
        t->rc = bbt_fail(&t->err, BBT_NOMEM, "no memory for the answer");
}

static void run_encode(struct work *work)
{
    struct task *t = bbt_container(work, struct task, work);

    t->rc = infer_answer(t->hall->name, &t->request, &t->query, t->logits, &t->answer,
        &t->answer_head, &t->err);
}

/* --- in the loop --- */

static void admit(struct task_hall *hall);

static unsigned status_of(const struct task *t)
{
    switch (t->rc) {
    case BBT_INVALID:
        return t->query.too_large ? 413 : 400;
    case BBT_NOMEM:
        return 503; /* later, with less going on, it may fit */
    default:
        return 500;
    }
}

static void reply(struct task *t)
{
    char head[24];

    if (t->rc != BBT_OK) {
        log_debug("infer-refused", "%s", t->err.msg);
        task_error(t->web, status_of(t), t->err.msg);
        return;
    }
    if (t->answer_head == OIP_ALL_JSON) {
        web_reply_take(t->web, 200, "application/json", &t->answer);
        return;
    }
    (void)snprintf(head, sizeof head, "%zu", t->answer_head);
    web_reply_header(t->web, "Inference-Header-Content-Length", head);
    web_reply_take(t->web, 200, "application/octet-stream", &t->answer);
}

static void end(struct task *t)
{
    struct task_hall *hall = t->hall;

    reply(t);
    hall->started--;
    hall->bytes -= t->len;
    split_fini(&t->split);
    query_fini(&t->query);
    oip_request_fini(&t->request);
    buf_fini(&t->answer);
    bbt_free(t->logits);
    op_fini(&t->op);
    bbt_free(t);
    admit(hall);
}

static void start_work(struct task *t, void (*run)(struct work *work))
{
    t->work = (struct work){.run = run, .wake = &t->op};
    work_submit(t->hall->pool, &t->work);
}

static void start_forward(struct task *t)
{
    t->split = (struct split){.w = t->hall->w, .q = &t->query, .out = t->logits,
        .rooms = &t->hall->rooms};
    t->rc = split_start(&t->split, t->hall->pool, t->hall->threads, &t->op, &t->err);
    if (t->rc != BBT_OK)
        end(t);
}

static void task_step(struct op *op)
{
    struct task *t = bbt_container(op, struct task, op);

    switch (t->state) {
    case TASK_QUEUED: /* admit() said that it is our turn */
        move(t, TASK_DECODE);
        start_work(t, run_decode);
        return;
    case TASK_DECODE:
        if (!t->work.done)
            return;
        if (t->rc != BBT_OK || t->embedding || web_gone(t->web)) {
            end(t);
            return;
        }
        move(t, TASK_FORWARD);
        start_forward(t);
        return;
    case TASK_FORWARD:
        if (!split_done(&t->split))
            return;
        t->rc = split_result(&t->split, &t->err);
        if (t->rc != BBT_OK) {
            end(t);
            return;
        }
        move(t, TASK_ENCODE);
        start_work(t, run_encode);
        return;
    case TASK_ENCODE:
        if (t->work.done)
            end(t);
        return;
    case TASK_NR:
        break;
    }
    assert(0);
}

/* Two per thread: while one is computed, the next is read and the last is written. */
static void admit(struct task_hall *hall)
{
    while (hall->first && hall->started < 2 * hall->threads) {
        struct task *t = hall->first;

        hall->first = t->next;
        if (!hall->first)
            hall->last = &hall->first;
        hall->waiting--;
        hall->started++;
        op_wake(&t->op);
    }
}

/* The header's number, OIP_ALL_JSON without one; false where it is no number. */
static bool read_head_len(const struct web_req *r, size_t *ret)
{
    const char *s = web_header(r, "Inference-Header-Content-Length");
    size_t n = 0;

    *ret = OIP_ALL_JSON;
    if (!s)
        return true;
    if (!*s || strlen(s) > 15)
        return false;
    for (; *s; s++) {
        if (*s < '0' || *s > '9')
            return false;
        n = n * 10 + (size_t)(*s - '0');
    }
    *ret = n;
    return true;
}

void task_start(struct task_hall *hall, struct web_req *r, bool embedding)
{
    const char *coding = web_header(r, "Content-Encoding");
    struct task *t;
    size_t len, head_len;
    const void *body = web_body(r, &len);

    if (coding && strcasecmp(coding, "identity")) {
        task_error(r, 400, "compressed requests are not served: leave Content-Encoding out");
        return;
    }
    if (!read_head_len(r, &head_len)) {
        task_error(r, 400, "Inference-Header-Content-Length is not a length");
        return;
    }
    if (hall->waiting >= TASK_WAITING_MAX || hall->bytes + len > TASK_BYTES_MAX) {
        task_error(r, 503, "too many requests are waiting");
        return;
    }
    t = bbt_calloc(1, sizeof *t);
    if (!t) {
        task_error(r, 503, "no memory for this request");
        return;
    }
    t->hall = hall;
    t->web = r;
    t->embedding = embedding;
    t->body = body;
    t->len = len;
    t->head_len = head_len;
    t->answer_head = OIP_ALL_JSON;
    buf_init(&t->answer, INFER_ANSWER_MAX);
    op_init(&t->op, loop_turnq(hall->loop), task_step);
    if (!hall->first)
        hall->last = &hall->first;
    *hall->last = t;
    hall->last = &t->next;
    hall->waiting++;
    hall->bytes += len;
    admit(hall);
}
