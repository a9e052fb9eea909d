/* dialog.h -- what the dialects of JSON and text share: checks of a question, the frame of a
 * request, and reading answers without ever guessing.
 *
 * Log-probabilities stand for logits: over the labels they differ by a constant only. */
#ifndef PROV_DIALOG_H
#define PROV_DIALOG_H

#include "prov/chain.h"
#include "prov/prov.h"

/* What exp() cannot tell from 0. Servers write -9999 or a probability of 0 for "very
 * unlikely"; below this no number is a measurement. */
#define DIALOG_FLOOR (-700.0)

struct dialog_need {
    size_t labels_max; /* 0 = any */
    bool text, label_text, label_ids;
    bool prepend_only; /* prompt rows cannot be added to tokens' rows */
    bool soft_prompt;  /* one is possible */
};

/* Is this a question for that model? BBT_INVALID with the reason: not probed, empty, too many
 * rows, without the texts or ids in need; prompt of another width or with a number that is not
 * finite, rows that enter elsewhere than at the input embedding. */
enum bbt_rc dialog_check(const struct prov_model *m, const struct prov_ask *ask,
    const struct dialog_need *need, struct bbt_err *err);
enum bbt_rc dialog_check_one(const struct prov_model *m, const struct prov_ask *ask,
    const struct dialog_need *need, struct bbt_err *err); /* and a single example */
enum bbt_rc dialog_check_prompt(const struct prov_model *m, const struct prov_ask *ask,
    const struct dialog_need *need, struct bbt_err *err);

/* part_prompt of a dialect that takes text only: BBT_INVALID where there is a prompt. */
enum bbt_rc dialog_no_prompt(const struct prov_model *m, const struct prov_ask *ask,
    struct prov_part *ret, struct bbt_err *err);

/* encode of a dialect whose batch's part is the whole body. */
enum bbt_rc dialog_whole(const struct prov_model *m, const struct prov_ask *ask,
    const char *path, const struct prov_part *batch, struct prov_http *ret,
    struct bbt_err *err);

/* A name for the prompt, the same for the same numbers: keeps caches of one candidate apart
 * from those of another, and equal questions equal. */
#define DIALOG_SALT 32
void dialog_salt(const struct prov_ask *ask, char ret[DIALOG_SALT]);

/* GET of a path, or POST of JSON: a chain on `h`, capped by the model's body_max, then
 * dialog_send(), which moves it to `ret` or frees it and says why it failed. `id` (may be
 * NULL) travels as X-Request-Id. */
void dialog_get(const char *path, struct prov_http *ret);
struct chain dialog_begin(const struct prov_model *m, const char *path, struct prov_http *h);
enum bbt_rc dialog_send(
    struct chain *c, const char *id, struct prov_http *ret, struct bbt_err *err);

/* BBT_INVALID where the configured parameters set what `ours` (NULL-terminated) names. */
enum bbt_rc dialog_params(
    const struct prov_model *m, const char *const *ours, struct bbt_err *err);

/* A start-up step's status that is not 200: BBT_DENIED, BBT_AGAIN or BBT_INVALID. */
enum bbt_rc dialog_refused(const struct prov_reply *r, const char *what, struct bbt_err *err);

/* Parses an answer; an error inside a good status is BBT_CORRUPT with its words, and so is
 * what is neither an object nor an array. The caller owns *ret. */
enum bbt_rc dialog_open(const struct prov_reply *r, json_t **ret, struct bbt_err *err);

/* The start-up step of a model list {"data":[{"id","max_model_len"}]}: is the model there? */
enum bbt_rc dialog_take_models(
    struct prov_model *m, const struct prov_reply *r, struct bbt_err *err);

/* {"tokens":[...]} of any tokenise call. */
enum bbt_rc dialog_take_tokens(
    const struct prov_reply *r, struct prov_tokens *ret, struct bbt_err *err);

/* Is `v` a finite number? A whole one is fine. */
bool dialog_number(const json_t *v, double *ret);

/* Log-probability as it is kept: not under the floor. */
float dialog_logprob(double v);

/* An answer with `ask`'s shape, its numbers NAN until they are known. BBT_NOMEM. */
enum bbt_rc dialog_answer(
    const struct prov_ask *ask, struct prov_answer *ret, struct bbt_err *err);

/* Puts label `c` of row `r`, once (a second value is ignored). */
void dialog_put(struct prov_answer *a, size_t r, size_t c, double logprob);

/* Is all of it known, and some label in every row above the floor? BBT_CORRUPT where not.
 * With `least` (one number per row, may be NULL) labels that were not told stand there and
 * are counted; in a row that has none they are all alike. */
enum bbt_rc dialog_finish(struct prov_answer *a, const float *least, struct bbt_err *err);

/* Tokens by the server's "usage" (may be NULL or missing); where it does not say, a bound:
 * ids and prompt rows, or the bytes of the texts. */
void dialog_usage(const json_t *root, const struct prov_ask *ask, struct prov_answer *a);

/* What one choice says of row `r`: puts the labels that it finds, and into *least the least
 * number of the server's list of the likeliest. Codes as decode. */
typedef enum bbt_rc dialog_take_fn(const struct prov_ask *ask, const json_t *choice, size_t r,
    struct prov_answer *a, float *least, struct bbt_err *err);

/* Reads {"choices":[{"index",...}]}: every example exactly once, in any order. Labels that
 * were not told stand at the list's least if `censor`. Codes as decode. */
enum bbt_rc dialog_choices(const struct prov_ask *ask, const struct prov_reply *r,
    dialog_take_fn *take, bool censor, struct prov_answer *ret, struct bbt_err *err);

/* BBT_CORRUPT and the reason. */
enum bbt_rc dialog_corrupt(struct bbt_err *err, const char *why);

#endif
