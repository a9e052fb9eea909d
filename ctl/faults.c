#include "faults.h"

#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void faults_init(struct faults *f, const char *file)
{
    *f = (struct faults){.file = file, .list = json_array()};
}

void faults_fini(struct faults *f)
{
    for (size_t i = 0; i < f->n; i++)
        bbt_free(f->line[i]);
    json_decref(f->list);
    f->list = NULL;
    f->n = 0;
}

/* `line` is taken. */
static void keep(struct faults *f, char *line, json_t *item)
{
    if (line && f->n < FAULTS_MAX) {
        f->line[f->n++] = line;
        (void)json_array_append_new(f->list, item);
        return;
    }
    bbt_free(line);
    json_decref(item);
}

/* Does "optimizer.seed=7" set the value at this pointer, or one above it? */
static bool sets(const char *set, const char *pointer)
{
    size_t len = strcspn(set, "="), i = 0;

    if (*pointer++ != '/')
        return false;
    for (; i < len && pointer[i]; i++)
        if (pointer[i] != (set[i] == '.' ? '/' : set[i]))
            return false;
    return i == len && (pointer[i] == '\0' || pointer[i] == '/');
}

static const char *set_at(const struct faults *f, const char *pointer)
{
    for (size_t i = f->set_n; i > 0; i--)
        if (sets(f->set[i - 1], pointer))
            return f->set[i - 1];
    return NULL;
}

void faults_add(struct faults *f, const struct spec_problem *p)
{
    const char *set = set_at(f, p->pointer);
    int line = 0, col = 0;
    char *text;
    json_t *item = json_pack("{s:s, s:s, s:s, s:s}", "file", f->file, "pointer", p->pointer,
        "message", p->message, "fix", p->fix);

    if (set) {
        text = bbt_asprintf("--set %s: %s%s%s%s", set, p->message, *p->fix ? " (" : "", p->fix,
            *p->fix ? ")" : "");
    } else {
        text = problem_print(p, f->doc, f->file);
        if (f->doc)
            yaml_place(f->doc, p->pointer, p->of_key, &line, &col);
        if (item) {
            (void)json_object_set_new(item, "line", json_integer(line));
            (void)json_object_set_new(item, "column", json_integer(col));
        }
    }
    keep(f, text, item);
}

void faults_at(struct faults *f, const char *pointer, const char *fmt, ...)
{
    struct spec_problem p = {0};
    va_list ap;

    (void)snprintf(p.pointer, sizeof p.pointer, "%s", pointer);
    va_start(ap, fmt);
    (void)vsnprintf(p.message, sizeof p.message, fmt, ap);
    va_end(ap);
    faults_add(f, &p);
}

void faults_line(struct faults *f, const char *text)
{
    keep(f, bbt_strdup(text), json_pack("{s:s, s:s}", "file", f->file, "message", text));
}

int faults_tell(const struct ctl *c, const struct faults *f)
{
    json_t *problem;

    if (f->n == 0)
        return CTL_OK;
    problem = json_pack("{s:s, s:s, s:s, s:i, s:O}", "type", "urn:bbtd:problem:spec", "title",
        "The job file is not valid", "detail", f->line[0], "exit", CTL_SPEC, "errors",
        f->list);
    return ctl_fail_lines(c, (const char *const *)f->line, f->n, problem);
}
