#include "jobdata.h"

#include "base/alloc.h"
#include "base/digest.h"
#include "base/file.h"
#include "text/dataset.h"
#include "text/tmpl.h"
#include "text/verb.h"

#include <stdio.h>
#include <string.h>

static const char *const names[JOBFILE_PARTS] = {"train", "dev", "test"};

static const struct job_data *part(const struct job_spec *s, size_t i)
{
    const struct job_data *d[JOBFILE_PARTS] = {&s->train, &s->dev, &s->test};

    return d[i];
}

/* The bytes and their name. */
static bool load(struct jobfile *j, size_t i)
{
    const struct job_data *want = part(j->spec, i);
    struct jobfile_data *d = &j->data[i];
    const char *beside = strcmp(j->path, "-") == 0 ? "./stdin" : j->path;
    uint8_t sum[DIGEST_LEN];
    struct bbt_err err = {0};
    char pointer[64];
    enum bbt_rc rc;

    d->path = file_beside(beside, want->file);
    rc = d->path ? file_read(d->path, &d->bytes, &err)
                 : bbt_fail(&err, BBT_NOMEM, "no memory for %s", want->file);
    if (rc == BBT_OK)
        rc = digest_sha256(d->bytes.data ? (const void *)d->bytes.data : "", d->bytes.len, sum);
    if (rc == BBT_OK) {
        digest_hex(sum, d->sha256);
        return true;
    }
    (void)snprintf(pointer, sizeof pointer, "/data/%s/file", names[i]);
    faults_at(&j->faults, pointer, "data.%s.file: %s", names[i], err.msg);
    return false;
}

static enum dataset_format format_of(const struct job_data *d)
{
    static const enum dataset_format by[] = {
        [JOB_TSV] = DATASET_TSV, [JOB_CSV] = DATASET_CSV, [JOB_JSONL] = DATASET_JSONL};

    return d->format == JOB_FORMAT_AUTO ? dataset_format_guess(d->file) : by[d->format];
}

/* Examples of each label against the shots that are asked for; the first that has too few. */
static void check_shots(struct jobfile *j, size_t i, const struct dataset *d,
    const uint32_t *cls, uint64_t shots)
{
    const struct key_pairs *labels = &j->spec->labels;
    uint64_t *count = bbt_calloc(labels->nr, sizeof *count);
    char pointer[64];

    for (size_t r = 0; count && r < d->n; r++)
        count[cls[r]]++;
    (void)snprintf(pointer, sizeof pointer, "/data/%s/shots", names[i]);
    for (size_t k = 0; count && k < labels->nr; k++)
        if (count[k] < shots) {
            faults_at(&j->faults, pointer,
                "data.%s.shots: %llu of each label are needed, but %s has %llu with label "
                "\"%s\"",
                names[i], (unsigned long long)shots, d->name, (unsigned long long)count[k],
                labels->item[k].name);
            break;
        }
    bbt_free(count);
}

static enum bbt_rc check_labels(
    struct jobfile *j, size_t i, const struct dataset *d, struct bbt_err *err)
{
    const struct key_pairs *labels = &j->spec->labels;
    struct verb_label *l = bbt_calloc(labels->nr, sizeof *l);
    struct verb verb = {.n = labels->nr, .labels = l};
    uint32_t *cls = bbt_alloc_array(d->n, sizeof *cls);
    uint64_t shots = part(j->spec, i)->shots;
    enum bbt_rc rc;

    for (size_t k = 0; l && k < labels->nr; k++)
        l[k] = (struct verb_label){labels->item[k].name, labels->item[k].value};
    rc = l && cls ? verb_classes(&verb, d, cls, err)
                  : bbt_fail(err, BBT_NOMEM, "no memory for the labels of %s", d->name);
    if (rc == BBT_OK && i == JOBFILE_TRAIN && !j->spec->dev.file && shots)
        shots += j->spec->dev.shots; /* dev comes out of the same file */
    if (rc == BBT_OK && shots && i != JOBFILE_TEST) /* test is measured whole */
        check_shots(j, i, d, cls, shots);
    bbt_free(l);
    bbt_free(cls);
    return rc;
}

static void check_rows(struct jobfile *j, size_t i, const struct tmpl *t)
{
    const struct job_spec *s = j->spec;
    const struct job_data *want = part(s, i);
    const struct dataset_columns cols = {
        s->col_text ? s->col_text : s->col_text_a, s->col_text_b, s->col_label};
    enum dataset_format format = format_of(want);
    struct dataset *d = NULL;
    struct bbt_err err = {0};
    enum bbt_rc rc;

    if (format == DATASET_FORMAT_NR) {
        char pointer[64];

        (void)snprintf(pointer, sizeof pointer, "/data/%s/file", names[i]);
        faults_at(&j->faults, pointer,
            "data.%s.file: unknown kind of data file (name it .tsv, .csv or .jsonl, or set "
            "data.%s.format)",
            names[i], names[i]);
        return;
    }
    rc = dataset_parse(j->data[i].bytes.data ? (const void *)j->data[i].bytes.data : "",
        j->data[i].bytes.len, format, &cols, want->file, &d, &err);
    if (rc == BBT_OK)
        rc = check_labels(j, i, d, &err);
    if (rc != BBT_OK)
        faults_line(&j->faults, err.msg);
    else if (t && tmpl_uses(t, TMPL_TEXT_B) && !d->rows[0].text_b)
        faults_at(&j->faults, "/task/template",
            "task.template: {text_b} is in it, but %s has no second text (name its column in "
            "data.columns.text_b)",
            want->file);
    j->data[i].rows = d ? d->n : 0;
    dataset_free(d);
}

void jobdata_check(struct jobfile *j)
{
    const struct job_spec *s = j->spec;
    struct tmpl *t = NULL;
    struct bbt_err err = {0};

    if (tmpl_compile(s->template, &t, &err) != BBT_OK)
        faults_at(&j->faults, "/task/template", "task.template: %s", err.msg);
    else if (s->mode == JOB_CONCAT && tmpl_uses(t, TMPL_PROMPT))
        faults_at(&j->faults, "/task/template",
            "task.template: {prompt} is where mode add puts its slots; prompt.mode is concat");
    for (size_t i = 0; i < JOBFILE_PARTS; i++)
        if (part(s, i)->file && load(j, i))
            check_rows(j, i, t);
    tmpl_free(t);
}
