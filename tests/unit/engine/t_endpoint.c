#include "bench.h"

#include "engine/query.h"

/* The model of the configuration, its settings as the dialect wants them. */
static void test_model(void **state)
{
    struct key_pair pair[] = {{(char *)(uintptr_t) "scale", (char *)(uintptr_t) "2"},
        {(char *)(uintptr_t) "who", (char *)(uintptr_t) "me"},
        {(char *)(uintptr_t) "on", (char *)(uintptr_t) "true"}};
    char name[200];
    struct conf_model c = {.name = name, .hidden = 12, .batch = 7, .binary = CONF_BINARY_OFF,
        .tensors.input_ids = (char *)(uintptr_t) "tokens",
        .parameters = {pair, 3}};
    struct endpoint_model m = {0};
    struct bbt_err err = {0};

    (void)state;
    (void)snprintf(name, sizeof name, "bert");
    assert_int_equal(endpoint_model_init(&m, &c, &err), BBT_OK);
    assert_string_equal(m.m.name, "bert");
    assert_string_equal(m.m.tensor.input_ids, "tokens");
    assert_string_equal(m.m.tensor.logits, "");
    assert_int_equal(m.m.hidden, 12);
    assert_int_equal(m.m.batch_max, 7);
    assert_int_equal(m.m.binary, PROV_BINARY_OFF);
    assert_non_null(strstr(m.m.params, "\"scale\":2")); /* a number stays one */
    assert_non_null(strstr(m.m.params, "\"who\":\"me\""));
    assert_non_null(strstr(m.m.params, "\"on\":true"));
    assert_false(m.m.probed);
    prov_model_fini(&m.m);
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(endpoint_model_init(&m, &c, &err), BBT_INVALID);
    prov_model_fini(&m.m);
}

/* Whichever allocation fails: no model, or one whose settings have kept their types. */
static void test_model_nomem(void **state)
{
    struct key_pair pair[] = {{(char *)(uintptr_t) "scale", (char *)(uintptr_t) "2"},
        {(char *)(uintptr_t) "on", (char *)(uintptr_t) "true"}};
    struct conf_model c = {.name = (char *)(uintptr_t) "bert", .parameters = {pair, 2}};
    unsigned long asked;
    long k = 0;

    (void)state;
    do {
        struct endpoint_model m = {0};
        struct bbt_err err = {0};
        enum bbt_rc rc;

        (void)bbt_alloc_fault(k, 0);
        rc = endpoint_model_init(&m, &c, &err);
        asked = bbt_alloc_fault(-1, 0);
        assert_true(rc == BBT_OK || rc == BBT_NOMEM);
        if (rc == BBT_OK)
            assert_non_null(strstr(m.m.params, "\"on\":true,\"scale\":2"));
        prov_model_fini(&m.m);
    } while ((unsigned long)k++ < asked);
    assert_true(k > 5);
}

static void test_find(void **state)
{
    struct bench *b = bench_open((struct world_opts){0});

    (void)state;
    assert_ptr_equal(endpoint_model(&b->ep, "sim"), &b->ep.models[0]);
    assert_null(endpoint_model(&b->ep, "si"));
    bench_close(b);
}

/* Why a request would wait, from least to most. */
static void test_why(void **state)
{
    struct bench *b = bench_open((struct world_opts){.concurrency = 2});
    struct endpoint *e = &b->ep;
    uint64_t now = port_now_us();

    (void)state;
    assert_string_equal(endpoint_why(e, now), "working");
    assert_true(endpoint_wait_us(e, now) == 0);
    e->trouble = "network";
    assert_string_equal(endpoint_why(e, now), "retrying");
    e->gate.breaker.row = 3;
    assert_string_equal(endpoint_why(e, now), "outage");
    e->gate.closed_until = now + 10;
    assert_string_equal(endpoint_why(e, now), "window");
    endpoint_hold(e, 50, false);
    assert_string_equal(endpoint_why(e, now), "rate_limit");
    assert_string_equal(endpoint_why(e, now + 50), "outage");
    assert_true(endpoint_wait_us(e, now) == 50);
    endpoint_hold(e, 60, true);
    assert_string_equal(endpoint_why(e, now + 59), "rate_limit");
    assert_true(endpoint_wait_us(e, now + 59) == 1);
    endpoint_pause(e, ENDPOINT_QUOTA, "no money");
    assert_string_equal(endpoint_why(e, now), "provider_paused");
    endpoint_resume(e); /* ends the pause; a rest of a moment is still kept */
    assert_string_equal(endpoint_why(e, now), "rate_limit");
    endpoint_hold(e, 3600u * UINT64_C(1000000), true);
    endpoint_resume(e); /* and a long one ends */
    assert_string_equal(endpoint_why(e, now + 50), "retrying");
    e->trouble = NULL;
    assert_string_equal(endpoint_why(e, now + 50), "working");
    e->gate.closed_until = 0;
    bench_close(b);
}

/* Away is who waits for a person, rests for long, or has failed for a while: not one who is
 * throttled, and not one whose time to be tried again has come. */
static void test_away(void **state)
{
    struct bench *b = bench_open((struct world_opts){.concurrency = 2});
    struct endpoint *e = &b->ep;
    const uint64_t s = 1000000, start = b->p.w.now_us = 100 * s;

    (void)state;
    assert_false(endpoint_away(e, start));
    endpoint_hold(e, 60 * s, true);
    assert_false(endpoint_away(e, start));
    endpoint_hold(e, 61 * s, false);
    assert_true(endpoint_away(e, start));
    assert_false(endpoint_away(e, start + 2 * s));
    e->gate.hold_until = 0;
    e->gate.closed_until = start + 61 * s;
    assert_true(endpoint_away(e, start));
    e->gate.closed_until = 0;
    endpoint_pause(e, ENDPOINT_USER, "");
    assert_true(endpoint_away(e, start));
    endpoint_resume(e);
    e->gate.breaker.state = BREAKER_OPEN;
    e->gate.breaker.open_until = start + 5 * s;
    assert_true(endpoint_away(e, start));
    assert_false(endpoint_away(e, start + 5 * s));
    e->gate.breaker.state = BREAKER_HALF;
    e->gate.breaker.probing = true; /* its trial must not be cut off */
    assert_false(endpoint_away(e, start + 5 * s));
    e->gate.breaker.probing = false;
    e->gate.breaker.state = BREAKER_CLOSED;
    endpoint_trouble(e, "network", "reset");
    assert_false(endpoint_away(e, start));
    b->p.w.now_us = start + 30 * s;
    endpoint_trouble(e, "network", "reset");
    assert_true(endpoint_away(e, b->p.w.now_us));
    assert_false(endpoint_away(e, b->p.w.now_us + 30 * s));
    endpoint_resume(e);
    assert_false(endpoint_away(e, b->p.w.now_us));
    bench_close(b);
}

struct waiter {
    struct query q;
    struct op op;
};

static enum bbt_rc encode(struct query *q, struct prov_http *ret, struct bbt_err *err)
{
    (void)q;
    (void)err;
    (void)snprintf(ret->method, sizeof ret->method, "GET");
    (void)snprintf(ret->path, sizeof ret->path, "/v2");
    return BBT_OK;
}

static enum bbt_rc decode(struct query *q, const struct prov_reply *r, struct bbt_err *err)
{
    (void)q;
    (void)r;
    (void)err;
    return BBT_OK;
}

static void nothing(struct op *op)
{
    (void)op;
}

static bool all_done(struct world *w, void *arg)
{
    struct waiter *q = arg;

    (void)w;
    for (size_t i = 0; i < 30; i++)
        if (!q[i].q.done)
            return false;
    return true;
}

/* Thirty at once through a lane of two: the checkers watch the wire, counters agree. */
static void test_turns(void **state)
{
    struct bench *b = bench_open((struct world_opts){.concurrency = 2});
    struct waiter *x = calloc(30, sizeof *x);

    (void)state;
    assert_non_null(x);
    checks_free(b->p.c);
    b->p.c = checks_new(&b->p.w, 2);
    b->p.w.faults.net[NET_429_AFTER] = 0.1;
    for (size_t i = 0; i < 30; i++) {
        op_init(&x[i].op, &b->p.w.q, nothing);
        x[i].q = (struct query){.ep = &b->ep, .flow = &b->flow, .encode = encode,
            .decode = decode, .wake = &x[i].op};
        query_init(&x[i].q, &b->p.w.q);
        query_start(&x[i].q);
    }
    world_turn(&b->p.w);
    assert_int_equal(b->p.w.wires, 2);
    assert_string_equal(endpoint_why(&b->ep, port_now_us()), "concurrency");
    assert_true(world_until(&b->p.w, all_done, x, STEPS_MAX));
    assert_int_equal(b->ep.answered, 30);
    assert_int_equal(b->ep.sent, 30 + b->ep.failed);
    for (size_t i = 0; i < 30; i++) {
        query_fini(&x[i].q);
        op_fini(&x[i].op);
    }
    free(x);
    bench_close(b);
}

/* Two endpoints, one limit: together they keep it, at the server's end. */
static void test_shared_limit(void **state)
{
    struct bench *b = bench_open((struct world_opts){.requests_per_minute = 20});
    struct waiter *x = calloc(30, sizeof *x);
    struct endpoint other;
    struct sched_flow flow;
    uint64_t from = b->p.w.now_us;

    (void)state;
    assert_non_null(x);
    checks_limits(b->p.c, 20, 0);
    assert_int_equal(
        endpoint_init(&other, b->p.w.conf->providers.item, &b->ch, NULL, &b->err), BBT_OK);
    other.ill = &b->ill;
    endpoint_flow(&other, &flow, 1);
    for (size_t i = 0; i < 30; i++) {
        op_init(&x[i].op, &b->p.w.q, nothing);
        x[i].q = (struct query){.ep = i % 2 ? &b->ep : &other,
            .flow = i % 2 ? &b->flow : &flow, .encode = encode, .decode = decode,
            .wake = &x[i].op};
        query_init(&x[i].q, &b->p.w.q);
        query_start(&x[i].q);
    }
    assert_true(world_until(&b->p.w, all_done, x, STEPS_MAX));
    assert_int_equal(b->ep.answered, 15);
    assert_int_equal(other.answered, 15);
    assert_true(b->p.w.now_us - from > UINT64_C(60000000));
    for (size_t i = 0; i < 30; i++) {
        query_fini(&x[i].q);
        op_fini(&x[i].op);
    }
    b->ch.endpoints = &b->ep;
    endpoint_fini(&other);
    free(x);
    bench_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_model_nomem),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_why),
        cmocka_unit_test(test_away),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_shared_limit),
    };

    json_use_alloc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
