/* Money: what is written is what is counted, to the nano-dollar. */
#include "base/money.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

static void reads_decimals(void **state)
{
    static const struct {
        const char *text;
        uint64_t nano;
    } good[] = {{"0", 0}, {"4", 4000000000u}, {"4.00", 4000000000u}, {"0.10", 100000000u},
        {".5", 500000000u}, {"5.", 5000000000u}, {"0.000000001", 1}, {"1.000000001", 1000000001u},
        {"0.0000000010", 1}, {"1000000000", MONEY_MAX}};
    static const char *const bad[] = {"", ".", "-1", "+1", "1e3", "0.0000000001", "1,5", " 1",
        "1 ", "1.2.3", "1000000000.000000001", "99999999999999999999", "nan", "0x10"};
    uint64_t v = 77;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(money_parse(good[i].text, &v));
        assert_int_equal(v, good[i].nano);
    }
    v = 77;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(money_parse(bad[i], &v));
    assert_int_equal(v, 77);
}

/* Against strtod, which is how YAML's and JSON's readers come to their number: whatever decimal
 * of up to nine places is written, the double gives back just that. */
static void a_double_gives_back_the_decimal(void **state)
{
    uint64_t seed = 12345, v;
    char text[64];

    (void)state;
    for (int i = 0; i < 200000; i++) {
        uint64_t nano;

        seed = seed * 6364136223846793005u + 1442695040888963407u;
        nano = (seed >> 20) % (UINT64_C(1) << (seed % 49)); /* up to 15 digits */
        if (nano > UINT64_C(999999999999999))
            nano %= UINT64_C(1000000000000000);
        (void)snprintf(text, sizeof text, "%llu.%09llu",
            (unsigned long long)(nano / MONEY_UNIT), (unsigned long long)(nano % MONEY_UNIT));
        assert_true(money_real(strtod(text, NULL), &v));
        assert_int_equal(v, nano);
    }
}

static void refuses_what_no_decimal_says(void **state)
{
    static const double bad[] = {-1, -0.01, 1e10, 1.0 / 3, 0.1 + 0.2, 1e-10, 1e300};
    uint64_t v = 77;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(money_real(bad[i], &v));
    assert_false(money_real(strtod("nan", NULL), &v));
    assert_false(money_real(strtod("inf", NULL), &v));
    assert_int_equal(v, 77);
    assert_true(money_real(0.1, &v));
    assert_int_equal(v, 100000000u);
    assert_true(money_real(1e9, &v));
    assert_int_equal(v, MONEY_MAX);
}

static void prints_what_it_reads(void **state)
{
    static const char *const same[] = {"0.00", "2.12", "0.0052", "40.00", "1.000000001",
        "0.10", "1000000000.00"};
    uint64_t v;
    char out[MONEY_TEXT];

    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        assert_true(money_parse(same[i], &v));
        money_print(v, out);
        assert_string_equal(out, same[i]);
    }
    money_print(UINT64_MAX, out); /* fits */
    assert_int_equal(money_add(UINT64_MAX - 5, 3), UINT64_MAX - 2);
    assert_int_equal(money_add(UINT64_MAX - 5, 9), UINT64_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_decimals),
        cmocka_unit_test(a_double_gives_back_the_decimal),
        cmocka_unit_test(refuses_what_no_decimal_says),
        cmocka_unit_test(prints_what_it_reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
