/* "Did you mean": likely slips are found, unlike words are not. */
#include "base/hint.h"
#include "unit.h"

static const char *const words[] = {"requests", "tokens", "usd", "wall_time", "on_limit",
    "evaluations", "generations", "x"};
#define WORDS (sizeof words / sizeof *words)

static void finds_slips(void **state)
{
    static const char *const slips[][2] = {{"usdd", "usd"}, {"udsd", "usd"},
        {"reqests", "requests"}, {"tokesn", "tokens"}, {"walltime", "wall_time"},
        {"evaluation", "evaluations"}, {"evalautoins", "evaluations"},
        {"genrations", "generations"}, {"usd", "usd"}};

    (void)state;
    for (size_t i = 0; i < sizeof slips / sizeof *slips; i++) {
        const char *got = hint_nearest(slips[i][0], words, WORDS);

        assert_non_null(got);
        assert_string_equal(got, slips[i][1]);
    }
}

static void keeps_quiet(void **state)
{
    char longest[200];

    (void)state;
    assert_null(hint_nearest("provider", words, WORDS));
    assert_null(hint_nearest("zz", words, WORDS));
    assert_null(hint_nearest("", words, WORDS));
    assert_null(hint_nearest("usd", words, 0));
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_null(hint_nearest(longest, words, WORDS));
    assert_null(hint_nearest("aaaaaa", (const char *const[]){longest}, 1));
}

static void longest_words_fit(void **state)
{
    char typed[49], word[49];
    const char *const list[] = {word};

    (void)state;
    memset(typed, 'q', 48);
    typed[48] = '\0';
    memcpy(word, typed, sizeof word);
    word[47] = 'x';
    assert_string_equal(hint_nearest(typed, list, 1), word);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_slips),
        cmocka_unit_test(keeps_quiet),
        cmocka_unit_test(longest_words_fit),
    };

    return cmocka_run_group_tests_name("hint", tests, NULL, NULL);
}
