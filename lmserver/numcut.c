#include "numcut.h"

#include "base/alloc.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_MAX 63u

struct cutter {
    const char *text;
    size_t len, pos;
    struct numcut *out;
    struct bbt_err *err;
};

void numcut_fini(struct numcut *n)
{
    bbt_free(n->num);
    memset(n, 0, sizeof *n);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* The next character that is no space; 0 at the end (a NUL in the text is no JSON either). */
static char peek(struct cutter *c)
{
    while (c->pos < c->len && is_space(c->text[c->pos]))
        c->pos++;
    return c->pos < c->len ? c->text[c->pos] : 0;
}

static enum bbt_rc push(struct cutter *c, double v)
{
    struct numcut *n = c->out;

    if (n->num_nr == n->room) {
        size_t room = n->room ? 2 * n->room : 256;
        double *p;

        if (n->num_nr >= NUMCUT_NUMBERS_MAX)
            return bbt_fail(c->err, BBT_INVALID,
                "more than %u numbers in JSON: send them as binary tensor data",
                NUMCUT_NUMBERS_MAX);
        p = bbt_realloc(n->num, room * sizeof *p);
        if (!p)
            return bbt_fail(c->err, BBT_NOMEM, "no memory for the request's numbers");
        n->num = p;
        n->room = room;
    }
    n->num[n->num_nr++] = v;
    return BBT_OK;
}

/* Up to 15 digits and a small power of ten are exact in doubles; the rest goes to strtod. */
static bool simple(const char *s, size_t len, double *ret)
{
    static const double tens[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
        1e12, 1e13, 1e14, 1e15};
    size_t i = s[0] == '-', digits = 0, behind = 0;
    uint64_t m = 0;
    bool point = false;

    for (; i < len; i++) {
        if (s[i] == '.' && !point) {
            point = true;
            continue;
        }
        if (s[i] < '0' || s[i] > '9' || ++digits > 15)
            return false;
        m = m * 10 + (uint64_t)(s[i] - '0');
        behind += point;
    }
    if (digits == 0)
        return false;
    *ret = (s[0] == '-' ? -1.0 : 1.0) * ((double)m / tens[behind]);
    return true;
}

static enum bbt_rc take_number(struct cutter *c)
{
    const char *s = c->text + c->pos;
    char copy[TOKEN_MAX + 1], *end;
    size_t n = 0;
    double v;

    while (c->pos + n < c->len && n < TOKEN_MAX &&
           ((s[n] >= '0' && s[n] <= '9') || memchr("+-.eE", s[n], 5)))
        n++;
    if (n == 0 || n == TOKEN_MAX || s[0] == '+' || s[0] == '.' || s[0] == 'e' || s[0] == 'E')
        return bbt_fail(c->err, BBT_INVALID,
            "byte %zu of the JSON: 'data' holds something that is not a number", c->pos);
    if (!simple(s, n, &v)) {
        memcpy(copy, s, n);
        copy[n] = 0;
        v = strtod(copy, &end);
        if (*end)
            return bbt_fail(c->err, BBT_INVALID,
                "byte %zu of the JSON: '%.20s' is not a number", c->pos, copy);
    }
    c->pos += n;
    return push(c, v);
}

static bool take_word(struct cutter *c, const char *word)
{
    size_t n = strlen(word);

    if (c->len - c->pos < n || memcmp(c->text + c->pos, word, n))
        return false;
    c->pos += n;
    return true;
}

static enum bbt_rc take_value(struct cutter *c)
{
    if (take_word(c, "true"))
        return push(c, 1);
    if (take_word(c, "false"))
        return push(c, 0);
    return take_number(c);
}

/* From '[' to its ']', nested ones included. `want` says what may come next: a value, or a
 * comma; a closing bracket may follow '[' and values. */
static enum bbt_rc take_array(struct cutter *c)
{
    enum { FIRST, VALUE, COMMA } want = FIRST;
    enum bbt_rc rc;
    int depth = 1;

    c->pos++;
    while (depth > 0) {
        char ch = peek(c);

        if (ch == '[' && want != COMMA && depth < NUMCUT_DEPTH_MAX) {
            depth++;
            c->pos++;
            want = FIRST;
        } else if (ch == ']' && want != VALUE) {
            depth--;
            c->pos++;
            want = COMMA;
        } else if (ch == ',' && want == COMMA) {
            c->pos++;
            want = VALUE;
        } else if (want != COMMA) {
            rc = take_value(c);
            if (rc != BBT_OK)
                return rc;
            want = COMMA;
        } else {
            return bbt_fail(c->err, BBT_INVALID,
                "byte %zu of the JSON: a 'data' array is broken or has no end", c->pos);
        }
    }
    return BBT_OK;
}

/* Passes a string; its text without the quotes is [*from, pos - 1). */
static void skip_string(struct cutter *c, size_t *from)
{
    *from = ++c->pos;
    while (c->pos < c->len && c->text[c->pos] != '"')
        c->pos += c->text[c->pos] == '\\' ? 2 : 1;
    if (c->pos > c->len)
        c->pos = c->len;
    if (c->pos < c->len)
        c->pos++;
}

/* At the string that just ended: is it the key of an array to be lifted out? Then the array
 * is read, and the text up to it and its number are written. */
static enum bbt_rc try_cut(
    struct cutter *c, size_t from, size_t *copied, struct bbt_buf *slim)
{
    struct numcut *n = c->out;
    enum bbt_rc rc;

    if (c->pos - from != 5 || memcmp(c->text + from, "data\"", 5) || peek(c) != ':')
        return BBT_OK;
    c->pos++;
    if (peek(c) != '[')
        return bbt_fail(c->err, BBT_INVALID, "'data' is not an array");
    if (n->arrays == NUMCUT_ARRAYS_MAX)
        return bbt_fail(
            c->err, BBT_INVALID, "more than %u 'data' arrays", NUMCUT_ARRAYS_MAX);
    rc = buf_put(slim, c->text + *copied, c->pos - *copied);
    if (rc == BBT_OK)
        rc = buf_printf(slim, "%zu", n->arrays);
    if (rc != BBT_OK)
        return bbt_fail(c->err, rc, "the request's JSON is too large");
    rc = take_array(c);
    *copied = c->pos;
    if (rc == BBT_OK)
        n->at[++n->arrays] = n->num_nr;
    return rc;
}

enum bbt_rc numcut_run(const char *text, size_t len, struct bbt_buf *slim,
    struct numcut *ret, struct bbt_err *err)
{
    struct numcut out = {0};
    struct cutter c = {.text = text, .len = len, .out = &out, .err = err};
    enum bbt_rc rc = BBT_OK;
    size_t copied = 0, from;

    while (c.pos < len && rc == BBT_OK) {
        if (text[c.pos] != '"') {
            c.pos++;
            continue;
        }
        skip_string(&c, &from);
        rc = try_cut(&c, from, &copied, slim);
    }
    if (rc == BBT_OK) {
        rc = buf_put(slim, text + copied, len - copied);
        if (rc != BBT_OK)
            (void)bbt_fail(err, rc, "the request's JSON is too large");
    }
    if (rc == BBT_OK)
        *ret = out;
    else
        numcut_fini(&out);
    return rc;
}
