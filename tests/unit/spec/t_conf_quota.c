/* Limits, breaker and hours of a provider, as the configuration says them. */
#include "form.h"

#include "spec/conf.h"
#include "spec/conf_quota.h"

static const char text[] =
    "quotas:\n"
    "  - {name: org, requests_per_minute: 300, tokens_per_minute: 2M, concurrency: 16,\n"
    "     adaptive: false, headroom: 2.5%, honour_headers: false}\n"
    "  - {name: bare}\n"
    "providers:\n"
    "  - name: a\n"
    "    url: http://a\n"
    "    quota: org\n"
    "    breaker: {window: 20s, min_requests: 4, failure_ratio: 25%, open_for: 5s, open_cap: 1m}\n"
    "    maintenance: [{days: [sun], hours: \"02:00-04:00\", zone: UTC}]\n"
    "    windows: [\"22:00-08:00\", {days: [sat, sun]}]\n"
    "    models: [{name: m, tokenizer: t}]\n"
    "  - {name: b, url: 'http://b', models: [{name: m, tokenizer: t}]}\n";

static struct conf *read_conf(const char *yaml, struct spec_problems *p)
{
    struct conf *c = NULL;
    struct bbt_err err;
    json_t *tree = form_tree(yaml);

    enum bbt_rc rc = conf_parse(tree, &c, p, &err);

    json_decref(tree);
    return rc == BBT_OK ? c : NULL;
}

static void values_and_defaults(void **state)
{
    struct spec_problems problems;
    struct conf *c;
    const struct conf_quota *q;
    const struct conf_provider *a, *b;
    const struct spec_window *w;

    (void)state;
    problem_init(&problems);
    c = read_conf(text, &problems);
    assert_non_null(c);
    q = conf_quota(c, "org");
    assert_int_equal(q->requests_per_minute, 300);
    assert_int_equal(q->tokens_per_minute, 2000000);
    assert_int_equal(q->concurrency, 16);
    assert_false(q->adaptive);
    assert_false(q->honour_headers);
    assert_true(q->headroom == 0.025);
    q = conf_quota(c, "bare");
    assert_true(q->requests_per_minute == 0 && q->tokens_per_minute == 0);
    assert_true(q->adaptive && q->honour_headers && q->headroom == 0.01);
    assert_null(conf_quota(c, "orgs"));
    a = conf_provider(c, "a");
    b = conf_provider(c, "b");
    assert_string_equal(a->quota, "org");
    assert_null(b->quota);
    assert_int_equal(a->breaker.window_us, 20000000);
    assert_int_equal(a->breaker.min_requests, 4);
    assert_true(a->breaker.failure_ratio == 0.25);
    assert_int_equal(a->breaker.open_us, 5000000);
    assert_int_equal(a->breaker.open_cap_us, 60000000);
    assert_int_equal(b->breaker.open_us, 30000000);
    assert_int_equal(b->breaker.open_cap_us, 900000000);
    assert_int_equal(a->maintenance.nr, 1);
    w = a->windows.item;
    assert_int_equal(a->windows.nr, 2);
    assert_int_equal(w[0].week.hours.from_min, 1320);
    assert_int_equal(w[0].week.hours.to_min, 480);
    assert_int_equal(w[1].week.days, 0x60);
    conf_free(c);
    problem_fini(&problems);
}

static void reads_back(void **state)
{
    struct spec_problems problems;
    struct conf *c, *again = NULL;
    struct bbt_err err;
    json_t *first, *second;

    (void)state;
    problem_init(&problems);
    c = read_conf(text, &problems);
    first = conf_print(c);
    assert_int_equal(conf_parse(first, &again, &problems, &err), BBT_OK);
    second = conf_print(again);
    assert_true(json_equal(first, second));
    json_decref(first);
    json_decref(second);
    conf_free(c);
    conf_free(again);
    problem_fini(&problems);
}

static void mistakes(void **state)
{
    static const struct {
        const char *yaml, *says;
    } wrong[] = {
        {"quotas: [{name: x}, {name: x}]", "a second quota"},
        {"providers: [{name: a, url: 'http://a', quota: y, models: [{name: m, tokenizer: t}]}]",
            "there is no quota \"y\""},
        {"quotas: [{requests_per_minute: 5}]", "\"name\" is missing"},
        {"quotas: [{name: x, requests_per_minute: 0}]", "requests_per_minute"},
        {"quotas: [{name: x, headroom: 60%}]", "headroom"},
        {"providers: [{name: a, url: 'http://a', windows: [nights], models: [{name: m, "
         "tokenizer: t}]}]",
            "providers[0].windows[0].hours: must be hours, not the text \"nights\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct spec_problems problems;

        problem_init(&problems);
        assert_null(read_conf(wrong[i].yaml, &problems));
        assert_int_equal(problems.nr, 1);
        assert_non_null(strstr(problems.item[0].message, wrong[i].says));
        problem_fini(&problems);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_defaults),
        cmocka_unit_test(reads_back),
        cmocka_unit_test(mistakes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
