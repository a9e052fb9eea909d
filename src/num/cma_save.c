/* cma_save.c -- the optimiser's image:
 *
 *   struct image     fixed head, 8-byte fields, native (little) endian
 *   doubles          mean ps pc shift hist coef cov pend, as in cma_state.h
 *   32 bytes         SHA-256 of all that
 *
 * The eigenvectors are not in it: they are computed again from C, which is kept exactly
 * as it was when they were computed. Saves two thirds of the bytes. */
#include "num/cma_state.h"

#include "base/alloc.h"
#include "base/digest.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define MAGIC 0x31414d4364746262u /* "bbtdCMA1"; another byte order does not match */
#define VERSION 1u

struct image {
    uint64_t magic, version;
    uint64_t dim, popsize, seed, kind, step, active, tol_flat;
    double sigma0, bound, tol_fun, tol_funhist, tol_x, tol_facupx, tol_condition;
    struct cma_now now;
    uint64_t doubles; /* that follow */
};

static_assert(sizeof(struct image) == 17 * 8 + sizeof(struct cma_now), "no padding");
static_assert(sizeof(struct cma_now) == 12 * 8, "no padding");

static struct image image_of(const struct cma *c)
{
    const struct cma_opts *o = &c->opts;

    return (struct image){.magic = MAGIC,
        .version = VERSION,
        .dim = o->dim,
        .popsize = o->popsize,
        .seed = o->seed,
        .kind = o->kind,
        .step = o->step,
        .active = o->active,
        .tol_flat = o->tol.flat,
        .sigma0 = o->sigma0,
        .bound = o->bound,
        .tol_fun = o->tol.fun,
        .tol_funhist = o->tol.funhist,
        .tol_x = o->tol.x,
        .tol_facupx = o->tol.facupx,
        .tol_condition = o->tol.condition,
        .now = c->now,
        .doubles = cma_state_doubles(c)};
}

enum bbt_rc cma_save(const struct cma *c, struct bbt_buf *b, struct bbt_err *err)
{
    struct image head = image_of(c);
    size_t body = (size_t)head.doubles * sizeof(double), start = b->len;
    uint8_t *to = buf_extend(b, sizeof head + body + DIGEST_LEN);
    enum bbt_rc rc;

    if (!to)
        return bbt_fail(err, BBT_NOMEM, "no room for the optimiser's image");
    memcpy(to, &head, sizeof head);
    memcpy(to + sizeof head, c->mean, body);
    rc = digest_sha256(to, sizeof head + body, to + sizeof head + body);
    if (rc != BBT_OK) {
        b->len = start;
        return bbt_fail(err, rc, "no digest of the optimiser's image");
    }
    return BBT_OK;
}

uint64_t cma_digest(const struct cma *c)
{
    struct {
        struct image head;
        uint64_t body, eig;
    } all = {image_of(c), 0, c->eig_id};

    assert(!c->owed);
    all.body = digest_short(c->mean, cma_state_doubles(c) * sizeof(double));
    return digest_short(&all, sizeof all);
}

static enum bbt_rc corrupt(struct bbt_err *err, const char *why)
{
    return bbt_fail(err, BBT_CORRUPT, "image of the optimiser: %s", why);
}

static struct cma_opts opts_of(const struct image *i)
{
    return (struct cma_opts){.dim = i->dim,
        .popsize = i->popsize,
        .sigma0 = i->sigma0,
        .seed = i->seed,
        .bound = i->bound,
        .kind = i->kind == CMA_FULL ? CMA_FULL : CMA_SEPARABLE,
        .step = i->step == CMA_STEP_CSA ? CMA_STEP_CSA : CMA_STEP_TPA,
        .active = i->active != 0,
        .tol = {.flat = (unsigned)i->tol_flat,
            .fun = i->tol_fun,
            .funhist = i->tol_funhist,
            .x = i->tol_x,
            .facupx = i->tol_facupx,
            .condition = i->tol_condition}};
}

static enum bbt_rc check_head(
    const uint8_t *bytes, size_t len, struct image *ret, struct bbt_err *err)
{
    uint8_t digest[DIGEST_LEN];
    enum bbt_rc rc;

    if (len < sizeof *ret + DIGEST_LEN)
        return corrupt(err, "too short");
    memcpy(ret, bytes, sizeof *ret);
    if (ret->magic != MAGIC)
        return corrupt(err, "not one, or of another byte order");
    if (ret->version != VERSION)
        return corrupt(err, "another version");
    rc = digest_sha256(bytes, len - DIGEST_LEN, digest);
    if (rc != BBT_OK)
        return bbt_fail(err, rc, "no digest of the optimiser's image");
    if (memcmp(digest, bytes + len - DIGEST_LEN, DIGEST_LEN) != 0)
        return corrupt(err, "digest does not match");
    /* from here on only a bug or malice can be found */
    if (ret->kind > CMA_SEPARABLE || ret->step > CMA_STEP_TPA || ret->active > 1 ||
        ret->tol_flat > UINT32_MAX || ret->popsize == 0)
        return corrupt(err, "an option is out of range");
    if (ret->doubles != (len - DIGEST_LEN - sizeof *ret) / sizeof(double) ||
        (len - DIGEST_LEN - sizeof *ret) % sizeof(double) != 0)
        return corrupt(err, "length does not fit");
    return BBT_OK;
}

static bool sound(const struct cma *c)
{
    const struct cma_now *w = &c->now;

    return isfinite(w->sigma) && w->sigma > 1e-290 && w->sigma < 1e290 &&
           isfinite(w->tpa) && isfinite(w->decay) && w->decay > 0.0 &&
           !isnan(w->spread) && w->eig_at <= w->generation &&
           w->decomposed <= w->generation && w->generation < (uint64_t)1 << 62 &&
           (w->pend_nr == 0 || w->pend_nr < c->pend_max) && /* room for one more tell */
           w->pend_nr % (c->lambda + 1) == 0 &&
           w->pend_nr / (c->lambda + 1) <= w->generation - w->eig_at &&
           w->hist_nr <= c->hist_max && w->hist_at < c->hist_max && w->numeric <= 1;
}

/* The sizes that the options ask for must be the sizes that are there, before memory is
 * taken by them. */
static enum bbt_rc check_sizes(const struct image *head, struct bbt_err *err)
{
    struct cma probe = {0};
    struct cma_opts opts = opts_of(head);
    size_t doubles;
    enum bbt_rc rc = cma_state_size(&probe, &opts, &doubles, err);

    if (rc != BBT_OK)
        return rc == BBT_NOMEM ? rc : corrupt(err, "options out of range");
    probe.now = head->now;
    if (!sound(&probe))
        return corrupt(err, "a counter is out of range");
    if (cma_state_doubles(&probe) != head->doubles)
        return corrupt(err, "length does not fit its options");
    return BBT_OK;
}

static bool numbers_sound(const struct cma *c)
{
    size_t nr = cma_state_doubles(c);

    for (size_t i = 0; i < nr; i++)
        if (!isfinite(c->mean[i]))
            return false;
    for (size_t i = 0; i < c->n; i++)
        if (!(cma_cov_var(c, i) > 0.0))
            return false;
    return true;
}

enum bbt_rc cma_load_owing(
    const void *bytes, size_t len, struct cma **ret, struct bbt_err *err)
{
    struct cma *c = NULL;
    struct cma_opts opts;
    struct image head;
    enum bbt_rc rc = check_head(bytes, len, &head, err);

    if (rc != BBT_OK)
        return rc;
    rc = check_sizes(&head, err);
    if (rc != BBT_OK)
        return rc;
    opts = opts_of(&head);
    rc = cma_state_new(&opts, &c, err);
    if (rc != BBT_OK)
        return rc;
    c->now = head.now;
    memcpy(
        c->mean, (const uint8_t *)bytes + sizeof head, head.doubles * sizeof(double));
    c->owed = true;
    if (!numbers_sound(c)) {
        cma_free(c);
        return corrupt(err, "numbers out of range");
    }
    *ret = c;
    return BBT_OK;
}

enum bbt_rc cma_load(
    const void *bytes, size_t len, struct cma **ret, struct bbt_err *err)
{
    struct cma *c = NULL;
    enum bbt_rc rc = cma_load_owing(bytes, len, &c, err);

    if (rc != BBT_OK)
        return rc;
    if (cma_settle(c, NULL) != BBT_OK) {
        cma_free(c);
        return corrupt(err, "numbers out of range");
    }
    *ret = c;
    return BBT_OK;
}
