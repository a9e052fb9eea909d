#include "engine/tune_load.h"

#include "base/alloc.h"
#include "base/killpoint.h"
#include "base/log.h"
#include "engine/plan.h"
#include "engine/standin.h"
#include "engine/tune_gen.h"
#include "num/embmat.h"

#include <math.h>
#include <string.h>

/* ---- LOAD: everything that the store knows ---- */

static enum bbt_rc load_blobs(struct tune *t, struct port_db *db, struct bbt_err *err)
{
    const struct job_data *d[3] = {&t->spec->train, &t->spec->dev, &t->spec->test};
    enum bbt_rc rc = BBT_OK;

    for (size_t i = 0; i < 3 && rc == BBT_OK; i++)
        if (d[i]->blob)
            rc = port_db_blob(db, d[i]->blob, &t->blobs.bytes[i], &t->blobs.len[i], err);
    return rc == BBT_NOTFOUND ? bbt_fail(err, BBT_INVALID, "a data file of the job is not "
                                                           "in the store")
                              : rc;
}

static enum bbt_rc load_progress(struct tune *t, struct port_db *db, struct bbt_err *err)
{
    void *setup = NULL;
    size_t len = 0;
    enum bbt_rc rc = port_db_setup_get(db, t->id, &setup, &len, err);

    if (rc == BBT_OK) {
        rc = search_setup_load(setup, len, &t->setup, err);
        if (rc == BBT_OK && t->setup.lex)
            rc = lex_load(t->setup.lex, t->setup.lex_len, &t->lex, err);
        t->has_setup = rc == BBT_OK;
    } else if (rc == BBT_NOTFOUND) {
        rc = BBT_OK;
    }
    bbt_free(setup);
    if (rc == BBT_OK && t->has_setup) {
        rc = port_db_resume(db, t->id, &t->resume, err);
        if (rc == BBT_NOTFOUND)
            rc = BBT_OK;
    }
    if (rc == BBT_OK) {
        rc = port_db_best(db, t->id, &t->best, err);
        if (rc == BBT_NOTFOUND)
            rc = BBT_OK;
    }
    return rc;
}

/* A zone that is gone is no reason to call the job wrong. */
static enum bbt_rc load_shift(struct tune *t, struct bbt_err *err)
{
    enum bbt_rc rc = shift_init(&t->shift, t->spec, t->zone, err);

    t->no_zone = rc == BBT_INVALID;
    return t->no_zone ? BBT_OK : rc;
}

static void run_load(struct port_call *c, struct port_db *db)
{
    struct tune *t = bbt_container(c, struct tune, work);
    char *text = NULL;

    c->rc = port_db_job(db, t->id, &t->job, &text, &c->err);
    if (c->rc == BBT_OK && t->job.state != REC_RUNNING)
        c->rc = BBT_CANCELED; /* paused or cancelled before anybody could halt us */
    if (c->rc == BBT_OK)
        c->rc = job_spec_stored(text, &t->spec, &c->err);
    if (c->rc == BBT_OK)
        c->rc = load_blobs(t, db, &c->err);
    if (c->rc == BBT_OK)
        c->rc = load_progress(t, db, &c->err);
    if (c->rc == BBT_OK)
        c->rc = port_db_spend_job(db, t->id, &t->used, &c->err);
    if (c->rc == BBT_OK)
        c->rc = load_shift(t, &c->err);
    BBT_KILLPOINT("job-loaded");
    bbt_free(text);
}

void tune_load(struct tune *t)
{
    tune_move(t, TUNE_LOAD);
    t->work = (struct port_call){.run = run_load, .wake = &t->op};
    port_db_run(&t->work);
}

/* ---- PROBE ---- */

static void open_account(struct tune *t)
{
    t->account = (struct till_account){.job = t->id,
        .owner = t->job.owner,
        .provider = t->ep->conf->name,
        .model = t->model->conf->name,
        .tariff = &t->model->tariff};
    till_account_open(&t->account, t->till);
    t->account.purse.spent =
        (struct purse_sum){t->used.requests, t->used.tokens, t->used.nano};
    till_limit(&t->account, t->spec->limits.requests, t->spec->limits.tokens,
        t->spec->limits.usd);
}

/* Without a search, trial prompts serve only to tell models apart. */
static bool plain(const struct tune *t)
{
    return t->spec->prompt == JOB_NONE && t->spec->fallback.nr == 0;
}

/* Nothing is left to be asked about the model. */
static bool known(const struct tune *t)
{
    return t->model->m.probed && !t->model->stale && (t->model->tried || plain(t)) &&
        (t->spec->fallback.nr == 0 || standin_like(t, t->model)->answers);
}

/* False where it ends here: not now. */
static bool may_work(struct tune *t)
{
    if (t->no_zone) {
        tune_stop(t, BBT_INVALID, &t->work.err, "provider");
        return false;
    }
    (void)tune_look_at_clock(t);
    if (t->again.text[0])
        tune_stop(t, BBT_OK, NULL, NULL);
    return !t->again.text[0];
}

void tune_loaded(struct tune *t)
{
    struct bbt_err err = {0};

    if (!may_work(t))
        return;
    if (standin_choose(t, &err) != BBT_OK) {
        tune_stop(t, BBT_INVALID, &err, "provider"); /* the configuration has changed */
        return;
    }
    if (t->spec->limits.usd != MONEY_NONE && !t->model->tariff.known) {
        (void)bbt_fail(&err, BBT_INVALID,
            "limits.usd: nobody knows what \"%s\" of \"%s\" costs (give it a price in the "
            "configuration, or price: free)",
            t->spec->model, t->ep->conf->name);
        tune_stop(t, BBT_INVALID, &err, "usd");
        return;
    }
    open_account(t);
    tune_open_flow(t);
    op_wake(t->ep->channel->alarm); /* when its hours end */
    if (known(t)) {
        tune_build(t);
        return;
    }
    t->probe = (struct probe){
        .ep = t->ep,
        .model = t->model,
        .tokenizer = t->model->conf->tokenizer,
        .plain = plain(t),
        .compose = task_compose(t->spec),
        .at = task_at(t->spec),
        .account = &t->account,
        .wake = &t->op,
    };
    tune_move(t, TUNE_PROBE);
    probe_start(&t->probe, t->q);
    t->probe.flow.until = t->flow.until;
}

/* ---- BUILD ---- */

static void run_build(struct port_call *c, struct port_db *db)
{
    struct tune *t = bbt_container(c, struct tune, work);
    const struct tune_blobs *b = &t->blobs;
    struct task_input in = t->input;

    (void)db;
    in.train = (struct task_file){b->bytes[0], b->len[0]};
    in.dev = (struct task_file){b->bytes[1], b->len[1]};
    in.test = (struct task_file){b->bytes[2], b->len[2]};
    c->rc = task_build(&in, &t->task, &c->err);
    if (c->rc == BBT_OK && task_open(t->task))
        c->rc = task_wants(t->task, NULL, &t->wants, &c->err);
    if (c->rc == BBT_OK)
        lex_missing(&t->lex, &t->wants);
    if (c->rc == BBT_NOTFOUND)
        c->rc = BBT_INVALID; /* a folder that the configuration names is not there */
}

void tune_build(struct tune *t)
{
    const struct prov_model *m = &t->model->m;
    struct bbt_err err = {0};

    if (standin_check(t, &err) != BBT_OK) {
        bool leaves = standin_leaves(t, &err);

        tune_stop(t, leaves ? BBT_CANCELED : BBT_INVALID, &err, "provider");
        return;
    }
    _Static_assert(sizeof t->server == sizeof m->server, "one name of a server");
    task_input_init(&t->input, t->spec, t->ep->conf, t->model->conf);
    task_input_probed(&t->input, m);
    t->input.batch_max = endpoint_model_rows(t->model);
    t->input.vocab = t->model->mat ? embmat_rows(t->model->mat) : 0;
    t->mat = t->model->mat;
    memcpy(t->server, m->server, sizeof t->server);
    tune_work(t, TUNE_BUILD, run_build);
}

/* ---- EMBED: p0 and the scale of A ---- */

static enum bbt_rc encode_embed(struct query *c, struct prov_http *ret, struct bbt_err *err)
{
    struct tune *t = bbt_container(c, struct tune, embed);

    return t->ep->adapter->embed_encode(
        &t->model->m, t->task->slot_ids, t->setup.rows, ret, err);
}

static enum bbt_rc decode_embed(
    struct query *c, const struct prov_reply *r, struct bbt_err *err)
{
    struct tune *t = bbt_container(c, struct tune, embed);
    struct prov_embed e = {0};
    enum bbt_rc rc;

    c->spent = t->setup.rows;
    rc = t->ep->adapter->embed_decode(&t->model->m, t->setup.rows, r, &e, err);
    if (rc != BBT_OK)
        return rc;
    if (e.hidden != t->setup.hidden) {
        rc = bbt_fail(err, BBT_INVALID, "the embedding is %zu wide, the prompt %zu",
            e.hidden, t->setup.hidden);
        goto out;
    }
    t->setup.embed_mean = e.mean;
    t->setup.embed_std = e.std;
    if (t->spec->init == JOB_INIT_RANDOM_TOKENS && t->spec->mode == JOB_CONCAT) {
        t->setup.p0 = e.row;
        e.row = NULL;
    }
out:
    prov_embed_fini(&e);
    return rc;
}

static bool needs_embed(const struct tune *t)
{
    return (t->spec->projection == JOB_PROJ_NORMAL && isnan(t->spec->scale)) ||
        (t->spec->init == JOB_INIT_RANDOM_TOKENS && t->spec->mode == JOB_CONCAT);
}

/* The same out of the model's own file; on a worker. */
static enum bbt_rc embed_here(struct tune *t, struct bbt_err *err)
{
    size_t rows = t->setup.rows, hidden = t->setup.hidden;
    bool words = t->spec->init == JOB_INIT_RANDOM_TOKENS && t->spec->mode == JOB_CONCAT;

    embmat_stats(t->mat, &t->setup.embed_mean, &t->setup.embed_std);
    if (!words)
        return BBT_OK;
    t->setup.p0 = rows <= SIZE_MAX / hidden
        ? bbt_alloc_array(rows * hidden, sizeof *t->setup.p0)
        : NULL;
    if (!t->setup.p0)
        return bbt_fail(err, BBT_NOMEM, "no memory for the starting prompt");
    for (size_t i = 0; i < rows; i++)
        if (!t->task->slot_ids ||
            !embmat_row(t->mat, t->task->slot_ids[i], t->setup.p0 + i * hidden))
            return bbt_fail(err, BBT_INVALID,
                "the model's embeddings have no row for a token of its vocabulary");
    return BBT_OK;
}

static void start_embed(struct tune *t)
{
    struct bbt_err err = {0};

    if (!t->ep->adapter->embed_encode || !t->model->m.has_embedding) {
        (void)bbt_fail(&err, BBT_INVALID,
            "%s does not give embeddings of %s: set prompt.projection.scale to a number "
            "and prompt.init to zero, or `embeddings` of the model in the configuration",
            t->ep->conf->name, t->model->conf->name);
        tune_stop(t, BBT_INVALID, &err, "provider");
        return;
    }
    BBT_KILLPOINT("embed");
    tune_move(t, TUNE_EMBED);
    t->embed = (struct query){
        .ep = t->ep,
        .flow = &t->flow,
        .encode = encode_embed,
        .decode = decode_embed,
        .cost = t->setup.rows,
        .account = &t->account,
        .wake = &t->op,
    };
    query_init(&t->embed, t->q);
    query_start(&t->embed);
}

/* ---- TOKENS, PACK: where only the server can tokenise ---- */

static void run_pack(struct port_call *c, struct port_db *db)
{
    struct tune *t = bbt_container(c, struct tune, work);

    (void)db;
    c->rc = task_pack(t->task, NULL, &t->lex, &c->err);
}

void tune_lexed(struct tune *t)
{
    tune_work(t, TUNE_PACK, run_pack);
}

static void start_tokens(struct tune *t)
{
    tune_move(t, TUNE_TOKENS);
    t->lexer = (struct lexer){.ep = t->ep,
        .model = &t->model->m,
        .flow = &t->flow,
        .wants = &t->wants,
        .lex = &t->lex,
        .wake = &t->op};
    lexer_start(&t->lexer, t->q);
}

/* A job that is to end at its limit with a result keeps back what measuring it takes. */
static void keep_back(struct tune *t)
{
    bool generates = round_generates(t->ep->adapter);
    struct plan plan;

    if (t->spec->limits.on_limit != JOB_LIMIT_FINISH)
        return;
    plan_count(t->spec, t->task, generates, &plan);
    if (generates)
        plan.end.tokens_in += plan.end.examples * ROUND_SLACK;
    till_keep_back(&t->account,
        &(struct purse_sum){plan.end.requests, plan.end.tokens_in + plan.end.tokens_out,
            /* each request may round up */
            money_add(plan_cost(&t->model->tariff.worst, &plan.end), plan.end.requests)});
}

bool tune_limited(const struct tune *t)
{
    static const char *const limits[] = {"usd", "tokens", "requests"};

    if ((t->state != TUNE_TRAIN && t->state != TUNE_DEV) || t->halt || !t->round.reason ||
        !t->best.z || t->spec->limits.on_limit != JOB_LIMIT_FINISH)
        return false;
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        if (strcmp(t->round.reason, limits[i]) == 0)
            return true;
    return false;
}

void tune_built(struct tune *t)
{
    BBT_KILLPOINT("task-built");
    if (task_open(t->task))
        start_tokens(t);
    else
        tune_packed(t);
}

static void write_first(struct tune *t);

void tune_packed(struct tune *t)
{
    keep_back(t);
    if (t->spec->prompt == JOB_NONE) {
        t->setup.embed_mean = t->setup.embed_std = NAN;
        if (!t->setup.like.answers)
            t->setup.like = *standin_like(t, t->model);
        write_first(t);
        return;
    }
    if (t->has_setup) {
        tune_search(t);
        return;
    }
    t->setup = (struct search_setup){
        .rows = (size_t)t->spec->tokens,
        .hidden = t->model->m.hidden,
        .embed_mean = NAN,
        .embed_std = NAN,
        .like = *standin_like(t, t->model),
    };
    if (needs_embed(t) && !t->mat)
        start_embed(t);
    else
        tune_search(t);
}

/* ---- SEARCH: the optimiser as it was, or a new one ---- */

static enum bbt_rc open_generation(struct tune *t, struct bbt_err *err)
{
    enum bbt_rc rc;

    t->digests = bbt_alloc_array(t->search->popsize, sizeof *t->digests);
    if (!t->digests)
        return bbt_fail(err, BBT_NOMEM, "no memory for a generation");
    rc = search_open(t->search, t->id, &t->open, err);
    if (rc == BBT_OK)
        rc = search_prompts(t->search, t->open.cand, t->search->popsize, &t->prompts,
            t->digests, err);
    return rc;
}

static void run_search(struct port_call *c, struct port_db *db)
{
    struct tune *t = bbt_container(c, struct tune, work);
    const struct rec_resume *r = &t->resume;
    bool none_open = r->gens_nr > 0 && r->gens[r->gens_nr - 1].loss;

    (void)db;
    if (!t->has_setup && t->mat && needs_embed(t))
        c->rc = embed_here(t, &c->err);
    if (c->rc != BBT_OK)
        return;
    c->rc = search_new(t->spec, &t->setup, r, &t->search, &c->err);
    t->first = !r->snapshot;
    if (c->rc == BBT_OK && t->first)
        c->rc = search_snapshot(t->search, &t->snapshot, &c->err);
    if (c->rc == BBT_OK && !none_open)
        c->rc = open_generation(t, &c->err);
}

void tune_search(struct tune *t)
{
    tune_work(t, TUNE_SEARCH, run_search);
}

/* The table goes into the setup, once. */
static enum bbt_rc keep_tokens(struct tune *t, struct bbt_err *err)
{
    struct bbt_buf b;
    enum bbt_rc rc;

    if (t->setup.lex || t->lex.n == 0)
        return BBT_OK;
    buf_init(&b, SIZE_MAX);
    rc = lex_save(&t->lex, &b, err);
    if (rc == BBT_OK)
        t->setup.lex = buf_take(&b, &t->setup.lex_len);
    buf_fini(&b);
    return rc;
}

static enum bbt_rc put_setup(struct tune *t, struct port_db *db, struct bbt_err *err)
{
    struct bbt_buf setup;
    enum bbt_rc rc = keep_tokens(t, err);

    buf_init(&setup, SIZE_MAX);
    if (rc == BBT_OK)
        rc = search_setup_save(&t->setup, &setup, err);
    if (rc == BBT_OK)
        rc = port_db_setup_put(db, t->id, setup.data, setup.len, err);
    buf_fini(&setup);
    return rc;
}

/* A job without a search has no generation to open. */
static void run_no_search(struct port_call *c, struct port_db *db)
{
    struct tune *t = bbt_container(c, struct tune, keep.call);

    c->rc = put_setup(t, db, &c->err);
}

static void forget_files(struct tune *t)
{
    for (size_t i = 0; i < 3; i++) { /* rendered: the bytes are not needed any more */
        bbt_free(t->blobs.bytes[i]);
        t->blobs.bytes[i] = NULL;
    }
}

static void write_first(struct tune *t)
{
    forget_files(t);
    tune_keep(t, TUNE_FIRST, run_no_search);
}

static void run_first(struct port_call *c, struct port_db *db)
{
    struct tune *t = bbt_container(c, struct tune, keep.call);
    struct rec_turn turn = {
        .job = t->id,
        .open = &t->open,
        .snapshot = t->snapshot.data,
        .snapshot_len = t->snapshot.len,
        .snapshot_gen = 0,
        .wall_us = t->wall_us,
    };

    BBT_KILLPOINT("first-turn");
    c->rc = put_setup(t, db, &c->err);
    BBT_KILLPOINT("first-turn-setup");
    if (c->rc == BBT_OK)
        c->rc = port_db_turn(db, &turn, &c->err);
    BBT_KILLPOINT("first-turn-done");
}

void tune_searched(struct tune *t)
{
    forget_files(t);
    t->drifted = t->search->drifted;
    if (t->drifted)
        log_warn("state-drift", "job=%lld %s", (long long)t->id, TUNE_DRIFT_TEXT);
    rec_resume_fini(&t->resume);
    BBT_KILLPOINT("search-ready");
    if (t->first) {
        t->fresh = true;
        tune_keep(t, TUNE_FIRST, run_first);
        return;
    }
    /* the rules that ended the search before a crash end it again */
    if (!t->open.cand)
        (void)cma_stop(t->search->cma, &t->converged);
    if (!t->open.cand || tune_stop_reason(t))
        tune_finish(t, tune_stop_reason(t));
    else
        tune_train(t);
}
