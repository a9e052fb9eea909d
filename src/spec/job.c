#include "spec/job.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/record.h"
#include "spec/row.h"
#include "spec/window.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define LABELS_MAX 256
#define ORDERS_DEFAULT 4

_Static_assert(sizeof(enum job_metric) == sizeof(int), "enums are read as int");

static const char *const metrics[] = {"accuracy", "f1", NULL};
static const char *const prompts[] = {"soft", "none", NULL};
static const char *const modes[] = {"add", "concat", NULL};
static const char *const places[] = {"hidden", "embedding", NULL};
static const char *const projections[] = {"uniform", "normal", NULL};
static const char *const inits[] = {"zero", "random_tokens", NULL};
static const char *const losses[] = {"cross_entropy", "hinge", "negative_metric", NULL};
static const char *const formats[] = {"auto", "tsv", "csv", "jsonl", NULL};
static const char *const cache_uses[] = {"off", "read", "write", "readwrite", NULL};
static const char *const step_rules[] = {"csa", "tpa", NULL};
static const char *const at_limit[] = {"pause", "finish", NULL};
static const char *const selects[] = {"metric", "loss", NULL};

#define OF job_spec
#define DATA(name_, what_)                                                             \
    ROW("data." #name_ ".file", KEY_NAME, name_.file, 1, 4096, NULL,                   \
        what_ ", relative to the job file"),                                           \
        ROW("data." #name_ ".shots", KEY_COUNT, name_.shots, 1, 1e6, NULL,             \
            "examples per label; absent: every line"),                                 \
        WORD("data." #name_ ".format", name_.format, formats, "auto",                  \
            "auto: by the end of the file's name"),                                    \
        ROW("data." #name_ ".blob", KEY_SHA256, name_.blob, 0, 0, NULL,                \
            "content of the file; bbtctl fills it in")

static const struct key baseline_keys[] = {
    {.path = "manual",
        .type = KEY_BOOL,
        .at = offsetof(struct job_baseline, manual),
        .help = "the template alone, also with its label bias removed; `manual` is short "
                "for it"},
    {.path = "in_context.shots",
        .type = KEY_COUNT,
        .at = offsetof(struct job_baseline, shots),
        .min = 1,
        .max = 64,
        .help = "demonstrations of each label in front of the text, from train"},
    {.path = "in_context.orders",
        .type = KEY_COUNT,
        .at = offsetof(struct job_baseline, orders),
        .min = 1,
        .max = 16,
        .help = "so many choices and orders of them are averaged; absent: 4"},
};
static const struct key_table baseline_table = {"baseline", baseline_keys,
    sizeof baseline_keys / sizeof baseline_keys[0], sizeof(struct job_baseline)};

static const struct key keys[] = {
    FIXED("apiVersion", "bbt/v1", "version of this format"),
    FIXED("kind", "TuningJob", "what the file is"),
    MUST("name", KEY_NAME, name, 1, REC_NAME_MAX - 1, "how people call the job"),
    ROW("description", KEY_TEXT, description, 0, 4096, NULL, "for people"),
    ROW("tags", KEY_LIST, tags, 0, 32, NULL, "for people and for selecting jobs"),
    ROW("priority", KEY_INT, priority, -100, 100, "0", "higher is served first"),
    ROW("schedule.not_before", KEY_MOMENT, schedule.not_before_us, 0, 0, NULL,
        "when it may start, like 2026-11-01T22:00:00+01:00; absent: at once"),
    {.path = "schedule.windows",
        .type = KEY_ITEMS,
        .at = offsetof(struct OF, schedule.windows),
        .max = 64,
        .items = &spec_window_table,
        .words = spec_window_word,
        .help = "hours outside of which it is not at work, like [\"22:00-08:00\"]; absent: "
                "always"},

    MUST("provider", KEY_NAME, provider, 1, 128, "name of a provider of the daemon"),
    MUST("model", KEY_NAME, model, 1, 128, "name of one of its models"),
    ROW("fallback", KEY_LIST, fallback, 0, 8, NULL,
        "other providers with a model of that name, used while the first is away; only where "
        "its trial prompts get the same answers"),

    DATA(train, "labelled examples to tune on"),
    DATA(dev, "examples that choose the best prompt; absent: split off the train file"),
    DATA(test, "held-out examples, measured once at the end"),
    ROW("data.seed", KEY_COUNT, split_seed, 1, INFINITY, NULL,
        "of the choice of examples; absent: optimizer.seed"),
    ROW("data.columns.text", KEY_NAME, col_text, 1, 200, NULL,
        "column with the text; absent: `text`, unless text_a is there"),
    ROW("data.columns.text_a", KEY_NAME, col_text_a, 1, 200, NULL,
        "column with the first of two texts"),
    ROW("data.columns.text_b", KEY_NAME, col_text_b, 1, 200, NULL,
        "column with the second of two texts"),
    ROW("data.columns.label", KEY_NAME, col_label, 1, 200, "label",
        "column with the label"),

    FIXED("task.type", "classification", "what the model is tuned for"),
    MUST("task.template", KEY_TEXT, template, 1, 4096,
        "the prompt, like \"{prompt} {text} It was {mask}.\""),
    MUST("task.labels", KEY_ORDERED, labels, 2, LABELS_MAX,
        "label of the data to the word that stands at the mask"),
    WORD("task.metric", metric, metrics, "accuracy",
        "what dev and test are measured by"),
    ROW("task.positive", KEY_NAME, positive, 1, 200, NULL,
        "label that f1 is about; absent: mean over all labels"),

    WORD("prompt.kind", prompt, prompts, "soft",
        "vectors in front of the text; none: no search, the baselines only"),
    ROW("prompt.tokens", KEY_COUNT, tokens, 1, 1000, "50", "length of the prompt"),
    ROW("prompt.intrinsic_dim", KEY_COUNT, intrinsic_dim, 1, 4096, "500",
        "numbers that are searched for"),
    WORD("prompt.mode", mode, modes, "add",
        "add to the vectors at {prompt}, or concat in front of the input"),
    WORD("prompt.at", at, places, "hidden",
        "add to the embedding block's output, or to the word embedding"),
    WORD("prompt.projection.distribution", projection, projections, "normal",
        "entries of the random matrix"),
    ROW("prompt.projection.scale", KEY_AUTO, scale, 1e-9, 1e9, "auto",
        "normal: deviation of the embeddings (auto: measured); uniform: a factor"),
    ROW("prompt.projection.alpha", KEY_REAL, alpha, 1e-9, 1e9, "1",
        "normal: deviation of the prompt in units of the scale"),
    ROW("prompt.projection.seed", KEY_COUNT, projection_seed, 1, INFINITY, NULL,
        "of the random matrix; absent: optimizer.seed"),
    WORD("prompt.init", init, inits, "zero", "prompt that the search starts from"),
    ROW("prompt.init_seed", KEY_COUNT, init_seed, 1, INFINITY, NULL,
        "of the random tokens; absent: optimizer.seed"),

    FIXED("optimizer.algorithm", "cma-es", "how the search moves"),
    ROW("optimizer.popsize", KEY_COUNT, popsize, 4, 8192, "20",
        "candidates per generation"),
    ROW("optimizer.sigma", KEY_REAL, sigma, 1e-9, 1e9, "1", "first step size"),
    ROW("optimizer.seed", KEY_COUNT, seed, 1, INFINITY, "42", "of everything random"),
    WORD("optimizer.step_rule", step_rule, step_rules, "csa",
        "how the step size adapts: path length, or two points"),

    WORD(
        "objective.loss", loss, losses, "cross_entropy", "what the search makes small"),
    ROW("objective.margin", KEY_REAL, margin, 0, 1e6, "2", "of hinge"),

    WORD("cache", cache, cache_uses, "readwrite",
        "use of the daemon's response cache, where it has one"),
    ROW("dev_every", KEY_COUNT, dev_every, 1, 1e6, "5",
        "generations between measurements on the dev set"),
    WORD("dev_select", dev_select, selects, "metric",
        "what the best prompt is chosen by: metric (ties by loss), or loss on dev"),
    ROW("dev_mean", KEY_BOOL, dev_mean, 0, 0, "false",
        "also measure the mean of the search distribution"),

    {.path = "baselines",
        .type = KEY_ITEMS,
        .at = offsetof(struct job_spec, baselines),
        .min = 0,
        .max = 2,
        .items = &baseline_table,
        .help = "measured on the test set for comparison; absent: [manual]"},

    ROW("stop.evaluations", KEY_COUNT, stop_evaluations, 1, 1e12, NULL,
        "candidates scored on the whole training set"),
    ROW("stop.generations", KEY_COUNT, stop_generations, 1, 1e9, NULL, "rounds"),
    ROW("stop.target.dev", KEY_REAL, stop_dev, 0, 1, NULL,
        "dev metric that is good enough"),
    ROW("stop.stall.generations", KEY_COUNT, stall_generations, 1, 1e9, NULL,
        "end after so many without progress on the dev set"),
    ROW("stop.stall.tolerance", KEY_REAL, stall_tolerance, 0, 1e6, "0.0001",
        "what counts as progress"),
    ROW("stop.wall_time", KEY_TIME, stop_time_us, 1, 31536000, NULL,
        "running time, over restarts"),

    ROW("limits.requests", KEY_MANY, limits.requests, 1, 1e12, NULL,
        "hard: reserved before each request is sent, like the others"),
    ROW("limits.tokens", KEY_MANY, limits.tokens, 1, 1e15, NULL,
        "both ways; a request that may need more is not sent"),
    ROW("limits.usd", KEY_MONEY, limits.usd, 0, 1e9, NULL,
        "by the daemon's price list; a model without a price is refused"),
    WORD("limits.on_limit", limits.on_limit, at_limit, "pause",
        "wait for `bbtctl extend`, or end the search with the best prompt so far; what the "
        "last measurement needs is kept back for it"),
};

const struct key_table job_table = {
    "job file", keys, sizeof keys / sizeof keys[0], sizeof(struct job_spec)};

/* ---- what one key alone cannot tell ---- */

/* Is something wrong in this section already? Then what follows from it is not said
 * too. */
static bool troubled(const struct spec_problems *p, const char *section)
{
    for (size_t i = 0; i < p->nr; i++)
        if (strncmp(p->item[i].pointer, section, strlen(section)) == 0)
            return true;
    return false;
}

static void check_data(
    const struct job_spec *s, enum job_form form, struct spec_problems *p)
{
    const struct {
        const struct job_data *data;
        const char *pointer, *name;
    } sets[] = {{&s->train, "/data/train", "train"}, {&s->dev, "/data/dev", "dev"},
        {&s->test, "/data/test", "test"}};

    if (!s->train.file && !s->train.blob)
        problem_add(p, "/data/train", false, "train: {file: data/train.tsv, shots: 16}",
            "data.train: \"file\" is missing");
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        if (form == JOB_WIRE && sets[i].data->file && !sets[i].data->blob)
            problem_add(p, sets[i].pointer, false,
                "send the file first, name its SHA-256", "data.%s: \"blob\" is missing",
                sets[i].name);
    if (s->prompt == JOB_SOFT && !s->dev.file && !s->dev.blob && s->train.shots == 0)
        problem_add(p, "/data/dev", false,
            "give dev a file, or train a number of shots",
            "data.dev: nothing is left for it, because train takes every line");
}

static void check_columns(const struct job_spec *s, struct spec_problems *p)
{
    const bool two = s->col_text_a || s->col_text_b;

    if (two && s->col_text)
        problem_add(p, "/data/columns/text", true, "use text, or text_a with text_b",
            "data.columns: text does not go with text_a and text_b");
    else if (two && !(s->col_text_a && s->col_text_b))
        problem_add(p, "/data/columns", false, NULL,
            "data.columns: text_a and text_b need each other");
}

static void check_labels(const struct job_spec *s, struct spec_problems *p)
{
    const struct key_pair *l = s->labels.item;
    bool found = !s->positive;

    for (size_t i = 0; i < s->labels.nr; i++) {
        if (!l[i].name || !l[i].value)
            return; /* no memory, which is noted already */
        found = found || strcmp(l[i].name, s->positive) == 0;
        if (strspn(l[i].value, " ") == strlen(l[i].value))
            problem_add(p, "/task/labels", false, NULL,
                "task.labels: the word of \"%.60s\" is empty", l[i].name);
        for (size_t j = 0; j < i; j++) {
            if (strcmp(l[i].name, l[j].name) == 0)
                problem_add(p, "/task/labels", false, NULL,
                    "task.labels: the label \"%.60s\" stands there twice", l[i].name);
            if (strcmp(l[i].value, l[j].value) == 0)
                problem_add(p, "/task/labels", false,
                    "every label needs a word of its own",
                    "task.labels: \"%.60s\" and \"%.60s\" have the same word \"%.60s\"",
                    l[j].name, l[i].name, l[i].value);
        }
    }
    if (s->labels.nr && !found)
        problem_add(p, "/task/positive", false, NULL,
            "task.positive: \"%.60s\" is not a label", s->positive);
    if (s->positive && s->metric != JOB_F1)
        problem_add(p, "/task/positive", true, "metric: f1, or leave positive out",
            "task.positive: only f1 has a positive label");
}

static void check_fallback(const struct job_spec *s, struct spec_problems *p)
{
    for (size_t i = 0; i < s->fallback.nr; i++) {
        const char *name = s->fallback.item[i];
        bool twice = name && s->provider && strcmp(name, s->provider) == 0;

        for (size_t j = 0; name && j < i; j++)
            twice = twice || strcmp(name, s->fallback.item[j]) == 0;
        if (twice)
            problem_add(p, "/fallback", false, "name each provider once",
                "fallback: \"%.60s\" is named already", name);
    }
}

/* Each kind once, and something to measure on. */
static void check_baselines(const struct job_spec *s, struct spec_problems *p)
{
    const struct job_baseline *b = s->baselines.item;
    bool test = s->test.file || s->test.blob;
    size_t manual = 0, in_context = 0;

    for (size_t i = 0; i < s->baselines.nr; i++) {
        manual += b[i].manual;
        in_context += b[i].shots > 0;
        if (b[i].manual == (b[i].shots > 0))
            problem_add(p, "/baselines", false,
                "like [manual, {in_context: {shots: 8, orders: 4}}]",
                "baselines[%zu]: must be manual, or in_context with shots", i);
    }
    if (manual > 1 || in_context > 1)
        problem_add(p, "/baselines", false, NULL, "baselines: one of each kind is possible");
    if (!test && (s->prompt == JOB_NONE || in_context))
        problem_add(p, "/data", false, "test: {file: data/test.tsv}",
            "data.test: \"file\" is missing: there is nothing to measure the baselines on");
}

static void check_stop(const struct job_spec *s, struct spec_problems *p)
{
    if (s->prompt == JOB_NONE)
        return;
    if (!s->stop_evaluations && !s->stop_generations && !s->stop_time_us)
        problem_add(p, "/stop", false, "like stop: {evaluations: 8000}",
            "stop: nothing ends this job for sure: set evaluations, generations or "
            "wall_time");
    else if (s->stop_evaluations && s->stop_evaluations < s->popsize)
        problem_add(p, "/stop/evaluations", false, NULL,
            "stop.evaluations: %llu is less than one generation (optimizer.popsize "
            "%llu)",
            (unsigned long long)s->stop_evaluations, (unsigned long long)s->popsize);
}

/* Defaults that depend on other keys: one seed is enough for all, and so on. */
static void settle(struct job_spec *s, struct spec_problems *p)
{
    uint64_t *const seeds[] = {&s->split_seed, &s->projection_seed, &s->init_seed};

    for (size_t i = 0; i < sizeof seeds / sizeof seeds[0]; i++)
        if (*seeds[i] == 0)
            *seeds[i] = s->seed;
    if (!s->dev.file && !s->dev.blob && s->dev.shots == 0)
        s->dev.shots = s->train.shots;
    for (size_t i = 0; i < s->baselines.nr; i++) {
        struct job_baseline *b = (struct job_baseline *)s->baselines.item + i;

        if (b->shots && !b->orders)
            b->orders = ORDERS_DEFAULT;
    }
    if (!s->col_text && !s->col_text_a && !s->col_text_b) {
        s->col_text = bbt_strdup("text");
        p->nomem |= !s->col_text;
    }
}

enum bbt_rc job_spec_parse(const json_t *tree, enum job_form form,
    struct job_spec **ret, struct spec_problems *problems, struct bbt_err *err)
{
    struct job_spec *s = bbt_calloc(1, sizeof *s);
    enum bbt_rc rc;

    if (!s)
        return bbt_fail(err, BBT_NOMEM, "no memory to check the job file");
    table_read(&job_table, tree, "", s, problems);
    settle(s, problems);
    if (json_is_object(tree) && !problems->nomem) {
        if (!troubled(problems, "/data"))
            check_data(s, form, problems);
        if (!troubled(problems, "/data/columns"))
            check_columns(s, problems);
        if (!troubled(problems, "/task"))
            check_labels(s, problems);
        if (!troubled(problems, "/fallback"))
            check_fallback(s, problems);
        if (!troubled(problems, "/baselines") && !troubled(problems, "/data"))
            check_baselines(s, problems);
        if (!troubled(problems, "/stop") && !troubled(problems, "/optimizer"))
            check_stop(s, problems);
    }
    rc = problem_verdict(problems, job_table.name, err);
    if (rc == BBT_OK)
        *ret = s;
    else
        job_spec_free(s);
    return rc;
}

enum bbt_rc job_spec_stored(const char *text, struct job_spec **ret, struct bbt_err *err)
{
    struct spec_problems problems;
    json_t *tree = NULL;
    enum bbt_rc rc;

    problem_init(&problems);
    rc = json_parse(text, strlen(text), "job", &tree, err);
    if (rc == BBT_OK)
        rc = job_spec_parse(tree, JOB_WIRE, ret, &problems, err);
    json_decref(tree);
    problem_fini(&problems);
    return rc;
}

void job_spec_free(struct job_spec *s)
{
    if (!s)
        return;
    table_fini(&job_table, s);
    bbt_free(s);
}

json_t *job_spec_print(const struct job_spec *s)
{
    return table_print(&job_table, s);
}

bool job_spec_manual(const struct job_spec *s)
{
    const struct job_baseline *b = s->baselines.item;
    bool manual = s->baselines.nr == 0;

    for (size_t i = 0; i < s->baselines.nr; i++)
        manual = manual || b[i].manual;
    return manual;
}

const struct job_baseline *job_spec_in_context(const struct job_spec *s)
{
    const struct job_baseline *b = s->baselines.item;

    for (size_t i = 0; i < s->baselines.nr; i++)
        if (b[i].shots)
            return &b[i];
    return NULL;
}

uint64_t job_spec_popsize(const struct job_spec *s)
{
    return s->popsize;
}

uint64_t job_spec_generations_max(const struct job_spec *s)
{
    uint64_t by_evaluations = s->stop_evaluations / s->popsize;

    if (s->prompt == JOB_NONE)
        return 0;
    if (!s->stop_generations ||
        (by_evaluations && by_evaluations < s->stop_generations))
        return by_evaluations;
    return s->stop_generations;
}

uint64_t job_spec_evaluations_max(const struct job_spec *s)
{
    uint64_t by_generations = s->stop_generations * s->popsize;

    if (s->prompt == JOB_NONE)
        return 0;
    if (!s->stop_evaluations ||
        (by_generations && by_generations < s->stop_evaluations))
        return by_generations;
    return s->stop_evaluations;
}
