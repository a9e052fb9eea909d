/* demo.h -- in-context learning: labelled examples of the training set in front of the text
 * (Brown et al., "Language models are few-shot learners", 2020).
 *
 * Each order is a choice of its own: the training set is shuffled by the seed, the first shots
 * of each label are taken, in the order of the shuffle. Where the context is too small for so
 * many, fewer are taken, the same number for all labels and orders. */
#ifndef ENGINE_DEMO_H
#define ENGINE_DEMO_H

#include "engine/task.h"

struct demo {
    size_t shots, orders; /* as the job asks */
    size_t used;          /* demonstrations of each label that fit; 0: none, nothing to ask */
    const char *why;      /* why fewer than asked, a sentence; or NULL */
    size_t n, classes;
    uint32_t *cls;        /* n: class of each example */
    char **text;          /* n: the template with the label's word, and a line's end */
    struct tok_ids *ids;  /* n; empty in TASK_TEXT, and as long as the task is open */
    uint32_t *perm;       /* orders x n */
};

/* From the training rows: `t` has its template and labels. BBT_INVALID, BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc demo_new(const struct task *t, const struct task_texts *rows,
    const uint32_t *cls, const struct job_spec *spec, struct demo **ret, struct bbt_err *err);
void demo_free(struct demo *d); /* NULL is fine */

/* How many fit in front of the longest row of `plain` (counting it for at most half of the
 * context). Where nobody has counted the tokens yet, by a guess. */
void demo_count(const struct task *t, struct demo *d, const struct task_set *plain);

/* The rows of t->test_plain behind the demonstrations of one order; d->used > 0. Worker.
 * BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc demo_set(
    const struct task *t, size_t order, struct task_set *ret, struct bbt_err *err);

#endif
