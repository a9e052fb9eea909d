#include "engine/predict.h"

#include "base/alloc.h"
#include "num/loss.h"

#include <string.h>

static void predict_end(struct predict *p, enum bbt_rc rc, const struct bbt_err *err)
{
    p->state = PREDICT_DONE;
    p->rc = rc;
    if (err)
        p->err = *err;
    p->done = true;
    op_wake(p->wake);
}

static void run_load(struct port_call *c, struct port_db *db)
{
    struct predict *p = bbt_container(c, struct predict, work);
    struct rec_job job;
    char *text = NULL;

    c->rc = port_db_job(db, p->job, &job, &text, &c->err);
    if (c->rc == BBT_OK)
        c->rc = job_spec_stored(text, &p->spec, &c->err);
    if (c->rc == BBT_OK) {
        c->rc = port_db_result_get(db, p->job, &p->result, &c->err);
        if (c->rc == BBT_NOTFOUND || (c->rc == BBT_OK && !p->result.prompt))
            c->rc = bbt_fail(&c->err, BBT_CONFLICT, "job %lld is %s: it has no prompt yet",
                (long long)p->job, rec_state_name(job.state));
    }
    bbt_free(text);
}

static void run_build(struct port_call *c, struct port_db *db)
{
    struct predict *p = bbt_container(c, struct predict, work);

    (void)db;
    c->rc = task_build(&p->input, &p->task, &c->err);
    if (c->rc == BBT_OK)
        c->rc = task_render(p->task,
            &(struct task_texts){p->text_a, p->text_b, p->n, true, p->input.cols_fixed},
            &p->set, &c->err);
    if (c->rc == BBT_OK && task_open(p->task))
        c->rc = task_wants(p->task, &p->set, &p->wants, &c->err);
    if (c->rc == BBT_OK)
        lex_missing(&p->lex, &p->wants);
}

static void run_pack(struct port_call *c, struct port_db *db)
{
    struct predict *p = bbt_container(c, struct predict, work);

    (void)db;
    c->rc = task_pack(p->task, &p->set, &p->lex, &c->err);
}

static void start_tokens(struct predict *p)
{
    p->state = PREDICT_TOKENS;
    p->lexer = (struct lexer){.ep = p->ep,
        .model = &p->model->m,
        .flow = &p->flow,
        .wants = &p->wants,
        .lex = &p->lex,
        .wake = &p->op};
    lexer_start(&p->lexer, engine_turnq(p->engine));
}

static void build(struct predict *p)
{
    p->state = PREDICT_BUILD;
    task_input_init(&p->input, p->spec, p->ep->conf, p->model->conf);
    task_input_probed(&p->input, &p->model->m);
    p->input.batch_max = endpoint_model_rows(p->model);
    p->work = (struct port_call){.run = run_build, .wake = &p->op};
    port_work_run(&p->work);
}

static void loaded(struct predict *p)
{
    struct bbt_err err = {0};

    p->ep = engine_endpoint(p->engine, p->spec->provider);
    p->model = p->ep ? endpoint_model(p->ep, p->spec->model) : NULL;
    if (!p->model) {
        (void)bbt_fail(&err, BBT_CONFLICT,
            "the daemon's configuration has no provider \"%s\" with a model \"%s\"",
            p->spec->provider, p->spec->model);
        predict_end(p, BBT_CONFLICT, &err);
        return;
    }
    endpoint_flow(p->ep, &p->flow, 9); /* somebody waits for this one */
    p->account = (struct till_account){.owner = p->owner,
        .provider = p->ep->conf->name,
        .model = p->model->conf->name,
        .tariff = &p->model->tariff,
        .impatient = true};
    till_account_open(&p->account, engine_purse(p->engine));
    if (p->model->m.probed && p->model->tried) {
        build(p);
        return;
    }
    p->state = PREDICT_PROBE;
    p->probe = (struct probe){
        .ep = p->ep,
        .model = p->model,
        .tokenizer = p->model->conf->tokenizer,
        .compose = task_compose(p->spec),
        .at = task_at(p->spec),
        .account = &p->account,
        .wake = &p->op,
    };
    probe_start(&p->probe, engine_turnq(p->engine));
}

static void ask(struct predict *p)
{
    static const uint64_t no_digest = 0;
    struct bbt_err err = {0};
    enum bbt_rc rc;

    p->state = PREDICT_ASK;
    p->round = (struct round){
        .phase = REC_PREDICT,
        .ep = p->ep,
        .model = &p->model->m,
        .flow = &p->flow,
        .set = &p->set,
        .label_ids = p->task->verb->token,
        .label_text = (const char *const *)p->task->label_text,
        .labels = p->task->verb->n,
        .prompt = p->result.prompt,
        .digest = &no_digest,
        .n = 1,
        .rows = p->result.rows,
        .hidden = p->result.hidden,
        .compose = task_compose(p->spec),
        .at = task_at(p->spec),
        .account = &p->account,
        .fresh = true,
        .wake = &p->op,
    };
    rc = round_start(&p->round, engine_turnq(p->engine), &err);
    if (rc != BBT_OK)
        predict_end(p, rc, &err);
}

/* In smaller requests. What the server's tokeniser said is kept. */
static void build_again(struct predict *p)
{
    endpoint_model_shrink(p->model, p->round.shrink);
    if (p->drop) {
        predict_end(p, BBT_CANCELED, NULL);
        return;
    }
    round_fini(&p->round);
    lexer_fini(&p->lexer);
    lex_wants_fini(&p->wants);
    task_set_fini(&p->set);
    task_free(p->task);
    p->task = NULL;
    build(p);
}

static void answered(struct predict *p)
{
    size_t labels = p->task->verb->n;
    struct bbt_err err = {0};
    enum bbt_rc rc;

    p->prob = bbt_alloc_array(p->n * labels, sizeof *p->prob);
    p->names = bbt_alloc_array(labels, sizeof *p->names);
    if (!p->prob || !p->names) {
        (void)bbt_fail(&err, BBT_NOMEM, "no memory for %zu predictions", p->n);
        predict_end(p, BBT_NOMEM, &err);
        return;
    }
    for (size_t i = 0; i < labels; i++)
        p->names[i] = p->task->verb->labels[i].name;
    p->label = p->names;
    p->labels = labels;
    rc = loss_softmax(p->round.logit, p->n, labels, p->prob, &err);
    predict_end(p, rc, &err);
}

static void predict_step(struct op *op)
{
    struct predict *p = bbt_container(op, struct predict, op);

    switch (p->state) {
    case PREDICT_LOAD:
    case PREDICT_BUILD:
    case PREDICT_PACK:
        if (!p->work.done)
            return;
        if (p->drop)
            predict_end(p, BBT_CANCELED, NULL);
        else if (p->work.rc != BBT_OK)
            predict_end(p, p->work.rc, &p->work.err);
        else if (p->state == PREDICT_LOAD)
            loaded(p);
        else if (task_open(p->task))
            start_tokens(p);
        else
            ask(p);
        return;
    case PREDICT_TOKENS:
        if (p->lexer.done && p->lexer.rc != BBT_OK) {
            predict_end(p, p->lexer.rc, &p->lexer.err);
        } else if (p->lexer.done) {
            p->state = PREDICT_PACK;
            p->work = (struct port_call){.run = run_pack, .wake = &p->op};
            port_work_run(&p->work);
        }
        return;
    case PREDICT_PROBE:
        if (p->probe.done && p->probe.rc != BBT_OK)
            predict_end(p, p->probe.rc, &p->probe.err);
        else if (p->probe.done)
            build(p);
        return;
    case PREDICT_ASK:
        if (p->round.done && p->round.shrink)
            build_again(p);
        else if (p->round.done && p->round.rc != BBT_OK)
            predict_end(p, p->round.rc, &p->round.err);
        else if (p->round.done)
            answered(p);
        return;
    case PREDICT_DONE:
        return;
    }
}

void predict_start(struct predict *p, struct engine *e)
{
    p->engine = e;
    op_init(&p->op, engine_turnq(e), predict_step);
    p->state = PREDICT_LOAD;
    p->work = (struct port_call){.run = run_load, .wake = &p->op};
    port_db_run(&p->work);
}

void predict_drop(struct predict *p)
{
    p->drop = true;
    if (p->state == PREDICT_PROBE)
        probe_drop(&p->probe);
    else if (p->state == PREDICT_TOKENS)
        lexer_drop(&p->lexer);
    else if (p->state == PREDICT_ASK)
        round_drop(&p->round, true);
}

void predict_fini(struct predict *p)
{
    round_fini(&p->round);
    probe_fini(&p->probe);
    lexer_fini(&p->lexer);
    lex_wants_fini(&p->wants);
    lex_fini(&p->lex);
    till_account_close(&p->account);
    task_set_fini(&p->set);
    task_free(p->task);
    job_spec_free(p->spec);
    rec_result_fini(&p->result);
    bbt_free(p->names);
    bbt_free(p->prob);
    if (p->op.q)
        op_fini(&p->op);
}
