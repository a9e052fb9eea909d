/* api_result.c -- what a job brought: curve, events, score sheet, prompt, predictions. */
#include "api.h"

#include "base/alloc.h"
#include "engine/predict.h"
#include "loop/loop.h"
#include "num/npy.h"
#include "num/safetens.h"
#include "store/st_event.h"
#include "store/st_gen.h"
#include "store/st_job.h"

#include <stdio.h>
#include <string.h>

/* ---- lists ---- */

struct rows_api {
    struct api a;
    int64_t after;
    size_t limit;
};

static struct rows_api *open_rows(struct web_req *r, void *arg)
{
    int64_t id = api_id(r);
    struct rows_api *s = id ? (struct rows_api *)(void *)api_new(r, arg, sizeof *s) : NULL;

    if (!s)
        return NULL;
    s->a.id = id;
    s->after = api_number(r, "after", -1, -1, INT64_MAX - 1);
    s->limit = (size_t)api_number(r, "limit", 10000, 1, 100000);
    return s;
}

static json_t *list_of(const char *kind, json_t *items)
{
    return json_pack("{s:s, s:s, s:o}", "apiVersion", "v1", "kind", kind, "items", items);
}

static void run_gens(struct port_call *c, struct port_db *db)
{
    struct rows_api *s = bbt_container(c, struct rows_api, a.call);
    struct store *st = (struct store *)db;
    struct rec_gen *g = NULL;
    struct rec_job job;
    json_t *items;
    size_t n = 0;

    c->rc = store_job_get(st, s->a.id, &job, NULL, &c->err);
    if (c->rc == BBT_OK)
        c->rc = store_gen_list(
            st, s->a.id, (uint64_t)(s->after + 1), s->limit, &g, &n, &c->err);
    if (c->rc != BBT_OK)
        return;
    items = json_array();
    for (size_t i = 0; i < n; i++)
        json_add(&items, api_view_gen(&g[i]));
    rec_gens_free(g, n);
    s->a.json = list_of("GenerationList", items);
}

void api_job_generations(struct web_req *r, void *arg)
{
    struct rows_api *s = open_rows(r, arg);

    if (s)
        api_db(&s->a, run_gens);
}

static void run_events(struct port_call *c, struct port_db *db)
{
    struct rows_api *s = bbt_container(c, struct rows_api, a.call);
    struct store *st = (struct store *)db;
    struct rec_event *e = NULL;
    struct rec_job job;
    json_t *items;
    size_t n = 0;

    c->rc = store_job_get(st, s->a.id, &job, NULL, &c->err);
    if (c->rc == BBT_OK)
        c->rc = store_event_list(st, s->a.id, s->after < 0 ? 0 : s->after, s->limit, &e, &n,
            &c->err);
    if (c->rc != BBT_OK)
        return;
    items = json_array();
    for (size_t i = 0; i < n; i++)
        json_add(&items, api_view_event(&e[i]));
    bbt_free(e);
    s->a.json = list_of("EventList", items);
}

void api_job_events(struct web_req *r, void *arg)
{
    struct rows_api *s = open_rows(r, arg);

    if (s)
        api_db(&s->a, run_events);
}

/* ---- result and prompt ---- */

struct result_api {
    struct api a;
    struct rec_result res;
    bool safetensors;
    bool prompt;
    struct bbt_buf file;
};

static void result_free(struct api *a)
{
    struct result_api *s = bbt_container(a, struct result_api, a);

    rec_result_fini(&s->res);
    buf_fini(&s->file);
}

static enum bbt_rc write_prompt(struct result_api *s, struct bbt_err *err)
{
    size_t shape[2] = {s->res.rows, s->res.hidden};
    struct safetens_out t = {.name = "prompt_embeddings", .rank = 2, .data = s->res.prompt};
    json_t *meta;
    char job[32];
    enum bbt_rc rc;

    if (!s->res.prompt)
        return bbt_fail(err, BBT_NOTFOUND, "the job has no tuned prompt");
    if (!s->safetensors)
        return npy_write(s->res.prompt, 2, shape, &s->file, err);
    (void)snprintf(job, sizeof job, "%lld", (long long)s->a.id);
    meta = json_pack("{s:s, s:s}", "format", "pt", "bbtd_job", job);
    memcpy(t.shape, shape, sizeof shape);
    rc = meta ? safetens_write(&t, 1, meta, &s->file, err)
              : bbt_fail(err, BBT_NOMEM, "no memory for the prompt's metadata");
    json_decref(meta);
    return rc;
}

static void run_result(struct port_call *c, struct port_db *db)
{
    struct result_api *s = bbt_container(c, struct result_api, a.call);
    struct store *st = (struct store *)db;
    struct rec_job job;

    c->rc = store_job_get(st, s->a.id, &job, NULL, &c->err);
    if (c->rc == BBT_OK) {
        c->rc = store_result_get(st, s->a.id, &s->res, &c->err);
        if (c->rc == BBT_NOTFOUND)
            c->rc = bbt_fail(&c->err, BBT_CONFLICT, "job %lld is %s: it has no result yet",
                (long long)s->a.id, rec_state_name(job.state));
    }
    if (c->rc == BBT_OK && s->prompt)
        c->rc = write_prompt(s, &c->err);
    else if (c->rc == BBT_OK)
        c->rc = json_parse(
            s->res.json, strlen(s->res.json), "result", &s->a.json, &c->err);
}

static struct result_api *open_result(struct web_req *r, void *arg)
{
    int64_t id = api_id(r);
    struct result_api *s =
        id ? (struct result_api *)(void *)api_new(r, arg, sizeof *s) : NULL;

    if (!s)
        return NULL;
    s->a.id = id;
    s->a.free = result_free;
    buf_init(&s->file, SIZE_MAX);
    return s;
}

void api_job_result(struct web_req *r, void *arg)
{
    struct result_api *s = open_result(r, arg);

    if (s)
        api_db(&s->a, run_result);
}

/* The file itself, not JSON: the answer is taken over from api_db()'s. */
static void prompt_step(struct op *op)
{
    struct result_api *s = bbt_container(op, struct result_api, a.op);

    if (!s->a.call.done)
        return;
    if (s->a.call.rc != BBT_OK) {
        api_fail(&s->a, s->a.call.rc, &s->a.call.err);
        return;
    }
    web_reply_take(s->a.r, 200, "application/octet-stream", &s->file);
    api_free(&s->a);
}

void api_job_prompt(struct web_req *r, void *arg)
{
    const char *format = web_query(r, "format");
    bool safetensors = !format || strcmp(format, "safetensors") == 0;
    struct result_api *s;

    if (!safetensors && strcmp(format, "npy") != 0) {
        api_problem(r, BBT_INVALID, "format: safetensors or npy");
        return;
    }
    s = open_result(r, arg);
    if (!s)
        return;
    s->prompt = true;
    s->safetensors = safetensors;
    op_init(&s->a.op, loop_turnq(s->a.d->loop), prompt_step);
    s->a.call = (struct port_call){.run = run_result, .wake = &s->a.op};
    port_db_run(&s->a.call);
}

/* ---- predictions ---- */

struct predict_api {
    struct api a;
    json_t *body; /* texts are lent from here */
    const char **text_a, **text_b;
    struct predict p;
};

static void predict_free(struct api *a)
{
    struct predict_api *s = bbt_container(a, struct predict_api, a);

    predict_fini(&s->p);
    bbt_free(s->text_a);
    bbt_free(s->text_b);
    json_decref(s->body);
}

static void predict_end_soon(struct api *a)
{
    predict_drop(&bbt_container(a, struct predict_api, a)->p);
}

static json_t *prediction(const struct predict *p, size_t i)
{
    json_t *probs = json_object();
    size_t top = 0;

    for (size_t c = 0; c < p->labels; c++) {
        double v = p->prob[i * p->labels + c];

        json_put(&probs, p->label[c], json_real(v));
        if (v > p->prob[i * p->labels + top])
            top = c;
    }
    return json_pack("{s:s, s:o}", "label", p->label[top], "probabilities", probs);
}

static void predict_done(struct op *op)
{
    struct predict_api *s = bbt_container(op, struct predict_api, a.op);
    json_t *items;

    if (!s->p.done)
        return;
    if (s->p.rc != BBT_OK) {
        api_fail(&s->a, s->p.rc, &s->p.err);
        return;
    }
    items = json_array();
    for (size_t i = 0; i < s->p.n; i++)
        json_add(&items, prediction(&s->p, i));
    s->a.json = list_of("PredictionList", items);
    api_json(&s->a);
}

/* Each item is a text, or {"text": ..., "text_b": ...}. */
static bool read_texts(struct predict_api *s, const json_t *texts, size_t n)
{
    bool pairs = false;

    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(texts, i);

        s->text_a[i] = json_is_object(v)
            ? json_get_str(v, "text", json_get_str(v, "text_a", NULL))
            : json_string_value(v);
        s->text_b[i] = json_is_object(v) ? json_get_str(v, "text_b", NULL) : NULL;
        pairs = pairs || s->text_b[i];
        if (!s->text_a[i])
            return false;
    }
    s->p.text_b = pairs ? s->text_b : NULL;
    return true;
}

void api_job_predict(struct web_req *r, void *arg)
{
    int64_t id = api_id(r);
    json_t *body = id ? api_body(r) : NULL;
    const json_t *texts = body ? json_object_get(body, "texts") : NULL;
    size_t n = json_array_size(texts);
    struct predict_api *s;

    if (!body)
        return;
    s = (struct predict_api *)(void *)api_new(r, arg, sizeof *s);
    if (!s) {
        json_decref(body);
        return;
    }
    s->a.free = predict_free;
    s->body = body;
    s->text_a = bbt_alloc_array(n, sizeof *s->text_a);
    s->text_b = bbt_alloc_array(n, sizeof *s->text_b);
    if (!s->text_a || !s->text_b || n == 0 || n > PREDICT_TEXTS_MAX ||
        !read_texts(s, texts, n)) {
        if (!s->text_a || !s->text_b)
            api_problem(r, BBT_NOMEM, "no memory for the texts");
        else
            api_problem(r, BBT_INVALID,
                "texts: 1 to 10000 texts, or objects with text and text_b");
        s->p.state = PREDICT_DONE;
        api_free(&s->a);
        return;
    }
    s->p.job = id;
    s->p.text_a = s->text_a;
    s->p.n = n;
    s->p.owner = web_peer_uid(r);
    op_init(&s->a.op, loop_turnq(s->a.d->loop), predict_done);
    s->p.wake = &s->a.op;
    s->a.drop = predict_end_soon;
    predict_start(&s->p, s->a.d->engine);
}
