/* The retry policy, outcome by outcome. */
#include "prov/verdict.h"
#include "unit.h"

#include <strings.h>

#define NOW_US INT64_C(1763800000000000)

struct reply_header {
    const char *name, *value; /* one header; NULL name: none */
};

static const char *header_of(const void *arg, const char *name)
{
    const struct reply_header *h = arg;

    return h->name && !strcasecmp(h->name, name) ? h->value : NULL;
}

struct row {
    int status;
    const char *header, *value, *body;
    enum verdict_class class;
    const char *outcome;
    uint64_t hint_us;
    unsigned tries_max;
    bool hold, throttled;
    const char *text;
};

#define ANSWERED VERDICT_ANSWERED
#define RETRY VERDICT_RETRY
#define REFUSED VERDICT_REFUSED

static const struct row table[] = {
    {200, NULL, NULL, "{}", ANSWERED, "ok", 0, 0, false, false, ""},
    {204, NULL, NULL, "", ANSWERED, "ok", 0, 0, false, false, ""},
    {100, NULL, NULL, "", REFUSED, "client_error", 0, 0, false, false, "answered 100"},
    {302, "Location", "http://b/", "", REFUSED, "client_error", 0, 0, false, false,
        "points to http://b/"},
    {400, NULL, NULL, "{\"error\":\"bad shape\"}", REFUSED, "client_error", 0, 0, false, false,
        "the server answered 400: bad shape"},
    {400, NULL, NULL, "{\"error\":{\"message\":\"Your credit balance is too low\"}}",
        VERDICT_PAUSE_QUOTA, "quota", 0, 0, true, false, "credit balance"},
    {401, NULL, NULL, "", VERDICT_PAUSE_AUTH, "auth", 0, 0, true, false, "without a reason"},
    {402, NULL, NULL, "", VERDICT_PAUSE_QUOTA, "quota", 0, 0, true, false, "402"},
    {403, NULL, NULL, "", VERDICT_PAUSE_AUTH, "auth", 0, 0, true, false, "403"},
    {407, NULL, NULL, "", VERDICT_PAUSE_AUTH, "auth", 0, 0, true, false, "407"},
    {404, NULL, NULL, "", REFUSED, "client_error", 0, 0, false, false, "404"},
    {405, NULL, NULL, "", REFUSED, "client_error", 0, 0, false, false, "405"},
    {408, NULL, NULL, "", RETRY, "timeout", 0, 0, false, false, "408"},
    {409, NULL, NULL, "", RETRY, "server_error", 0, 0, false, false, "409"},
    {413, NULL, NULL, "", VERDICT_SHRINK, "client_error", 0, 0, false, false, "413"},
    {415, NULL, NULL, "", REFUSED, "client_error", 0, 0, false, false, "415"},
    {422, NULL, NULL, "{\"detail\":[{\"loc\":[\"body\",\"ids\"],\"msg\":\"too long\"}]}",
        REFUSED, "client_error", 0, 0, false, false, "body.ids: too long"},
    {424, NULL, NULL, "", RETRY, "server_error", 0, 3, false, false, "424"},
    {425, NULL, NULL, "", RETRY, "server_error", 1000000, 2, false, false, "425"},
    {429, NULL, NULL, "", RETRY, "rate_limited", 0, 0, true, true, "429"},
    {429, "Retry-After", "7", "", RETRY, "rate_limited", 7000000, 0, true, true, "429"},
    {429, "retry-after-ms", "250", "", RETRY, "rate_limited", 250000, 0, true, true, "429"},
    {429, "Retry-After", "600", "", RETRY, "rate_limited", 600000000, 0, true, true, "429"},
    {429, "Retry-After", "601", "", VERDICT_PAUSE_WAIT, "rate_limited", 601000000, 0, true,
        true, "429"},
    {429, "Retry-After", "soon", "", RETRY, "rate_limited", 0, 0, true, true, "429"},
    {429, NULL, NULL, "{\"error\":{\"message\":\"m\",\"code\":\"insufficient_quota\"}}",
        VERDICT_PAUSE_QUOTA, "quota", 0, 0, true, false, "429: m"},
    {429, NULL, NULL, "{\"error\":{\"message\":\"m\",\"type\":\"tokens\",\"code\":"
                      "\"rate_limit_exceeded\"}}",
        RETRY, "rate_limited", 0, 0, true, true, "429: m"},
    {429, NULL, NULL, "{\"type\":\"quota-exceeded\",\"title\":\"t\",\"detail\":\"d\"}", RETRY,
        "rate_limited", 0, 0, true, true, "429: t: d"},
    {429, NULL, NULL, "{\"error\":{\"message\":\"Please try again in 46.72s.\",\"code\":"
                      "\"rate_limit_exceeded\"}}",
        RETRY, "rate_limited", 46720000, 0, true, true, "46.72s"},
    {429, "Retry-After", "2", "{\"error\":\"try again in 46.72s\"}", RETRY, "rate_limited",
        2000000, 0, true, true, "46.72s"},
    {429, NULL, NULL, "{\"error\":{\"message\":\"try again in 2 hours\"}}", VERDICT_PAUSE_WAIT,
        "rate_limited", UINT64_C(7200000000), 0, true, true, "2 hours"},
    {500, NULL, NULL, "try again in 5s", RETRY, "server_error", 0, 3, false, false, "500"},
    {500, NULL, NULL, "", RETRY, "server_error", 0, 3, false, false, "500"},
    {500, "Retry-After", "1", "", RETRY, "server_error", 1000000, 3, true, false, "500"},
    {501, NULL, NULL, "", REFUSED, "client_error", 0, 0, false, false, "501"},
    {502, NULL, NULL, "<html><head><title>502 Bad Gateway</title></head></html>", RETRY,
        "server_error", 0, 0, false, false, "502: 502 Bad Gateway"},
    {502, "Retry-After", "3", "", RETRY, "server_error", 3000000, 0, true, false, "502"},
    {503, NULL, NULL, "", RETRY, "server_error", 0, 0, true, true, "503"},
    {503, NULL, NULL, "{\"type\":\"temporary-reduced-capacity\",\"title\":\"t\","
                      "\"detail\":\"retry in 3 seconds\"}",
        RETRY, "server_error", 3000000, 0, true, true, "503: t: retry in 3 seconds"},
    {503, "Retry-After", "0.5", "", RETRY, "server_error", 500000, 0, true, true, "503"},
    {504, NULL, NULL, "", RETRY, "timeout", 0, 0, false, false, "504"},
    {505, NULL, NULL, "", REFUSED, "client_error", 0, 0, false, false, "505"},
    {520, NULL, NULL, "", RETRY, "server_error", 0, 3, false, false, "520"},
    {521, NULL, NULL, "", RETRY, "server_error", 0, 0, false, false, "521"},
    {522, NULL, NULL, "", RETRY, "timeout", 0, 0, false, false, "522"},
    {523, NULL, NULL, "", RETRY, "server_error", 0, 0, false, false, "523"},
    {524, NULL, NULL, "", RETRY, "timeout", 0, 0, false, false, "524"},
    {529, NULL, NULL, "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
                      "\"message\":\"Overloaded\"}}",
        RETRY, "server_error", 0, 0, true, true, "529: Overloaded"},
    {529, "retry-after", "1.5", "", RETRY, "server_error", 1500000, 0, true, true, "529"},
    {529, NULL, NULL, "", RETRY, "server_error", 0, 0, true, true, "529"},
    {600, NULL, NULL, "", REFUSED, "client_error", 0, 0, false, false, "600"},
    {429, "x-should-retry", "false", "", REFUSED, "rate_limited", 0, 0, true, true, "429"},
    {409, "x-should-retry", "false", "", REFUSED, "server_error", 0, 0, false, false, "409"},
    {404, "x-should-retry", "maybe", "", REFUSED, "client_error", 0, 0, false, false, "404"},
    {400, "x-should-retry", "true", "", RETRY, "client_error", 0, 0, false, false, "400"},
    {503, "x-should-retry", "false", "", REFUSED, "server_error", 0, 0, true, true, "503"},
    {401, "x-should-retry", "true", "", VERDICT_PAUSE_AUTH, "auth", 0, 0, true, false, "401"},
};

static void every_status(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const struct row *t = &table[i];
        struct reply_header h = {t->header, t->value};
        struct prov_reply r = {.status = t->status, .header = header_of, .arg = &h,
            .body = (const uint8_t *)t->body, .len = strlen(t->body)};
        struct verdict v;

        verdict_of(BBT_OK, NULL, &r, NOW_US, &v);
        if (v.class != t->class || strcmp(v.outcome, t->outcome) || v.hint_us != t->hint_us ||
            v.tries_max != t->tries_max || v.hold != t->hold || v.throttled != t->throttled ||
            !strstr(v.text, t->text) || (!t->text[0] && v.text[0]))
            fail_msg("row %zu, status %d: class %d %s hint %llu tries %u hold %d "
                     "throttled %d: %s", i, t->status, (int)v.class, v.outcome,
                (unsigned long long)v.hint_us, v.tries_max, v.hold, v.throttled, v.text);
    }
}

/* What providers write where an account, not a rate, is at its end, and what only looks so. */
static void money_or_pace(void **state)
{
    static const struct {
        int status;
        const char *body;
        bool money;
    } t[] = {
        {429, "{\"error\":{\"message\":\"You exceeded your current quota, please check your plan "
              "and billing details.\",\"type\":\"insufficient_quota\",\"param\":null,\"code\":"
              "\"insufficient_quota\"}}", true},
        {429, "{\"error\":{\"message\":\"m\",\"type\":\"insufficient_quota\",\"code\":\"429\"}}",
            true},
        {429, "{\"error\":{\"message\":\"m\",\"type\":\"insufficient_quota\",\"code\":null}}",
            true},
        {429, "{\"error\":{\"code\":\"credit_balance_exhausted\",\"message\":\"m\"}}", true},
        {429, "{\"error\":{\"code\":\"organization_spend_limit_exceeded\",\"message\":\"m\"}}",
            true},
        {429, "{\"error\":{\"type\":\"exceeded_current_quota_error\",\"message\":\"m\"}}", true},
        {400, "{\"error\":{\"code\":\"billing_hard_limit_reached\",\"message\":\"m\"}}", true},
        {403, "{\"type\":\"error\",\"error\":{\"type\":\"billing_error\",\"message\":\"m\"}}",
            true},
        {400, "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":"
              "\"Your credit balance is too low to access the API.\"}}", true},
        {403, "{\"code\":\"x\",\"error\":\"Your team has either used all available credits or "
              "reached its monthly spending limit.\"}", true},
        {402, "{\"error\":{\"message\":\"Insufficient Balance\",\"type\":\"unknown_error\"}}",
            true},
        /* Of a minute's, by the same words. */
        {429, "{\"error\":{\"code\":429,\"message\":\"You exceeded your current quota, please "
              "check your plan and billing details. Please retry in 37s.\",\"status\":"
              "\"RESOURCE_EXHAUSTED\"}}", false},
        {429, "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"m\"}}",
            false},
        {429, "{\"error\":\"m\",\"error_type\":\"dynamic_request_limited\"}", false},
        {429, "{\"error\":\"m\",\"error_type\":\"dynamic_token_limited\"}", false},
        {429, "{\"type\":\"https://iana.org/assignments/http-problem-types#quota-exceeded\","
              "\"title\":\"t\",\"violated-policies\":[\"burst\"]}", false},
        {429, "{\"error\":{\"code\":\"load_balancer_busy\",\"message\":\"m\"}}", false},
        {429, "Too Many Requests", false},
        {429, "", false},
        {500, "{\"error\":{\"code\":\"insufficient_quota\",\"message\":\"m\"}}", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct prov_reply r = {.status = t[i].status, .body = (const uint8_t *)t[i].body,
            .len = strlen(t[i].body)};
        struct verdict v;

        verdict_of(BBT_OK, NULL, &r, NOW_US, &v);
        if ((v.class == VERDICT_PAUSE_QUOTA) != t[i].money || (!t[i].money && v.class != RETRY))
            fail_msg("row %zu: class %d", i, (int)v.class);
        if (t[i].money)
            assert_true(v.hold && !v.throttled && v.hint_us == 0);
    }
}

/* Permanent whatever the headers say, of a status nobody listed as well. */
static void the_rest_is_ours(void **state)
{
    (void)state;
    for (int status = 300; status < 500; status++) {
        static const int special[] = {401, 402, 403, 407, 408, 409, 413, 424, 425, 429};
        struct prov_reply r = {.status = status};
        struct verdict v;
        bool listed = false;

        for (size_t i = 0; i < sizeof special / sizeof special[0]; i++)
            listed |= special[i] == status;
        verdict_of(BBT_OK, NULL, &r, NOW_US, &v);
        assert_true(listed || v.class == REFUSED);
    }
}

static void no_whole_response(void **state)
{
    static const struct {
        enum bbt_rc rc;
        enum verdict_class class;
        const char *outcome;
        unsigned tries_max;
    } t[] = {
        {BBT_AGAIN, VERDICT_RETRY, "network", 0},
        {BBT_NOMEM, VERDICT_RETRY, "network", 0},
        {BBT_INVALID, VERDICT_RETRY, "bad_response", 2},
        {BBT_CORRUPT, VERDICT_RETRY, "bad_response", 2},
        {BBT_CANCELED, VERDICT_CANCELED, "canceled", 0},
    };
    struct bbt_err why = {.msg = "connection\x1b[31m refused"};
    struct verdict v;

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        verdict_of(t[i].rc, &why, NULL, NOW_US, &v);
        assert_int_equal(v.class, t[i].class);
        assert_string_equal(v.outcome, t[i].outcome);
        assert_int_equal(v.tries_max, t[i].tries_max);
        assert_string_equal(v.text, "connection [31m refused");
    }
    verdict_of(BBT_AGAIN, NULL, NULL, NOW_US, &v);
    assert_string_equal(v.text, "no answer");
}

static void answers_that_cannot_be_read(void **state)
{
    struct bbt_err why = {.rc = BBT_CORRUPT, .msg = "response: half"};
    struct verdict v;

    (void)state;
    verdict_of_decode(&why, &v);
    assert_int_equal(v.class, VERDICT_RETRY);
    assert_int_equal(v.tries_max, 2);
    assert_string_equal(v.outcome, "bad_response");
    assert_string_equal(v.text, "response: half");
    why.rc = BBT_INVALID;
    verdict_of_decode(&why, &v);
    assert_int_equal(v.class, VERDICT_REFUSED);
    why.rc = BBT_NOMEM;
    verdict_of_decode(&why, &v);
    assert_int_equal(v.class, VERDICT_RETRY);
    assert_int_equal(v.tries_max, 0);
    why.rc = BBT_AGAIN; /* start-up: the model is still loading */
    verdict_of_decode(&why, &v);
    assert_int_equal(v.class, VERDICT_RETRY);
    assert_int_equal(v.tries_max, 0);
    why.rc = BBT_DENIED;
    verdict_of_decode(&why, &v);
    assert_int_equal(v.class, VERDICT_PAUSE_AUTH);
    assert_string_equal(v.outcome, "auth");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status),
        cmocka_unit_test(money_or_pace),
        cmocka_unit_test(the_rest_is_ours),
        cmocka_unit_test(no_whole_response),
        cmocka_unit_test(answers_that_cannot_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
