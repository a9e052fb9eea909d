/* Keys: what is taken for one, and that none of its forms is left in a text. */
#include "base/err.h"
#include "base/secret.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

static const char key[] = "sk-Proj/9aB+Zz==_42";

static struct secret *good(const char *bytes)
{
    struct secret *s = NULL;
    struct bbt_err err = {0};

    assert_int_equal(secret_new("test", bytes, strlen(bytes), &s, &err), BBT_OK);
    return s;
}

static void what_is_a_key(void **state)
{
    static char longest[SECRET_LEN_MAX + 2];
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {{"", 0}, {"short", 5}, {"seven77", 7}, {" \n", 2}, {"two words", 9},
        {"line\r\nX-Evil: 1", 15}, {"nul\0inside", 10}, {"umlaut-\xc3\xa4-", 10},
        {"del-\x7f-del", 9}, {longest, sizeof longest - 1}};
    struct secret *s = NULL;
    struct bbt_err err;

    (void)state;
    memset(longest, 'k', sizeof longest - 1);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(secret_new("place", bad[i].bytes, bad[i].len, &s, &err), BBT_INVALID);
        assert_null(s);
        assert_non_null(strstr(err.msg, "place: "));
        assert_true(bad[i].len == 0 || !strstr(err.msg, bad[i].bytes) || bad[i].bytes[0] == ' ');
    }
    assert_int_equal(secret_new("x", longest, SECRET_LEN_MAX, &s, &err), BBT_OK);
    assert_int_equal(strlen(secret_reveal(s)), SECRET_LEN_MAX);
    secret_free(s);
    s = good(" \t8-bytes!\r\n");
    assert_string_equal(secret_reveal(s), "8-bytes!");
    secret_free(s);
    secret_free(NULL);
}

static void found_in_every_form(void **state)
{
    static const char *const texts[][2] = {
        {"sk-Proj/9aB+Zz==_42", "[key]"},
        {"Bearer sk-Proj/9aB+Zz==_42, please", "Bearer [key], please"},
        {"?key=sk-Proj%2F9aB%2BZz%3D%3D_42&x", "?key=[key]&x"},
        {"?key=sk-Proj%2f9aB%2bZz%3d%3d_42&x", "?key=[key]&x"},
        {"{\"k\":\"sk-Proj\\/9aB+Zz==_42\"}", "{\"k\":\"[key]\"}"},
        {"sk-Proj/9aB+Zz==_42sk-Proj/9aB+Zz==_42", "[key][key]"},
        {"cut short: sk-Proj/9a", "cut short: [key]"},
        {"cut short: sk-Pro", "cut short: [key]"},
        {"not cut: sk-Proj, but more", "not cut: sk-Proj, but more"},
        {"SK-PROJ/9AB+ZZ==_42", "SK-PROJ/9AB+ZZ==_42"},
        {"", ""},
        {"nothing to see", "nothing to see"},
    };
    struct secret *s = good(key), *other = good("another-secret-1");
    char text[128];

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        (void)snprintf(text, sizeof text, "%s", texts[i][0]);
        secret_redact(text);
        assert_string_equal(text, texts[i][1]);
    }
    (void)snprintf(text, sizeof text, "%s and another-secret-1", key);
    secret_redact(text);
    assert_string_equal(text, "[key] and [key]");
    secret_free(s);
    (void)snprintf(text, sizeof text, "%s and another-secret-1", key);
    secret_redact(text); /* the first is not known any more */
    assert_non_null(strstr(text, key));
    assert_null(strstr(text, "another-secret-1"));
    secret_free(other);
}

/* Wherever a text is cut, no more than a word's beginning of the key is left. */
static void no_cut_shows_it(void **state)
{
    struct secret *s = good(key);
    struct bbt_err err;
    char pad[300];

    (void)state;
    for (size_t n = 200; n < 250; n++) {
        memset(pad, '.', n);
        pad[n] = '\0';
        (void)bbt_fail(&err, BBT_INVALID, "%s%s%s", pad, key, pad);
        assert_null(strstr(err.msg, "sk-Pro"));
        assert_int_equal(bbt_fail(&err, BBT_AGAIN, "%s", key), BBT_AGAIN);
        (void)bbt_err_ctx(&err, "%s", pad);
        assert_null(strstr(err.msg, "sk-Pro"));
    }
    secret_free(s);
}

static void without_memory(void **state)
{
    struct secret *s = NULL;
    struct bbt_err err;

    (void)state;
    unit_oom(secret_new("x", key, strlen(key), &s, &err));
    secret_free(s);
    s = good(key); /* the loop above made two */
    secret_free(s);
}

/* The law: whatever stands around it, the key is gone and all else is as it was. */
static void law(void **state)
{
    struct secret *s = good(key);
    char text[400], want[400];

    (void)state;
    srand(7);
    for (int n = 0; n < 20000; n++) {
        size_t at = 0, to = 0;

        for (int parts = rand() % 6; parts > 0; parts--) {
            if (rand() % 3 == 0) {
                at += (size_t)snprintf(text + at, sizeof text - at, "%s", key);
                to += (size_t)snprintf(want + to, sizeof want - to, "[key]");
            }
            for (int k = rand() % 20; k > 0; k--)
                text[at++] = want[to++] = (char)("xyz .-{}"[rand() % 8]);
        }
        text[at] = want[to] = '\0';
        secret_redact(text);
        assert_string_equal(text, want);
    }
    secret_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_a_key),
        cmocka_unit_test(found_in_every_form),
        cmocka_unit_test(no_cut_shows_it),
        cmocka_unit_test(without_memory),
        cmocka_unit_test(law),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
