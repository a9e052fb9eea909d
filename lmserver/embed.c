#include "embed.h"

#include <string.h>

static void add_to(float *x, const float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] += y[i];
}

/* Word, position and type of one token; every token has type 0. */
static void sum_token(const struct weights *w, const float *word, size_t place, float *x)
{
    size_t h = w->conf.hidden;

    memcpy(x, word, h * sizeof *x);
    add_to(x, w->places + place * h, h);
    add_to(x, w->types, h);
}

/* The tokens that count; those at columns 1..adds get a row of `prompt` on top. Returns the
 * index of the mask among them. */
static size_t sum_tokens(const struct weights *w, const struct query *q, size_t r,
    const float *prompt, size_t adds, float *x)
{
    size_t h = w->conf.hidden, n = 0, mask = 0;

    for (size_t c = 0; c < q->cols; c++) {
        size_t i = r * q->cols + c;

        if (q->keep && !q->keep[i])
            continue;
        if (c == (size_t)q->mask_pos[r])
            mask = n;
        sum_token(w, w->words + (size_t)q->ids[i] * h, (size_t)q->place[i], x + n * h);
        if (c >= 1 && c <= adds)
            add_to(x + n * h, prompt + (c - 1) * h, h);
        n++;
    }
    return mask;
}

size_t embed_row(const struct weights *w, const struct fused *f, const struct query *q,
    size_t r, float *x)
{
    const struct lmconf *c = &w->conf;
    const float *prompt = query_prompt(q, r, c->hidden);
    size_t front = query_front(q), adds = prompt && !front ? q->prompt_rows : 0;
    float *tokens = x + front * c->hidden;
    size_t mask;

    if (q->at == QUERY_EMBEDDING) {
        for (size_t i = 0; i < front; i++)
            sum_token(w, prompt + i * c->hidden, c->first_pos + i, x + i * c->hidden);
        mask = sum_tokens(w, q, r, prompt, adds, tokens);
        f->norm(x, NULL, NULL, front + q->len[r], c->hidden, w->norm, c->eps);
        return front + mask;
    }
    mask = sum_tokens(w, q, r, NULL, 0, tokens);
    f->norm(tokens, NULL, NULL, q->len[r], c->hidden, w->norm, c->eps);
    if (front)
        memcpy(x, prompt, front * c->hidden * sizeof *x);
    else if (adds) /* columns 0..adds all count: checked, so they are the first tokens */
        add_to(tokens + c->hidden, prompt, adds * c->hidden);
    return front + mask;
}
