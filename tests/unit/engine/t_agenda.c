/* A provider's hours against moments worked out by hand. */
#include "bench.h"

#include "engine/agenda.h"
#include "engine/query.h"

#define H INT64_C(3600000000)
#define MONDAY INT64_C(1789948800000000) /* 2026-09-21 00:00 UTC */

static struct conf *conf_of(const char *hours)
{
    struct spec_problems problems;
    struct bbt_err err = {0};
    struct conf *c = NULL;
    char text[400];
    json_t *tree = NULL;

    (void)snprintf(text, sizeof text,
        "{\"providers\":[{\"name\":\"a\",\"url\":\"http://a\",%s,"
        "\"models\":[{\"name\":\"m\",\"tokenizer\":\"t\"}]}]}",
        hours);
    problem_init(&problems);
    assert_int_equal(json_parse(text, strlen(text), "conf", &tree, &err), BBT_OK);
    if (conf_parse(tree, &c, &problems, &err) != BBT_OK)
        print_error("%s\n", err.msg);
    assert_non_null(c);
    json_decref(tree);
    problem_fini(&problems);
    return c;
}

static void open_agenda(struct agenda *a, const char *hours, const char *zone)
{
    struct conf *c = conf_of(hours);
    struct bbt_err err = {0};

    assert_int_equal(agenda_init(a, c->providers.item, zone, &err), BBT_OK);
    conf_free(c);
}

static void maintenance(void **state)
{
    struct agenda a;

    (void)state;
    open_agenda(&a, "\"maintenance\":[{\"hours\":\"22:00-02:00\"}]", NULL);
    assert_true(agenda_closed_us(&a, MONDAY + 12 * H) == 0);
    assert_true(agenda_closed_us(&a, MONDAY + 22 * H) == 4 * H);
    assert_true(agenda_closed_us(&a, MONDAY + 25 * H) == 1 * H);
    assert_true(agenda_closed_us(&a, MONDAY + 26 * H) == 0);
    agenda_fini(&a);
}

/* Only at night, but not while the server is looked after; the zone is two hours ahead. */
static void windows(void **state)
{
    struct agenda a;

    (void)state;
    open_agenda(&a,
        "\"windows\":[{\"hours\":\"22:00-08:00\"}],"
        "\"maintenance\":[{\"hours\":\"20:00-21:30\",\"zone\":\"UTC\"}]",
        "Europe/Berlin");
    assert_true(agenda_closed_us(&a, MONDAY + 5 * H) == 0);       /* 07:00 in Berlin */
    assert_true(agenda_closed_us(&a, MONDAY + 6 * H) == 31 * H / 2); /* and 21:30 UTC opens it */
    assert_true(agenda_closed_us(&a, MONDAY + 21 * H) == H / 2);
    assert_true(agenda_closed_us(&a, MONDAY + 22 * H) == 0);
    agenda_fini(&a);
}

static void never(void **state)
{
    struct agenda a;
    struct conf *c = conf_of("\"maintenance\":[{\"zone\":\"Nowhere/Land\"}]");
    struct bbt_err err = {0};

    (void)state;
    assert_int_equal(agenda_init(&a, c->providers.item, NULL, &err), BBT_NOTFOUND);
    agenda_fini(&a);
    conf_free(c);
    open_agenda(&a, "\"maintenance\":[{}]", NULL); /* always */
    assert_true(agenda_closed_us(&a, MONDAY) == AGENDA_NEVER);
    agenda_fini(&a);
    memset(&a, 0, sizeof a);
    assert_true(agenda_closed_us(&a, MONDAY) == 0);
    agenda_fini(&a);
}

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

/* The world's clock shows 14:13:21 at its start. */
static void a_request_waits(void **state)
{
    struct bench *b = bench_open((struct world_opts){0});
    struct query q = {.ep = &b->ep, .flow = &b->flow, .encode = encode, .decode = decode,
        .wake = &b->seen};
    int64_t opens = MONDAY + 15 * H;

    (void)state;
    open_agenda(&b->ep.agenda, "\"windows\":[{\"hours\":\"15:00-16:00\"}]", NULL);
    assert_true(port_wall_us() > MONDAY + 14 * H && port_wall_us() < opens);
    query_init(&q, &b->p.w.q);
    query_start(&q);
    world_turn(&b->p.w);
    assert_string_equal(endpoint_why(&b->ep, port_now_us()), "window");
    assert_true((int64_t)endpoint_wait_us(&b->ep, port_now_us()) == opens - port_wall_us());
    bench_until(b, &q.done);
    assert_int_equal(q.rc, BBT_OK);
    assert_true(port_wall_us() >= opens && port_wall_us() < opens + H);
    query_fini(&q);
    bench_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maintenance),
        cmocka_unit_test(windows),
        cmocka_unit_test(never),
        cmocka_unit_test(a_request_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
