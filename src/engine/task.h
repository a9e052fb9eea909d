/* task.h -- what a job asks about: its data sets, split, tokenised and rendered once.
 *
 * Blocking and pure (reads the tokenizer folder): made on a worker, read-only afterwards. */
#ifndef ENGINE_TASK_H
#define ENGINE_TASK_H

#include "prov/prov.h"
#include "spec/job.h"
#include "text/dataset.h"
#include "text/tmpl.h"
#include "text/tok.h"
#include "text/verb.h"

/* One request's rows. Owns the arrays behind `wire`. */
struct task_batch {
    size_t first; /* index of its first row in the set */
    uint64_t digest; /* of its tokens: batches are cut otherwise, or their texts rendered
                        otherwise, when a limit or the tokenizer has changed */
    struct prov_batch wire;
    int32_t *ids, *len, *mask_pos;
};

struct task_set {
    size_t n;         /* rows */
    uint32_t *truth;  /* n: class of each row; NULL for unlabelled text */
    int32_t *gold;    /* n: the same, as the losses want it */
    struct task_batch *batch;
    size_t batches;
    uint64_t tokens; /* in all rows together */
    size_t cut_rows; /* rows whose text did not fit whole */
};

struct task {
    struct tok *tok;
    struct tmpl *tmpl;
    struct verb *verb;
    size_t slots;       /* prompt tokens inside the text: prompt.tokens in add mode, else 0 */
    int32_t *slot_ids;  /* prompt.tokens token ids, drawn from init_seed: fill the slots in
                           add mode, give p0 in concat mode */
    size_t batch_max, len_max;
    struct task_set train, dev, test;   /* with slots; test.n is 0 without a test file */
    struct task_set train_plain, test_plain; /* no soft prompt: what a person would send */
};

struct task_file {
    const void *bytes;
    size_t len;
};

struct task_input {
    const struct job_spec *spec;
    const char *tokenizer;  /* folder */
    size_t batch_max;       /* rows per request; 0 = 32 */
    size_t len_max;         /* tokens per row; 0 = what the folder's config.json allows */
    size_t cols_fixed;      /* the server insists on rows of this length; 0 = any */
    struct task_file train, dev, test; /* bytes NULL = no such file; without train there
                                          are no sets (for task_render() only) */
};

/* BBT_INVALID with a sentence that names file and line, or template, or label word. */
BBT_NODISCARD enum bbt_rc task_build(
    const struct task_input *in, struct task **ret, struct bbt_err *err);
void task_free(struct task *t); /* NULL is fine */

/* The job file's mode and place of the prompt, in the words of the wire. */
enum prov_compose task_compose(const struct job_spec *spec);
enum prov_at task_at(const struct job_spec *spec);

/* Texts to be rendered like the job's own. */
struct task_texts {
    const char *const *text_a;
    const char *const *text_b; /* NULL, or n entries, each of which may be NULL */
    size_t n;
    bool soft;         /* with the prompt's slots */
    size_t cols_fixed; /* as in task_input */
};

/* Renders other texts of the same job (predictions). Freed by task_set_fini(). Errors as
 * tmpl_render()'s, BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc task_render(const struct task *t, const struct task_texts *texts,
    struct task_set *ret, struct bbt_err *err);
void task_set_fini(struct task_set *s); /* a zeroed one is fine */

#endif
