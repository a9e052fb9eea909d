/* The table of commands. */
#include "cmd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct cmd *find(const char *one, const char *two, int *words, const char **near)
{
    char a[32], b[32];
    char *argv[2] = {a, b};

    strncpy(a, one, sizeof a - 1);
    a[sizeof a - 1] = '\0';
    strncpy(b, two ? two : "", sizeof b - 1);
    b[sizeof b - 1] = '\0';
    return cmd_find(two ? 2 : 1, argv, words, near);
}

static void finds(void **state)
{
    static const struct {
        const char *one, *two, *name;
        int words;
    } row[] = {
        {"list", NULL, "list", 1},
        {"ls", "state:failed", "list", 1},
        {"submit", "list", "submit", 1},
        {"provider", NULL, "provider list", 1},
        {"provider", "list", "provider list", 2},
        {"provider", "test", "provider test", 2},
        {"server", "status", "server status", 2},
        {"server", NULL, "server status", 1},
    };
    const char *near;
    int words;

    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        const struct cmd *k = find(row[i].one, row[i].two, &words, &near);

        assert_non_null(k);
        assert_string_equal(k->name, row[i].name);
        assert_int_equal(words, row[i].words);
        assert_non_null(k->run);
    }
}

static void suggests(void **state)
{
    static const struct {
        const char *one, *two, *near;
    } row[] = {
        {"sumbit", NULL, "submit"},
        {"cancle", "3", "cancel"},
        {"provider", "tset", "provider test"},
        {"zebra", NULL, NULL},
    };
    const char *near;
    int words;

    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        assert_null(find(row[i].one, row[i].two, &words, &near));
        if (row[i].near)
            assert_string_equal(near, row[i].near);
        else
            assert_null(near);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds), cmocka_unit_test(suggests)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
