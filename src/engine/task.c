#include "engine/task.h"

#include "base/alloc.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "num/rng.h"
#include "text/split.h"

#include <stdio.h>
#include <string.h>

#define BATCH_DEFAULT 32
#define LEN_DEFAULT 512
#define SLOTS_MAX 4096

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

static void batch_fini(struct task_batch *b)
{
    bbt_free(b->ids);
    bbt_free(b->len);
    bbt_free(b->mask_pos);
}

void task_set_fini(struct task_set *s)
{
    for (size_t i = 0; i < s->batches; i++)
        batch_fini(&s->batch[i]);
    bbt_free(s->batch);
    bbt_free(s->truth);
    bbt_free(s->gold);
    *s = (struct task_set){0};
}

void task_free(struct task *t)
{
    if (!t)
        return;
    task_set_fini(&t->train);
    task_set_fini(&t->dev);
    task_set_fini(&t->test);
    task_set_fini(&t->train_plain);
    task_set_fini(&t->test_plain);
    verb_free(t->verb);
    tmpl_free(t->tmpl);
    tok_free(t->tok);
    bbt_free(t->slot_ids);
    bbt_free(t);
}

/* ---- rendering ---- */

/* Packs rendered rows into one request's arrays and frees the rows. */
static enum bbt_rc pack(struct task_batch *b, struct tmpl_rendered *row, size_t n,
    size_t cols_fixed, int32_t pad, struct bbt_err *err)
{
    size_t cols = cols_fixed;

    for (size_t i = 0; i < n; i++)
        if (row[i].n > cols)
            cols = row[i].n;
    if (cols_fixed && cols > cols_fixed)
        return bbt_fail(err, BBT_INVALID,
            "the server takes rows of exactly %zu tokens, a text has %zu", cols_fixed, cols);
    if (cols > 0 && n > SIZE_MAX / cols)
        return bbt_fail(err, BBT_INVALID, "a batch of %zu x %zu tokens", n, cols);
    b->ids = bbt_alloc_array(n * cols, sizeof *b->ids);
    b->len = bbt_alloc_array(n, sizeof *b->len);
    b->mask_pos = bbt_alloc_array(n, sizeof *b->mask_pos);
    if (!b->ids || !b->len || !b->mask_pos)
        return bbt_fail(err, BBT_NOMEM, "no memory for a batch of %zu texts", n);
    for (size_t i = 0; i < n; i++) {
        int32_t *to = b->ids + i * cols;

        memcpy(to, row[i].ids, row[i].n * sizeof *to);
        for (size_t k = row[i].n; k < cols; k++)
            to[k] = pad;
        b->len[i] = (int32_t)row[i].n;
        b->mask_pos[i] = (int32_t)row[i].mask_pos;
    }
    b->wire = (struct prov_batch){.rows = n, .cols = cols, .ids = b->ids, .len = b->len,
        .mask_pos = b->mask_pos, .pad = pad};
    b->digest = digest_short(b->ids, n * cols * sizeof *b->ids) ^
        digest_short(b->mask_pos, n * sizeof *b->mask_pos);
    return BBT_OK;
}

static enum bbt_rc render_row(const struct task *t, const struct task_texts *x, size_t at,
    struct task_set *s, struct tmpl_rendered *ret, struct bbt_err *err)
{
    struct tmpl_input in = {x->text_a[at], x->text_b ? x->text_b[at] : NULL, t->slot_ids,
        x->soft ? t->slots : 0, t->len_max};
    enum bbt_rc rc = tmpl_render(t->tmpl, t->tok, &in, ret, err);

    if (rc == BBT_OK) {
        s->tokens += ret->n;
        s->cut_rows += ret->cut > 0;
    }
    return rc;
}

enum bbt_rc task_render(const struct task *t, const struct task_texts *texts,
    struct task_set *ret, struct bbt_err *err)
{
    const struct tok_special *sp = tok_special(t->tok);
    size_t n = texts->n, per = t->batch_max, batches = (n + per - 1) / per;
    struct tmpl_rendered *row = bbt_calloc(per, sizeof *row);
    struct task_set s = {.n = n};
    enum bbt_rc rc = BBT_OK;

    s.batch = bbt_calloc(batches, sizeof *s.batch);
    if (!row || !s.batch) {
        rc = bbt_fail(err, BBT_NOMEM, "no memory for %zu texts", n);
        goto out;
    }
    for (; s.batches < batches && rc == BBT_OK; s.batches++) {
        struct task_batch *b = &s.batch[s.batches];
        size_t some = n - s.batches * per < per ? n - s.batches * per : per;

        b->first = s.batches * per;
        for (size_t i = 0; i < some && rc == BBT_OK; i++)
            rc = render_row(t, texts, b->first + i, &s, &row[i], err);
        if (rc == BBT_OK)
            rc = pack(b, row, some, texts->cols_fixed, sp->pad < 0 ? 0 : sp->pad, err);
        for (size_t i = 0; i < some; i++)
            tmpl_rendered_fini(&row[i]);
    }
    if (rc != BBT_OK)
        goto out;
    *ret = s;
    s = (struct task_set){0};
out:
    bbt_free(row);
    task_set_fini(&s);
    return rc;
}

/* Some rows of a source. */
struct picked {
    const struct source *src;
    const uint32_t *row; /* NULL: all of them */
    size_t n, cols_fixed;
};

/* Rendered and labelled. */
static enum bbt_rc render_rows(const struct task *t, const struct picked *k, bool soft,
    struct task_set *ret, struct bbt_err *err)
{
    size_t n = k->n;
    const char **a = bbt_alloc_array(n, sizeof *a), **b = bbt_alloc_array(n, sizeof *b);
    uint32_t *truth = bbt_alloc_array(n, sizeof *truth);
    int32_t *gold = bbt_alloc_array(n, sizeof *gold);
    enum bbt_rc rc = BBT_OK;

    if (!a || !b || !truth || !gold) {
        rc = bbt_fail(err, BBT_NOMEM, "no memory for %zu texts", n);
        goto out;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t r = k->row ? k->row[i] : (uint32_t)i;

        a[i] = k->src->d->rows[r].text_a;
        b[i] = k->src->d->rows[r].text_b;
        truth[i] = k->src->cls[r];
        gold[i] = (int32_t)k->src->cls[r];
    }
    rc = task_render(
        t, &(struct task_texts){a, b, n, soft, k->cols_fixed}, ret, err);
    if (rc != BBT_OK)
        goto out;
    ret->truth = truth;
    ret->gold = gold;
    truth = NULL;
    gold = NULL;
out:
    bbt_free(a);
    bbt_free(b);
    bbt_free(truth);
    bbt_free(gold);
    return rc;
}

/* ---- data ---- */

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

    if (!dev->d && shots)
        return split_kshot(&from, shots, (size_t)in->spec->dev.shots, ret, err);
    rc = split_pick(&from, shots, NULL, 0, &ret->train, &ret->n_train, err);
    if (rc != BBT_OK || !dev->d)
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
    bbt_free(few);
    split_fini(&sp);
    return rc;
}

static enum bbt_rc build_data(
    const struct task_input *in, struct task *t, struct bbt_err *err)
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

/* ---- model folder ---- */

/* Longest row by the folder's config.json. RoBERTa's first two positions are not usable. */
static size_t folder_len_max(const char *folder)
{
    char *path = bbt_asprintf("%s/config.json", folder);
    json_t *conf = NULL;
    struct bbt_buf b;
    long long n = 0;

    buf_init(&b, 1u << 20);
    if (path && file_read(path, &b, NULL) == BBT_OK &&
        json_parse(b.data, b.len, "config.json", &conf, NULL) == BBT_OK) {
        n = json_get_int(conf, "max_position_embeddings", 0);
        if (strcmp(json_get_str(conf, "model_type", ""), "roberta") == 0)
            n -= 2;
    }
    json_decref(conf);
    buf_fini(&b);
    bbt_free(path);
    return n > 0 && n < 1 << 20 ? (size_t)n : LEN_DEFAULT;
}

/* Tokens whose embeddings start the search: whole words, as a person's prompt would be. */
static enum bbt_rc draw_slots(
    struct task *t, const struct job_spec *spec, struct bbt_err *err)
{
    const struct tok_special *sp = tok_special(t->tok);
    size_t n = (size_t)spec->tokens, vocab = tok_vocab_size(t->tok);
    uint64_t index = 0;

    if (n > SLOTS_MAX)
        return bbt_fail(err, BBT_INVALID, "prompt.tokens is over %d", SLOTS_MAX);
    t->slot_ids = bbt_alloc_array(n, sizeof *t->slot_ids);
    if (!t->slot_ids)
        return bbt_fail(err, BBT_NOMEM, "no memory for %zu prompt tokens", n);
    for (size_t i = 0; i < n;) {
        int32_t id = (int32_t)rng_below(spec->init_seed, RNG_INIT, index++, vocab);
        const char *piece = tok_piece(t->tok, id);

        if (index > 1000 * (n + 1))
            return bbt_fail(err, BBT_INVALID, "the vocabulary has no words to start from");
        if (!piece || id == sp->cls || id == sp->sep || id == sp->mask || id == sp->pad ||
            id == sp->unk || strncmp(piece, "##", 2) == 0 || piece[0] == '[' ||
            piece[0] == '<')
            continue;
        t->slot_ids[i++] = id;
    }
    return BBT_OK;
}

static enum bbt_rc bind_words(
    struct task *t, const struct job_spec *spec, struct bbt_err *err)
{
    size_t n = spec->labels.nr;
    struct verb_label *l = bbt_alloc_array(n, sizeof *l);
    enum bbt_rc rc;

    if (!l)
        return bbt_fail(err, BBT_NOMEM, "no memory for the labels");
    for (size_t i = 0; i < n; i++)
        l[i] = (struct verb_label){spec->labels.item[i].name, spec->labels.item[i].value};
    rc = verb_bind(l, n, t->tok,
        tmpl_mask_spaced(t->tmpl) ? VERB_LEAD_AUTO : VERB_LEAD_PLAIN, &t->verb, err);
    bbt_free(l);
    return rc == BBT_OK ? rc : bbt_err_ctx(err, "task.labels");
}

/* Mode add without slots: the rows are added to the template's own first words, so these must
 * be the same in every text. Two texts that differ from the first letter on show how many
 * there are. */
static enum bbt_rc check_head(const struct task *t, size_t rows, struct bbt_err *err)
{
    struct tmpl_input a = {"a", "a", NULL, 0, t->len_max}, b = {"b", "b", NULL, 0, t->len_max};
    struct tmpl_rendered ra = {0}, rb = {0};
    size_t same = 0;
    enum bbt_rc rc = tmpl_render(t->tmpl, t->tok, &a, &ra, err);

    if (rc == BBT_OK)
        rc = tmpl_render(t->tmpl, t->tok, &b, &rb, err);
    while (rc == BBT_OK && same < ra.n && same < rb.n && ra.ids[same] == rb.ids[same])
        same++;
    if (rc == BBT_OK && same < rows + 1)
        rc = bbt_fail(err, BBT_INVALID,
            "prompt.tokens: %zu rows are added to the template's first words, but only %zu "
            "tokens come before the text (put {prompt} first, or ask for fewer rows)",
            rows, same ? same - 1 : 0);
    tmpl_rendered_fini(&ra);
    tmpl_rendered_fini(&rb);
    return rc;
}

static enum bbt_rc set_limits(
    const struct task_input *in, struct task *t, struct bbt_err *err)
{
    const struct job_spec *spec = in->spec;

    t->batch_max = in->batch_max ? in->batch_max : BATCH_DEFAULT;
    t->len_max = in->len_max ? in->len_max : folder_len_max(in->tokenizer);
    if (in->cols_fixed && t->len_max > in->cols_fixed)
        t->len_max = in->cols_fixed;
    if (spec->mode == JOB_ADD && tmpl_uses(t->tmpl, TMPL_PROMPT)) {
        t->slots = (size_t)spec->tokens;
        if (!tmpl_prompt_first(t->tmpl))
            return bbt_fail(err, BBT_INVALID,
                "task.template: in mode add the prompt must come first ({prompt} ...)");
        return BBT_OK;
    }
    if (spec->mode == JOB_ADD)
        return check_head(t, (size_t)spec->tokens, err);
    if (t->len_max <= spec->tokens + 3)
        return bbt_fail(err, BBT_INVALID,
            "prompt.tokens: %llu rows leave no room for text (the model takes %zu tokens)",
            (unsigned long long)spec->tokens, t->len_max);
    t->len_max -= (size_t)spec->tokens;
    return BBT_OK;
}

enum bbt_rc task_build(const struct task_input *in, struct task **ret, struct bbt_err *err)
{
    struct task *t = bbt_calloc(1, sizeof *t);
    enum bbt_rc rc;

    if (!t)
        return bbt_fail(err, BBT_NOMEM, "no memory for the job's task");
    rc = tok_open(in->tokenizer, &t->tok, err);
    if (rc != BBT_OK)
        goto out;
    rc = tmpl_compile(in->spec->template, &t->tmpl, err);
    if (rc != BBT_OK) {
        rc = bbt_err_ctx(err, "task.template");
        goto out;
    }
    rc = bind_words(t, in->spec, err);
    if (rc != BBT_OK)
        goto out;
    rc = set_limits(in, t, err);
    if (rc != BBT_OK)
        goto out;
    rc = draw_slots(t, in->spec, err);
    if (rc != BBT_OK)
        goto out;
    rc = in->train.bytes ? build_data(in, t, err) : BBT_OK;
    if (rc != BBT_OK)
        goto out;
    *ret = t;
    t = NULL;
out:
    task_free(t);
    return rc;
}

enum prov_compose task_compose(const struct job_spec *spec)
{
    return spec->mode == JOB_ADD ? PROV_ADD : PROV_PREPEND;
}

enum prov_at task_at(const struct job_spec *spec)
{
    return spec->at == JOB_AT_HIDDEN ? PROV_AT_HIDDEN : PROV_AT_EMBEDDING;
}
