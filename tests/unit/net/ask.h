/* ask.h -- one request of the client under test: started, waited for, its facts kept.
 */
#ifndef UNIT_ASK_H
#define UNIT_ASK_H

#include "net/http.h"

#include "base/alloc.h"
#include "base/op.h"
#include "hostile.h"
#include "turn.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#define CAP 100000u

struct ask {
    struct http_req r;
    struct op op;
    char url[96];
    unsigned steps;
    bool done_seen;
};

static struct hostile *host;
static struct loop *l;
static struct http_client *c;

static inline void ask_step(struct op *op)
{
    struct ask *a = bbt_container(op, struct ask, op);

    a->steps++;
    a->done_seen = a->r.done;
}

static inline void prepare(struct ask *a, const char *name)
{
    *a = (struct ask){0};
    op_init(&a->op, loop_turnq(l), ask_step);
    snprintf(
        a->url, sizeof(a->url), "http://127.0.0.1:%u/v1/%s", hostile_port(host), name);
    a->r = (struct http_req){
        .method = "GET", .url = a->url, .response_max = CAP, .timeout_us = 20000000};
}

static inline void finish(struct ask *a)
{
    http_start(c, &a->r, &a->op);
    assert_false(a->r.done);
    UNTIL(l, a->steps > 0);
    assert_true(a->done_seen);
    assert_int_equal(a->steps, 1);
    assert_int_equal(http_client_running(c), 0);
}

/* One request from start to end; facts in `a`, to be freed by http_req_fini. */
static inline void get(struct ask *a, const char *name)
{
    prepare(a, name);
    finish(a);
}

static inline bool said(const struct ask *a, const char *text)
{
    return memmem(a->r.body.data, a->r.body.len, text, strlen(text)) != NULL;
}

static inline int ask_setup(void **state)
{
    (void)state;
    if (http_global_init(NULL) != BBT_OK || loop_new(&l, NULL) != BBT_OK)
        return -1;
    host = hostile_start(0, NULL);
    return host && http_client_new(l, NULL, &c, NULL) == BBT_OK ? 0 : -1;
}

static inline int ask_teardown(void **state)
{
    (void)state;
    http_client_free(c);
    loop_free(l);
    hostile_stop(host);
    http_global_fini();
    return 0;
}

#endif
