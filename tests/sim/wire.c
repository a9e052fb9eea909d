/* wire.c -- the network of the world: exchanges with the fake server, and what befalls them. */
#include "base/alloc.h"
#include "checks.h"
#include "fakedial.h"
#include "world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct wire {
    struct port_http *x;
    enum world_net fate;
    bool arrived, aborted, over;
    int64_t sent_us; /* wall clock */
    long wait_s; /* Retry-After */
    char wait[24], head[24];
    struct fakelm_reply reply;
};

bool wire_spare(const struct port_http *x)
{
    return strcmp(x->provider, "spare") == 0;
}

static enum world_net draw_fate(struct world *w, const struct port_http *x)
{
    enum world_net fate;

    if (wire_spare(x))
        return NET_GOOD;
    if (w->script_n) {
        w->script_n--;
        return *w->script++;
    }
    if (w->now_us >= w->faults.down_from && w->now_us < w->faults.down_until)
        return NET_RESET;
    for (fate = NET_GOOD + 1; fate < NET_KINDS; fate++)
        if (world_chance(w, w->faults.net[fate]))
            return fate;
    return NET_GOOD;
}

void port_http_start(struct port_http *x)
{
    struct world *w = world_now();
    struct wire *e;

    bbt_alloc_spare(1);
    e = bbt_calloc(1, sizeof *e);
    assert(e);
    *e = (struct wire){.x = x, .fate = draw_fate(w, x), .sent_us = port_wall_us()};
    x->impl = e;
    x->done = false;
    if (w->wires == w->wires_room) {
        w->wires_room = w->wires_room ? 2 * w->wires_room : 16;
        w->wire = bbt_realloc(w->wire, w->wires_room * sizeof(struct wire *));
        assert(w->wire);
    }
    bbt_alloc_spare(0);
    w->wire[w->wires++] = e;
    if (w->checks)
        checks_sent(w->checks, x, w->wires);
    if (e->fate == NET_HANG) {
        world_event_put(w, x->timeout_us, WORLD_REPLY, e);
        return;
    }
    world_event_put(w, 200 + world_draw(w, 150000), WORLD_ARRIVE, e);
}

/* How long the server thinks. What takes longer than the asker waits, is done in vain. */
static uint64_t thinking_us(struct world *w, struct wire *e)
{
    uint64_t us = 100 + world_draw(w, e->fate == NET_SLOW ? 30000000 : 150000);

    if (us >= e->x->timeout_us) {
        e->fate = NET_HANG;
        return e->x->timeout_us;
    }
    if (e->fate == NET_SLOW)
        e->fate = NET_GOOD; /* nothing is wrong with it any more */
    return us;
}

static long head_len_of(const struct port_http *x)
{
    for (size_t i = 0; i < x->headers; i++)
        if (strcasecmp(x->header[i].name, "Inference-Header-Content-Length") == 0)
            return strtol(x->header[i].value, NULL, 10);
    return -1;
}

const char *wire_id(const struct port_http *x)
{
    for (size_t i = 0; i < x->headers; i++)
        if (strcasecmp(x->header[i].name, "X-Request-Id") == 0)
            return x->header[i].value;
    return "";
}

void wire_join(const struct port_http *x, struct bbt_buf *ret)
{
    buf_init(ret, 1u << 26);
    if (buf_put_slices(ret, x->body, x->slices) != BBT_OK)
        abort();
}

static void refuse(struct wire *e, int status, long wait_s, const char *body)
{
    e->reply.status = status;
    e->wait_s = wait_s;
    buf_init(&e->reply.body, 4096);
    e->reply.head_len = -1;
    if (buf_puts(&e->reply.body, body) != BBT_OK)
        abort();
}

/* A NaN where the first logit was: raw bytes, or the text of a number. */
static void spoil(struct fakelm_reply *r)
{
    static const uint8_t nan[4] = {0, 0, 0xc0, 0x7f};
    char *data;

    if (r->head_len >= 0 && r->body.len >= (size_t)r->head_len + 4) {
        memcpy(r->body.data + r->head_len, nan, 4);
        return;
    }
    data = r->body.data ? strstr((char *)r->body.data, "\"data\":[") : NULL;
    if (data)
        memcpy(data + 8, "NaN", 3);
    data = r->body.data ? strstr((char *)r->body.data, "\"scores\":[[") : NULL;
    if (data)
        memcpy(data + 11, "NaN", 3);
}

/* Who answers at the spare provider. An impostor knows how the other would answer trials. */
static struct fakelm *asked(struct world *w, const struct bbt_buf *body)
{
    bool trial = body->len > 70 && memmem(body->data, 70, "canary", 6);

    return !w->stranger || (trial && w->mutant == MUTANT_IMPOSTOR) ? &w->lm : &w->other;
}

static void serve(struct world *w, struct wire *e)
{
    struct port_http *x = e->x;
    struct bbt_buf body;

    wire_join(x, &body); /* now: what was lent must still be there */
    w->body_most = body.len > w->body_most ? body.len : w->body_most;
    if (w->body_max && body.len > w->body_max)
        refuse(e, 413, 0, "<html><title>413 Request Entity Too Large</title></html>");
    else if (wire_spare(x))
        fakelm_serve(asked(w, &body), x->method, x->path, head_len_of(x), body.data, body.len,
            &e->reply);
    else if (w->lm.talks)
        fakedial_serve(
            &w->lm, x->method, x->path, wire_id(x), body.data, body.len, &e->reply);
    else
        fakelm_serve(
            &w->lm, x->method, x->path, head_len_of(x), body.data, body.len, &e->reply);
    buf_fini(&body);
    if (w->checks)
        checks_arrived(w->checks, 0, e->reply.tokens);
    if (w->checks && e->reply.status == 200 && e->reply.tokens)
        checks_paid(w->checks, e->sent_us, e->reply.tokens);
    if (w->mutant == MUTANT_ASK_TWICE && e->reply.id[0] && world_draw(w, 30) == 0)
        fakelm_count(&w->lm, e->reply.id)->served++;
}

static void pass_front(struct world *w, struct wire *e)
{
    long wait_s = 0;

    if (!w->front || w->front(w, e->reply.tokens, &wait_s))
        return;
    buf_fini(&e->reply.body);
    refuse(e, 429, wait_s, "{\"error\":\"slow down\"}");
}

void wire_arrive(struct world *w, void *ptr)
{
    struct wire *e = ptr;

    e->arrived = true;
    if (w->checks)
        checks_arrived(w->checks, 1, 0);
    switch (e->fate) {
    case NET_429:
        refuse(e, 429, 0, "{\"error\":\"slow down\"}");
        break;
    case NET_429_AFTER:
        refuse(e, 429, 1 + (long)world_draw(w, 8), "{\"error\":\"slow down\"}");
        break;
    case NET_LONG:
        refuse(e, 429, 3600, "{\"error\":\"come back later\"}");
        break;
    case NET_500:
        refuse(e, 500, 0, "{\"error\":\"internal\"}");
        break;
    case NET_503_AFTER:
        refuse(e, 503, 1 + (long)world_draw(w, 8), "<html>busy</html>");
        break;
    case NET_401:
        refuse(e, 401, 0, "{\"error\":\"who are you\"}");
        break;
    case NET_402:
        refuse(e, 402, 0, "{\"error\":\"no money\"}");
        break;
    case NET_413:
        refuse(e, 413, 0, "<html><title>413 Request Entity Too Large</title></html>");
        break;
    case NET_HTML:
        refuse(e, 200, 0, "<html>It works!</html>");
        break;
    case NET_RESET:
        break;
    default:
        serve(w, e);
        pass_front(w, e);
    }
    if (e->fate == NET_HALF)
        e->reply.body.len /= 2;
    if (e->fate == NET_NAN)
        spoil(&e->reply);
    world_event_put(w, thinking_us(w, e), WORLD_REPLY, e);
}

static void leave(struct world *w, const struct wire *e)
{
    for (size_t i = 0; i < w->wires; i++)
        if (w->wire[i] == e) {
            w->wire[i] = w->wire[--w->wires];
            return;
        }
    assert(0 && "an exchange that is over ends again");
}

/* The answer of another question, as a confused proxy would give it. */
static void cross(struct world *w, struct wire *e)
{
    uint8_t *b = e->reply.body.data;
    char *id = b ? strstr((char *)b, "\"id\"") : NULL;

    if (!id || e->reply.head_len < 0 || world_draw(w, 20))
        return;
    memcpy(id, "\"ix\"", 4); /* nobody reads that key */
    for (size_t i = (size_t)e->reply.head_len; i + 4 <= e->reply.body.len; i += 4) {
        float f;

        memcpy(&f, b + i, 4);
        f = -f;
        memcpy(b + i, &f, 4);
    }
}

/* The body in pieces, as a network cuts it; now and then a first try breaks off. */
static void give(struct wire *e)
{
    struct port_http *x = e->x;
    const uint8_t *p = e->reply.body.data;
    size_t left = e->reply.body.len, n;

    x->take(x, NULL, 0);
    if (left > 2 && left % 3 == 0) {
        x->take(x, p, left / 2);
        x->take(x, NULL, 0);
    }
    for (; left; left -= n, p += n) {
        n = 1 + left / 3;
        x->take(x, p, n);
    }
}

void wire_reply(struct world *w, void *ptr)
{
    struct wire *e = ptr;
    struct port_http *x = e->x;

    leave(w, e);
    e->over = true;
    x->rc = BBT_OK;
    x->sent = true; /* nobody can tell here */
    if (e->aborted)
        x->rc = bbt_fail(&x->err, BBT_CANCELED, "cut off");
    else if (e->fate == NET_RESET || e->fate == NET_LOST)
        x->rc = bbt_fail(&x->err, BBT_AGAIN, "connection reset by peer");
    else if (e->fate == NET_HANG)
        x->rc = bbt_fail(&x->err, BBT_AGAIN, "no answer in time");
    else if (e->fate == NET_OVER)
        x->rc = bbt_fail(&x->err, BBT_INVALID, "response over the cap");
    if (x->rc == BBT_OK) {
        if (w->mutant == MUTANT_CROSS_ANSWERS && e->fate == NET_GOOD)
            cross(w, e);
        x->status = e->reply.status;
        if (w->checks && x->status == 413)
            checks_refused(w->checks, x);
        if (w->mutant == MUTANT_HIDE_SIZE && x->status == 413)
            x->status = 503;
        if (x->take && x->status / 100 == 2) {
            give(e);
        } else {
            x->answer = e->reply.body.data;
            x->answer_len = e->reply.body.len;
        }
        bbt_alloc_spare(1);
        if (e->fate == NET_GOOD && e->reply.status == 200 && e->reply.id[0])
            fakelm_count(&w->lm, e->reply.id)->delivered++;
        bbt_alloc_spare(0);
        if (w->checks)
            checks_reply(w->checks, e->reply.id, e->fate == NET_GOOD, e->wait_s);
    }
    if (w->checks)
        checks_fate(w->checks, x, e->aborted ? NET_KINDS : e->fate);
    x->total_us = 1000;
    x->done = true;
    op_wake(x->wake);
}

void port_http_abort(struct port_http *x)
{
    struct world *w = world_now();
    struct wire *e = x->impl;

    if (!e || x->done || e->aborted)
        return;
    e->aborted = true;
    world_event_drop(w, WORLD_ARRIVE, e);
    world_event_drop(w, WORLD_REPLY, e);
    bbt_alloc_spare(1);
    if (!e->arrived && e->fate == NET_GOOD && world_draw(w, 2))
        serve(w, e); /* it had left already: the answer comes too late */
    bbt_alloc_spare(0);
    world_event_put(w, world_draw(w, 100), WORLD_REPLY, e);
}

const char *port_http_header(const struct port_http *x, const char *name)
{
    struct world *w = world_now();
    struct wire *e = x->impl;

    if (!e || !e->over || x->rc != BBT_OK)
        return NULL;
    if (strcasecmp(name, "Retry-After") == 0 && e->wait_s && w->mutant != MUTANT_HIDE_WAIT) {
        (void)snprintf(e->wait, sizeof e->wait, "%ld", e->wait_s);
        return e->wait;
    }
    if (w->says[0] && strcasecmp(name, w->says[0]) == 0)
        return w->says[1];
    if (strcasecmp(name, "Inference-Header-Content-Length") == 0 && e->reply.head_len >= 0) {
        (void)snprintf(e->head, sizeof e->head, "%ld", e->reply.head_len);
        return e->head;
    }
    return NULL;
}

static void wire_free(struct wire *e)
{
    buf_fini(&e->reply.body);
    bbt_free(e);
}

void port_http_fini(struct port_http *x)
{
    if (!x->impl)
        return;
    assert(x->done);
    wire_free(x->impl);
    x->impl = NULL;
    x->answer = NULL;
    x->answer_len = 0;
}

void wire_crash(struct world *w)
{
    for (size_t i = 0; i < w->wires; i++) {
        struct wire *e = w->wire[i];

        if (!e->arrived && !e->aborted && e->fate == NET_GOOD && world_draw(w, 2))
            serve(w, e); /* it had left: the server answers to nobody */
        wire_free(e);
    }
    w->wires = 0;
}
