#include "prov/numlist.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* ---- one number ---- */

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

/* ---- the list ---- */

static enum bbt_rc wrong_shape(struct bbt_err *err)
{
    return bbt_fail(err, BBT_CORRUPT, "the numbers do not have the shape that goes with them");
}

static enum bbt_rc no_number(struct bbt_err *err)
{
    return bbt_fail(err, BBT_CORRUPT, "not a number where one is due");
}

enum bbt_rc numlist_begin(struct numlist *l, const size_t *shape, size_t rank,
    numlist_sink_fn *sink, void *arg, struct bbt_err *err)
{
    *l = (struct numlist){.rank = rank, .total = 1, .sink = sink, .arg = arg, .due = NUM_VALUE};
    if (rank == 0 || rank > NUMLIST_RANK_MAX)
        return wrong_shape(err);
    for (size_t i = 0; i < rank; i++) {
        l->shape[i] = shape[i];
        if (__builtin_mul_overflow(l->total, shape[i], &l->total))
            return wrong_shape(err);
    }
    return BBT_OK;
}

/* One list ends: as many elements as the shape says, or a flat list of them all. */
static bool close_ok(const struct numlist *l)
{
    if (l->deepest == 1)
        return l->count[1] == l->total;
    return l->count[l->depth] == l->shape[l->depth - 1];
}

static enum bbt_rc open_list(struct numlist *l, struct bbt_err *err)
{
    if (l->depth == l->rank || l->seen > l->total)
        return wrong_shape(err);
    l->count[l->depth]++;
    l->count[++l->depth] = 0;
    if (l->depth > l->deepest) {
        if (l->seen) /* a number stood where a list stands now */
            return wrong_shape(err);
        l->deepest = l->depth;
    }
    l->due = NUM_FIRST;
    return BBT_OK;
}

/* A closing bracket: the list has the length that the shape says. */
static enum bbt_rc close_list(struct numlist *l, struct bbt_err *err)
{
    if ((l->deepest > 1 && l->deepest != l->rank) || !close_ok(l))
        return wrong_shape(err);
    l->due = NUM_COMMA;
    l->done = --l->depth == 0;
    return l->done && l->seen != l->total ? wrong_shape(err) : BBT_OK;
}

static enum bbt_rc take_number(
    struct numlist *l, const uint8_t *p, size_t len, struct bbt_err *err)
{
    double v = 0;

    if (read_number(p, p + len, &v) != p + len)
        return no_number(err);
    if (l->depth != l->deepest || l->seen >= l->total)
        return wrong_shape(err);
    l->count[l->depth]++;
    l->due = NUM_COMMA;
    l->sink(l->arg, l->seen++, v);
    return BBT_OK;
}

static enum bbt_rc take_mark(struct numlist *l, uint8_t c, struct bbt_err *err)
{
    if (c == '[' && l->due != NUM_COMMA)
        return open_list(l, err);
    if (c == ']' && l->due != NUM_VALUE && l->depth)
        return close_list(l, err);
    if (c == ',' && l->due == NUM_COMMA && l->depth) {
        l->due = NUM_VALUE;
        return BBT_OK;
    }
    return no_number(err);
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The end of what may be one number. */
static size_t word_len(const uint8_t *p, size_t len)
{
    size_t n = 0;

    while (n < len && !is_space(p[n]) && p[n] != ',' && p[n] != '[' && p[n] != ']' &&
           p[n] != '"' && p[n] != '{' && p[n] != '}')
        n++;
    return n;
}

/* A number may be cut by the piece's end: then it is put together in l->word. */
static enum bbt_rc take_word(
    struct numlist *l, const uint8_t *p, size_t n, bool whole, struct bbt_err *err)
{
    enum bbt_rc rc;

    if (l->due == NUM_COMMA || l->depth == 0)
        return no_number(err);
    if (whole && l->word_len == 0)
        return take_number(l, p, n, err);
    if (n > sizeof l->word - l->word_len)
        return bbt_fail(err, BBT_CORRUPT, "a number of over %zu digits", sizeof l->word);
    memcpy(l->word + l->word_len, p, n);
    l->word_len += n;
    if (!whole)
        return BBT_OK;
    rc = take_number(l, l->word, l->word_len, err);
    l->word_len = 0;
    return rc;
}

enum bbt_rc numlist_feed(struct numlist *l, const void *bytes, size_t len, size_t *ret_used,
    struct bbt_err *err)
{
    const uint8_t *p = bytes;
    enum bbt_rc rc = BBT_OK;
    size_t at = 0;

    while (rc == BBT_OK && at < len && !l->done) {
        size_t n = word_len(p + at, len - at);

        if (n || l->word_len) {
            rc = take_word(l, p + at, n, at + n < len, err);
            at += n;
        } else if (is_space(p[at])) {
            at++;
        } else {
            rc = take_mark(l, p[at++], err);
        }
    }
    *ret_used = at;
    return rc;
}
