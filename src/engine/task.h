/* task.h -- what a job asks about: its data sets, split, rendered and tokenised once.
 *
 * Blocking and pure (reads the tokenizer folder): made on a worker, read-only afterwards. In
 * what form texts are asked follows from the provider's dialect. Where neither the dialect nor
 * a folder gives token ids, the server's own tokeniser does: task_build() leaves texts,
 * task_wants() says which of them must be asked about, task_pack() puts the answers in. */
#ifndef ENGINE_TASK_H
#define ENGINE_TASK_H

#include "engine/render.h"
#include "prov/prov.h"
#include "spec/conf.h"
#include "spec/job.h"
#include "text/dataset.h"

struct demo;
struct lex;
struct lex_wants;

struct task {
    enum task_form form;
    struct tok *tok; /* NULL: the server's tokeniser, or nobody needs one */
    struct tmpl *tmpl;
    struct verb *verb;
    char **label_text;  /* one per label, as a model would write it; NULL in TASK_MASKED */
    char **label_form;  /* two per label, without and with a space; NULL unless words_open was */
    enum verb_lead lead; /* which form of a label word is tried first */
    bool words_open;    /* label words still need the server's tokeniser */
    bool rows_open;     /* and so do the sets */
    size_t slots;       /* prompt tokens inside the text: prompt.tokens in add mode, else 0 */
    int32_t *slot_ids;  /* prompt.tokens token ids, drawn from init_seed: fill the slots in
                           add mode, give p0 in concat mode; NULL: nobody knows the tokens */
    int32_t bos;        /* stands before every row of TASK_IDS; -1 */
    size_t batch_max, len_max; /* len_max 0: not known */
    size_t cols_fixed;         /* as in task_input */
    bool plain_single;         /* a row without prompt and first token is asked alone */
    struct task_set train, dev, test;   /* with slots; test.n is 0 without a test file */
    struct task_set train_plain, test_plain; /* no soft prompt: what a person would send */
    struct demo *demo;  /* in-context demonstrations; NULL where the job wants none */
};

struct task_file {
    const void *bytes;
    size_t len;
};

struct task_input {
    const struct job_spec *spec;
    enum task_form form;
    const char *tokenizer;  /* folder; NULL = none (never in TASK_MASKED) */
    bool text_labels;       /* labels are told apart by their text, not by token */
    bool chat;              /* what the model writes begins an answer of its own */
    int32_t bos;            /* TASK_IDS; -1 = none */
    bool plain_single;      /* as in task */
    size_t vocab;           /* rows of the input embedding, where there is no tokenizer; 0 */
    size_t batch_max;       /* rows per request; 0 = 32 */
    size_t len_max;         /* tokens per row; 0 = what the folder's config.json allows */
    size_t cols_fixed;      /* the server insists on rows of this length; 0 = any */
    struct task_file train, dev, test; /* bytes NULL = no such file; without train there
                                          are no sets (for task_render() only) */
};

/* Everything that follows from the configuration; files and bos are left to the caller. */
void task_input_init(struct task_input *in, const struct job_spec *spec,
    const struct conf_provider *p, const struct conf_model *m);

/* The same for a model that has been probed, which knows better. */
void task_input_probed(struct task_input *in, const struct prov_model *m);

/* BBT_INVALID with a sentence that names file and line, or template, or label word. */
BBT_NODISCARD enum bbt_rc task_build(
    const struct task_input *in, struct task **ret, struct bbt_err *err);
void task_free(struct task *t); /* NULL is fine */

/* Rows per request of a set with or without the soft prompt. */
size_t task_per(const struct task *t, bool soft);

/* Is there something left for the server's tokeniser? */
bool task_open(const struct task *t);

/* Texts of the task, and of `more` (may be NULL), for lex_missing(). Lent. BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc task_wants(const struct task *t, const struct task_set *more,
    struct lex_wants *ret, struct bbt_err *err);

/* Binds label words and fills in the token ids of all sets, and of `more` (may be NULL), out
 * of the table, which has all that task_wants() named. Only on a task that is open.
 * BBT_INVALID: a word that is not one token, an example over the model's length. */
BBT_NODISCARD enum bbt_rc task_pack(struct task *t, struct task_set *more,
    const struct lex *lex, struct bbt_err *err);

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

#endif
