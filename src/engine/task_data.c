/* task_data.c -- a job's data files: read, split, rendered. */
#include "engine/task_data.h"

#include "base/alloc.h"
#include "engine/demo.h"
#include "num/rng.h"
#include "text/split.h"

/* One parsed data file with everything that a split needs. */
struct source {
    struct dataset *d;
    uint32_t *cls;
    uint64_t *digest;
    uint32_t *perm;
};

static void source_fini(struct source *s)
{
    dataset_free(s->d);
    bbt_free(s->cls);
    bbt_free(s->digest);
    bbt_free(s->perm);
}

/* Some rows of a source. */
struct picked {
    const struct source *src;
    const uint32_t *row; /* NULL: all of them */
    size_t n, cols_fixed;
};

/* Their texts and classes. */
struct rows {
    const char **a, **b;
    uint32_t *cls;
};

static void rows_fini(struct rows *r)
{
    bbt_free(r->a);
    bbt_free(r->b);
    bbt_free(r->cls);
}

static enum bbt_rc rows_of(const struct picked *k, struct rows *ret, struct bbt_err *err)
{
    size_t n = k->n;

    *ret = (struct rows){bbt_alloc_array(n, sizeof *ret->a),
        bbt_alloc_array(n, sizeof *ret->b), bbt_alloc_array(n, sizeof *ret->cls)};
    if (!ret->a || !ret->b || !ret->cls)
        return bbt_fail(err, BBT_NOMEM, "no memory for %zu texts", n);
    for (size_t i = 0; i < n; i++) {
        uint32_t r = k->row ? k->row[i] : (uint32_t)i;

        ret->a[i] = k->src->d->rows[r].text_a;
        ret->b[i] = k->src->d->rows[r].text_b;
        ret->cls[i] = k->src->cls[r];
    }
    return BBT_OK;
}

/* Rendered and labelled. */
static enum bbt_rc render_rows(const struct task *t, const struct picked *k, bool soft,
    struct task_set *ret, struct bbt_err *err)
{
    int32_t *gold = bbt_alloc_array(k->n, sizeof *gold);
    struct rows r = {0};
    enum bbt_rc rc = gold ? rows_of(k, &r, err)
                          : bbt_fail(err, BBT_NOMEM, "no memory for %zu texts", k->n);

    if (rc == BBT_OK)
        rc = task_render(
            t, &(struct task_texts){r.a, r.b, k->n, soft, k->cols_fixed}, ret, err);
    if (rc == BBT_OK) {
        for (size_t i = 0; i < k->n; i++)
            gold[i] = (int32_t)r.cls[i];
        ret->truth = r.cls;
        ret->gold = gold;
        r.cls = NULL;
        gold = NULL;
    }
    bbt_free(gold);
    rows_fini(&r);
    return rc;
}

static enum bbt_rc make_demo(
    const struct task_input *in, struct task *t, const struct picked *k, struct bbt_err *err)
{
    struct rows r = {0};
    enum bbt_rc rc = rows_of(k, &r, err);

    if (rc == BBT_OK)
        rc = demo_new(t, &(struct task_texts){.text_a = r.a, .text_b = r.b, .n = k->n}, r.cls,
            in->spec, &t->demo, err);
    rows_fini(&r);
    return rc;
}

static enum dataset_format format_of(const struct job_data *d)
{
    static const enum dataset_format by[] = {
        [JOB_TSV] = DATASET_TSV, [JOB_CSV] = DATASET_CSV, [JOB_JSONL] = DATASET_JSONL};

    return d->format == JOB_FORMAT_AUTO ? dataset_format_guess(d->file) : by[d->format];
}

static enum bbt_rc source_load(const struct task *t, const struct job_spec *spec,
    const struct job_data *data, const struct task_file *f, struct source *ret,
    struct bbt_err *err)
{
    struct dataset_columns cols = {
        spec->col_text ? spec->col_text : spec->col_text_a, spec->col_text_b,
        spec->col_label};
    enum dataset_format format = format_of(data);
    enum bbt_rc rc;
    size_t n;

    if (format == DATASET_FORMAT_NR)
        return bbt_fail(err, BBT_INVALID,
            "%s: unknown kind of data file (name it .tsv, .csv or .jsonl, or set `format`)",
            data->file);
    rc = dataset_parse(f->bytes, f->len, format, &cols, data->file, &ret->d, err);
    if (rc != BBT_OK)
        return rc;
    n = ret->d->n;
    ret->cls = bbt_alloc_array(n, sizeof *ret->cls);
    ret->digest = bbt_alloc_array(n, sizeof *ret->digest);
    ret->perm = bbt_alloc_array(n, sizeof *ret->perm);
    if (!ret->cls || !ret->digest || !ret->perm)
        return bbt_fail(err, BBT_NOMEM, "no memory for %s", data->file);
    for (size_t i = 0; i < n; i++)
        ret->digest[i] = dataset_digest(&ret->d->rows[i]);
    rng_shuffle(spec->split_seed, RNG_SPLIT, n, ret->perm);
    return verb_classes(t->verb, ret->d, ret->cls, err);
}

static struct split_source split_of(const struct task *t, const struct source *s,
    const char *const *names)
{
    return (struct split_source){s->d->name, s->d->n, t->verb->n, s->cls, s->digest,
        s->perm, names};
}

/* Train and dev rows: both from the train file, or dev from a file of its own. */
static enum bbt_rc split_rows(const struct task_input *in, const struct task *t,
    const struct source *train, const struct source *dev, const char *const *names,
    struct split *ret, struct bbt_err *err)
{
    struct split_source from = split_of(t, train, names), other;
    size_t shots = (size_t)in->spec->train.shots;
    uint64_t *seen = NULL;
    enum bbt_rc rc;

    if (!dev->d && shots && in->spec->prompt == JOB_SOFT)
        return split_kshot(&from, shots, (size_t)in->spec->dev.shots, ret, err);
    rc = split_pick(&from, shots, NULL, 0, &ret->train, &ret->n_train, err);
    if (rc != BBT_OK || !dev->d || in->spec->prompt != JOB_SOFT)
        return rc;
    seen = bbt_alloc_array(ret->n_train, sizeof *seen);
    if (!seen)
        return bbt_fail(err, BBT_NOMEM, "no memory for the split");
    for (size_t i = 0; i < ret->n_train; i++)
        seen[i] = train->digest[ret->train[i]];
    other = split_of(t, dev, names);
    rc = split_pick(&other, (size_t)in->spec->dev.shots, seen, ret->n_train, &ret->dev,
        &ret->n_dev, err);
    bbt_free(seen);
    return rc;
}

/* A test set cut to so many examples per class; the caller frees *ret. */
static enum bbt_rc pick_test(const struct task_input *in, const struct task *t,
    struct picked *test, const char *const *names, uint32_t **ret, struct bbt_err *err)
{
    struct split_source from = split_of(t, test->src, names);
    enum bbt_rc rc = split_pick(
        &from, (size_t)in->spec->test.shots, NULL, 0, ret, &test->n, err);

    test->row = *ret;
    return rc;
}

static enum bbt_rc build_sets(const struct task_input *in, struct task *t,
    struct source src[3], const char *const *names, struct bbt_err *err)
{
    size_t fixed = in->cols_fixed;
    struct split sp = {0};
    enum bbt_rc rc = split_rows(in, t, &src[0], &src[1], names, &sp, err);
    struct picked train = {&src[0], sp.train, sp.n_train, fixed};
    struct picked dev = {src[1].d ? &src[1] : &src[0], sp.dev, sp.n_dev, fixed};
    struct picked test = {&src[2], NULL, src[2].d ? src[2].d->n : 0, fixed};
    uint32_t *few = NULL;

    if (rc == BBT_OK && in->spec->test.shots && src[2].d)
        rc = pick_test(in, t, &test, names, &few, err);
    if (rc == BBT_OK)
        rc = render_rows(t, &train, true, &t->train, err);
    if (rc == BBT_OK)
        rc = render_rows(t, &train, false, &t->train_plain, err);
    if (rc == BBT_OK && dev.n > 0)
        rc = render_rows(t, &dev, true, &t->dev, err);
    if (rc == BBT_OK && test.n > 0)
        rc = render_rows(t, &test, true, &t->test, err);
    if (rc == BBT_OK && test.n > 0)
        rc = render_rows(t, &test, false, &t->test_plain, err);
    if (rc == BBT_OK && test.n > 0 && job_spec_in_context(in->spec))
        rc = make_demo(in, t, &train, err);
    bbt_free(few);
    split_fini(&sp);
    return rc;
}

enum bbt_rc task_data(const struct task_input *in, struct task *t, struct bbt_err *err)
{
    const struct task_file *file[3] = {&in->train, &in->dev, &in->test};
    const struct job_data *data[3] = {&in->spec->train, &in->spec->dev, &in->spec->test};
    const char **names = bbt_alloc_array(t->verb->n, sizeof *names);
    struct source src[3] = {0};
    enum bbt_rc rc = BBT_OK;

    if (!names)
        return bbt_fail(err, BBT_NOMEM, "no memory for the labels");
    for (size_t i = 0; i < t->verb->n; i++)
        names[i] = t->verb->labels[i].name;
    for (size_t i = 0; i < 3 && rc == BBT_OK; i++)
        if (file[i]->bytes)
            rc = source_load(t, in->spec, data[i], file[i], &src[i], err);
    if (rc == BBT_OK)
        rc = build_sets(in, t, src, names, err);
    for (size_t i = 0; i < 3; i++)
        source_fini(&src[i]);
    bbt_free(names);
    return rc;
}
