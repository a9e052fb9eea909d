#include "prov/jcut.h"

#include "base/json.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define RANK_MAX 8

/* ---- cutting ---- */

struct scan {
    const uint8_t *p, *end;
    unsigned depth;
    uint64_t arrays; /* bit d: the container at depth d is an array */
};

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const uint8_t *skip_space(const uint8_t *p, const uint8_t *end)
{
    while (p < end && is_space(*p))
        p++;
    return p;
}

/* Past the closing quote of a string that starts at `p`; NULL where it does not end. */
static const uint8_t *skip_string(const uint8_t *p, const uint8_t *end)
{
    for (p++; p < end; p++) {
        if (*p == '"')
            return p + 1;
        if (*p == '\\' && ++p == end)
            return NULL;
    }
    return NULL;
}

/* Past the bracket that closes the one at `p`; NULL where there is none. What lies between
 * is checked by whoever reads it. */
static const uint8_t *skip_array(const uint8_t *p, const uint8_t *end)
{
    size_t open = 0;

    while (p < end) {
        if (*p == '"') {
            p = skip_string(p, end);
            if (!p)
                return NULL;
            continue;
        }
        if (*p == '[' || *p == '{')
            open++;
        else if ((*p == ']' || *p == '}') && --open == 0)
            return p + 1;
        p++;
    }
    return NULL;
}

/* The array of a member "data" at root/array/object whose key starts at s->p, or NULL. */
static const uint8_t *data_array(const struct scan *s)
{
    static const char key[] = "\"data\"";
    const uint8_t *p = s->p;

    if (s->depth != 3 || (s->arrays & 0xe) != 0x4 ||
        (size_t)(s->end - p) < sizeof key - 1 || memcmp(p, key, sizeof key - 1))
        return NULL;
    p = skip_space(p + sizeof key - 1, s->end);
    if (p == s->end || *p != ':')
        return NULL;
    p = skip_space(p + 1, s->end);
    return p < s->end && *p == '[' ? p : NULL;
}

/* Takes the array out and leaves its index. */
static enum bbt_rc cut(struct scan *s, struct jcut *c, struct bbt_buf *rest,
    const uint8_t *array, struct bbt_err *err)
{
    const uint8_t *end = skip_array(array, s->end);

    if (!end)
        return bbt_fail(err, BBT_CORRUPT, "ends within an array of numbers");
    if (c->pieces == JCUT_PIECES_MAX)
        return bbt_fail(err, BBT_CORRUPT, "has more than %d tensors", JCUT_PIECES_MAX);
    c->piece[c->pieces].at = array;
    c->piece[c->pieces].len = (size_t)(end - array);
    s->p = end;
    return buf_printf(rest, "\"data\":%zu", c->pieces++);
}

static void track(struct scan *s)
{
    uint8_t c = *s->p;

    if (c == '[' || c == '{') {
        s->depth++;
        if (s->depth < 64) {
            s->arrays &= ~(UINT64_C(1) << s->depth);
            s->arrays |= (uint64_t)(c == '[') << s->depth;
        }
    } else if ((c == ']' || c == '}') && s->depth) {
        s->depth--;
    }
}

static enum bbt_rc scan_all(
    struct scan *s, struct jcut *c, struct bbt_buf *rest, struct bbt_err *err)
{
    enum bbt_rc rc = BBT_OK;

    while (rc == BBT_OK && s->p < s->end) {
        const uint8_t *from = s->p, *array;

        if (*s->p == '"') {
            array = data_array(s);
            if (array) {
                rc = cut(s, c, rest, array, err);
                continue;
            }
            s->p = skip_string(s->p, s->end);
            if (!s->p)
                return bbt_fail(err, BBT_CORRUPT, "ends within a text");
        } else {
            for (; s->p < s->end && *s->p != '"'; s->p++)
                track(s);
        }
        rc = buf_put(rest, from, (size_t)(s->p - from));
    }
    if (rc == BBT_INVALID)
        return bbt_fail(err, BBT_CORRUPT, "is over %u bytes without its numbers",
            JCUT_REST_MAX);
    if (rc == BBT_NOMEM)
        return bbt_fail(err, rc, "no memory to read it");
    return rc;
}

enum bbt_rc jcut_parse(const uint8_t *body, size_t len, const char *name,
    struct jcut *ret, struct bbt_err *err)
{
    struct scan s = {.p = body, .end = len ? body + len : body};
    struct jcut c = {0};
    struct bbt_err own = {0};
    struct bbt_buf rest;
    enum bbt_rc rc;

    buf_init(&rest, JCUT_REST_MAX);
    rc = scan_all(&s, &c, &rest, &own);
    if (rc != BBT_OK) {
        bbt_fail(err, rc, "%s %s", name, own.msg);
    } else {
        rc = json_parse(rest.data ? rest.data : (const uint8_t *)"", rest.len, name,
            &c.root, err);
        if (rc == BBT_INVALID) {
            rc = BBT_CORRUPT;
            if (err)
                err->rc = rc;
        }
    }
    buf_fini(&rest);
    if (rc == BBT_OK)
        *ret = c;
    return rc;
}

void jcut_fini(struct jcut *c)
{
    if (!c)
        return;
    json_decref(c->root);
    *c = (struct jcut){0};
}

/* ---- numbers ---- */

/* m * 10^e; long double, so that the one rounding to float that follows is right for every
 * text that a float was printed as. */
static long double scaled(uint64_t m, int e)
{
    long double r = 1, b = 10;

    if (m == 0 || e < -4900)
        return 0;
    if (e > 4900)
        return HUGE_VALL;
    for (unsigned n = (unsigned)(e < 0 ? -e : e); n; n >>= 1, b *= b)
        if (n & 1)
            r *= b;
    return e < 0 ? (long double)m / r : (long double)m * r;
}

struct digits {
    uint64_t m;
    int drop, used; /* digits beyond the nineteenth before the point; digits after it */
    bool any;
};

static const uint8_t *read_digits(
    const uint8_t *p, const uint8_t *end, struct digits *d, bool after_point)
{
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        d->any = true;
        if (d->m < UINT64_C(1000000000000000000)) {
            d->m = d->m * 10 + (uint64_t)(*p - '0');
            d->used += after_point;
        } else {
            d->drop += !after_point;
        }
    }
    return p;
}

/* [eE][+-]digits; NULL where malformed. Larger exponents than any float's saturate. */
static const uint8_t *read_exponent(const uint8_t *p, const uint8_t *end, int *ret)
{
    bool minus = false;
    int e = 0;

    if (p == end || (*p != 'e' && *p != 'E'))
        return p;
    p++;
    if (p < end && (*p == '+' || *p == '-'))
        minus = *p++ == '-';
    if (p == end || *p < '0' || *p > '9')
        return NULL;
    for (; p < end && *p >= '0' && *p <= '9'; p++)
        if (e < 100000)
            e = e * 10 + (*p - '0');
    *ret = minus ? -e : e;
    return p;
}

static const uint8_t *read_word(
    const uint8_t *p, const uint8_t *end, const char *word, double v, double *ret)
{
    size_t n = strlen(word);

    if ((size_t)(end - p) < n || memcmp(p, word, n))
        return NULL;
    *ret = v;
    return p + n;
}

/* One JSON number, or one of the words for no number. NULL where it is neither. */
static const uint8_t *read_number(const uint8_t *p, const uint8_t *end, double *ret)
{
    struct digits d = {0};
    bool minus = p < end && *p == '-';
    const uint8_t *first;
    long double v;
    int e = 0;

    if (minus)
        p++;
    if (p < end && (*p == 'n' || *p == 'N' || *p == 'I')) {
        if (*p == 'I')
            return read_word(p, end, "Infinity", minus ? -INFINITY : INFINITY, ret);
        return minus ? NULL : read_word(p, end, *p == 'n' ? "null" : "NaN", NAN, ret);
    }
    first = p;
    p = read_digits(p, end, &d, false);
    if (!d.any || (*first == '0' && p - first > 1))
        return NULL;
    if (p < end && *p == '.') {
        d.any = false;
        p = read_digits(p + 1, end, &d, true);
        if (!d.any)
            return NULL;
    }
    p = read_exponent(p, end, &e);
    if (!p)
        return NULL;
    v = scaled(d.m, e + d.drop - d.used);
    *ret = (double)(minus ? -v : v);
    return p;
}

struct nest {
    const size_t *shape;
    size_t rank, total;
    size_t count[RANK_MAX + 1]; /* elements seen so far at each depth, from 1 */
    size_t depth, deepest, seen;
};

static enum bbt_rc wrong_shape(struct bbt_err *err)
{
    return bbt_fail(err, BBT_CORRUPT, "the numbers do not have the shape that goes with them");
}

/* One list ends: as many elements as the shape says, or a flat list of them all. */
static bool close_ok(const struct nest *n)
{
    if (n->deepest == 1)
        return n->count[1] == n->total;
    return n->count[n->depth] == n->shape[n->depth - 1];
}

static enum bbt_rc open_list(struct nest *n, struct bbt_err *err)
{
    if (n->depth == n->rank || n->seen > n->total)
        return wrong_shape(err);
    n->count[n->depth]++;
    n->count[++n->depth] = 0;
    if (n->depth > n->deepest) {
        if (n->seen) /* a number stood where a list stands now */
            return wrong_shape(err);
        n->deepest = n->depth;
    }
    return BBT_OK;
}

/* A closing bracket: the list has the length that the shape says. */
static enum bbt_rc close_list(struct nest *n, struct bbt_err *err)
{
    if ((n->deepest > 1 && n->deepest != n->rank) || !close_ok(n))
        return wrong_shape(err);
    n->depth--;
    return BBT_OK;
}

static enum bbt_rc count_number(struct nest *n, struct bbt_err *err)
{
    if (n->depth != n->deepest || n->seen >= n->total)
        return wrong_shape(err);
    n->count[n->depth]++;
    n->seen++;
    return BBT_OK;
}

/* Reads the array's text against its shape. */
static enum bbt_rc walk(struct nest *n, const uint8_t *p, const uint8_t *end,
    jcut_sink_fn *sink, void *arg, struct bbt_err *err)
{
    bool value = true; /* a value is due, not a comma */
    enum bbt_rc rc = BBT_OK;
    double v;

    while (rc == BBT_OK && (p = skip_space(p, end)) < end) {
        if (*p == '[' && value) {
            rc = open_list(n, err);
            p = skip_space(p + 1, end);
            value = p == end || *p != ']'; /* an empty list is complete */
        } else if (*p == ']' && !value && n->depth) {
            rc = close_list(n, err);
            p++;
            if (rc == BBT_OK && n->depth == 0)
                return p == end && n->seen == n->total ? BBT_OK : wrong_shape(err);
        } else if (*p == ',' && !value && n->depth) {
            value = true;
            p++;
        } else if (value && n->depth && (p = read_number(p, end, &v))) {
            rc = count_number(n, err);
            if (rc == BBT_OK)
                sink(arg, n->seen - 1, v);
            value = false;
        } else {
            return bbt_fail(err, BBT_CORRUPT, "not a number where one is due");
        }
    }
    return rc != BBT_OK ? rc
                        : bbt_fail(err, BBT_CORRUPT, "the list of numbers ends early");
}

enum bbt_rc jcut_numbers(const uint8_t *at, size_t len, const size_t *shape, size_t rank,
    jcut_sink_fn *sink, void *arg, struct bbt_err *err)
{
    struct nest n = {.shape = shape, .rank = rank, .total = 1};

    if (rank == 0 || rank > RANK_MAX)
        return wrong_shape(err);
    for (size_t i = 0; i < rank; i++)
        if (__builtin_mul_overflow(n.total, shape[i], &n.total))
            return wrong_shape(err);
    return walk(&n, at, at + len, sink, arg, err);
}
