#include "spec/reader.h"

#include "base/alloc.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void reader_join(const char *pointer, const char *step, char *out, size_t room)
{
    size_t at = (size_t)snprintf(out, room, "%s/", pointer);

    for (; *step && at + 2 < room; step++) {
        if (*step == '~' || *step == '/')
            out[at++] = '~';
        out[at++] = *step == '~' ? '0' : *step == '/' ? '1' : *step;
    }
    if (at < room)
        out[at] = '\0';
}

void reader_section(const char *pointer, char *out, size_t room)
{
    size_t at = 0;

    out[0] = '\0';
    while (*pointer == '/' && at < room) {
        int len = (int)strcspn(++pointer, "/");
        bool index = len > 0 && (int)strspn(pointer, "0123456789") >= len;
        const char *before = index ? "[" : at ? "." : "";

        at += (size_t)snprintf(
            out + at, room - at, "%s%.*s%s", before, len, pointer, index ? "]" : "");
        pointer += len;
    }
}

/* 'the text "many"', 'the number 3', 'a list'. */
static void describe(const json_t *v, char *out, size_t room)
{
    switch (json_typeof(v)) {
    case JSON_STRING:
        (void)snprintf(out, room, "the text \"%.40s\"", json_string_value(v));
        return;
    case JSON_INTEGER:
        (void)snprintf(out, room, "%lld", (long long)json_integer_value(v));
        return;
    case JSON_REAL:
        (void)snprintf(out, room, "%g", json_real_value(v));
        return;
    case JSON_TRUE:
    case JSON_FALSE:
        (void)snprintf(out, room, "%s", json_is_true(v) ? "true" : "false");
        return;
    case JSON_OBJECT:
        (void)snprintf(out, room, "a section");
        return;
    case JSON_ARRAY:
        (void)snprintf(out, room, "a list");
        return;
    case JSON_NULL:
        break;
    }
    (void)snprintf(out, room, "nothing");
}

void reader_wrong(
    const struct reader *r, const char *must, const json_t *v, const char *fix)
{
    char section[120], is[80];

    reader_section(r->pointer, section, sizeof section);
    describe(v, is, sizeof is);
    problem_add(r->problems, r->pointer, false, fix, "%s: must be %s, not %s", section,
        must, is);
}

/* 'from 1 to 5', 'at least 1'. */
static void range_text(double min, double max, const char *unit, char *out, size_t room)
{
    if (isinf(max))
        (void)snprintf(out, room, "at least %.12g%s", min, unit);
    else
        (void)snprintf(out, room, "from %.12g%s to %.12g%s", min, unit, max, unit);
}

bool reader_in_range(
    const struct reader *r, double got, const char *unit, const json_t *v)
{
    char must[80];

    if (got >= r->k->min && got <= r->k->max)
        return true;
    range_text(r->k->min, r->k->max, unit, must, sizeof must);
    reader_wrong(r, must, v, NULL);
    return false;
}

/* One line, or lines; tabs and line breaks are all the control characters a text may
 * have. */
static bool clean(const char *s, bool lines)
{
    for (; *s; s++)
        if ((unsigned char)*s == 0x7f ||
            ((unsigned char)*s < 0x20 && !(lines && (*s == '\n' || *s == '\t'))))
            return false;
    return true;
}

void reader_put(const struct reader *r, const char *s, char **at)
{
    char *copy = bbt_strdup(s);

    if (!copy) {
        r->problems->nomem = true;
        return;
    }
    bbt_free(*at);
    *at = copy;
}

void reader_text(const struct reader *r, const json_t *v, char **at)
{
    const char *s = json_string_value(v);
    char section[120];

    reader_section(r->pointer, section, sizeof section);
    if (!s) {
        reader_wrong(r, "a text", v, json_is_number(v) ? "put it in quotes" : NULL);
    } else if (!clean(s, r->k->type == KEY_TEXT)) {
        problem_add(r->problems, r->pointer, false, NULL,
            "%s: must not have control characters", section);
    } else if ((double)strlen(s) < r->k->min || (double)strlen(s) > r->k->max) {
        problem_add(r->problems, r->pointer, false, NULL,
            "%s: must have %g to %g bytes, not %zu", section, r->k->min, r->k->max,
            strlen(s));
    } else {
        reader_put(r, s, at);
    }
}
