/* Selectors against a list of jobs. */
#include "sel.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static json_t *jobs(void)
{
    static const struct {
        const char *name, *state, *reason, *tag;
    } row[] = {
        {"sst2", "completed", "budget", "paper"}, /* 1 */
        {"sst2", "failed", "data", "paper"},      /* 2 */
        {"night-3", "running", "working", "x"},   /* 3 */
        {"17", "queued", "slots", "paper"},       /* 4: called like an id */
        {"two words", "paused", "auth", "x"},     /* 5 */
        {"a,b", "cancelled", "user", "x"},        /* 6 */
    };
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++)
        assert_int_equal(0,
            json_array_append_new(list,
                json_pack("{s:i, s:s, s:s, s:s, s:[s]}", "id", (int)i + 1, "name",
                    row[i].name, "state", row[i].state, "reason", row[i].reason, "tags",
                    row[i].tag)));
    return list;
}

/* The ids that `words` (apart by '|') mean, as "1 2 3"; "?" where it is no selector. */
static const char *ids(const char *words)
{
    static char out[64];
    const char *word[8];
    char copy[128];
    size_t n = 0, at = 0;
    struct sel *s = NULL;
    struct bbt_err err = {0};
    json_t *all = jobs(), *got;

    (void)snprintf(copy, sizeof copy, "%s", words);
    for (char *p = copy, *next; p && *words; p = next) {
        next = strchr(p, '|');
        if (next)
            *next++ = '\0';
        word[n++] = p;
    }
    out[0] = '\0';
    if (sel_parse(word, n, &s, &err) != BBT_OK) {
        assert_true(err.msg[0] != '\0');
        json_decref(all);
        return "?";
    }
    got = sel_apply(s, all);
    for (size_t i = 0; i < json_array_size(got); i++)
        at += (size_t)snprintf(out + at, sizeof out - at, "%s%lld", i ? " " : "",
            json_get_int(json_array_get(got, i), "id", 0));
    json_decref(got);
    json_decref(all);
    sel_free(s);
    return out;
}

static void means(void **state)
{
    static const struct {
        const char *words, *ids;
    } row[] = {
        {"", "1 2 3 4 5 6"},
        {"3", "3"},
        {"1,3", "1 3"},
        {"2..4", "2 3 4"},
        {"2..4,6", "2 3 4 6"},
        {"17", ""}, /* an id, not the job that is called so */
        {"name:17", "4"},
        {"sst2", "1 2"},
        {"sst", ""},
        {"night-3,sst2", "1 2 3"},
        {"@last", "6"},
        {"!@last", "1 2 3 4 5"},
        {"state:failed", "2"},
        {"state:failed,cancelled", "2 6"},
        {"!state:failed,cancelled", "1 3 4 5"},
        {"reason:auth", "5"},
        {"tag:paper", "1 2 4"},
        {"tag:paper|!sst2", "4"},
        {"tag:paper !sst2", "4"},
        {"sst2|state:completed", "1"},
        {"1|2", ""}, /* no job is both */
        {"1..3  !2", "1 3"},
        {"99", ""},
        {"0", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++)
        assert_string_equal(ids(row[i].words), row[i].ids);
}

static void refuses(void **state)
{
    static const char *const bad[] = {"state:fialed", "4..2", "1,,2", ",", "!", "state:",
        "@mine", "sst2,", " ", "||"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_string_equal(ids(bad[i]), "?");
}

/* What the commands ask before they fetch. */
static void shape(void **state)
{
    static const struct {
        const char *word;
        bool is_ids, tagged;
        long long single;
    } row[] = {
        {"17", true, false, 17},
        {"17,18", true, false, 0},
        {"17..17", true, false, 17},
        {"17..18", true, false, 0},
        {"!17", true, false, 0},
        {"sst2", false, false, 0},
        {"tag:x", false, true, 0},
        {"9223372036854775807", true, false, INT64_MAX},
        {"92233720368547758070", false, false, 0}, /* no id: a name */
    };

    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct sel *s = NULL;

        assert_int_equal(sel_parse(&row[i].word, 1, &s, NULL), BBT_OK);
        assert_int_equal(sel_is_ids(s), row[i].is_ids);
        assert_int_equal(sel_is_tagged(s), row[i].tagged);
        assert_int_equal(sel_single(s), row[i].single);
        sel_free(s);
    }
}

static void no_memory(void **state)
{
    const char *word = "1..3 state:failed";
    bool done = false;

    (void)state;
    for (long n = 0; !done && n < 50; n++) {
        struct sel *s = NULL;
        enum bbt_rc rc;

        bbt_alloc_fault(n, 1);
        rc = sel_parse(&word, 1, &s, NULL);
        bbt_alloc_fault(-1, 0);
        done = rc == BBT_OK;
        assert_true(done || rc == BBT_NOMEM);
        assert_int_equal(done, s != NULL);
        sel_free(s);
    }
    assert_true(done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means),
        cmocka_unit_test(refuses),
        cmocka_unit_test(shape),
        cmocka_unit_test(no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
