/* The Unicode questions, all code points against Python's tables (by digest). */
#include "textunit.h"

#include "base/buf.h"
#include "base/digest.h"
#include "text/uni.h"
#include "text/unitab.h"

static void put_list(struct bbt_buf *b, const uint32_t *cp, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_int_equal(buf_printf(b, "%s%X", i ? " " : "", cp[i]), BBT_OK);
}

static void every_code_point_is_as_python_says(void **state)
{
    char want[DIGEST_HEX] = "", got[DIGEST_HEX];
    uint8_t digest[DIGEST_LEN];
    struct bbt_buf b;
    FILE *f;

    (void)state;
    buf_init(&b, 64u << 20);
    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
        enum uni_class class = uni_class(cp);
        int mark = class == UNI_MARK || class == UNI_MARK_START;
        uint32_t out[UNI_BARE_MAX];
        size_t n;

        assert_int_equal(
            buf_printf(&b, "%X %d %d ", cp, (int)class, uni_white(cp)), BBT_OK);
        n = uni_lower(cp, out);
        put_list(&b, out, n);
        assert_int_equal(buf_puts(&b, " / "), BBT_OK);
        n = uni_bare(cp, out);
        assert_true(n <= UNI_BARE_MAX);
        put_list(&b, out, mark ? 0 : n); /* marks are dropped unasked */
        assert_int_equal(buf_printf(&b, " %u\n", uni_combining(cp)), BBT_OK);
    }
    assert_int_equal(digest_sha256(b.data, b.len, digest), BBT_OK);
    digest_hex(digest, got);
    buf_fini(&b);
    f = fopen(golden_path("uni.txt"), "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%64s", want), 1);
    (void)fclose(f);
    assert_string_equal(got, want);
}

static void beyond_the_last_code_point_nothing_is_read(void **state)
{
    uint32_t out[UNI_BARE_MAX];

    (void)state;
    assert_int_equal(uni_class(0x110000), UNI_CONTROL);
    assert_int_equal(uni_class(0xFFFFFFF), UNI_CONTROL);
    assert_int_equal(uni_lower(UINT32_MAX, out), 1);
    assert_int_equal(uni_bare(UINT32_MAX, out), 1);
    assert_false(uni_cased(UINT32_MAX) || uni_cjk(UINT32_MAX));
}

static void sigma_neighbours(void **state)
{
    (void)state;
    assert_true(uni_cased('a') && uni_cased('Z') && uni_cased(0x3B1));
    assert_false(uni_cased('1') || uni_cased('.') || uni_cased(0x5D0));
    assert_true(uni_ignorable('\'') && uni_ignorable('.') && uni_ignorable(0x301));
    assert_false(uni_ignorable('a') || uni_ignorable(' ') || uni_ignorable('-'));
}

static void the_version_is_told(void **state)
{
    unsigned major = 0;

    (void)state;
    assert_ptr_equal(uni_version(), unitab_version);
    assert_int_equal(sscanf(uni_version(), "%u.", &major), 1);
    assert_true(major >= 14);
}

static void cjk_blocks_end_where_berts_do(void **state)
{
    static const uint32_t ends[][2] = {{0x3400, 0x4DBF}, {0x4E00, 0x9FFF}, {0xF900, 0xFAFF},
        {0x20000, 0x2A6DF}, {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F}, {0x2B820, 0x2CEAF},
        {0x2F800, 0x2FA1F}};
    uint32_t inside = 0, want = 0;

    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        want += ends[i][1] - ends[i][0] + 1;
    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++)
        inside += (uint32_t)uni_cjk(cp);
    assert_int_equal(inside, want);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        assert_true(uni_cjk(ends[i][0]) && uni_cjk(ends[i][1]));
    assert_false(uni_cjk(0x3042) || uni_cjk(0xAC00)); /* kana and Hangul are words */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_is_as_python_says),
        cmocka_unit_test(beyond_the_last_code_point_nothing_is_read),
        cmocka_unit_test(sigma_neighbours),
        cmocka_unit_test(the_version_is_told),
        cmocka_unit_test(cjk_blocks_end_where_berts_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
