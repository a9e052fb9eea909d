#include "engine/search.h"

#include "base/alloc.h"
#include "base/digest.h"
#include "num/rng.h"

#include <math.h>
#include <string.h>

/* ---- setup ----
 *
 *   "BBTSETUP" | u32 version | u32 has_p0 | u64 rows | u64 hidden | f64 mean | f64 std |
 *   f32 p0[rows * hidden] | version 3: struct like | version 2: u64 length, tokens | u64 digest
 *                                                            of all before (little endian) */

#define SETUP_MAGIC "BBTSETUP"
#define SETUP_VERSION 3u /* those before are read, too */
#define SETUP_SIDE_MAX ((uint64_t)1 << 20)

struct setup_head {
    char magic[8];
    uint32_t version, has_p0;
    uint64_t rows, hidden;
    double mean, std;
};

void search_setup_fini(struct search_setup *s)
{
    bbt_free(s->p0);
    bbt_free(s->lex);
    *s = (struct search_setup){0};
}

enum bbt_rc search_setup_save(
    const struct search_setup *s, struct bbt_buf *ret, struct bbt_err *err)
{
    struct setup_head h = {.version = SETUP_VERSION, .has_p0 = s->p0 != NULL,
        .rows = s->rows, .hidden = s->hidden, .mean = s->embed_mean, .std = s->embed_std};
    uint64_t lex_len = s->lex_len, d;
    size_t from = ret->len;
    enum bbt_rc rc;

    memcpy(h.magic, SETUP_MAGIC, sizeof h.magic);
    rc = buf_put(ret, &h, sizeof h);
    if (rc == BBT_OK && s->p0)
        rc = buf_put(ret, s->p0, s->rows * s->hidden * sizeof *s->p0);
    if (rc == BBT_OK)
        rc = buf_put(ret, &s->like, sizeof s->like);
    if (rc == BBT_OK)
        rc = buf_put(ret, &lex_len, sizeof lex_len);
    if (rc == BBT_OK && s->lex)
        rc = buf_put(ret, s->lex, s->lex_len);
    if (rc == BBT_OK) {
        d = digest_short(ret->data + from, ret->len - from);
        rc = buf_put(ret, &d, sizeof d);
    }
    return rc == BBT_OK ? rc : bbt_fail(err, rc, "no room for the job's setup");
}

enum bbt_rc search_setup_load(
    const void *bytes, size_t len, struct search_setup *ret, struct bbt_err *err)
{
    struct search_setup s = {0};
    struct setup_head h;
    uint64_t d, cells, lex_len = 0;
    size_t p0_len, like_len, fixed;
    const char *at;

    if (len < sizeof h + sizeof d)
        return bbt_fail(err, BBT_CORRUPT, "the job's setup record is cut off");
    memcpy(&h, bytes, sizeof h);
    memcpy(&d, (const char *)bytes + len - sizeof d, sizeof d);
    if (memcmp(h.magic, SETUP_MAGIC, sizeof h.magic) != 0 || h.version == 0 ||
        h.version > SETUP_VERSION ||
        h.rows > SETUP_SIDE_MAX || h.hidden > SETUP_SIDE_MAX || h.has_p0 > 1 ||
        d != digest_short(bytes, len - sizeof d))
        return bbt_fail(err, BBT_CORRUPT, "the job's setup record is damaged");
    cells = h.rows * h.hidden;
    p0_len = h.has_p0 ? (size_t)cells * sizeof *s.p0 : 0;
    like_len = h.version > 2 ? sizeof s.like : 0;
    fixed = sizeof h + p0_len + like_len + (h.version > 1 ? sizeof lex_len : 0) + sizeof d;
    at = (const char *)bytes + sizeof h + p0_len + like_len;
    if (h.version > 1 && len >= fixed)
        memcpy(&lex_len, at, sizeof lex_len);
    if (len < fixed || lex_len != len - fixed)
        return bbt_fail(err, BBT_CORRUPT, "the job's setup record has a wrong length");
    memcpy(&s.like, (const char *)bytes + sizeof h + p0_len, like_len);
    s.rows = (size_t)h.rows;
    s.hidden = (size_t)h.hidden;
    s.embed_mean = h.mean;
    s.embed_std = h.std;
    if (h.has_p0) {
        s.p0 = bbt_alloc_array((size_t)cells, sizeof *s.p0);
        if (!s.p0)
            return bbt_fail(err, BBT_NOMEM, "no memory for the starting prompt");
        memcpy(s.p0, (const char *)bytes + sizeof h, p0_len);
    }
    if (lex_len) {
        s.lex = bbt_alloc((size_t)lex_len);
        if (!s.lex) {
            search_setup_fini(&s);
            return bbt_fail(err, BBT_NOMEM, "no memory for the texts' tokens");
        }
        memcpy(s.lex, at + sizeof lex_len, (size_t)lex_len);
        s.lex_len = (size_t)lex_len;
    }
    *ret = s;
    return BBT_OK;
}

/* ---- search ---- */

/* Prompts of one generation: more would get the whole daemon killed, not this job. */
#define PROMPT_BYTES_MAX ((size_t)512 << 20)

static enum bbt_rc init_proj(struct search *s, const struct job_spec *spec,
    const struct search_setup *setup, struct bbt_err *err)
{
    struct proj_opts o = {.rows = s->cells, .cols = s->dim, .seed = spec->projection_seed};
    enum bbt_rc rc;

    if (spec->projection == JOB_PROJ_UNIFORM) {
        o.dist = PROJ_UNIFORM;
        o.scale = isnan(spec->scale) ? 1.0 : spec->scale;
    } else {
        o.dist = PROJ_NORMAL;
        o.alpha = spec->alpha;
        o.sigma = spec->sigma;
        o.embed_std = isnan(spec->scale) ? setup->embed_std : spec->scale;
    }
    rc = proj_init(&s->proj, &o, err);
    return rc == BBT_OK ? proj_cache(&s->proj, err) : rc;
}

static enum bbt_rc init_cma(
    struct search *s, const struct job_spec *spec, struct bbt_err *err)
{
    struct cma_opts o;

    cma_opts_init(&o, s->dim);
    o.popsize = s->popsize;
    o.sigma0 = spec->sigma;
    o.seed = spec->seed;
    o.step = spec->step_rule == JOB_STEP_TPA ? CMA_STEP_TPA : CMA_STEP_CSA;
    if (spec->loss == JOB_NEGATIVE_METRIC) /* few levels: equal losses are no sign of an end */
        o.tol.fun = o.tol.funhist = o.tol.flat = 0;
    return cma_new(&o, NULL, &s->cma, err);
}

/* One stored generation told again, exactly as it was the first time. A digest can be
 * compared where the eigenbasis stands: not between two traces. */
static enum bbt_rc replay(struct search *s, const struct rec_gen *g, struct bbt_err *err)
{
    bool traced = g->loss && g->trace;
    enum bbt_rc rc = BBT_OK;

    if (g->gen != cma_generation(s->cma) || g->popsize != s->popsize || g->dim != s->dim)
        return bbt_fail(err, BBT_CORRUPT, "generation %llu does not fit the checkpoint",
            (unsigned long long)g->gen);
    if (!traced)
        rc = cma_settle(s->cma, err);
    if (rc == BBT_OK && !traced && g->digest && g->digest != cma_digest(s->cma))
        s->drifted = true; /* another processor or library: the stored candidates win */
    if (rc == BBT_OK && g->cand)
        rc = cma_put(s->cma, g->cand, err);
    if (rc != BBT_OK || !g->loss)
        return rc;
    if (!traced)
        return cma_tell(s->cma, g->loss, err);
    if (!g->cand)
        return bbt_fail(err, BBT_CORRUPT, "generation %llu has no candidates",
            (unsigned long long)g->gen);
    return cma_retell(s->cma, g->loss, g->trace, g->trace_len, err);
}

static enum bbt_rc resume_from(
    struct search *s, const struct rec_resume *r, struct bbt_err *err)
{
    enum bbt_rc rc = cma_load_owing(r->snapshot, r->snapshot_len, &s->cma, err);

    if (rc != BBT_OK)
        return bbt_err_ctx(err, "checkpoint");
    if (cma_dim(s->cma) != s->dim || cma_popsize(s->cma) != s->popsize)
        return bbt_fail(err, BBT_CORRUPT, "the checkpoint is of another search");
    for (size_t i = 0; i < r->gens_nr && rc == BBT_OK; i++)
        if (r->gens[i].gen >= r->snapshot_gen)
            rc = replay(s, &r->gens[i], err);
    if (rc == BBT_OK)
        rc = cma_settle(s->cma, err);
    return rc;
}

enum bbt_rc search_new(const struct job_spec *spec, const struct search_setup *setup,
    const struct rec_resume *resume, struct search **ret, struct bbt_err *err)
{
    struct search *s = bbt_calloc(1, sizeof *s);
    enum bbt_rc rc;

    if (!s)
        return bbt_fail(err, BBT_NOMEM, "no memory for the search");
    s->dim = (size_t)spec->intrinsic_dim;
    s->popsize = (size_t)job_spec_popsize(spec);
    s->cells = setup->rows * setup->hidden;
    s->p0 = setup->p0;
    if (s->cells > PROMPT_BYTES_MAX / sizeof(float) / s->popsize) {
        rc = bbt_fail(err, BBT_INVALID,
            "%zu candidates of %zu x %zu numbers do not fit %zu MB (give a smaller "
            "optimizer.popsize or prompt.tokens)",
            s->popsize, setup->rows, setup->hidden, PROMPT_BYTES_MAX >> 20);
        search_free(s);
        return rc;
    }
    rc = init_proj(s, spec, setup, err);
    if (rc == BBT_OK)
        rc = resume && resume->snapshot ? resume_from(s, resume, err)
                                        : init_cma(s, spec, err);
    if (rc == BBT_OK)
        *ret = s;
    else
        search_free(s);
    return rc;
}

void search_free(struct search *s)
{
    if (!s)
        return;
    cma_free(s->cma);
    proj_fini(&s->proj);
    bbt_free(s);
}

enum bbt_rc search_snapshot(
    const struct search *s, struct bbt_buf *ret, struct bbt_err *err)
{
    return cma_save(s->cma, ret, err);
}

enum bbt_rc search_trace(
    const struct search *s, struct rec_gen *closed, struct bbt_err *err)
{
    struct bbt_buf b;
    enum bbt_rc rc;

    buf_init(&b, SIZE_MAX);
    rc = cma_trace(s->cma, &b, err);
    if (rc == BBT_OK)
        closed->trace = buf_take(&b, &closed->trace_len);
    buf_fini(&b);
    return rc;
}

enum bbt_rc search_open(
    struct search *s, int64_t job, struct rec_gen *ret, struct bbt_err *err)
{
    size_t n = s->popsize * s->dim;
    uint64_t digest = cma_digest(s->cma);
    double *cand = bbt_alloc_array(n, sizeof *cand);

    if (!cand)
        return bbt_fail(err, BBT_NOMEM, "no memory for %zu candidates", s->popsize);
    memcpy(cand, cma_ask(s->cma), n * sizeof *cand);
    *ret = (struct rec_gen){
        .job = job,
        .gen = cma_generation(s->cma),
        .popsize = s->popsize,
        .dim = s->dim,
        .cand = cand,
        .digest = digest,
        .loss_best = NAN,
        .loss_mean = NAN,
        .sigma = cma_sigma(s->cma),
        .dev = NAN,
        .dev_loss = NAN,
    };
    return BBT_OK;
}

enum bbt_rc search_prompts(struct search *s, const double *z, size_t n, float **ret,
    uint64_t *ret_digest, struct bbt_err *err)
{
    double *point = bbt_alloc_array(n * s->dim, sizeof *point);
    float *p = NULL;
    enum bbt_rc rc = BBT_OK;

    if (s->cells <= SIZE_MAX / n)
        p = bbt_alloc_array(n * s->cells, sizeof *p);
    if (!p || !point) {
        rc = bbt_fail(err, BBT_NOMEM, "no memory for %zu prompts", n);
        goto out;
    }
    cma_point(s->cma, z, n, point);
    rc = proj_apply(&s->proj, point, n, s->p0, p, err);
    if (rc != BBT_OK)
        goto out;
    for (size_t i = 0; i < n; i++)
        ret_digest[i] = digest_short(z + i * s->dim, s->dim * sizeof *z);
    *ret = p;
    p = NULL;
out:
    bbt_free(p);
    bbt_free(point);
    return rc;
}
