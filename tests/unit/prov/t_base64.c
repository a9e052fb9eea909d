/* Base64 against RFC 4648's own vectors and an independent reader. */
#include "prov/base64.h"
#include "base/alloc.h"
#include "unit.h"

static void vectors_of_the_standard(void **state)
{
    static const char *const t[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="},
        {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"},
        {"\xfb\xff\xbf", "+/+/"}};

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct bbt_buf b;

        buf_init(&b, 64);
        assert_int_equal(buf_puts(&b, ">"), BBT_OK);
        assert_int_equal(base64_put(&b, t[i][0], strlen(t[i][0])), BBT_OK);
        assert_string_equal((char *)b.data + 1, t[i][1]);
        assert_int_equal(base64_size(strlen(t[i][0])), strlen(t[i][1]));
        buf_fini(&b);
    }
}

static unsigned value(char c)
{
    static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const char *at = strchr(upper, c);

    if (at && c)
        return (unsigned)(at - upper);
    if (c >= 'a' && c <= 'z')
        return (unsigned)(c - 'a') + 26;
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0') + 52;
    if (c == '+' || c == '/')
        return c == '+' ? 62 : 63;
    fail_msg("byte %d is not of the alphabet", c);
    return 0;
}

/* P11: no line feed however long, only the alphabet, padded to fours; and it reads back. */
static void p11_one_line_of_the_alphabet(void **state)
{
    enum { N = 1000 };
    uint8_t in[N];
    struct bbt_buf b;
    unsigned bits = 0, have = 0;
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < N; i++)
        in[i] = (uint8_t)(i * 131 + i / 7);
    buf_init(&b, 4096);
    assert_int_equal(base64_put(&b, in, N), BBT_OK);
    assert_int_equal(b.len % 4, 0);
    for (size_t i = 0; i < b.len && b.data[i] != '='; i++) {
        bits = bits << 6 | value((char)b.data[i]);
        have += 6;
        if (have >= 8) {
            have -= 8;
            assert_int_equal(bits >> have & 0xff, in[n]);
            n++;
        }
    }
    assert_int_equal(n, N);
    buf_fini(&b);
}

static void the_cap_holds(void **state)
{
    struct bbt_buf b;

    (void)state;
    buf_init(&b, 7);
    assert_int_equal(base64_put(&b, "abcd", 4), BBT_INVALID);
    assert_int_equal(b.len, 0);
    bbt_alloc_fault(0, 0);
    assert_int_equal(base64_put(&b, "abc", 3), BBT_NOMEM);
    bbt_alloc_fault(-1, 0);
    assert_int_equal(b.len, 0);
    assert_int_equal(base64_size(SIZE_MAX), SIZE_MAX);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_the_standard),
        cmocka_unit_test(p11_one_line_of_the_alphabet),
        cmocka_unit_test(the_cap_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
