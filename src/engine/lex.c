#include "engine/lex.h"

#include "base/alloc.h"
#include "base/digest.h"

#include <stdlib.h>
#include <string.h>

static uint64_t name_of(const char *text)
{
    return digest_short(text, strlen(text));
}

void lex_fini(struct lex *l)
{
    for (size_t i = 0; i < l->n; i++)
        bbt_free(l->item[i].id);
    bbt_free(l->item);
    *l = (struct lex){0};
}

/* Where the digest is, or where it would go. */
static size_t place_of(const struct lex *l, uint64_t digest)
{
    size_t from = 0, to = l->n;

    while (from < to) {
        size_t mid = from + (to - from) / 2;

        if (l->item[mid].digest < digest)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

static bool has(const struct lex *l, uint64_t digest, size_t *ret_at)
{
    *ret_at = place_of(l, digest);
    return *ret_at < l->n && l->item[*ret_at].digest == digest;
}

const struct lex_item *lex_find(const struct lex *l, const char *text)
{
    size_t at;

    return has(l, name_of(text), &at) ? &l->item[at] : NULL;
}

static enum bbt_rc make_room(struct lex *l, struct bbt_err *err)
{
    size_t room = l->room ? 2 * l->room : 64;
    struct lex_item *more;

    if (l->n < l->room)
        return BBT_OK;
    more = bbt_realloc(l->item, room * sizeof *more);
    if (!more)
        return bbt_fail(err, BBT_NOMEM, "no memory for the tokens of %zu texts", room);
    l->item = more;
    l->room = room;
    return BBT_OK;
}

enum bbt_rc lex_add(
    struct lex *l, const char *text, struct prov_tokens *ids, struct bbt_err *err)
{
    uint64_t digest = name_of(text);
    size_t at;
    enum bbt_rc rc = make_room(l, err);

    if (rc != BBT_OK || has(l, digest, &at)) {
        prov_tokens_fini(ids);
        return rc;
    }
    memmove(l->item + at + 1, l->item + at, (l->n - at) * sizeof *l->item);
    l->item[at] = (struct lex_item){digest, ids->id, ids->n};
    l->n++;
    *ids = (struct prov_tokens){0};
    return BBT_OK;
}

/* ---- bytes: u64 items, then u64 digest, u64 n, n x i32 for each (this machine's order: the
 * database stays on it) ---- */

enum bbt_rc lex_save(const struct lex *l, struct bbt_buf *ret, struct bbt_err *err)
{
    uint64_t head[2] = {l->n, 0};
    enum bbt_rc rc = buf_put(ret, head, sizeof head[0]);

    for (size_t i = 0; i < l->n && rc == BBT_OK; i++) {
        head[0] = l->item[i].digest;
        head[1] = l->item[i].n;
        rc = buf_put(ret, head, sizeof head);
        if (rc == BBT_OK && head[1])
            rc = buf_put(ret, l->item[i].id, l->item[i].n * sizeof *l->item[i].id);
    }
    return rc == BBT_OK ? rc : bbt_fail(err, rc, "no room for the texts' tokens");
}

static enum bbt_rc load_item(const uint8_t **at, const uint8_t *end, struct lex_item *ret)
{
    uint64_t head[2];

    if ((size_t)(end - *at) < sizeof head)
        return BBT_CORRUPT;
    memcpy(head, *at, sizeof head);
    *at += sizeof head;
    if (head[1] > (size_t)(end - *at) / sizeof *ret->id)
        return BBT_CORRUPT;
    *ret = (struct lex_item){head[0], bbt_alloc_array((size_t)head[1], sizeof *ret->id),
        (size_t)head[1]};
    if (!ret->id)
        return BBT_NOMEM;
    if (ret->n)
        memcpy(ret->id, *at, ret->n * sizeof *ret->id);
    *at += ret->n * sizeof *ret->id;
    return BBT_OK;
}

enum bbt_rc lex_load(const void *bytes, size_t len, struct lex *ret, struct bbt_err *err)
{
    const uint8_t *at = bytes, *end = at + len;
    struct lex l = {0};
    enum bbt_rc rc = BBT_OK;
    uint64_t n = 0;

    if (len < sizeof n) {
        rc = BBT_CORRUPT;
    } else {
        memcpy(&n, at, sizeof n);
        at += sizeof n;
        if (n > len)
            rc = BBT_CORRUPT;
    }
    while (rc == BBT_OK && l.n < n) {
        rc = make_room(&l, err);
        if (rc == BBT_OK)
            rc = load_item(&at, end, &l.item[l.n]);
        if (rc == BBT_OK && l.n && l.item[l.n].digest <= l.item[l.n - 1].digest) {
            bbt_free(l.item[l.n].id);
            rc = BBT_CORRUPT;
        }
        l.n += rc == BBT_OK;
    }
    if (rc == BBT_OK && at == end) {
        *ret = l;
        return BBT_OK;
    }
    lex_fini(&l);
    return rc == BBT_NOMEM ? bbt_fail(err, rc, "no memory for the texts' tokens")
                           : bbt_fail(err, BBT_CORRUPT, "the job's table of tokens is damaged");
}

/* ---- wants ---- */

void lex_wants_fini(struct lex_wants *w)
{
    bbt_free(w->text);
    *w = (struct lex_wants){0};
}

enum bbt_rc lex_want(struct lex_wants *w, const char *text, struct bbt_err *err)
{
    size_t room = w->room ? 2 * w->room : 256;
    const char **more;

    if (w->n == w->room) {
        more = bbt_realloc(w->text, room * sizeof *more);
        if (!more)
            return bbt_fail(err, BBT_NOMEM, "no memory for a list of %zu texts", room);
        w->text = more;
        w->room = room;
    }
    w->text[w->n++] = text;
    return BBT_OK;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void lex_missing(const struct lex *l, struct lex_wants *w)
{
    size_t kept = 0;

    if (w->n)
        qsort(w->text, w->n, sizeof *w->text, by_text);
    for (size_t i = 0; i < w->n; i++)
        if (!(kept && strcmp(w->text[kept - 1], w->text[i]) == 0) && !lex_find(l, w->text[i]))
            w->text[kept++] = w->text[i];
    w->n = kept;
}
