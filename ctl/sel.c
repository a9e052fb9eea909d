#include "sel.h"

#include "base/alloc.h"
#include "base/hint.h"
#include "base/record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TERMS_MAX 64
#define PARTS_MAX 256

enum part_kind { PART_RANGE, PART_LAST, PART_NAME, PART_STATE, PART_REASON, PART_TAG };

struct part {
    enum part_kind kind;
    long long from, to;
    char *text;
};

struct term {
    bool not;
    size_t first, n; /* parts */
};

struct sel {
    struct term term[TERMS_MAX];
    size_t terms;
    struct part part[PARTS_MAX];
    size_t parts;
};

static bool number(const char *s, const char *end, long long *ret)
{
    char *stop;

    if (s == end || *s < '0' || *s > '9')
        return false;
    errno = 0;
    *ret = strtoll(s, &stop, 10);
    return errno == 0 && stop == end;
}

static bool range(const char *s, size_t len, struct part *p)
{
    const char *end = s + len, *dots = memmem(s, len, "..", 2);

    if (!dots) {
        if (!number(s, end, &p->from))
            return false;
        p->to = p->from;
        return true;
    }
    return number(s, dots, &p->from) && number(dots + 2, end, &p->to);
}

static enum bbt_rc check_state(const char *text, struct bbt_err *err)
{
    const char *names[REC_STATE_NR], *near;

    if (rec_state_parse(text) != REC_STATE_NR)
        return BBT_OK;
    for (size_t i = 0; i < REC_STATE_NR; i++)
        names[i] = rec_state_name((enum rec_state)i);
    near = hint_nearest(text, names, REC_STATE_NR);
    return bbt_fail(err, BBT_INVALID,
        "state:%s: must be queued, running, paused, completed, failed, cancelled or deleted"
        "%s%s%s",
        text, near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
}

/* "state:failed" -> kind and "failed"; PART_NAME with the whole where no key is known. */
static enum part_kind key_of(const char **s, size_t *len)
{
    static const struct {
        const char *key;
        enum part_kind kind;
    } keys[] = {{"state:", PART_STATE}, {"reason:", PART_REASON}, {"tag:", PART_TAG},
        {"name:", PART_NAME}};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        size_t k = strlen(keys[i].key);

        if (*len >= k && memcmp(*s, keys[i].key, k) == 0) {
            *s += k;
            *len -= k;
            return keys[i].kind;
        }
    }
    return PART_NAME;
}

/* `bare`: no key stands in front, so ids and @last are meant as well. */
static enum bbt_rc add_part(struct sel *s, enum part_kind kind, bool bare, const char *text,
    size_t len, struct bbt_err *err)
{
    struct part *p = &s->part[s->parts];

    if (s->parts == PARTS_MAX)
        return bbt_fail(err, BBT_INVALID, "selector: more than %d parts", PARTS_MAX);
    if (len == 0)
        return bbt_fail(err, BBT_INVALID, "selector: something is missing around a comma, "
                                          "\"!\" or \":\"");
    *p = (struct part){.kind = kind};
    if (bare && len == 5 && memcmp(text, "@last", 5) == 0)
        p->kind = PART_LAST;
    else if (bare && text[0] == '@')
        return bbt_fail(
            err, BBT_INVALID, "selector: \"%.*s\": only @last is known", (int)len, text);
    else if (bare && range(text, len, p))
        p->kind = PART_RANGE;
    p->text = bbt_strndup(text, len);
    if (!p->text)
        return bbt_fail(err, BBT_NOMEM, "no memory for a selector");
    s->parts++;
    if (p->kind == PART_RANGE && p->from > p->to)
        return bbt_fail(err, BBT_INVALID, "selector: %s: the first number is the larger",
            p->text);
    return kind == PART_STATE ? check_state(p->text, err) : BBT_OK;
}

static enum bbt_rc add_term(struct sel *s, const char *text, size_t len, struct bbt_err *err)
{
    struct term *t = &s->term[s->terms];
    enum part_kind kind;
    enum bbt_rc rc = BBT_OK;
    const char *begin;
    size_t at = 0;

    if (s->terms == TERMS_MAX)
        return bbt_fail(err, BBT_INVALID, "selector: more than %d terms", TERMS_MAX);
    *t = (struct term){.not = text[0] == '!', .first = s->parts};
    text += t->not;
    len -= t->not;
    begin = text;
    kind = key_of(&text, &len);
    while (rc == BBT_OK && at <= len) {
        size_t n = 0;

        while (at + n < len && text[at + n] != ',')
            n++;
        rc = add_part(s, kind, text == begin, text + at, n, err);
        at += n + 1;
    }
    t->n = s->parts - t->first;
    s->terms++;
    return rc;
}

enum bbt_rc sel_parse(
    const char *const *words, size_t n, struct sel **ret, struct bbt_err *err)
{
    struct sel *s = bbt_calloc(1, sizeof *s);
    enum bbt_rc rc = s ? BBT_OK : bbt_fail(err, BBT_NOMEM, "no memory for a selector");

    for (size_t i = 0; i < n && rc == BBT_OK; i++)
        for (const char *p = words[i]; *p && rc == BBT_OK;) {
            size_t len = strcspn(p, " ");

            if (len)
                rc = add_term(s, p, len, err);
            p += len + (p[len] == ' ');
        }
    if (rc == BBT_OK && n > 0 && s->terms == 0)
        rc = bbt_fail(err, BBT_INVALID, "selector: it is empty");
    if (rc == BBT_OK) {
        *ret = s;
        s = NULL;
    }
    sel_free(s);
    return rc;
}

void sel_free(struct sel *s)
{
    for (size_t i = 0; s && i < s->parts; i++)
        bbt_free(s->part[i].text);
    bbt_free(s);
}

bool sel_is_ids(const struct sel *s)
{
    for (size_t i = 0; i < s->parts; i++)
        if (s->part[i].kind != PART_RANGE)
            return false;
    return s->parts > 0;
}

bool sel_is_trash(const struct sel *s)
{
    for (size_t i = 0; i < s->terms; i++)
        for (size_t k = 0; !s->term[i].not && k < s->term[i].n; k++) {
            const struct part *p = &s->part[s->term[i].first + k];

            if (p->kind == PART_STATE && strcmp(p->text, "deleted") == 0)
                return true;
        }
    return false;
}

bool sel_is_tagged(const struct sel *s)
{
    for (size_t i = 0; i < s->parts; i++)
        if (s->part[i].kind == PART_TAG)
            return true;
    return false;
}

long long sel_single(const struct sel *s)
{
    if (s->parts != 1 || s->term[0].not || s->part[0].kind != PART_RANGE)
        return 0;
    return s->part[0].from == s->part[0].to ? s->part[0].from : 0;
}

static bool has_tag(const json_t *job, const char *tag)
{
    const json_t *tags = json_object_get(job, "tags");

    for (size_t i = 0; i < json_array_size(tags); i++)
        if (json_is_string(json_array_get(tags, i)) &&
            strcmp(json_string_value(json_array_get(tags, i)), tag) == 0)
            return true;
    return false;
}

static bool part_is(const struct part *p, const json_t *job, long long last)
{
    long long id = json_get_int(job, "id", 0);

    switch (p->kind) {
    case PART_RANGE:
        return id >= p->from && id <= p->to;
    case PART_LAST:
        return id == last;
    case PART_NAME:
        return strcmp(json_get_str(job, "name", ""), p->text) == 0;
    case PART_STATE:
        return strcmp(json_get_str(job, "state", ""), p->text) == 0;
    case PART_REASON:
        return strcmp(json_get_str(job, "reason", ""), p->text) == 0;
    case PART_TAG:
        return has_tag(job, p->text);
    }
    return false;
}

static bool job_is(const struct sel *s, const json_t *job, long long last)
{
    for (size_t i = 0; i < s->terms; i++) {
        const struct term *t = &s->term[i];
        bool any = false;

        for (size_t k = 0; k < t->n && !any; k++)
            any = part_is(&s->part[t->first + k], job, last);
        if (any == t->not)
            return false;
    }
    return true;
}

json_t *sel_apply(const struct sel *s, const json_t *jobs)
{
    json_t *ret = json_array();
    long long last = 0;

    for (size_t i = 0; i < json_array_size(jobs); i++) {
        long long id = json_get_int(json_array_get(jobs, i), "id", 0);

        last = id > last ? id : last;
    }
    for (size_t i = 0; ret && i < json_array_size(jobs); i++) {
        json_t *job = json_array_get(jobs, i);

        if (job_is(s, job, last) && json_array_append(ret, job) != 0) {
            json_decref(ret);
            ret = NULL;
        }
    }
    return ret;
}
