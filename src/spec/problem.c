#include "spec/problem.h"

#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void problem_init(struct spec_problems *p)
{
    *p = (struct spec_problems){0};
}

void problem_fini(struct spec_problems *p)
{
    if (!p)
        return;
    bbt_free(p->item);
    problem_init(p);
}

void problem_add(struct spec_problems *p, const char *pointer, bool of_key,
    const char *fix, const char *fmt, ...)
{
    struct spec_problem *at;
    va_list ap;

    p->total++;
    if (p->nr == PROBLEM_MAX)
        return;
    if (!p->item)
        p->item = bbt_alloc_array(PROBLEM_MAX, sizeof *p->item);
    if (!p->item) {
        p->nomem = true;
        return;
    }
    at = &p->item[p->nr++];
    at->of_key = of_key;
    (void)snprintf(at->pointer, sizeof at->pointer, "%s", pointer);
    (void)snprintf(at->fix, sizeof at->fix, "%s", fix ? fix : "");
    va_start(ap, fmt);
    (void)vsnprintf(at->message, sizeof at->message, fmt, ap);
    va_end(ap);
}

/* "message (fix)" */
static void sentence(const struct spec_problem *p, char *out, size_t room)
{
    bool fix = p->fix[0] != '\0';

    (void)snprintf(
        out, room, "%s%s%s%s", p->message, fix ? " (" : "", p->fix, fix ? ")" : "");
}

enum bbt_rc problem_verdict(
    const struct spec_problems *p, const char *what, struct bbt_err *err)
{
    char first[420], more[64] = "";

    if (p->nomem)
        return bbt_fail(err, BBT_NOMEM, "no memory to check the %s", what);
    if (p->total == 0)
        return BBT_OK;
    sentence(&p->item[0], first, sizeof first);
    if (p->total > 1)
        (void)snprintf(more, sizeof more, ", and %zu more problem%s", p->total - 1,
            p->total > 2 ? "s" : "");
    return bbt_fail(err, BBT_INVALID, "%s: %s%s", what, first, more);
}

char *problem_print(
    const struct spec_problem *p, const struct yaml_doc *doc, const char *file)
{
    char text[420];
    int line, col;

    sentence(p, text, sizeof text);
    if (!doc)
        return bbt_asprintf("%s%s%s", p->pointer, p->pointer[0] ? ": " : "", text);
    yaml_place(doc, p->pointer, p->of_key, &line, &col);
    return bbt_asprintf("%s:%d:%d: %s", file, line, col, text);
}
