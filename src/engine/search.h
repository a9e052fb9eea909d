/* search.h -- the numbers of one job: optimiser, projection, starting prompt.
 *
 * Blocking and pure; runs on workers. Starting and resuming are the same code: a job that
 * begins is a job without stored generations. */
#ifndef ENGINE_SEARCH_H
#define ENGINE_SEARCH_H

#include "base/record.h"
#include "engine/like.h"
#include "num/cma.h"
#include "num/proj.h"
#include "spec/job.h"

/* What the job learned from the server before its first question, kept for ever: a resumed
 * run must not depend on the server saying the same again. */
struct search_setup {
    size_t rows, hidden; /* of the soft prompt */
    double embed_mean, embed_std; /* NaN where nobody asked */
    float *p0;           /* rows x hidden; NULL = zero */
    uint8_t *lex;        /* tokens of the texts by the server's tokeniser (lex_save()); or NULL */
    size_t lex_len;
    struct like like;    /* what the model answered to the trial prompts */
};
void search_setup_fini(struct search_setup *s);

/* To bytes and back. The image carries a digest: BBT_CORRUPT where it does not hold. */
BBT_NODISCARD enum bbt_rc search_setup_save(
    const struct search_setup *s, struct bbt_buf *ret, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc search_setup_load(
    const void *bytes, size_t len, struct search_setup *ret, struct bbt_err *err);

struct search {
    struct cma *cma;
    struct proj proj;
    const float *p0; /* borrowed */
    size_t dim, popsize, cells; /* cells = rows x hidden */
    bool drifted; /* the state is not the one that the records tell of */
};

/* `resume` NULL or empty: a new search. Otherwise loads the snapshot and tells the recorded
 * losses again, up to the open generation, whose stored candidates win over drawn ones.
 * Where the generations have traces this takes one eigendecomposition, at the end.
 * BBT_INVALID (options), BBT_CORRUPT (records that do not fit), BBT_NOMEM. Borrows `setup`. */
BBT_NODISCARD enum bbt_rc search_new(const struct job_spec *spec,
    const struct search_setup *setup, const struct rec_resume *resume, struct search **ret,
    struct bbt_err *err);
void search_free(struct search *s); /* NULL is fine */

/* Bytes of the optimiser's state before the ask of the open generation. */
BBT_NODISCARD enum bbt_rc search_snapshot(
    const struct search *s, struct bbt_buf *ret, struct bbt_err *err);

/* After cma_tell(): what the closed generation is to keep of it, into `closed` (owned by it;
 * NULL where there is nothing to keep). */
BBT_NODISCARD enum bbt_rc search_trace(
    const struct search *s, struct rec_gen *closed, struct bbt_err *err);

/* The open generation as a record: a copy of its candidates, digest; loss NULL. */
BBT_NODISCARD enum bbt_rc search_open(
    struct search *s, int64_t job, struct rec_gen *ret, struct bbt_err *err);

/* p = p0 + A z for `n` search points (n x dim): n x cells floats, to be freed by bbt_free(),
 * with the short digest of each point in ret_digest (n). */
BBT_NODISCARD enum bbt_rc search_prompts(struct search *s, const double *z, size_t n,
    float **ret, uint64_t *ret_digest, struct bbt_err *err);

#endif
