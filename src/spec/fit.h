/* fit.h -- can this provider do what that job asks for? What the two files alone can tell,
 * before anything is sent. */
#ifndef SPEC_FIT_H
#define SPEC_FIT_H

#include "spec/conf.h"
#include "spec/job.h"

/* BBT_INVALID with a sentence that begins with the job file's key ("prompt.mode: ...") and ends
 * with what to do. */
BBT_NODISCARD enum bbt_rc fit_check(const struct conf_provider *p, const struct conf_model *m,
    const struct job_spec *s, struct bbt_err *err);

/* May `q` stand in for `p`: does it take the same requests and read the same tokens? Whether the
 * weights are the same, the servers tell. BBT_INVALID with a sentence that begins with
 * "fallback: ". */
BBT_NODISCARD enum bbt_rc fit_stand_in(const struct conf_provider *p,
    const struct conf_model *m, const struct conf_provider *q, const struct conf_model *n,
    struct bbt_err *err);

/* All providers of the job's `fallback`, whose own is `p` with `m`. As above. */
BBT_NODISCARD enum bbt_rc fit_fallback(const struct conf *c, const struct conf_provider *p,
    const struct conf_model *m, const struct job_spec *s, struct bbt_err *err);

#endif
