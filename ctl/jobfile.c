#include "jobfile.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "jobdata.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

void jobfile_fini(struct jobfile *j)
{
    for (size_t i = 0; i < JOBFILE_PARTS; i++) {
        bbt_free(j->data[i].path);
        buf_fini(&j->data[i].bytes);
    }
    faults_fini(&j->faults);
    job_spec_free(j->spec);
    json_decref(j->tree);
    yaml_close(j->doc);
    bbt_free((void *)j->set);
    bbt_free(j->own[0]);
    bbt_free(j->own[1]);
}

/* ---- --set ---- */

/* A text such as "{prompt} {text}" is no YAML by itself: then it is meant as it stands. */
static json_t *read_value(const char *text)
{
    char *line = bbt_asprintf("v: %s\n", text);
    struct yaml_doc *doc = NULL;
    json_t *v = NULL;

    if (line && yaml_parse(line, strlen(line), "--set", &doc, NULL) == BBT_OK &&
        json_object_size(yaml_tree(doc)) == 1)
        v = json_deep_copy(json_object_get(yaml_tree(doc), "v"));
    yaml_close(doc);
    bbt_free(line);
    return v ? v : json_string(text);
}

enum bbt_rc jobfile_set(json_t *tree, const char *text, struct bbt_err *err)
{
    const char *end = strchr(text, '='), *p = text;
    json_t *at = tree;
    char step[128];

    if (!end || end == text)
        return bbt_fail(err, BBT_INVALID, "--set %s: must be KEY=VALUE", text);
    for (;;) {
        size_t len = strcspn(p, ".=");
        json_t *next;

        if (len == 0 || len >= sizeof step)
            return bbt_fail(err, BBT_INVALID, "--set %s: no such key", text);
        memcpy(step, p, len);
        step[len] = '\0';
        p += len;
        if (!json_is_object(at))
            return bbt_fail(err, BBT_INVALID, "--set %s: what is above \"%s\" is no section",
                text, step);
        if (*p == '=')
            break;
        next = json_object_get(at, step);
        if (!next && json_object_set_new(at, step, json_object()) != 0)
            return bbt_fail(err, BBT_INVALID, "--set %s: the key is no UTF-8 text", text);
        at = json_object_get(at, step);
        p++;
    }
    if (json_object_set_new(at, step, read_value(end + 1)) != 0)
        return bbt_fail(err, BBT_INVALID, "--set %s: this is no UTF-8 text", text);
    return BBT_OK;
}

/* ---- reading ---- */

static int read_yaml(const struct ctl *c, struct jobfile *j)
{
    struct bbt_buf b;
    struct bbt_err err = {0};
    const char *name = strcmp(j->path, "-") == 0 ? "/dev/stdin" : j->path;
    enum bbt_rc rc;

    buf_init(&b, YAML_BYTES_MAX);
    rc = file_read(name, &b, &err);
    if (rc != BBT_OK) {
        buf_fini(&b);
        return ctl_fail(c, CTL_SPEC, "%s", err.msg);
    }
    rc = yaml_parse(b.data ? (const char *)b.data : "", b.len, j->path, &j->doc, &err);
    buf_fini(&b);
    if (rc != BBT_OK) {
        faults_line(&j->faults, err.msg);
        return faults_tell(c, &j->faults);
    }
    j->faults.doc = j->doc;
    j->tree = json_deep_copy(yaml_tree(j->doc));
    return j->tree ? CTL_OK : ctl_fail(c, CTL_FAIL, "no memory for %s", j->path);
}

static int add_tags(const struct ctl *c, struct jobfile *j, const struct opt_args *a)
{
    json_t *tags = json_object_get(j->tree, "tags");
    const char *tag;

    if (!opt_has(a, "tag"))
        return CTL_OK;
    if (!json_is_array(tags)) {
        (void)json_object_set_new(j->tree, "tags", json_array());
        tags = json_object_get(j->tree, "tags");
    }
    for (size_t i = 0; (tag = opt_each(a, "tag", i)); i++)
        if (json_array_append_new(tags, json_string(tag)) != 0)
            return ctl_fail(c, CTL_USAGE, "--tag: no UTF-8 text");
    return CTL_OK;
}

static int set_limits(const struct ctl *c, struct jobfile *j, const struct opt_args *a)
{
    static const char *const limits[][2] = {{"max-usd", "limits.usd"},
        {"max-requests", "limits.requests"}, {"max-tokens", "limits.tokens"}};
    struct bbt_err err = {0};

    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        const char *value = opt_text(a, limits[i][0], NULL);
        char text[120];

        if (!value)
            continue;
        (void)snprintf(text, sizeof text, "%s=%.80s", limits[i][1], value);
        if (jobfile_set(j->tree, text, &err) != BBT_OK)
            return ctl_fail(c, CTL_USAGE, "--%s: %s", limits[i][0], err.msg);
    }
    return CTL_OK;
}

/* "22:00" is the next time that the clock here shows it; what is no such time stays. */
static char *moment(const char *text)
{
    int64_t now = clock_wall_us() / 1000000;
    time_t t = (time_t)now;
    int hour, minute;
    char when[32], rest;
    struct tm tm;

    if (sscanf(text, "%2d:%2d%c", &hour, &minute, &rest) != 2 || hour < 0 || hour > 23 ||
        minute < 0 || minute > 59 || !localtime_r(&t, &tm))
        return bbt_strdup(text);
    for (int day = tm.tm_mday, k = 0; k < 2 && t <= (time_t)now; k++) {
        tm.tm_mday = day + k;
        tm.tm_hour = hour;
        tm.tm_min = minute;
        tm.tm_sec = 0;
        tm.tm_isdst = -1;
        t = mktime(&tm);
    }
    clock_rfc3339((int64_t)t * 1000000, when, sizeof when);
    return bbt_strdup(when);
}

/* --window and --at are short for these. False without memory. */
static bool short_sets(const struct opt_args *a, char *ret[2])
{
    const char *at = opt_text(a, "at", NULL), *window;
    char *when = at ? moment(at) : NULL;
    struct bbt_buf b;
    enum bbt_rc rc = BBT_OK;

    buf_init(&b, YAML_BYTES_MAX);
    for (size_t i = 0; rc == BBT_OK && (window = opt_each(a, "window", i)); i++)
        rc = buf_printf(&b, "%s%s", i ? ", " : "schedule.windows=[", window);
    if (rc == BBT_OK && b.len)
        rc = buf_puts(&b, "]");
    ret[0] = rc == BBT_OK && b.len ? (char *)buf_take(&b, NULL) : NULL;
    ret[1] = when ? bbt_asprintf("schedule.not_before=%s", when) : NULL;
    bbt_free(when);
    buf_fini(&b);
    return rc == BBT_OK && !ret[0] == !opt_has(a, "window") && !ret[1] == !at;
}

/* Those of --set, then what is short for them. */
static int apply_sets(const struct ctl *c, struct jobfile *j, const struct opt_args *a)
{
    struct bbt_err err = {0};
    size_t n = 0;

    while (opt_each(a, "set", n))
        n++;
    j->set = bbt_alloc_array(n + 2, sizeof *j->set);
    if (!j->set || !short_sets(a, j->own))
        return ctl_fail(c, CTL_FAIL, "no memory for --set");
    for (size_t i = 0; i < n; i++)
        j->set[i] = opt_each(a, "set", i);
    for (size_t i = 0; i < 2; i++)
        if (j->own[i])
            j->set[n++] = j->own[i];
    for (size_t i = 0; i < n; i++)
        if (jobfile_set(j->tree, j->set[i], &err) != BBT_OK)
            return ctl_fail(c, CTL_USAGE, "%s", err.msg);
    j->faults.set = j->set;
    j->faults.set_n = n;
    return CTL_OK;
}

static int change(const struct ctl *c, struct jobfile *j, const struct opt_args *a)
{
    struct bbt_err err = {0};
    int64_t priority = 0;
    int code = apply_sets(c, j, a);

    if (code != CTL_OK)
        return code;
    if (!json_is_object(j->tree))
        return CTL_OK; /* the check says so */
    if (opt_has(a, "name") &&
        json_object_set_new(j->tree, "name", json_string(opt_text(a, "name", ""))) != 0)
        return ctl_fail(c, CTL_USAGE, "--name: no UTF-8 text");
    if (opt_count(a, "priority", -100, 100, &priority, &err) != BBT_OK)
        return ctl_fail(c, CTL_USAGE, "%s", err.msg);
    if (opt_has(a, "priority"))
        (void)json_object_set_new(j->tree, "priority", json_integer(priority));
    if (set_limits(c, j, a) != CTL_OK)
        return CTL_USAGE;
    return add_tags(c, j, a);
}

static int check(const struct ctl *c, struct jobfile *j)
{
    struct spec_problems problems;
    struct bbt_err err = {0};
    enum bbt_rc rc;

    problem_init(&problems);
    rc = job_spec_parse(j->tree, JOB_FILE, &j->spec, &problems, &err);
    for (size_t i = 0; i < problems.nr; i++)
        faults_add(&j->faults, &problems.item[i]);
    if (rc != BBT_OK && problems.nr == 0)
        faults_line(&j->faults, err.msg);
    if (problems.total > problems.nr)
        faults_line(&j->faults, "... and more problems of the same file");
    problem_fini(&problems);
    if (rc == BBT_OK)
        jobdata_check(j);
    return faults_tell(c, &j->faults);
}

int jobfile_load(
    const struct ctl *c, const char *path, const struct opt_args *a, struct jobfile *ret)
{
    int code;

    *ret = (struct jobfile){.path = path};
    for (size_t i = 0; i < JOBFILE_PARTS; i++)
        buf_init(&ret->data[i].bytes, JOBDATA_BYTES_MAX);
    faults_init(&ret->faults, path);
    code = read_yaml(c, ret);
    if (code == CTL_OK)
        code = change(c, ret, a);
    if (code == CTL_OK)
        code = check(c, ret);
    return code;
}

char *jobfile_wire(struct jobfile *j)
{
    struct job_data *d[JOBFILE_PARTS] = {&j->spec->train, &j->spec->dev, &j->spec->test};
    json_t *v = NULL;
    char *text = NULL;
    bool full = true;

    for (size_t i = 0; i < JOBFILE_PARTS; i++)
        if (j->data[i].path) {
            bbt_free(d[i]->blob);
            d[i]->blob = bbt_strdup(j->data[i].sha256);
            full = full && d[i]->blob;
        }
    if (full)
        v = job_spec_print(j->spec);
    if (v)
        text = json_print(v);
    json_decref(v);
    return text;
}
