/* job.h -- a tuning job as its author wrote it: the job file, checked, with defaults.
 *
 * The same code checks the file in bbtctl and the JSON body in the daemon. Files named
 * in a spec are not opened here. Zero means "not set" unless a comment says otherwise.
 */
#ifndef SPEC_JOB_H
#define SPEC_JOB_H

#include "base/err.h"
#include "base/json.h"
#include "base/money.h"
#include "spec/problem.h"
#include "spec/table.h"

#include <stdbool.h>
#include <stdint.h>

enum job_metric { JOB_ACCURACY, JOB_F1 };
enum job_prompt { JOB_SOFT, JOB_NONE };
enum job_mode { JOB_ADD, JOB_CONCAT };
enum job_at { JOB_AT_HIDDEN, JOB_AT_EMBEDDING };
enum job_projection { JOB_PROJ_UNIFORM, JOB_PROJ_NORMAL };
enum job_init { JOB_INIT_ZERO, JOB_INIT_RANDOM_TOKENS };
enum job_loss { JOB_CROSS_ENTROPY, JOB_HINGE, JOB_NEGATIVE_METRIC };
enum job_cache { JOB_CACHE_OFF, JOB_CACHE_READ, JOB_CACHE_WRITE, JOB_CACHE_BOTH };
enum job_format { JOB_FORMAT_AUTO, JOB_TSV, JOB_CSV, JOB_JSONL };
enum job_step_rule { JOB_STEP_CSA, JOB_STEP_TPA };
enum job_on_limit { JOB_LIMIT_PAUSE, JOB_LIMIT_FINISH };
enum job_select { JOB_BY_METRIC, JOB_BY_LOSS };

struct job_data {
    char *file;     /* as written; relative to the job file; NULL = no such set */
    char *blob;     /* SHA-256 of the bytes; set by bbtctl, needed by the daemon */
    uint64_t shots; /* per class; 0 = every line */
    enum job_format format; /* auto: by the file's name */
};

/* What the tuned prompt is compared with: the manual prompt, or demonstrations in front of
 * the text. */
struct job_baseline {
    bool manual;
    uint64_t shots, orders; /* in context: demonstrations per label, orders of them; 0 = none */
};

struct job_spec {
    char *name, *description;
    struct key_list tags;
    int64_t priority;
    struct {
        int64_t not_before_us;    /* wall clock; 0 = at once */
        struct key_items windows; /* struct spec_window: at work inside only; none = always */
    } schedule;
    char *provider, *model;
    struct key_list fallback; /* other providers of the same model; empty: none */

    struct job_data train, dev, test; /* dev without a file is split off train's pool */
    uint64_t split_seed;              /* of the k-shot split */
    /* columns; col_text is NULL where text_a and text_b are used, and they where it is
     */
    char *col_text, *col_text_a, *col_text_b, *col_label;

    char *template;
    struct key_pairs labels; /* label -> word, at least two, in the author's order */
    enum job_metric metric;
    char *positive; /* label that F1 is about; NULL = macro F1 */

    enum job_prompt prompt; /* none: no search, the baselines are all that is measured */
    uint64_t tokens, intrinsic_dim;
    enum job_mode mode;
    enum job_at at;
    enum job_projection projection;
    double scale; /* NaN = auto: from the embeddings (normal), 1 (uniform) */
    double alpha;
    enum job_init init;
    uint64_t init_seed, projection_seed;

    uint64_t popsize;
    double sigma;
    uint64_t seed;
    enum job_step_rule step_rule;

    enum job_loss loss;
    double margin; /* hinge only */

    enum job_cache cache; /* use of the daemon's response cache */

    uint64_t dev_every; /* generations */
    enum job_select dev_select; /* what makes a prompt better than another */
    bool dev_mean;      /* also measure the search distribution's mean */

    struct key_items baselines; /* struct job_baseline; empty: the manual prompt */

    uint64_t stop_evaluations, stop_generations; /* 0 = open */
    double stop_dev;                             /* NaN = open */
    uint64_t stall_generations;                  /* 0 = never */
    double stall_tolerance;
    uint64_t stop_time_us; /* running time, over restarts; 0 = open */

    struct { /* hard: reserved before each request */
        uint64_t requests, tokens; /* 0 = open */
        uint64_t usd;              /* nano-dollars; MONEY_NONE = open */
        enum job_on_limit on_limit;
    } limits;
};

/* Who is asking: the author's file, or the wire form that the daemon takes. */
enum job_form { JOB_FILE, JOB_WIRE };

/* Reads a parsed document. BBT_INVALID with every problem in `problems` (initialised by
 * the caller), the first of them in `err`. The caller owns *ret. */
BBT_NODISCARD enum bbt_rc job_spec_parse(const json_t *tree, enum job_form form,
    struct job_spec **ret, struct spec_problems *problems, struct bbt_err *err);

/* The same from the text of a wire form that was accepted before: a stored job. BBT_INVALID
 * where it is none any more. The caller owns *ret. */
BBT_NODISCARD enum bbt_rc job_spec_stored(
    const char *text, struct job_spec **ret, struct bbt_err *err);
void job_spec_free(struct job_spec *s); /* NULL is fine */

/* The wire form with every effective value; parse of it gives the same spec. NULL
 * without memory. json_print() of it is the canonical text. */
json_t *job_spec_print(const struct job_spec *s);

/* Upper bounds that follow from the stop rules; 0 = open, or no search. */
uint64_t job_spec_generations_max(const struct job_spec *s);
uint64_t job_spec_evaluations_max(const struct job_spec *s);

/* Is the manual prompt measured? And in-context learning: NULL where it is not. */
bool job_spec_manual(const struct job_spec *s);
const struct job_baseline *job_spec_in_context(const struct job_spec *s);

/* Candidates per generation. */
uint64_t job_spec_popsize(const struct job_spec *s);

extern const struct key_table job_table;

#endif
