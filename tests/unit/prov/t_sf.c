/* Structured fields, by the grammar of RFC 8941. */
#include "prov/sf.h"
#include "unit.h"

#include <stdio.h>

/* Prints what is read: "s:name{q=i:100}|", or "!" where the field is broken. */
static void put(char *out, size_t room, const char *fmt, size_t len, const char *s, int64_t n)
{
    size_t at = strlen(out);

    if (s)
        (void)snprintf(out + at, room - at, fmt, (int)len, s);
    else
        (void)snprintf(out + at, room - at, fmt, (long long)n);
}

static void show(const struct sf_value *v, char *out, size_t room)
{
    static const char *const text[] = {
        [SF_STRING] = "s:%.*s", [SF_TOKEN] = "t:%.*s", [SF_BYTES] = "b:%.*s"};

    if (v->type == SF_STRING || v->type == SF_TOKEN || v->type == SF_BYTES)
        put(out, room, text[v->type], v->len, v->text, 0);
    else
        put(out, room, v->type == SF_INTEGER ? "i:%lld" : v->type == SF_DECIMAL ? "d:%lld"
                                                                                 : "?%lld",
            0, NULL, v->n);
}

static void show_all(const char *field, char *out, size_t room)
{
    struct sf_member m;
    enum sf_step step;

    out[0] = '\0';
    while ((step = sf_next(&field, &m)) == SF_MEMBER) {
        if (m.key.key_len)
            put(out, room, "%.*s=", m.key.key_len, m.key.key, 0);
        show(&m.value, out, room);
        for (size_t i = 0; i < m.params; i++) {
            put(out, room, ";%.*s=", m.param[i].key_len, m.param[i].key, 0);
            show(&m.param[i].value, out, room);
        }
        put(out, room, "|", 0, "", 0);
    }
    if (step == SF_BROKEN)
        (void)snprintf(out, room, "!");
}

static void fields(void **state)
{
    static const struct {
        const char *field, *read;
    } t[] = {
        {"", ""},
        {"  ", ""},
        {"\"default\";r=50;t=30", "s:default;r=i:50;t=i:30|"},
        {"\"a\";q=100;w=60;qu=\"requests\";pk=:aGk=:,\t\"b\";q=5",
            "s:a;q=i:100;w=i:60;qu=s:requests;pk=b:aGk=|s:b;q=i:5|"},
        {"100, 100;w=60 ", "i:100|i:100;w=i:60|"},
        {"limit=100, remaining=50, reset=5", "limit=i:100|remaining=i:50|reset=i:5|"},
        {"limit=100;x, a=?0", "limit=i:100;x=?1|a=?0|"},
        {"token;  a;b=*t/x:y", "t:token;a=?1;b=t:*t/x:y|"},
        {"-15, 2.5, -0", "i:-15|d:2|i:0|"},
        {"\"q\\\"\\\\\"", "s:q\\\"\\\\|"},
        {"999999999999999", "i:999999999999999|"},
        {"::", "b:|"},
        {"a;x=1;x=2", "t:a;x=i:1;x=i:2|"},
        {"1,", "!"},
        {",1", "!"},
        {"1 2", "!"},
        {"1;", "!"},
        {"1; =2", "!"},
        {"1;A=2", "!"},
        {"1;a=", "!"},
        {"1 ;a", "!"},
        {"a=", "!"},
        {"\"open", "!"},
        {"\"bad\\x\"", "!"},
        {"\"tab\t\"", "!"},
        {"\"\xc3\xa4\"", "!"},
        {":aGk", "!"},
        {":a k=:", "!"},
        {"?2", "!"},
        {"?", "!"},
        {"-", "!"},
        {"1.", "!"},
        {"1.2345", "!"},
        {"1000000000000000", "!"},
        {"1000000000000.5", "!"},
        {"(1 2)", "!"},
        {"@1", "!"},
        {"a;b;c;d;e;f;g;h;i", "t:a;b=?1;c=?1;d=?1;e=?1;f=?1;g=?1;h=?1;i=?1|"},
        {"a;b;c;d;e;f;g;h;i;j", "!"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char out[300];

        show_all(t[i].field, out, sizeof out);
        if (strcmp(out, t[i].read))
            fail_msg("%s gives %s", t[i].field, out);
    }
}

static void parameters(void **state)
{
    const char *field = "\"x\";ab=1;a=2;a=3";
    struct sf_member m;

    (void)state;
    assert_int_equal(sf_next(&field, &m), SF_MEMBER);
    assert_int_equal(sf_param(&m, "a")->n, 3);
    assert_int_equal(sf_param(&m, "ab")->n, 1);
    assert_null(sf_param(&m, "b"));
    assert_null(sf_param(&m, ""));
    assert_int_equal(sf_next(&field, &m), SF_END);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields),
        cmocka_unit_test(parameters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
