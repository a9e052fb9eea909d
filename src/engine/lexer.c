/* lexer.c -- asks the server's tokeniser, a few texts at a time. */
#include "engine/lex.h"

#include <string.h>

static enum bbt_rc encode(struct query *c, struct prov_http *ret, struct bbt_err *err)
{
    struct lex_slot *s = bbt_container(c, struct lex_slot, query);

    return c->ep->adapter->tokens_encode(s->lexer->model, s->text, ret, err);
}

static enum bbt_rc decode(
    struct query *c, const struct prov_reply *r, struct bbt_err *err)
{
    struct lex_slot *s = bbt_container(c, struct lex_slot, query);

    prov_tokens_fini(&s->got);
    return c->ep->adapter->tokens_decode(r, &s->got, err);
}

static void end_if_idle(struct lexer *x)
{
    if (x->running || x->done)
        return;
    x->done = true;
    op_wake(x->wake);
}

static void fail(
    struct lexer *x, enum bbt_rc rc, const struct bbt_err *err, const char *reason)
{
    if (x->failed)
        return;
    x->failed = true;
    x->rc = rc;
    x->reason = reason;
    if (err)
        x->err = *err;
    for (size_t i = 0; i < LEX_AT_ONCE; i++)
        if (x->slot[i].text)
            query_abort(&x->slot[i].query);
}

/* The next text into an idle slot. */
static void start(struct lex_slot *s)
{
    struct lexer *x = s->lexer;

    if (x->failed || x->next == x->wants->n)
        return;
    s->text = x->wants->text[x->next++];
    query_fini(&s->query);
    s->query = (struct query){
        .ep = x->ep, .flow = x->flow, .encode = encode, .decode = decode, .wake = &s->op};
    query_init(&s->query, x->q);
    x->running++;
    query_start(&s->query);
}

static void slot_step(struct op *op)
{
    struct lex_slot *s = bbt_container(op, struct lex_slot, op);
    struct lexer *x = s->lexer;
    const char *text = s->text;
    struct bbt_err err = {0};
    enum bbt_rc rc;

    if (!text || !s->query.done)
        return;
    s->text = NULL;
    x->running--;
    if (s->query.rc != BBT_OK) {
        fail(x, s->query.rc, &s->query.err, s->query.reason);
    } else {
        rc = lex_add(x->lex, text, &s->got, &err);
        if (rc != BBT_OK)
            fail(x, rc, &err, NULL);
    }
    start(s);
    end_if_idle(x);
}

void lexer_start(struct lexer *x, struct turnq *q)
{
    x->q = q;
    for (size_t i = 0; i < LEX_AT_ONCE; i++) {
        x->slot[i].lexer = x;
        op_init(&x->slot[i].op, q, slot_step);
        start(&x->slot[i]);
    }
    end_if_idle(x);
}

void lexer_drop(struct lexer *x)
{
    if (x->done || !x->q)
        return;
    fail(x, BBT_CANCELED, NULL, NULL);
}

void lexer_fini(struct lexer *x)
{
    for (size_t i = 0; x->q && i < LEX_AT_ONCE; i++) {
        query_fini(&x->slot[i].query);
        prov_tokens_fini(&x->slot[i].got);
        op_fini(&x->slot[i].op);
    }
    x->q = NULL;
}
