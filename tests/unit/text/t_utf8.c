/* UTF-8 against a decoder written from the definition, and the standard's own examples. */
#include "textunit.h"

#include "text/utf8.h"

static void every_code_point_comes_back(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
        const uint8_t *next;
        uint8_t bytes[4];
        size_t n;
        int valid;

        if (cp >= 0xD800 && cp < 0xE000)
            continue;
        n = utf8_put(cp, bytes);
        assert_int_equal(utf8_next(bytes, bytes + n, &next, &valid), cp);
        assert_true(valid && next == bytes + n);
        for (size_t cut = 1; cut < n; cut++) { /* a cut-off sequence is one bad part */
            assert_int_equal(utf8_next(bytes, bytes + cut, &next, &valid), 0xFFFD);
            assert_true(!valid && next == bytes + cut);
        }
    }
}

/* Table 3-8 and its neighbours of the Unicode standard (version 14, section 3.9). */
static void broken_bytes_give_one_replacement_per_maximal_part(void **state)
{
    static const struct {
        const char *bytes;
        uint32_t cp[16];
    } examples[] = {
        {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41",
            {0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 0x41}},
        {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41",
            {0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 0x41}},
        {"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42",
            {0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 0x41, 0xFFFD, 0xFFFD, 0x42}},
        {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", {0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 0x41}},
    };
    (void)state;

    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        const uint8_t *at = (const uint8_t *)examples[i].bytes;
        const uint8_t *end = at + strlen(examples[i].bytes);
        size_t n = 0;

        for (; at < end; n++)
            assert_int_equal(utf8_next(at, end, &at, NULL), examples[i].cp[n]);
        assert_int_equal(examples[i].cp[n], 0);
    }
}

static void first_bad_byte_is_found(void **state)
{
    (void)state;
    assert_int_equal(utf8_first_bad(NULL, 0), 0);
    assert_int_equal(utf8_first_bad("gr\xC3\xBC\xC3\x9F", 6), 6);
    assert_int_equal(utf8_first_bad("gr\xC3\xBC\xFFx", 6), 4);
    assert_int_equal(utf8_first_bad("a\0b\x80", 4), 3);
    assert_int_equal(utf8_first_bad("abc\xE2\x82", 5), 3);
}

static void a_cut_never_halves_a_character(void **state)
{
    const char *text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z";
    size_t len = strlen(text);

    (void)state;
    for (size_t max = 0; max <= len + 2; max++) {
        size_t cut = utf8_cut(text, len, max);

        assert_true(cut <= max && cut <= len);
        assert_int_equal(utf8_first_bad(text, cut), cut);
        assert_true(cut + 4 > max || cut == len); /* no more than one character is lost */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_comes_back),
        cmocka_unit_test(broken_bytes_give_one_replacement_per_maximal_part),
        cmocka_unit_test(first_bad_byte_is_found),
        cmocka_unit_test(a_cut_never_halves_a_character),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
