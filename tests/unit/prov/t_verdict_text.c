/* The server's words out of every known error body, harmless to a terminal. */
#include "base/alloc.h"
#include "prov/verdict.h"
#include "unit.h"

#include <stdio.h>

struct row {
    const char *body, *text, *code;
};

static const struct row table[] = {
    {"{\"error\":{\"message\":\"m\",\"type\":\"t\",\"param\":null,\"code\":\"c\"}}", "m", "c"},
    {"{\"error\":{\"message\":\"m\",\"type\":\"t\",\"code\":404}}", "m", "t"},
    {"{\"error\":{\"message\":\"m\",\"type\":\"t\",\"code\":\"429\"}}", "m", "t"},
    {"{\"error\":\"text\"}", "text", ""},
    {"{\"error\":\"text\",\"error_type\":\"overloaded\"}", "text", "overloaded"},
    {"{\"object\":\"error\",\"message\":\"m\",\"type\":\"T\",\"code\":400}", "m", "T"},
    {"{\"detail\":\"Not Found\"}", "Not Found", ""},
    {"{\"detail\":[{\"loc\":[\"body\",\"inputs\",0],\"msg\":\"field required\","
     "\"type\":\"missing\"}]}", "body.inputs.0: field required", ""},
    {"{\"detail\":[{\"loc\":[\"body\",\"inputs\"],\"msg\":\"field required\"}]}",
        "body.inputs: field required", ""},
    {"{\"detail\":{\"reason\":\"r\"}}", "r", ""},
    {"{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}", "m",
        "overloaded_error"},
    {"{\"type\":\"https://x/quota\",\"title\":\"Quota\",\"status\":429,\"detail\":\"used up\"}",
        "Quota: used up", "https://x/quota"},
    {"{\"title\":\"Only a title\"}", "Only a title", ""},
    {"{\"errors\":[{\"code\":\"E1\",\"message\":\"first\"},{\"message\":\"second\"}]}", "first",
        "E1"},
    {"{\"errors\":[\"plain\"]}", "plain", ""},
    {"{\"message\":\"gateway says\"}", "gateway says", ""},
    {"\"just a text\"", "just a text", ""},
    {"<!DOCTYPE html><html><head><title>502 Bad\n Gateway</title></head><body><h1>x</h1>",
        "502 Bad Gateway", ""},
    {"  <html><body><h1>Nope</h1><p>try&nbsp;later</p>", "Nope try&nbsp;later", ""},
    {"<html><title></title><b>bold</b>", "bold", ""},
    {"<html", "", ""},
    {"upstream connect error", "upstream connect error", ""},
    {"", "", ""},
    {" \r\n ", "", ""},
    /* JSON without words: better the whole than nothing. */
    {"{\"a\":1}", "{\"a\":1}", ""},
    {"{\"error\":{}}", "{\"error\":{}}", ""},
    {"{\"error\":\"cut", "{\"error\":\"cut", ""},
    {"{\"error\":\"a\\u0007\\u001b[2Jb\\nc\"}", "a [2Jb c", ""},
    {"{\"error\":\"a\\u202egpj.exe \\u200bx\\u0085y\"}", "agpj.exe x y", ""},
};

static void every_shape(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const struct row *t = &table[i];
        size_t len = strlen(t->body);
        char *copy = bbt_alloc(len), out[VERDICT_TEXT_MAX], code[64];

        memcpy(copy, t->body, len);
        verdict_error_text(copy, len, out, sizeof out, code, sizeof code);
        if (strcmp(out, t->text) || strcmp(code, t->code))
            fail_msg("%s gives \"%s\", code \"%s\"", t->body, out, code);
        bbt_free(copy);
    }
}

static void long_texts_are_cut_between_characters(void **state)
{
    char body[8192], out[VERDICT_TEXT_MAX];
    size_t n = (size_t)snprintf(body, sizeof body, "{\"error\":\"x");

    (void)state;
    while (n < 8000) /* euro signs, three bytes each */
        n += (size_t)snprintf(body + n, sizeof body - n, "\xe2\x82\xac");
    n += (size_t)snprintf(body + n, sizeof body - n, "\"}");
    verdict_error_text(body, n, out, sizeof out, NULL, 0);
    assert_int_equal(strlen(out), 1 + 3 * ((VERDICT_TEXT_MAX - 2) / 3));
    assert_string_equal(out + strlen(out) - 3, "\xe2\x82\xac");
    verdict_error_text(body, n, out, 1, NULL, 0);
    assert_string_equal(out, "");
    verdict_error_text(body, n, out, 3, NULL, 0);
    assert_string_equal(out, "x");
}

/* A megabyte of HTML or of open brackets costs little and says something or nothing. */
static void huge_bodies(void **state)
{
    size_t len = 1u << 20;
    char *body = bbt_alloc(len), out[256], code[16];

    (void)state;
    memset(body, '[', len);
    verdict_error_text(body, len, out, sizeof out, code, sizeof code);
    assert_int_equal(strlen(out), 255);
    memset(body, '<', len);
    verdict_error_text(body, len, out, sizeof out, code, sizeof code);
    assert_string_equal(out, "");
    bbt_free(body);
}

static void cleaning(void **state)
{
    static const struct {
        const char *in, *out;
    } t[] = {
        {"  a \t\r\n b  ", "a b"},
        {"\x80\xff", "??"},
        {"a\xc0\xaf" "b", "a??b"},              /* overlong */
        {"\xed\xa0\x80", "???"},                /* surrogate */
        {"\xf4\x90\x80\x80", "????"},           /* beyond Unicode */
        {"\xe2\x82", "??"},                     /* cut */
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
        {"\x7f\xc2\x9b" "x", "x"},
        {"\xef\xbb\xbfx", "x"},
    };
    char out[64];

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        verdict_clean(t[i].in, strlen(t[i].in), out, sizeof out);
        assert_string_equal(out, t[i].out);
    }
    verdict_clean("a\0b", 3, out, sizeof out);
    assert_string_equal(out, "a b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shape),
        cmocka_unit_test(long_texts_are_cut_between_characters),
        cmocka_unit_test(huge_bodies),
        cmocka_unit_test(cleaning),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
