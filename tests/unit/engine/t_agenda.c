/* Hours of a provider, and of a job, against moments worked out by hand. */
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

static enum bbt_rc init(
    struct agenda *a, const struct conf *c, const char *zone, struct bbt_err *err)
{
    const struct conf_provider *p = c->providers.item;

    return agenda_init(a, &p->maintenance, &p->windows, zone, err);
}

static void open_agenda(struct agenda *a, const char *hours, const char *zone)
{
    struct conf *c = conf_of(hours);
    struct bbt_err err = {0};

    assert_int_equal(init(a, c, zone, &err), BBT_OK);
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
    assert_int_equal(init(&a, c, NULL, &err), BBT_NOTFOUND);
    agenda_fini(&a);
    conf_free(c);
    open_agenda(&a, "\"maintenance\":[{}]", NULL); /* always */
    assert_true(agenda_closed_us(&a, MONDAY) == AGENDA_NEVER);
    agenda_fini(&a);
    memset(&a, 0, sizeof a);
    assert_true(agenda_closed_us(&a, MONDAY) == 0);
    agenda_fini(&a);
}

/* Until when it stays open, with what ends it: the window, or maintenance. */
static void stays_open(void **state)
{
    struct agenda a;

    (void)state;
    open_agenda(&a,
        "\"windows\":[\"22:00-02:00\",\"02:00-08:00\"],\"maintenance\":[\"23:00-23:30\"]",
        NULL);
    assert_true(agenda_open_us(&a, MONDAY + 22 * H) == 1 * H);
    assert_true(agenda_open_us(&a, MONDAY + 47 * H / 2) == 17 * H / 2); /* over midnight */
    assert_true(agenda_open_us(&a, MONDAY + 8 * H - 1000000) == 1000000);
    agenda_fini(&a);
    open_agenda(&a, "\"windows\":[{}]", NULL); /* always */
    assert_true(agenda_open_us(&a, MONDAY) == AGENDA_NEVER);
    agenda_fini(&a);
    memset(&a, 0, sizeof a);
    assert_true(agenda_open_us(&a, MONDAY) == AGENDA_NEVER);
}

/* The night in which clocks go back is an hour longer, the other an hour shorter; a stretch
 * that clocks skip is none. Berlin: 2026-10-25 and 2027-03-28. */
static void summer_time(void **state)
{
    const int64_t saturday = MONDAY + 33 * 24 * H, spring = saturday + 154 * 24 * H;
    struct agenda a;

    (void)state;
    open_agenda(&a, "\"windows\":[\"22:00-08:00\"]", "Europe/Berlin");
    assert_true(agenda_open_us(&a, saturday + 20 * H) == 11 * H); /* 22:00 summer time */
    assert_true(agenda_closed_us(&a, saturday + 31 * H) == 14 * H);
    assert_true(agenda_open_us(&a, spring + 21 * H) == 9 * H);
    agenda_fini(&a);
    open_agenda(&a, "\"windows\":[\"02:10-02:50\"]", "Europe/Berlin");
    assert_true(agenda_closed_us(&a, spring + 12 * H) == (36 * H + H / 6)); /* on Monday */
    agenda_fini(&a);
}

static bool meet(const char *one, const char *two)
{
    struct agenda a, b;
    bool ret;

    open_agenda(&a, one, NULL);
    open_agenda(&b, two, "America/New_York");
    ret = agenda_meets(&a, &b, MONDAY);
    assert_true(agenda_meets(&b, &a, MONDAY) == ret);
    agenda_fini(&a);
    agenda_fini(&b);
    return ret;
}

static void two_agendas(void **state)
{
    const char *night = "\"windows\":[\"22:00-08:00\"]";

    (void)state;
    assert_true(meet(night, night)); /* 22:00 in New York is 02:00 */
    assert_true(meet(night, "\"windows\":[\"03:59-18:00\"]"));
    assert_false(meet(night, "\"windows\":[\"04:00-18:00\"]"));
    assert_false(meet(night, "\"maintenance\":[\"18:00-04:00\"]"));
    assert_true(meet(night, "\"windows\":[{\"days\":[\"sun\"],\"hours\":\"18:00-18:01\"}]"));
    assert_false(meet("\"windows\":[{\"days\":[\"sat\"]}]",
        "\"windows\":[{\"days\":[\"wed\"]}]"));
    assert_true(meet("\"maintenance\":[]", "\"windows\":[\"12:00-12:01\"]"));
    assert_false(meet("\"maintenance\":[{}]", "\"maintenance\":[]"));
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
        cmocka_unit_test(stays_open),
        cmocka_unit_test(summer_time),
        cmocka_unit_test(two_agendas),
        cmocka_unit_test(a_request_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
