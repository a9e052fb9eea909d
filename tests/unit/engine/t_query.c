#include "bench.h"

#include "engine/query.h"

/* A query that gets /v2 and wants JSON back. */
struct asker {
    struct query q;
    struct bench *b;
    struct op op;
    unsigned ends, encoded, gates, ungates;
    bool refuse; /* encode fails */
    enum bbt_rc gate_rc;
};

static enum bbt_rc encode(struct query *q, struct prov_http *ret, struct bbt_err *err)
{
    struct asker *a = bbt_container(q, struct asker, q);

    a->encoded++;
    if (a->refuse)
        return bbt_fail(err, BBT_INVALID, "cannot be asked");
    prov_http_fini(ret);
    (void)snprintf(ret->method, sizeof ret->method, "GET");
    (void)snprintf(ret->path, sizeof ret->path, "/v2");
    return BBT_OK;
}

static enum bbt_rc decode(struct query *q, const struct prov_reply *r, struct bbt_err *err)
{
    json_t *v = NULL;
    enum bbt_rc rc = json_parse(r->body, r->len, "reply", &v, err);

    (void)q;
    json_decref(v);
    return rc == BBT_OK ? rc : bbt_fail(err, BBT_CORRUPT, "not JSON");
}

static void gate(struct port_call *p, struct port_db *db)
{
    struct asker *a = bbt_container(p, struct asker, q.keep.call);

    assert_non_null(db);
    a->gates++;
    p->rc = a->gate_rc == BBT_OK ? BBT_OK : bbt_fail(&p->err, a->gate_rc, "no gate");
}

static void ungate(struct port_call *p, struct port_db *db)
{
    (void)db;
    bbt_container(p, struct asker, q.keep.call)->ungates++;
}

static void asker_step(struct op *op)
{
    struct asker *a = bbt_container(op, struct asker, op);

    assert_true(a->q.done);
    a->ends++;
}

static void asker_init(struct asker *a, struct bench *b, bool gated)
{
    *a = (struct asker){.b = b};
    op_init(&a->op, &b->p.w.q, asker_step);
    a->q = (struct query){.ep = &b->ep, .flow = &b->flow, .encode = encode, .decode = decode,
        .gate = gated ? gate : NULL, .ungate = gated ? ungate : NULL, .wake = &a->op};
    query_init(&a->q, &b->p.w.q);
}

static void asker_run(struct asker *a)
{
    query_start(&a->q);
    bench_until(a->b, &a->q.done);
    world_turn(&a->b->p.w);
    assert_int_equal(a->ends, 1);
}

static void asker_fini(struct asker *a)
{
    query_fini(&a->q);
    op_fini(&a->op);
}

/* ---- every class of answer ---- */

#define FATES(...) (const enum world_net[]){__VA_ARGS__}

static const struct {
    const char *name;
    enum world_net fate[4];
    size_t n;
    enum bbt_rc rc;
    const char *reason;
    unsigned tries;
    uint64_t at_least_us;
} classes[] = {
    {"good", {NET_GOOD}, 1, BBT_OK, NULL, 1, 0},
    {"throttled once", {NET_429, NET_GOOD}, 2, BBT_OK, NULL, 2, 250000},
    {"told to wait", {NET_429_AFTER, NET_GOOD}, 2, BBT_OK, NULL, 2, 1000000},
    {"busy", {NET_503_AFTER, NET_GOOD}, 2, BBT_OK, NULL, 2, 1000000},
    {"reset", {NET_RESET, NET_LOST, NET_GOOD}, 3, BBT_OK, NULL, 3, 700000},
    {"no answer in time", {NET_HANG, NET_GOOD}, 2, BBT_OK, NULL, 2, 20000000},
    {"garbage once", {NET_HTML, NET_GOOD}, 2, BBT_OK, NULL, 2, 0},
    {"half once", {NET_HALF, NET_GOOD}, 2, BBT_OK, NULL, 2, 0},
    {"garbage twice", {NET_HTML, NET_HALF}, 2, BBT_AGAIN, "provider", 2, 0},
    {"too large twice", {NET_OVER, NET_OVER}, 2, BBT_AGAIN, "provider", 2, 0},
    {"broken server", {NET_500, NET_500, NET_500}, 3, BBT_AGAIN, "provider", 3, 0},
    {"credential", {NET_401}, 1, BBT_DENIED, "auth", 1, 0},
    {"money", {NET_402}, 1, BBT_INVALID, "quota", 1, 0},
    {"too large", {NET_413}, 1, BBT_INVALID, "provider", 1, 0},
    {"an hour's wait", {NET_LONG}, 1, BBT_INVALID, "provider", 1, 0},
};

static void test_classes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        struct bench *b = bench_open((struct world_opts){.seed = i + 1});
        uint64_t from = b->p.w.now_us;
        struct asker a;

        b->p.w.script = classes[i].fate;
        b->p.w.script_n = classes[i].n;
        asker_init(&a, b, false);
        asker_run(&a);
        if (a.q.rc != classes[i].rc || a.q.tries != classes[i].tries)
            print_error("%s: %d after %u tries\n", classes[i].name, a.q.rc, a.q.tries);
        assert_int_equal(a.q.rc, classes[i].rc);
        assert_int_equal(a.q.tries, classes[i].tries);
        assert_int_equal(a.q.failures, classes[i].tries - (classes[i].rc == BBT_OK));
        assert_true(b->p.w.now_us - from >= classes[i].at_least_us);
        if (classes[i].reason)
            assert_string_equal(a.q.reason, classes[i].reason);
        else
            assert_null(a.q.reason);
        if (a.q.rc != BBT_OK)
            assert_non_null(strstr(a.q.err.msg, "fake"));
        asker_fini(&a);
        bench_close(b);
    }
}

/* Smaller requests help where there is something to be made smaller; else people must. */
static void test_too_large(void **state)
{
    static const enum world_net fate[] = {NET_413};

    (void)state;
    for (size_t rows = 0; rows < 3; rows++)
        for (int limit = 0; limit < 2; limit++) {
            struct bench *b = bench_open(
                (struct world_opts){.tokens_per_minute = limit ? 100 : 0});
            struct asker a;

            b->p.w.script = fate;
            b->p.w.script_n = 1;
            asker_init(&a, b, false);
            a.q.rows = rows;
            a.q.item.cost = limit ? 101 : 1;
            asker_run(&a);
            assert_int_equal(a.q.rc, BBT_INVALID);
            assert_string_equal(a.q.reason, "provider");
            assert_int_equal(a.q.tries, !limit);
            assert_int_equal(a.q.shrink, rows > 1);
            assert_non_null(strstr(a.q.err.msg, limit ? "101 tokens" : "413"));
            assert_int_equal(strstr(a.q.err.msg, "shorten the texts") != NULL, rows < 2);
            asker_fini(&a);
            bench_close(b);
        }
}

/* What one outcome allows is not used up by other outcomes before it. */
static void test_mixed_failures(void **state)
{
    static const enum world_net fates[] = {NET_429, NET_429, NET_RESET, NET_429, NET_500,
        NET_RESET, NET_HTML, NET_GOOD};
    struct bench *b = bench_open((struct world_opts){0});
    struct asker a;

    (void)state;
    b->p.w.script = fates;
    b->p.w.script_n = 8;
    asker_init(&a, b, false);
    asker_run(&a);
    assert_int_equal(a.q.rc, BBT_OK);
    assert_int_equal(a.q.tries, 8);
    asker_fini(&a);
    bench_close(b);
}

static void test_gives_up_by_time(void **state)
{
    struct bench *b = bench_open((struct world_opts){.give_up = "60s"});
    uint64_t from = b->p.w.now_us;
    struct asker a;

    (void)state;
    b->p.w.faults.net[NET_RESET] = 1;
    asker_init(&a, b, false);
    asker_run(&a);
    assert_int_equal(a.q.rc, BBT_AGAIN);
    assert_string_equal(a.q.reason, "provider");
    assert_true(b->p.w.now_us - from > 60000000 && b->p.w.now_us - from < 120000000);
    assert_true(a.q.tries > 4);
    asker_fini(&a);
    bench_close(b);
}

static void test_refused_before_sending(void **state)
{
    struct bench *b = bench_open((struct world_opts){0});
    struct asker a;

    (void)state;
    asker_init(&a, b, false);
    a.refuse = true;
    asker_run(&a);
    assert_int_equal(a.q.rc, BBT_INVALID);
    assert_int_equal(a.q.tries, 0);
    assert_int_equal(b->ep.sent, 0);
    asker_fini(&a);
    bench_close(b);
}

/* ---- the gate ---- */

static void test_gate(void **state)
{
    static const enum world_net fates[] = {NET_RESET, NET_GOOD};
    struct bench *b = bench_open((struct world_opts){0});
    struct asker a;

    (void)state;
    b->p.w.script = fates;
    b->p.w.script_n = 2;
    asker_init(&a, b, true);
    asker_run(&a);
    assert_int_equal(a.q.rc, BBT_OK);
    assert_int_equal(a.gates, 1); /* a retry is behind it already */
    asker_fini(&a);
    asker_init(&a, b, true);
    a.gate_rc = BBT_NOTFOUND;
    asker_run(&a);
    assert_int_equal(a.q.rc, BBT_NOTFOUND);
    assert_int_equal(a.q.tries, 0);
    asker_fini(&a);
    bench_close(b);
}

static void test_gate_waits_for_the_disk(void **state)
{
    struct bench *b = bench_open((struct world_opts){0});
    struct asker a;

    (void)state;
    b->p.w.faults.full_from = 0;
    b->p.w.faults.full_until = b->p.w.now_us + 5500000;
    asker_init(&a, b, true);
    asker_run(&a);
    assert_int_equal(a.q.rc, BBT_OK);
    assert_true(a.gates >= 5);
    assert_int_equal(a.q.tries, 1);
    assert_true(b->p.w.now_us > b->p.w.faults.full_until);
    assert_false(b->ill.ill);
    asker_fini(&a);
    bench_close(b);
}

/* The time of its flow ends while the mark is written: it does not leave, until there is more. */
static void test_gate_over_time(void **state)
{
    struct bench *b = bench_open((struct world_opts){0});
    struct asker a;

    (void)state;
    for (int more = 0; more < 2; more++) {
        asker_init(&a, b, true);
        query_start(&a.q);
        world_turn(&b->p.w);
        assert_string_equal(query_state_name(a.q.state), "gate");
        b->flow.until = b->p.w.now_us + 1;
        while (a.q.state == QUERY_GATE)
            assert_true(world_step(&b->p.w));
        assert_string_equal(query_state_name(a.q.state), "queued");
        assert_int_equal(a.gates, 1);
        assert_int_equal(b->p.w.wires, 0);
        if (more) {
            b->flow.until = 0;
            channel_kick(&b->ch);
            bench_until(b, &a.q.done);
            assert_int_equal(a.q.rc, BBT_OK);
            assert_int_equal(a.gates, 1);
        } else {
            query_drop(&a.q);
            bench_until(b, &a.q.done);
            assert_int_equal(a.q.rc, BBT_CANCELED);
            assert_int_equal(a.ungates, 1);
        }
        world_turn(&b->p.w);
        b->flow.until = 0;
        asker_fini(&a);
    }
    bench_close(b);
}

/* ---- drop and abort, in every state ---- */

static bool in_state(struct world *w, void *arg)
{
    struct asker *a = arg;

    (void)w;
    return a->q.state == QUERY_SENT;
}

static void end_now(struct asker *a, bool hard)
{
    if (hard)
        query_abort(&a->q);
    else
        query_drop(&a->q);
    bench_until(a->b, &a->q.done);
    world_turn(&a->b->p.w);
    assert_int_equal(a->ends, 1);
}

static void test_dropped_before(void **state)
{
    struct bench *b = bench_open((struct world_opts){0});
    struct asker a;

    (void)state;
    for (int hard = 0; hard < 2; hard++) {
        asker_init(&a, b, true); /* queued */
        query_start(&a.q);
        assert_string_equal(query_state_name(a.q.state), "queued");
        end_now(&a, hard);
        assert_int_equal(a.q.rc, BBT_CANCELED);
        assert_int_equal(a.gates, 0);
        asker_fini(&a);
        asker_init(&a, b, true); /* at the gate: the mark is taken back */
        query_start(&a.q);
        world_turn(&b->p.w);
        assert_string_equal(query_state_name(a.q.state), "gate");
        end_now(&a, hard);
        assert_int_equal(a.q.rc, BBT_CANCELED);
        assert_int_equal(a.gates, 1);
        assert_int_equal(a.ungates, 1);
        assert_int_equal(a.q.tries, 0);
        asker_fini(&a);
    }
    bench_close(b);
}

static void test_dropped_on_the_wire(void **state)
{
    static const enum world_net reset[] = {NET_RESET};
    struct bench *b = bench_open((struct world_opts){0});
    struct asker a;

    (void)state;
    for (int hard = 0; hard < 2; hard++) {
        asker_init(&a, b, true);
        query_start(&a.q);
        assert_true(world_until(&b->p.w, in_state, &a, 100));
        end_now(&a, hard);
        assert_int_equal(a.q.rc, hard ? BBT_CANCELED : BBT_OK); /* paid for: taken */
        asker_fini(&a);
    }
    b->p.w.script = reset; /* comes back as a failure: not asked again */
    b->p.w.script_n = 1;
    asker_init(&a, b, false);
    query_start(&a.q);
    assert_true(world_until(&b->p.w, in_state, &a, 100));
    end_now(&a, false);
    assert_int_equal(a.q.rc, BBT_CANCELED);
    assert_int_equal(a.q.tries, 1);
    asker_fini(&a);
    bench_close(b);
}

static void test_dropped_while_resting(void **state)
{
    static const enum world_net slow[] = {NET_429_AFTER};
    struct bench *b = bench_open((struct world_opts){0});
    struct asker a;

    (void)state;
    b->p.w.script = slow;
    b->p.w.script_n = 1;
    asker_init(&a, b, false);
    query_start(&a.q);
    while (a.q.failures == 0)
        assert_true(world_step(&b->p.w));
    assert_int_equal(a.q.state, QUERY_QUEUED);
    assert_string_equal(endpoint_why(&b->ep, port_now_us()), "rate_limit");
    end_now(&a, false);
    assert_int_equal(a.q.rc, BBT_CANCELED);
    asker_fini(&a);
    bench_close(b);
}

/* ---- many at once ---- */

#define CROWD 40

static void shake(struct bench *b, struct asker *crowd)
{
    size_t n = 0;
    bool stuck;

    for (size_t i = 0; i < CROWD; i++) {
        asker_init(&crowd[i], b, world_draw(&b->p.w, 2));
        query_start(&crowd[i].q);
    }
    while (n < CROWD) {
        struct asker *a = &crowd[world_draw(&b->p.w, CROWD)];

        if (b->ep.wall && world_draw(&b->p.w, 4) == 0)
            endpoint_resume(&b->ep);
        if (world_draw(&b->p.w, 12) == 0 && !a->q.done)
            (world_draw(&b->p.w, 2) ? query_drop : query_abort)(&a->q);
        stuck = !world_step(&b->p.w);
        for (n = 0; n < CROWD && crowd[n].q.done; n++)
            ;
        assert_true(!stuck || n == CROWD);
    }
    world_turn(&b->p.w);
    for (size_t i = 0; i < CROWD; i++) {
        assert_int_equal(crowd[i].ends, 1);
        asker_fini(&crowd[i]);
    }
    assert_int_equal(b->ch.lane.inflight, 0);
    place_good(&b->p);
}

static void test_interleavings(void **state)
{
    static const double trouble[NET_KINDS] = {[NET_429] = .03, [NET_429_AFTER] = .03,
        [NET_500] = .05, [NET_503_AFTER] = .02, [NET_RESET] = .05, [NET_LOST] = .03,
        [NET_HALF] = .03, [NET_HTML] = .03, [NET_HANG] = .03, [NET_OVER] = .02,
        [NET_401] = .003, [NET_402] = .003, [NET_LONG] = .01};
    struct bench *b = bench_open((struct world_opts){.concurrency = 5});
    struct asker *crowd = calloc(CROWD, sizeof *crowd);

    (void)state;
    assert_non_null(crowd);
    memcpy(b->p.w.faults.net, trouble, sizeof trouble);
    b->p.w.faults.commit = 0.05;
    for (int i = 0; i < 20000 / CROWD; i++)
        shake(b, crowd);
    assert_true(b->ep.answered > 2000 && b->ep.failed > 1000);
    free(crowd);
    bench_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_mixed_failures),
        cmocka_unit_test(test_gives_up_by_time),
        cmocka_unit_test(test_refused_before_sending),
        cmocka_unit_test(test_gate),
        cmocka_unit_test(test_gate_waits_for_the_disk),
        cmocka_unit_test(test_gate_over_time),
        cmocka_unit_test(test_dropped_before),
        cmocka_unit_test(test_dropped_on_the_wire),
        cmocka_unit_test(test_dropped_while_resting),
        cmocka_unit_test(test_interleavings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
