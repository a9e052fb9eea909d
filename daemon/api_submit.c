/* api_submit.c -- a new job: its spec is checked, its data is read and rendered once with the
 * model's own tokenizer, and only what would run is taken.
 *
 *   body -> [store: blobs] -> [worker: build the task] -> [store: the row] -> 201 */
#include "api.h"

#include "base/alloc.h"
#include "base/hint.h"
#include "base/killpoint.h"
#include "engine/task.h"
#include "loop/loop.h"
#include "spec/fit.h"
#include "spec/job.h"
#include "store/st_blob.h"
#include "store/st_event.h"
#include "store/st_job.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum submit_step { SUBMIT_BLOBS, SUBMIT_BUILD, SUBMIT_ROW };

struct submit {
    struct api a;
    enum submit_step step;
    bool dry; /* validate only */
    bool estimate; /* and say what it would take */
    bool generates;
    struct plan plan;
    struct job_spec *spec;
    char *canonical;
    char key[STORE_KEY_MAX + 1];
    const struct conf_provider *provider;
    const struct conf_model *model;
    const struct agenda *agenda; /* the provider's; never changes */
    void *bytes[3];
    size_t len[3];
    bool existed;
    struct rec_job row;
};

static void submit_free(struct api *a)
{
    struct submit *s = bbt_container(a, struct submit, a);

    job_spec_free(s->spec);
    bbt_free(s->canonical);
    for (size_t i = 0; i < 3; i++)
        bbt_free(s->bytes[i]);
}

static void run_blobs(struct port_call *c, struct port_db *db)
{
    struct submit *s = bbt_container(c, struct submit, a.call);
    const struct job_data *d[3] = {&s->spec->train, &s->spec->dev, &s->spec->test};
    static const char *const names[3] = {"train", "dev", "test"};

    for (size_t i = 0; i < 3 && c->rc == BBT_OK; i++) {
        if (!d[i]->blob)
            continue;
        c->rc = store_blob_get(
            (struct store *)db, d[i]->blob, &s->bytes[i], &s->len[i], &c->err);
        if (c->rc == BBT_NOTFOUND)
            c->rc = bbt_fail(&c->err, BBT_INVALID,
                "data.%s: the file was not sent (PUT /v1/blobs/%s first)", names[i],
                d[i]->blob);
    }
}

/* What one pass over each set takes. */
static json_t *view_build(const struct task *t)
{
    return json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b}",
        "apiVersion", "v1", "kind", "Validation", "valid", 1, "train_examples",
        (json_int_t)t->train.n, "dev_examples", (json_int_t)t->dev.n, "test_examples",
        (json_int_t)t->test.n, "train_requests", (json_int_t)t->train.batches, "dev_requests",
        (json_int_t)t->dev.batches, "test_requests", (json_int_t)t->test.batches,
        "tokens_per_evaluation", (json_int_t)t->train.tokens, "dev_tokens",
        (json_int_t)t->dev.tokens, "test_tokens", (json_int_t)t->test.tokens,
        "tokens_estimated", t->form == TASK_TEXT || t->rows_open);
}

static void run_build(struct port_call *c, struct port_db *db)
{
    struct submit *s = bbt_container(c, struct submit, a.call);
    struct task *t = NULL;
    struct task_input in;

    (void)db;
    c->rc = shift_check(
        s->spec, s->a.d->conf->timezone, s->agenda, port_wall_us(), &c->err);
    if (c->rc != BBT_OK)
        return;
    task_input_init(&in, s->spec, s->provider, s->model);
    in.train = (struct task_file){s->bytes[0], s->len[0]};
    in.dev = (struct task_file){s->bytes[1], s->len[1]};
    in.test = (struct task_file){s->bytes[2], s->len[2]};
    c->rc = task_build(&in, &t, &c->err);
    if (c->rc == BBT_OK)
        s->a.json = view_build(t);
    if (c->rc == BBT_OK)
        plan_count(s->spec, t, s->generates, &s->plan);
    task_free(t);
}

static void run_row(struct port_call *c, struct port_db *db)
{
    struct submit *s = bbt_container(c, struct submit, a.call);
    struct rec_event e = {.wall_us = s->row.created_us, .kind = "queued"};

    c->rc = store_job_add((struct store *)db, &s->row, s->canonical,
        s->key[0] ? s->key : NULL, &s->a.id, &s->existed, &c->err);
    if (c->rc != BBT_OK || s->existed)
        return;
    e.job = s->a.id;
    (void)snprintf(e.text, sizeof e.text, "submitted as \"%.200s\"", s->row.name);
    c->rc = store_event_add((struct store *)db, &e, NULL, &c->err);
    BBT_KILLPOINT("submit-done");
}

static void fill_row(struct submit *s)
{
    s->row = (struct rec_job){
        .priority = s->spec->priority,
        .created_us = port_wall_us(),
        .generations_max = job_spec_generations_max(s->spec),
        .evaluations_max = job_spec_evaluations_max(s->spec),
        .owner = web_peer_uid(s->a.r),
        .best_dev = NAN,
        .last_loss = NAN,
    };
    (void)snprintf(s->row.name, sizeof s->row.name, "%s", s->spec->name);
    (void)snprintf(s->row.reason, sizeof s->row.reason, "slots");
}

static void answer(struct submit *s)
{
    char where[48];

    BBT_KILLPOINT("submit-kept");
    json_decref(s->a.json);
    s->a.json = json_pack("{s:s, s:s, s:I, s:s, s:b}", "apiVersion", "v1", "kind", "Job",
        "id", (json_int_t)s->a.id, "name", s->row.name, "existed", (int)s->existed);
    s->a.status = s->existed ? 200 : 201;
    (void)snprintf(where, sizeof where, "/v1/jobs/%lld", (long long)s->a.id);
    web_reply_header(s->a.r, "Location", where);
    port_changed(s->a.id);
    engine_poke(s->a.d->engine);
    api_json(&s->a);
}

static void submit_step(struct op *op)
{
    struct submit *s = bbt_container(op, struct submit, a.op);

    if (!s->a.call.done)
        return;
    if (s->a.call.rc != BBT_OK) {
        if (s->a.call.rc == BBT_NOTFOUND)
            s->a.call.rc = BBT_INVALID;
        api_fail(&s->a, s->a.call.rc, &s->a.call.err);
        return;
    }
    switch (s->step) {
    case SUBMIT_BLOBS:
        s->step = SUBMIT_BUILD;
        s->a.call = (struct port_call){.run = run_build, .wake = &s->a.op};
        port_work_run(&s->a.call);
        return;
    case SUBMIT_BUILD:
        if (s->estimate) {
            json_decref(s->a.json);
            s->a.json = api_view_estimate(s->a.d, s->spec, &s->plan);
        }
        if (s->dry) {
            api_json(&s->a);
            return;
        }
        s->step = SUBMIT_ROW;
        fill_row(s);
        s->a.call = (struct port_call){.run = run_row, .wake = &s->a.op};
        port_db_run(&s->a.call);
        return;
    case SUBMIT_ROW:
        answer(s);
        return;
    }
}

/* All problems at once, each with the JSON pointer that the client turns into a line. */
static void reply_problems(
    struct web_req *r, const struct spec_problems *p, const struct bbt_err *err)
{
    json_t *list = json_array(), *extra;
    char *text;

    for (size_t i = 0; i < p->nr; i++)
        json_add(&list,
            json_pack("{s:o, s:b, s:o, s:o}", "pointer", json_clean(p->item[i].pointer),
                "of_key", (int)p->item[i].of_key, "message", json_clean(p->item[i].message),
                "fix", json_clean(p->item[i].fix)));
    extra = json_pack("{s:o}", "errors", list);
    text = extra ? json_print(extra) : NULL;
    if (text)
        web_problem(r, 422, "spec", "The job file is not valid", err->msg, text);
    else
        api_problem(r, BBT_NOMEM, "no memory for what is wrong with the job file");
    bbt_free(text);
    json_decref(extra);
}

static struct job_spec *parse(struct web_req *r, char **ret_canonical)
{
    struct spec_problems problems;
    struct job_spec *spec = NULL;
    struct bbt_err err = {0};
    json_t *body = api_body(r), *canon = NULL;
    enum bbt_rc rc;

    if (!body)
        return NULL;
    problem_init(&problems);
    rc = job_spec_parse(body, JOB_WIRE, &spec, &problems, &err);
    if (rc != BBT_OK && rc != BBT_NOMEM && problems.nr > 0)
        reply_problems(r, &problems, &err);
    else if (rc != BBT_OK)
        api_problem(r, rc, err.msg);
    problem_fini(&problems);
    json_decref(body);
    if (rc != BBT_OK)
        return NULL;
    canon = job_spec_print(spec);
    *ret_canonical = canon ? json_print(canon) : NULL;
    json_decref(canon);
    if (*ret_canonical)
        return spec;
    job_spec_free(spec);
    api_problem(r, BBT_NOMEM, "no memory for the job file");
    return NULL;
}

#define NAMES_MAX 256 /* as many as a configuration may have of either */

/* What the author may have meant: a provider, or a model of `p`. NULL: nothing is near. */
static const char *meant(
    const struct daemon *d, const struct conf_provider *p, const char *typed)
{
    const struct conf_provider *providers = d->conf->providers.item;
    const struct conf_model *models = p ? p->models.item : NULL;
    size_t n = p ? p->models.nr : d->conf->providers.nr;
    const char *names[NAMES_MAX];

    if (n > NAMES_MAX)
        n = NAMES_MAX;
    for (size_t i = 0; i < n; i++)
        names[i] = p ? models[i].name : providers[i].name;
    return hint_nearest(typed, names, n);
}

/* The provider and model that the job names must be in the configuration, and able to do what
 * it asks for. */
static const struct conf_model *find_model(
    struct web_req *r, struct daemon *d, const struct job_spec *spec)
{
    const struct conf_provider *p = conf_provider(d->conf, spec->provider);
    const struct conf_model *m = p ? conf_model(p, spec->model) : NULL;
    struct bbt_err err = {0};
    const char *near;
    char *text;

    if (m && fit_check(p, m, spec, &err) == BBT_OK &&
        fit_fallback(d->conf, p, m, spec, &err) == BBT_OK)
        return m;
    if (m) {
        api_problem(r, BBT_INVALID, err.msg);
        return NULL;
    }
    near = meant(d, p, p ? spec->model : spec->provider);
    text = bbt_asprintf(p ? "model: provider \"%s\" has no model \"%s\" in the daemon's "
                            "configuration%s%s%s"
                          : "provider: the daemon's configuration has no provider "
                            "\"%.0s%s\"%s%s%s",
        spec->provider, p ? spec->model : spec->provider, near ? " (did you mean \"" : "",
        near ? near : "", near ? "\"?)" : "");
    api_problem(r, BBT_INVALID, text ? text : "no such provider or model");
    bbt_free(text);
    return NULL;
}

enum bbt_rc api_check_price(
    const struct conf *c, const struct job_spec *s, struct bbt_err *err)
{
    for (size_t i = 0; i <= s->fallback.nr && s->limits.usd != MONEY_NONE; i++) {
        const char *name = i ? s->fallback.item[i - 1] : s->provider;
        const struct conf_provider *p = conf_provider(c, name);
        const struct conf_model *m = p ? conf_model(p, s->model) : NULL;

        if (m && !conf_price_known(&m->price))
            return bbt_fail(err, BBT_INVALID,
                "limits.usd: nobody knows what \"%s\" of \"%s\" costs (give it a price in the "
                "daemon's configuration, or price: free where it costs nothing)",
                s->model, name);
    }
    return BBT_OK;
}

enum submit_what { SUBMIT_REAL, SUBMIT_DRY, SUBMIT_ESTIMATE };

static void submit(struct web_req *r, struct daemon *d, enum submit_what what)
{
    bool dry = what != SUBMIT_REAL;
    const char *key = web_header(r, "Idempotency-Key");
    const struct conf_model *model;
    const struct endpoint *ep;
    struct job_spec *spec;
    struct submit *s;
    char *canonical = NULL;
    struct bbt_err err = {0};

    if (d->draining && !dry) {
        api_problem(r, BBT_CANCELED, "the daemon is stopping; submit again when it is back");
        return;
    }
    if (key && (strlen(key) > STORE_KEY_MAX || !*key)) {
        api_problem(r, BBT_INVALID, "Idempotency-Key: 1 to 128 bytes");
        return;
    }
    spec = parse(r, &canonical);
    if (!spec)
        return;
    model = find_model(r, d, spec);
    if (model && api_check_price(d->conf, spec, &err) != BBT_OK) {
        api_problem(r, BBT_INVALID, err.msg);
        model = NULL;
    }
    s = model ? (struct submit *)(void *)api_new(r, d, sizeof *s) : NULL;
    if (!s) {
        job_spec_free(spec);
        bbt_free(canonical);
        return;
    }
    s->a.free = submit_free;
    s->spec = spec;
    s->canonical = canonical;
    s->provider = conf_provider(d->conf, spec->provider);
    s->model = model;
    s->dry = dry;
    s->estimate = what == SUBMIT_ESTIMATE;
    ep = engine_endpoint(d->engine, spec->provider);
    s->agenda = &ep->agenda;
    s->generates = round_generates(ep->adapter);
    if (key)
        (void)snprintf(s->key, sizeof s->key, "%s", key);
    op_init(&s->a.op, loop_turnq(d->loop), submit_step);
    s->a.call = (struct port_call){.run = run_blobs, .wake = &s->a.op};
    port_db_run(&s->a.call);
}

void api_jobs_post(struct web_req *r, void *arg)
{
    submit(r, arg, web_query(r, "dry_run") ? SUBMIT_DRY : SUBMIT_REAL);
}

void api_jobs_validate(struct web_req *r, void *arg)
{
    submit(r, arg, SUBMIT_DRY);
}

void api_jobs_estimate(struct web_req *r, void *arg)
{
    submit(r, arg, SUBMIT_ESTIMATE);
}
