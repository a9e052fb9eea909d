#include "opt.h"

#include "base/hint.h"
#include "spec/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 64

static const struct opt *find_in(const struct opt *table, const char *name, size_t len)
{
    for (; table && table->name; table++)
        if (strncmp(table->name, name, len) == 0 && table->name[len] == '\0')
            return table;
    return NULL;
}

static const struct opt *find_letter(const struct opt *table, char letter)
{
    for (; table && table->name; table++)
        if (table->letter == letter)
            return table;
    return NULL;
}

static enum bbt_rc unknown(const char *name, size_t len, const struct opt *common,
    const struct opt *own, struct bbt_err *err)
{
    const char *names[NAMES_MAX], *near;
    char typed[64];
    size_t n = 0;

    for (; own && own->name && n < NAMES_MAX; own++)
        names[n++] = own->name;
    for (; common && common->name && n < NAMES_MAX; common++)
        names[n++] = common->name;
    if (len >= sizeof typed)
        len = sizeof typed - 1;
    memcpy(typed, name, len);
    typed[len] = '\0';
    near = hint_nearest(typed, names, n);
    return near ? bbt_fail(err, BBT_INVALID, "unknown option --%s (did you mean --%s?)",
                      typed, near)
                : bbt_fail(err, BBT_INVALID, "unknown option --%s", typed);
}

static enum bbt_rc add(struct opt_args *a, const struct opt *o, const char *value,
    struct bbt_err *err)
{
    if (a->given_n == OPT_GIVEN_MAX)
        return bbt_fail(err, BBT_INVALID, "more than %d options", OPT_GIVEN_MAX);
    a->given[a->given_n].opt = o;
    a->given[a->given_n++].value = value;
    return BBT_OK;
}

/* --name, --name=value, --name value */
static enum bbt_rc read_long(char **argv, int argc, int *at, const struct opt *const t[2],
    struct opt_args *a, struct bbt_err *err)
{
    const char *name = argv[*at] + 2;
    size_t len = strcspn(name, "=");
    const char *value = name[len] ? name + len + 1 : NULL;
    const struct opt *o = find_in(t[1], name, len);

    if (!o)
        o = find_in(t[0], name, len);
    if (!o)
        return unknown(name, len, t[0], t[1], err);
    if (!o->arg && value)
        return bbt_fail(err, BBT_INVALID, "--%s takes no value", o->name);
    if (o->arg && !value && *at + 1 >= argc)
        return bbt_fail(err, BBT_INVALID, "--%s needs a value: %s", o->name, o->arg);
    if (o->arg && !value)
        value = argv[++*at];
    return add(a, o, value, err);
}

/* -a, -ab, -oVALUE, -o VALUE */
static enum bbt_rc read_short(char **argv, int argc, int *at, const struct opt *const t[2],
    struct opt_args *a, struct bbt_err *err)
{
    for (const char *p = argv[*at] + 1; *p; p++) {
        const struct opt *o = find_letter(t[1], *p);
        const char *value = NULL;
        enum bbt_rc rc;

        if (!o)
            o = find_letter(t[0], *p);
        if (!o)
            return bbt_fail(err, BBT_INVALID, "unknown option -%c", *p);
        if (o->arg && p[1])
            value = p + 1;
        else if (o->arg && *at + 1 < argc)
            value = argv[++*at];
        if (o->arg && !value)
            return bbt_fail(err, BBT_INVALID, "-%c needs a value: %s", *p, o->arg);
        rc = add(a, o, value, err);
        if (rc != BBT_OK || o->arg)
            return rc;
    }
    return BBT_OK;
}

enum bbt_rc opt_parse(int argc, char **argv, const struct opt *common,
    const struct opt *own, struct opt_args *ret, struct bbt_err *err)
{
    const struct opt *const t[2] = {common, own};
    enum bbt_rc rc = BBT_OK;
    bool ended = false;

    ret->pos_n = 0;
    ret->given_n = 0;
    for (int i = 0; i < argc && rc == BBT_OK; i++) {
        const char *s = argv[i];

        if (ended || s[0] != '-' || s[1] == '\0')
            ret->pos[ret->pos_n++] = s;
        else if (strcmp(s, "--") == 0)
            ended = true;
        else if (s[1] == '-')
            rc = read_long(argv, argc, &i, t, ret, err);
        else
            rc = read_short(argv, argc, &i, t, ret, err);
    }
    return rc;
}

bool opt_has(const struct opt_args *a, const char *name)
{
    for (size_t i = 0; i < a->given_n; i++)
        if (strcmp(a->given[i].opt->name, name) == 0)
            return true;
    return false;
}

const char *opt_each(const struct opt_args *a, const char *name, size_t nth)
{
    for (size_t i = 0; i < a->given_n; i++)
        if (strcmp(a->given[i].opt->name, name) == 0 && nth-- == 0)
            return a->given[i].value;
    return NULL;
}

const char *opt_text(const struct opt_args *a, const char *name, const char *fallback)
{
    for (size_t i = a->given_n; i > 0; i--)
        if (strcmp(a->given[i - 1].opt->name, name) == 0)
            return a->given[i - 1].value;
    return fallback;
}

enum bbt_rc opt_count(const struct opt_args *a, const char *name, int64_t min, int64_t max,
    int64_t *ret, struct bbt_err *err)
{
    const char *text = opt_text(a, name, NULL);
    char *end;
    long long v;

    if (!text)
        return BBT_OK;
    errno = 0;
    v = strtoll(text, &end, 10);
    if (errno || end == text || *end || v < min || v > max)
        return bbt_fail(err, BBT_INVALID, "--%s: must be a whole number from %lld to %lld, "
                                          "not \"%s\"",
            name, (long long)min, (long long)max, text);
    *ret = v;
    return BBT_OK;
}

enum bbt_rc opt_time(
    const struct opt_args *a, const char *name, uint64_t *ret_us, struct bbt_err *err)
{
    const char *text = opt_text(a, name, NULL);

    if (!text || unit_parse(UNIT_TIME, text, ret_us))
        return BBT_OK;
    return bbt_fail(err, BBT_INVALID, "--%s: must be a duration such as 90s, 5m or 2h, not "
                                      "\"%s\"",
        name, text);
}
