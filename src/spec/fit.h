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

#endif
